"""Launch templates and their versions."""

import base64
import binascii
import fnmatch
import re
from collections.abc import Callable
from typing import Any, TypeVar

from checks.lab.ec2 import template_data
from checks.lab.ec2.action import Request, action
from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal, invalid
from checks.lab.ec2.tags import check_tags
from checks.lab.ec2.template_data import overridden
from checks.lab.ec2.templates import DEFAULT, LATEST, LaunchTemplate, Version, check_name

LONGEST_TOKEN = 128
LONGEST_DESCRIPTION = 255
PAGES = range(1, 201)
Item = TypeVar("Item")
Kept = tuple[LaunchTemplate, Version]
TEMPLATE_FILTERS: dict[str, Callable[[LaunchTemplate], list[str]]] = {
    "launch-template-name": lambda template: [template.name],
    "tag-key": lambda template: [tag["key"] for tag in template.get_tags()],
}
VERSION_FILTERS: dict[str, Callable[[Kept], list[str]]] = {
    "image-id": lambda kept: [kept[1].data.get("ImageId") or ""],
    "instance-type": lambda kept: [kept[1].data.get("InstanceType") or ""],
    "is-default-version": lambda kept: [str(kept[1].number == kept[0].default).lower()],
}


@action("CreateLaunchTemplate")
def create_launch_template(request: Request) -> bytes:
    templates, form = request.region.templates, request.form
    if before := request.region.tokens.find(form, longest=LONGEST_TOKEN):
        return request.render({"LaunchTemplate": before.shown()})
    name = form.require("LaunchTemplateName")
    check_name(name)
    data = template_data.read(form)
    description = description_of(form)
    check_tags(form, {"launch-template"})
    if templates.has(name):
        raise Refusal(
            "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use."
        )
    request.end_dry_run()
    made = templates.create(name, data, description, form.tags("launch-template"))
    request.region.tokens.remember(form, made)
    return request.render({"LaunchTemplate": made.shown()})


@action("CreateLaunchTemplateVersion")
def create_launch_template_version(request: Request) -> bytes:
    """On the source version go the parameters that the request names."""
    form = request.form
    template = request.region.templates.meant(form)
    if before := request.region.tokens.find(form, longest=LONGEST_TOKEN):
        return request.render({"LaunchTemplateVersion": template.shown_version(before)})
    data, description = template_data.read(form), description_of(form)
    if source := form.get("SourceVersion"):
        data = overridden(template.version(source).data, data)
    request.end_dry_run()
    made = template.add(data, description)
    request.region.tokens.remember(form, made)
    return request.render({"LaunchTemplateVersion": template.shown_version(made)})


def description_of(form: Form) -> str | None:
    description = form.get("VersionDescription")
    if description and len(description) > LONGEST_DESCRIPTION:
        raise invalid(
            f"The version description exceeds the maximum length of {LONGEST_DESCRIPTION} characters"
        )
    return description


@action("ModifyLaunchTemplate")
def modify_launch_template(request: Request) -> bytes:
    """Only the default version can be another; a repeated call changes nothing more."""
    form = request.form
    template = request.region.templates.meant(form)
    if request.region.tokens.find(form, longest=LONGEST_TOKEN) is None:
        chosen = template.version(form.require("SetDefaultVersion")).number
        request.end_dry_run()
        template.default = chosen
        request.region.tokens.remember(form, template)
    return request.render({"LaunchTemplate": template.shown()})


@action("DeleteLaunchTemplate")
def delete_launch_template(request: Request) -> bytes:
    template = request.region.templates.meant(request.form)
    request.end_dry_run()
    told = template.shown()
    request.region.templates.delete(template)
    return request.render({"LaunchTemplate": told})


@action("DeleteLaunchTemplateVersions")
def delete_launch_template_versions(request: Request) -> bytes:
    """Each by itself: what cannot be deleted is told beside what was."""
    template = request.region.templates.meant(request.form)
    request.form.require("LaunchTemplateVersion.1")
    numbers = [template.number(asked) for asked in request.form.values("LaunchTemplateVersion")]
    request.end_dry_run()
    deleted, kept = [], []
    for number in numbers:
        told: dict[str, Any] = {**template.named(), "VersionNumber": number}
        if error := why_not(template, number):
            kept.append({**told, "ResponseError": error})
        else:
            del template.versions[number]
            deleted.append(told)
    return request.render(
        {
            "SuccessfullyDeletedLaunchTemplateVersions": deleted,
            "UnsuccessfullyDeletedLaunchTemplateVersions": kept,
        }
    )


