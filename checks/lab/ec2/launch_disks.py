"""The disks of a launch: the image's, as the request changes them."""

from checks.lab.ec2.corrected import CorrectedAmi
from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.volume_sizes import check_size

Disk = dict[str, str]


def mapping(form: Form, image: CorrectedAmi) -> Disk:
    """The whole block device mapping, spelt out: moto knows no defaults.

    A volume of the mapping is deleted with its instance unless the request says
    otherwise; only one that is attached later is kept by default.
    """
    disks = {str(disk["DeviceName"]): of_image(disk["Ebs"]) for disk in image.mappings}
    for item in form.items("BlockDeviceMapping"):
        merge(disks, item)
    for disk in disks.values():
        check_disk(disk)
    return {
        f"BlockDeviceMapping.{number}.{key}": value
        for number, (device, disk) in enumerate(disks.items(), 1)
        for key, value in {"DeviceName": device, **disk}.items()
    }


def of_image(ebs: dict[str, object]) -> Disk:
    shown = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in ebs.items()}
    return {f"Ebs.{key}": value for key, value in shown.items()} | {"least": str(ebs["VolumeSize"])}


def merge(disks: dict[str, Disk], item: Disk) -> None:
    device = Form(item).require("DeviceName")
    if "NoDevice" in item:
        disks.pop(device, None)
        return
    defaults = {"Ebs.VolumeType": "gp2", "Ebs.DeleteOnTermination": "true"}
    given = {key: value for key, value in item.items() if key.startswith("Ebs.")}
    disks[device] = {**defaults, **disks.get(device, {}), **given}


def check_disk(disk: Disk) -> None:
    least = int(disk.pop("least", "0"))
    size = Form(disk).number("Ebs.VolumeSize")
    if size is None:
        raise Refusal("MissingParameter", "The request must contain the parameter size/snapshot")
    if size < least:
        message = f"Volume of size {size}GB is smaller than snapshot '{disk.get('Ebs.SnapshotId')}'"
        raise Refusal("InvalidBlockDeviceMapping", f"{message}, expect size >= {least}GB")
    check_size(disk["Ebs.VolumeType"], size)
