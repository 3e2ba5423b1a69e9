"""The command line of one guest in User Mode Linux."""

import os
from collections.abc import Mapping
from pathlib import Path

from checks.lab.backend import Wiring
from checks.lab.disk import Disk
from checks.lab.image import Image

MEMORY_MIB = 2048
UMID = "uml"
# A name that is not a program's: a restart, for which the kernel executes itself anew, then ends it,
# and a new process begins with the disks that are plugged in.
NAME = "dormouse-lab-guest"
ARGUMENTS = "root=/dev/ubda rw console=tty0 quiet systemd.show_status=no zfs.zfs_arc_max=268435456"
# The guest's memory is a file, which must not be written to a disk.
MEMORY_FILE = 'mount -t tmpfs -o size="$1"m,mode=0700 guest-memory "$2" && shift 2 && exec "$@"'


def argv(image: Image, wiring: Wiring, disks: Mapping[str, int], known: Mapping[str, Disk], agent: int) -> list[str]:
    """Everything, from the network namespace in. `agent` is the descriptor of the serial line."""
    memory = wiring.folder / "memory"
    argv = ["unshare", "--mount", "--propagation=private", "--"]
    # Each guest stays on one processor: every system call hands over between two processes here.
    argv += ["taskset", "--cpu-list", str(processor(wiring.number))]
    argv += ["sh", "-c", MEMORY_FILE, "sh", str(MEMORY_MIB + 64), str(memory)]
    argv += ["env", f"TMPDIR={memory}", "bash", "-c", f'exec -a {NAME} "$@"', "bash", str(image.kernel)]
    argv += [f"mem={MEMORY_MIB}M", f"umid={UMID}", f"uml_dir={wiring.folder}/", f"ubd0={root(wiring)}"]
    argv += [f"ubd{index}={plugged(known[serial])}" for serial, index in disks.items()]
    argv += [f"vec0:transport=tap,ifname={wiring.tap},gro=1", "con=null", "con0=null,fd:1", "ssl=null"]
    argv += [f"ssl0=fd:{agent}", *ARGUMENTS.split(), *wiring.arguments.split()]
    return wiring.inside(argv)


def root(wiring: Wiring) -> Path:
    """The root disk, or a layer over it that goes with the guest."""
    return wiring.root if wiring.keep_root else wiring.folder / "root.layer"


def plugged(disk: Disk) -> str:
    """A disk as the driver reads it: commas and colons end a name."""
    path = str(disk.path)
    assert not {",", ":"} & set(path), path
    return f"{path},,{disk.serial}"


def processor(number: int) -> int:
    """Machines with consecutive numbers, and those of two test runs, are spread."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[(number + worker) % len(allowed)]
