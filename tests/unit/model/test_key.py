"""The table of key states against the one that AWS documents, written out."""

import pytest

from kmscli import errors
from kmscli.model.key import TRANSITIONS, KeyState, next_state
from kmscli.service.operations import OPERATIONS

ARN = "arn:aws:kms:local:000000000000:key/k"
OK, DISABLED, PENDING, NOT_PENDING = "", "is disabled.", "is pending deletion.", "is not pending deletion."

# AWS KMS developer guide, "Key states of AWS KMS keys": columns Enabled, Disabled, Pending deletion. An empty entry
# succeeds; any other is the text behind the key's ARN. Where the guide allows DisabledException or
# KMSInvalidStateException for a key pending deletion, the service sends the latter.
AWS: dict[str, tuple[str, str, str]] = {
    "CancelKeyDeletion": (NOT_PENDING, NOT_PENDING, OK),
    "CreateAlias": (OK, OK, PENDING),
    "Decrypt": (OK, DISABLED, PENDING),
    "DeleteAlias": (OK, OK, OK),
    "DescribeKey": (OK, OK, OK),
    "DisableKey": (OK, OK, PENDING),
    "EnableKey": (OK, OK, PENDING),
    "Encrypt": (OK, DISABLED, PENDING),
    "GenerateDataKey": (OK, DISABLED, PENDING),
    "GenerateDataKeyWithoutPlaintext": (OK, DISABLED, PENDING),
    "ListAliases": (OK, OK, OK),
    "ListKeyRotations": (OK, OK, OK),
    "ReEncrypt": (OK, DISABLED, PENDING),
    "RotateKeyOnDemand": (OK, DISABLED, PENDING),
    "ScheduleKeyDeletion": (OK, OK, PENDING),
    "UpdateAlias": (OK, OK, PENDING),
    "UpdateKeyDescription": (OK, OK, PENDING),
}
STATES = (KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_DELETION)
MOVES = {
    "CancelKeyDeletion": KeyState.DISABLED,
    "DisableKey": KeyState.DISABLED,
    "EnableKey": KeyState.ENABLED,
    "ScheduleKeyDeletion": KeyState.PENDING_DELETION,
}
"""The only operations that move a key to another state."""
WITHOUT_A_KEY = {"CreateKey", "GenerateRandom", "ListKeys"}
CELLS = [(operation, state, text) for operation, row in AWS.items() for state, text in zip(STATES, row, strict=True)]


def test_the_table_has_a_row_for_each_operation_on_a_key() -> None:
    assert TRANSITIONS.keys() == AWS.keys() == OPERATIONS.keys() - WITHOUT_A_KEY


@pytest.mark.parametrize(("operation", "state", "text"), CELLS)
def test_a_state_lets_happen_what_aws_lets_happen(operation: str, state: KeyState, text: str) -> None:
    if not text:
        expected = MOVES.get(operation, state)
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
    assert disabled.value.hint == "`kms enable-key --key-id k` enables it"
    assert pending.value.hint == "`kms cancel-key-deletion --key-id k` keeps the key"


def test_a_cancel_without_a_deletion_needs_no_advice() -> None:
    with pytest.raises(errors.KeyStateError) as caught:
        next_state("CancelKeyDeletion", KeyState.ENABLED, arn=ARN, key_id="k")
    assert caught.value.hint == ""


def test_states_are_spelt_as_the_api_spells_them() -> None:
    assert [str(state) for state in KeyState] == ["Enabled", "Disabled", "PendingDeletion"]
