"""What EC2 says is running, runs: instances are machines, volumes are disks."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from checks.lab import process, wait
from checks.lab.ec2 import cloud
from checks.lab.ec2.cloud import Cloud
from checks.lab.ec2.fixtures import IMAGE, ZONE, client
from checks.lab.lab import Lab
from checks.lab.vm import Vm

TOKEN = "http://169.254.169.254/latest/api/token"
FETCH = """
token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 600' {token})
curl -sf -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/1.0/user-data
"""
BOOT = 240


class Person:
    """Someone who uses EC2, and waits for it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.api = client(cloud.ec2.observer_endpoint)

    def run(self, image: str = IMAGE, **parameters: Any) -> str:
        answer = self.api.run_instances(
            ImageId=image,
            InstanceType="t3.small",
            MinCount=1,
            MaxCount=1,
            Placement={"AvailabilityZone": ZONE},
            InstanceInitiatedShutdownBehavior="terminate",
            **parameters,
        )
        return str(answer["Instances"][0]["InstanceId"])

    def running(self, image: str = IMAGE, **parameters: Any) -> tuple[str, Vm]:
        instance = self.run(image, **parameters)
        self.wait_state(instance, "running")
        return instance, self.cloud.vm(instance)

    def state(self, instance: str) -> str:
        filters = [{"Name": "instance-id", "Values": [instance]}]
        found = self.api.describe_instances(Filters=filters)["Reservations"]
        return str(found[0]["Instances"][0]["State"]["Name"]) if found else "unknown"

    def wait_state(self, instance: str, state: str) -> None:
        wait.until(lambda: self.state(instance) == state, f"{instance} is {state}", BOOT)

    def volume(self) -> str:
        made = self.api.create_volume(AvailabilityZone=ZONE, Size=125, VolumeType="sc1")
        volume = str(made["VolumeId"])
        wait.until(lambda: self.described(volume)["State"] == "available", volume)
        return volume

    def described(self, volume: str) -> dict[str, Any]:
        return dict(self.api.describe_volumes(VolumeIds=[volume])["Volumes"][0])

    def attach(self, volume: str, instance: str) -> str:
        """Attaches a volume and returns the name that it has in the guest."""
        self.api.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        wait.until(lambda: self.described(volume)["Attachments"][0]["State"] == "attached", volume)
        device = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"
        self.cloud.vm(instance).run(["udevadm", "wait", "--settle", "--timeout=30", device])
        return device

    def wait_image(self, image: str) -> None:
        def state() -> str:
            return str(self.api.describe_images(ImageIds=[image])["Images"][0]["State"])

        wait.until(lambda: state() != "pending", f"{image} is there", BOOT)
        assert state() == "available"

    def terminate(self, instance: str) -> None:
        self.api.terminate_instances(InstanceIds=[instance])
        self.wait_state(instance, "terminated")


@pytest.fixture
def person(machines: Lab, request: pytest.FixtureRequest) -> Iterator[Person]:
    folder = machines.folder / request.node.name[:40]
    with cloud.opened(machines.network, folder, machines.folder / "controller") as opened:
        yield Person(opened)
    assert "tap-ec2" not in links(machines)


def links(machines: Lab) -> str:
    return process.run(machines.network.inside(["ip", "-o", "link"])).stdout


def test_a_machine_of_the_lab_reaches_the_api(machines: Lab, person: Person) -> None:
    ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", person.cloud.ec2.endpoint]
    assert machines.home.run(ask).stdout == "401"
    assert person.cloud.ec2.calls.made[-1].outcome == "AuthFailure"


def test_an_instance_reads_its_user_data_and_is_reached_at_its_address(machines: Lab, person: Person) -> None:
    instance, vm = person.running(UserData="first line\nsecond")
    assert vm.run(["sh"], stdin=FETCH.format(token=TOKEN).encode()).stdout == "first line\nsecond"
    described = person.api.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert machines.home.run(["ping", "-c", "1", "-W", "5", described["PublicIpAddress"]]).code == 0
    assert machines.home.run(["curl", "-s", "-X", "PUT", TOKEN, "-w", "%{http_code}"]).stdout == "404"


def test_a_pool_on_a_volume_outlives_its_instance(person: Person) -> None:
    instance, vm = person.running()
    volume = person.volume()
    device = person.attach(volume, instance)
    vm.run(["zpool", "create", "-o", "ashift=12", "vault", device])
    vm.put("/vault/file", b"data")
    vm.run(["zpool", "export", "vault"])
    person.terminate(instance)
    assert not vm.is_alive
    assert person.described(volume)["State"] == "available"
    second, other = person.running()
    assert other.address != vm.address
    person.attach(volume, second)
    other.run(["zpool", "import", "-d", "/dev/disk/by-id", "vault"])
    assert other.get("/vault/file") == b"data"


