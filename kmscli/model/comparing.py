"""How one value of a request is compared with the values of a condition: one table, a row a kind of operator.

What is said here is whether any of the wanted values fits; negation, absence and sets of values are for
`kmscli.model.compiled`. A value of the request that is not of the operator's kind fits nothing.
Source: IAM user guide, "IAM JSON policy elements: Condition operators".
"""

import binascii
import operator as operators
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from kmscli.model import conditions, patterns
from kmscli.model.patterns import Parts, Test

if TYPE_CHECKING:
    from decimal import Decimal

_ARN_PARTS = 6
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operators.eq,
    "LessThan": operators.lt,
    "LessThanEquals": operators.le,
    "GreaterThan": operators.gt,
    "GreaterThanEquals": operators.ge,
}


class Kind(msgspec.Struct, frozen=True):
    """How operators of a kind read and compare.

    Attributes:
        test: Operator without `Not` and its values without variables -> a test of one value of a request.
        variables: Whether AWS puts in policy variables.
        wildcards: Operators of the kind whose values have wildcards.
    """

    test: Callable[[str, Sequence[Parts]], Test]
    variables: bool = False
    wildcards: tuple[str, ...] = ()


def positive(name: str) -> str:
    """The operator of which `name` is the negation, or itself."""
    return name.replace("Not", "")


def _string(name: str, wanted: Sequence[Parts]) -> Test:
    if name == "StringLike":
        return patterns.any_matcher(wanted)
    texts = frozenset(map(patterns.text_of, wanted))
    if name == "StringEquals":
        return texts.__contains__
    lowered = frozenset(text.lower() for text in texts)
    return lambda actual: actual.lower() in lowered


def _arn(_name: str, wanted: Sequence[Parts]) -> Test:
    tests = [_arn_test(parts) for parts in wanted]
    return lambda actual: any(test(actual) for test in tests)


def _arn_test(parts: Parts) -> Test:
    fields = _fields(parts)
    tests = [patterns.matcher(field) for field in fields]

    def test(actual: str) -> bool:
        values = actual.split(":", _ARN_PARTS - 1)
        return len(values) == len(tests) and all(fits(value) for fits, value in zip(tests, values, strict=True))

    return test if len(fields) == _ARN_PARTS else lambda _: False


def _fields(parts: Parts) -> list[Parts]:
    """The fields of an ARN, of which the last has the rest; a colon that a variable brought begins none."""
    fields: list[list[patterns.Part]] = [[]]
    for part in parts:
        if isinstance(part, patterns.Filled) or not isinstance(part, str):
            fields[-1].append(part)
            continue
        first, *others = part.split(":", _ARN_PARTS - len(fields))
        fields[-1].append(first)
        fields += [[other] for other in others]
    return [tuple(part for part in field if part != "") for field in fields]


def _number(text: str) -> "Decimal":
    from decimal import Decimal  # only policies with numbers pay for it

    return Decimal(text)


def _instant(text: str) -> datetime:
    found = conditions.instant(text)
    if found is None:
        raise ValueError
    return found


def _ordered(read: Callable[[str], object], prefix: str) -> Callable[[str, Sequence[Parts]], Test]:
    def make(name: str, wanted: Sequence[Parts]) -> Test:
        bounds = [read(patterns.text_of(parts)) for parts in wanted]
        holds = _ORDERS[name.removeprefix(prefix)]

        def test(actual: str) -> bool:
            if conditions.misfit(name, actual):
                return False
            value = read(actual)
            return any(holds(value, bound) for bound in bounds)

        return test

    return make


def _truth(_name: str, wanted: Sequence[Parts]) -> Test:
    truths = frozenset(patterns.text_of(parts).lower() for parts in wanted)
    return lambda actual: actual.lower() in truths


def _binary(name: str, wanted: Sequence[Parts]) -> Test:
    raw = frozenset(binascii.a2b_base64(patterns.text_of(parts)) for parts in wanted)
    return lambda actual: not conditions.misfit(name, actual) and binascii.a2b_base64(actual) in raw


def _address(_name: str, wanted: Sequence[Parts]) -> Test:
    import ipaddress  # a slow import that only policies with addresses pay

    networks = [ipaddress.ip_network(patterns.text_of(parts), strict=False) for parts in wanted]

    def test(actual: str) -> bool:
        try:
            address = ipaddress.ip_address(actual)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return test


KINDS: dict[str, Kind] = {
    "string": Kind(_string, variables=True, wildcards=("StringLike",)),
    "arn": Kind(_arn, variables=True, wildcards=("ArnEquals", "ArnLike")),
    "bool": Kind(_truth, variables=True),
    "numeric": Kind(_ordered(_number, "Numeric")),
    "date": Kind(_ordered(_instant, "Date")),
    "binary": Kind(_binary),
    "ip": Kind(_address),
    "null": Kind(_truth),
}
"""Kind of `conditions.OPERATORS` -> how it compares. The test of `null` is of whether the key is absent."""
