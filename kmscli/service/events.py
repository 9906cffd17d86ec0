"""What an audit line says of an operation: CloudTrail's members, without a secret.

Implements docs/spec/audit.md, "Members". One mechanical rule keeps secrets out: bytes never enter a line. Plaintext,
ciphertext, data keys and random bytes are all members of type bytes; names, contexts and tags are not.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from kmscli import __version__, errors
from kmscli.model import ids
from kmscli.model.ids import Place
from kmscli.service.shapes import Request, Response, members_of

SOURCE_IP = "local"
USER_AGENT = f"kms/{__version__}"


class Outcome(NamedTuple):
    """What came of an operation.

    Attributes:
        parameters: requestParameters.
        answer: responseElements.
        touched: ARNs of the keys it concerns.
        error: What it ended in, if not in success.
    """

    parameters: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    touched: Sequence[str] = ()
    error: errors.KmsError | None = None


def event(
    name: str, principal: str, place: Place, rng: Callable[[int], bytes], *, read_only: bool, outcome: Outcome
) -> dict[str, Any]:
    """The members of one line, but for time, state, chain and signature.

    Args:
        name: The operation.
        principal: Who acts.
        place: Account and Region.
        rng: Random bytes, for the ids.
        read_only: Whether it writes no record.
        outcome: What came of it.
    """
    members: dict[str, Any] = {
        "eventID": ids.new_uuid(rng),
        "eventSource": "kms.amazonaws.com",
        "eventName": name,
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "awsRegion": place.region,
        "recipientAccountId": place.account,
        "sourceIPAddress": SOURCE_IP,
        "userAgent": USER_AGENT,
        "userIdentity": {
            "type": "IAMUser",
            "arn": ids.user_arn(place, principal),
            "accountId": place.account,
            "userName": principal,
        },
        "readOnly": read_only,
        "requestID": ids.new_uuid(rng),
        "requestParameters": outcome.parameters,
        "responseElements": outcome.answer,
        "resources": [{"accountId": place.account, "type": "AWS::KMS::Key", "ARN": arn} for arn in outcome.touched],
    }
    if outcome.error is not None:
        members |= {"errorCode": outcome.error.code, "errorMessage": outcome.error.message}
    return members


def loggable(shape: Request | Response) -> dict[str, Any] | None:
    """The members of a request or answer as a line holds them: lower-camel names, no bytes; None if nothing is left."""
    return _without_bytes(members_of(shape)) or None


def _without_bytes(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, msgspec.Struct):
        return _without_bytes(msgspec.to_builtins(value, builtin_types=(bytes,)))
    if isinstance(value, Mapping):
        kept = {_lower(name): _without_bytes(inner) for name, inner in value.items() if not isinstance(inner, bytes)}
        return {name: inner for name, inner in kept.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [_without_bytes(inner) for inner in value]
    return value


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
