"""What tests of instances share: a network, generated files, a baked disk, and waiting."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.lab import evidence, process, wait
from checks.lab.instance import Instance, Login
from checks.lab.tests import site as sites
from checks.lab.tests.generated import Archiver, bake_script
from checks.lab.tests.site import Site

# What `dormouse up` removes before it makes an image.
TRACES = [
    "/etc/ssh/ssh_host_*",
    "/etc/ec2-metadata/*",
    "/etc/machine-id",
    "/root/.bash_history",
    "/root/.ssh",
    "/var/lib/systemd/random-seed",
    "/var/log/journal",
]
# What it leaves, so that an instance of the image insists on its archiver's host key.
BAKED = "/var/lib/dormouse/baked"
# Where a running system writes what stays.
WRITTEN = ["etc", "home", "root", "srv", "tmp", "usr/local", "var"]
BOOT_TIMEOUT = 240
FAILED = pytest.StashKey[bool]()


def entered(instance: Instance, login: Login, timeout: float = BOOT_TIMEOUT) -> float:
    """How long it took until somebody could log in. Seldom tries: sshd punishes many."""

    def enters() -> bool:
        return instance.enter(login, ["true"]).code == 0

    begin = time.monotonic()
    wait.until(enters, f"{login.user} can log in", timeout, 1)
    return time.monotonic() - begin


def rebuilt(instance: Instance) -> None:
    """Waits until the user data were applied to the end."""
    show = "systemctl show --property=ActiveState --value amazon-init.service"
    until_true(instance, f"{show} | grep -qx -e active -e inactive -e failed", 240)
    log = instance.run(["journalctl", "--boot", "--output=short-monotonic"]).stdout
    assert "Failed to start amazon-init" not in log, log


def session(instance: Instance, login: Login) -> subprocess.Popen[bytes]:
    """A session that stays open while its client lives; returns when logind knows it."""
    client = process.start(instance.ssh(login, ["cat"]), stdin=subprocess.PIPE)
    until_true(instance, f"loginctl list-sessions --no-legend | grep -q {login.user}")
    return client


def until_true(instance: Instance, script: str, timeout: float = 60) -> None:
    """Waits until a shell script in the instance succeeds."""
    shell = ["sh", "-c", script]
    wait.until(lambda: instance.run(shell, check=False).code == 0, script, timeout, 0.5)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with sites.opened() as opened:
        yield opened


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Archiver:
    made = Archiver(tmp_path_factory.mktemp("archiver") / "files")
    made.generate(linger="30s", max_lifetime="1h")
    return made


@pytest.fixture(scope="session")
def baked(site: Site, generated: Archiver) -> Path:
    """A disk that became the configuration and was cleaned, as `dormouse up` does it."""
    private, public = new_key(site.folder / "bake-key")
    instance = site.instance("bake", bake_script(generated, private, public))
    instance.boot(site.image)
    instance.wait_lab()
    entered(instance, generated.admin(public))
    rebuilt(instance)
    # The control: what must not be in the image is found where it is before the cleaning.
    instance.run(["systemctl", "stop", "dormouse-idle.timer"])
    keys = {"/etc/ec2-metadata/user-data", "/etc/ssh/ssh_host_ed25519_key"}
    assert found_in(instance, private) == keys
    instance.run(["sh", "-c", f"rm -rf {' '.join(TRACES)} && install -D /dev/null {BAKED} && sync"])
    instance.run(["systemctl", "--no-block", "poweroff"])
    instance.wait_off()
    return instance.disk


def new_key(path: Path) -> tuple[str, str]:
    process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)])
    return path.read_text(), " ".join(path.with_suffix(".pub").read_text().split()[:2])


def found_in(instance: Instance, private: str) -> set[str]:
    """The files of a running instance that hold a private key, in one line or in many."""
    folders = [f"/{name}" for name in WRITTEN]
    grep = ["grep", "--recursive", "--files-with-matches", "--fixed-strings", "-e", body(private)]
    return set(instance.run([*grep, *folders], check=False).stdout.split())


def found_on(disk: Path, private: str) -> set[str]:
    """The same for the disk of an instance that is off."""
    return files_with(disk, body(private))


def files_with(disk: Path, text: str) -> set[str]:
    """The files on a disk that hold a text."""
    with tempfile.TemporaryDirectory() as folder:
        for name in WRITTEN:
            target = Path(folder, name).parent
            target.mkdir(parents=True, exist_ok=True)
            process.run(["debugfs", "-R", f"rdump /{name} {target}", str(disk)])
        grep = ["grep", "--recursive", "--files-with-matches", "--fixed-strings", "-e", text]
        return set(process.run([*grep, folder], check=False).stdout.split())


def body(private: str) -> str:
    """A line of a private key that no other key has."""
    return private.splitlines()[2]


@pytest.fixture(autouse=True)
def evidence_of_instances(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keeps what the running instances know when a test of them has failed."""
    yield
    if "site" in request.fixturenames and request.node.stash.get(FAILED, False):
        opened: Site = request.getfixturevalue("site")
        alive = [instance for instance in opened.instances if instance.is_alive]
        print(f"lab: logs and journals are kept in {evidence.collect(request.node.nodeid, alive)}")
