"""The quick yes never says yes where the whole check would say no, or would give another value."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmscli.service import operations
from kmscli.service.members import Shape, members
from kmscli.service.plainly import holder
from kmscli.service.validate import _Check
from tests.examples import examples


class Text(str):
    """A str that is not plainly one."""

    __slots__ = ()


def shapes(struct: type[msgspec.Struct]) -> set[Shape]:
    found = set()
    for member in members(struct):
        found.add(member.shape)
        inner = member.shape.item or member.shape
        if inner.struct is not None:
            found |= shapes(inner.struct)
    return found


SHAPES = sorted(set().union(*(shapes(operations.load(name).request) for name in operations.OPERATIONS)), key=repr)
TEXTS = (
    st.text(max_size=5) | st.text("abcdef0123456789-/:", max_size=300) | st.from_regex(r"[a-f0-9]{64}", fullmatch=True)
)
VALUES = (
    TEXTS
    | TEXTS.map(Text)
    | st.sampled_from(["AES_256", "SYMMETRIC_DEFAULT", "RAW", "a\n", "\ud800", "alias/é"])
    | st.binary(max_size=5)
    | st.integers(0, 7000).map(bytes)
    | st.integers(-2, 2000)
    | st.booleans()
    | st.floats()
    | st.none()
    | st.lists(TEXTS, max_size=3)
    | st.dictionaries(TEXTS, TEXTS, max_size=3)
    | st.dictionaries(TEXTS, st.integers(), max_size=2)
    | st.dictionaries(st.integers(), TEXTS, max_size=2)
)


def cases() -> st.SearchStrategy[tuple[Shape, Any]]:
    return st.sampled_from(SHAPES).flatmap(
        lambda shape: st.tuples(st.just(shape), VALUES | st.sampled_from(shape.choices or ("",)))
    )


@settings(max_examples=examples(1000))
@given(cases())
def test_a_yes_is_the_whole_checks_yes(case: tuple[Shape, Any]) -> None:
    shape, value = case
    if holder(shape)(value):
        check = _Check()
        assert check.value(shape, value, "member") == value
        assert check.faults == []


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (Shape("string", min_length=1, max_length=3), "abc"),
        (Shape("string", pattern="[a-z]+"), "abc"),
        (Shape("enum", choices=("A", "B")), "A"),
        (Shape("blob", min_length=1, max_length=4096), b"x" * 4096),
        (Shape("map", item=Shape("string")), {"Name": "value"}),
    ],
    ids=lambda each: each.kind if isinstance(each, Shape) else "",
)
def test_what_requests_are_made_of_is_plain(shape: Shape, value: str | bytes | Mapping[str, str]) -> None:
    assert holder(shape)(value)
