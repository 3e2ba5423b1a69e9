"""Dormouse beside its peers, in one boot of the lab's two machines."""
