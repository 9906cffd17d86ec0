"""Which lines somebody looks for. Pure; what a line claims is taken as it stands."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from kmscli import errors

Outcome = Literal["ok", "denied", "failed"]

_KEY_MEMBERS = ("keyId", "sourceKeyId", "destinationKeyId", "targetKeyId", "aliasName", "alias")
"""Members of requests that name a key or an alias."""
_OUTCOMES: dict[str | None, Outcome] = {None: "ok", "DryRunOperationException": "ok", "AccessDeniedException": "denied"}


class Key(msgspec.Struct, frozen=True):
    """A key that is looked for.

    Attributes:
        key_id: Its id, None if nobody knows it.
        spellings: All that a request may have called it.
    """

    key_id: str | None
    spellings: frozenset[str]


class Wanted(msgspec.Struct, frozen=True):
    """What is looked for: a line fits if it fits every member that is set.

    Attributes:
        principal: User name or ARN.
        operation: AWS's name or the verb.
        since: From this time on; `until` is before that time.
    """

    principal: str | None = None
    key: Key | None = None
    operation: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    outcome: Outcome | None = None


class _Who(msgspec.Struct, frozen=True):
    userName: str | None = None  # noqa: N815 - CloudTrail's names, here and below
    arn: str | None = None


class _Resource(msgspec.Struct, frozen=True):
    ARN: str | None = None


class Seen(msgspec.Struct, frozen=True):
    """What a search reads of a line."""

    eventTime: Annotated[datetime, msgspec.Meta(tz=True)]  # noqa: N815
    eventName: str = ""  # noqa: N815
    userIdentity: _Who | None = None  # noqa: N815
    requestParameters: dict[str, Any] | None = None  # noqa: N815
    resources: tuple[_Resource, ...] = ()
    errorCode: str | None = None  # noqa: N815


_DECODER = msgspec.json.Decoder(Seen)


def look(line: bytes) -> Seen:
    """What a search reads of a line.

    Raises:
        AuditTamperedError: It is no audit line.
    """
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise errors.AuditTamperedError(what="a line is not an audit line") from error


def fits(seen: Seen, wanted: Wanted) -> bool:
    """Whether a line is looked for."""
    return (
        (wanted.since is None or seen.eventTime >= wanted.since)
        and (wanted.until is None or seen.eventTime < wanted.until)
        and (wanted.operation is None or _plain(wanted.operation) == _plain(seen.eventName))
        and (wanted.outcome is None or wanted.outcome == _OUTCOMES.get(seen.errorCode, "failed"))
        and (wanted.principal is None or _is_by(seen, wanted.principal))
        and (wanted.key is None or _names(seen, wanted.key))
    )


def _plain(name: str) -> str:
    return name.replace("-", "").lower()


def _is_by(seen: Seen, principal: str) -> bool:
    who = seen.userIdentity
    return who is not None and principal in (who.userName, who.arn)


def _names(seen: Seen, key: Key) -> bool:
    arns = {resource.ARN for resource in seen.resources}
    if key.key_id is not None and any(arn and arn.endswith(f":key/{key.key_id}") for arn in arns):
        return True
    written = seen.requestParameters or {}
    values = [written.get(name) for name in _KEY_MEMBERS]
    return any(isinstance(value, str) and value in key.spellings for value in values)
