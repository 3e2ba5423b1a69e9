"""An archiver that sleeps, shared by the tests in this folder."""

from checks.lab.tests.sleeper.case import case, shared

__all__ = ["case", "shared"]
