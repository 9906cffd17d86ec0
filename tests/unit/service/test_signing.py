"""Sign, Verify, GetPublicKey: every spec with every algorithm and message type; what holds, and what does not."""

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscli import errors
from kmscli.model.specs import KEY_SPECS, SIGN_VERIFY, SIGNING_ALGORITHMS
from tests import awsmodel
from tests.ring import MESSAGE, Ring, algorithms, blobs, logged, usages

SIGNS = algorithms(SIGN_VERIFY)
TYPED = [(spec, name, kind) for spec, name in SIGNS for kind in SIGNING_ALGORITHMS[name].messages]
SIZED = [(*typed, size) for typed in TYPED if (size := SIGNING_ALGORITHMS[typed[1]].messages[typed[2]])]
HASHED = [(spec, name) for spec, name in SIGNS if SIGNING_ALGORITHMS[name].hash]
MU = [spec for spec, name, kind in TYPED if kind == "EXTERNAL_MU"]
FIRST_OF_FAMILY = {KEY_SPECS[spec].family: (spec, name) for spec, name in reversed(SIGNS)}.values()
"""A spec and an algorithm of each family: what follows from neither is shown with these."""
ANYTHING = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def digest_of(name: str) -> bytes:
    """The digest of MESSAGE by the hash that the name of an algorithm ends in, read from the name alone."""
    return hashlib.new(f"sha{name.rpartition('_')[2]}", MESSAGE).digest()


def mu_of(public: Any) -> bytes:
    """The mu of MESSAGE (FIPS 204, algorithm 7, step 6, with algorithm 2, step 10; the context is empty)."""
    tr = hashlib.shake_256(public.public_bytes_raw()).digest(64)
    return hashlib.shake_256(tr + b"\0\0" + MESSAGE).digest(64)


def message_of(ring: Ring, key: str, name: str, kind: str) -> bytes:
    """Message as a message type wants it."""
    if kind == "RAW":
        return MESSAGE
    return digest_of(name) if kind == "DIGEST" else mu_of(ring.public(key))


def sign(ring: Ring, key: str, name: str, message: bytes = MESSAGE, **members: object) -> bytes:
    signature = ring.perform("Sign", KeyId=key, Message=message, SigningAlgorithm=name, **members).signature
    assert isinstance(signature, bytes)
    return signature


def verify(ring: Ring, key: str, name: str, message: bytes, signature: bytes, **members: object) -> None:
    ring.perform("Verify", KeyId=key, Message=message, Signature=signature, SigningAlgorithm=name, **members)


def does_not_hold(ring: Ring, key: str, name: str, message: bytes, signature: bytes, **members: object) -> None:
    error = ring.refused("Verify", KeyId=key, Message=message, Signature=signature, SigningAlgorithm=name, **members)
    assert ("KMSInvalidSignatureException", 41) == (error.code, error.exit_code)


