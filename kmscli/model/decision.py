"""May this principal do this? The decision about one request, as AWS KMS takes it, with its reason.

An explicit Deny anywhere decides. Then a key is used by whom its key policy names, by whom an identity policy allows it
where the key policy leaves that to the account, and by grantees; what has no key is for identity policies alone. All
else is denied. Grants and identity policies alone never open a key whose policy says nothing, save grants of their own.
Who may retire a grant, the grant says, and the account that made it; no key policy has a word in that.
Source: IAM user guide, "Policy evaluation logic"; AWS KMS developer guide, "Troubleshooting key access", "Key policies"
(Allows access to the AWS account and enables IAM policies), "Grants in AWS KMS" and "Retiring and revoking grants"; the
words of a denial are those of IAM user guide, "Troubleshoot access denied error messages", with which AWS KMS answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import msgspec

from kmscli.model import compiled, granted
from kmscli.model.compiled import ACCOUNT, ITSELF, Document, Rule, who
from kmscli.model.granted import Grant
from kmscli.model.request import Request, folded

KEY_POLICY, IDENTITY_POLICY, GRANT, OWNER = "key policy", "identity policy", "grant", "account"
_AWS_WORDS = {KEY_POLICY: "resource-based", IDENTITY_POLICY: "identity-based"}


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """What can allow or deny a request.

    Attributes:
        account: 12 digits: whose key it is.
        key: The key's policy, or None for an operation without a key.
        identity: The identity policies of the principal, by name.
        grants: The grants on the key that may concern the request; for RetireGrant only the one to be retired.
    """

    account: str
    key: Document | None
    identity: Mapping[str, Document]
    grants: Sequence[Grant] = ()

    def of_key(self, action: str) -> Document | None:
        """What speaks for the key about an action: its policy, or that the account may retire every grant."""
        if self.key is not None and action.lower() == granted.RETIRE:
            return compiled.default_policy(self.account)
        return self.key

    def place(self, action: str, label: str) -> "Source":
        """The source that a statement of `of_key` is."""
        return Source(OWNER, "", "") if action.lower() == granted.RETIRE else Source(KEY_POLICY, "", label)


class Source(msgspec.Struct, frozen=True):
    """What decided.

    Attributes:
        kind: KEY_POLICY, IDENTITY_POLICY, GRANT, or OWNER for the account that the key belongs to.
        name: Of the identity policy, or the grant's id; "" for the others.
        statement: The Sid or the place of the statement; "" for a grant and for the account.
    """

    kind: str
    name: str
    statement: str

    def __str__(self) -> str:
        document = f"{self.kind} {self.name}".rstrip()
        by_place = self.statement.startswith("Statement[")
        statement = self.statement if by_place else f"statement {self.statement}"
        return f"{statement} of the {document}" if self.statement else f"the {document}"


class Decision(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The answer to a request.

    Attributes:
        allowed: Whether it may be done.
        action: What was asked for.
        sources: What allowed it or denied it explicitly; where the key policy left it to an identity policy or to the
            account that holds a grant, that policy first. Empty if nothing allowed it.
        missing: KEY_POLICY or IDENTITY_POLICY if nothing there allowed it; else "".
    """

    allowed: bool
    action: str
    sources: tuple[Source, ...] = ()
    missing: str = ""

    @property
    def explicit(self) -> bool:
        """Whether a Deny decided."""
        return not self.allowed and not self.missing

    @property
    def denial(self) -> str:
        """How AWS ends the sentence of a refusal, after `on resource: ARN`; "" if it is allowed."""
        if self.allowed:
            return ""
        if self.missing:
            return f"because no {_AWS_WORDS[self.missing]} policy allows the {self.action} action"
        words = _AWS_WORDS[self.sources[0].kind]
        return f"with an explicit deny in {'an' if words[0] == 'i' else 'a'} {words} policy"

    @cached_property
    def reason(self) -> str:
        """Which document and statement decided, or what is missing."""
        if self.missing:
            return f"no {self.missing} statement allows {self.action}"
        first, *others = map(str, self.sources)
        return f"{'allowed' if self.allowed else 'denied'} by {first}" + "".join(
            f", as {other} lets it" for other in others
        )


