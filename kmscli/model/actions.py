"""THE list of actions that policies can name: AWS's operations, with the two halves of ReEncrypt in its place.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS KMS".
"""

from kmscli.model.conditionkeys import KEYLESS
from kmscli.model.statement import Statement

WITH_KEY: tuple[str, ...] = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:Decapsulate",
    "kms:Decrypt",
    "kms:DeleteAlias",
    "kms:DeleteImportedKeyMaterial",
    "kms:DeriveSharedSecret",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encapsulate",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GenerateMac",
    "kms:GetKeyLastUsage",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:GetParametersForImport",
    "kms:GetPublicKey",
    "kms:ImportKeyMaterial",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:ReplicateKey",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:Sign",
    "kms:SynchronizeMultiRegionKey",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:UpdatePrimaryRegion",
    "kms:Verify",
    "kms:VerifyMac",
)
"""The actions that are about a key."""
ACTIONS: tuple[str, ...] = tuple(sorted((*WITH_KEY, *(f"kms:{name}" for name in KEYLESS))))
_NAMES = {name.lower(): name for name in ACTIONS}


def canonical(text: str) -> str | None:
    """AWS's spelling of an action that somebody names, `kms:` or not; None if there is no such action."""
    lower = text.lower()
    return _NAMES.get(lower if lower.startswith("kms:") else f"kms:{lower}")


def covered(statement: Statement) -> tuple[str, ...]:
    """The actions that a statement means."""
    return tuple(action for action in ACTIONS if statement.covers_action(action))
