"""The byte habits that every format shares."""

import base64
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscli.formats import wire


def test_parts_stand_behind_their_lengths() -> None:
    assert wire.prefixed(b"ab", b"") == b"\0\0\0\2ab\0\0\0\0"
    assert wire.prefixed() == b""


@pytest.mark.parametrize(
    "parts", [(b"a", b"b"), (b"ab",), (b"ab", b""), (b"", b"ab"), (b"b", b"a"), (b"\0\0\0\1a", b"b"), ()]
)
def test_no_two_lists_of_parts_give_the_same_bytes(parts: tuple[bytes, ...]) -> None:
    others = [(b"a", b"b"), (b"ab",), (b"ab", b""), (b"", b"ab"), (b"b", b"a"), (b"\0\0\0\1a", b"b"), ()]
    assert [other for other in others if wire.prefixed(*other) == wire.prefixed(*parts)] == [parts]


def test_a_label_names_its_purpose_and_ends_it() -> None:
    assert wire.label("blob", b"x") == b"kms/v1/blob\0\0\0\0\1x"
    assert wire.label("a", b"") != wire.label("a")


def test_a_digest_is_sha_256_of_a_label() -> None:
    assert wire.digest("record", b"x") == sha256(b"kms/v1/record\0\0\0\0\1x").digest()


@pytest.mark.parametrize("raw", [b"", b"\0", b"\0\0", b"abc", bytes(range(256))])
def test_bytes_have_one_base64(raw: bytes) -> None:
    assert wire.from_base64(base64.b64encode(raw).decode()) == raw


@pytest.mark.parametrize(
    "text",
    [
        "AA",
        "AA=",
        "AA===",
        "AAAA====",
        "AB==",
        "AAB=",
        "A A=",
        "AA==\n",
        "=AAA",
        "AA==AAAA",
        "A-_A",
        "AAA\xe9",
        "AA=\udcff",
    ],
)
def test_no_other_text_is_base64(text: str) -> None:
    assert wire.from_base64(text) is None


@given(st.text("ABab01+/=- \n\xe9", max_size=8))
def test_a_text_is_read_only_if_it_is_what_its_bytes_are_written_as(text: str) -> None:
    found = wire.from_base64(text)
    assert (found is not None) == _is_written_so(text)
    assert found is None or base64.b64encode(found).decode() == text


def _is_written_so(text: str) -> bool:
    try:
        return base64.b64encode(base64.b64decode(text)).decode() == text
    except ValueError:
        return False