class _Case:
    """One request beside its policies."""

    def __init__(self, request: Request, policies: Policies) -> None:
        self.request, self.policies = request, policies
        self.context = folded(request.context)
        self.who = who(request.principal)
        self.action = request.action.lower()
        self.key = policies.of_key(self.action)

    def first(self, rules: Iterable[Rule], relation: int) -> Rule | None:
        """The first statement that means the request at least as closely as `relation`, and holds."""
        for rule in rules:
            related = rule.relation(self.who, self.request.resource, self.context)
            if related >= relation and rule.holds(self.context):
                return rule
        return None

    def denying(self) -> Source | None:
        """The first explicit Deny."""
        if self.key is not None:
            rule = self.first(self.key.about(self.action).denying, ACCOUNT)
            if rule is not None:
                return self.policies.place(self.action, rule.label)
        for name, document in sorted(self.policies.identity.items()):
            rule = self.first(document.about(self.action).denying, ACCOUNT)
            if rule is not None:
                return Source(IDENTITY_POLICY, name, rule.label)
        return None

    def by_identity(self) -> Source | None:
        """The first identity policy that allows."""
        for name, document in sorted(self.policies.identity.items()):
            rule = self.first(document.about(self.action).allowing, ITSELF)
            if rule is not None:
                return Source(IDENTITY_POLICY, name, rule.label)
        return None

    def by_key_policy(self, key: Document, relation: int) -> Source | None:
        """The first statement of the key policy that allows."""
        rule = self.first(key.about(self.action).allowing, relation)
        return None if rule is None else self.policies.place(self.action, rule.label)

    def by_grant(self) -> tuple[Source, int] | None:
        """A grant that allows, and how it means the principal: one that means itself before others."""
        found = None
        for grant in sorted(self.policies.grants, key=lambda one: one.grant_id):
            related = grant.relation(self.who, self.action)
            if related and granted.allows(grant, self.request) and (found is None or related > found[1]):
                found = Source(GRANT, grant.grant_id, ""), related
        return found


def evaluate(request: Request, policies: Policies) -> Decision:
    """Decide about a request.

    A statement of which a variable has no value means nothing, as AWS says. Whoever belongs to another account than
    the key needs an identity policy of his account beside the key policy.

    Args:
        request: Who asks for what.
        policies: What can allow or deny it.
    """
    case = _Case(request, policies)
    denying = case.denying()
    if denying is not None:
        return Decision(allowed=False, action=request.action, sources=(denying,))
    sources, missing = _allowing(case, case.key)
    return Decision(allowed=not missing, action=request.action, sources=sources, missing=missing)


def _allowing(case: _Case, key: Document | None) -> tuple[tuple[Source, ...], str]:
    """What allows the request, and else where nothing does."""
    if key is None:
        return _both(case.by_identity(), ())
    own = case.by_key_policy(key, ITSELF) if case.who.account == case.policies.account else None
    if own is not None:
        return (own,), ""
    left = case.by_key_policy(key, ACCOUNT)
    if left is None:
        answer: tuple[tuple[Source, ...], str] = (), IDENTITY_POLICY if case.action == granted.RETIRE else KEY_POLICY
    else:
        answer = _both(case.by_identity(), (left,))
    if answer[1]:
        grant = case.by_grant()
        if grant is not None:
            source, related = grant
            answer = ((source,), "") if related == ITSELF else _both(case.by_identity(), (source,))
    return answer


def _both(identity: Source | None, beside: tuple[Source, ...]) -> tuple[tuple[Source, ...], str]:
    return ((), IDENTITY_POLICY) if identity is None else ((identity, *beside), "")
