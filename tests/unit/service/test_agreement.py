"""DeriveSharedSecret, Encapsulate, Decapsulate: two sides have one secret, and what no peer can make of it."""

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mlkem, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kmscli import errors
from kmscli.model.specs import ENCAPSULATE_DECAPSULATE, KEY_AGREEMENT, KEY_SPECS, SIGN_VERIFY
from tests import awsmodel
from tests.ring import CHEAPEST, Ring, algorithms, logged, usages

CURVES = dict(algorithms(KEY_AGREEMENT))
KEMS = dict(algorithms(ENCAPSULATE_DECAPSULATE))
SECRET_BYTES = {"ECC_NIST_P256": 32, "ECC_NIST_P384": 48, "ECC_NIST_P521": 66}
CIPHERTEXT_BYTES = {"ML_KEM_768": 1088, "ML_KEM_1024": 1568}
OPERATIONS = {
    "DeriveSharedSecret": KEY_AGREEMENT,
    "Encapsulate": ENCAPSULATE_DECAPSULATE,
    "Decapsulate": ENCAPSULATE_DECAPSULATE,
}
ANYTHING = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def spki(public: Any) -> bytes:
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert isinstance(der, bytes)
    return der


def derive(ring: Ring, key: str, peer: bytes) -> bytes:
    answer = ring.perform("DeriveSharedSecret", KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
    secret = answer.shared_secret
    assert isinstance(secret, bytes)
    return secret


def not_derived(ring: Ring, peer: bytes, spec: str = CHEAPEST[KEY_AGREEMENT]) -> errors.KmsError:
    key = ring.key(spec, KEY_AGREEMENT)
    return ring.refused("DeriveSharedSecret", KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_has_the_members_of_aws(ring: Ring, operation: str) -> None:
    assert awsmodel.answered(operation) == set(ring.answer(operation, **ring.request(operation)))


@pytest.mark.parametrize(
    ("spec", "usage", "operation"),
    [(*each, operation) for each in usages() for operation, wanted in OPERATIONS.items() if each[1] != wanted],
)
def test_a_key_for_something_else_is_refused(ring: Ring, spec: str, usage: str, operation: str) -> None:
    key = ring.key(spec, usage)
    error = ring.refused(operation, **ring.request(operation) | {"KeyId": key})
    assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
    assert f"{ring.arn(key)} key usage is {usage} which is not valid for {operation}." == error.message


# -- DeriveSharedSecret ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", CURVES)
def test_two_keys_of_the_vault_have_one_secret(ring: Ring, spec: str) -> None:
    ours, theirs = ring.key(spec, KEY_AGREEMENT), ring.key(spec, KEY_AGREEMENT, 1)
    secret = derive(ring, ours, ring.public_der(theirs))
    assert secret == derive(ring, theirs, ring.public_der(ours))
    assert SECRET_BYTES[spec] == len(secret)


@pytest.mark.parametrize("spec", CURVES)
def test_a_peer_outside_has_the_same_secret(ring: Ring, spec: str) -> None:
    key = ring.key(spec, KEY_AGREEMENT)
    public = ring.public(key)
    peer = ec.generate_private_key(public.curve)
    assert peer.exchange(ec.ECDH(), public) == derive(ring, key, spki(peer.public_key()))


@pytest.mark.parametrize("spec", CURVES)
def test_a_key_that_was_brought_derives_the_secret_of_its_owner(ring: Ring, spec: str) -> None:
    curve = ring.public(ring.key(spec, KEY_AGREEMENT)).curve
    own, peer = ec.generate_private_key(curve), ec.generate_private_key(curve)
    key = ring.bring(spec, KEY_AGREEMENT, own.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    answer = ring.answer(
        "DeriveSharedSecret", KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=spki(peer.public_key())
    )
    assert {
        "KeyId": ring.arn(key),
        "SharedSecret": own.exchange(ec.ECDH(), peer.public_key()),
        "KeyAgreementAlgorithm": "ECDH",
        "KeyOrigin": "EXTERNAL",
    } == answer


def test_an_answer_says_where_the_key_is_from(ring: Ring) -> None:
    answer = ring.answer("DeriveSharedSecret", **ring.request("DeriveSharedSecret"))
    del answer["SharedSecret"]
    key = ring.cheap(KEY_AGREEMENT)
    assert {"KeyId": ring.arn(key), "KeyAgreementAlgorithm": "ECDH", "KeyOrigin": "AWS_KMS"} == answer


def test_a_key_has_a_secret_with_itself_too(ring: Ring) -> None:
    key = ring.cheap(KEY_AGREEMENT)
    assert 32 == len(derive(ring, key, ring.public_der(key)))


@pytest.mark.parametrize("spec", CURVES)
def test_a_compressed_point_is_the_same_peer(ring: Ring, spec: str) -> None:
    key, public = ring.key(spec, KEY_AGREEMENT), ring.public(ring.key(spec, KEY_AGREEMENT, 1))
    point = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    outer = spki(public)[3 if spki(public)[1] == 0x81 else 2 :]
    algorithm = outer[: 2 + outer[1]]
    bits = b"\x03" + bytes([len(point) + 1]) + b"\0" + point
    compressed = b"\x30" + bytes([len(algorithm + bits)]) + algorithm + bits
    assert public == load_der_public_key(compressed)
    assert derive(ring, key, spki(public)) == derive(ring, key, compressed)


@pytest.mark.parametrize(
    ("spec", "other"),
    [(spec, other) for spec in CURVES for other, row in KEY_SPECS.items() if row.family == "ecc" and other != spec],
)
def test_a_peer_on_another_curve_is_refused(ring: Ring, spec: str, other: str) -> None:
    error = not_derived(ring, ring.public_der(ring.key(other, SIGN_VERIFY)), spec)
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert f"on the curve {KEY_SPECS[other].parameter}, and the KMS key on {KEY_SPECS[spec].parameter}" in error.message


def test_a_curve_that_no_key_here_has_is_refused(ring: Ring) -> None:
    for curve in (ec.BrainpoolP256R1(), ec.SECP224R1()):
        error = not_derived(ring, spki(ec.generate_private_key(curve).public_key()))
        assert "ValidationException" == error.code


P256_HEADER = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
"""AlgorithmIdentifier of secp256r1."""
GENERATOR = (
    ec.derive_private_key(1, ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1


def of_point(point: bytes) -> bytes:
    """SubjectPublicKeyInfo of what is said to be a point of secp256r1."""
    bits = b"\x03" + bytes([len(point) + 1]) + b"\0" + point
    return b"\x30" + bytes([len(P256_HEADER + bits)]) + P256_HEADER + bits


NO_PEERS = {
    "text": b"not a key",
    "PEM": b"-----BEGIN PUBLIC KEY-----\n",
    "a bare point": GENERATOR,
    "the point at infinity": of_point(b"\0"),
    "the point at infinity, long": of_point(b"\0" * 65),
    "the point 0, 0": of_point(b"\x04" + bytes(64)),
    "a point beside the curve": of_point(GENERATOR[:-1] + bytes([GENERATOR[-1] ^ 1])),
    "a coordinate above the field": of_point(b"\x04" + FIELD.to_bytes(32, "big") + GENERATOR[33:]),
    "a compressed point without a y": of_point(b"\x02" + (1).to_bytes(32, "big")),
    "a hybrid point of the wrong sign": of_point(bytes([6 | (GENERATOR[-1] & 1 ^ 1)]) + GENERATOR[1:]),
    "a cut point": of_point(GENERATOR[:-1]),
    "no point": of_point(b""),
    "a key with an appended byte": of_point(GENERATOR) + b"\0",
    "a cut key": of_point(GENERATOR)[:-1],
    "zeros": bytes(91),
    "as many bytes as there may be": b"\x30" * 8192,
}
NO_KIND = {
    "X25519": x25519.X25519PrivateKey.generate,
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "DSA": lambda: dsa.generate_private_key(2048),
    "ML-KEM": mlkem.MLKEM768PrivateKey.generate,
}


@pytest.mark.parametrize("peer", NO_PEERS.values(), ids=NO_PEERS)
def test_what_is_no_peer_is_refused(ring: Ring, peer: bytes) -> None:
    error = not_derived(ring, peer)
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert error.message.startswith("PublicKey is no valid public key in SubjectPublicKeyInfo DER")


@pytest.mark.parametrize("kind", NO_KIND)
def test_a_public_key_of_another_kind_is_refused(ring: Ring, kind: str) -> None:
    error = not_derived(ring, spki(NO_KIND[kind]().public_key()))
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert "PublicKey is no public key of an elliptic curve of NIST" == error.message


@pytest.mark.parametrize("size", [0, 8193])
def test_a_public_key_has_1_to_8192_bytes(ring: Ring, size: int) -> None:
    assert "at 'publicKey'" in not_derived(ring, bytes(size)).message


@given(peer=st.binary(min_size=1, max_size=200))
@ANYTHING
def test_any_bytes_are_no_peer(ring: Ring, peer: bytes) -> None:
    assert "ValidationException" == not_derived(ring, peer).code


@pytest.mark.parametrize("spec", CURVES)
@given(place=st.integers(0, 10_000), flips=st.integers(1, 255))
@ANYTHING
def test_a_changed_public_key_is_refused_or_another_peer(ring: Ring, spec: str, place: int, flips: int) -> None:
    key = ring.key(spec, KEY_AGREEMENT)
    peer = bytearray(ring.public_der(ring.key(spec, KEY_AGREEMENT, 1)))
    secret = derive(ring, key, bytes(peer))
    peer[place % len(peer)] ^= flips
    try:
        other = derive(ring, key, bytes(peer))
    except errors.ValidationError:
        return
    # A point can be written in a second way with its sign, which changes nothing.
    assert (secret == other) == (load_der_public_key(bytes(peer)) == ring.public(ring.key(spec, KEY_AGREEMENT, 1)))


def test_an_agreement_that_is_not_aws_s_is_refused(ring: Ring) -> None:
    error = ring.refused(
        "DeriveSharedSecret", **ring.request("DeriveSharedSecret") | {"KeyAgreementAlgorithm": "X25519"}
    )
    assert error.message.endswith("Member must satisfy enum value set: [ECDH]")


# -- Encapsulate, Decapsulate ------------------------------------------------------------------------------------------


def encapsulate(ring: Ring, key: str) -> tuple[bytes, bytes]:
    answer = ring.perform("Encapsulate", KeyId=key, EncapsulationAlgorithm="ML_KEM")
    return answer.shared_secret, answer.shared_secret_ciphertext_blob


def decapsulate(ring: Ring, key: str, ciphertext: bytes) -> bytes:
    secret = ring.perform(
        "Decapsulate", KeyId=key, SharedSecretCiphertextBlob=ciphertext, EncapsulationAlgorithm="ML_KEM"
    ).shared_secret
    assert isinstance(secret, bytes)
    return secret


@pytest.mark.parametrize("spec", KEMS)
def test_a_secret_comes_back_out_of_its_ciphertext(ring: Ring, spec: str) -> None:
    key = ring.key(spec, ENCAPSULATE_DECAPSULATE)
    made = ring.answer("Encapsulate", KeyId=key, EncapsulationAlgorithm="ML_KEM")
    secret, ciphertext = made.pop("SharedSecret"), made.pop("SharedSecretCiphertextBlob")
    assert {"KeyId": ring.arn(key), "EncapsulationAlgorithm": "ML_KEM"} == made
    assert (32, CIPHERTEXT_BYTES[spec]) == (len(secret), len(ciphertext))
    opened = ring.answer(
        "Decapsulate", KeyId=key, SharedSecretCiphertextBlob=ciphertext, EncapsulationAlgorithm="ML_KEM"
    )
    assert {"KeyId": ring.arn(key), "SharedSecret": secret, "EncapsulationAlgorithm": "ML_KEM"} == opened


@pytest.mark.parametrize("spec", KEMS)
def test_each_secret_is_new(ring: Ring, spec: str) -> None:
    key = ring.key(spec, ENCAPSULATE_DECAPSULATE)
    assert 6 == len({part for _ in range(3) for part in encapsulate(ring, key)})


@pytest.mark.parametrize("spec", KEMS)
def test_whoever_has_the_public_key_encapsulates_outside(ring: Ring, spec: str) -> None:
    key = ring.key(spec, ENCAPSULATE_DECAPSULATE)
    secret, ciphertext = ring.public(key).encapsulate()
    assert secret == decapsulate(ring, key, ciphertext)


@pytest.mark.parametrize("place", [0, 700, -1])
@pytest.mark.parametrize("spec", KEMS)
def test_a_changed_ciphertext_is_rejected_without_saying_so(ring: Ring, spec: str, place: int) -> None:
    key = ring.key(spec, ENCAPSULATE_DECAPSULATE)
    secret, ciphertext = encapsulate(ring, key)
    changed = bytearray(ciphertext)
    changed[place] ^= 1
    rejected = decapsulate(ring, key, bytes(changed))
    assert 32 == len(rejected)
    assert secret != rejected
    assert rejected == decapsulate(ring, key, bytes(changed))


@pytest.mark.parametrize("spec", KEMS)
def test_a_rejected_secret_is_that_of_fips_203(ring: Ring, spec: str) -> None:
    # Algorithm 18, step 7: J(z, c), SHAKE256 of both; z is the second half of the seed, at the end of the material.
    key = ring.key(spec, ENCAPSULATE_DECAPSULATE)
    forged = bytes(CIPHERTEXT_BYTES[spec])
    expected = hashlib.shake_256(ring.material(key)[-32:] + forged).digest(32)
    assert expected == decapsulate(ring, key, forged)


@pytest.mark.parametrize("spec", KEMS)
def test_another_key_gets_another_secret(ring: Ring, spec: str) -> None:
    secret, ciphertext = encapsulate(ring, ring.key(spec, ENCAPSULATE_DECAPSULATE))
    assert secret != decapsulate(ring, ring.key(spec, ENCAPSULATE_DECAPSULATE, 1), ciphertext)


@pytest.mark.parametrize("spec", KEMS)
def test_a_ciphertext_of_another_length_is_refused(ring: Ring, spec: str) -> None:
    size = CIPHERTEXT_BYTES[spec]
    members = {"KeyId": ring.key(spec, ENCAPSULATE_DECAPSULATE), "EncapsulationAlgorithm": "ML_KEM"}
    for length in {1, size - 1, size + 1, 2 * size, 6144, *CIPHERTEXT_BYTES.values()} - {size}:
        error = ring.refused("Decapsulate", **members, SharedSecretCiphertextBlob=bytes(length))
        assert ("InvalidCiphertextException", 40) == (error.code, error.exit_code)
        assert "the ciphertext is damaged, or was made for another key or algorithm" == error.message


@pytest.mark.parametrize("size", [0, 6145])
def test_a_ciphertext_of_an_impossible_length_is_refused(ring: Ring, size: int) -> None:
    error = ring.refused("Decapsulate", **ring.request("Decapsulate") | {"SharedSecretCiphertextBlob": bytes(size)})
    assert "ValidationException" == error.code


@pytest.mark.parametrize("spec", KEMS)
@given(ciphertext=st.binary(min_size=1, max_size=2000))
@ANYTHING
def test_any_bytes_of_another_length_are_no_ciphertext(ring: Ring, spec: str, ciphertext: bytes) -> None:
    assume(len(ciphertext) != CIPHERTEXT_BYTES[spec])
    members = {"KeyId": ring.key(spec, ENCAPSULATE_DECAPSULATE), "EncapsulationAlgorithm": "ML_KEM"}
    error = ring.refused("Decapsulate", **members, SharedSecretCiphertextBlob=ciphertext)
    assert "InvalidCiphertextException" == error.code


@pytest.mark.parametrize("spec", KEMS)
@given(seed=st.binary(max_size=8))
@ANYTHING
def test_any_bytes_of_the_right_length_give_a_secret(ring: Ring, spec: str, seed: bytes) -> None:
    ciphertext = hashlib.shake_256(seed).digest(CIPHERTEXT_BYTES[spec])
    assert 32 == len(decapsulate(ring, ring.key(spec, ENCAPSULATE_DECAPSULATE), ciphertext))


@pytest.mark.parametrize("operation", ["Encapsulate", "Decapsulate"])
def test_an_encapsulation_that_is_not_aws_s_is_refused(ring: Ring, operation: str) -> None:
    error = ring.refused(operation, **ring.request(operation) | {"EncapsulationAlgorithm": "ML_KEM_768"})
    assert error.message.endswith("Member must satisfy enum value set: [ML_KEM]")


# -- the log -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", CURVES)
def test_a_derived_secret_is_not_in_the_log(ring: Ring, spec: str) -> None:
    key, peer = ring.key(spec, KEY_AGREEMENT), ring.public_der(ring.key(spec, KEY_AGREEMENT, 1))
    assert [] == logged(ring, derive(ring, key, peer), peer, ring.material(key)[-80:])
    line = ring.lines()[-1]
    assert {"keyId": key, "keyAgreementAlgorithm": "ECDH"} == line["requestParameters"]
    assert line["responseElements"] is None


@pytest.mark.parametrize("spec", KEMS)
def test_an_encapsulated_secret_is_not_in_the_log(ring: Ring, spec: str) -> None:
    key = ring.key(spec, ENCAPSULATE_DECAPSULATE)
    secret, ciphertext = encapsulate(ring, key)
    decapsulate(ring, key, ciphertext)
    assert [] == logged(ring, secret, ciphertext, ciphertext[:40], ring.material(key)[-64:])
    assert {"keyId": key, "encapsulationAlgorithm": "ML_KEM"} == ring.lines()[-1]["requestParameters"]
