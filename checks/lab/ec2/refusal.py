"""How EC2 says no: a code, a message and an HTTP status, in XML."""

from xml.sax.saxutils import escape

# EC2's list of server errors (5xx), and the client errors that are not 400.
STATUSES = {
    "AuthFailure": 401,
    "UnauthorizedOperation": 403,
    "DryRunOperation": 412,
    "InsufficientAddressCapacity": 500,
    "InsufficientInstanceCapacity": 500,
    "InsufficientVolumeCapacity": 500,
    "InternalError": 500,
    "InternalFailure": 500,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "Unavailable": 503,
}


class Refusal(Exception):
    """An error that goes to the caller of the API."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        return STATUSES.get(self.code, 400)

    def xml(self, request_id: str) -> bytes:
        error = f"<Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error>{error}</Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        ).encode()


def invalid(message: str) -> Refusal:
    return Refusal("InvalidParameterValue", message)
