"""Why a request was decided so: every statement and grant that is about it, with each condition.

Nothing is decided here; `kmscli.model.decision` decides, by the same statements.
"""

from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from kmscli.model import granted
from kmscli.model.compiled import ACCOUNT, NOBODY, Check, Document, Rule, Who, who
from kmscli.model.decision import GRANT, IDENTITY_POLICY, Policies, Source
from kmscli.model.patterns import Context
from kmscli.model.request import Request, folded, values_of
from kmscli.model.statement import ALLOW, DENY


class Checked(msgspec.Struct, frozen=True):
    """One condition beside the request.

    Attributes:
        operator: As the policy writes it, or the constraint of a grant.
        key: The condition key.
        wanted: The values of the policy, as written.
        actual: Those of the request, or None where the key is absent.
        holds: Whether it is satisfied.
        unresolved: Whether it is not because a policy variable has no value.
    """

    operator: str
    key: str
    wanted: tuple[str, ...]
    actual: tuple[str, ...] | None
    holds: bool
    unresolved: bool = False


class Looked(msgspec.Struct, frozen=True):
    """One statement or grant that means the principal, the action and the resource.

    Attributes:
        source: Where it stands.
        effect: ALLOW or DENY.
        by_account: Whether it means the principal by its account alone; an Allow then waits for an identity policy.
        checks: Its conditions.
        applies: Whether all of them hold.
    """

    source: Source
    effect: str
    by_account: bool
    checks: tuple[Checked, ...]
    applies: bool


def trace(request: Request, policies: Policies) -> tuple[Looked, ...]:
    """What was looked at, document by document: the key policy, identity policies by name, grants by id."""
    context, one = folded(request.context), who(request.principal)
    found: list[Looked] = []
    key = policies.of_key(request.action)
    if key is not None:
        found += _document(key, partial(policies.place, request.action), request, context, one)
    for name, document in sorted(policies.identity.items()):
        found += _document(document, partial(Source, IDENTITY_POLICY, name), request, context, one)
    if policies.key is not None:
        found += _grants(request, policies, one)
    return tuple(found)


def _document(
    document: Document, place: Callable[[str], Source], request: Request, context: Context, one: Who
) -> Iterator[Looked]:
    about = document.about(request.action.lower())
    for rule in document.rules:
        if rule not in about.denying and rule not in about.allowing:
            continue
        related = rule.relation(one, request.resource, context)
        if related != NOBODY:
            yield _looked(rule, place(rule.label), context, by_account=related == ACCOUNT)


def _looked(rule: Rule, source: Source, context: Context, *, by_account: bool) -> Looked:
    checks = tuple(_checked(check, context) for check in rule.checks)
    effect = ALLOW if rule.allows else DENY
    return Looked(source, effect, by_account, checks, all(check.holds for check in checks))


def _checked(check: Check, context: Context) -> Checked:
    given, verdict = check.given, check.verdict(context)
    quantifier = f"{given.quantifier}:" if given.quantifier else ""
    operator = f"{quantifier}{given.operator}{'IfExists' if given.if_exists else ''}"
    return Checked(operator, given.key, given.values, values_of(context, check.key), bool(verdict), verdict is None)


def _grants(request: Request, policies: Policies, one: Who) -> Iterator[Looked]:
    for grant in sorted(policies.grants, key=lambda given: given.grant_id):
        related = grant.relation(one, request.action.lower())
        if related != NOBODY:
            checks = tuple(Checked(*msgspec.structs.astuple(bound)) for bound in granted.bounds(grant, request))
            source = Source(GRANT, grant.grant_id, "")
            yield Looked(source, ALLOW, related == ACCOUNT, checks, all(check.holds for check in checks))
