{ dormouse, ... }: dormouse
