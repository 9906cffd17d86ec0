"""The states of a key and what each lets happen: one table.

Source: AWS KMS developer guide, "Key states of AWS KMS keys", the table of states against operations.
"""

from enum import StrEnum
from typing import Literal

from kmscli import errors

StoredState = Literal["Enabled", "Disabled", "PendingDeletion"]
"""What a key's record says; that its material is missing follows from the versions."""


class KeyState(StrEnum):
    """KeyState of the API, as far as this vault can produce it."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_IMPORT = "PendingImport"
    PENDING_DELETION = "PendingDeletion"


_E, _D, _I, _P = KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_IMPORT, KeyState.PENDING_DELETION
_ANY = {_E: _E, _D: _D, _I: _I, _P: _P}
_USE = {_E: _E}
_SWITCH = {_E: _E, _D: _D}
_EDIT = {_E: _E, _D: _D, _I: _I}

TRANSITIONS: dict[str, dict[KeyState, KeyState]] = {
    "CancelKeyDeletion": {_P: _D},
    "CreateAlias": _EDIT,
    "CreateGrant": _USE,
    "Decapsulate": _USE,
    "Decrypt": _USE,
    "DeleteAlias": _ANY,
    "DeleteImportedKeyMaterial": {_E: _I, _D: _I, _I: _I, _P: _P},
    "DeriveSharedSecret": _USE,
    "DescribeKey": _ANY,
    "DisableKey": {_E: _D, _D: _D},
    "DisableKeyRotation": _USE,
    "EnableKey": {_E: _E, _D: _E},
    "EnableKeyRotation": _USE,
    "Encapsulate": _USE,
    "Encrypt": _USE,
    "GenerateDataKey": _USE,
    "GenerateDataKeyPair": _USE,
    "GenerateDataKeyPairWithoutPlaintext": _USE,
    "GenerateDataKeyWithoutPlaintext": _USE,
    "GenerateMac": _USE,
    "GetKeyLastUsage": _ANY,
    "GetKeyPolicy": _ANY,
    "GetKeyRotationStatus": _ANY,
    "GetParametersForImport": _EDIT,
    "GetPublicKey": _USE,
    "ImportKeyMaterial": {_E: _E, _D: _D, _I: _E},
    "ListAliases": _ANY,
    "ListGrants": _ANY,
    "ListKeyPolicies": _ANY,
    "ListKeyRotations": _ANY,
    "ListResourceTags": _ANY,
    "PutKeyPolicy": _ANY,
    "ReEncrypt": _USE,
    "RetireGrant": _ANY,
    "RevokeGrant": _ANY,
    "RotateKeyOnDemand": _USE,
    "ScheduleKeyDeletion": {_E: _P, _D: _P, _I: _P},
    "Sign": _USE,
    "TagResource": _EDIT,
    "UntagResource": _EDIT,
    "UpdateAlias": _EDIT,
    "UpdateKeyDescription": _EDIT,
    "Verify": _USE,
    "VerifyMac": _USE,
}
"""Operation -> state before -> state after. A state that is absent forbids the operation."""

_REFUSALS = {
    KeyState.PENDING_IMPORT: "pending import",
    KeyState.PENDING_DELETION: "pending deletion",
}
_HINTS = {
    KeyState.PENDING_IMPORT: "`kms get-parameters-for-import` and `kms import-key-material` give it its key material",
    KeyState.PENDING_DELETION: "`kms cancel-key-deletion --key-id {key_id}` keeps the key",
}


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
    raise errors.KeyStateError(arn=arn, state=_REFUSALS[state], hint=_HINTS.get(state, "").format(key_id=key_id))
