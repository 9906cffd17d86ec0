"""GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext: the two halves belong together, and open elsewhere."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from kmscli.crypto import registry
from kmscli.model.specs import ENCRYPT_DECRYPT, KEY_SPECS, SYMMETRIC, UNSUPPORTED
from kmscli.service.keypairs import GenerateDataKeyPairRequest
from kmscli.service.members import members as members_of
from tests import awsmodel
from tests.ring import MESSAGE, Ring, logged, usages

WITH, WITHOUT = BOTH = ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
CONTEXT = {"app": "a", "env": "b"}
PAIRS = [spec for spec, row in KEY_SPECS.items() if row.pairs]
CHEAP = "ECC_NIST_P256"
CHOICES = next(
    member.shape.choices for member in members_of(GenerateDataKeyPairRequest) if member.name == "KeyPairSpec"
)


class Pairs:
    """Pairs of each spec, made once under one key with CONTEXT."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.key = ring.key(SYMMETRIC, ENCRYPT_DECRYPT)
        self._made: dict[tuple[str, str], dict[str, Any]] = {}

    def made(self, operation: str, spec: str) -> dict[str, Any]:
        """An answer."""
        place = (operation, spec)
        if place not in self._made:
            self._made[place] = self.ring.answer(operation, KeyId=self.key, KeyPairSpec=spec, EncryptionContext=CONTEXT)
        return dict(self._made[place])

    def opened(self, operation: str, spec: str) -> bytes:
        """The private key out of its ciphertext."""
        blob = self.made(operation, spec)["PrivateKeyCiphertextBlob"]
        plaintext = self.ring.perform("Decrypt", CiphertextBlob=blob, EncryptionContext=CONTEXT).plaintext
        assert isinstance(plaintext, bytes)
        return plaintext


@pytest.fixture(scope="session")
def pairs(ring: Ring) -> Pairs:
    return Pairs(ring)


def public_of(private_der: bytes) -> bytes:
    """The public half of a private key, computed by the library."""
    key = load_der_private_key(private_der, None)
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("operation", BOTH)
@pytest.mark.parametrize("spec", PAIRS)
def test_an_answer_has_the_members_of_aws(pairs: Pairs, spec: str, operation: str) -> None:
    answer = pairs.made(operation, spec)
    assert awsmodel.answered(operation) == set(answer)
    metadata = pairs.ring.perform("DescribeKey", KeyId=pairs.key).key_metadata
    expected = (metadata.arn, metadata.current_key_material_id, spec)
    assert expected == (answer["KeyId"], answer["KeyMaterialId"], answer["KeyPairSpec"])


@pytest.mark.parametrize("spec", PAIRS)
def test_the_public_key_is_that_of_the_private_key(pairs: Pairs, spec: str) -> None:
    answer = pairs.made(WITH, spec)
    assert answer["PublicKey"] == public_of(answer["PrivateKeyPlaintext"])


@pytest.mark.parametrize("spec", PAIRS)
def test_the_ciphertext_holds_the_private_key(pairs: Pairs, spec: str) -> None:
    assert pairs.made(WITH, spec)["PrivateKeyPlaintext"] == pairs.opened(WITH, spec)


@pytest.mark.parametrize("spec", PAIRS)
def test_without_plaintext_the_ciphertext_holds_the_private_key_all_the_same(pairs: Pairs, spec: str) -> None:
    assert pairs.made(WITHOUT, spec)["PublicKey"] == public_of(pairs.opened(WITHOUT, spec))


@pytest.mark.parametrize("operation", BOTH)
@pytest.mark.parametrize("context", [None, {}, {"app": "a"}, CONTEXT | {"app": "A"}])
def test_another_encryption_context_does_not_open_it(
    pairs: Pairs, operation: str, context: dict[str, str] | None
) -> None:
    blob = pairs.made(operation, CHEAP)["PrivateKeyCiphertextBlob"]
    error = pairs.ring.refused("Decrypt", CiphertextBlob=blob, EncryptionContext=context)
    assert ("InvalidCiphertextException", 40) == (error.code, error.exit_code)


