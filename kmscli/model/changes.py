"""Changes of a request, as somebody could make them: one condition key, one pair of the encryption context, the time.

What hangs together in a request is kept together: a pair of the encryption context is a condition key and a name among
kms:EncryptionContextKeys too, and the time has two keys.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from kmscli.model import conditionkeys
from kmscli.model.request import EQUALS, Request

KEY, PAIR, TIME = "condition key", "encryption context", "time"
CONTEXT_PREFIX, CONTEXT_KEYS = "kms:encryptioncontext:", "kms:encryptioncontextkeys"
_OPERATIONS, _CONSTRAINT = "kms:grantoperations", "kms:grantconstrainttype"
TIME_KEYS = ("aws:currenttime", "aws:epochtime")

_OF_PRINCIPAL = frozenset(
    {
        "kms:CallerAccount",
        "aws:PrincipalAccount",
        "aws:PrincipalArn",
        "aws:PrincipalTag/*",
        "aws:PrincipalType",
        "aws:userid",
        "aws:username",
    }
)
_OF_KEY = frozenset(
    {
        "kms:CustomerMasterKeySpec",
        "kms:CustomerMasterKeyUsage",
        "kms:KeyOrigin",
        "kms:KeySpec",
        "kms:KeyUsage",
        "kms:MultiRegion",
        "kms:MultiRegionKeyType",
        "kms:ResourceAliases",
        "aws:ResourceTag/*",
    }
)
OF_REQUEST, OF_PRINCIPAL, OF_KEY, OF_NOBODY = "request", "principal", "key", ""


class Change(msgspec.Struct, frozen=True):
    """One change of a request.

    Attributes:
        kind: KEY, PAIR or TIME.
        key: The condition key as the policy writes it, or the name of the pair; of TIME aws:CurrentTime.
        values: What it becomes; None: it is left out.
    """

    kind: str
    key: str
    values: tuple[str, ...] | None

    def __str__(self) -> str:
        name = f"{self.kind} {self.key}" if self.kind == PAIR else self.key
        if self.values is None:
            return f"{name} left out"
        return f"{name} = {' and '.join(self.values)}"


def belongs_to(key: str, action: str) -> str:
    """Whose fact a condition key is: OF_REQUEST, OF_PRINCIPAL, OF_KEY, or OF_NOBODY where no request may have it.

    Args:
        key: The condition key.
        action: Such as `kms:Decrypt`.
    """
    operation = action.partition(":")[2]
    if not conditionkeys.may_be_present(key, operation):
        return OF_NOBODY
    name = conditionkeys.name_of(key)
    if name in _OF_PRINCIPAL:
        return OF_PRINCIPAL
    # Of a key that is only made, these are what the request asks for.
    return OF_KEY if name in _OF_KEY and operation not in conditionkeys.KEYLESS else OF_REQUEST


def applied(request: Request, changes: Iterable[Change]) -> Request:
    """The request after changes."""
    for change in changes:
        if change.kind == TIME:
            request = _at(request, datetime.fromisoformat((change.values or ("",))[0]))
        elif change.kind == PAIR:
            request = _with_pair(request, change.key, change.values)
        else:
            request = _with_key(request, change.key, change.values)
    return request


def _with_key(request: Request, key: str, values: tuple[str, ...] | None) -> Request:
    context = _without(request, key)
    if values is not None:
        context[key] = values[0] if len(values) == 1 and not conditionkeys.is_many(key) else values
    request = msgspec.structs.replace(request, context=context)
    if key.lower() == _OPERATIONS:
        return msgspec.structs.replace(request, operations=values or ())
    if key.lower() == _CONSTRAINT:
        return msgspec.structs.replace(request, constraint=(values or ("",))[0])
    return request


def _without(request: Request, *keys: str) -> dict[str, str | Sequence[str]]:
    lowered = {key.lower() for key in keys}
    return {name: value for name, value in request.context.items() if name.lower() not in lowered}


def _with_pair(request: Request, key: str, values: tuple[str, ...] | None) -> Request:
    pairs = {name: value for name, value in request.encryption_context.items() if name.lower() != key.lower()}
    spelt = next((name for name in request.encryption_context if name.lower() == key.lower()), key)
    if values is not None:
        pairs[spelt] = values[0]
    request = _with_key(request, f"kms:EncryptionContext:{spelt}", values)
    request = _with_key(request, "kms:EncryptionContextKeys", tuple(pairs) or None)
    if request.action.lower() == "kms:creategrant" and bool(pairs) != bool(request.constraint):
        # There is an encryption context in a CreateGrant only as a constraint; the stricter one is as good as any.
        request = _with_key(request, "kms:GrantConstraintType", (EQUALS,) if pairs else None)
    return msgspec.structs.replace(request, encryption_context=pairs)


def _at(request: Request, now: datetime) -> Request:
    context = _without(request, *TIME_KEYS)
    context |= {"aws:CurrentTime": iso(now), "aws:EpochTime": str(int(now.timestamp()))}
    return msgspec.structs.replace(request, now=now, context=context)


def iso(moment: datetime) -> str:
    """A time as aws:CurrentTime has it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
