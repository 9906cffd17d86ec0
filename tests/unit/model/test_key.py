"""The table of key states against the one that AWS documents, written out."""

import pytest

from kmscli import errors
from kmscli.model.key import TRANSITIONS, KeyState, next_state
from kmscli.service.operations import OPERATIONS

ARN = "arn:aws:kms:local:000000000000:key/k"
OK, DISABLED, PENDING, NOT_PENDING = "", "is disabled.", "is pending deletion.", "is not pending deletion."
IMPORT = "is pending import."

# AWS KMS developer guide, "Key states of AWS KMS keys": columns Enabled, Disabled, Pending deletion, Pending import. An
# empty entry succeeds; any other is the text behind the key's ARN. Where the guide allows DisabledException or
# KMSInvalidStateException for a key pending deletion, the service sends the latter. What the guide says of a key's
# origin or spec is no matter of its state.
ANY = (OK, OK, OK, OK)
USE = (OK, DISABLED, PENDING, IMPORT)
EDIT = (OK, OK, PENDING, OK)
SWITCH = (OK, OK, PENDING, IMPORT)
AWS: dict[str, tuple[str, str, str, str]] = {
    "CancelKeyDeletion": (NOT_PENDING, NOT_PENDING, OK, NOT_PENDING),
    "CreateAlias": EDIT,
    "CreateGrant": USE,
    "Decapsulate": USE,
    "Decrypt": USE,
    "DeleteAlias": ANY,
    "DeleteImportedKeyMaterial": ANY,
    "DeriveSharedSecret": USE,
    "DescribeKey": ANY,
    "DisableKey": SWITCH,
    "DisableKeyRotation": USE,
    "EnableKey": SWITCH,
    "EnableKeyRotation": USE,
    "Encapsulate": USE,
    "Encrypt": USE,
    "GenerateDataKey": USE,
    "GenerateDataKeyPair": USE,
    "GenerateDataKeyPairWithoutPlaintext": USE,
    "GenerateDataKeyWithoutPlaintext": USE,
    "GenerateMac": USE,
    "GetKeyLastUsage": ANY,
    "GetKeyPolicy": ANY,
    "GetKeyRotationStatus": ANY,
    "GetParametersForImport": EDIT,
    "GetPublicKey": USE,
    "ImportKeyMaterial": EDIT,
    "ListAliases": ANY,
    "ListGrants": ANY,
    "ListKeyPolicies": ANY,
    "ListKeyRotations": ANY,
    "ListResourceTags": ANY,
    "PutKeyPolicy": ANY,
    "ReEncrypt": USE,
    "RetireGrant": ANY,
    "RevokeGrant": ANY,
    "RotateKeyOnDemand": USE,
    "ScheduleKeyDeletion": EDIT,
    "Sign": USE,
    "TagResource": EDIT,
    "UntagResource": EDIT,
    "UpdateAlias": EDIT,
    "UpdateKeyDescription": EDIT,
    "Verify": USE,
    "VerifyMac": USE,
}
STATES = (KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_DELETION, KeyState.PENDING_IMPORT)
MOVES: dict[str, dict[KeyState, KeyState]] = {
    "CancelKeyDeletion": {KeyState.PENDING_DELETION: KeyState.DISABLED},
    "DeleteImportedKeyMaterial": {
        KeyState.ENABLED: KeyState.PENDING_IMPORT,
        KeyState.DISABLED: KeyState.PENDING_IMPORT,
    },
    "DisableKey": {KeyState.ENABLED: KeyState.DISABLED},
    "EnableKey": {KeyState.DISABLED: KeyState.ENABLED},
    "ImportKeyMaterial": {KeyState.PENDING_IMPORT: KeyState.ENABLED},
    "ScheduleKeyDeletion": {
        KeyState.ENABLED: KeyState.PENDING_DELETION,
        KeyState.DISABLED: KeyState.PENDING_DELETION,
        KeyState.PENDING_IMPORT: KeyState.PENDING_DELETION,
    },
}
"""The only operations that move a key to another state, and from where to where."""
WITHOUT_A_KEY = {"CreateKey", "GenerateRandom", "ListKeys", "ListRetirableGrants"}
CELLS = [(operation, state, text) for operation, row in AWS.items() for state, text in zip(STATES, row, strict=True)]


def test_the_table_has_a_row_for_each_operation_on_a_key() -> None:
    assert TRANSITIONS.keys() == AWS.keys() == OPERATIONS.keys() - WITHOUT_A_KEY


@pytest.mark.parametrize(("operation", "state", "text"), CELLS)
def test_a_state_lets_happen_what_aws_lets_happen(operation: str, state: KeyState, text: str) -> None:
    if not text:
        expected = MOVES.get(operation, {}).get(state, state)
        assert next_state(operation, state, arn=ARN, key_id="k") == expected
        return
    with pytest.raises(errors.KmsError) as caught:
        next_state(operation, state, arn=ARN, key_id="k")
    assert caught.value.message == f"{ARN} {text}"
    assert caught.value.code == ("DisabledException" if text == DISABLED else "KMSInvalidStateException")
    assert caught.value.exit_code == 22


def test_a_refusal_says_what_would_help() -> None:
    with pytest.raises(errors.KeyDisabledError) as disabled:
        next_state("Encrypt", KeyState.DISABLED, arn=ARN, key_id="k")
    with pytest.raises(errors.KeyStateError) as pending:
        next_state("Encrypt", KeyState.PENDING_DELETION, arn=ARN, key_id="k")
    with pytest.raises(errors.KeyStateError) as without_material:
        next_state("Encrypt", KeyState.PENDING_IMPORT, arn=ARN, key_id="k")
    assert disabled.value.hint == "`kms enable-key --key-id k` enables it"
    assert pending.value.hint == "`kms cancel-key-deletion --key-id k` keeps the key"
    assert "`kms import-key-material`" in without_material.value.hint


def test_a_cancel_without_a_deletion_needs_no_advice() -> None:
    with pytest.raises(errors.KeyStateError) as caught:
        next_state("CancelKeyDeletion", KeyState.ENABLED, arn=ARN, key_id="k")
    assert caught.value.hint == ""


def test_states_are_spelt_as_the_api_spells_them() -> None:
    assert [str(state) for state in KeyState] == ["Enabled", "Disabled", "PendingImport", "PendingDeletion"]
