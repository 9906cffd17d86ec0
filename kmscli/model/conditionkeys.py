"""THE table of condition keys: which there are, what their values are, and which requests may have them.

AWS takes any name in a policy: a key that no request has is simply absent, so nothing is refused here.
Source: AWS KMS developer guide, "AWS KMS condition keys" and "AWS global condition keys"; IAM user guide, "AWS global
condition context keys"; Service Authorization Reference, "Actions, resources, and condition keys for AWS KMS".
"""

import msgspec

STRING, BOOL, NUMERIC, DATE, ARN, IP = "string", "bool", "numeric", "date", "arn", "ip"

EVERY, WITH_KEY = ("*",), ("key",)
"""Every request; every request about one key."""
KEYLESS = frozenset(
    {
        "CreateKey",
        "GenerateRandom",
        "ListAliases",
        "ListKeys",
        "ListRetirableGrants",
        "ConnectCustomKeyStore",
        "CreateCustomKeyStore",
        "DeleteCustomKeyStore",
        "DescribeCustomKeyStores",
        "DisconnectCustomKeyStore",
        "UpdateCustomKeyStore",
    }
)
"""The actions that are about no key."""
_STORES = tuple(sorted(name for name in KEYLESS if name.endswith(("KeyStore", "KeyStores"))))
_PAIRS = ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
_CIPHER = ("Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo")
_SEALING = (*_CIPHER, "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", *_PAIRS)
_SIGNING, _MACS = ("Sign", "Verify"), ("GenerateMac", "VerifyMac")
_CRYPTOGRAPHIC = (*_SEALING, *_SIGNING, *_MACS, "DeriveSharedSecret", "Encapsulate", "Decapsulate")
_GRANT = ("CreateGrant",)
_MADE = ("CreateKey",)
_PROPERTY = (*_MADE, *WITH_KEY)


class ConditionKey(msgspec.Struct, frozen=True):
    """One condition key.

    Attributes:
        type: Of its values: STRING, BOOL, NUMERIC, DATE, ARN or IP.
        actions: Those whose requests may have it, without `kms:`; or EVERY; WITH_KEY within stands for all with a key.
        many: Whether a request may have several values, so that a policy needs ForAllValues or ForAnyValue.
    """

    type: str
    actions: tuple[str, ...]
    many: bool = False


