"""moto, which keeps EC2's resources and speaks its protocol, inside this process."""

import io
import itertools
import os
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import unescape

from werkzeug.test import run_wsgi_app

from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal

# Thousands of public images, each with an EBS snapshot, take moto seconds to make.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

from moto.core.exceptions import ServiceException  # noqa: E402
from moto.core.serialize import EC2Serializer, XFormedAttributePicker  # noqa: E402
from moto.core.utils import get_service_model  # noqa: E402
from moto.ec2.models import ec2_backends  # noqa: E402
from moto.ec2.responses._base_response import EC2BaseResponse  # noqa: E402
from moto.ec2.utils import filter_dict_attribute_mapping  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    create_backend_app,
)

# moto's answers always say what state a thing begins in; ours say what state it is in.
INVENTED = ("RunInstances.", "CreateVolumeResponse.", "ModifyVolumeResponse.")
# Filters of DescribeInstances that EC2 has and moto has not.
filter_dict_attribute_mapping |= {
    "client-token": "client_token",
    "instance-lifecycle": "lifecycle",
    "instance-state-code": "state_code",
}
application = DomainDispatcherApplication(create_backend_app)
# Every EC2 of the lab is an account of its own, so two at once do not meet.
_accounts = itertools.count(100000000001)


def new_account() -> str:
    return str(next(_accounts))


def backend(account: str, region: str) -> Any:
    """moto's resources of one account in one region."""
    return ec2_backends[account][region]


def call(environ: Mapping[str, Any], account: str, form: Form) -> bytes:
    """Has moto do what a form says; its refusals are raised."""
    body = form.encode()
    inner = dict(environ)
    inner |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    inner["HTTP_X_MOTO_ACCOUNT_ID"] = account
    try:
        chunks, status, _ = run_wsgi_app(application, inner, buffered=True)
    except NotImplementedError as error:
        raise Refusal("InvalidAction", f"moto cannot do this: {error}") from error
    answer = b"".join(chunks)
    if not status.startswith("200"):
        raise refusal_in(answer.decode())
    return answer


def refusal_in(answer: str) -> Refusal:
    code = re.search(r"<Code>(.*?)</Code>", answer, re.DOTALL)
    message = re.search(r"<Message>(.*?)</Message>", answer, re.DOTALL)
    if not code:
        return Refusal("InternalError", f"moto answered: {answer[:300]}")
    return Refusal(code[1], unescape(message[1]) if message else "")


def refused(error: ServiceException) -> Refusal:
    """What moto's own code raised, as a refusal."""
    return Refusal(error.code or "InternalError", str(error.message))


def render(action: str, result: Any) -> bytes:
    """The answer to an action, in EC2's XML."""
    transformers = EC2BaseResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER
    kept = {path: f for path, f in transformers.items() if not path.startswith(INVENTED)}
    serializer = EC2Serializer(
        operation_model=get_service_model("ec2").operation_model(action),
        value_picker=XFormedAttributePicker(response_transformers=kept),
    )
    body = serializer.serialize(result)["body"]
    return body if isinstance(body, bytes) else body.encode()
