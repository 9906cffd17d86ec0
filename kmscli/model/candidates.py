"""Values that a condition, or a grant, tells apart: of each kind some that satisfy it and some that do not.

They are guesses: whoever uses one asks the evaluator what comes of it.
"""

from collections.abc import Iterator
from datetime import timedelta

from kmscli.model import conditionkeys, conditions, patterns, specs
from kmscli.model.compiled import Check, Make
from kmscli.model.patterns import ANY, Context, Parts, Variable
from kmscli.model.request import values_of

OTHER, ELSE = "other", "-"
"""Values that policies seldom want."""
_VALUES_MAX = 8
"""Values of one condition that are looked at."""
_SECOND = timedelta(seconds=1)

_DOMAINS: dict[str, tuple[str, ...]] = {
    "kms:DataKeyPairSpec": tuple(name for name, row in specs.KEY_SPECS.items() if row.pairs),
    "kms:EncryptionAlgorithm": (specs.SYMMETRIC, *specs.OAEP_HASHES),
    "kms:ExpirationModel": ("KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"),
    "kms:GrantConstraintType": ("EncryptionContextEquals", "EncryptionContextSubset"),
    "kms:KeyAgreementAlgorithm": ("ECDH",),
    "kms:KeyOrigin": ("AWS_KMS", "EXTERNAL"),
    "kms:KeySpec": tuple(specs.KEY_SPECS),
    "kms:CustomerMasterKeySpec": tuple(specs.KEY_SPECS),
    "kms:MacAlgorithm": tuple(specs.MAC_HASHES),
    "kms:MessageType": ("RAW", "DIGEST"),
    "kms:SigningAlgorithm": tuple(specs.SIGNING_ALGORITHMS),
    "kms:WrappingAlgorithm": tuple(specs.WRAPPING_ALGORITHMS),
    "kms:WrappingKeySpec": tuple(specs.WRAPPING_KEY_BITS),
}
"""Condition key -> all values that a request can have; keys that are absent have any."""
_ALWAYS = frozenset(
    {
        "kms:BypassPolicyLockoutSafetyCheck",
        "kms:DataKeyPairSpec",
        "kms:EncryptionAlgorithm",
        "kms:GrantIsForAWSResource",
        "kms:GranteePrincipal",
        "kms:GrantOperations",
        "kms:KeyAgreementAlgorithm",
        "kms:MacAlgorithm",
        "kms:MessageType",
        "kms:ReEncryptOnSameKey",
        "kms:RotationPeriodInDays",
        "kms:ScheduleKeyDeletionPendingWindowInDays",
        "kms:SigningAlgorithm",
        "kms:WrappingAlgorithm",
        "kms:WrappingKeySpec",
        *_DOMAINS.keys() - {"kms:GrantConstraintType"},
    }
)
"""Condition keys that no request for an action that has them leaves out."""


def values(check: Check, context: Context, *, current: bool) -> Iterator[tuple[str, ...] | None]:
    """Values of a condition's key that the condition may tell apart; None: the key is absent.

    Args:
        check: The condition.
        context: Of the request as it is, for policy variables and for keys of many values.
        current: Whether the policy's Version knows variables.
    """
    name = conditionkeys.name_of(check.given.key) or ""
    domain = _DOMAINS.get(name)
    singles = list(dict.fromkeys(one for one in (*_singles(check, context, current=current), *(domain or ()))))
    if domain is not None:
        singles = [one for one in singles if one in domain]
    if check.given.quantifier or conditionkeys.is_many(check.given.key):
        yield from _several(check, context, singles)
    yield from ((one,) for one in singles)
    if name not in _ALWAYS:
        yield None


def _several(check: Check, context: Context, singles: list[str]) -> Iterator[tuple[str, ...]]:
    actual = values_of(context, check.key) or ()
    test = check.texts.test(context)
    if test is not None and actual:
        fitting = tuple(value for value in actual if test(value))
        yield from (part for part in (fitting, tuple(value for value in actual if value not in fitting)) if part)
    for one in singles:
        yield (*actual, one)


def _singles(check: Check, context: Context, *, current: bool) -> Iterator[str]:
    kind = conditions.OPERATORS[check.given.operator].kind
    make = Make(check.given.operator)
    if kind == "null":
        yield OTHER
    elif kind == "bool":
        yield from ("true", "false")
    elif kind in ("string", "arn"):
        for value in check.given.values[:_VALUES_MAX]:
            yield from texts(make.read(value, current=current), context)
        yield from (OTHER, ELSE)
    else:
        for value in check.given.values[:_VALUES_MAX]:
            yield value.partition("/")[0]
            yield from _AROUND[kind](value)


def texts(parts: Parts, context: Context) -> Iterator[str]:
    """Texts that a pattern of a policy describes."""
    filled = patterns.fill(parts, context)
    if filled is None:
        filled = tuple(OTHER if isinstance(part, Variable) and part.key not in context else part for part in parts)
        filled = patterns.fill(filled, context) or ()
    for any_ in ("", "x"):
        text = "".join(part if isinstance(part, str) else any_ if part == ANY else "x" for part in filled)
        if text:
            yield text


def _numbers(value: str) -> Iterator[str]:
    from decimal import Decimal  # only policies with numbers pay for it

    yield from (str(Decimal(value) - 1), str(Decimal(value) + 1))


def _dates(value: str) -> Iterator[str]:
    moment = conditions.instant(value)
    if moment is not None:
        yield from (each.isoformat() for each in (moment - _SECOND, moment + _SECOND))


def _binaries(_value: str) -> Iterator[str]:
    yield "AA=="


def _addresses(value: str) -> Iterator[str]:
    import ipaddress  # a slow import that only policies with addresses pay

    network = ipaddress.ip_network(value, strict=False)
    for at in (int(network.network_address) - 1, int(network.broadcast_address) + 1):
        if 0 <= at < 2**network.max_prefixlen:
            yield str(type(network.network_address)(at))


_AROUND = {"numeric": _numbers, "date": _dates, "binary": _binaries, "ip": _addresses}