CONDITION_KEYS: dict[str, ConditionKey] = {
    "kms:BypassPolicyLockoutSafetyCheck": ConditionKey(BOOL, ("CreateKey", "PutKeyPolicy")),
    "kms:CallerAccount": ConditionKey(STRING, (*WITH_KEY, *_STORES)),
    "kms:CustomerMasterKeySpec": ConditionKey(STRING, _PROPERTY),
    "kms:CustomerMasterKeyUsage": ConditionKey(STRING, _PROPERTY),
    "kms:DataKeyPairSpec": ConditionKey(STRING, _PAIRS),
    "kms:EncryptionAlgorithm": ConditionKey(STRING, _SEALING),
    "kms:EncryptionContext:*": ConditionKey(STRING, (*_SEALING, *_GRANT)),
    "kms:EncryptionContextKeys": ConditionKey(STRING, (*_SEALING, *_GRANT), many=True),
    "kms:ExpirationModel": ConditionKey(STRING, ("ImportKeyMaterial",)),
    "kms:GrantConstraintType": ConditionKey(STRING, _GRANT),
    "kms:GranteePrincipal": ConditionKey(STRING, _GRANT),
    "kms:GrantIsForAWSResource": ConditionKey(BOOL, ("CreateGrant", "ListGrants", "RevokeGrant")),
    "kms:GrantOperations": ConditionKey(STRING, _GRANT, many=True),
    "kms:KeyAgreementAlgorithm": ConditionKey(STRING, ("DeriveSharedSecret",)),
    "kms:KeyOrigin": ConditionKey(STRING, _PROPERTY),
    "kms:KeySpec": ConditionKey(STRING, _PROPERTY),
    "kms:KeyUsage": ConditionKey(STRING, _PROPERTY),
    "kms:MacAlgorithm": ConditionKey(STRING, _MACS),
    "kms:MessageType": ConditionKey(STRING, _SIGNING),
    "kms:MultiRegion": ConditionKey(BOOL, _PROPERTY),
    "kms:MultiRegionKeyType": ConditionKey(STRING, _PROPERTY),
    "kms:PrimaryRegion": ConditionKey(STRING, ("UpdatePrimaryRegion",)),
    "kms:ReEncryptOnSameKey": ConditionKey(BOOL, ("ReEncryptFrom", "ReEncryptTo")),
    "kms:ReplicaRegion": ConditionKey(STRING, ("ReplicateKey",)),
    "kms:RequestAlias": ConditionKey(STRING, (*_CRYPTOGRAPHIC, "DescribeKey", "GetPublicKey")),
    "kms:ResourceAliases": ConditionKey(STRING, WITH_KEY, many=True),
    "kms:RetiringPrincipal": ConditionKey(STRING, _GRANT),
    "kms:RotationPeriodInDays": ConditionKey(NUMERIC, ("EnableKeyRotation",)),
    "kms:ScheduleKeyDeletionPendingWindowInDays": ConditionKey(NUMERIC, ("ScheduleKeyDeletion",)),
    "kms:SigningAlgorithm": ConditionKey(STRING, _SIGNING),
    "kms:ValidTo": ConditionKey(NUMERIC, ("ImportKeyMaterial",)),
    "kms:ViaService": ConditionKey(STRING, WITH_KEY),
    "kms:WrappingAlgorithm": ConditionKey(STRING, ("GetParametersForImport",)),
    "kms:WrappingKeySpec": ConditionKey(STRING, ("GetParametersForImport",)),
    "aws:CurrentTime": ConditionKey(DATE, EVERY),
    "aws:EpochTime": ConditionKey(NUMERIC, EVERY),
    "aws:PrincipalAccount": ConditionKey(STRING, EVERY),
    "aws:PrincipalArn": ConditionKey(ARN, EVERY),
    "aws:PrincipalTag/*": ConditionKey(STRING, EVERY),
    "aws:PrincipalType": ConditionKey(STRING, EVERY),
    "aws:RequestTag/*": ConditionKey(STRING, ("CreateKey", "ReplicateKey", "TagResource")),
    "aws:ResourceTag/*": ConditionKey(STRING, WITH_KEY),
    "aws:SourceIp": ConditionKey(IP, EVERY),
    "aws:TagKeys": ConditionKey(STRING, ("CreateKey", "ReplicateKey", "TagResource", "UntagResource"), many=True),
    "aws:userid": ConditionKey(STRING, EVERY),
    "aws:username": ConditionKey(STRING, EVERY),
}
"""Name -> what it is. A `*` at its end stands for any text; case does not matter. AWS compares kms:ValidTo, seconds
since 1970, by Numeric operators."""

_NAMES = {name.lower(): name for name in CONDITION_KEYS}
_FAMILIES = tuple(name[:-1] for name in _NAMES if name.endswith("*"))


def name_of(key: str) -> str | None:
    """The name of a row of CONDITION_KEYS for a key as a policy writes it, or None for a key that no request has."""
    lower = key.lower()
    family = next((prefix for prefix in _FAMILIES if lower.startswith(prefix) and lower != prefix), "")
    return _NAMES.get(f"{family}*" if family else lower)


def spelling(key: str) -> str:
    """AWS's spelling of a condition key; what follows the name of a family stays as it is."""
    name = name_of(key) or key
    return f"{name[:-1]}{key[len(name) - 1 :]}" if name.endswith("*") else name


def is_many(key: str) -> bool:
    """Whether a request may have several values of a condition key."""
    name = name_of(key)
    return name is not None and CONDITION_KEYS[name].many


def may_be_present(key: str, action: str) -> bool:
    """Whether a request for an action, such as `Decrypt`, may have a condition key."""
    name = name_of(key)
    actions = () if name is None else CONDITION_KEYS[name].actions
    return actions == EVERY or action in actions or (WITH_KEY[0] in actions and action not in KEYLESS)
