"""What AWS has and this machine cannot: one error, one exit code, a reason, a line in the log."""

from typing import Any

import pytest

from kmscli import errors
from kmscli.model.specs import SIGN_VERIFY, UNSUPPORTED
from kmscli.service.operations import OPERATIONS, REFUSED
from tests import awsmodel
from tests.ring import Ring, logged


def refusal(ring: Ring, operation: str, **members: Any) -> errors.KmsError:
    """The refusal of a request that asks for what is not supported; its reason has some words, and a line tells it."""
    before = ring.lines()[-1]["vault"]
    error = ring.refused(operation, **members)
    assert ("UnsupportedOperationException", 61) == (error.code, error.exit_code)
    what, _, reason = error.message.partition(" supported: ")
    assert what.endswith(("is not", "are not"))
    assert 5 <= len(reason.split())
    line = ring.lines()[-1]
    assert (operation, error.code, error.message) == (line["eventName"], line["errorCode"], line["errorMessage"])
    assert (before, None) == (line["vault"], line["responseElements"])
    return error


# -- values of enums ---------------------------------------------------------------------------------------------------

ENUMS = [
    ("CreateKey", {"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}),
    ("CreateKey", {"KeySpec": "SM2"}),
    ("CreateKey", {"CustomerMasterKeySpec": "SM2", "KeyUsage": "ENCRYPT_DECRYPT"}),
    ("CreateKey", {"KeySpec": "ML_KEM_512", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}),
    ("GenerateDataKeyPair", {"KeyPairSpec": "SM2"}),
    ("GenerateDataKeyPair", {"KeyPairSpec": "ML_KEM_512"}),
    ("GenerateDataKeyPairWithoutPlaintext", {"KeyPairSpec": "SM2"}),
    ("GenerateDataKeyPairWithoutPlaintext", {"KeyPairSpec": "ML_KEM_512"}),
    ("Sign", {"SigningAlgorithm": "SM2DSA"}),
    ("Sign", {"SigningAlgorithm": "ED25519_PH_SHA_512", "MessageType": "DIGEST"}),
    ("Verify", {"SigningAlgorithm": "SM2DSA"}),
    ("Verify", {"SigningAlgorithm": "ED25519_PH_SHA_512", "MessageType": "DIGEST"}),
    ("Encrypt", {"EncryptionAlgorithm": "SM2PKE"}),
    ("Decrypt", {"EncryptionAlgorithm": "SM2PKE"}),
    ("ReEncrypt", {"SourceEncryptionAlgorithm": "SM2PKE"}),
    ("ReEncrypt", {"DestinationEncryptionAlgorithm": "SM2PKE"}),
    ("GetParametersForImport", {"WrappingAlgorithm": "RSAES_PKCS1_V1_5", "WrappingKeySpec": "RSA_2048"}),
    ("GetParametersForImport", {"WrappingAlgorithm": "SM2PKE", "WrappingKeySpec": "RSA_2048"}),
    ("GetParametersForImport", {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "SM2"}),
]


def request(ring: Ring, operation: str) -> dict[str, Any]:
    """Members of a good request, of operations that the ring has none for too."""
    if operation == "CreateKey":
        return {}
    if operation == "GetParametersForImport":
        return {"KeyId": ring.create_key(Origin="EXTERNAL")}
    return ring.request(operation)


@pytest.mark.parametrize(("operation", "members"), ENUMS)
def test_a_value_that_nobody_here_can_serve_is_refused(ring: Ring, operation: str, members: dict[str, str]) -> None:
    error = refusal(ring, operation, **request(ring, operation) | members)
    (value,) = UNSUPPORTED.keys() & set(members.values())
    assert f"{value} is not supported: {UNSUPPORTED[value]}" == error.message


def test_each_value_in_the_table_was_asked_for() -> None:
    assert UNSUPPORTED.keys() == {value for _, members in ENUMS for value in members.values() if value in UNSUPPORTED}


@pytest.mark.parametrize("spec", ["ECC_NIST_EDWARDS25519", "ECC_NIST_P256", "ML_DSA_44"])
def test_prehashed_ed25519_is_refused_whatever_signs(ring: Ring, spec: str) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    asked = {"KeyId": key, "Message": bytes(64), "SigningAlgorithm": "ED25519_PH_SHA_512", "MessageType": "DIGEST"}
    assert "without prehash" in refusal(ring, "Sign", **asked).message


# -- members -----------------------------------------------------------------------------------------------------------

RECIPIENTS = [
    {},
    {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
    {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"document"},
]


def test_five_operations_have_a_recipient() -> None:
    five = ["Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom"]
    assert five == awsmodel.taking("Recipient")


@pytest.mark.parametrize("recipient", RECIPIENTS)
@pytest.mark.parametrize("operation", awsmodel.taking("Recipient"))
def test_an_answer_for_an_enclave_is_refused(ring: Ring, operation: str, recipient: dict[str, Any]) -> None:
    error = refusal(ring, operation, **ring.request(operation), Recipient=recipient)
    assert error.message.startswith("Recipient is not supported: an attestation can be checked only where AWS made")


@pytest.mark.parametrize("operation", awsmodel.taking("Recipient"))
def test_a_recipient_is_refused_in_a_dry_run_too(ring: Ring, operation: str) -> None:
    dry = {} if operation == "GenerateRandom" else {"DryRun": True}
    refusal(ring, operation, **ring.request(operation), **dry, Recipient=RECIPIENTS[-1])


@pytest.mark.parametrize("operation", awsmodel.taking("Recipient"))
def test_a_recipient_out_of_bounds_is_a_validation_error(ring: Ring, operation: str) -> None:
    for wrong in ({"AttestationDocument": b""}, {"AttestationDocument": bytes(262_145)}, {"Enclave": "x"}):
        error = ring.refused(operation, **ring.request(operation), Recipient=wrong)
        assert "ValidationException" == error.code
        assert "recipient." in error.message


def test_an_attestation_is_not_in_the_log(ring: Ring) -> None:
    document = b"needle in an attestation document"
    refusal(ring, "GenerateRandom", NumberOfBytes=5, Recipient={"AttestationDocument": document})
    assert [] == logged(ring, document)


STORES = "custom key stores are not supported: they are CloudHSM clusters and proxies that AWS runs"


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("CreateKey", {"CustomKeyStoreId": "cks-1234567890abcdef0"}),
        ("CreateKey", {"XksKeyId": "bb8562717f809024"}),
        ("CreateKey", {"CustomKeyStoreId": "cks-1234567890abcdef0", "XksKeyId": "bb8562717f809024"}),
        ("GenerateRandom", {"CustomKeyStoreId": "cks-1234567890abcdef0"}),
    ],
)
def test_a_custom_key_store_is_refused(ring: Ring, operation: str, members: dict[str, str]) -> None:
    assert STORES == refusal(ring, operation, **request(ring, operation), **members).message


@pytest.mark.parametrize("origin", ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
def test_an_origin_in_a_custom_key_store_is_refused(ring: Ring, origin: str) -> None:
    store = {"CustomKeyStoreId": "cks-1234567890abcdef0"}
    for members in ({}, store):
        error = refusal(ring, "CreateKey", Origin=origin, **members)
        assert error.message.startswith(f"Origin {origin} is not supported: ")


def test_each_operation_that_names_a_key_store_is_refused_or_refuses_it() -> None:
    known = {"CreateKey", "GenerateRandom"}
    assert known == {name for name in awsmodel.taking("CustomKeyStoreId") if name not in REFUSED}


# -- operations --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", REFUSED)
@pytest.mark.parametrize("members", [{}, {"KeyId": "alias/none", "Nonsense": [b"x"]}])
def test_an_operation_that_is_not_here_is_refused(ring: Ring, operation: str, members: dict[str, Any]) -> None:
    error = refusal(ring, operation, **members)
    assert f"{operation} is not supported: {REFUSED[operation]}" == error.message
    assert ring.lines()[-1]["requestParameters"] is None


def test_eight_operations_are_refused_and_all_others_are_here() -> None:
    assert 8 == len(REFUSED)
    assert set(awsmodel.OPERATIONS) == OPERATIONS.keys() | REFUSED.keys()
    assert OPERATIONS.keys().isdisjoint(REFUSED)
