"""The states of a key and what each lets happen: one table.

Source: AWS KMS developer guide, "Key states of AWS KMS keys", the table of states against operations.
"""

from enum import StrEnum

from kmscli import errors


class KeyState(StrEnum):
    """KeyState of the API, as far as this vault can produce it."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"


_E, _D, _P = KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_DELETION
_ANY = {_E: _E, _D: _D, _P: _P}
_USE = {_E: _E}
_EDIT = {_E: _E, _D: _D}

TRANSITIONS: dict[str, dict[KeyState, KeyState]] = {
    "CancelKeyDeletion": {_P: _D},
    "CreateAlias": _EDIT,
    "Decrypt": _USE,
    "DeleteAlias": _ANY,
    "DescribeKey": _ANY,
    "DisableKey": {_E: _D, _D: _D},
    "EnableKey": {_E: _E, _D: _E},
    "Encrypt": _USE,
    "GenerateDataKey": _USE,
    "GenerateDataKeyWithoutPlaintext": _USE,
    "ListAliases": _ANY,
    "ListKeyRotations": _ANY,
    "ReEncrypt": _USE,
    "RotateKeyOnDemand": _USE,
    "ScheduleKeyDeletion": {_E: _P, _D: _P},
    "UpdateAlias": _EDIT,
    "UpdateKeyDescription": _EDIT,
}
"""Operation -> state before -> state after. A state that is absent forbids the operation."""


def next_state(operation: str, state: KeyState, *, arn: str, key_id: str) -> KeyState:
    """The state in which `operation` leaves a key that is in `state`.

    Args:
        operation: Name of the API operation, a row of TRANSITIONS.
        state: The key's state now.
        arn: For the error's text.
        key_id: For the error's hint.

    Raises:
        KeyDisabledError: AWS's DisabledException: a use of a disabled key.
        KeyStateError: AWS's KMSInvalidStateException: any other state that forbids it.
    """
    after = TRANSITIONS[operation].get(state)
    if after is not None:
        return after
    if operation == "CancelKeyDeletion":
        raise errors.KeyStateError(arn=arn, state="not pending deletion")
    if state is KeyState.DISABLED:
        raise errors.KeyDisabledError(arn=arn, key_id=key_id)
    hint = f"`kms cancel-key-deletion --key-id {key_id}` keeps the key"
    raise errors.KeyStateError(arn=arn, state="pending deletion", hint=hint)
