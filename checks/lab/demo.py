"""One backup cycle to watch: what is typed, and what the programs really answer."""

import contextlib
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from checks.lab import backend, lab, process, sleeper, tree
from checks.lab.ec2.cloud import Cloud
from checks.lab.ec2.fixtures import client
from checks.lab.lab import Lab
from checks.lab.pool import zfs
from checks.lab.process import CommandFailed
from checks.lab.product import binary
from checks.lab.sleeper import Sleeper

EXAMPLE = Path(__file__).parents[2] / "examples" / "demo.json"
# As the example names it.
SECRETS = "/lab/secrets"
# Runs its arguments, with errors and progress where they are read: among the answers.
MERGED = 'exec "$0" "$@" 2>&1'
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


class Demo:
    """Types commands at home, and shows them with their answers."""

    def __init__(self, running: Lab, folder: Path, cloud: Cloud) -> None:
        self.lab = running
        self.product = Sleeper(running, folder, home_secrets=SECRETS, admin_secrets=SECRETS, cloud=cloud)

    def run(self) -> None:
        self.generate()
        self.prepare()
        self.set_up()
        self.cycle()
        self.look()
        self.tear_down()

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
        self.product.install()

    def set_up(self) -> None:
        heading("One step sets it up: security group, volume, image, pool")
        self.type("dormouse up --yes archiver")
        self.tell_ec2()

    def cycle(self) -> None:
        heading("First backup: the archiver wakes, takes it, and sleeps again")
        self.type("zfs snapshot -r tank/safe@monday")
        self.type("dormouse replicate")
        self.tell_ec2()
        heading("Nothing to do: one `zfs list`, no network; the archiver stays asleep")
        self.type("dormouse replicate")
        heading("A change, then an incremental backup")
        tree.write(self.lab.home, "tank/safe/mail box", "letters", 2)
        self.type("zfs snapshot -r tank/safe@tuesday")
        self.type("dormouse replicate")
        self.type("dormouse status")
        self.tell_ec2()

    def look(self) -> None:
        heading("`ssh archiver` wakes it too: same GUIDs, read-only")
        self.type("zfs list -o name,guid -t snapshot -r tank/safe")
        self.type("ssh archiver zfs list -o name,guid,readonly -t all -r vault/home/safe")
        self.type("dormouse sleep archiver")

    def tear_down(self) -> None:
        heading("One step tears it down; the volume stays until its name is typed")
        self.type("dormouse down --yes archiver")
        self.tell_ec2()

    def type(self, line: str) -> None:
        """Runs a line at home and shows it."""
        argv = shlex.split(line)
        show("home", line)
        begin = time.monotonic()
        result = self.lab.home.run(["sh", "-c", MERGED, *self.full(argv)], timeout=900, check=False)
        answer(result.stdout, time.monotonic() - begin)
        if result.code != 0:
            raise CommandFailed(result, "home")

    def full(self, argv: list[str]) -> list[str]:
        """What a user's environment adds to what is typed."""
        match argv:
            case ["dormouse", *rest]:
                return self.product.argv(*rest)
            case ["ssh", *rest]:
                return self.product.ssh_argv(*rest)
            case _:
                return argv

    def tell_ec2(self) -> None:
        """What any other client of EC2 sees."""
        api = client(self.product.cloud.ec2.observer_endpoint)
        instances = len(self.product.cloud.ec2.alive())
        volumes = [f"{v['VolumeId']} ({v['Size']} GiB, {v['State']})" for v in api.describe_volumes()["Volumes"]]
        print(f"{DIM}EC2: instances: {instances}; volumes: {', '.join(volumes)}{PLAIN}\n", flush=True)


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
        (Path(folder) / "desk").mkdir()
        yield Path(folder)


def run() -> int:
    print(f"Starting two virtual machines ({backend.get().label}).\n", flush=True)
    begin = time.monotonic()
    with lab.opened() as running, workplace() as folder, sleeper.clouded(running, folder / "ec2") as cloud:
        running.make_pools()
        print(f"{DIM}[{time.monotonic() - begin:.1f} s]{PLAIN}\n", flush=True)
        Demo(running, folder / "desk", cloud).run()
    print("The machines are gone again; nothing is left behind.", flush=True)
    return 0
