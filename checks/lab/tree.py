"""Trees of datasets: making one at home, and comparing it with its copy."""

from checks.lab.pool import rows, zfs
from checks.lab.vm import Vm

Guids = dict[tuple[str, str], str]


def snapshot(vm: Vm, root: str, name: str) -> None:
    """Takes a snapshot of a dataset and all below it."""
    zfs(vm, "snapshot", "-r", f"{root}@{name}")


def write(vm: Vm, dataset: str, name: str, mebibytes: int) -> None:
    """Writes a file of random bytes, which do not compress, into a dataset."""
    target = f"of=/{dataset}/{name}"
    # An emulated processor makes more than 4 MiB of random bytes in a second.
    timeout = 120 + mebibytes / 4
    vm.run(["dd", "if=/dev/urandom", target, "bs=1M", f"count={mebibytes}", "status=none"], timeout=timeout)


def guids(vm: Vm, root: str) -> Guids:
    """The GUID of every snapshot below a dataset, by dataset (relative) and name."""
    listed = rows(vm, ["list", "-H", "-r", "-t", "snapshot", "-o", "name,guid", root])
    split = [(name.partition("@"), guid) for name, guid in listed]
    return {(dataset.removeprefix(root), snap): guid for (dataset, _, snap), guid in split}


def state(vm: Vm, root: str) -> list[list[str]]:
    """All that a run could change of a tree: datasets, snapshots, bookmarks, holds."""
    columns = "name,guid,createtxg,receive_resume_token,userrefs"
    return rows(vm, ["list", "-H", "-p", "-r", "-t", "all", "-o", columns, root])
