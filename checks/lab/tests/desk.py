"""The product on this computer, with an EC2 whose machines exist in memory only."""

import base64
import hashlib
import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checks.lab import callers, process
from checks.lab.ec2 import ec2 as lab_ec2
from checks.lab.ec2.ec2 import REGION, ZONE, Ec2
from checks.lab.ec2.fixtures import IMAGE, client
from checks.lab.process import Result
from checks.lab.product import binary
from checks.lab.tests.generated import Archiver
from checks.lab.tests.sweep import Kill, Victim

AT_SSH = re.compile("waiting for ssh|waiting until it is the configuration")
TAGS = {"dormouse:spec": "lab", "dormouse:archiver": "archiver"}


@dataclass(frozen=True)
class Followed:
    """How a run ended, and each line of what it said."""

    code: int
    said: list[str]

    @property
    def reached_ssh(self) -> bool:
        return any(AT_SSH.search(line) for line in self.said)


@dataclass
class Desk:
    """Someone who types `dormouse` here. `provider` and `volume` change the spec."""

    folder: Path
    ec2: Ec2
    provider: dict[str, Any] = field(default_factory=dict)
    volume: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api = client(self.ec2.observer_endpoint)
        self.files = Archiver(self.folder)
        provider: dict[str, Any] = {"type": "ec2", "region": REGION, "availability_zone": ZONE}
        provider |= {"instance_type": "t3.small", "image": {"nixos": "26.05"}}
        provider |= {"ssh_from": ["10.77.0.0/24"], **self.provider}
        self.settings: dict[str, Any] = {"provider": provider, "volume": {"size_gib": 125, **self.volume}}
        self.files.generate(**self.settings)

    def respecify(self, **provider: Any) -> None:
        """Changes what no generated file depends upon."""
        path = self.folder / "dormouse.json"
        spec = json.loads(path.read_text())
        spec["archivers"]["archiver"]["provider"] |= provider
        path.write_text(json.dumps(spec))

    def run(self, *arguments: str, **environment: str) -> Result:
        """Runs dormouse to its end; an empty variable is one that is not there."""
        return process.run(self.argv(*arguments, **environment), timeout=120, check=False)

    def argv(self, *arguments: str, **environment: str) -> list[str]:
        """Nothing of this computer's own environment counts."""
        folders = {"HOME": "home", "RUNTIME_DIRECTORY": "run", "STATE_DIRECTORY": "state"}
        variables = {name: str(self.folder / path) for name, path in folders.items()}
        callers.register(self.ec2, self.folder / "generated")
        # The administrator's secrets are here.
        key = callers.ADMINISTRATOR if "doctor" in arguments else callers.key_for(arguments)
        variables |= {"PATH": "/usr/bin:/bin", **self.ec2.environment_of(key), **environment}
        shown = [f"{name}={value}" for name, value in variables.items() if value]
        dormouse = [str(binary("dormouse")), "--spec", str(self.folder / "dormouse.json")]
        dormouse += ["--secrets", str(self.folder / "secrets"), "--host", "desktop"]
        return ["env", "-i", *shown, *dormouse, *arguments]

    def until_ssh(self, *arguments: str) -> str:
        """Runs dormouse until it waits for ssh, where an imaginary machine's part is over."""
        done = self.follow(*arguments)
        assert done.reached_ssh, done
        return "".join(done.said)

    def follow(self, *arguments: str, kill: Kill | None = None) -> "Followed":
        """Runs dormouse until it ends, waits for ssh, or is to be killed."""
        victim = Victim()
        if kill:
            kill.arm(self.ec2, victim.kill)
        running = process.start(self.argv(*arguments), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        victim.set_result(running.kill)
        assert running.stderr is not None
        late = threading.Timer(180, running.kill)
        late.start()
        said = []
        for line in running.stderr:
            said.append(line.decode())
            if AT_SSH.search(said[-1]) or (kill and kill.when == "said" and len(said) == kill.number):
                running.kill()
        late.cancel()
        self.ec2.faults.clear()
        return Followed(running.wait(), said)

    def set_up(self) -> None:
        """Makes what `up` leaves: a security group, a volume, an image of the configuration, a launch template."""
        group = self.make_group()
        self.make_volume()
        self.make_template(self.make_image(), group)

    def make_group(self) -> str:
        tags = specifications("security-group")
        made = self.api.create_security_group(GroupName="archiver", Description="ssh", **tags)
        return str(made["GroupId"])

    def make_volume(self, zone: str = ZONE, size: int = 125) -> str:
        tags = specifications("volume")
        made = self.api.create_volume(AvailabilityZone=zone, Size=size, VolumeType="sc1", **tags)
        self.wait()
        return str(made["VolumeId"])

    def make_image(self) -> str:
        instance = self.launch()
        kinds = ("image", "snapshot")
        tags = [specifications(kind, **{"dormouse:configuration": self.configuration()}) for kind in kinds]
        both = [specification for each in tags for specification in each["TagSpecifications"]]
        ask = {"InstanceId": instance, "Name": "archiver", "TagSpecifications": both}
        image = self.api.create_image(**ask)["ImageId"]
        self.end(instance)
        return str(image)

    def configuration(self) -> str:
        """The hash by which images and launch templates are known."""
        return hashlib.sha256(self.files.configuration.encode()).hexdigest()[:16]

    def make_template(self, image: str, group: str, subnet: str | None = None) -> str:
        zone = [{"Name": "availability-zone", "Values": [ZONE]}]
        subnet = subnet or self.api.describe_subnets(Filters=zone)["Subnets"][0]["SubnetId"]
        configuration = {"dormouse:configuration": self.configuration()}
        interface = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group]}
        metadata = {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1}
        root = {"VolumeSize": 10, "VolumeType": "gp3", "DeleteOnTermination": True}
        data = {
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": root}],
            "ImageId": image,
            "InstanceType": "t3.small",
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": metadata,
            "NetworkInterfaces": [interface],
            "Placement": {"AvailabilityZone": ZONE},
            "UserData": base64.b64encode(self.files.user_data).decode(),
            **specifications("instance", **configuration),
        }
        tags = specifications("launch-template", **configuration)
        made = self.api.create_launch_template(LaunchTemplateName="archiver", LaunchTemplateData=data, **tags)
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def launch(self, tags: dict[str, str] | None = None) -> str:
        """An instance that is not dormouse's doing, running."""
        ask = {"ImageId": IMAGE, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}
        mark = specifications("instance", **tags) if tags else {}
        made = self.api.run_instances(**ask, Placement={"AvailabilityZone": ZONE}, **mark)
        self.wait()
        return str(made["Instances"][0]["InstanceId"])

    def attach(self, volume: str, instance: str) -> None:
        self.api.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        self.wait()

    def end(self, *instances: str) -> None:
        """Ends these instances, or all."""
        self.api.terminate_instances(InstanceIds=list(instances) or self.running())
        self.wait()

    def wait(self) -> None:
        """Lets everything that is under way in EC2 come to its end."""
        for _ in range(3):
            self.ec2.clock.advance(2)
            self.ec2.instances()

    def running(self) -> list[str]:
        return [life.id for life in self.ec2.alive()]

    def launches(self) -> list[str]:
        """How each launch that dormouse has asked for ended."""
        return [call.outcome for call in self.ec2.calls.made if call.action == "RunInstances"]

    def policy(self, file: str = "iam-policy.json") -> set[str]:
        """The actions that a generated policy allows, without their service."""
        text = (self.folder / "generated/archivers/archiver" / file).read_text()
        actions = [statement["Action"] for statement in json.loads(text)["Statement"]]
        flat = [name for names in actions for name in ([names] if isinstance(names, str) else names)]
        return {name.removeprefix("ec2:") for name in flat}


def specifications(kind: str, **more: str) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in {**TAGS, **more}.items()]
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]}


class Desks:
    """Makes desks, each with an EC2 of its own, in a folder."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def __call__(self, *, ready: bool = False, volume: dict[str, Any] | None = None, **provider: Any) -> Desk:
        opened = self._stack.enter_context(lab_ec2.opened())
        folder = Path(tempfile.mkdtemp(dir=self._folder)) / "desk"
        desk = Desk(folder, opened, provider, volume or {})
        if ready:
            desk.set_up()
        return desk

    @contextmanager
    def apart(self) -> Iterator["Desks"]:
        """Desks that go before the others do: an EC2 that nobody needs any more costs time."""
        with desks(self._folder) as made:
            yield made


@contextmanager
def desks(folder: Path) -> Iterator[Desks]:
    with ExitStack() as stack:
        yield Desks(folder, stack)
