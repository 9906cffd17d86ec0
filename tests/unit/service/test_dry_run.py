"""DryRun: a request is judged to its end, and nothing is done. IGNORE_CIPHERTEXT: without a ciphertext too."""

from typing import Any

import pytest

from kmscli import errors
from kmscli.model.specs import ENCRYPT_DECRYPT, SIGN_VERIFY, SYMMETRIC
from tests import awsmodel
from tests.ring import ALGORITHM_OF, MESSAGE, USAGES, Ring

DRY = awsmodel.taking("DryRun")
MODIFIED = awsmodel.taking("DryRunModifiers")
GRANTS = [operation for operation in DRY if operation not in USAGES]
IGNORE: dict[str, Any] = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}


def would_succeed(ring: Ring, operation: str, **members: object) -> None:
    error = ring.refused(operation, **members)
    assert ("DryRunOperationException", 0) == (error.code, error.exit_code)
    assert "The request would have succeeded, but the DryRun option is set." == error.message


def test_seventeen_operations_have_it() -> None:
    assert 17 == len(DRY)
    assert {*USAGES, "CreateGrant", "RetireGrant", "RevokeGrant"} == set(DRY)
    assert ["Decrypt", "ReEncrypt"] == MODIFIED


@pytest.mark.parametrize("operation", DRY)
def test_a_dry_run_says_that_the_request_would_succeed(ring: Ring, operation: str) -> None:
    would_succeed(ring, operation, **ring.request(operation), DryRun=True)


@pytest.mark.parametrize("operation", DRY)
def test_without_it_the_same_request_succeeds(ring: Ring, operation: str) -> None:
    ring.perform(operation, **ring.request(operation), DryRun=False)


@pytest.mark.parametrize("operation", DRY)
def test_a_dry_run_is_written_down_as_one(ring: Ring, operation: str) -> None:
    ring.refused(operation, **ring.request(operation), DryRun=True)
    line = ring.lines()[-1]
    assert (operation, "DryRunOperationException") == (line["eventName"], line["errorCode"])
    assert (True, None) == (line["requestParameters"]["dryRun"], line["responseElements"])
    assert line["resources"]


@pytest.mark.parametrize("operation", DRY)
def test_a_dry_run_changes_nothing(ring: Ring, operation: str) -> None:
    request = ring.request(operation)
    before = ring.lines()[-1]["vault"]
    ring.refused(operation, **request, DryRun=True)
    line = ring.lines()[-1]
    assert before == line["vault"]
    assert "change" not in line


@pytest.mark.parametrize("operation", ["RetireGrant", "RevokeGrant"])
def test_a_grant_outlives_the_dry_run_of_its_end(ring: Ring, operation: str) -> None:
    request = ring.request(operation)
    would_succeed(ring, operation, **request, DryRun=True)
    listed = ring.perform("ListGrants", KeyId=request["KeyId"], GrantId=request["GrantId"]).grants
    assert [request["GrantId"]] == [found.grant_id for found in listed]
    ring.perform(operation, **request)
    assert "NotFoundException" == ring.refused(operation, **request, DryRun=True).code


def test_a_dry_run_makes_no_grant(own_ring: Ring) -> None:
    request = own_ring.request("CreateGrant")
    would_succeed(own_ring, "CreateGrant", **request, DryRun=True)
    assert [] == own_ring.perform("ListGrants", KeyId=request["KeyId"]).grants


@pytest.mark.parametrize("operation", DRY)
def test_a_dry_run_of_an_absent_key_says_so(ring: Ring, operation: str) -> None:
    member = "SourceKeyId" if operation == "ReEncrypt" else "KeyId"
    request = ring.request(operation) | {member: "alias/none", "DryRun": True}
    assert "NotFoundException" == ring.refused(operation, **request).code


@pytest.mark.parametrize("operation", [*USAGES, "CreateGrant"])
def test_a_dry_run_with_a_disabled_key_says_so(own_ring: Ring, operation: str) -> None:
    request = own_ring.request(operation)
    own_ring.perform("DisableKey", KeyId=request.get("KeyId") or request["SourceKeyId"])
    assert "DisabledException" == own_ring.refused(operation, **request, DryRun=True).code


@pytest.mark.parametrize("operation", USAGES)
def test_a_dry_run_with_a_key_for_something_else_says_so(ring: Ring, operation: str) -> None:
    usage = SIGN_VERIFY if USAGES[operation] != SIGN_VERIFY else ENCRYPT_DECRYPT
    member = "SourceKeyId" if operation == "ReEncrypt" else "KeyId"
    request = ring.request(operation) | {member: ring.cheap(usage), "DryRun": True}
    assert "InvalidKeyUsageException" == ring.refused(operation, **request).code


