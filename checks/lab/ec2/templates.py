"""Launch templates: named, tagged, with numbered versions that never change."""

import re
from datetime import datetime
from typing import Any

from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.utils import random_launch_template_id

from checks.lab.ec2.context import Context
from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal, invalid
from checks.lab.ec2.template_data import shown

ID = r"lt-[0-9a-f]{17}"
NAME = r"[a-zA-Z0-9().\-/_]{3,128}"
LATEST, DEFAULT = "$Latest", "$Default"


class Version:
    """One version: the parameters as a form of RunInstances."""

    def __init__(self, number: int, data: Form, description: str | None, created: datetime) -> None:
        self.number = number
        self.data = data
        self.description = description
        self.created = created


class LaunchTemplate(TaggedEC2Resource):
    """moto keeps its tags; its own templates know no deleted versions."""

    def __init__(self, context: Context, name: str) -> None:
        self.context = context
        self.ec2_backend = context.backend
        self.id = random_launch_template_id()
        self.name = name
        self.created = context.clock.date()
        self.default = 1
        self.made = 0
        self.versions: dict[int, Version] = {}

    @property
    def latest(self) -> int:
        return max(self.versions)

    @property
    def arn(self) -> str:
        return f"arn:aws:ec2:{self.context.region}:{self.context.account}:launch-template/{self.id}"

    def add(self, data: Form, description: str | None) -> Version:
        """A number is never used again."""
        self.made += 1
        self.versions[self.made] = Version(self.made, data, description, self.context.clock.date())
        return self.versions[self.made]

    def number(self, asked: str) -> int:
        """The number that is meant by a version's name."""
        if asked in (LATEST, DEFAULT):
            return self.latest if asked == LATEST else self.default
        if not re.fullmatch(r"\d{1,18}", asked):
            raise invalid(
                "Invalid launch template version: either '$Default', '$Latest', or a numeric version are allowed."
            )
        return int(asked)

    def version(self, asked: str) -> Version:
        number = self.number(asked)
        if number not in self.versions:
            message = (
                f"Could not find the specified version {asked} for the launch template with ID {self.id}."
            )
            raise Refusal("InvalidLaunchTemplateId.VersionNotFound", message)
        return self.versions[number]

    def shown(self) -> dict[str, Any]:
        return {
            **self.named(),
            "CreateTime": self.created,
            "CreatedBy": self.creator(),
            "DefaultVersionNumber": self.default,
            "LatestVersionNumber": self.latest,
            "Tags": self.get_tags(),
        }

    def shown_version(self, version: Version) -> dict[str, Any]:
        return {
            **self.named(),
            "VersionNumber": version.number,
            "VersionDescription": version.description,
            "CreateTime": version.created,
            "CreatedBy": self.creator(),
            "DefaultVersion": version.number == self.default,
            "LaunchTemplateData": shown(version.data),
        }

    def named(self) -> dict[str, str]:
        return {"LaunchTemplateId": self.id, "LaunchTemplateName": self.name}

    def creator(self) -> str:
        return f"arn:aws:iam::{self.context.account}:user/lab"


class LaunchTemplates:
    """The templates of a region. moto's own register has them too, for its actions on tags."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @property
    def all(self) -> dict[str, LaunchTemplate]:
        kept: dict[str, LaunchTemplate] = self.context.backend.launch_templates
        return kept

    def create(self, name: str, data: Form, description: str | None, tags: dict[str, str]) -> LaunchTemplate:
        template = LaunchTemplate(self.context, name)
        template.add(data, description)
        self.all[template.id] = template
        template.add_tags(tags)
        return template

    def delete(self, template: LaunchTemplate) -> None:
        del self.all[template.id]
        self.context.backend.tags.pop(template.id, None)

    def by_id(self, template_id: str) -> LaunchTemplate:
        if not re.fullmatch(ID, template_id):
            raise Refusal(
                "InvalidLaunchTemplateId.Malformed", f'Invalid id: "{template_id}" (expecting "lt-...")'
            )
        if template_id not in self.all:
            message = f"The specified launch template, with template ID {template_id}, does not exist."
            raise Refusal("InvalidLaunchTemplateId.NotFound", message)
        return self.all[template_id]

    def by_name(self, name: str) -> LaunchTemplate:
        check_name(name)
        for template in self.all.values():
            if template.name == name:
                return template
        message = f"The specified launch template, with template name {name}, does not exist."
        raise Refusal("InvalidLaunchTemplateName.NotFoundException", message)

    def meant(self, form: Form, prefix: str = "") -> LaunchTemplate:
        """The one that a request names by id or by name, not by both."""
        template_id, name = (form.get(f"{prefix}LaunchTemplate{key}") for key in ("Id", "Name"))
        if template_id and name:
            message = (
                "Either the launch template ID or the launch template name may be specified, but not both."
            )
            raise Refusal("InvalidParameterCombination", message)
        if not template_id and not name:
            message = "Either the launch template ID or the launch template name must be specified."
            raise Refusal("MissingParameter", message)
        return self.by_id(template_id) if template_id else self.by_name(name or "")

    def has(self, name: str) -> bool:
        return any(template.name == name for template in self.all.values())


def check_name(name: str) -> None:
    if not re.fullmatch(NAME, name):
        message = (
            "A launch template name must be between 3 and 128 characters, and may contain letters, numbers,"
            " and the following characters: '-', '_', '.', '/', '(', and ')'."
        )
        raise Refusal("InvalidLaunchTemplateName.MalformedException", message)
