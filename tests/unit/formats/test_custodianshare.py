"""Shares of custodians: one line that says what it is for, and notices when it was cut or mistyped."""

import copy
import pickle

import pytest

from kmscli import errors
from kmscli.formats import custodianshare, keyfile
from kmscli.formats.custodianshare import CustodianShare

SHARE = CustodianShare("00112233", "alice", bytes(range(32)))
LINE = custodianshare.encode(SHARE)


def refused(data: bytes) -> errors.InvalidShareError:
    with pytest.raises(errors.InvalidShareError) as caught:
        custodianshare.decode(data, path="a.share")
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith("a.share: not the share of a custodian (")
    return caught.value


def test_a_share_is_one_line_of_text_that_says_what_it_is_for() -> None:
    assert LINE.startswith(b"kms-share-1 00112233 alice ")
    assert LINE.count(b"\n") == 1
    assert LINE.isascii()


@pytest.mark.parametrize("data", [LINE, LINE.strip(), b"\n " + LINE + b"\r\n"])
def test_what_is_encoded_is_decoded(data: bytes) -> None:
    assert custodianshare.is_one(data)
    assert custodianshare.decode(data, path="") == SHARE


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
        (keyfile.encode(bytes(32)), "does not start"),
        (b"kms-share-2 " + LINE[12:], "does not start"),
        (b"kms-share-1 00112233 " + LINE[27:], "not whole"),
        (LINE.replace(b"alice", b"al ice"), "not whole"),
        (LINE.replace(b"alice", "al\u00efce".encode()), "not whole"),
        (LINE.replace(b"alice ", b"alice *"), "not whole"),
        (LINE.strip() + b"\n" + LINE, "not whole"),
        (LINE.replace(b"alice", b"bob"), "checksum"),
        (LINE.replace(b"00112233", b"00112234"), "checksum"),
        (custodianshare.encode(CustodianShare("00112233", "alice", bytes(31))), "checksum"),
        (custodianshare.encode(CustodianShare("00112233", "alice", bytes(33))), "checksum"),
    ],
)
def test_the_fault_is_named(data: bytes, problem: str) -> None:
    assert problem in refused(data).message


def test_a_keyfile_is_no_share() -> None:
    assert not custodianshare.is_one(keyfile.encode(bytes(32)))


def test_a_share_does_not_show_itself() -> None:
    secret = CustodianShare("00112233", "alice", b"needle")
    assert "needle" not in repr(secret) + str(secret) + f"{secret}"
    for leak in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(secret)
