"""Actions of which moto says what EC2 says, as far as tests here rely on them."""

from checks.lab.ec2.action import Request, action

RIGHT = [
    "AuthorizeSecurityGroupEgress",
    "AuthorizeSecurityGroupIngress",
    "CreateKeyPair",
    "CreateSecurityGroup",
    "CreateSubnet",
    "CreateVpc",
    "DeleteKeyPair",
    "DeleteSubnet",
    "DeleteTags",
    "DescribeAvailabilityZones",
    "DescribeInstanceTypeOfferings",
    "DescribeInstanceTypes",
    "DescribeKeyPairs",
    "DescribeRegions",
    "DescribeSecurityGroupRules",
    "DescribeSecurityGroups",
    "DescribeTags",
    "DescribeVpcs",
    "ImportKeyPair",
    "ModifySubnetAttribute",
    "RevokeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
]


@action(*RIGHT)
def forwarded(request: Request) -> bytes:
    request.end_dry_run()
    return request.forward()


@action("CreateTags")
def create_tags(request: Request) -> bytes:
    """moto tags what does not exist."""
    region = request.region
    find = {"i": region.instance, "vol": region.volume, "ami": region.image, "lt": region.templates.by_id}
    for name in request.form.values("ResourceId"):
        kind = name.partition("-")[0]
        if kind in find:
            find[kind](name)
    request.end_dry_run()
    return request.forward()
