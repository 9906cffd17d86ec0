"""Message keys, frames and signatures; the derivations themselves are compared with the vectors."""

import base64
import os
import pickle

import pytest

from kmscli import errors
from kmscli.crypto.message import Cipher, MessageKeys, Signer, Verifier
from kmscli.model.suites import COMMITTING, SIGNED, SUITES, Signature

SIGNATURES = {suite.signature for suite in SUITES.values() if suite.signature}
EACH = pytest.mark.parametrize("signature", sorted(SIGNATURES, key=str), ids=lambda signature: signature.curve)


def test_key_and_commitment_follow_from_data_key_message_id_and_suite() -> None:
    data_key, message_id = os.urandom(32), os.urandom(32)
    keys = [
        MessageKeys(COMMITTING, data_key, message_id),
        MessageKeys(COMMITTING, data_key, os.urandom(32)),
        MessageKeys(COMMITTING, os.urandom(32), message_id),
        MessageKeys(SIGNED, data_key, message_id),
    ]
    assert len({found.cipher.tag(bytes(12), b"") for found in keys}) == 4
    assert len({found.commitment for found in keys}) == 3
    assert keys[0].commitment == keys[3].commitment


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_a_data_key_of_another_length_is_refused(suite: Signature) -> None:
    for length in {0, 16, 24, 31, 32, 33} - {suite.key_bytes}:  # type: ignore[attr-defined]
        with pytest.raises(errors.BrokenMessageError):
            MessageKeys(suite, bytes(length), bytes(32))  # type: ignore[arg-type]


def test_only_the_own_commitment_holds() -> None:
    keys = MessageKeys(COMMITTING, bytes(32), bytes(32))
    keys.check_commitment(keys.commitment)
    for other in (b"", bytes(32), keys.commitment[:-1], keys.commitment + b"\0"):
        with pytest.raises(errors.BrokenMessageError):
            keys.check_commitment(other)


def test_a_frame_opens_under_its_iv_and_data_alone() -> None:
    cipher, sealed, out = Cipher(bytes(32)), bytearray(21), bytearray(5)
    cipher.seal_into(bytes(12), memoryview(b"frame"), b"data", memoryview(sealed))
    cipher.open_into(bytes(12), memoryview(sealed), b"data", memoryview(out))
    assert out == b"frame"
    for iv, data, given in (
        (b"\1" * 12, b"data", sealed),
        (bytes(12), b"Data", sealed),
        (bytes(12), b"data", sealed[::-1]),
    ):
        with pytest.raises(errors.BrokenMessageError):
            cipher.open_into(iv, memoryview(given), data, memoryview(out))


def test_a_tag_over_nothing_holds_for_its_header_alone() -> None:
    cipher = Cipher(bytes(32))
    tag = cipher.tag(bytes(12), b"header")
    cipher.check_tag(bytes(12), b"header", tag)
    with pytest.raises(errors.BrokenMessageError):
        cipher.check_tag(bytes(12), b"Header", tag)


@EACH
def test_a_signature_covers_every_byte(signature: Signature) -> None:
    signer = Signer(signature)
    signer.update(b"header")
    signer.update(memoryview(b"frames"))
    made = signer.finish()
    verifier = Verifier(signature, signer.public_key)
    verifier.update(b"head")
    verifier.update(b"erframes")
    verifier.check(made)
    verifier.update(b"x")
    with pytest.raises(errors.BrokenMessageError):
        verifier.check(made)


@EACH
@pytest.mark.parametrize("wrong", [b"", b"0", bytes(70), b"\x30\x06\x02\x01\x00\x02\x01\x00"])
def test_what_is_no_signature_is_refused(signature: Signature, wrong: bytes) -> None:
    with pytest.raises(errors.BrokenMessageError):
        Verifier(signature, Signer(signature).public_key).check(wrong)


@EACH
@pytest.mark.parametrize(
    "public", ["", "?", "AAAA", base64.b64encode(b"\x02" + b"\xff" * 48).decode(), base64.b64encode(bytes(1)).decode()]
)
def test_what_is_no_public_key_is_refused(signature: Signature, public: str) -> None:
    with pytest.raises(errors.BrokenMessageError):
        Verifier(signature, public)


@EACH
def test_a_public_key_is_a_compressed_point(signature: Signature) -> None:
    point = base64.b64decode(Signer(signature).public_key)
    assert point[0] in {2, 3}
    assert len(point) == 1 + int(signature.curve[4:7]) // 8


def test_a_signer_shows_and_gives_away_nothing() -> None:
    signer = Signer(SIGNED.signature or next(iter(SIGNATURES)))
    assert repr(signer) == "Signer(...)"
    with pytest.raises(TypeError):
        pickle.dumps(signer)
