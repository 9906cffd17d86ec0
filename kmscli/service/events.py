"""What an audit line says of an operation: CloudTrail's members, without a secret.

Implements docs/spec/audit.md, "Members". One mechanical rule keeps secrets out: bytes never enter a line. Plaintext,
ciphertext, data keys and random bytes are all members of type bytes; names, contexts and tags are not.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from kmscli import errors
from kmscli.model import ids, limits
from kmscli.model.ids import Place
from kmscli.service.callers import Caller
from kmscli.service.shapes import Request, Response

if TYPE_CHECKING:
    from kmscli.model.decision import Decision


class Outcome(msgspec.Struct, frozen=True):
    """What came of an operation.

    Attributes:
        parameters: requestParameters.
        answer: responseElements.
        touched: ARNs of the keys it concerns.
        error: What it ended in, if not in success.
        decisions: What policies and grants said to it.
    """

    parameters: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    touched: Sequence[str] = ()
    error: errors.KmsError | None = None
    decisions: "Sequence[Decision]" = ()


def event(
    name: str,
    caller: Caller,
    place: Place,
    rng: Callable[[int], bytes],
    *,
    read_only: bool,
    outcome: Outcome,
) -> dict[str, Any]:
    """The members of one line, but for time, state, chain and signature.

    Args:
        name: The operation.
        caller: Who asks.
        place: Account and Region.
        rng: Random bytes, for the ids.
        read_only: Whether it writes no record.
        outcome: What came of it.
    """
    members = _frame(name, caller, place, rng, kind="AwsApiCall", read_only=read_only)
    members["requestParameters"] = _bounded(outcome.parameters)
    members["responseElements"] = outcome.answer
    members["resources"] = _resources(place, outcome.touched)
    if outcome.decisions:
        reasons = [f"{decision.action}: {decision.reason}" for decision in outcome.decisions]
        members["additionalEventData"] = {"authorization": reasons}
    if outcome.error is not None:
        members |= {"errorCode": outcome.error.code, "errorMessage": outcome.error.message[: limits.AUDIT_MESSAGE_MAX]}
    return members


def service_event(
    name: str, principal: str, place: Place, rng: Callable[[int], bytes], arn: str | None, details: Mapping[str, Any]
) -> dict[str, Any]:
    """The members of a line about what time brought and nobody asked for.

    Args:
        name: CloudTrail's name of it.
        principal: The root who wrote it down.
        place: Account and Region.
        rng: Random bytes, for the ids.
        arn: Of the key, None where it is about many.
        details: serviceEventDetails.
    """
    members = _frame(name, Caller(principal), place, rng, kind="AwsServiceEvent", read_only=False)
    return members | {
        "requestParameters": None,
        "responseElements": None,
        "resources": _resources(place, () if arn is None else (arn,)),
        "serviceEventDetails": details,
    }


def _resources(place: Place, touched: Sequence[str]) -> list[dict[str, str]]:
    return [{"accountId": place.account, "type": "AWS::KMS::Key", "ARN": arn} for arn in touched]


def _frame(
    name: str, caller: Caller, place: Place, rng: Callable[[int], bytes], *, kind: str, read_only: bool
) -> dict[str, Any]:
    origin = caller.origin
    return {
        "eventID": ids.new_uuid(rng),
        "eventSource": "kms.amazonaws.com",
        "eventName": name,
        "eventType": kind,
        "eventCategory": "Management",
        "awsRegion": place.region,
        "recipientAccountId": place.account,
        "sourceIPAddress": origin.source,
        "userAgent": origin.agent,
        "userIdentity": _who(place, caller.name, caller.role, origin.access_key_id),
        "readOnly": read_only,
        "requestID": origin.request_id or ids.new_uuid(rng),
    }


@lru_cache(maxsize=1024)
def _who(place: Place, name: str, role: bool, access_key_id: str) -> Mapping[str, str]:  # noqa: FBT001 - a cache's key
    who = {
        "type": "Role" if role else "IAMUser",
        "arn": ids.principal_arn(place, "role" if role else "user", name),
        "accountId": place.account,
        "userName": name,
    }
    return who | {"accessKeyId": access_key_id} if access_key_id else who


def _bounded(parameters: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    # Only of a request that is refused: its line must fit the log all the same, and must not fill it.
    size = len(msgspec.json.encode(parameters))
    return parameters if size <= limits.AUDIT_PARAMETERS_MAX else {"omittedBytes": size}


def loggable(shape: Request | Response) -> dict[str, Any] | None:
    """The members of a request or answer as a line holds them: lower-camel names, no bytes; None if nothing is left."""
    return _members(shape) or None


def _members(shape: Any) -> dict[str, Any]:  # noqa: ANN401 - any struct of a request or answer
    kind: type[msgspec.Struct] = type(shape)
    found = [(name, getattr(shape, field)) for name, field in _names(kind)]
    return {name: _plain(value) for name, value in found if value is not None and not isinstance(value, bytes)}


@cache
def _names(shape: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """The name that each member has in a line, and that of its field."""
    pairs = zip(shape.__struct_encode_fields__, shape.__struct_fields__, strict=True)
    return tuple((name[:1].lower() + name[1:], field) for name, field in pairs)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if type(value) is str:
        return value
    # The names in a map are data (an encryption context has both "Name" and "name"): they stay as they are.
    if isinstance(value, msgspec.Struct):
        return _members(value)
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value if not isinstance(inner, bytes)]
    return value
