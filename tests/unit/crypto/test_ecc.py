"""ECDSA and ECDH: signatures round, peers checked, imported keys in one encoding."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from kmscli import errors
from kmscli.crypto import ecc
from kmscli.model.specs import SIGNING_ALGORITHMS

CURVES = {
    "secp256r1": SIGNING_ALGORITHMS["ECDSA_SHA_256"],
    "secp384r1": SIGNING_ALGORITHMS["ECDSA_SHA_384"],
    "secp521r1": SIGNING_ALGORITHMS["ECDSA_SHA_512"],
    "secp256k1": SIGNING_ALGORITHMS["ECDSA_SHA_256"],
}
FIELD_BYTES = {"secp256r1": 32, "secp384r1": 48, "secp521r1": 66, "secp256k1": 32}
ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PAIRS = {curve: ecc.generate(curve) for curve in CURVES}
P256 = CURVES["secp256r1"]
SIGNATURE = ecc.private_key("secp256r1", PAIRS["secp256r1"].private).sign(b"message", P256, "RAW")
PUBLIC = ecc.public_key("secp256r1", PAIRS["secp256r1"].public)
UNCOMPRESSED = PAIRS["secp256r1"].public[-65:]
HEADER = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
"""AlgorithmIdentifier of secp256r1."""


def spki(point: bytes) -> bytes:
    """SubjectPublicKeyInfo of an encoded point that is said to be on secp256r1."""
    bits = b"\x03" + bytes([len(point) + 1]) + b"\0" + point
    return b"\x30" + bytes([len(HEADER) + len(bits)]) + HEADER + bits


def private_of(curve: str) -> ec.EllipticCurvePrivateKey:
    key = load_der_private_key(PAIRS[curve].private, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


@pytest.mark.parametrize("curve", CURVES)
def test_a_signature_holds(curve: str) -> None:
    signature = ecc.private_key(curve, PAIRS[curve].private).sign(b"message", CURVES[curve], "RAW")
    ecc.public_key(curve, PAIRS[curve].public).verify(b"message", signature, CURVES[curve], "RAW")


@pytest.mark.parametrize("curve", CURVES)
def test_signing_the_digest_is_signing_the_message(curve: str) -> None:
    row = CURVES[curve]
    digest = hashlib.new(row.hash, b"message").digest()
    private, public = ecc.private_key(curve, PAIRS[curve].private), ecc.public_key(curve, PAIRS[curve].public)
    public.verify(b"message", private.sign(digest, row, "DIGEST"), row, "RAW")
    public.verify(digest, private.sign(b"message", row, "RAW"), row, "DIGEST")


def test_a_digest_that_is_longer_than_the_order_is_truncated() -> None:
    row = SIGNING_ALGORITHMS["ECDSA_SHA_512"]
    digest = hashlib.sha512(b"message").digest()
    signature = ecc.private_key("secp256r1", PAIRS["secp256r1"].private).sign(digest, row, "DIGEST")
    PUBLIC.verify(digest, signature, row, "DIGEST")
    PUBLIC.verify(digest[:32], signature, P256, "DIGEST")


def test_no_two_signatures_are_alike() -> None:
    private = ecc.private_key("secp256r1", PAIRS["secp256r1"].private)
    assert SIGNATURE != private.sign(b"message", P256, "RAW")


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4, 20, 35, 36, 37, 38, 39, 50, -1])
def test_a_changed_bit_of_a_signature_is_refused(place: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[place] ^= 1
    with pytest.raises(errors.InvalidSignatureError):
        PUBLIC.verify(b"message", bytes(changed), P256, "RAW")


@pytest.mark.parametrize("length", [0, 1, 2, 4, 30, 36, 38, 64, -1])
def test_a_cut_signature_is_refused(length: int) -> None:
    with pytest.raises(errors.InvalidSignatureError):
        PUBLIC.verify(b"message", SIGNATURE[:length], P256, "RAW")


R, S = decode_dss_signature(SIGNATURE)
NO_SIGNATURES = {
    "an appended byte": SIGNATURE + b"\0",
    "r and s without DER": R.to_bytes(32, "big") + S.to_bytes(32, "big"),
    "a length in the long form": SIGNATURE[:1] + b"\x81" + SIGNATURE[1:],
    "r is zero": encode_dss_signature(0, S),
    "s is zero": encode_dss_signature(R, 0),
    "both are zero": encode_dss_signature(0, 0),
    "r is the order": encode_dss_signature(ORDER_P256, S),
    "s is the order": encode_dss_signature(R, ORDER_P256),
    "s is larger by the order": encode_dss_signature(R, S + ORDER_P256),
    "r and s exchanged": encode_dss_signature(S, R),
    "text": b"not a signature at all",
}


@pytest.mark.parametrize("signature", NO_SIGNATURES.values(), ids=NO_SIGNATURES)
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(errors.InvalidSignatureError):
        PUBLIC.verify(b"message", signature, P256, "RAW")


def test_a_signature_does_not_hold_for_another_message_or_key() -> None:
    with pytest.raises(errors.InvalidSignatureError):
        PUBLIC.verify(b"Message", SIGNATURE, P256, "RAW")
    with pytest.raises(errors.InvalidSignatureError):
        ecc.public_key("secp256r1", ecc.generate("secp256r1").public).verify(b"message", SIGNATURE, P256, "RAW")


@pytest.mark.parametrize("curve", CURVES)
def test_a_digest_of_another_length_is_a_validation_error(curve: str) -> None:
    with pytest.raises(errors.ValidationError):
        ecc.private_key(curve, PAIRS[curve].private).sign(b"short", CURVES[curve], "DIGEST")
    with pytest.raises(errors.ValidationError):
        ecc.public_key(curve, PAIRS[curve].public).verify(b"short", SIGNATURE, CURVES[curve], "DIGEST")


@pytest.mark.parametrize("curve", CURVES)
def test_two_parties_derive_one_secret_of_the_length_of_the_field(curve: str) -> None:
    other = ecc.generate(curve)
    ours = ecc.private_key(curve, PAIRS[curve].private).derive(other.public)
    assert ours == ecc.private_key(curve, other.private).derive(PAIRS[curve].public)
    assert FIELD_BYTES[curve] == len(ours)


def test_leading_zeros_of_a_secret_are_kept() -> None:
    ours = ecc.private_key("secp256r1", PAIRS["secp256r1"].private)
    secrets = (ours.derive(ecc.generate("secp256r1").public) for _ in range(5000))
    assert 32 == len(next(secret for secret in secrets if secret[0] == 0))


@pytest.mark.parametrize("curve", [curve for curve in CURVES if curve != "secp256r1"])
def test_a_peer_on_another_curve_is_named(curve: str) -> None:
    with pytest.raises(errors.ValidationError, match=f"on the curve {curve}, and the KMS key on secp256r1"):
        ecc.private_key("secp256r1", PAIRS["secp256r1"].private).derive(PAIRS[curve].public)


X, Y = UNCOMPRESSED[1:33], UNCOMPRESSED[33:]
NO_PEERS = {
    "nothing": b"",
    "text": b"not a key",
    "a bare point": UNCOMPRESSED,
    "a private key": PAIRS["secp256r1"].private,
    "a point off the curve": spki(b"\x04" + X + Y[:-1] + bytes([Y[-1] ^ 1])),
    "the point 0, 0": spki(b"\x04" + bytes(64)),
    "the point at infinity": spki(b"\0"),
    "a coordinate that is no element of the field": spki(b"\x04" + b"\xff" * 64),
    "a cut point": spki(UNCOMPRESSED[:-1]),
    "an appended byte": PAIRS["secp256r1"].public + b"\0",
    "an Ed25519 key": ed25519.Ed25519PrivateKey.generate()
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
}


@pytest.mark.parametrize("peer", NO_PEERS.values(), ids=NO_PEERS)
def test_what_is_no_peer_is_a_validation_error(peer: bytes) -> None:
    with pytest.raises(errors.ValidationError, match="PublicKey is no "):
        ecc.private_key("secp256r1", PAIRS["secp256r1"].private).derive(peer)


def test_a_compressed_point_of_a_peer_is_the_same_peer() -> None:
    ours = ecc.private_key("secp256r1", PAIRS["secp256r1"].private)
    peer = load_der_public_key(ecc.generate("secp256r1").public)
    assert isinstance(peer, ec.EllipticCurvePublicKey)
    compressed = spki(peer.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    assert ours.derive(peer.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)) == ours.derive(compressed)


@pytest.mark.parametrize("curve", CURVES)
def test_an_own_key_is_imported_as_it_is(curve: str) -> None:
    assert PAIRS[curve] == ecc.read_private(curve, PAIRS[curve].private)


def test_a_key_without_its_public_point_is_imported_as_the_same_bytes() -> None:
    secret = private_of("secp256r1").private_numbers().private_value.to_bytes(32, "big")
    sec1 = bytes.fromhex("30250201010420") + secret
    body = bytes.fromhex("020100") + HEADER + b"\x04\x27" + sec1
    bare = b"\x30" + bytes([len(body)]) + body
    assert PAIRS["secp256r1"] == ecc.read_private("secp256r1", bare)


@pytest.mark.parametrize("curve", [curve for curve in CURVES if curve != "secp256r1"])
def test_a_key_on_another_curve_is_not_imported(curve: str) -> None:
    with pytest.raises(errors.IncorrectKeyMaterialError, match="but not an elliptic curve key on secp256r1"):
        ecc.read_private("secp256r1", PAIRS[curve].private)


def test_a_key_with_the_public_point_of_another_is_not_imported() -> None:
    mixed = PAIRS["secp256r1"].private.replace(UNCOMPRESSED, ecc.generate("secp256r1").public[-65:])
    with pytest.raises(errors.IncorrectKeyMaterialError, match="no valid private key"):
        ecc.read_private("secp256r1", mixed)


@pytest.mark.parametrize("secret", [0, ORDER_P256])
def test_a_secret_out_of_range_is_not_imported(secret: int) -> None:
    numbers = private_of("secp256r1").private_numbers()
    own = numbers.private_value.to_bytes(32, "big")
    wrong = PAIRS["secp256r1"].private.replace(own, secret.to_bytes(32, "big"))
    with pytest.raises(errors.IncorrectKeyMaterialError, match="no valid private key"):
        ecc.read_private("secp256r1", wrong)


def test_the_older_encoding_of_sec1_is_not_imported() -> None:
    der = private_of("secp256r1").private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    with pytest.raises(errors.IncorrectKeyMaterialError, match="no valid private key"):
        ecc.read_private("secp256r1", der)


def test_a_handle_is_given_for_a_key_on_its_curve_only() -> None:
    with pytest.raises(errors.VaultTamperedError):
        ecc.private_key("secp384r1", PAIRS["secp256r1"].private)
    with pytest.raises(errors.VaultTamperedError):
        ecc.public_key("secp256k1", PAIRS["secp256r1"].public)