@pytest.mark.parametrize("operation", ALGORITHM_OF)
def test_a_dry_run_with_an_algorithm_of_other_keys_says_so(ring: Ring, operation: str) -> None:
    member, algorithm = ALGORITHM_OF[operation]
    request = ring.request(operation) | {member: algorithm, "DryRun": True}
    assert "InvalidKeyUsageException" == ring.refused(operation, **request).code


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "Encrypt": ({"EncryptionContext": {"a": "x" * 9000}}, "ValidationException"),
    "Decrypt": ({"EncryptionContext": {"a": "b"}}, "InvalidCiphertextException"),
    "ReEncrypt": ({"SourceEncryptionContext": {"a": "b"}}, "InvalidCiphertextException"),
    "GenerateDataKey": ({"EncryptionContext": {"a": "x" * 9000}}, "ValidationException"),
    "GenerateDataKeyWithoutPlaintext": ({"NumberOfBytes": 5}, "ValidationException"),
    "GenerateDataKeyPair": ({"EncryptionContext": {"a": "x" * 9000}}, "ValidationException"),
    "GenerateDataKeyPairWithoutPlaintext": ({"KeyPairSpec": "SM2"}, "UnsupportedOperationException"),
    "Sign": ({"MessageType": "DIGEST", "Message": b"short"}, "ValidationException"),
    "Verify": ({"Message": b"another"}, "KMSInvalidSignatureException"),
    "GenerateMac": ({"Message": b""}, "ValidationException"),
    "VerifyMac": ({"Message": b"another"}, "KMSInvalidMacException"),
    "DeriveSharedSecret": ({"PublicKey": b"no key"}, "ValidationException"),
    "Encapsulate": ({"EncapsulationAlgorithm": "RSA"}, "ValidationException"),
    "Decapsulate": ({"SharedSecretCiphertextBlob": b"short"}, "InvalidCiphertextException"),
    "CreateGrant": ({"Operations": ["Sign"]}, "ValidationException"),
    "RetireGrant": ({"GrantId": "0" * 64}, "NotFoundException"),
    "RevokeGrant": ({"GrantId": "none"}, "InvalidGrantIdException"),
}


@pytest.mark.parametrize("operation", DRY)
def test_a_dry_run_of_a_request_that_fails_fails_alike(ring: Ring, operation: str) -> None:
    members, code = FAULTS[operation]
    request = ring.request(operation) | members
    real, dry = ring.refused(operation, **request), ring.refused(operation, **request, DryRun=True)
    assert code == dry.code
    assert (real.code, real.message, real.hint) == (dry.code, dry.message, dry.hint)


@pytest.mark.parametrize("operation", ["GenerateRandom", "DescribeKey", "GetPublicKey"])
def test_other_operations_do_not_have_it(ring: Ring, operation: str) -> None:
    error = ring.refused(operation, **ring.request(operation), DryRun=True)
    assert "ValidationException" == error.code
    assert "Member 'DryRun' is not one of" in error.message


# -- IGNORE_CIPHERTEXT -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", MODIFIED)
@pytest.mark.parametrize("blob", [None, b"garbage"])
def test_a_permission_is_checked_without_a_ciphertext(ring: Ring, operation: str, blob: bytes | None) -> None:
    would_succeed(ring, operation, **ring.request(operation) | {"CiphertextBlob": blob}, **IGNORE)


@pytest.mark.parametrize("operation", MODIFIED)
def test_a_permission_is_checked_for_an_rsa_key(ring: Ring, operation: str) -> None:
    member, algorithm = ALGORITHM_OF[operation]
    key = "SourceKeyId" if operation == "ReEncrypt" else "KeyId"
    request = ring.request(operation) | {key: ring.key("RSA_2048", ENCRYPT_DECRYPT), member: algorithm}
    would_succeed(ring, operation, **request | {"CiphertextBlob": None}, **IGNORE)


@pytest.mark.parametrize(("operation", "member"), [("Decrypt", "keyId"), ("ReEncrypt", "sourceKeyId")])
def test_without_a_ciphertext_the_key_must_be_named(ring: Ring, operation: str, member: str) -> None:
    request = ring.request(operation) | {member[0].upper() + member[1:]: None}
    error = ring.refused(operation, **request, **IGNORE)
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert f"Value null at '{member}' failed to satisfy constraint: Member must not be null" in error.message