def why_not(template: LaunchTemplate, number: int) -> dict[str, str] | None:
    if number not in template.versions:
        message = f"The launch template version {number} does not exist."
        return {"Code": "launchTemplateVersionDoesNotExist", "Message": message}
    if number == template.default:
        message = "The default version of a launch template cannot be deleted."
        return {"Code": "unexpectedError", "Message": message}
    return None


@action("DescribeLaunchTemplates")
def describe_launch_templates(request: Request) -> bytes:
    templates, form = request.region.templates, request.form
    chosen = [templates.by_id(each) for each in form.values("LaunchTemplateId")]
    chosen += [templates.by_name(each) for each in form.values("LaunchTemplateName")]
    if not chosen:
        chosen = list(templates.all.values())
    chosen = [each for each in chosen if matches(form, TEMPLATE_FILTERS, each, each)]
    page, following = paged(form, chosen)
    request.end_dry_run()
    return request.render({"LaunchTemplates": [each.shown() for each in page], "NextToken": following})


@action("DescribeLaunchTemplateVersions")
def describe_launch_template_versions(request: Request) -> bytes:
    """Of one template all that are asked for, the newest first; of all templates `$Latest` and `$Default`."""
    form = request.form
    asked = form.values("LaunchTemplateVersion")
    if form.has("LaunchTemplateId") or form.has("LaunchTemplateName"):
        template = request.region.templates.meant(form)
        chosen = [(template, version) for version in asked_of(template, form, asked)]
    elif asked and {*asked} <= {LATEST, DEFAULT}:
        everywhere = request.region.templates.all.values()
        chosen = [(each, version) for each in everywhere for version in asked_of(each, form, asked)]
    else:
        message = (
            "To describe the versions of all launch templates, specify $Latest, $Default, or both, and omit"
            " the launch template ID and name."
        )
        raise Refusal("MissingParameter", message)
    chosen = [kept for kept in chosen if matches(form, VERSION_FILTERS, kept, None)]
    page, following = paged(form, chosen)
    request.end_dry_run()
    told = [template.shown_version(version) for template, version in page]
    return request.render({"LaunchTemplateVersions": told, "NextToken": following})


def asked_of(template: LaunchTemplate, form: Form, asked: list[str]) -> list[Version]:
    if asked:
        found = {template.version(each).number for each in asked}
    else:
        least, most = form.number("MinVersion"), form.number("MaxVersion")
        found = {
            number
            for number in template.versions
            if (least is None or number >= least) and (most is None or number <= most)
        }
    return [template.versions[number] for number in sorted(found, reverse=True)]


def matches(form: Form, known: dict[str, Callable[[Any], list[str]]], what: Any, tagged: Any) -> bool:
    """A filter that EC2 has and the lab has not is refused like one that EC2 has not."""
    for name, wanted in form.filters().items():
        if tagged is not None and name.startswith("tag:"):
            values = [tag["value"] for tag in tagged.get_tags() if tag["key"] == name.removeprefix("tag:")]
        elif name in known:
            values = known[name](what)
        else:
            raise invalid(f"The filter '{name}' is invalid")
        if not any(fnmatch.fnmatchcase(value, pattern) for value in values for pattern in wanted):
            return False
    return True


def paged(form: Form, found: list[Item]) -> tuple[list[Item], str | None]:
    """One page, and the token of the next."""
    size = form.number("MaxResults") or (0 if form.has("MaxResults") else PAGES[-1])
    if size not in PAGES:
        message = (
            f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value between 1 and 200."
        )
        raise invalid(message)
    start = position(form.get("NextToken"))
    following = start + size
    token = base64.b64encode(f"at {following}".encode()).decode() if following < len(found) else None
    return found[start:following], token


def position(token: str | None) -> int:
    if not token:
        return 0
    try:
        match = re.fullmatch(rb"at (\d+)", base64.b64decode(token, validate=True))
    except binascii.Error:
        match = None
    if match is None:
        raise Refusal("InvalidNextToken", "The specified NextToken is not valid.")
    return int(match[1])
