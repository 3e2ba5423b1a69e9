"""One file for each group of actions; `action.load` reads this folder."""
