"""Encrypted outputs that are right already, and so stay as they are."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.service import files, keyring, opening, sealing, unchanged
from kmscli.service.files import Job, Result
from tests.helpers import Home

SMALL = b"to be kept\n"
LARGE = os.urandom(3 << 20) + b"end"
KEY = ("alias/app",)
FORMS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "a blob": (SMALL, {}),
    "a blob as text": (SMALL, {"armored": True}),
    "a blob with a context": (SMALL, {"format": "blob", "encryption_context": {"app": "shop"}}),
    "a message": (LARGE, {}),
    "an empty message": (b"", {}),
    "a message with a context": (SMALL, {"encryption_context": {"app": "shop"}}),
    "a signed message": (LARGE, {"signed": True}),
    "a message as text": (LARGE, {"armored": True}),
    "a message under two keys": (LARGE, {"keys": ("alias/other", "alias/app")}),
}


class Pair:
    """An input and its output."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        self.source, self.target = folder / "a", folder / "a.kms"
        self.key = home.create_key(Alias="alias/app")
        home.create_key(Alias="alias/other")

    def encrypt(self, **members: Any) -> Result:
        """What becomes of the pair."""
        plan = sealing.Plan(**{"keys": KEY, **members})
        make = sealing.sealer(self.home.context, plan)
        ring = keyring.of_session(self.home.context)
        job = Job(self.source, self.target)
        (result,) = files.run(self.home.context, [job], unchanged.keeping(make, plan, ring))
        return result

    def is_left_alone(self, **members: Any) -> bool:
        """Whether the output stays; if not, it must be right afterwards."""
        before = self.target.read_bytes()
        result = self.encrypt(**members)
        assert result.error is None
        if result.status == "skipped":
            assert ("unchanged", before) == (result.reason, self.target.read_bytes())
            return True
        assert before != self.target.read_bytes()
        plan = opening.Plan(encryption_context=members.get("encryption_context", {}))
        (opened,) = files.run(self.home.context, [Job(self.target, None, kept=1 << 24)], opening.opener(plan))
        assert self.source.read_bytes() == opened.data
        return False


@pytest.fixture
def pair(home: Home, tmp_path: Path) -> Pair:
    return Pair(home, tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_an_output_that_is_right_is_left_alone(pair: Pair, form: str) -> None:
    plain, members = FORMS[form]
    pair.source.write_bytes(plain)
    assert "done" == pair.encrypt(**members).status
    stamp = pair.target.stat()
    assert pair.is_left_alone(**members)
    assert (stamp.st_ino, stamp.st_mtime_ns) == (pair.target.stat().st_ino, pair.target.stat().st_mtime_ns)


@pytest.mark.parametrize("form", FORMS)
def test_another_content_is_encrypted(pair: Pair, form: str) -> None:
    plain, members = FORMS[form]
    others = [plain + b"x"]
    if plain:
        others += [plain[:-1], b"X" + plain[1:], plain[:-1] + bytes([plain[-1] ^ 1])]
    for other in others:
        if not other:
            continue
        pair.source.write_bytes(plain)
        pair.encrypt(**members)
        pair.source.write_bytes(other)
        assert not pair.is_left_alone(**members)


OTHER_WISHES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "another key": (LARGE, {"keys": ("alias/other",)}),
    "another key of a blob": (SMALL, {"keys": ("alias/other",)}),
    "one more key": (LARGE, {"keys": ("alias/app", "alias/other")}),
    "a context": (LARGE, {"encryption_context": {"app": "shop"}}),
    "a signature": (LARGE, {"signed": True}),
    "text": (LARGE, {"armored": True}),
    "a message": (SMALL, {"format": "message"}),
}


@pytest.mark.parametrize("wish", OTHER_WISHES)
def test_another_wish_is_fulfilled(pair: Pair, wish: str) -> None:
    plain, members = OTHER_WISHES[wish]
    pair.source.write_bytes(plain)
    pair.encrypt()
    assert not pair.is_left_alone(**members)
    assert pair.is_left_alone(**members)


@pytest.mark.parametrize("plain", [SMALL, LARGE], ids=["blob", "message"])
def test_an_old_version_of_the_key_is_not_right(pair: Pair, plain: bytes) -> None:
    pair.source.write_bytes(plain)
    pair.encrypt()
    pair.home.perform("RotateKeyOnDemand", KeyId=pair.key)
    assert not pair.is_left_alone()


def test_a_blob_with_another_context_is_not_right(pair: Pair) -> None:
    pair.source.write_bytes(SMALL)
    pair.encrypt(format="blob", encryption_context={"app": "shop"})
    assert not pair.is_left_alone(format="blob", encryption_context={"app": "bank"})


@pytest.mark.parametrize("place", [10, 60, 300, 1_000_000, -1])
def test_a_damaged_output_is_made_anew(pair: Pair, place: int) -> None:
    pair.source.write_bytes(LARGE)
    pair.encrypt()
    data = bytearray(pair.target.read_bytes())
    data[place] ^= 1
    pair.target.write_bytes(data)
    assert not pair.is_left_alone()


def test_what_is_no_ciphertext_is_replaced(pair: Pair) -> None:
    pair.source.write_bytes(SMALL)
    pair.target.write_bytes(b"something else")
    assert not pair.is_left_alone()


def test_an_output_that_is_not_there_is_made(pair: Pair) -> None:
    pair.source.write_bytes(SMALL)
    assert "done" == pair.encrypt().status


def test_an_output_that_may_not_be_decrypted_is_made_anew(pair: Pair) -> None:
    pair.source.write_bytes(SMALL)
    pair.encrypt()
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    root = {"AWS": "arn:aws:iam::000000000000:root"}
    allow = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
    denied = json.dumps({"Version": "2012-10-17", "Statement": [deny, allow]})
    pair.home.perform("PutKeyPolicy", KeyId=pair.key, Policy=denied)
    assert "done" == pair.encrypt().status


def test_a_pipe_is_compared_if_it_is_short(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.source.write_bytes(SMALL)
    pair.encrypt()
    assert "skipped" == piped(pair, SMALL).status
    assert "done" == piped(pair, SMALL + b"x").status
    refused = piped(pair, LARGE[:10_000])
    assert isinstance(refused.error, errors.UsageError)


def piped(pair: Pair, plain: bytes) -> Result:
    """The same with the input in a FIFO."""
    reading, writing = os.pipe()
    os.write(writing, plain)
    os.close(writing)
    source, pair.source = pair.source, Path(f"/dev/fd/{reading}")
    try:
        return pair.encrypt()
    finally:
        pair.source = source
        os.close(reading)
