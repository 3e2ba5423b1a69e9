"""DescribeSubnets: moto knows the filters' old names too, and takes any value."""

from checks.lab.ec2.action import Request, action
from checks.lab.ec2.refusal import invalid

FILTERS = {"availability-zone", "default-for-az", "state", "subnet-id", "tag-key", "vpc-id"}


@action("DescribeSubnets")
def describe_subnets(request: Request) -> bytes:
    for name, values in request.form.filters().items():
        if name not in FILTERS and not name.startswith("tag:"):
            raise invalid(f"The filter '{name}' is invalid")
        if name == "default-for-az" and not {*values} <= {"true", "false"}:
            raise invalid(f"Invalid value '{', '.join(values)}' for filter 'default-for-az'")
    request.end_dry_run()
    return request.forward()
