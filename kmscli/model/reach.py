"""May this principal ever do this? What policies and grants leave open, whatever the circumstances of a request are.

Who may ever use a key's material gets a share of it, so the answer NEVER has to be certain: it is given only if no
request is allowed. A condition that nothing here can decide may hold or not: an Allow with it counts as possible, a
Deny with it takes nothing away. Decided are only conditions and variables about what a principal cannot change, who it
is. ALWAYS is certain too; what lies between is SOMETIMES, even where a closer look would find that two conditions
exclude each other.
Source: as `kmscli.model.decision`, whose steps are taken here with three answers instead of two.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from kmscli.model import conditionkeys, granted, principals, specs
from kmscli.model.compiled import ACCOUNT, ITSELF, NOBODY, Check, Document, Rule, Texts, Who, who
from kmscli.model.decision import Policies
from kmscli.model.granted import CONTEXT_OPERATIONS, Grant
from kmscli.model.patterns import Context, Variable
from kmscli.model.request import Request, folded

NEVER, SOMETIMES, ALWAYS = "never", "sometimes", "always"
_NO, _MAYBE, _YES = 0, 1, 2
_WORDS = (NEVER, SOMETIMES, ALWAYS)
_OUTLINES = 4096
_EVER = datetime.max.replace(tzinfo=UTC)
"""The time where there is no grant, and time decides nothing."""

_SYMMETRIC = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
)
_USING: dict[tuple[str, bool], tuple[str, ...]] = {
    (specs.ENCRYPT_DECRYPT, False): _SYMMETRIC,
    (specs.ENCRYPT_DECRYPT, True): ("kms:Decrypt", "kms:ReEncryptFrom"),
    (specs.SIGN_VERIFY, True): ("kms:Sign",),
    (specs.GENERATE_VERIFY_MAC, False): ("kms:GenerateMac", "kms:VerifyMac"),
    (specs.KEY_AGREEMENT, True): ("kms:DeriveSharedSecret",),
    (specs.ENCAPSULATE_DECAPSULATE, True): ("kms:Decapsulate",),
}
"""KeyUsage, and whether the key is a pair -> the actions that need its secret material."""


def actions_on_material(key_usage: str, key_spec: str) -> tuple[str, ...]:
    """The actions that need the secret material of a key; what a public key does needs none."""
    return _USING[key_usage, specs.KEY_SPECS[key_spec].asymmetric]


def uses_material(action: str, key_usage: str, key_spec: str) -> bool:
    """Whether an action such as `kms:Decrypt` needs the secret material of a key; its case does not matter."""
    return any(action.lower() == one.lower() for one in actions_on_material(key_usage, key_spec))


def facts(principal: str, action: str) -> Context:
    """What every request of a principal for an action has in its context, by condition key in lower case.

    The ARN of a session is not its aws:PrincipalArn, which names the role with its path, so that one is left open.

    Args:
        principal: Its ARN.
        action: Such as `kms:Decrypt`; its case does not matter.
    """
    parsed = principals.parse_arn(principal)
    if parsed is None:
        return {}
    known = {"aws:principalaccount": parsed.account}
    if action.lower() not in _KEYLESS:
        known["kms:calleraccount"] = parsed.account
    if parsed.kind != "assumed-role":
        known["aws:principalarn"] = principal
    if parsed.kind == "user":
        known["aws:username"] = parsed.name.rpartition("/")[2]
    return known


_KEYLESS = frozenset(f"kms:{name}".lower() for name in conditionkeys.KEYLESS)


class _Tally(msgspec.Struct, frozen=True):
    """What a policy leaves open for one principal and action: how surely it denies, allows by name, allows at all."""

    denies: int = _NO
    allows_itself: int = _NO
    allows: int = _NO

    def also(self, rule: Rule, related: int, how: int) -> "_Tally":
        if not rule.allows:
            return _Tally(max(self.denies, how), self.allows_itself, self.allows)
        itself = max(self.allows_itself, how) if related == ITSELF else self.allows_itself
        return _Tally(self.denies, itself, max(self.allows, how))


class _View(msgspec.Struct, frozen=True):
    """What is known of requests.

    Attributes:
        known: Their context, as far as it is known.
        unsure: Whether a condition key, in lower case, may have any value or none.
    """

    known: Context
    unsure: Callable[[str], bool]

    def verdict(self, check: Check) -> int:
        """How surely a condition holds."""
        if self.unsure(check.key) or not self.resolves(check.texts):
            return _MAYBE
        return _YES if check.verdict(self.known) else _NO

    def resolves(self, texts: Texts) -> bool:
        """Whether all variables are known."""
        variables = (part for parts in texts.open for part in parts if isinstance(part, Variable))
        return not any(self.unsure(part.key) for part in variables)


class _Outline(msgspec.Struct, frozen=True):
    """The tally of a policy before a resource is known, and the statements that wait for one.

    Attributes:
        waiting: Statement, and how surely its conditions hold.
    """

    tally: _Tally
    waiting: tuple[tuple[Rule, int], ...]
    one: Who
    view: _View

    def about(self, resource: str) -> _Tally:
        """The tally for a resource."""
        tally = self.tally
        for rule, how in self.waiting:
            if self.view.resolves(rule.resources):
                related = rule.relation(self.one, resource, self.view.known)
                tally = tally.also(rule, related, how) if related != NOBODY else tally
            else:
                named = ITSELF if rule.named is None else rule.named.relation(self.one)
                tally = tally.also(rule, named, min(how, _MAYBE))
        return tally


def _outlined(document: Document, one: Who, action: str, view: _View) -> _Outline:
    about = document.about(action.lower())
    tally = _Tally()
    waiting: list[tuple[Rule, int]] = []
    for rule in (*about.denying, *about.allowing):
        how = min(map(view.verdict, rule.checks), default=_YES)
        related = ITSELF if rule.named is None else rule.named.relation(one)
        if how == _NO or related == NOBODY:
            continue
        if rule.every_resource:
            tally = tally.also(rule, related, how)
        else:
            waiting.append((rule, how))
    return _Outline(tally, tuple(waiting), one, view)


@lru_cache(maxsize=_OUTLINES)
def _outline(document: Document, principal: str, action: str) -> _Outline:
    """By the facts alone: worked out once for all keys that have the same policy text."""
    known = facts(principal, action)
    return _outlined(document, who(principal), action, _View(known, lambda key: key not in known))


def reach(principal: str, action: str, resource: str, policies: Policies, now: datetime) -> str:
    """Whether a principal may ever do something with a resource: NEVER, SOMETIMES or ALWAYS.

    Args:
        principal: Its ARN.
        action: Such as `kms:Decrypt`.
        resource: The key's ARN, or what `Request.resource` is without a key.
        policies: What can allow or deny it. Whoever wants one answer for many keys passes the same documents.
        now: Grants that have ended by then allow nothing.
    """
    return _WORDS[_reach(principal, action, resource, policies, now)]


def outcome(request: Request, policies: Policies, unsure: Callable[[str], bool], *, any_terms: bool = False) -> str:
    """What a request of which not all is known comes to: ALWAYS if allowed, NEVER if denied, SOMETIMES if it depends.

    Args:
        request: As far as it is known.
        policies: What can allow or deny it.
        unsure: Whether a condition key, in lower case, may have had any value or none, whatever the request says.
        any_terms: Whether what grants ask for is unknown too: encryption context, time, what a new grant passes on.
    """
    one, view = who(request.principal), _View(folded(request.context), unsure)

    def tally(document: Document) -> _Tally:
        return _outlined(document, one, request.action, view).about(request.resource)

    def granted_by(grant: Grant) -> int:
        if any_terms and any(True for _ in granted.bounds(grant, request)):
            return _MAYBE
        return _YES if granted.allows(grant, request) else _NO

    return _WORDS[_weighed(tally, granted_by, one, request.action, policies)]


def _reach(principal: str, action: str, resource: str, policies: Policies, now: datetime) -> int:
    def tally(document: Document) -> _Tally:
        return _outline(document, principal, action).about(resource)

    return _weighed(tally, lambda grant: _grants(grant, action.lower(), now), who(principal), action, policies)


def _weighed(
    tally: Callable[[Document], _Tally], granted_by: Callable[[Grant], int], one: Who, action: str, policies: Policies
) -> int:
    """The decision, with three answers."""
    tallies = [tally(document) for document in policies.identity.values()]
    identity = max((each.allows for each in tallies), default=_NO)
    denied = max((each.denies for each in tallies), default=_NO)
    allowed = identity
    key = policies.of_key(action)
    if key is not None:
        by_key = tally(key)
        denied = max(denied, by_key.denies)
        allowed = min(by_key.allows, identity)
        if one.account == policies.account:
            allowed = max(allowed, by_key.allows_itself)
        for grant in policies.grants:
            related = grant.relation(one, action.lower())
            if related != NOBODY:
                how = granted_by(grant)
                allowed = max(allowed, min(how, identity) if related == ACCOUNT else how)
    if denied == _YES:
        return _NO
    return min(allowed, _MAYBE) if denied else allowed


def _grants(grant: Grant, action: str, now: datetime) -> int:
    """How surely a grant allows an action that it names."""
    if grant.expires is not None and now >= grant.expires:
        return _NO
    return _MAYBE if grant.expires is not None or _is_bound(grant, action) else _YES


def _is_bound(grant: Grant, action: str) -> bool:
    """Whether the grant asks something of a request for the action: CreateGrant has always to say what it passes on."""
    constrained = grant.context_equals is not None or grant.context_subset is not None
    return action == "kms:creategrant" or (constrained and action in _WITH_CONTEXT)


_WITH_CONTEXT = frozenset(f"kms:{operation}".lower() for operation in CONTEXT_OPERATIONS)


def holds_share(
    principal_arn: str, key_arn: str, *, key_usage: str, key_spec: str, policies: Policies, now: datetime
) -> bool:
    """Whether a principal has a share of a key: there is a request with its material that could be allowed.

    Args:
        principal_arn: Who.
        key_arn: The key.
        key_usage: Its KeyUsage.
        key_spec: Its KeySpec.
        policies: Of the key and the principal; the grants on the key that may concern it.
        now: Grants that have ended by then give nothing.
    """
    actions = actions_on_material(key_usage, key_spec)
    documents = tuple(policies.identity.values())
    settled = _settled(policies.account, policies.key, documents, principal_arn, actions)
    if settled or (settled is False and not policies.grants):
        return settled
    return any(_reach(principal_arn, action, key_arn, policies, now) for action in actions)


@lru_cache(maxsize=_OUTLINES)
def _settled(
    account: str, key: Document | None, identity: tuple[Document, ...], principal: str, actions: tuple[str, ...]
) -> bool | None:
    """Whether the policies alone let a principal do one of the actions, with any key; None where the key matters."""
    outlines = [_outline(one, principal, action) for one in (key, *identity) if one for action in actions]
    if any(outline.waiting for outline in outlines):
        return None
    policies = Policies(
        account=account, key=key, identity=dict(zip(map(str, range(len(identity))), identity, strict=True))
    )
    return any(_reach(principal, action, "", policies, _EVER) for action in actions)
