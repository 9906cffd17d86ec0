"""What a grant allows: its operations, to its grantee, under its constraint.

Source: AWS KMS developer guide, "Grants in AWS KMS" and "Creating grants" (using grant constraints, granting
CreateGrant permission), "Retiring and revoking grants"; AWS KMS API reference, GrantConstraints: the case of a
constraint's keys does not matter, that of its values does.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache

import msgspec

from kmscli.model.compiled import NOBODY, Named, Who
from kmscli.model.request import EQUALS, SUBSET, Request
from kmscli.model.statement import ALLOW, Principal, Principals

CONTEXT_OPERATIONS = frozenset(
    {
        "Encrypt",
        "Decrypt",
        "ReEncryptFrom",
        "ReEncryptTo",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
    }
)
"""The operations with an encryption context, to which a constraint applies even if a request brings none."""
_CREATE = "kms:creategrant"
RETIRE = "kms:retiregrant"
"""The action about which no key policy says anything: the grant says who may end it."""
_GRANTEES = 1024


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A grant on the key that a request is about.

    Attributes:
        grant_id: 64 hex digits.
        grantee: ARN of who may act; that of an account lets the account's identity policies allow.
        operations: Such as `Decrypt`.
        context_equals: EncryptionContextEquals.
        context_subset: EncryptionContextSubset.
        expires: From when on it allows nothing, or None.
        retiring: ARN of who may retire it beside a grantee to whom it gives RetireGrant; "" for nobody.
    """

    grant_id: str
    grantee: str
    operations: tuple[str, ...]
    context_equals: Mapping[str, str] | None = None
    context_subset: Mapping[str, str] | None = None
    expires: datetime | None = None
    retiring: str = ""

    def relation(self, one: Who, action: str) -> int:
        """How it means a principal for an action in lower case: NOBODY, ACCOUNT or ITSELF (`kmscli.model.compiled`)."""
        names = any(f"kms:{operation}".lower() == action for operation in self.operations)
        related = _grantee(self.grantee).relation(one) if names else NOBODY
        if action == RETIRE and self.retiring:
            return max(related, _grantee(self.retiring).relation(one))
        return related


@lru_cache(maxsize=_GRANTEES)
def _grantee(arn: str) -> Named:
    return Named(Principals((Principal("AWS", arn),)), ALLOW)


class Bound(msgspec.Struct, frozen=True):
    """One thing that a grant asks of a request.

    Attributes:
        operator: What is compared how, in words of policies or constraints.
        key: What of the request.
        wanted: By the grant.
        actual: In the request.
        holds: Whether it is satisfied.
    """

    operator: str
    key: str
    wanted: tuple[str, ...]
    actual: tuple[str, ...]
    holds: bool


def bounds(grant: Grant, request: Request) -> Iterator[Bound]:
    """What a grant that names the action asks of the request: it allows if all of it holds."""
    if grant.expires is not None:
        times = (grant.expires.isoformat(),), (request.now.isoformat(),)
        yield Bound("DateLessThan", "aws:CurrentTime", *times, request.now < grant.expires)
    action = request.action.lower()
    if action == _CREATE:
        # A caller that does not say what the new grant allows gets nothing.
        fits = bool(request.operations) and set(request.operations) <= set(grant.operations)
        yield Bound("ForAllValues:StringEquals", "kms:GrantOperations", grant.operations, request.operations, fits)
    elif not any(f"kms:{operation}".lower() == action for operation in CONTEXT_OPERATIONS):
        return
    if grant.context_equals is not None:
        yield _bound(EQUALS, grant.context_equals, request)
    if grant.context_subset is not None:
        yield _bound(SUBSET, grant.context_subset, request)


def allows(grant: Grant, request: Request) -> bool:
    """Whether a grant that names the action allows the request to its grantee."""
    return all(bound.holds for bound in bounds(grant, request))


def _bound(constraint: str, wanted: Mapping[str, str], request: Request) -> Bound:
    asked, given = _pairs(wanted), _pairs(request.encryption_context)
    holds = asked == given if constraint == EQUALS else set(asked) <= set(given)
    if request.action.lower() == _CREATE:
        # The new grant has to be as strict: Equals may follow on Subset, but not the reverse.
        holds = holds and request.constraint in ((EQUALS,) if constraint == EQUALS else (EQUALS, SUBSET))
    return Bound(constraint, "kms:EncryptionContext", _shown(wanted), _shown(request.encryption_context), holds)


def _pairs(context: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in context.items())


def _shown(context: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in sorted(context.items()))
