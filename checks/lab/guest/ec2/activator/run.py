"""The only place of the activator that starts programs."""

import subprocess


class Failed(Exception):
    """A program that the switch cannot do without."""


def run(*argv: str, check: bool = True) -> str:
    """What a program prints. Its errors go where the activator's go."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: exit {done.returncode}")
    return done.stdout