def test_without_a_context_it_opens_without_one(ring: Ring) -> None:
    answer = ring.answer(WITH, **ring.request(WITH))
    opened = ring.perform("Decrypt", CiphertextBlob=answer["PrivateKeyCiphertextBlob"])
    assert answer["PrivateKeyPlaintext"] == opened.plaintext
    assert answer["KeyMaterialId"] == opened.key_material_id


@pytest.mark.parametrize("spec", PAIRS)
def test_a_private_key_is_pkcs8_that_the_vault_would_import(pairs: Pairs, spec: str) -> None:
    answer = pairs.made(WITH, spec)
    pair = registry.read_private(spec, answer["PrivateKeyPlaintext"])
    assert (answer["PrivateKeyPlaintext"], answer["PublicKey"]) == (pair.private, pair.public)


# What each kind of key is, by the names that the library has for it.
IS = {
    "RSA_2048": (rsa.RSAPrivateKey, 2048),
    "RSA_3072": (rsa.RSAPrivateKey, 3072),
    "RSA_4096": (rsa.RSAPrivateKey, 4096),
    "ECC_NIST_P256": (ec.EllipticCurvePrivateKey, "secp256r1"),
    "ECC_NIST_P384": (ec.EllipticCurvePrivateKey, "secp384r1"),
    "ECC_NIST_P521": (ec.EllipticCurvePrivateKey, "secp521r1"),
    "ECC_SECG_P256K1": (ec.EllipticCurvePrivateKey, "secp256k1"),
    "ECC_NIST_EDWARDS25519": (ed25519.Ed25519PrivateKey, None),
    "ML_KEM_768": (mlkem.MLKEM768PrivateKey, None),
    "ML_KEM_1024": (mlkem.MLKEM1024PrivateKey, None),
}


@pytest.mark.parametrize("spec", PAIRS)
def test_a_pair_is_of_the_kind_that_was_asked_for(pairs: Pairs, spec: str) -> None:
    kind, parameter = IS[spec]
    key: Any = load_der_private_key(pairs.made(WITH, spec)["PrivateKeyPlaintext"], None)
    assert isinstance(key, kind)
    if isinstance(key, rsa.RSAPrivateKey):
        assert (parameter, 65537) == (key.key_size, key.public_key().public_numbers().e)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        assert parameter == key.curve.name


@pytest.mark.parametrize("spec", PAIRS)
def test_what_one_half_makes_the_other_understands(pairs: Pairs, spec: str) -> None:
    answer = pairs.made(WITH, spec)
    private: Any = load_der_private_key(answer["PrivateKeyPlaintext"], None)
    public: Any = load_der_public_key(answer["PublicKey"])
    if isinstance(private, rsa.RSAPrivateKey):
        public.verify(
            private.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256()), MESSAGE, padding.PKCS1v15(), hashes.SHA256()
        )
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        public.verify(private.sign(MESSAGE, ec.ECDSA(hashes.SHA256())), MESSAGE, ec.ECDSA(hashes.SHA256()))
    elif isinstance(private, ed25519.Ed25519PrivateKey):
        public.verify(private.sign(MESSAGE), MESSAGE)
    else:
        secret, ciphertext = public.encapsulate()
        assert secret == private.decapsulate(ciphertext)


SEED_HEADERS = {
    "ML_KEM_768": "3054020100300b060960864801650304040204428040",
    "ML_KEM_1024": "3054020100300b060960864801650304040304428040",
}
"""PKCS #8 with the seed alone of an ML-KEM key: [0] of 64 bytes (RFC 9935, section 6)."""


@pytest.mark.parametrize("spec", [spec for spec in PAIRS if KEY_SPECS[spec].family == "mlkem"])
def test_a_private_ml_kem_key_is_its_seed(pairs: Pairs, spec: str) -> None:
    der = pairs.made(WITH, spec)["PrivateKeyPlaintext"]
    assert (bytes.fromhex(SEED_HEADERS[spec]), 86) == (der[:22], len(der))


@pytest.mark.parametrize("operation", BOTH)
def test_two_pairs_differ(pairs: Pairs, operation: str) -> None:
    again = pairs.ring.answer(operation, KeyId=pairs.key, KeyPairSpec=CHEAP, EncryptionContext=CONTEXT)
    before = pairs.made(operation, CHEAP)
    assert again["PublicKey"] != before["PublicKey"]
    assert again["PrivateKeyCiphertextBlob"] != before["PrivateKeyCiphertextBlob"]


