"""The condition operators of policies: one table, and the form of the values that each takes.

What a condition means for a request is decided elsewhere, on the parsed `Condition`.
Source: IAM user guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys".
"""

import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

SET_OPERATORS = ("ForAllValues", "ForAnyValue")
_IF_EXISTS = "IfExists"


class Operator(msgspec.Struct, frozen=True):
    """One operator.

    Attributes:
        kind: `string`, `numeric`, `date`, `bool`, `binary`, `ip`, `arn` or `null`: how values are compared.
        negated: Whether it holds when no value matches, and so when the key is absent.
    """

    kind: str
    negated: bool = False


class Condition(msgspec.Struct, frozen=True):
    """One key of one operator: all conditions of a statement must hold, and of one condition any value.

    Attributes:
        operator: A name in OPERATORS.
        key: The condition key as written; its case does not matter.
        values: At least one, as strings.
        if_exists: Whether it holds when the key is absent.
        quantifier: `ForAllValues`, `ForAnyValue`, or "" for a key of one value.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    if_exists: bool = False
    quantifier: str = ""


def _ordered(kind: str, prefix: str) -> dict[str, Operator]:
    names = ("LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
    equals = {f"{prefix}Equals": Operator(kind), f"{prefix}NotEquals": Operator(kind, negated=True)}
    return equals | {prefix + name: Operator(kind) for name in names}


OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator("string"),
    "StringNotEquals": Operator("string", negated=True),
    "StringEqualsIgnoreCase": Operator("string"),
    "StringNotEqualsIgnoreCase": Operator("string", negated=True),
    "StringLike": Operator("string"),
    "StringNotLike": Operator("string", negated=True),
    **_ordered("numeric", "Numeric"),
    **_ordered("date", "Date"),
    "Bool": Operator("bool"),
    "BinaryEquals": Operator("binary"),
    "IpAddress": Operator("ip"),
    "NotIpAddress": Operator("ip", negated=True),
    "ArnEquals": Operator("arn"),
    "ArnLike": Operator("arn"),
    "ArnNotEquals": Operator("arn", negated=True),
    "ArnNotLike": Operator("arn", negated=True),
    "Null": Operator("null"),
}
"""Name without set operator and IfExists -> what it is."""


def parse_operator(name: str) -> tuple[str, str, bool] | None:
    """The parts of an operator as a policy writes it: quantifier, name in OPERATORS, if_exists.

    Null looks at the presence of a key alone, so neither IfExists nor a set operator goes with it: None, as for any
    other text that is no operator.
    """
    before, colon, after = name.rpartition(":")
    base = after.removesuffix(_IF_EXISTS)
    if base not in OPERATORS or (colon and before not in SET_OPERATORS) or (base == "Null" and base != name):
        return None
    return before, base, base != after


_NUMBER = r"-?[0-9]{1,32}(\.[0-9]{1,32})?"
_EPOCH = r"[0-9]{5,12}|0"
_DATE = (
    r"([0-9]{4})(-[0-9]{2})?(-[0-9]{2})?"
    r"(T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2}))?"
)
_ADDRESS = r"[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?"
_VARIABLE = r"\$\{[^{}]+\}"


def instant(text: str) -> datetime | None:
    """The time that a value of a Date operator names, or None if it names none.

    Four digits are a year, as in W3C's profile of ISO 8601; five or more are seconds since 1970. What a date leaves
    out is its beginning, in UTC.
    """
    match = re.fullmatch(_DATE, text)
    try:
        if re.fullmatch(_EPOCH, text):
            return datetime.fromtimestamp(int(text), UTC)
        if match is None or (match[4] and not match[3]):
            return None
        return datetime.fromisoformat(f"{match[1]}{match[2] or '-01'}{match[3] or '-01'}{match[4] or 'T00:00Z'}")
    except (ValueError, OverflowError, OSError):
        return None


def _is_truth(text: str) -> bool:
    return text in ("true", "false")


def _is_truth_or_variable(text: str) -> bool:
    return _is_truth(text) or re.fullmatch(_VARIABLE, text) is not None


def _is_binary(text: str) -> bool:
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    import ipaddress  # a slow import that only policies with addresses pay

    if re.fullmatch(_ADDRESS, text) is None:
        return False
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


_FORMS: dict[str, tuple[Callable[[str], bool], str]] = {
    "numeric": (lambda text: re.fullmatch(_NUMBER, text) is not None, "a number, such as 10 or 0.5"),
    "date": (lambda text: instant(text) is not None, "a date, such as 2020-01-01T00:00:01Z, or seconds since 1970"),
    "bool": (_is_truth_or_variable, "true or false"),
    "binary": (_is_binary, "base64"),
    "ip": (_is_network, "an address or a CIDR block, such as 203.0.113.0/24"),
    "null": (_is_truth, "true or false"),
}
"""Kind -> test of a value, and what to write instead. Kinds that are absent take any string."""


def misfit(operator: str, value: str) -> str:
    """What a value of `operator` must be, if `value` is not that; else ""."""
    fits, wanted = _FORMS.get(OPERATORS[operator].kind, (None, ""))
    return "" if fits is None or fits(value) else wanted
