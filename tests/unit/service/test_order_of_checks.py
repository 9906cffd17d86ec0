"""In which order a request is judged: its form, its key, its tokens, the key's state, usage, algorithm, the rest.

A request with two faults is told the earlier one, so what a caller learns does not depend on chance.
"""

from typing import Any

import pytest

from tests.ring import ALGORITHM_OF, CHEAPEST, USAGES, Ring

NO_TOKEN = ["made-up"]


def named(operation: str) -> str:
    """The member that names the key whose material is used first."""
    return "SourceKeyId" if operation == "ReEncrypt" else "KeyId"


def usage_of_none(operation: str) -> str:
    """A usage with which the operation can do nothing."""
    return next(usage for usage in CHEAPEST if usage != USAGES[operation])


def disabled(ring: Ring, usage: str) -> str:
    key = ring.create_key(KeySpec=CHEAPEST[usage], KeyUsage=usage)
    ring.perform("DisableKey", KeyId=key)
    return key


@pytest.mark.parametrize("operation", USAGES)
def test_the_form_comes_before_the_key(ring: Ring, operation: str) -> None:
    request = ring.request(operation) | {named(operation): "alias/none", "DryRun": "perhaps"}
    assert "ValidationException" == ring.refused(operation, **request).code


@pytest.mark.parametrize("operation", USAGES)
def test_the_key_comes_before_a_grant_token(ring: Ring, operation: str) -> None:
    request = ring.request(operation) | {named(operation): "alias/none", "GrantTokens": NO_TOKEN}
    error = ring.refused(operation, **request)
    assert ("NotFoundException", 20) == (error.code, error.exit_code)
    assert "Alias arn:aws:kms:local:000000000000:alias/none is not found." == error.message


@pytest.mark.parametrize("operation", USAGES)
def test_a_grant_token_comes_before_the_state(own_ring: Ring, operation: str) -> None:
    request = own_ring.request(operation)
    own_ring.perform("DisableKey", KeyId=request[named(operation)])
    assert "InvalidGrantTokenException" == own_ring.refused(operation, **request, GrantTokens=NO_TOKEN).code


@pytest.mark.parametrize("operation", USAGES)
def test_the_state_comes_before_the_usage(own_ring: Ring, operation: str) -> None:
    key = disabled(own_ring, usage_of_none(operation))
    error = own_ring.refused(operation, **own_ring.request(operation) | {named(operation): key})
    assert ("DisabledException", 22) == (error.code, error.exit_code)
    assert f"{own_ring.arn(key)} is disabled." == error.message


@pytest.mark.parametrize("operation", ALGORITHM_OF)
def test_the_usage_comes_before_the_algorithm(ring: Ring, operation: str) -> None:
    member, algorithm = ALGORITHM_OF[operation]
    usage = usage_of_none(operation)
    key = ring.cheap(usage)
    error = ring.refused(operation, **ring.request(operation) | {named(operation): key, member: algorithm})
    assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
    assert f"{ring.arn(key)} key usage is {usage} which is not valid for {operation}." == error.message


FAULTS_OF_THE_REST: dict[str, dict[str, Any]] = {
    "Encrypt": {"Plaintext": bytes(4096), "EncryptionContext": {"a": "x" * 9000}},
    "Decrypt": {"CiphertextBlob": b"x", "EncryptionContext": {"a": "x" * 9000}},
    "ReEncrypt": {"CiphertextBlob": b"x", "SourceEncryptionContext": {"a": "x" * 9000}},
    "Sign": {"MessageType": "EXTERNAL_MU"},
    "Verify": {"MessageType": "DIGEST", "Message": b"short", "Signature": b"x"},
    "GenerateMac": {"Message": b"x"},
    "VerifyMac": {"Mac": b"x"},
}


@pytest.mark.parametrize("operation", ALGORITHM_OF)
def test_the_algorithm_comes_before_the_rest(ring: Ring, operation: str) -> None:
    member, algorithm = ALGORITHM_OF[operation]
    request = ring.request(operation) | FAULTS_OF_THE_REST[operation] | {member: algorithm}
    error = ring.refused(operation, **request)
    spec = CHEAPEST[USAGES[operation]]
    assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
    assert f"Algorithm {algorithm} is incompatible with key spec {spec}." == error.message


# -- states ------------------------------------------------------------------------------------------------------------


def not_usable(ring: Ring, operation: str, state: str) -> str:
    """A key that is right for an operation but for its state."""
    usage = USAGES.get(operation, "SIGN_VERIFY")
    if state == "PendingImport":
        return ring.create_key(KeySpec=CHEAPEST[usage], KeyUsage=usage, Origin="EXTERNAL")
    key = ring.create_key(KeySpec=CHEAPEST[usage], KeyUsage=usage)
    ring.perform("DisableKey" if state == "Disabled" else "ScheduleKeyDeletion", KeyId=key)
    return key


REFUSALS = {
    "Disabled": ("DisabledException", 22, "{arn} is disabled."),
    "PendingImport": ("KMSInvalidStateException", 22, "{arn} is pending import."),
    "PendingDeletion": ("KMSInvalidStateException", 22, "{arn} is pending deletion."),
}
NOT_IMPORTED = {"Encapsulate", "Decapsulate"}
"""Operations of keys that cannot be waiting for an import."""


@pytest.mark.parametrize(
    ("operation", "state"),
    [
        (operation, state)
        for operation in (*USAGES, "GetPublicKey")
        for state in REFUSALS
        if state != "PendingImport" or operation not in NOT_IMPORTED
    ],
)
def test_a_key_that_cannot_be_used_now_says_so(own_ring: Ring, operation: str, state: str) -> None:
    key = not_usable(own_ring, operation, state)
    assert state == own_ring.state_of(key)
    error = own_ring.refused(operation, **own_ring.request(operation) | {named(operation): key})
    code, exit_code, text = REFUSALS[state]
    assert (code, exit_code, text.format(arn=own_ring.arn(key))) == (error.code, error.exit_code, error.message)
    assert own_ring.arn(key) in [found["ARN"] for found in own_ring.lines()[-1]["resources"]]


@pytest.mark.parametrize("operation", [*USAGES, "GetPublicKey"])
def test_a_key_that_is_enabled_again_is_used_again(own_ring: Ring, operation: str) -> None:
    request = own_ring.request(operation)
    own_ring.perform("DisableKey", KeyId=request[named(operation)])
    assert "DisabledException" == own_ring.refused(operation, **request).code
    own_ring.perform("EnableKey", KeyId=request[named(operation)])
    own_ring.perform(operation, **request)


@pytest.mark.parametrize("state", REFUSALS)
def test_the_destination_of_a_re_encryption_must_be_usable_too(own_ring: Ring, state: str) -> None:
    key = not_usable(own_ring, "ReEncrypt", state)
    error = own_ring.refused("ReEncrypt", **own_ring.request("ReEncrypt") | {"DestinationKeyId": key})
    assert REFUSALS[state][0] == error.code