@pytest.mark.parametrize("operation", MODIFIED)
@pytest.mark.parametrize(
    "members",
    [{"DryRun": True}, {"DryRun": True, "DryRunModifiers": []}, {"DryRunModifiers": IGNORE["DryRunModifiers"]}, {}],
)
def test_otherwise_there_must_be_a_ciphertext(ring: Ring, operation: str, members: dict[str, Any]) -> None:
    request = ring.request(operation)
    error = ring.refused(operation, **request | {"CiphertextBlob": None}, **members)
    assert "ValidationException" == error.code
    assert "Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null" in error.message
    garbled = ring.refused(operation, **request | {"CiphertextBlob": b"garbage"}, **members)
    assert "InvalidCiphertextException" == garbled.code


@pytest.mark.parametrize("operation", MODIFIED)
def test_a_modifier_without_a_dry_run_means_nothing(ring: Ring, operation: str) -> None:
    request = ring.request(operation)
    ring.perform(operation, **request, DryRunModifiers=["IGNORE_CIPHERTEXT"])
    ring.perform(operation, **request, DryRunModifiers=["IGNORE_CIPHERTEXT"], DryRun=False)


@pytest.mark.parametrize("operation", MODIFIED)
def test_another_modifier_is_refused(ring: Ring, operation: str) -> None:
    error = ring.refused(operation, **ring.request(operation), DryRun=True, DryRunModifiers=["IGNORE_ALL"])
    assert "ValidationException" == error.code
    assert "at 'dryRunModifiers' failed to satisfy constraint" in error.message


@pytest.mark.parametrize(
    ("operation", "members", "code"),
    [
        ("Decrypt", {"KeyId": "alias/none"}, "NotFoundException"),
        ("Decrypt", {"KeyId": "{disabled}"}, "DisabledException"),
        ("Decrypt", {"KeyId": "{signing}"}, "InvalidKeyUsageException"),
        ("Decrypt", {"KeyId": "{rsa}"}, "InvalidKeyUsageException"),
        ("Decrypt", {"EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}, "InvalidKeyUsageException"),
        ("Decrypt", {"EncryptionAlgorithm": "SM2PKE"}, "UnsupportedOperationException"),
        ("Decrypt", {"GrantTokens": ["made-up"]}, "InvalidGrantTokenException"),
        ("Decrypt", {"EncryptionContext": {"a": "x" * 9000}}, "ValidationException"),
        (
            "Decrypt",
            {"KeyId": "{rsa}", "EncryptionAlgorithm": "RSAES_OAEP_SHA_1", "EncryptionContext": {"a": "b"}},
            "ValidationException",
        ),
        ("ReEncrypt", {"SourceKeyId": "{disabled}"}, "DisabledException"),
        ("ReEncrypt", {"SourceKeyId": "{signing}"}, "InvalidKeyUsageException"),
        ("ReEncrypt", {"SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_1"}, "InvalidKeyUsageException"),
        ("ReEncrypt", {"SourceEncryptionContext": {"a": "x" * 9000}}, "ValidationException"),
        ("ReEncrypt", {"DestinationKeyId": "alias/none"}, "NotFoundException"),
        ("ReEncrypt", {"DestinationKeyId": "{disabled}"}, "DisabledException"),
        ("ReEncrypt", {"DestinationKeyId": "{signing}"}, "InvalidKeyUsageException"),
        ("ReEncrypt", {"DestinationKeyId": "{rsa}"}, "InvalidKeyUsageException"),
        ("ReEncrypt", {"DestinationEncryptionContext": {"a": "x" * 9000}}, "ValidationException"),
    ],
)
def test_all_but_the_ciphertext_is_checked(ring: Ring, operation: str, members: dict[str, Any], code: str) -> None:
    places = {"{signing}": ring.cheap(SIGN_VERIFY), "{rsa}": ring.key("RSA_2048", ENCRYPT_DECRYPT)}
    if "{disabled}" in members.values():
        places["{disabled}"] = ring.create_key()
        ring.perform("DisableKey", KeyId=places["{disabled}"])
    given = {name: places.get(value, value) if isinstance(value, str) else value for name, value in members.items()}
    error = ring.refused(operation, **ring.request(operation) | {"CiphertextBlob": None} | given, **IGNORE)
    assert code == error.code


def test_what_a_dry_run_cannot_know_is_left_to_the_real_run(ring: Ring) -> None:
    # Whether the plaintext is too long for the RSA key shows only when it is there.
    destination = {
        "DestinationKeyId": ring.key("RSA_2048", ENCRYPT_DECRYPT),
        "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    }
    source = ring.key(SYMMETRIC, ENCRYPT_DECRYPT)
    blob = ring.perform("Encrypt", KeyId=source, Plaintext=MESSAGE * 10).ciphertext_blob
    would_succeed(ring, "ReEncrypt", SourceKeyId=source, **destination, **IGNORE)
    error = ring.refused("ReEncrypt", SourceKeyId=source, CiphertextBlob=blob, **destination, DryRun=True)
    assert isinstance(error, errors.ValidationError)
