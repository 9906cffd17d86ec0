"""Ed25519: signatures round, one message type, imported keys in one encoding."""

import pytest

from kmscli import errors
from kmscli.crypto import ecc, eddsa
from kmscli.model.specs import SIGNING_ALGORITHMS

CURVE = "ed25519"
ROW = SIGNING_ALGORITHMS["ED25519_SHA_512"]
PAIR = eddsa.generate(CURVE)
SIGNATURE = eddsa.private_key(CURVE, PAIR.private).sign(b"message", ROW, "RAW")
PUBLIC = eddsa.public_key(CURVE, PAIR.public)
ORDER = (1 << 252) + 27742317777372353535851937790883648493


def test_a_signature_holds_and_is_the_same_each_time() -> None:
    PUBLIC.verify(b"message", SIGNATURE, ROW, "RAW")
    assert SIGNATURE == eddsa.private_key(CURVE, PAIR.private).sign(b"message", ROW, "RAW")


@pytest.mark.parametrize("place", [0, 31, 32, 63])
def test_a_changed_bit_of_a_signature_is_refused(place: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[place] ^= 1
    with pytest.raises(errors.InvalidSignatureError):
        PUBLIC.verify(b"message", bytes(changed), ROW, "RAW")


@pytest.mark.parametrize("length", [0, 1, 32, 63])
def test_a_cut_signature_is_refused(length: int) -> None:
    with pytest.raises(errors.InvalidSignatureError):
        PUBLIC.verify(b"message", SIGNATURE[:length], ROW, "RAW")


def test_a_second_form_of_a_signature_is_refused() -> None:
    larger = int.from_bytes(SIGNATURE[32:], "little") + ORDER
    with pytest.raises(errors.InvalidSignatureError):
        PUBLIC.verify(b"message", SIGNATURE[:32] + larger.to_bytes(32, "little"), ROW, "RAW")


def test_a_signature_does_not_hold_for_another_message_or_key() -> None:
    with pytest.raises(errors.InvalidSignatureError):
        PUBLIC.verify(b"Message", SIGNATURE, ROW, "RAW")
    with pytest.raises(errors.InvalidSignatureError):
        eddsa.public_key(CURVE, eddsa.generate(CURVE).public).verify(b"message", SIGNATURE, ROW, "RAW")


@pytest.mark.parametrize("message_type", ["DIGEST", "EXTERNAL_MU", ""])
def test_a_digest_is_not_signed(message_type: str) -> None:
    with pytest.raises(errors.ValidationError):
        eddsa.private_key(CURVE, PAIR.private).sign(bytes(64), ROW, message_type)
    with pytest.raises(errors.ValidationError):
        PUBLIC.verify(bytes(64), SIGNATURE, ROW, message_type)


def test_an_own_key_is_imported_as_it_is() -> None:
    assert PAIR == eddsa.read_private(CURVE, PAIR.private)


def test_a_key_of_another_kind_is_not_imported() -> None:
    with pytest.raises(errors.IncorrectKeyMaterialError, match="but not an Ed25519 key"):
        eddsa.read_private(CURVE, ecc.generate("secp256r1").private)


@pytest.mark.parametrize("length", [0, 1, 15, 47])
def test_a_cut_key_is_not_imported(length: int) -> None:
    with pytest.raises(errors.IncorrectKeyMaterialError, match="no valid private key"):
        eddsa.read_private(CURVE, PAIR.private[:length])


def test_a_handle_is_given_for_an_ed25519_key_only() -> None:
    other = ecc.generate("secp256r1")
    with pytest.raises(errors.VaultTamperedError):
        eddsa.private_key(CURVE, other.private)
    with pytest.raises(errors.VaultTamperedError):
        eddsa.public_key(CURVE, other.public)
