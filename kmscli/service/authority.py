"""May who acts do this? The one place where the evaluator is asked, for every operation.

One about a key is decided when the key is found, one about none when it begins; `Call` does both.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache

import msgspec

from kmscli.formats.record import GrantRecord
from kmscli.model import compiled, statement
from kmscli.model.compiled import Document
from kmscli.model.decision import Decision, Policies, evaluate
from kmscli.model.granted import Grant
from kmscli.model.request import NO_KEY, Request
from kmscli.service.callers import HERE, Origin
from kmscli.service.facts import Ask, Facts, bound_context, circumstances, principal_facts
from kmscli.vault.records import KeyGroup, Member, Records

ROOT_POLICY = "AdministratorAccess"
"""Name of the policy that is attached to every root: where a key policy leaves a key to the account, it allows."""


# -- documents and grants ----------------------------------------------------------------------------------------------


def policies(records: Records, member: Member, key: KeyGroup | None, grants: Iterable[GrantRecord] = ()) -> Policies:
    """What can allow or deny a principal something.

    Args:
        records: The state.
        member: The principal.
        key: The key, None for an operation without one.
        grants: Those on the key that may concern the request.
    """
    account = records.place.account
    return Policies(
        account=account,
        key=None if key is None else key_document(key, account),
        identity=identity_documents(member),
        grants=[grant_of(each) for each in grants],
    )


def key_document(key: KeyGroup, account: str) -> Document:
    """The policy of a key in force, ready for deciding."""
    return compiled.default_policy(account) if key.policy is None else compiled.key_policy(key.policy)


def policy_text(key: KeyGroup, account: str) -> str:
    """The policy of a key in force; the default one where it has none of its own."""
    from kmscli.model import policy

    return policy.default(account) if key.policy is None else key.policy


def identity_documents(member: Member) -> dict[str, Document]:
    """The policies attached to a principal, ready for deciding."""
    own = {name: compiled.identity_policy(text) for name, text in member.policies.items()}
    return {ROOT_POLICY: _administrator(), **own} if member.record.root else own


@cache
def _administrator() -> Document:
    return Document(statement.administrator_policy())


def grant_of(record: GrantRecord) -> Grant:
    """A grant as the evaluator takes it."""
    return Grant(
        grant_id=record.grant_id,
        grantee=record.grantee,
        operations=record.operations,
        context_equals=record.context_equals,
        context_subset=record.context_subset,
        expires=record.expires,
        retiring=record.retiring,
    )


def enabled(records: Records) -> Iterator[Member]:
    """The principals that can act, in the order of their names."""
    for name in records.roster:
        member = records.member(name)
        if member is not None and member.record.state == "enabled":
            yield member


# -- the decision ------------------------------------------------------------------------------------------------------


class Verdict(msgspec.Struct, frozen=True):
    """A decision, and from when on it might be another one; None = while neither vault nor request change."""

    decision: Decision
    until: datetime | None = None


def decide(
    records: Records,
    member: Member,
    ask: Ask,
    *,
    now: datetime,
    origin: Origin = HERE,
    about: KeyGroup | str = NO_KEY,
    alias: str | None = None,
    grants: Callable[[], Iterable[GrantRecord]] = tuple,
) -> Verdict:
    """Decide about a request.

    The facts are gathered only if a statement about the action asks for any, and the grants read only if no policy
    decides: most requests need neither, and what is decided without them holds as long as this state of the records.

    Args:
        records: The state.
        member: Who asks.
        ask: What for.
        now: When.
        origin: From where.
        about: The key; for an operation without one the ARN of an alias, or NO_KEY.
        alias: The alias by which the request named the key.
        grants: Gives the grants on the key that may concern the request.
    """
    key, resource = (None, about) if isinstance(about, str) else (about, about.arn)
    place = (member.arn, ask.action, resource)
    if (kept := records.decided.get(place)) is not None:
        return Verdict(kept)
    known = policies(records, member, key)
    documents = [*known.identity.values(), *filter(None, [known.of_key(f"kms:{ask.action}")])]
    said = [document.about(f"kms:{ask.action}".lower()) for document in documents]
    facts: Facts = {}
    plain = all(each.plain for each in said)
    if not plain:
        facts = circumstances(ask, records.place, key, alias) | principal_facts(member, records.place, now)
        facts |= origin.facts
    request = _request(member, ask, resource, now, facts)
    decision = evaluate(request, known)
    until = now if any(each.timed for each in said) else None
    if decision.allowed or decision.explicit or key is None:
        if plain:
            records.decided[place] = decision
        return Verdict(decision, until)
    given = [each for each in grants() if each.expires is None or now < each.expires]
    if given:
        decision = evaluate(request, policies(records, member, key, given))
        # Whichever of them allowed it, the use is decided again when the first of them is over.
        ends = [each.expires for each in given if each.expires is not None]
        until = until or min(ends, default=None)
    return Verdict(decision, until)


def _request(member: Member, ask: Ask, resource: str, now: datetime, facts: Facts) -> Request:
    context, constraint = bound_context(ask)
    return Request(
        principal=member.arn,
        action=f"kms:{ask.action}",
        resource=resource,
        now=now,
        context=facts,
        encryption_context=context,
        constraint=constraint,
        operations=tuple(ask.member("operations") or ()) if ask.action == "CreateGrant" else (),
    )
