"""ClientTokens: a request that is sent again is answered, not done again."""

from typing import Any

from checks.lab.ec2.form import Form
from checks.lab.ec2.refusal import Refusal, invalid

LONGEST = 64


class Tokens:
    """What was made under each token, and by which parameters."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], tuple[dict[str, str], Any]] = {}

    def find(self, form: Form, *, longest: int = LONGEST) -> Any:
        """What this very request has made before; None if it is new."""
        token = form.get("ClientToken")
        if not token:
            return None
        if len(token) > longest or not token.isascii():
            raise invalid(f"Invalid ClientToken: at most {longest} ASCII characters")
        before = self._made.get((form.require("Action"), token))
        if before is None:
            return None
        parameters, made = before
        if parameters != form.asks_for():
            raise Refusal(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments"
                " used in previous request(s).",
            )
        return made

    def remember(self, form: Form, made: Any) -> None:
        """Only what succeeded is remembered: a failed request may be sent again."""
        if token := form.get("ClientToken"):
            self._made[form.require("Action"), token] = (form.asks_for(), made)
