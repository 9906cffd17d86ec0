"""The errors that AWS's model names for each operation, each provoked; what differs has its reason here.

Every operation is asked for what it must refuse, in all ways that apply to its members. What comes back must be what
AWS names for it, but for two lists: errors that cannot happen here, and errors for which AWS's list has no name.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kmscli import errors
from kmscli.model import limits
from kmscli.model.limits import AccountLimits
from kmscli.service import managed, operations
from kmscli.service.members import members
from tests import awsmodel
from tests.helpers import Clock, Home
from tests.interop.life import ALICE, AMAZON, wrapped

OUTSIDE = {"ValidationException", "AccessDeniedException", "NotAuthorizedException"}
"""Errors of every operation that the model leaves out."""

EVERYWHERE: dict[str, str] = {
    "DependencyTimeoutException": "any operation ends in it while somebody else holds the vault (test_serve_boto3)",
    "KMSInternalException": "any operation ends in it where vault, log or program failed (test_serve_boto3)",
    "KeyUnavailableException": "a key is where its vault is: what keeps one away keeps away both",
    "CustomKeyStoreNotFoundException": "of custom key stores, which are refused",
    "CustomKeyStoreInvalidStateException": "of custom key stores, which are refused",
    "CloudHsmClusterInvalidConfigurationException": "of custom key stores, which are refused",
    "XksKeyInvalidConfigurationException": "of custom key stores, which are refused",
    "XksKeyAlreadyInUseException": "of custom key stores, which are refused",
    "XksKeyNotFoundException": "of custom key stores, which are refused",
}
"""Errors that no request provokes here."""

_STATES = "the table of key states lets it happen in every state"
NEVER: dict[tuple[str, str], str] = {
    ("CreateKey", "InvalidArnException"): "it names no key",
    ("DeleteAlias", "KMSInvalidStateException"): _STATES,
    ("DeleteImportedKeyMaterial", "KMSInvalidStateException"): _STATES,
    ("EnableKey", "LimitExceededException"): "no quota counts enabled keys",
    ("GetKeyPolicy", "KMSInvalidStateException"): _STATES,
    ("GetKeyRotationStatus", "KMSInvalidStateException"): _STATES,
    ("GetPublicKey", "InvalidKeyUsageException"): "every key pair gives its public key, whatever it is for",
    ("ListGrants", "KMSInvalidStateException"): _STATES,
    ("ListKeyPolicies", "KMSInvalidStateException"): _STATES,
    ("ListKeyRotations", "KMSInvalidStateException"): _STATES,
    ("ListRetirableGrants", "NotFoundException"): "it names no key, and whom a grant names need not exist",
    ("PutKeyPolicy", "KMSInvalidStateException"): _STATES,
    ("PutKeyPolicy", "UnsupportedOperationException"): "every key has a policy",
    ("RetireGrant", "KMSInvalidStateException"): _STATES,
    ("RevokeGrant", "KMSInvalidStateException"): _STATES,
    ("TagResource", "LimitExceededException"): "too many tags are a TagException, as the service answers",
}
"""Operation, an error that AWS names for it -> why it never ends in it here."""

_ARN = "a malformed ARN has one name, in whatever operation it stands"
_UNSUPPORTED = "what AWS has and a vault has not is refused in these words"
MORE: dict[tuple[str, str], str] = {
    **{
        (name, "InvalidArnException"): _ARN
        for name in (
            *(
                "CreateAlias",
                "UpdateAlias",
                "Encrypt",
                "Decrypt",
                "ReEncrypt",
                "GenerateDataKey",
                "GenerateDataKeyPair",
            ),
            *("GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPairWithoutPlaintext", "Sign", "Verify"),
            *("GenerateMac", "VerifyMac", "DeriveSharedSecret", "Encapsulate", "Decapsulate"),
        )
    },
    **{
        (name, "UnsupportedOperationException"): _UNSUPPORTED
        for name in (
            *("CreateGrant", "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "Sign", "Verify"),
            "DeriveSharedSecret",
        )
    },
    ("CreateKey", "AlreadyExistsException"): "it can make an alias too",
    ("CreateKey", "InvalidAliasNameException"): "it can make an alias too",
    ("DescribeKey", "InvalidGrantTokenException"): "it takes grant tokens",
    ("ListKeyPolicies", "InvalidMarkerException"): "it takes a marker",
}
"""Operation, an error that AWS does not name for it -> why it can end in it here."""

_AES = {"EncryptionAlgorithm": "SM2PKE"}
_RECIPIENT = {"Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}}
GRANT_ID = "0" * 64


class Stage:
    """A vault with keys of one kind in all states, in which one operation is asked for what it must refuse.

    Attributes:
        seen: In what the operation ended.
        good: An enabled key.
        keys: Keys by what is wrong with them.
    """

    def __init__(self, home: Home, operation: str) -> None:
        self.home = home
        self.operation = operation
        self.seen: set[str] = set()
        spec, usage = KINDS.get(operation, ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"))
        self.good, disabled, pending = (home.create_key(KeySpec=spec, KeyUsage=usage) for _ in range(3))
        home.perform("DisableKey", KeyId=disabled)
        home.perform("ScheduleKeyDeletion", KeyId=pending)
        managed.managed_key(home.context, managed.FILES)
        other = ("HMAC_256", "GENERATE_VERIFY_MAC") if spec != "HMAC_256" else ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
        self.keys = [
            "arn:aws:kms:x",
            "12345678-1234-1234-1234-123456789012",
            "alias/absent",
            disabled,
            pending,
            home.create_key(Origin="EXTERNAL"),
            home.create_key(KeySpec=other[0], KeyUsage=other[1]),
            managed.FILES,
        ]

    def ask(self, operation: str, request: dict[str, Any]) -> None:
        """Note in what a request ends, if it is one of the operation."""
        if operation != self.operation:
            return
        try:
            self.home.perform(operation, **request)
        except errors.KmsError as error:
            self.seen.add(error.code)


KINDS: dict[str, tuple[str, str]] = {
    "Sign": ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
    "Verify": ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
    "GetPublicKey": ("ECC_NIST_P256", "SIGN_VERIFY"),
    "DeriveSharedSecret": ("ECC_NIST_P256", "KEY_AGREEMENT"),
    "Encapsulate": ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
    "Decapsulate": ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
    "GenerateMac": ("HMAC_256", "GENERATE_VERIFY_MAC"),
    "VerifyMac": ("HMAC_256", "GENERATE_VERIFY_MAC"),
}
"""Operation -> the keys that it works with; the rest work with symmetric ones."""

_SIGNED = {"Message": b"x", "SigningAlgorithm": "ED25519_SHA_512"}
_MAC = {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}
_KEM = {"EncapsulationAlgorithm": "ML_KEM"}
_GRANT = {"GranteePrincipal": ALICE, "Operations": ["Decrypt"]}
_WRAP = {"WrappingKeySpec": "RSA_2048", "WrappingAlgorithm": "RSAES_OAEP_SHA_256"}

VALID: dict[str, dict[str, Any]] = {
    "CreateAlias": {"AliasName": "alias/new"},
    "CreateGrant": _GRANT,
    "Decapsulate": {**_KEM, "SharedSecretCiphertextBlob": b"x" * 1088},
    "DeleteAlias": {"AliasName": "alias/absent"},
    "DeriveSharedSecret": {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b"x"},
    "Encapsulate": _KEM,
    "Encrypt": {"Plaintext": b"x"},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "GenerateMac": _MAC,
    "GenerateRandom": {"NumberOfBytes": 1},
    "GetParametersForImport": _WRAP,
    "ImportKeyMaterial": {
        "ImportToken": b"x",
        "EncryptedKeyMaterial": b"x",
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    },
    "ListRetirableGrants": {"RetiringPrincipal": ALICE},
    "PutKeyPolicy": {"Policy": "{}"},
    "RetireGrant": {"GrantId": GRANT_ID},
    "RevokeGrant": {"GrantId": GRANT_ID},
    "Sign": _SIGNED,
    "TagResource": {"Tags": [{"TagKey": "a", "TagValue": "b"}]},
    "UntagResource": {"TagKeys": ["a"]},
    "UpdateAlias": {"AliasName": "alias/taken"},
    "UpdateKeyDescription": {"Description": ""},
    "Verify": {**_SIGNED, "Signature": b"x"},
    "VerifyMac": {**_MAC, "Mac": b"x"},
}
"""Operation -> members beside the key."""

WRONG: dict[str, list[dict[str, Any]]] = {
    "CreateAlias": [{"AliasName": "alias/"}, {"AliasName": managed.FILES}],
    "CreateGrant": [{"GranteePrincipal": "x"}, {"RetiringServicePrincipal": AMAZON}],
    "CreateKey": [
        {"Alias": "alias/"},
        {"Alias": "alias/taken"},
        {"Origin": "AWS_CLOUDHSM"},
        {"Tags": [{"TagKey": "aws:", "TagValue": ""}]},
        {"Policy": "{}"},
    ],
    "Decapsulate": [{"SharedSecretCiphertextBlob": b"x"}],
    "Decrypt": [{"CiphertextBlob": b"x"}, _RECIPIENT],
    "DeleteAlias": [{}],
    "DeleteImportedKeyMaterial": [{"KeyMaterialId": GRANT_ID}],
    "DeriveSharedSecret": [_RECIPIENT],
    "Encrypt": [_AES],
    "GenerateDataKey": [_RECIPIENT],
    "GenerateDataKeyPair": [{"KeyPairSpec": "SM2"}],
    "GenerateDataKeyPairWithoutPlaintext": [{"KeyPairSpec": "SM2"}],
    "GenerateRandom": [_RECIPIENT],
    "GetKeyPolicy": [{"PolicyName": "x"}],
    "GetParametersForImport": [{"WrappingKeySpec": "SM2"}],
    "ListGrants": [{"GrantId": "x"}],
    "ListRetirableGrants": [{"RetiringPrincipal": "x"}],
    "PutKeyPolicy": [{"Policy": "x"}, {"Policy": "x" * 32_769}],
    "ReEncrypt": [{"CiphertextBlob": b"x"}, {"SourceEncryptionAlgorithm": "SM2PKE"}],
    "RetireGrant": [{"GrantId": "x"}],
    "RevokeGrant": [{"GrantId": "x"}],
    "Sign": [{"SigningAlgorithm": "SM2DSA"}],
    "TagResource": [{"Tags": [{"TagKey": "aws:", "TagValue": ""}]}],
    "UntagResource": [{"TagKeys": ["aws:x"]}],
    "Verify": [{"SigningAlgorithm": "SM2DSA"}],
}
"""Operation -> requests that are wrong in a way of their own."""


def wrongs(operation: str, stage: Stage) -> Iterator[dict[str, Any]]:
    """Requests that an operation refuses, and some that it does not."""
    known = [member.name for member in members(operations.load(operation).request)]
    valid = dict(VALID.get(operation, {}))
    named = [name for name in known if name.endswith("KeyId")]
    valid |= {name: stage.good for name in named if name not in {"CustomKeyStoreId", "XksKeyId"}}
    if "CiphertextBlob" in known:
        valid["CiphertextBlob"] = stage.home.perform("Encrypt", KeyId=stage.good, Plaintext=b"x").ciphertext_blob
    for name in named:
        yield from (valid | {name: key} for key in stage.keys)
    if "GrantTokens" in known:
        yield valid | {"GrantTokens": ["x"]}
    if "DryRun" in known:
        yield valid | {"DryRun": True}
        # Where no valid request can be typed in advance, what it needs is made here.
        yield from ({**made, "DryRun": True} for made in _made(operation, stage))
    if "Marker" in known:
        yield valid | {"Marker": "x"}
    yield from (valid | wrong for wrong in WRONG.get(operation, []))


def _made(operation: str, stage: Stage) -> Iterator[dict[str, Any]]:
    home, key = stage.home, {"KeyId": stage.good}
    if operation == "Verify":
        yield key | _SIGNED | {"Signature": home.perform("Sign", **key, **_SIGNED).signature}
    if operation == "VerifyMac":
        yield key | _MAC | {"Mac": home.perform("GenerateMac", **key, **_MAC).mac}
    if operation == "DeriveSharedSecret":
        public = home.perform("GetPublicKey", **key).public_key
        yield key | {"KeyAgreementAlgorithm": "ECDH", "PublicKey": public}
    if operation in {"RetireGrant", "RevokeGrant"}:
        yield key | {"GrantId": home.perform("CreateGrant", **key, **_GRANT).grant_id}


def _limits(stage: Stage, patch: pytest.MonkeyPatch, clock: Clock) -> None:
    """What is refused because there is too much of it."""
    home, key = stage.home, {"KeyId": stage.good}
    home.create_key(Alias="alias/other")
    home.perform("CreateAlias", AliasName="alias/one", TargetKeyId=stage.good)
    none = AccountLimits(keys=0, aliases=1, tags=1, grants=0, on_demand_rotations=0)
    patch.setitem(limits.PROFILES, "local", none)
    two = [{"TagKey": name, "TagValue": ""} for name in "ab"]
    for operation, request in (
        ("CreateKey", {}),
        ("CreateAlias", {"AliasName": "alias/two", "TargetKeyId": stage.good}),
        ("UpdateAlias", {"AliasName": "alias/other", "TargetKeyId": stage.good}),
        ("CreateGrant", key | _GRANT),
        ("RotateKeyOnDemand", key),
        ("TagResource", key | {"Tags": two}),
    ):
        stage.ask(operation, request)


def _conflict(stage: Stage, _: pytest.MonkeyPatch, clock: Clock) -> None:
    stage.home.perform("EnableKeyRotation", KeyId=stage.good, RotationPeriodInDays=90)
    clock.move(days=90, minutes=-10)
    stage.ask("RotateKeyOnDemand", {"KeyId": stage.good})


def _retired(stage: Stage, _: pytest.MonkeyPatch, clock: Clock) -> None:
    stage.ask("RetireGrant", {"GrantToken": "x"})


def _imports(stage: Stage, _: pytest.MonkeyPatch, clock: Clock) -> None:
    home = stage.home
    key_id = home.create_key(Origin="EXTERNAL")
    given = home.perform("GetParametersForImport", KeyId=key_id, **_WRAP)
    asked = {
        "KeyId": key_id,
        "ImportToken": given.import_token,
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }
    stage.ask("ImportKeyMaterial", asked | {"EncryptedKeyMaterial": b"x"})
    short = wrapped(given.public_key, b"x", "RSAES_OAEP_SHA_256")
    stage.ask("ImportKeyMaterial", asked | {"EncryptedKeyMaterial": short})
    stage.ask("ImportKeyMaterial", asked | {"EncryptedKeyMaterial": short, "ImportToken": b"x"})
    home.perform("ScheduleKeyDeletion", KeyId=key_id)
    stage.ask("ImportKeyMaterial", asked | {"EncryptedKeyMaterial": short})
    home.perform("CancelKeyDeletion", KeyId=key_id)
    clock.move(days=2)
    stage.ask("ImportKeyMaterial", asked | {"EncryptedKeyMaterial": short})


def _parameters(stage: Stage, _: pytest.MonkeyPatch, clock: Clock) -> None:
    key_id = stage.home.create_key(Origin="EXTERNAL")
    stage.home.perform("ScheduleKeyDeletion", KeyId=key_id)
    stage.ask("GetParametersForImport", {"KeyId": key_id, **_WRAP})


def _other_key(stage: Stage, _: pytest.MonkeyPatch, clock: Clock) -> None:
    home = stage.home
    blob = home.perform("Encrypt", KeyId=home.create_key(), Plaintext=b"x").ciphertext_blob
    stage.ask("Decrypt", {"KeyId": stage.good, "CiphertextBlob": blob})
    stage.ask("ReEncrypt", {"SourceKeyId": stage.good, "DestinationKeyId": stage.good, "CiphertextBlob": blob})


Special = Callable[[Stage, pytest.MonkeyPatch, Clock], None]
SPECIAL: dict[str, list[Special]] = {
    "CreateAlias": [_limits],
    "CreateGrant": [_limits],
    "CreateKey": [_limits],
    "Decrypt": [_other_key],
    "GetParametersForImport": [_parameters],
    "ImportKeyMaterial": [_imports],
    "ReEncrypt": [_other_key],
    "RetireGrant": [_retired],
    "RotateKeyOnDemand": [_conflict, _limits],
    "UpdateAlias": [_limits],
}


@pytest.mark.parametrize("operation", operations.OPERATIONS)
def test_an_operation_ends_in_the_errors_of_aws(
    operation: str, home: Home, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(home, operation)
    home.create_key(Alias="alias/taken")
    for request in wrongs(operation, stage):
        stage.ask(operation, request)
    for special in SPECIAL.get(operation, []):
        special(stage, monkeypatch, clock)
    never = {name for where, name in NEVER if where == operation}
    more = {name for where, name in MORE if where == operation}
    named = awsmodel.errors(operation)
    assert never <= named
    assert not more & named
    assert stage.seen - OUTSIDE == (named - EVERYWHERE.keys() - never) | more


def test_each_error_that_never_happens_is_one_of_aws() -> None:
    named = {name for operation in operations.OPERATIONS for name in awsmodel.errors(operation)}
    assert EVERYWHERE.keys() <= named
    assert {operation for operation, _ in (*NEVER, *MORE)} <= operations.OPERATIONS.keys()
