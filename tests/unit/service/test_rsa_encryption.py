"""Encrypt, Decrypt, ReEncrypt under RSA keys, and between these and symmetric ones."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscli import errors
from kmscli.model.specs import ENCRYPT_DECRYPT, KEY_SPECS, SIGN_VERIFY, SYMMETRIC
from tests import awsmodel
from tests.ring import MESSAGE, Ring, algorithms, logged

SHA_1, SHA_256 = "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"
CIPHERS = [each for each in algorithms(ENCRYPT_DECRYPT) if KEY_SPECS[each[0]].asymmetric]
SMALLEST = "RSA_2048"
# AWS KMS API reference, Encrypt: "the maximum size of the data".
MOST = {
    ("RSA_2048", SHA_1): 214,
    ("RSA_2048", SHA_256): 190,
    ("RSA_3072", SHA_1): 342,
    ("RSA_3072", SHA_256): 318,
    ("RSA_4096", SHA_1): 470,
    ("RSA_4096", SHA_256): 446,
}
BYTES = {"RSA_2048": 256, "RSA_3072": 384, "RSA_4096": 512}
ANYTHING = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def encrypt(ring: Ring, key: str, name: str, plaintext: bytes = MESSAGE) -> bytes:
    blob = ring.perform("Encrypt", KeyId=key, Plaintext=plaintext, EncryptionAlgorithm=name).ciphertext_blob
    assert isinstance(blob, bytes)
    return blob


def decrypt(ring: Ring, key: str, name: str, ciphertext: bytes) -> bytes:
    plaintext = ring.perform("Decrypt", KeyId=key, CiphertextBlob=ciphertext, EncryptionAlgorithm=name).plaintext
    assert isinstance(plaintext, bytes)
    return plaintext


def refusal(ring: Ring, key: str, name: str, ciphertext: bytes) -> tuple[str, int, str, str, BaseException | None]:
    error = ring.refused("Decrypt", KeyId=key, CiphertextBlob=ciphertext, EncryptionAlgorithm=name)
    return (error.code, error.exit_code, error.message, error.hint, error.__cause__)


UNREADABLE = (
    "InvalidCiphertextException",
    40,
    "the ciphertext is damaged, or was made for another key or algorithm",
    "",
    None,
)
"""What is told of any ciphertext that does not open; no cause stays attached either."""


# -- Encrypt, Decrypt --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "name"), CIPHERS)
def test_what_is_encrypted_decrypts(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, ENCRYPT_DECRYPT)
    made = ring.answer("Encrypt", KeyId=key, Plaintext=MESSAGE, EncryptionAlgorithm=name)
    blob = made.pop("CiphertextBlob")
    assert BYTES[spec] == len(blob)
    assert {"KeyId": ring.arn(key), "EncryptionAlgorithm": name} == made
    opened = ring.answer("Decrypt", KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=name)
    assert {"KeyId": ring.arn(key), "Plaintext": MESSAGE, "EncryptionAlgorithm": name} == opened


def test_the_material_of_an_rsa_key_has_no_id_in_an_answer(ring: Ring) -> None:
    key = ring.key(SMALLEST, ENCRYPT_DECRYPT)
    blob = encrypt(ring, key, SHA_1)
    opened = ring.answer("Decrypt", KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=SHA_1)
    assert awsmodel.answered("Decrypt") - {"KeyMaterialId"} == set(opened)


@pytest.mark.parametrize(("spec", "name"), CIPHERS)
def test_the_largest_plaintext_is_that_of_aws(ring: Ring, spec: str, name: str) -> None:
    key, most = ring.key(spec, ENCRYPT_DECRYPT), MOST[spec, name]
    for size in (1, most):
        assert bytes(size) == decrypt(ring, key, name, encrypt(ring, key, name, bytes(size)))
    error = ring.refused("Encrypt", KeyId=key, Plaintext=bytes(most + 1), EncryptionAlgorithm=name)
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert f"Algorithm {name} and key spec {spec} cannot encrypt data larger than {most} bytes." == error.message
    assert "encrypt a data key" in error.hint


@pytest.mark.parametrize(("spec", "name"), CIPHERS)
def test_nothing_is_encrypted_twice_alike(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, ENCRYPT_DECRYPT)
    assert encrypt(ring, key, name) != encrypt(ring, key, name)


@pytest.mark.parametrize(("spec", "name"), CIPHERS)
def test_whoever_has_the_public_key_encrypts_outside(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, ENCRYPT_DECRYPT)
    chosen: hashes.HashAlgorithm = hashes.SHA1() if name == SHA_1 else hashes.SHA256()  # noqa: S303 - AWS's name
    ciphertext = ring.public(key).encrypt(MESSAGE, padding.OAEP(padding.MGF1(chosen), chosen, None))
    assert MESSAGE == decrypt(ring, key, name, ciphertext)


@pytest.mark.parametrize(("spec", "name"), CIPHERS)
def test_whatever_makes_a_ciphertext_unreadable_is_told_in_the_same_words(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, ENCRYPT_DECRYPT)
    blob = encrypt(ring, key, name)
    first, middle, last = (bytearray(blob) for _ in range(3))
    first[0] ^= 0x80
    middle[len(blob) // 2] ^= 1
    last[-1] ^= 1
    other = encrypt(ring, key, SHA_1 if name == SHA_256 else SHA_256)
    modulus = ring.public(key).public_numbers().n.to_bytes(len(blob), "big")
    bad = [bytes(first), bytes(middle), bytes(last), other, blob[:-1], blob[1:], blob + b"\0", b"\0" + blob, b"x"]
    bad += [bytes(len(blob)), b"\0" * (len(blob) - 1) + b"\x01", b"\xff" * len(blob), modulus, bytes(6144)]
    assert {UNREADABLE} == {refusal(ring, key, name, ciphertext) for ciphertext in bad}


def test_another_key_does_not_decrypt(ring: Ring) -> None:
    blob = encrypt(ring, ring.key(SMALLEST, ENCRYPT_DECRYPT), SHA_256)
    assert UNREADABLE == refusal(ring, ring.key(SMALLEST, ENCRYPT_DECRYPT, 1), SHA_256, blob)


def test_another_padding_and_another_label_do_not_decrypt(ring: Ring) -> None:
    key = ring.key(SMALLEST, ENCRYPT_DECRYPT)
    labelled = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"label")
    mixed = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA256(), None)  # noqa: S303 - a mistake in use
    for wrong in (padding.PKCS1v15(), labelled, mixed):
        assert UNREADABLE == refusal(ring, key, SHA_256, ring.public(key).encrypt(MESSAGE, wrong))


@pytest.mark.parametrize("name", [SHA_1, SHA_256])
@given(ciphertext=st.binary(min_size=1, max_size=300) | st.binary(min_size=256, max_size=256))
@ANYTHING
def test_any_bytes_are_no_ciphertext(ring: Ring, name: str, ciphertext: bytes) -> None:
    assert UNREADABLE == refusal(ring, ring.key(SMALLEST, ENCRYPT_DECRYPT), name, ciphertext)


# -- what does not fit -------------------------------------------------------------------------------------------------


def test_a_ciphertext_of_an_rsa_key_does_not_name_it(ring: Ring) -> None:
    blob = encrypt(ring, ring.key(SMALLEST, ENCRYPT_DECRYPT), SHA_256)
    error = ring.refused("Decrypt", CiphertextBlob=blob, EncryptionAlgorithm=SHA_256)
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert "a ciphertext of an asymmetric key does not name its key: KeyId is required" == error.message


@pytest.mark.parametrize("name", [SHA_1, SHA_256])
def test_an_rsa_key_takes_no_encryption_context(ring: Ring, name: str) -> None:
    key = ring.key(SMALLEST, ENCRYPT_DECRYPT)
    blob = encrypt(ring, key, name)
    asked: dict[str, dict[str, Any]] = {"Encrypt": {"Plaintext": b"x"}, "Decrypt": {"CiphertextBlob": blob}}
    for operation, members in asked.items():
        given = {"KeyId": key, "EncryptionAlgorithm": name, **members}
        error = ring.refused(operation, **given, EncryptionContext={"a": "b"})
        assert ("ValidationException", 2) == (error.code, error.exit_code)
        assert "an encryption context is supported only by symmetric encryption keys" == error.message
        ring.perform(operation, **given, EncryptionContext={})


@pytest.mark.parametrize("operation", ["Encrypt", "Decrypt"])
def test_an_rsa_key_needs_its_algorithm_to_be_named(ring: Ring, operation: str) -> None:
    request = ring.request(operation) | {"KeyId": ring.key(SMALLEST, ENCRYPT_DECRYPT)}
    for named in ({}, {"EncryptionAlgorithm": SYMMETRIC}):
        error = ring.refused(operation, **request, **named)
        assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
        assert f"Algorithm SYMMETRIC_DEFAULT is incompatible with key spec {SMALLEST}." == error.message
        assert "this key has RSAES_OAEP_SHA_1 and RSAES_OAEP_SHA_256" == error.hint


@pytest.mark.parametrize("operation", ["Encrypt", "Decrypt"])
@pytest.mark.parametrize("name", [SHA_1, SHA_256])
def test_a_symmetric_key_has_no_algorithm_of_rsa(ring: Ring, operation: str, name: str) -> None:
    error = ring.refused(operation, **ring.request(operation), EncryptionAlgorithm=name)
    assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
    assert f"Algorithm {name} is incompatible with key spec SYMMETRIC_DEFAULT." == error.message


@pytest.mark.parametrize("operation", ["Encrypt", "Decrypt"])
@pytest.mark.parametrize("spec", BYTES)
def test_an_rsa_key_that_signs_does_not_encrypt(ring: Ring, spec: str, operation: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    error = ring.refused(operation, **ring.request(operation) | {"KeyId": key}, EncryptionAlgorithm=SHA_256)
    assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
    assert f"{ring.arn(key)} key usage is SIGN_VERIFY which is not valid for {operation}." == error.message


@pytest.mark.parametrize("operation", ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"])
@pytest.mark.parametrize("spec", BYTES)
def test_no_data_key_is_made_under_an_rsa_key(ring: Ring, spec: str, operation: str) -> None:
    key = ring.key(spec, ENCRYPT_DECRYPT)
    error = ring.refused(operation, **ring.request(operation) | {"KeyId": key})
    assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
    assert f"{ring.arn(key)} key spec is {spec} which is not valid for {operation}." == error.message


def test_a_blob_that_names_an_rsa_key_was_made_up(ring: Ring) -> None:
    key, other = ring.key(SYMMETRIC, ENCRYPT_DECRYPT), ring.key(SMALLEST, ENCRYPT_DECRYPT)
    blob = ring.perform("Encrypt", KeyId=key, Plaintext=MESSAGE).ciphertext_blob
    ids = [bytes.fromhex(name.replace("-", "")) for name in (key, other)]
    assert ids[0] in blob
    error = ring.refused("Decrypt", CiphertextBlob=blob.replace(*ids))
    assert ("InvalidCiphertextException", 40) == (error.code, error.exit_code)


# -- ReEncrypt ---------------------------------------------------------------------------------------------------------

WAYS = [
    ((SYMMETRIC, SYMMETRIC), (SMALLEST, SHA_1)),
    ((SYMMETRIC, SYMMETRIC), (SMALLEST, SHA_256)),
    ((SMALLEST, SHA_1), (SYMMETRIC, SYMMETRIC)),
    ((SMALLEST, SHA_256), (SYMMETRIC, SYMMETRIC)),
    ((SMALLEST, SHA_256), (SMALLEST, SHA_1)),
    ((SMALLEST, SHA_1), ("RSA_3072", SHA_256)),
]


@pytest.mark.parametrize(("source", "destination"), WAYS)
def test_a_ciphertext_moves_between_keys(ring: Ring, source: tuple[str, str], destination: tuple[str, str]) -> None:
    before, after = (ring.key(spec, ENCRYPT_DECRYPT) for spec, _ in (source, destination))
    moved = ring.answer(
        "ReEncrypt",
        SourceKeyId=before,
        CiphertextBlob=encrypt(ring, before, source[1]),
        SourceEncryptionAlgorithm=source[1],
        DestinationKeyId=after,
        DestinationEncryptionAlgorithm=destination[1],
    )
    assert MESSAGE == decrypt(ring, after, destination[1], moved.pop("CiphertextBlob"))
    materials = {"SourceKeyMaterialId": before, "DestinationKeyMaterialId": after}
    expected = {
        name: ring.perform("DescribeKey", KeyId=key).key_metadata.current_key_material_id
        for name, key in materials.items()
        if key == ring.key(SYMMETRIC, ENCRYPT_DECRYPT)
    }
    expected |= {"SourceKeyId": ring.arn(before), "KeyId": ring.arn(after)}
    expected |= {"SourceEncryptionAlgorithm": source[1], "DestinationEncryptionAlgorithm": destination[1]}
    assert expected == moved


def to_rsa(ring: Ring, plaintext: bytes, **members: object) -> dict[str, Any]:
    """A request that moves a plaintext from a symmetric key to an RSA key."""
    blob = encrypt(ring, ring.key(SYMMETRIC, ENCRYPT_DECRYPT), SYMMETRIC, plaintext)
    destination = {"DestinationKeyId": ring.key(SMALLEST, ENCRYPT_DECRYPT), "DestinationEncryptionAlgorithm": SHA_1}
    return {"CiphertextBlob": blob, **destination, **members}


def from_rsa(ring: Ring, **members: object) -> dict[str, Any]:
    """A request that moves a plaintext from an RSA key to a symmetric key."""
    key = ring.key(SMALLEST, ENCRYPT_DECRYPT)
    source = {"SourceKeyId": key, "SourceEncryptionAlgorithm": SHA_1, "CiphertextBlob": encrypt(ring, key, SHA_1)}
    return {**source, "DestinationKeyId": ring.key(SYMMETRIC, ENCRYPT_DECRYPT), **members}


def test_a_plaintext_too_long_for_the_destination_is_refused(ring: Ring) -> None:
    ring.perform("ReEncrypt", **to_rsa(ring, bytes(214)))
    error = ring.refused("ReEncrypt", **to_rsa(ring, bytes(215)))
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert "cannot encrypt data larger than 214 bytes" in error.message


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"SourceKeyId": None}, "ValidationException"),
        ({"SourceEncryptionAlgorithm": None}, "InvalidKeyUsageException"),
        ({"SourceEncryptionAlgorithm": SHA_256}, "InvalidCiphertextException"),
        ({"SourceEncryptionContext": {"a": "b"}}, "ValidationException"),
        ({"DestinationEncryptionAlgorithm": SHA_1}, "InvalidKeyUsageException"),
        ({"CiphertextBlob": b"x"}, "InvalidCiphertextException"),
    ],
)
def test_what_does_not_fit_an_rsa_source_is_refused(ring: Ring, members: dict[str, Any], code: str) -> None:
    assert code == ring.refused("ReEncrypt", **from_rsa(ring, **members)).code


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"DestinationEncryptionAlgorithm": None}, "InvalidKeyUsageException"),
        ({"DestinationEncryptionContext": {"a": "b"}}, "ValidationException"),
        ({"SourceEncryptionAlgorithm": SHA_1}, "ValidationException"),
    ],
)
def test_what_does_not_fit_an_rsa_destination_is_refused(ring: Ring, members: dict[str, Any], code: str) -> None:
    assert code == ring.refused("ReEncrypt", **to_rsa(ring, MESSAGE, **members)).code


def test_a_destination_that_signs_is_refused(ring: Ring) -> None:
    key = ring.key(SMALLEST, SIGN_VERIFY)
    error = ring.refused("ReEncrypt", **to_rsa(ring, MESSAGE, DestinationKeyId=key))
    assert isinstance(error, errors.InvalidKeyUsageError)
    assert f"{ring.arn(key)} key usage is SIGN_VERIFY which is not valid for ReEncrypt." == error.message


# -- the log -----------------------------------------------------------------------------------------------------------


def test_neither_plaintext_nor_ciphertext_is_in_the_log(ring: Ring) -> None:
    key, secret = ring.key(SMALLEST, ENCRYPT_DECRYPT), b"needle in an RSA plaintext"
    blob = encrypt(ring, key, SHA_256, secret)
    decrypt(ring, key, SHA_256, blob)
    refusal(ring, key, SHA_1, blob)
    assert [] == logged(ring, secret, blob, ring.material(key), ring.material(key)[-64:])
    line = ring.lines()[-1]
    assert {"keyId": key, "encryptionAlgorithm": SHA_1} == line["requestParameters"]
    assert "InvalidCiphertextException" == line["errorCode"]
