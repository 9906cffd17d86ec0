"""Which past uses of a key a new policy would have decided otherwise, by what the audit log says of each.

A line holds the members of its request but for bytes, who asked, when, and by which alias. What it does not hold are
the tags of the principal and the tags and aliases of the key at that time: where these matter, nothing is claimed.
Identity policies and grants are those of today; a grant that is gone and had allowed something decides nothing either.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from kmscli import errors
from kmscli.model import actions, changes, conditionkeys, ids, reach
from kmscli.model.compiled import Document
from kmscli.model.decision import Policies
from kmscli.model.reach import ALWAYS, NEVER, SOMETIMES
from kmscli.model.request import Request
from kmscli.service import asking, audits, policychecks
from kmscli.service.asking import Subject
from kmscli.service.audits import AuditQuery, Event
from kmscli.service.callers import LOCAL
from kmscli.service.grants import GrantConstraints
from kmscli.service.shapes import Response, Tag
from kmscli.vault.folder import Vault
from kmscli.vault.records import KeyGroup, Records

_UNKNOWN = frozenset({"aws:PrincipalTag/*", "aws:ResourceTag/*", "kms:ResourceAliases"})
"""Condition keys of which a line says nothing."""
_GRANT = re.compile(r"the grant ([0-9a-f]{64})")
_DENIED = "AccessDeniedException"


class ReplayedEvent(Response, frozen=True, kw_only=True):
    """A past use that would have been decided otherwise.

    Attributes:
        then: What was decided, `allow` or `deny`; `now` is what the new policy decides.
        present: What the present policy of the key decides: if it is as `now`, the new one changes nothing.
    """

    seq: int
    event_time: str
    principal: str
    action: str
    then: str
    now: str
    present: str


class PolicyReplayResponse(Response, frozen=True, kw_only=True):
    """What came of the past uses of a key.

    Attributes:
        decided: How many decisions were compared.
        undecided: How many cannot be, by what the log says.
    """

    key_arn: str
    since: datetime | None = None
    decided: int
    undecided: int
    otherwise: tuple[ReplayedEvent, ...]


class _Past(msgspec.Struct, frozen=True):
    """One decision of the past."""

    event: Event
    action: str
    same_key: bool | None


def replay(vault: Vault, text: str, key_id: str, since: datetime | None = None) -> PolicyReplayResponse:
    """Decide about past uses of a key under a new policy.

    Args:
        vault: The vault.
        text: The new policy.
        key_id: The key.
        since: From this time on; None: from the beginning.

    Raises:
        KmsError: As `policychecks.document`; no such key; the vault or its log is damaged or was tampered with.
    """
    after = policychecks.document(text)
    decided = undecided = 0
    otherwise: list[ReplayedEvent] = []
    with asking.proved(vault) as records:
        key, _ = asking.key_of(records, key_id)
        found = list(audits.search(vault, AuditQuery(key_id=key.record.key_id, since=since)))
        for past in (one for event in found for one in _decisions(event, key)):
            then = _then(past, set(records.grants(key.record.key_id)))
            now, present = _verdicts(records, key, past, after) if then else ("", "")
            if not now:
                undecided += 1
                continue
            decided += 1
            if now != then:
                otherwise.append(_otherwise(past, then, now, present))
    return PolicyReplayResponse(
        key_arn=key.arn, since=since, decided=decided, undecided=undecided, otherwise=tuple(otherwise)
    )


def _otherwise(past: _Past, then: str, now: str, present: str) -> ReplayedEvent:
    identity = past.event.get("userIdentity") or {}
    return ReplayedEvent(
        seq=past.event["chain"]["seq"],
        event_time=str(past.event["eventTime"]),
        principal=str(identity.get("userName") or identity.get("arn")),
        action=past.action,
        then=then,
        now=now,
        present=present or "unknown",
    )


# -- what the line says ------------------------------------------------------------------------------------------------


def _decisions(event: Event, key: KeyGroup) -> Iterator[_Past]:
    """The decisions about the key that an operation asked for; none for what nobody asked for."""
    if event.get("eventType") != "AwsApiCall":
        return
    name = str(event.get("eventName"))
    if name == "ReEncrypt":
        arns = [resource.get("ARN") for resource in event.get("resources") or ()]
        same = len(set(arns)) == 1
        if arns[:1] == [key.arn]:
            yield _Past(event, "kms:ReEncryptFrom", same)
        if arns[-1:] == [key.arn]:
            yield _Past(event, "kms:ReEncryptTo", same)
    elif f"kms:{name}" in actions.WITH_KEY:
        yield _Past(event, f"kms:{name}", None)


def _then(past: _Past, grants: set[str]) -> str:
    """What was decided; "" where the line does not tell, or it was allowed by a grant that is gone."""
    data = past.event.get("additionalEventData") or {}
    reasons = [str(one) for one in data.get("authorization") or () if str(one).startswith(f"{past.action}: ")]
    if reasons:
        gone = set(_GRANT.findall(reasons[-1])) - grants
        return "" if gone else "allow" if reasons[-1].startswith(f"{past.action}: allowed") else "deny"
    # A line without reasons: a success was allowed, and a failure may have come before the decision.
    return "" if past.event.get("errorCode") not in (None, "DryRunOperationException") else "allow"


def _verdicts(records: Records, key: KeyGroup, past: _Past, after: Document) -> tuple[str, str]:
    """What the new policy decides, and what the present one does; "" where it depends on what the line does not say."""
    identity = past.event.get("userIdentity") or {}
    try:
        who = asking.subject(records, str(identity.get("arn")))
        request = _request(records, who, key, past)
    except (errors.KmsError, ValueError, TypeError, AttributeError, KeyError):
        return "", ""  # a line of a form that this version does not write
    known = asking.policies(records, who, key)
    created = {each.grant_id: each.created for each in records.grants(key.record.key_id).values()}
    # Lines tell whole seconds.
    grants = [grant for grant in known.grants if created[grant.grant_id].replace(microsecond=0) <= request.now]
    known = msgspec.structs.replace(known, grants=grants)
    return _verdict(request, who, msgspec.structs.replace(known, key=after)), _verdict(request, who, known)


def _verdict(request: Request, who: Subject, known: Policies) -> str:
    found = {reach.outcome(request, known, _is_unknown)}
    if who.member is None:
        # Somebody who is no principal any more may have had any policies.
        anything = msgspec.structs.replace(known, identity=policychecks.ANYTHING)
        found.add(reach.outcome(request, anything, _is_unknown))
    return {ALWAYS: "allow", NEVER: "deny", SOMETIMES: ""}[found.pop()] if len(found) == 1 else ""


def _is_unknown(key: str) -> bool:
    return conditionkeys.name_of(key) in _UNKNOWN


def _request(records: Records, who: Subject, key: KeyGroup, past: _Past) -> Request:
    written = past.event.get("requestParameters") or {}
    if "omittedBytes" in written:
        raise ValueError
    members = {name: _member(name, written.get(_lower_camel(name))) for name in asking.fields_of(past.action)}
    named = written.get("keyId")
    alias = None
    if isinstance(named, str) and ids.ALIAS_PREFIX in named:
        alias = ids.parse_key_ref(named, records.place).alias
    request = asking.asked(
        records,
        who,
        past.action,
        key,
        now=datetime.fromisoformat(str(past.event["eventTime"])),
        alias=alias,
        members=members,
        same_key=past.same_key,
    )
    address = past.event.get("sourceIPAddress")
    if address not in (None, LOCAL):
        request = changes.applied(request, [changes.Change(changes.KEY, "aws:SourceIp", (str(address),))])
    return request


def _lower_camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _member(name: str, value: Any) -> object:  # noqa: ANN401 - a member of a line
    if value is None:
        return None
    if name == "constraints":
        return GrantConstraints(
            encryption_context_equals=value.get("encryptionContextEquals"),
            encryption_context_subset=value.get("encryptionContextSubset"),
        )
    if name == "tags":
        return [Tag(tag_key=one["tagKey"], tag_value=one["tagValue"]) for one in value]
    return datetime.fromisoformat(value) if name == "valid_to" else value
