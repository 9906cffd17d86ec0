"""Why somebody may do something, or may not: every statement and grant with its conditions, and what would flip it.

No share, passphrase or audit line is needed: policies and grants are no secret, and nothing is done with a key.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from kmscli import errors
from kmscli.model import actions, explaining, flipping, reach
from kmscli.model.decision import Decision, evaluate
from kmscli.model.explaining import Checked, Looked
from kmscli.model.flipping import Flip
from kmscli.service import asking
from kmscli.service.asking import Subject
from kmscli.service.operations import OPERATIONS
from kmscli.service.shapes import Response
from kmscli.vault.folder import Vault
from kmscli.vault.records import KeyGroup

ALLOW, DENY = "allow", "deny"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What `kms explain` is asked.

    Attributes:
        principal: Name or ARN.
        action: With `kms:` or without.
        key_id: The key, as a KeyId member names it; None for an action without one.
        encryption_context: Of the request, or of the constraint of a CreateGrant.
        facts: Further condition keys with their values.
        at: When; None is now.
    """

    principal: str
    action: str
    key_id: str | None = None
    encryption_context: dict[str, str] = {}
    facts: tuple[tuple[str, str], ...] = ()
    at: datetime | None = None


class ExplainedCondition(Response, frozen=True, kw_only=True):
    """One condition beside the request.

    Attributes:
        actual: Its values in the request; absent where the request has none.
        unresolved: A policy variable has no value.
    """

    operator: str
    key: str
    wanted: tuple[str, ...]
    actual: tuple[str, ...] | None = None
    holds: bool
    unresolved: bool | None = None


class ExplainedStatement(Response, frozen=True, kw_only=True):
    """One statement or grant that is about the request.

    Attributes:
        applies: Whether all its conditions hold.
        by_account: It means the account alone, and leaves the rest to identity policies.
    """

    source: str
    effect: str
    applies: bool
    by_account: bool | None = None
    conditions: tuple[ExplainedCondition, ...]


class ExplainedChange(Response, frozen=True, kw_only=True):
    """One change; without values, what is left out."""

    kind: str
    key: str
    values: tuple[str, ...] | None = None


class ExplainedFlip(Response, frozen=True, kw_only=True):
    """How the decision would be the other one.

    Attributes:
        decision: What it would be; absent if nothing was found that flips it.
        changes: Of the request, or of what `needs` names.
        needs: `principal`, `key` or `action`: another one; `nothing`: another policy or grant; `unknown`: nothing
            was found, and something might be.
        other: Such a principal or action.
    """

    summary: str
    decision: str | None = None
    changes: tuple[ExplainedChange, ...] | None = None
    needs: str | None = None
    other: str | None = None


class ExplainResponse(Response, frozen=True, kw_only=True):
    """A decision, and why it is so.

    Attributes:
        denial: How AWS says it.
        notes: What else stands in the way, or is not known.
    """

    decision: str
    reason: str
    denial: str | None = None
    principal: str
    action: str
    resource: str
    statements: tuple[ExplainedStatement, ...]
    flip: ExplainedFlip | None = None
    notes: tuple[str, ...] | None = None


def explain(vault: Vault, question: Question) -> ExplainResponse:
    """Decide about a request that nobody made, and say why.

    Raises:
        KmsError: No such principal or key, a question that makes no sense; the vault is damaged or was tampered with.
    """
    action = asking.action_named(question.action)
    now = question.at or vault.clock()
    with asking.proved(vault) as records:
        who = asking.subject(records, question.principal)
        key, alias = asking.key_of(records, question.key_id) if question.key_id else (None, None)
        _check_key(action, key)
        members = asking.with_context(action, question.encryption_context)
        request = asking.asked(records, who, action, key, now=now, alias=alias, members=members)
        request = asking.with_facts(request, question.facts)
        known = asking.policies(records, who, key)
    decision = evaluate(request, known)
    disabled = _disabled(who)
    allowed = decision.allowed and not disabled
    return ExplainResponse(
        decision=ALLOW if allowed else DENY,
        reason=disabled or decision.reason,
        denial=_denial(who, decision, request.resource),
        principal=who.arn,
        action=action,
        resource=request.resource,
        statements=tuple(_statement(one) for one in explaining.trace(request, known)),
        flip=None if disabled else _flip(flipping.flip(request, known), allowed=allowed),
        notes=tuple(_notes(who, action, key, allowed=allowed)) or None,
    )


def _check_key(action: str, key: KeyGroup | None) -> None:
    about_key = action in actions.WITH_KEY
    if about_key and key is None:
        raise errors.UsageError(problem=f"{action} is about a key", hint="name it with -k KEY")
    if key is not None and not about_key:
        raise errors.UsageError(problem=f"{action} is about no key", hint="leave -k out")


def _disabled(who: Subject) -> str:
    if who.member is None or who.member.record.state == "enabled":
        return ""
    return f"{who.member.record.name} is disabled"


def _denial(who: Subject, decision: Decision, resource: str) -> str | None:
    if decision.allowed:
        return None
    return errors.AccessDeniedError(
        principal=who.arn, action=decision.action, resource=resource, denial=decision.denial
    ).message


def _statement(one: Looked) -> ExplainedStatement:
    return ExplainedStatement(
        source=str(one.source),
        effect=one.effect,
        applies=one.applies,
        by_account=one.by_account or None,
        conditions=tuple(map(_condition, one.checks)),
    )


def _condition(one: Checked) -> ExplainedCondition:
    return ExplainedCondition(
        operator=one.operator,
        key=one.key,
        wanted=one.wanted,
        actual=one.actual,
        holds=one.holds,
        unresolved=one.unresolved or None,
    )


def _flip(found: Flip, *, allowed: bool) -> ExplainedFlip:
    other = "denied" if allowed else "allowed"
    changes = ", ".join(map(str, found.changes))
    summaries = {
        "": f"{other} with {changes}",
        flipping.OTHER_KEY: f"no change of the request alone: {other} for a key with {changes}",
        flipping.ACTION: f"no change of the request: {found.other} would be {other}",
        flipping.NOTHING: f"no change of the request, only one of policies or grants, would have it {other}",
        flipping.UNKNOWN: f"none was found among changes of up to {flipping.CHANGES_MAX} facts",
        flipping.PRINCIPAL: f"no change of the request alone: {other} for a principal with {changes}"
        if found.changes
        else f"no change of the request: {other} for {found.other}",
    }
    return ExplainedFlip(
        summary=summaries[found.needs],
        decision=None if found.decision is None else (DENY if allowed else ALLOW),
        changes=tuple(ExplainedChange(kind=one.kind, key=one.key, values=one.values) for one in found.changes) or None,
        needs=found.needs or None,
        other=found.other or None,
    )


def _notes(who: Subject, action: str, key: KeyGroup | None, *, allowed: bool) -> Iterator[str]:
    """What a decision by policies and grants does not tell."""
    if who.member is None:
        yield f"{who.arn} is no principal of this vault: its own policies are not known here"
        return
    member = who.member.record
    if action == "kms:RetireGrant":
        yield "no key policy says who may retire a grant; each grant lets only itself be retired"
    row = OPERATIONS.get(action.removeprefix("kms:"))
    if row is not None and row.changes and allowed and not member.root:
        yield f"{member.name} is no root: only a root changes records; `kms serve` lets policy decide"
    if key is None or not allowed:
        return
    share = key.shares.get(member.name)
    uses = reach.uses_material(action, key.record.key_usage, key.record.key_spec)
    if uses and (share is None or share.kek != key.record.kek):
        yield f"the share of the key for {member.name} is not made yet: a root's `kms run-due` makes it"