# -- what holds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "name", "kind"), TYPED)
def test_a_signature_holds(ring: Ring, spec: str, name: str, kind: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    message = message_of(ring, key, name, kind)
    made = ring.answer("Sign", KeyId=key, Message=message, MessageType=kind, SigningAlgorithm=name)
    signature = made.pop("Signature")
    assert {"KeyId": ring.arn(key), "SigningAlgorithm": name} == made
    held = ring.answer(
        "Verify", KeyId=key, Message=message, MessageType=kind, Signature=signature, SigningAlgorithm=name
    )
    assert {"KeyId": ring.arn(key), "SignatureValid": True, "SigningAlgorithm": name} == held


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
def test_an_answer_has_the_members_of_aws(ring: Ring, operation: str) -> None:
    assert awsmodel.answered(operation) == set(ring.answer(operation, **ring.request(operation)))


@pytest.mark.parametrize(("spec", "name"), SIGNS)
def test_the_message_type_is_raw_when_it_is_not_given(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    verify(ring, key, name, MESSAGE, sign(ring, key, name), MessageType="RAW")
    verify(ring, key, name, MESSAGE, sign(ring, key, name, MessageType="RAW"))


@pytest.mark.parametrize(("spec", "name"), HASHED)
def test_signing_a_message_is_signing_its_digest(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    verify(ring, key, name, digest_of(name), sign(ring, key, name), MessageType="DIGEST")
    verify(ring, key, name, MESSAGE, sign(ring, key, name, digest_of(name), MessageType="DIGEST"))


@pytest.mark.parametrize(("spec", "name"), HASHED)
def test_a_digest_that_is_given_as_a_message_is_hashed_again(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    twice = sign(ring, key, name, digest_of(name))
    does_not_hold(ring, key, name, MESSAGE, twice)
    does_not_hold(ring, key, name, digest_of(name), twice, MessageType="DIGEST")


@pytest.mark.parametrize("spec", MU)
def test_signing_a_message_is_signing_its_mu(ring: Ring, spec: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    mu = mu_of(ring.public(key))
    verify(ring, key, "ML_DSA_SHAKE_256", mu, sign(ring, key, "ML_DSA_SHAKE_256"), MessageType="EXTERNAL_MU")
    verify(ring, key, "ML_DSA_SHAKE_256", MESSAGE, sign(ring, key, "ML_DSA_SHAKE_256", mu, MessageType="EXTERNAL_MU"))
    does_not_hold(ring, key, "ML_DSA_SHAKE_256", mu, sign(ring, key, "ML_DSA_SHAKE_256"))


def check_outside(public: Any, name: str, message: bytes, signature: bytes) -> None:
    """Verify as AWS's documentation says that a signature is made, with the library alone.

    Raises:
        InvalidSignature: It does not hold.
    """
    if not isinstance(public, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        public.verify(signature, message)
        return
    chosen: hashes.HashAlgorithm = getattr(hashes, f"SHA{name.rpartition('_')[2]}")()
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, message, ec.ECDSA(chosen))
    elif name.startswith("RSASSA_PSS"):
        public.verify(signature, message, padding.PSS(padding.MGF1(chosen), salt_length=chosen.digest_size), chosen)
    else:
        public.verify(signature, message, padding.PKCS1v15(), chosen)


@pytest.mark.parametrize(("spec", "name", "kind"), TYPED)
def test_a_signature_holds_outside(ring: Ring, spec: str, name: str, kind: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    signature = sign(ring, key, name, message_of(ring, key, name, kind), MessageType=kind)
    check_outside(ring.public(key), name, MESSAGE, signature)


LENGTHS = {"ML_DSA_44": 2420, "ML_DSA_65": 3309, "ML_DSA_87": 4627, "ECC_NIST_EDWARDS25519": 64}
LENGTHS |= {"RSA_2048": 256, "RSA_3072": 384, "RSA_4096": 512}
ORDERS = {"ECC_NIST_P256": 256, "ECC_NIST_P384": 384, "ECC_NIST_P521": 521, "ECC_SECG_P256K1": 256}


@pytest.mark.parametrize(("spec", "name"), SIGNS)
def test_a_signature_has_the_form_of_its_scheme(ring: Ring, spec: str, name: str) -> None:
    signature = sign(ring, ring.key(spec, SIGN_VERIFY), name)
    if spec in LENGTHS:
        assert LENGTHS[spec] == len(signature)
    else:
        r, s = utils.decode_dss_signature(signature)
        assert 0 < min(r, s) <= max(r, s) < 1 << ORDERS[spec]


@pytest.mark.parametrize(("spec", "name"), SIGNS)
def test_only_schemes_without_a_salt_sign_alike_twice(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    deterministic = name.startswith(("RSASSA_PKCS1", "ED25519"))
    assert deterministic == (sign(ring, key, name) == sign(ring, key, name))


@pytest.mark.parametrize("size", [1, 4096])
@pytest.mark.parametrize(("spec", "name"), FIRST_OF_FAMILY)
def test_a_message_has_1_to_4096_bytes(ring: Ring, spec: str, name: str, size: int) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    verify(ring, key, name, bytes(size), sign(ring, key, name, bytes(size)))


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
@pytest.mark.parametrize(("size", "bound"), [(0, "greater than or equal to 1"), (4097, "less than or equal to 4096")])
def test_a_message_of_another_length_is_refused(ring: Ring, operation: str, size: int, bound: str) -> None:
    error = ring.refused(operation, **ring.request(operation) | {"Message": bytes(size)})
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert error.message.endswith(f"at 'message' failed to satisfy constraint: Member must have length {bound}")


@pytest.mark.parametrize("size", [0, 6145])
def test_a_signature_of_an_impossible_length_is_refused(ring: Ring, size: int) -> None:
    error = ring.refused("Verify", **ring.request("Verify") | {"Signature": bytes(size)})
    assert "ValidationException" == error.code


# -- what does not hold ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "name", "kind"), TYPED)
def test_a_signature_does_not_hold_for_another_message(ring: Ring, spec: str, name: str, kind: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    message = message_of(ring, key, name, kind)
    signature = sign(ring, key, name, message, MessageType=kind)
    for place in (0, len(message) // 2, -1):
        other = bytearray(message)
        other[place] ^= 1
        does_not_hold(ring, key, name, bytes(other), signature, MessageType=kind)


@pytest.mark.parametrize(("spec", "name"), SIGNS)
def test_a_changed_bit_of_a_signature_is_refused(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    signature = sign(ring, key, name)
    step = max(1, len(signature) // 7)
    for place in (*range(0, len(signature), step), len(signature) - 1):
        for bit in (0, 7):
            changed = bytearray(signature)
            changed[place] ^= 1 << bit
            does_not_hold(ring, key, name, MESSAGE, bytes(changed))


@pytest.mark.parametrize(("spec", "name"), SIGNS)
def test_a_signature_that_is_cut_or_longer_is_refused(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    signature = sign(ring, key, name)
    for other in (signature[:-1], signature[1:], signature[:1], signature + b"\0", b"\0" + signature):
        does_not_hold(ring, key, name, MESSAGE, other)


@pytest.mark.parametrize(("spec", "name"), FIRST_OF_FAMILY)
def test_a_signature_does_not_hold_under_another_key(ring: Ring, spec: str, name: str) -> None:
    signature = sign(ring, ring.key(spec, SIGN_VERIFY), name)
    does_not_hold(ring, ring.key(spec, SIGN_VERIFY, 1), name, MESSAGE, signature)


@pytest.mark.parametrize(("spec", "name"), SIGNS)
def test_a_signature_does_not_hold_by_another_algorithm(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    signature = sign(ring, key, name)
    for other in KEY_SPECS[spec].usages[SIGN_VERIFY]:
        if other != name:
            does_not_hold(ring, key, other, MESSAGE, signature)


@pytest.mark.parametrize(("spec", "name"), FIRST_OF_FAMILY)
@given(signature=st.binary(min_size=1, max_size=700))
@ANYTHING
def test_any_bytes_are_no_signature(ring: Ring, spec: str, name: str, signature: bytes) -> None:
    does_not_hold(ring, ring.key(spec, SIGN_VERIFY), name, MESSAGE, signature)


@pytest.mark.parametrize(("spec", "name"), [signs for signs in FIRST_OF_FAMILY if signs[0] in ORDERS])
@given(r=st.integers(0, 1 << 300), s=st.integers(0, 1 << 300))
@ANYTHING
def test_any_two_numbers_are_no_signature(ring: Ring, spec: str, name: str, r: int, s: int) -> None:
    does_not_hold(ring, ring.key(spec, SIGN_VERIFY), name, MESSAGE, utils.encode_dss_signature(r, s))


@pytest.mark.parametrize(("spec", "name"), FIRST_OF_FAMILY)
def test_bytes_of_the_right_length_are_no_signature(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    size = len(sign(ring, key, name))
    for signature in (bytes(size), b"\xff" * size, b"\x01" * size):
        does_not_hold(ring, key, name, MESSAGE, signature)


# -- what does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
@pytest.mark.parametrize("excess", [-1, 1])
@pytest.mark.parametrize(("spec", "name", "kind", "size"), SIZED)
def test_a_digest_has_the_length_of_its_hash(
    ring: Ring, spec: str, name: str, kind: str, size: int, excess: int, operation: str
) -> None:
    members: dict[str, Any] = {"Message": bytes(size + excess), "MessageType": kind, "SigningAlgorithm": name}
    members |= {"Signature": b"x"} if operation == "Verify" else {}
    error = ring.refused(operation, KeyId=ring.key(spec, SIGN_VERIFY), **members)
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert f"Digest is invalid length for algorithm {name}." == error.message
    assert f"{kind} has {size} bytes for it, and {size + excess} were given" == error.hint


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
@pytest.mark.parametrize(
    ("spec", "name", "kind"),
    [
        (spec, name, kind)
        for spec, name in SIGNS
        for kind in ("RAW", "DIGEST", "EXTERNAL_MU")
        if kind not in SIGNING_ALGORITHMS[name].messages
    ],
)
def test_a_message_type_that_does_not_fit_is_refused(
    ring: Ring, spec: str, name: str, kind: str, operation: str
) -> None:
    members: dict[str, Any] = {"Message": bytes(64), "MessageType": kind, "SigningAlgorithm": name}
    members |= {"Signature": b"x"} if operation == "Verify" else {}
    error = ring.refused(operation, KeyId=ring.key(spec, SIGN_VERIFY), **members)
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert f"MessageType {kind} is not compatible with SigningAlgorithm {name}" == error.message


def test_message_types_are_those_of_aws(ring: Ring) -> None:
    error = ring.refused("Sign", **ring.request("Sign"), MessageType="HASH")
    assert "ValidationException" == error.code
    assert error.message.endswith("Member must satisfy enum value set: [RAW, DIGEST, EXTERNAL_MU]")


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
@pytest.mark.parametrize("spec", dict(SIGNS))
def test_an_algorithm_of_other_keys_does_not_fit(ring: Ring, spec: str, operation: str) -> None:
    members: dict[str, Any] = {"Message": MESSAGE}
    members |= {"Signature": b"x"} if operation == "Verify" else {}
    own = KEY_SPECS[spec].usages[SIGN_VERIFY]
    for name in SIGNING_ALGORITHMS.keys() - set(own):
        error = ring.refused(operation, KeyId=ring.key(spec, SIGN_VERIFY), SigningAlgorithm=name, **members)
        assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
        assert f"Algorithm {name} is incompatible with key spec {spec}." == error.message
        assert f"this key has {' and '.join(own)}" == error.hint


@pytest.mark.parametrize("operation", ["Sign", "Verify"])
@pytest.mark.parametrize(("spec", "usage"), [each for each in usages() if each[1] != SIGN_VERIFY])
def test_a_key_for_something_else_neither_signs_nor_verifies(ring: Ring, spec: str, usage: str, operation: str) -> None:
    key = ring.key(spec, usage)
    error = ring.refused(operation, **ring.request(operation) | {"KeyId": key})
    assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
    assert f"{ring.arn(key)} key usage is {usage} which is not valid for {operation}." == error.message


# -- GetPublicKey ------------------------------------------------------------------------------------------------------

ASYMMETRIC = [(spec, usage) for spec, usage in usages() if KEY_SPECS[spec].asymmetric]
ALGORITHMS = {
    "ENCRYPT_DECRYPT": "EncryptionAlgorithms",
    "SIGN_VERIFY": "SigningAlgorithms",
    "KEY_AGREEMENT": "KeyAgreementAlgorithms",
    "ENCAPSULATE_DECAPSULATE": "EncapsulationAlgorithms",
}


@pytest.mark.parametrize(("spec", "usage"), ASYMMETRIC)
def test_a_public_key_comes_with_what_it_is_for(ring: Ring, spec: str, usage: str) -> None:
    key = ring.key(spec, usage)
    answer = ring.answer("GetPublicKey", KeyId=key)
    assert ring.public(key) is not None
    assert answer.keys() <= awsmodel.answered("GetPublicKey")
    assert {
        "KeyId": ring.arn(key),
        "PublicKey": ring.public_der(key),
        "CustomerMasterKeySpec": spec,
        "KeySpec": spec,
        "KeyUsage": usage,
        ALGORITHMS[usage]: list(KEY_SPECS[spec].usages[usage]),
    } == {name: list(value) if isinstance(value, tuple) else value for name, value in answer.items()}


@pytest.mark.parametrize(("spec", "usage"), [each for each in usages() if each not in ASYMMETRIC])
def test_a_key_without_a_public_key_says_so(ring: Ring, spec: str, usage: str) -> None:
    error = ring.refused("GetPublicKey", KeyId=ring.key(spec, usage))
    assert ("UnsupportedOperationException", 61) == (error.code, error.exit_code)
    assert error.message.endswith(f"key spec is {spec} which has no public key.")


# -- the log -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "name"), FIRST_OF_FAMILY)
def test_neither_message_nor_signature_is_in_the_log(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    message = b"needle in the message of " + spec.encode()
    signature = sign(ring, key, name, message)
    verify(ring, key, name, message, signature)
    does_not_hold(ring, key, name, message, signature[::-1])
    assert [] == logged(ring, message, signature, signature[::-1], ring.material(key))


def test_a_line_says_how_something_was_signed(ring: Ring) -> None:
    request = ring.request("Verify")
    ring.answer("Verify", **request, MessageType="RAW")
    line = ring.lines()[-1]
    expected = {"keyId": request["KeyId"], "messageType": "RAW", "signingAlgorithm": "ECDSA_SHA_256"}
    assert expected == line["requestParameters"]
    assert [ring.arn(request["KeyId"])] == [found["ARN"] for found in line["resources"]]


def test_a_signature_that_does_not_hold_is_written_down(ring: Ring) -> None:
    request = ring.request("Verify")
    error = ring.refused("Verify", **request | {"Message": b"another"})
    assert isinstance(error, errors.InvalidSignatureError)
    line = ring.lines()[-1]
    assert ("Verify", "KMSInvalidSignatureException") == (line["eventName"], line["errorCode"])
    assert [] == [blob for blob in blobs(request) if logged(ring, blob)]
