"""The byte habits that every format shares."""

from hashlib import sha256

import pytest

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
