"""Public NixOS images, and those that a careless search would take for them."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from checks.lab.ec2.context import Context
from checks.lab.ec2.corrected import CorrectedAmi

NIXOS = "427812963091"
SOMEBODY = "111122223333"
SIZE_GIB = 4
# EC2 hides deprecated images from all but their owner; NixOS deprecates after 90 days.
DEPRECATED_AFTER = 90
ARCHITECTURES = {"x86_64": ("x86_64", "legacy-bios"), "aarch64": ("arm64", "uefi")}


@dataclass(frozen=True)
class Public:
    """One release in the list of images, published so many days ago."""

    label: str
    days: float
    owner: str = NIXOS
    state: str = "available"


# The one to choose for 26.05 is 26.05.1093: as text, 26.05.99 would be later.
PUBLISHED = [
    Public("26.05.1093.4aa6836c1f2e", 3),
    Public("26.05.812.0b1c2d3e4f5a", 10),
    Public("26.05.99.77aa88bb99cc", 17),
    Public("26.05.12.1a2b3c4d5e6f", 120),
    Public("25.11.9771.c0ffee123456", 1),
    Public("25.05.6210.deadbeef0123", 200),
    Public("26.11beta7.abcdef012345", 2),
    Public("26.05.9999.0ff1c1a10ff1", 0.5, owner=SOMEBODY),
    Public("26.05.1200.bad0bad0bad0", 0.2, state="pending"),
]


def register(context: Context) -> None:
    """Publishes all images, for both architectures, in a region."""
    for public in PUBLISHED:
        for system in ARCHITECTURES:
            image = make(context, public, system)
            context.backend.amis[image.id] = image


def make(context: Context, public: Public, system: str) -> CorrectedAmi:
    architecture, boot_mode = ARCHITECTURES[system]
    name = f"nixos/{public.label}-{system}-linux"
    published = context.clock.date() - timedelta(days=public.days)
    image = CorrectedAmi(
        context.backend,
        image_id(context.region, name),
        name=name,
        description=f"NixOS {public.label} {system}-linux",
        owner_id=public.owner,
        public=True,
        virtualization_type="hvm",
        hypervisor="xen",
        architecture=architecture,
        state=public.state,
        creation_date=published,
        image_location=f"{public.owner}/{name}",
        root_device_type="ebs",
        root_device_name="/dev/xvda",
        region_name=f"{context.region}a",
        boot_mode=boot_mode,
    )
    image.imds_support = "v2.0"
    image.deprecation_time = f"{published + timedelta(days=DEPRECATED_AFTER):%Y-%m-%dT%H:%M:%S.000Z}"
    image.mappings = [root_mapping(image, SIZE_GIB)]
    return image


def root_mapping(image: CorrectedAmi, size_gib: int) -> dict[str, object]:
    ebs = {
        "SnapshotId": image.ebs_snapshot.id,
        "VolumeSize": size_gib,
        "DeleteOnTermination": True,
        "VolumeType": "gp3",
        "Encrypted": False,
    }
    return {"DeviceName": image.root_device_name, "Ebs": ebs}


def image_id(region: str, name: str) -> str:
    """An id that differs by region, as EC2's do, and is the same in every run."""
    return f"ami-{hashlib.sha256(f'{region} {name}'.encode()).hexdigest()[:17]}"
