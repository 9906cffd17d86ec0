"""What is decided about: who asks to do what, with which key, and under which circumstances.

Names of condition keys do not depend on their case, so they are folded here, once.
Source: IAM user guide, "Policy evaluation logic" (request context), and AWS KMS developer guide, "AWS KMS condition
keys" (case sensitivity of the encryption context condition).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from kmscli.model.patterns import Context

NO_KEY = "*"
"""The resource of an operation without a key."""
EQUALS, SUBSET = "EncryptionContextEquals", "EncryptionContextSubset"
"""The constraints of a grant."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    Attributes:
        principal: ARN of who asks.
        action: Such as `kms:Decrypt`; its case does not matter.
        resource: The key's ARN; for an operation without a key the ARN of an alias, or NO_KEY.
        now: When, for grants that end.
        context: Condition key -> its value, or a sequence of the values of a key of many; a key without a value is
            absent. Two names that differ by case alone have the values of both.
        encryption_context: Of a cryptographic operation, or of the constraint of a CreateGrant.
        constraint: Of a CreateGrant: `EncryptionContextEquals`, `EncryptionContextSubset`, or "".
        operations: Of a CreateGrant: what the new grant allows.
    """

    principal: str
    action: str
    resource: str
    now: datetime
    context: Mapping[str, str | Sequence[str]] = {}
    encryption_context: Mapping[str, str] = {}
    constraint: str = ""
    operations: tuple[str, ...] = ()


def folded(context: Mapping[str, str | Sequence[str]]) -> Context:
    """The context with its names in lower case, and without keys that have no value."""
    known: dict[str, str | tuple[str, ...]] = {}
    for name, given in context.items():
        key = name.lower()
        values = given if isinstance(given, str) else tuple(given)
        if key in known:
            values = (*_several(known[key]), *_several(values))
        if values or isinstance(values, str):
            known[key] = values
    return known


def values_of(context: Context, key: str) -> tuple[str, ...] | None:
    """The values of a condition key in lower case, or None where it is absent."""
    value = context.get(key)
    return None if value is None else _several(value)


def _several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
