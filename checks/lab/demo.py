"""One backup cycle to watch: what is typed, and what the programs really answer."""

import contextlib
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from checks.lab import lab, process, tree
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.process import CommandFailed
from checks.lab.product import FOLDER, Product, binary

EXAMPLE = Path(__file__).parents[2] / "examples" / "demo.json"
# As the example names it.
SECRETS = "/lab/secrets"
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


class Demo:
    """Types commands at home, and shows them with their answers."""

    def __init__(self, running: Lab, folder: Path) -> None:
        self.lab = running
        self.product = Product(running, folder, home_secrets=SECRETS)

    def run(self) -> None:
        self.generate()
        self.prepare()
        self.cycle()
        self.look()

    def generate(self) -> None:
        heading("One spec and one seed make every key and configuration")
        folder = self.product.folder
        (folder / "dormouse.json").write_text(EXAMPLE.read_text())
        with contextlib.chdir(folder):
            local("dormouse-generate init --seed seed".split())
            local("dormouse-generate --seed seed --secrets secrets".split())
            local("dormouse-generate --seed seed --secrets secrets".split())

    def prepare(self) -> None:
        """What the user did before: a tree of datasets, and our files where they belong."""
        home = self.lab.home
        for dataset in ("safe", "safe/home", "safe/mail box"):
            zfs(home, "create", f"tank/{dataset}")
        zfs(home, "create", "-V", "16M", "tank/safe/vm")
        tree.write(home, "tank/safe/home", "photos", 24)
        self.product.install_home()
        self.product.install_archiver()

    def cycle(self) -> None:
        heading("First backup")
        self.type("zfs snapshot -r tank/safe@monday")
        self.type("dormouse plan")
        self.type("dormouse replicate")
        heading("Nothing to do: one `zfs list`, no network")
        self.type("dormouse replicate")
        heading("A change, then an incremental backup")
        tree.write(self.lab.home, "tank/safe/mail box", "letters", 2)
        self.type("zfs snapshot -r tank/safe@tuesday")
        self.type("dormouse replicate")
        self.type("dormouse status")

    def look(self) -> None:
        heading("What the archiver has, reached by the generated ssh_config: same GUIDs, read-only")
        self.type("zfs list -o name,guid -t snapshot -r tank/safe")
        config = f"{FOLDER}/generated/hosts/home/ssh_config"
        copy = "zfs list -o name,guid,readonly -t all -r vault/home/safe"
        self.type(f"ssh -F {config} archiver {copy}")

    def type(self, line: str) -> None:
        """Runs a line at home and shows it."""
        argv = shlex.split(line)
        full = self.product.argv(*argv[1:]) if argv[0] == "dormouse" else argv
        show("home", line)
        begin = time.monotonic()
        result = self.lab.home.run(full, check=False)
        answer(result.stdout + result.stderr, time.monotonic() - begin)
        if result.code != 0:
            raise CommandFailed(result, "home")


def local(argv: list[str]) -> None:
    """Runs the generator here, as on a person's computer."""
    show("desk", shlex.join(argv))
    begin = time.monotonic()
    result = process.run([str(binary(argv[0])), *argv[1:]])
    answer(result.stdout + result.stderr, time.monotonic() - begin)


def show(prompt: str, line: str) -> None:
    print(f"{BOLD}{prompt}$ {line}{PLAIN}", flush=True)


def answer(text: str, seconds: float) -> None:
    print(text.rstrip("\n"))
    print(f"{DIM}[{seconds:.1f} s]{PLAIN}\n", flush=True)


def heading(text: str) -> None:
    print(f"{BOLD}# {text}{PLAIN}\n", flush=True)


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dormouse-demo-") as folder:
        yield Path(folder)


def run() -> int:
    print("Starting two virtual machines, each with a pool; the first time, their image is built.\n", flush=True)
    begin = time.monotonic()
    with lab.opened() as running, workplace() as folder:
        running.make_pools()
        print(f"{DIM}[{time.monotonic() - begin:.1f} s]{PLAIN}\n", flush=True)
        Demo(running, folder).run()
    print("Both machines are gone again; nothing is left behind.", flush=True)
    return 0
