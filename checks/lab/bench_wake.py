"""How long a wake takes, how long a backup keeps an instance, and how often EC2 is asked.

Each round measures side by side: the same image launched by hand until ssh runs a command there
(the floor), `dormouse wake`, a backup to an archiver that is awake already (the transfer), and the
whole cycle from asleep to asleep. The machines are emulated; what counts is the differences.
"""

import statistics
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path

from checks.lab import lab, sleeper, tree, wait
from checks.lab.ec2.ec2 import ZONE
from checks.lab.ec2.fixtures import client
from checks.lab.pool import zfs
from checks.lab.process import CommandFailed
from checks.lab.sleeper import ADMIN_SECRETS
from checks.lab.sleeper import Sleeper

ROUNDS = 5
MIB = 1
SOURCE = "tank/tree"
TREE = {"tree": {"archiver": "archiver", "source": SOURCE, "target": "vault/home/tree"}}
# Ends when a command has been run there, and says when its sshd had answered.
ANSWERS = """
until timeout 1 bash -c 'read -r line </dev/tcp/{address}/22 && [[ $line == SSH-* ]]' 2>/dev/null; do sleep 0.1; done
echo $EPOCHREALTIME
options=(-F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=1)
until ssh "${{options[@]}}" -i {key} root@{address} true 2>/dev/null; do sleep 0.1; done
echo $EPOCHREALTIME
"""


@dataclass
class Round:
    """Seconds, and a number of calls."""

    answer: float
    floor: float
    wake: float
    transfer: float
    cycle: float
    instance: float
    calls: int


class Bench:
    """Works with an archiver that is set up and asleep."""

    def __init__(self, archiver: Sleeper) -> None:
        self.archiver = archiver
        self.ec2 = archiver.cloud.ec2
        self.api = client(self.ec2.observer_endpoint)
        self.changes = 0

    def round(self) -> Round:
        answer, floor = self.by_hand()
        wake = self.run("wake", "archiver")
        session = self.archiver.lab.home.start(self.archiver.ssh_argv("archiver", "cat"))
        self.change()
        transfer = self.run("replicate")
        session.kill()
        self.run("sleep", "--now", "archiver")
        self.change()
        mark = len(self.ec2.calls)
        cycle = self.run("replicate")
        if not self.archiver.is_asleep():
            raise RuntimeError("the archiver is still awake after a backup")
        instance = self.ec2.instances()[-1].seconds()
        return Round(answer, floor, wake, transfer, cycle, instance, self.ec2.calls.count(since=mark))

    def by_hand(self) -> tuple[float, float]:
        """Seconds until the sshd of an instance of the same image answers, which has no volume, and until
        ssh has run a command there."""
        begin = time.monotonic()
        launched = self.api.run_instances(
            ImageId=self.api.describe_images(Owners=["self"])["Images"][0]["ImageId"],
            InstanceType="t3.small",
            MinCount=1,
            MaxCount=1,
            Placement={"AvailabilityZone": ZONE},
            UserData=(self.archiver.secrets / "archivers/archiver/user-data").read_text(),
        )
        instance = launched["Instances"][0]["InstanceId"]
        script = ANSWERS.format(address=self.archiver.cloud.vm(instance).address, key=f"{ADMIN_SECRETS}/admin/id_ed25519")
        said = self.archiver.lab.home.run(["bash", "-c", script], timeout=300).stdout.split()
        took = time.monotonic() - begin
        login = float(said[1]) - float(said[0])
        self.api.terminate_instances(InstanceIds=[instance])
        wait.until(self.archiver.is_asleep, "it is gone", 60)
        return took - login, took

    def change(self) -> None:
        self.changes += 1
        home = self.archiver.lab.home
        tree.write(home, SOURCE, f"file{self.changes}", MIB)
        tree.snapshot(home, SOURCE, f"s{self.changes}")

    def run(self, *arguments: str) -> float:
        """Runs dormouse, which must succeed, and returns its seconds."""
        begin = time.monotonic()
        done = self.archiver.run(*arguments, timeout=600)
        if done.code != 0:
            raise CommandFailed(done, "home")
        return time.monotonic() - begin


def table(rounds: list[Round]) -> str:
    """Medians, and what they are measured against."""
    middle = {field.name: statistics.median(getattr(round, field.name) for round in rounds) for field in fields(Round)}
    rows = [
        ("boot until sshd answers", f"{middle['answer']:.1f} s", ""),
        ("boot until ssh runs a command (floor)", f"{middle['floor']:.1f} s", ""),
        ("wake", f"{middle['wake']:.1f} s", ""),
        ("  beyond sshd's answer", f"{middle['wake'] - middle['answer']:.1f} s", ""),
        ("  beyond the floor", f"{middle['wake'] - middle['floor']:.1f} s", "3 s"),
        ("backup of 1 MiB, awake already", f"{middle['transfer']:.1f} s", ""),
        ("backup of 1 MiB, asleep to asleep", f"{middle['cycle']:.1f} s", ""),
        ("instance-seconds of that", f"{middle['instance']:.1f} s", ""),
        (
            "  beyond transfer and floor",
            f"{middle['instance'] - middle['transfer'] - middle['floor']:.1f} s",
            "15 s",
        ),
        ("EC2 calls of that", f"{middle['calls']:.0f}", "12"),
    ]
    lines = [f"{what:38}{value:>10}{target:>10}" for what, value, target in [("", "median", "at most"), *rows]]
    return "\n".join(lines)


def run() -> int:
    with lab.opened() as running, tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        folder = Path(name)
        running.make_pools()
        zfs(running.home, "create", SOURCE)
        with sleeper.clouded(running, folder / "ec2") as cloud:
            archiver = Sleeper(running, folder, TREE, cloud=cloud)
            archiver.generate()
            archiver.install()
            archiver.up()
            bench = Bench(archiver)
            bench.change()
            bench.run("replicate")
            print(table([bench.round() for _ in range(ROUNDS)]))
    return 0
