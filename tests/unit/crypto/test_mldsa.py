"""ML-DSA: signatures round, over messages and over mu; seeds are what is kept."""

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSAMuHasher
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kmscli import errors
from kmscli.crypto import mldsa
from kmscli.model.specs import SIGNING_ALGORITHMS

ROW = SIGNING_ALGORITHMS["ML_DSA_SHAKE_256"]
SIGNATURE_BYTES = {44: 2420, 65: 3309, 87: 4627}
PUBLIC_BYTES = {44: 1312, 65: 1952, 87: 2592}
OID_LAST = {44: 0x11, 65: 0x12, 87: 0x13}
PAIRS = {number: mldsa.generate(number) for number in SIGNATURE_BYTES}


def mu_of(number: int, message: bytes, context: bytes = b"") -> bytes:
    hasher = MLDSAMuHasher(load_der_public_key(PAIRS[number].public), context)
    hasher.update(message)
    return hasher.finalize()


@pytest.mark.parametrize("number", PAIRS)
def test_a_signature_holds(number: int) -> None:
    signature = mldsa.private_key(number, PAIRS[number].private).sign(b"message", ROW, "RAW")
    mldsa.public_key(number, PAIRS[number].public).verify(b"message", signature, ROW, "RAW")
    assert SIGNATURE_BYTES[number] == len(signature)


@pytest.mark.parametrize("number", PAIRS)
def test_signing_mu_is_signing_the_message(number: int) -> None:
    private = mldsa.private_key(number, PAIRS[number].private)
    public = mldsa.public_key(number, PAIRS[number].public)
    mu = mu_of(number, b"message")
    public.verify(b"message", private.sign(mu, ROW, "EXTERNAL_MU"), ROW, "RAW")
    public.verify(mu, private.sign(b"message", ROW, "RAW"), ROW, "EXTERNAL_MU")


def test_the_context_is_empty() -> None:
    signature = mldsa.private_key(44, PAIRS[44].private).sign(mu_of(44, b"message", b"context"), ROW, "EXTERNAL_MU")
    with pytest.raises(errors.InvalidSignatureError):
        mldsa.public_key(44, PAIRS[44].public).verify(b"message", signature, ROW, "RAW")


def test_mu_is_no_message() -> None:
    mu = mu_of(44, b"message")
    signature = mldsa.private_key(44, PAIRS[44].private).sign(mu, ROW, "EXTERNAL_MU")
    with pytest.raises(errors.InvalidSignatureError):
        mldsa.public_key(44, PAIRS[44].public).verify(mu, signature, ROW, "RAW")


def test_no_two_signatures_are_alike() -> None:
    private = mldsa.private_key(44, PAIRS[44].private)
    assert private.sign(b"message", ROW, "RAW") != private.sign(b"message", ROW, "RAW")


@pytest.mark.parametrize("place", [0, 31, 32, 1000, 2419])
def test_a_changed_bit_of_a_signature_is_refused(place: int) -> None:
    changed = bytearray(mldsa.private_key(44, PAIRS[44].private).sign(b"message", ROW, "RAW"))
    changed[place] ^= 1
    with pytest.raises(errors.InvalidSignatureError):
        mldsa.public_key(44, PAIRS[44].public).verify(b"message", bytes(changed), ROW, "RAW")


@pytest.mark.parametrize("message_type", ROW.messages)
@pytest.mark.parametrize("length", [0, 1, 2419, 2421])
def test_a_signature_of_another_length_is_refused(length: int, message_type: str) -> None:
    signature = mldsa.private_key(44, PAIRS[44].private).sign(bytes(64), ROW, message_type) + b"\0"
    with pytest.raises(errors.InvalidSignatureError):
        mldsa.public_key(44, PAIRS[44].public).verify(bytes(64), signature[:length], ROW, message_type)


def test_a_signature_does_not_hold_for_another_message_or_key() -> None:
    signature = mldsa.private_key(44, PAIRS[44].private).sign(b"message", ROW, "RAW")
    with pytest.raises(errors.InvalidSignatureError):
        mldsa.public_key(44, PAIRS[44].public).verify(b"Message", signature, ROW, "RAW")
    with pytest.raises(errors.InvalidSignatureError):
        mldsa.public_key(44, mldsa.generate(44).public).verify(b"message", signature, ROW, "RAW")


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_a_mu_of_another_length_is_a_validation_error(size: int) -> None:
    with pytest.raises(errors.ValidationError, match=f"takes 64 bytes, not {size}"):
        mldsa.private_key(44, PAIRS[44].private).sign(bytes(size), ROW, "EXTERNAL_MU")
    with pytest.raises(errors.ValidationError, match=f"takes 64 bytes, not {size}"):
        mldsa.public_key(44, PAIRS[44].public).verify(bytes(size), bytes(2420), ROW, "EXTERNAL_MU")


@pytest.mark.parametrize("number", PAIRS)
def test_a_private_key_is_kept_as_its_seed(number: int) -> None:
    algorithm = bytes.fromhex("300b06096086480165030403") + bytes([OID_LAST[number]])
    assert b"\x30\x34\x02\x01\x00" + algorithm + b"\x04\x22\x80\x20" == PAIRS[number].private[:22]
    assert 22 + 32 == len(PAIRS[number].private)
    assert 22 + PUBLIC_BYTES[number] == len(PAIRS[number].public)


def test_an_own_key_is_read_as_it_is() -> None:
    assert PAIRS[44] == mldsa.read_private(44, PAIRS[44].private)


def test_a_key_of_another_parameter_set_is_refused() -> None:
    with pytest.raises(errors.IncorrectKeyMaterialError, match="but not an ML-DSA-44 key"):
        mldsa.read_private(44, PAIRS[65].private)
    with pytest.raises(errors.VaultTamperedError):
        mldsa.private_key(44, PAIRS[65].private)
    with pytest.raises(errors.VaultTamperedError):
        mldsa.public_key(44, PAIRS[65].public)