@pytest.mark.parametrize("spec", PAIRS)
def test_the_ciphertext_fits_into_the_next_request(pairs: Pairs, spec: str) -> None:
    again = pairs.ring.perform(
        "ReEncrypt",
        CiphertextBlob=pairs.made(WITH, spec)["PrivateKeyCiphertextBlob"],
        SourceEncryptionContext=CONTEXT,
        DestinationKeyId=pairs.key,
    ).ciphertext_blob
    assert pairs.opened(WITH, spec) == pairs.ring.perform("Decrypt", CiphertextBlob=again).plaintext


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", BOTH)
@pytest.mark.parametrize(("spec", "usage"), [each for each in usages() if each[0] != SYMMETRIC])
def test_only_a_symmetric_key_encrypts_a_private_key(ring: Ring, spec: str, usage: str, operation: str) -> None:
    key = ring.key(spec, usage)
    error = ring.refused(operation, KeyId=key, KeyPairSpec=CHEAP)
    assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
    what = f"key usage is {usage}" if usage != ENCRYPT_DECRYPT else f"key spec is {spec}"
    assert f"{ring.arn(key)} {what} which is not valid for {operation}." == error.message


@pytest.mark.parametrize("operation", BOTH)
@pytest.mark.parametrize("spec", [spec for spec in KEY_SPECS if spec not in PAIRS])
def test_a_spec_that_has_no_data_key_pairs_is_refused(ring: Ring, spec: str, operation: str) -> None:
    error = ring.refused(operation, **ring.request(operation) | {"KeyPairSpec": spec})
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert f"Value '{spec}' at 'keyPairSpec' failed to satisfy constraint" in error.message


def test_each_spec_of_aws_is_made_or_refused_with_a_reason() -> None:
    assert set(CHOICES) == {*PAIRS, *(UNSUPPORTED.keys() & set(CHOICES))}


@pytest.mark.parametrize("operation", BOTH)
def test_the_faults_of_encrypt_are_those_of_a_pair(own_ring: Ring, operation: str) -> None:
    request = own_ring.request(operation)
    assert "NotFoundException" == own_ring.refused(operation, **request | {"KeyId": "alias/none"}).code
    large = own_ring.refused(operation, **request, EncryptionContext={"a": "x" * 8192})
    assert "ValidationException" == large.code
    own_ring.perform("DisableKey", KeyId=request["KeyId"])
    assert "DisabledException" == own_ring.refused(operation, **request).code


@pytest.mark.parametrize("operation", BOTH)
def test_a_pair_is_sealed_under_the_current_material(own_ring: Ring, operation: str) -> None:
    request = own_ring.request(operation)
    before = own_ring.answer(operation, **request)
    own_ring.perform("RotateKeyOnDemand", KeyId=request["KeyId"])
    after = own_ring.answer(operation, **request)
    assert before["KeyMaterialId"] != after["KeyMaterialId"]
    for answer in (before, after):
        opened = own_ring.perform("Decrypt", CiphertextBlob=answer["PrivateKeyCiphertextBlob"])
        assert answer["KeyMaterialId"] == opened.key_material_id


# -- the log -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", PAIRS)
def test_no_part_of_a_private_key_is_in_the_log(pairs: Pairs, spec: str) -> None:
    secrets = [pairs.made(WITH, spec)["PrivateKeyPlaintext"], pairs.opened(WITHOUT, spec)]
    # The tail has no header that a public key could share, and the middle of an RSA key holds its private exponent.
    parts = [part for secret in secrets for part in (secret, secret[-32:], secret[len(secret) // 2 :][:32])]
    blobs = [pairs.made(operation, spec)["PrivateKeyCiphertextBlob"] for operation in BOTH]
    assert [] == logged(pairs.ring, *parts, *blobs)


def test_a_line_says_what_was_made(pairs: Pairs) -> None:
    pairs.ring.answer(WITH, KeyId=pairs.key, KeyPairSpec=CHEAP, EncryptionContext=CONTEXT)
    expected = {"keyId": pairs.key, "keyPairSpec": CHEAP, "encryptionContext": CONTEXT}
    assert expected == pairs.ring.lines()[-1]["requestParameters"]
