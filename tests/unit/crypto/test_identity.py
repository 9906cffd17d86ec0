"""Identities: known public keys from a seed, hybrid sealing, signatures."""

import copy
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kmscli import errors
from kmscli.crypto import identity
from kmscli.crypto.identity import Identity, SealingKey
from kmscli.crypto.kdf import expand

ALICE = Identity(bytes(range(32)))
BOB = Identity(bytes(32))
SEALED = identity.seal_to(ALICE.seal_public, b"secret", context=b"context")


def test_a_seed_gives_the_same_keys_for_ever() -> None:
    again = Identity(bytes(range(32)))
    assert (again.sign_public, again.seal_public) == (ALICE.sign_public, ALICE.seal_public)
    assert (len(again.sign_public), len(again.seal_public)) == (32, identity.SEAL_PUBLIC_BYTES)
    assert again.sign_public != BOB.sign_public
    assert again.seal_public != BOB.seal_public


def test_the_signing_key_is_the_seed_s_own() -> None:
    signing = Ed25519PrivateKey.from_private_bytes(expand(ALICE.seed, b"kms/v1/identity/ed25519", 32))
    assert ALICE.sign(b"message") == signing.sign(b"message")


def test_what_is_sealed_opens_for_its_holder() -> None:
    assert ALICE.open(SEALED, context=b"context") == b"secret"
    assert len(SEALED) == len(b"secret") + 1136


def test_nothing_is_sealed_twice_alike() -> None:
    assert identity.seal_to(ALICE.seal_public, b"secret", context=b"context") != SEALED


@pytest.mark.parametrize("size", [0, 1, 32, 5000])
def test_any_length_is_sealed(size: int) -> None:
    sealed = identity.seal_to(ALICE.seal_public, bytes(size), context=b"")
    assert ALICE.open(sealed, context=b"") == bytes(size)


def test_nobody_else_opens_it() -> None:
    with pytest.raises(errors.SealBrokenError):
        BOB.open(SEALED, context=b"context")


@pytest.mark.parametrize("context", [b"", b"contex", b"context\0"])
def test_it_opens_in_its_context_only(context: bytes) -> None:
    with pytest.raises(errors.SealBrokenError):
        ALICE.open(SEALED, context=context)


@pytest.mark.parametrize("place", [0, 500, 1087, 1088, 1119, 1120, len(SEALED) - 1])
def test_a_changed_bit_breaks_the_seal(place: int) -> None:
    changed = bytearray(SEALED)
    changed[place] ^= 1
    with pytest.raises(errors.SealBrokenError):
        ALICE.open(bytes(changed), context=b"context")


@pytest.mark.parametrize("length", [*range(0, len(SEALED), 97), 1119, 1120, 1121, 1135, len(SEALED) - 1])
def test_a_cut_breaks_the_seal(length: int) -> None:
    with pytest.raises(errors.SealBrokenError):
        ALICE.open(SEALED[:length], context=b"context")


def test_an_appended_byte_breaks_the_seal() -> None:
    with pytest.raises(errors.SealBrokenError):
        ALICE.open(SEALED + b"\0", context=b"context")


def test_an_encapsulation_with_a_low_order_point_is_refused() -> None:
    with pytest.raises(errors.SealBrokenError):
        ALICE.open(SEALED[:1088] + bytes(32) + SEALED[1120:], context=b"context")


@pytest.mark.parametrize(
    "public",
    [
        b"",
        ALICE.seal_public[:-1],
        ALICE.seal_public + b"\0",
        ALICE.seal_public[:1184],
        b"\xff" * 1216,
        ALICE.seal_public[:1184] + bytes(32),
    ],
    ids=["none", "cut", "longer", "half", "not reduced", "low order"],
)
def test_what_is_no_public_key_is_refused(public: bytes) -> None:
    with pytest.raises(errors.SealBrokenError):
        identity.seal_to(public, b"secret", context=b"")


def test_two_labels_give_two_sealing_keys() -> None:
    assert SealingKey(bytes(32), b"a").public != SealingKey(bytes(32), b"b").public


def test_a_signature_holds_for_its_message_and_its_signer() -> None:
    signature = ALICE.sign(b"message")
    assert len(signature) == identity.SIGNATURE_BYTES
    identity.verify(ALICE.sign_public, b"message", signature)


@pytest.mark.parametrize(
    ("public", "message", "signature"),
    [
        (BOB.sign_public, b"message", ALICE.sign(b"message")),
        (ALICE.sign_public, b"massage", ALICE.sign(b"message")),
        (ALICE.sign_public, b"message", ALICE.sign(b"message")[:-1]),
        (ALICE.sign_public, b"message", ALICE.sign(b"message") + b"\0"),
        (ALICE.sign_public, b"message", b""),
        (ALICE.sign_public, b"message", bytes(64)),
        (b"", b"message", ALICE.sign(b"message")),
        (ALICE.sign_public + b"\0", b"message", ALICE.sign(b"message")),
    ],
    ids=["signer", "message", "cut", "longer", "none", "zeros", "no key", "long key"],
)
def test_any_other_signature_is_refused(public: bytes, message: bytes, signature: bytes) -> None:
    with pytest.raises(errors.SignatureBrokenError):
        identity.verify(public, message, signature)


def test_a_signature_has_one_spelling() -> None:
    # RFC 8032, section 5.1.7: S must be below the order of the group, or everybody could make a second signature.
    order = 2**252 + 27742317777372353535851937790883648493
    signature = ALICE.sign(b"message")
    second = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    with pytest.raises(errors.SignatureBrokenError):
        identity.verify(ALICE.sign_public, b"message", second)


@pytest.mark.parametrize("secret", [ALICE, SealingKey(bytes(32), b"a")])
def test_a_secret_neither_prints_nor_pickles_nor_copies(secret: object) -> None:
    assert ALICE.seed.hex() not in repr(secret)
    assert "seed" not in repr(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)
