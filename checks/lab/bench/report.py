"""What was measured, as a page."""

import math
import shlex
import statistics
import time
from dataclasses import dataclass, field

from checks.lab import backend, product
from checks.lab.lab import Lab

HEAD = """# Benchmarks

`make bench-peers` measures Dormouse beside its peers, each table in one boot of the lab's two machines, and
writes this page; `ONLY="small data"` measures with some trees only. The line below each table says what ran the
machines: User Mode Linux, or QEMU with an emulated processor. Seconds vary with the computer and its load, so only
the ratios within one table count. Medians.

`make bench-scale` measures how time and memory grow with the number of datasets. It needs no virtual machines: a
program stands in for `zfs` and `ssh` on this computer. *CPU s, stand-in* is the processor time of all programs
that Dormouse starts, so it is the floor. *MiB* is the peak memory of Dormouse. The last two columns are Dormouse's
own processor time and memory for each dataset that the row above does not have; with linear growth they stay the
same.
"""
COMMANDS = "Commands"


@dataclass
class Table:
    """Seconds of several tools for one task; the first is what others are compared with."""

    title: str
    rows: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    def add(self, name: str, *seconds: float) -> None:
        self.rows.setdefault(name, []).extend(seconds)
        print(f"bench: {self.title}: {name}: {' '.join(f'{s:.2f}' for s in seconds)}", flush=True)

    def text(self) -> str:
        mine = statistics.median(self.rows["dormouse"])
        lines = [f"## {self.title}", "", "| tool | s | of Dormouse's |", "|---|---|---|"]
        for name, seconds in self.rows.items():
            median = statistics.median(seconds)
            shown = "failed" if math.isnan(median) else f"{median:.2f}"
            ratio = "" if math.isnan(median) else f"{median / mine:.2f}"
            lines.append(f"| {name} | {shown} | {ratio} |")
        return "\n".join([*lines, *(["", self.note] if self.note else [])]) + "\n"


def updated(page: str, table: Table, versions: str, commands: list[tuple[str, list[str]]]) -> str:
    """A page with this table in the place of the one that was measured before, or after all others."""
    sections = {text.partition("\n")[0]: f"## {text.rstrip()}\n" for text in page.split("\n## ")[1:]}
    typed = [line for line in sections.pop(COMMANDS, "").splitlines() if line.startswith("- ")]
    lines = {line.partition(": ")[0]: line for line in [*typed, *listed(commands)]}
    sections[table.title] = f"{table.text()}\n{versions}\n"
    return "\n".join([HEAD, *sections.values(), f"## {COMMANDS}\n", *lines.values()]) + "\n"


def versions(peers: dict[str, str], lab: Lab) -> str:
    """When something was measured, and of what."""
    system = lab.home.run(["sh", "-c", "zfs version | head -n 1; uname -r; nproc"]).stdout.split("\n")
    ours = lab.home.run(["/usr/local/bin/dormouse", "--version"]).stdout.strip()
    ours += f" ({product.binary('dormouse').parent.name} build)"
    tools = ", ".join([ours, *(f"{name} {version}" for name, version in peers.items())])
    where = f"{backend.get().label}: {system[0]}, Linux {system[1]}, processors of each: {system[2]}"
    return f"Measured on {time.strftime('%Y-%m-%d')}: {tools}; {where}."


def listed(commands: list[tuple[str, list[str]]]) -> list[str]:
    """Each tool's command, as it would be typed."""
    return [f"- {name}: `{shlex.join(command)}`" for name, command in commands]
