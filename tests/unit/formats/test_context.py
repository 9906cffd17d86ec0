"""The canonical encryption context: one encoding a context, and one context an encoding."""

import unicodedata

import pytest

from kmscli import errors
from kmscli.formats.context import canonical


def test_none_and_an_empty_one_are_the_same() -> None:
    assert canonical(None) == canonical({}) == b"\0\0\0\0"


def test_pairs_are_counted_and_prefixed() -> None:
    assert canonical({"a": "bc"}) == b"\0\0\0\1\0\0\0\1a\0\0\0\2bc"


def test_order_does_not_count() -> None:
    assert canonical({"b": "1", "a": "2"}) == canonical({"a": "2", "b": "1"})


def test_names_are_sorted_by_their_utf_8_and_not_by_utf_16() -> None:
    # U+FFFF comes before U+10000 in UTF-8 and in code points, and behind it in UTF-16.
    encoded = canonical({"\U00010000": "", "\uffff": ""})
    assert encoded.index("\uffff".encode()) < encoded.index("\U00010000".encode())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": "b"}, {"A": "b"}),
        ({"a": "b"}, {"a": "B"}),
        ({"a": "b"}, {"b": "a"}),
        ({"a": ""}, {}),
        ({"": ""}, {}),
        ({"a": "b", "c": ""}, {"a": "b"}),
        ({"ab": "c"}, {"a": "bc"}),
        ({"a": "b "}, {"a": "b"}),
        ({unicodedata.normalize("NFC", "\u00e9"): ""}, {unicodedata.normalize("NFD", "\u00e9"): ""}),
        ({"a": "\0\0\0\1b"}, {"a": "", "b": ""}),
    ],
)
def test_what_differs_is_told_apart(left: dict[str, str], right: dict[str, str]) -> None:
    assert canonical(left) != canonical(right)


@pytest.mark.parametrize("context", [{"\ud800": "a"}, {"a": "\udfff"}])
def test_a_lone_surrogate_is_refused(context: dict[str, str]) -> None:
    with pytest.raises(errors.ValidationError) as caught:
        canonical(context)
    assert (caught.value.code, caught.value.exit_code) == ("ValidationException", 2)


def test_8192_bytes_are_the_most() -> None:
    fits = {"a": "x" * (8192 - 4 - 4 - 1 - 4)}
    assert len(canonical(fits)) == 8192
    with pytest.raises(errors.ValidationError, match="takes 8193 bytes; at most 8192 are allowed"):
        canonical({"a": fits["a"] + "x"})
