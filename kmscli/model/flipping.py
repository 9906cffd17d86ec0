"""What would have to be otherwise for a decision to be the other one: the fewest changes of the request that flip it.

Tried are values that the conditions of statements and grants about the action tell apart, one change, then two, then
three; each is put to `evaluate`, and none is answered that was not seen to flip. Where certainly no change of the
request does, it is said whether another principal, another key or another action could.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations, islice, product

import msgspec

from kmscli.model import actions, candidates, conditions, principals, reach
from kmscli.model.changes import (
    CONTEXT_KEYS,
    CONTEXT_PREFIX,
    KEY,
    OF_KEY,
    OF_NOBODY,
    OF_PRINCIPAL,
    OF_REQUEST,
    PAIR,
    TIME,
    TIME_KEYS,
    Change,
    applied,
    belongs_to,
    iso,
)
from kmscli.model.compiled import NOBODY, Check, Rule, who
from kmscli.model.decision import Decision, Policies, evaluate
from kmscli.model.granted import Grant
from kmscli.model.request import EQUALS, Request, folded, values_of
from kmscli.model.statement import CURRENT_VERSION

CHANGES_MAX = 3
_TRIES = 20_000
"""Requests that are put to the evaluator before the search ends."""
_SECOND = timedelta(seconds=1)

PRINCIPAL, OTHER_KEY, ACTION, NOTHING, UNKNOWN = "principal", "key", "action", "nothing", "unknown"


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """How a decision would be the other one.

    Attributes:
        changes: Of the request; where `needs` is not "", of what its sender cannot change, or empty.
        decision: What is decided then, None if nothing was found.
        needs: "" if the request can be changed so. If certainly it cannot, PRINCIPAL, OTHER_KEY or ACTION where another
            one of these flips it, and NOTHING where none was found. UNKNOWN if nothing was found that flips it, and
            something might.
        other: Such a principal or action.
    """

    changes: tuple[Change, ...] = ()
    decision: Decision | None = None
    needs: str = ""
    other: str = ""


def flip(request: Request, policies: Policies) -> Flip:
    """The smallest change that flips the decision about a request."""
    allowed = evaluate(request, policies).allowed
    options = list(_options(request, policies))
    for needs, owners in (
        ("", (OF_REQUEST,)),
        (OTHER_KEY, (OF_REQUEST, OF_KEY)),
        (PRINCIPAL, (OF_REQUEST, OF_PRINCIPAL)),
    ):
        tried = [each for each in options if each.owner in owners]
        found = _search(request, policies, tried, allowed=allowed)
        if found:
            return Flip(changes=found, decision=evaluate(applied(request, found), policies), needs=needs)
        if not _is_certain(request, policies, owners):
            return Flip(needs=UNKNOWN)
    return _another(request, policies, allowed=allowed)


def _is_certain(request: Request, policies: Policies, owners: tuple[str, ...]) -> bool:
    """Whether the decision is the same whatever is changed of what these own."""

    def unsure(key: str) -> bool:
        return key in TIME_KEYS or belongs_to(key, request.action) in owners

    return reach.outcome(request, policies, unsure, any_terms=True) != reach.SOMETIMES


class Option(msgspec.Struct, frozen=True):
    """One thing that can change, and into what; the likelier first.

    Attributes:
        owner: OF_REQUEST, OF_PRINCIPAL or OF_KEY.
    """

    owner: str
    changes: tuple[Change, ...]


def _search(request: Request, policies: Policies, options: Sequence[Option], *, allowed: bool) -> tuple[Change, ...]:
    """The fewest changes that flip; () if none do that are tried."""
    for tried in islice(_combinations(options), _TRIES):
        if evaluate(applied(request, tried), policies).allowed != allowed:
            return tried
    return ()


def _combinations(options: Sequence[Option]) -> Iterator[tuple[Change, ...]]:
    for size in range(1, CHANGES_MAX + 1):
        for chosen in combinations(options, size):
            yield from product(*(option.changes for option in chosen))


def smaller(request: Request, policies: Policies, size: int) -> Iterator[tuple[Change, ...]]:
    """All that is tried with fewer changes than `size`."""
    own = [each for each in _options(request, policies) if each.owner == OF_REQUEST]
    return (tried for tried in _combinations(own) if len(tried) < size)


# -- what can be changed -----------------------------------------------------------------------------------------------


def _options(request: Request, policies: Policies) -> Iterator[Option]:
    found: dict[tuple[str, str], list[Change]] = {}
    moments: list[datetime] = []
    for change in _from_policies(request, policies, moments):
        found.setdefault((change.kind, change.key.lower()), []).append(change)
    for grant in policies.grants:
        for change in _from_grant(request, grant, moments):
            found.setdefault((change.kind, change.key.lower()), []).append(change)
    for kind in (PAIR, KEY):
        for (one, key), changes in found.items():
            useful = tuple(dict.fromkeys(each for each in changes if not _is_so(request, each)))
            if one == kind and useful:
                yield Option(OF_REQUEST if kind == PAIR else belongs_to(key, request.action), useful)
    nearest = sorted(set(moments), key=lambda moment: abs(moment - request.now))
    times = [iso(moment) for moment in nearest if iso(moment) != iso(request.now)]
    if times:
        yield Option(OF_REQUEST, tuple(Change(TIME, "aws:CurrentTime", (text,)) for text in dict.fromkeys(times)))


def _is_so(request: Request, change: Change) -> bool:
    """Whether the request is so already."""
    if change.kind == PAIR:
        pairs = {name.lower(): value for name, value in request.encryption_context.items()}
        value = pairs.get(change.key.lower())
        return (None if value is None else (value,)) == change.values
    return values_of(folded(request.context), change.key.lower()) == change.values


def _from_policies(request: Request, policies: Policies, moments: list[datetime]) -> Iterator[Change]:
    one = who(request.principal)
    for document in (policies.of_key(request.action), *policies.identity.values()):
        if document is None:
            continue
        about = document.about(request.action.lower())
        for rule in (*about.denying, *about.allowing):
            if rule.named is None or rule.named.relation(one) != NOBODY:
                current = document.given.version == CURRENT_VERSION
                yield from _from_rule(rule, request, moments, current=current)


def _from_rule(rule: Rule, request: Request, moments: list[datetime], *, current: bool) -> Iterator[Change]:
    context = folded(request.context)
    for check in rule.checks:
        if check.key in TIME_KEYS:
            moments += _moments(check)
        elif belongs_to(check.key, request.action) != OF_NOBODY:
            for values in candidates.values(check, context, current=current):
                yield from _changes(request, check, values)


def _moments(check: Check) -> Iterator[datetime]:
    for value in check.given.values:
        moment = conditions.instant(value)
        if moment is not None:
            try:
                yield from (moment - _SECOND, moment, moment + _SECOND)
            except OverflowError:
                continue


def _changes(request: Request, check: Check, values: tuple[str, ...] | None) -> Iterator[Change]:
    if check.key.startswith(CONTEXT_PREFIX):
        if values is None or len(values) == 1:
            yield Change(PAIR, check.given.key[len(CONTEXT_PREFIX) :], values)
    elif check.key == CONTEXT_KEYS:
        # Names of pairs: each comes with its pair, or leaves with it.
        known = {name.lower() for name in request.encryption_context}
        yield from (Change(PAIR, name, None) for name in request.encryption_context)
        fresh = [name for name in values or () if name.lower() not in known]
        yield from (Change(PAIR, name, (candidates.OTHER,)) for name in fresh if "*" not in name)
    else:
        yield Change(KEY, check.given.key, values)


def _from_grant(request: Request, grant: Grant, moments: list[datetime]) -> Iterator[Change]:
    action = request.action.lower()
    if grant.relation(who(request.principal), action) == NOBODY:
        return
    if grant.expires is not None:
        moments += [grant.expires - _SECOND, grant.expires]
    if belongs_to(f"{CONTEXT_PREFIX}x", request.action) == OF_NOBODY:
        return
    if action == "kms:creategrant":
        within = tuple(operation for operation in request.operations if operation in grant.operations)
        yield from (Change(KEY, "kms:GrantOperations", one) for one in (within, grant.operations) if one)
        yield Change(KEY, "kms:GrantConstraintType", (EQUALS,))
    yield from _from_constraints(request, grant)


def _from_constraints(request: Request, grant: Grant) -> Iterator[Change]:
    for wanted in (grant.context_equals, grant.context_subset):
        for name, value in (wanted or {}).items():
            yield from (Change(PAIR, name, values) for values in ((value,), (candidates.OTHER,), None))
    if grant.context_equals is not None:
        asked = {name.lower() for name in grant.context_equals}
        yield from (Change(PAIR, name, None) for name in request.encryption_context if name.lower() not in asked)
        yield Change(PAIR, candidates.OTHER, (candidates.OTHER,))


# -- other requests ----------------------------------------------------------------------------------------------------


def _another(request: Request, policies: Policies, *, allowed: bool) -> Flip:
    """Another principal that a policy or grant names, or another action, of which the decision is the other one."""
    for arn in _named(policies):
        decision = evaluate(_as(request, arn), msgspec.structs.replace(policies, identity={}))
        if decision.allowed != allowed:
            return Flip(decision=decision, needs=PRINCIPAL, other=arn)
    if policies.key is not None:
        # Who may retire a grant is no matter of the key's: it would be the other answer to nearly every question.
        for action in (each for each in actions.WITH_KEY if each != "kms:RetireGrant"):
            decision = evaluate(msgspec.structs.replace(request, action=action), policies)
            if decision.allowed != allowed:
                return Flip(decision=decision, needs=ACTION, other=action)
    return Flip(needs=NOTHING)


def _named(policies: Policies) -> Iterable[str]:
    """The users, roles and sessions that the key policy or a grant names; what others may, their own policies say."""
    found: dict[str, None] = {}
    for rule in policies.key.rules if policies.key else ():
        found |= dict.fromkeys(sorted(rule.named.arns) if rule.named else ())
    for grant in policies.grants:
        found |= dict.fromkeys(filter(None, (grant.grantee, grant.retiring)))
    return [arn for arn in found if (parsed := principals.parse_arn(arn)) is not None and parsed.kind != "root"]


def _as(request: Request, arn: str) -> Request:
    known = reach.facts(arn, request.action)
    context = {
        name: value
        for name, value in request.context.items()
        if belongs_to(name, request.action) != OF_PRINCIPAL and name.lower() not in known
    }
    return msgspec.structs.replace(request, principal=arn, context=context | dict(known))
