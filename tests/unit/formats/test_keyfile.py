"""Keyfiles: one line that notices when it was cut or mistyped."""

import base64
import os

import pytest

from kmscli import errors
from kmscli.formats import keyfile

SECRET = bytes(range(32))
LINE = keyfile.encode(SECRET)


def refused(data: bytes) -> str:
    with pytest.raises(errors.InvalidKeyfileError) as caught:
        keyfile.decode(data, path="some.key")
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith("some.key: not a keyfile (")
    return caught.value.message


def test_a_keyfile_is_one_line_of_text() -> None:
    assert LINE.startswith(b"kms-keyfile-1 ")
    assert LINE.endswith(b"\n")
    assert LINE.count(b"\n") == 1
    assert LINE.isascii()


def test_what_is_encoded_is_decoded() -> None:
    secret = os.urandom(32)
    assert keyfile.decode(keyfile.encode(secret), path="") == secret


@pytest.mark.parametrize("data", [LINE.strip(), b"\n " + LINE + b"\r\n", LINE.replace(b"\n", b"\r\n")])
def test_white_space_around_it_is_left_alone(data: bytes) -> None:
    assert keyfile.decode(data, path="") == SECRET


@pytest.mark.parametrize("length", range(len(LINE) - 1))
def test_a_cut_is_noticed(length: int) -> None:
    refused(LINE[:length])


@pytest.mark.parametrize("place", range(len(LINE) - 1))
def test_a_changed_character_is_noticed(place: int) -> None:
    changed = bytearray(LINE)
    changed[place] = ord("B") if changed[place] != ord("B") else ord("C")
    refused(bytes(changed))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "does not start"),
        (b"hunter2\n", "does not start"),
        (b"AGE-SECRET-KEY-1", "does not start"),
        (b"kms-keyfile-2 " + LINE[14:], "does not start"),
        (b"kms-keyfile-1 ***", "not base64"),
        (LINE.strip() + b"\n" + LINE, "not base64"),
        (b"kms-keyfile-1 \xc3\xa4", "not base64"),
        (b"kms-keyfile-1 " + base64.b64encode(SECRET), "checksum"),
        (b"kms-keyfile-1 " + base64.b64encode(bytes(36)), "checksum"),
        (b"kms-keyfile-1 " + base64.b64encode(base64.b64decode(LINE[14:]) + b"\0"), "checksum"),
        (b"kms-keyfile-1 ", "does not start"),
    ],
)
def test_the_fault_is_named(data: bytes, problem: str) -> None:
    assert problem in refused(data)


def test_the_secret_is_in_no_message() -> None:
    changed = LINE[:-3] + b"A\n"
    assert base64.b64encode(SECRET).decode()[:20] not in refused(changed)
