"""The rules for tags in a creating call."""

from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal, invalid

MOST = 50
LONGEST_KEY = 128
LONGEST_VALUE = 256


def check_tags(form: Form, allowed: set[str]) -> None:
    for item in form.items("TagSpecification"):
        resource = item.get("ResourceType", "")
        if resource not in allowed:
            raise invalid(f"'{resource}' is not a valid taggable resource type for this operation.")
        tags = form.tags(resource)
        if not tags:
            raise invalid("Tag specification must have at least one tag")
        if len(tags) > MOST:
            raise Refusal("TagLimitExceeded", f"The maximum number of tags for a resource is {MOST}")
        for key, value in tags.items():
            check_tag(key, value)


def check_tag(key: str, value: str) -> None:
    if key.lower().startswith("aws:"):
        raise invalid("Tag keys starting with 'aws:' are reserved for internal use")
    if not 1 <= len(key) <= LONGEST_KEY:
        raise invalid(f"Tag key exceeds the maximum length of {LONGEST_KEY} characters")
    if len(value) > LONGEST_VALUE:
        raise invalid(f"Tag value exceeds the maximum length of {LONGEST_VALUE} characters")
