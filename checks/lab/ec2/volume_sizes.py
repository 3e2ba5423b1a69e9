"""How large a volume of each type may be (CreateVolume.Size in the API reference)."""

from checks.lab.ec2.refusal import Refusal, invalid

# GiB, smallest and largest.
SIZES = {
    "gp2": (1, 16384),
    "gp3": (1, 65536),
    "io1": (4, 16384),
    "io2": (4, 65536),
    "st1": (125, 16384),
    "sc1": (125, 16384),
    "standard": (1, 1024),
}


def check_size(kind: str, size: int) -> None:
    if kind not in SIZES:
        raise Refusal("UnknownVolumeType", f"Unsupported volume type '{kind}' for volume creation.")
    smallest, largest = SIZES[kind]
    if size < smallest:
        raise invalid(f"Volume of {size}GiB is too small for {kind}; minimum is {smallest}GiB.")
    if size > largest:
        raise invalid(f"Volume of {size}GiB is too large for {kind}; maximum is {largest}GiB.")
