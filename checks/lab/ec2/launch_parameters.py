"""What a launch asks for: the parameters of a launch template's version, and those of the request over them."""

from dataclasses import dataclass

from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal
from checks.lab.ec2.region import Region
from checks.lab.ec2.template_data import overridden
from checks.lab.ec2.templates import DEFAULT, LaunchTemplate, Version

PARAMETER = "LaunchTemplate"


@dataclass(frozen=True)
class Source:
    """The version that a launch comes from."""

    template: LaunchTemplate
    version: Version

    @property
    def tags(self) -> dict[str, str]:
        """Tags that EC2 sets on each instance it launches from a template; no caller can remove them."""
        name = "aws:ec2launchtemplate"
        return {f"{name}:id": self.template.id, f"{name}:version": str(self.version.number)}


def source(region: Region, asked: Form) -> Source | None:
    """The template version from which a launch takes the parameters that its request lacks."""
    if not asked.has(PARAMETER):
        return None
    known = ("LaunchTemplateId", "LaunchTemplateName", "Version")
    for key in asked.flat:
        if key.startswith(f"{PARAMETER}.") and key.removeprefix(f"{PARAMETER}.") not in known:
            raise Refusal("UnknownParameter", f"The parameter {key} is not recognized")
    template = region.templates.meant(asked, f"{PARAMETER}.")
    return Source(template, template.version(asked.get(f"{PARAMETER}.Version") or DEFAULT))


def expanded(asked: Form, found: Source | None) -> Form:
    """The whole launch, as if everything had been in the request."""
    return overridden(found.version.data, asked.without(PARAMETER)) if found else asked
