"""Two machines that are folders: programs that stand in for zfs, zpool and ssh, and the files that they read."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from checks.lab import process, product

PROGRAMS = ("zfs", "zpool", "ssh")
SNAPSHOTS = 40
SOURCE, TARGET = "tank/safe", "vault/safe"
# What a run leaves on a machine; the file `machine` says what was there before.
KINDS = ("newest", "bookmarks", "properties", "started")


def compile_programs(folder: Path) -> Path:
    """Compiles the stand-in; returns the folder with a program for each name."""
    source, built = Path(__file__).parent / "stand_in" / "main.rs", folder / "bin"
    built.mkdir()
    argv = ["rustc", "--edition", "2024", "-C", "opt-level=2", "-D", "warnings", "-o", str(built / "zfs"), str(source)]
    process.run(argv, timeout=300)
    for name in PROGRAMS[1:]:
        (built / name).hardlink_to(built / "zfs")
    return built


def generate(folder: Path) -> None:
    """The spec, its generated files and the secrets, as a user makes them."""
    replication = {"archiver": "archiver", "source": SOURCE, "target": TARGET, "recursive": True}
    spec, seed = folder / "dormouse.json", folder / "seed"
    program = str(product.binary("dormouse-generate"))
    process.run([program, "init", "--host", "home", "--spec", str(folder / "first.json"), "--seed", str(seed)])
    spec.write_text(json.dumps(product.static_spec({"safe": replication}, "192.0.2.1")))
    outputs = ["--out", str(folder / "generated"), "--secrets", str(folder / "secrets")]
    process.run([program, "--spec", str(spec), "--seed", str(seed), *outputs])


@dataclass(frozen=True)
class Machines:
    """The home host and the archiver, with as many datasets each."""

    folder: Path
    datasets: int

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def archiver(self) -> Path:
        return self.folder / "archiver"

    def make(self) -> None:
        """Both have the same snapshots, and the host's cursors say so."""
        for machine in (self.home, self.archiver):
            shutil.rmtree(machine, ignore_errors=True)
            machine.mkdir()
        self._write(SNAPSHOTS)
        (self.archiver / "machine").write_text(f"{TARGET} {self.datasets} {SNAPSHOTS} 0\n")

    def forget_marks(self) -> None:
        """The host no longer knows that the archiver has everything."""
        shutil.rmtree(self.home / "properties")

    def snapshot_all(self) -> None:
        """Each dataset has one snapshot that the archiver lacks."""
        self._write(SNAPSHOTS + 1)

    def snapshot_one(self) -> None:
        (self.home / "newest").mkdir()
        (self.home / "newest" / "1").write_text(str(SNAPSHOTS + 1))

    def arrived(self) -> int:
        """How many copies have one more snapshot than before, and are acknowledged by a single cursor."""
        newest, bookmarks = self.archiver / "newest", self.home / "bookmarks"
        new = [path.name for path in newest.iterdir() if path.read_text() == str(SNAPSHOTS + 1)]
        return sum(self._is_acknowledged(bookmarks / name) for name in new)

    def started(self) -> int:
        """How many programs were started since the last question."""
        count = 0
        for machine in (self.home, self.archiver):
            started = machine / "started"
            if started.exists():
                count += started.stat().st_size
                started.unlink()
        return count

    def environment(self) -> dict[str, str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        folders = {"RUNTIME_DIRECTORY": str(self.folder / "run"), "STATE_DIRECTORY": str(self.folder / "state")}
        return {"PATH": path, "STAND_IN": str(self.home), **folders}

    def _write(self, snapshots: int) -> None:
        (self.home / "machine").write_text(f"{SOURCE} {self.datasets} {snapshots} {SNAPSHOTS}\n")

    @staticmethod
    def _is_acknowledged(bookmarks: Path) -> bool:
        names = bookmarks.read_text().split()
        return len(names) == 1 and names[0].endswith(f"{SNAPSHOTS + 1:03}")