@pytest.mark.qemu
def test_a_volume_is_detached_and_grows_while_it_is_attached(person: Person) -> None:
    instance, vm = person.running()
    volume = person.volume()
    device = person.attach(volume, instance)
    person.api.modify_volume(VolumeId=volume, Size=200)
    size = ["blockdev", "--getsize64", device]
    wait.until(lambda: vm.run(size).stdout == f"{200 << 30}\n", "the guest sees the new size")
    person.api.detach_volume(VolumeId=volume)
    wait.until(lambda: person.described(volume)["State"] == "available", volume)
    vm.run(["udevadm", "settle"])
    assert vm.run(["test", "-e", device], check=False).code == 1


def test_a_guest_that_powers_itself_off_is_terminated(person: Person) -> None:
    instance, vm = person.running()
    vm.run(["systemctl", "--no-block", "poweroff"])
    person.wait_state(instance, "terminated")
    described = person.api.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert described["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert not vm.is_alive


def test_a_stopped_instance_starts_again_on_its_disk(person: Person) -> None:
    instance, vm = person.running()
    vm.put("/root/kept", b"data")
    person.api.stop_instances(InstanceIds=[instance])
    person.wait_state(instance, "stopped")
    assert not vm.is_alive
    person.api.start_instances(InstanceIds=[instance])
    person.wait_state(instance, "running")
    assert vm.get("/root/kept") == b"data"


def test_an_instance_that_is_terminated_while_it_starts_leaves_no_machine(person: Person) -> None:
    for pause in (0.0, 0.5, 1, 2, 4):
        instance = person.run()
        vm = person.cloud.vm(instance)
        wait.until(lambda: person.state(instance) != "unknown", instance)  # noqa: B023
        time.sleep(pause)
        begin = time.monotonic()
        person.terminate(instance)
        assert time.monotonic() - begin < 10
        wait.until(lambda: not vm.folder.exists(), "all is put away")  # noqa: B023
        assert not vm.is_alive


def test_the_copy_of_a_disk_boots_and_the_original_goes_on(person: Person) -> None:
    instance, vm = person.running()
    vm.put("/root/baked", b"before")
    image = person.api.create_image(InstanceId=instance, Name="baked")["ImageId"]
    person.wait_image(image)
    vm.put("/root/baked", b"after")
    person.terminate(instance)
    first, copy = person.running(image)
    assert copy.get("/root/baked") == b"before"
    copy.put("/root/of-the-copy", b"own")
    person.terminate(first)
    _, second = person.running(image)
    assert second.run(["ls", "/root"]).stdout == "baked\n"


@pytest.mark.qemu
def test_instances_of_a_saved_image_wake_on_its_disk(machines: Lab) -> None:
    folder, key = machines.folder / "saved", machines.folder / "controller"
    with cloud.opened(machines.network, folder, key, saves_images=True) as opened:
        person = Person(opened)
        instance, vm = person.running()
        vm.put("/root/baked", b"before")
        # Without a restart, an image holds what is on the disk and no more.
        vm.run(["sync"])
        image = person.api.create_image(InstanceId=instance, Name="baked", NoReboot=True)["ImageId"]
        vm.put("/root/baked", b"after")
        person.wait_image(image)
        _, copy = person.running(image)
        assert copy.get("/root/baked") == b"before"
        assert copy.run(["hostname"]).stdout == f"{copy.name}\n"
        # It was told who it is after its boot, not during it.
        booted = float(copy.get("/proc/uptime").split()[0])
        assert booted > person.cloud.ec2.instances()[-1].age()


def test_a_volume_of_an_ebs_snapshot_holds_what_was_there(person: Person) -> None:
    instance, vm = person.running()
    volume = person.volume()
    device = person.attach(volume, instance)
    vm.run(["dd", f"of={device}", "conv=fsync"], stdin=b"data")
    snapshot = person.api.create_snapshot(VolumeId=volume)["SnapshotId"]

    def is_complete() -> bool:
        found = person.api.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        return bool(found[0]["State"] == "completed")

    wait.until(is_complete, snapshot)
    copy = person.api.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot, VolumeType="sc1")["VolumeId"]
    wait.until(lambda: person.described(copy)["State"] == "available", copy)
    person.api.detach_volume(VolumeId=volume)
    wait.until(lambda: person.described(volume)["State"] == "available", volume)
    assert vm.run(["head", "-c", "4", person.attach(copy, instance)]).stdout == "data"
