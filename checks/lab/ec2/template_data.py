"""The parameters in a launch template: which there are, how they are checked, and what overrides them."""

import base64
import binascii
import re
from typing import Any

from moto.core.utils import get_service_model

from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal, invalid
from checks.lab.ec2.tags import check_tags

PREFIX = "LaunchTemplateData"
USER_DATA_LIMIT = 16384
# What the lab's EC2 launches from. EC2 has more; a template that asks for them is refused here.
MODELLED = [
    r"BlockDeviceMapping\.\d+\.(DeviceName|NoDevice)",
    r"BlockDeviceMapping\.\d+\.Ebs\.(DeleteOnTermination|Encrypted|SnapshotId|VolumeSize|VolumeType)",
    r"ImageId",
    r"InstanceInitiatedShutdownBehavior",
    r"InstanceMarketOptions\.(MarketType|SpotOptions\.(InstanceInterruptionBehavior|MaxPrice|SpotInstanceType))",
    r"InstanceType",
    r"KeyName",
    r"MetadataOptions\.(HttpEndpoint|HttpPutResponseHopLimit|HttpTokens)",
    r"NetworkInterface\.\d+\.(AssociatePublicIpAddress|DeviceIndex|SecurityGroupId\.\d+|SubnetId)",
    r"Placement\.AvailabilityZone",
    r"SecurityGroupId\.\d+",
    r"TagSpecification\.\d+\.(ResourceType|Tag\.\d+\.(Key|Value))",
    r"UserData",
]
# EC2 tags these at a launch, and nothing else.
TAGGED = {"instance", "network-interface", "spot-instances-request", "volume"}
KEPT_APART = "TagSpecification"


def read(form: Form) -> Form:
    """The parameters of a request that makes a version, as a form of RunInstances."""
    start = f"{PREFIX}."
    data = Form({key.removeprefix(start): value for key, value in form.flat.items() if key.startswith(start)})
    if not data.flat:
        message = "The request must contain the parameter launchTemplateData"
        raise Refusal("MissingParameter", message)
    for name in data.flat:
        if not any(re.fullmatch(modelled, name) for modelled in MODELLED):
            raise Refusal("UnknownParameter", f"The parameter {PREFIX}.{name} is not recognized")
    check_user_data(data)
    check_tags(data, TAGGED)
    return data


def check_user_data(data: Form) -> None:
    """EC2 hardly looks at the other parameters before a launch."""
    try:
        raw = base64.b64decode(data.get("UserData") or "", validate=True)
    except binascii.Error:
        raise Refusal("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from None
    if len(raw) > USER_DATA_LIMIT:
        message = f"User data is limited to {USER_DATA_LIMIT} bytes"
        raise Refusal("InvalidUserData.Malformed", message)


def overridden(below: Form, above: Form) -> Form:
    """One form over another: each parameter as a whole, and the tags of each kind of resource."""
    merged = dict(above.flat)
    named = {name.partition(".")[0] for name in above.flat}
    for key, value in below.flat.items():
        if key.partition(".")[0] not in named:
            merged[key] = value
    if KEPT_APART in named:
        merged |= tags_left(below, above)
    return Form(merged)


def tags_left(below: Form, above: Form) -> dict[str, str]:
    """The tag specifications below for kinds of resources that have none above."""
    given = [item.get("ResourceType") for item in above.items(KEPT_APART)]
    left = [item for item in below.items(KEPT_APART) if item.get("ResourceType") not in given]
    numbered = enumerate(left, 1 + max_number(above))
    return {f"{KEPT_APART}.{number}.{key}": value for number, item in numbered for key, value in item.items()}


def max_number(form: Form) -> int:
    numbers = [re.match(rf"{KEPT_APART}\.(\d+)\.", key) for key in form.flat]
    return max((int(match[1]) for match in numbers if match), default=0)


def shown(data: Form) -> dict[str, Any]:
    """The parameters as the structure that EC2 answers with."""
    shape = get_service_model("ec2").shape_for("RequestLaunchTemplateData")
    found: dict[str, Any] = value_of(shape, data)
    return found


def value_of(shape: Any, form: Form) -> Any:
    """A value of botocore's model, read from a form in which a plain value has the name `.`."""
    if shape.type_name == "structure":
        members = [(name, member, wire_name(name, member)) for name, member in shape.members.items()]
        return {name: value_of(member, below(form, wire)) for name, member, wire in members if form.has(wire)}
    if shape.type_name == "list":
        return [value_of(shape.member, item) for item in items(form)]
    return typed(shape.type_name, form.flat["."])


def wire_name(name: str, member: Any) -> str:
    found = member.serialization.get("queryName") or member.serialization.get("name") or name
    return str(found[0].upper() + found[1:])


def below(form: Form, name: str) -> Form:
    """What is under a name, and the value of the name itself."""
    start = f"{name}."
    found = {key.removeprefix(start): value for key, value in form.flat.items() if key.startswith(start)}
    return Form(found | ({".": form.flat[name]} if name in form.flat else {}))


def items(form: Form) -> list[Form]:
    numbers = sorted({int(match[1]) for key in form.flat if (match := re.match(r"(\d+)(\.|$)", key))})
    return [below(form, str(number)) for number in numbers]


def typed(kind: str, value: str) -> Any:
    if kind == "boolean":
        return value.lower() == "true"
    if kind in ("integer", "long"):
        if not re.fullmatch(r"\d+", value):
            raise invalid(f"Invalid integer value: {value}")
        return int(value)
    return value
