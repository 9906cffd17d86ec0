"""What AWS answers to requests that are wrong: for each operation, error, text and where that is known from.

A row names keys of the stage by `<name>`, their ARNs by `<name.arn>`. Sources:

- MODEL: botocore's model, in the words of `1 validation error detected: ...`, which recorded answers have.
- REFERENCE: the error is that of the AWS KMS API reference, or its table of key states; the words are recorded ones.
- RECORDED: an answer of the service that somebody wrote down: snapshots of LocalStack's tests (test_kms.snapshot.json,
  recorded with AWS), moto's tests, the texts of local-kms but for those that it marks as its own, issues of
  terraform-provider-aws; for the JSON types kinesalite's, which were run against a service with the same framework and
  protocol. Of KMS itself one of those is known, that of a list in the place of a text (erlcloud issue 644); it is the
  same, in `Message` too.
- OURS: AWS's text is not known, or there is none; the error is what its documentation names.
"""

import base64
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from kmscli.service import operations
from tests import awsmodel
from tests.unit.model.test_key import AWS as STATES

MODEL, REFERENCE, RECORDED, OURS = "model", "reference", "recorded", "ours"
VALIDATION, NOT_FOUND, USAGE = "ValidationException", "NotFoundException", "InvalidKeyUsageException"
UNSUPPORTED, NOT_AUTHORIZED = "UnsupportedOperationException", "NotAuthorizedException"
ABSENT = "12345678-1234-1234-1234-123456789012"
HERE = "arn:aws:kms:us-east-1:000000000000"
ALICE = "arn:aws:iam::000000000000:user/alice"
NO_GRANT = "0" * 64


class Row(msgspec.Struct, frozen=True):
    """A wrong request and its answer.

    Attributes:
        operation: AWS's name.
        members: Of the request, as JSON.
        error: The `__type`.
        message: None where AWS sends none; one that ends with an ellipsis or begins with one is told in part.
        source: One of those above.
    """

    operation: str
    members: dict[str, Any]
    error: str
    message: str | None
    source: str


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


X = b64(b"x")
_MAC = {"KeyId": "<hmac>", "Message": X, "MacAlgorithm": "HMAC_SHA_256"}
_SIGN = {"KeyId": "<p256>", "Message": X, "SigningAlgorithm": "ECDSA_SHA_256"}
_KEM = {"KeyId": "<kem>", "EncapsulationAlgorithm": "ML_KEM"}
_KEY = {"KeyId": "<good>"}
VALID: dict[str, dict[str, Any]] = {
    **dict.fromkeys(operations.OPERATIONS, _KEY),
    "CreateAlias": {"AliasName": "alias/new", "TargetKeyId": "<good>"},
    "CreateGrant": _KEY | {"GranteePrincipal": ALICE, "Operations": ["Decrypt"]},
    "CreateKey": {},
    "Decapsulate": _KEM | {"SharedSecretCiphertextBlob": b64(bytes(1088))},
    "Decrypt": {"CiphertextBlob": "<good.blob>"},
    "DeleteAlias": {"AliasName": "alias/absent"},
    "DeleteImportedKeyMaterial": {"KeyId": "<external>"},
    "DeriveSharedSecret": {"KeyId": "<agree>", "KeyAgreementAlgorithm": "ECDH", "PublicKey": X},
    "Encapsulate": _KEM,
    "Encrypt": _KEY | {"Plaintext": X},
    "GenerateDataKey": _KEY | {"KeySpec": "AES_256"},
    "GenerateDataKeyPair": _KEY | {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyPairWithoutPlaintext": _KEY | {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyWithoutPlaintext": _KEY | {"KeySpec": "AES_256"},
    "GenerateMac": _MAC,
    "GenerateRandom": {"NumberOfBytes": 1},
    "GetParametersForImport": {
        "KeyId": "<external>",
        "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
        "WrappingKeySpec": "RSA_2048",
    },
    "GetPublicKey": {"KeyId": "<p256>"},
    "ImportKeyMaterial": {
        "KeyId": "<external>",
        "ImportToken": X,
        "EncryptedKeyMaterial": X,
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    },
    "ListAliases": {},
    "ListKeys": {},
    "ListRetirableGrants": {"RetiringPrincipal": ALICE},
    "PutKeyPolicy": _KEY | {"Policy": "{}"},
    "ReEncrypt": {"CiphertextBlob": "<good.blob>", "DestinationKeyId": "<good>"},
    "RetireGrant": _KEY | {"GrantId": NO_GRANT},
    "RevokeGrant": _KEY | {"GrantId": NO_GRANT},
    "Sign": _SIGN,
    "TagResource": _KEY | {"Tags": [{"TagKey": "a", "TagValue": "b"}]},
    "UntagResource": _KEY | {"TagKeys": ["a"]},
    "UpdateAlias": {"AliasName": "alias/taken", "TargetKeyId": "<good>"},
    "UpdateKeyDescription": _KEY | {"Description": ""},
    "Verify": _SIGN | {"Signature": X},
    "VerifyMac": _MAC | {"Mac": X},
}
"""Requests with nothing wrong in any member alone."""


# -- shapes ------------------------------------------------------------------------------------------------------------

BOUNDS: dict[tuple[str, str], dict[str, int]] = {
    ("ListAliases", "Limit"): {"max": 100},
    ("ListGrants", "Limit"): {"max": 100},
    ("ListRetirableGrants", "Limit"): {"max": 100},
    ("ListResourceTags", "Limit"): {"max": 50},
    ("ScheduleKeyDeletion", "PendingWindowInDays"): {"min": 7, "max": 30},
}
"""Where the API reference's text has other bounds than the model."""
ORDERS = {"MacAlgorithmSpec": ["HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"]}
"""Recorded orders of an enum that are not the model's."""
SECRET = {name for name, shape in awsmodel.SHAPES.items() if shape.get("sensitive")}
"""Recorded: of a plaintext that is too long nothing is shown."""
_SHOWN_MAX = 200


def constraint(value: str, member: str, *texts: str) -> str:
    """AWS's sentence about one member that breaks one or several constraints."""
    shown = f" {value}" if value else ""
    path = member[0].lower() + member[1:]
    found = "; ".join(f"Value{shown} at '{path}' failed to satisfy constraint: {text}" for text in texts)
    return f"{len(texts)} validation error{'s' if len(texts) > 1 else ''} detected: {found}"


def of_shapes(operation: str) -> Iterator[Row]:
    """What the shapes of the members refuse, one member at a time."""
    shape = awsmodel.SHAPES[awsmodel.input_shape(operation)]
    valid = VALID[operation]
    for name in shape.get("required", []):
        less = {key: value for key, value in valid.items() if key != name}
        yield Row(operation, less, VALIDATION, constraint("null", name, "Member must not be null"), MODEL)
    for name, member in shape["members"].items():
        row = awsmodel.SHAPES[member["shape"]]
        for value, shown, texts in _wrong_values({**row, **BOUNDS.get((operation, name), {})}, member["shape"]):
            source = RECORDED if member["shape"] in ORDERS else MODEL
            message = constraint(shown, name, *texts) if len(shown) < _SHOWN_MAX else f"...{texts[-1]}"
            yield Row(operation, valid | {name: value}, VALIDATION, message, source)
        for value, text in WRONG_TYPES[row["type"]]:
            yield Row(operation, valid | {name: value}, "SerializationException", text, RECORDED)


def _wrong_values(row: dict[str, Any], shape: str) -> Iterator[tuple[Any, str, list[str]]]:
    """Values that break constraints, as they are shown, and the constraints."""
    if "enum" in row:
        values = ", ".join(ORDERS.get(shape, row["enum"]))
        yield "x", "'x'", [f"Member must satisfy enum value set: [{values}]"]
    elif row["type"] == "integer":
        yield from _wrong_numbers(row.get("min"), row.get("max"))
    else:
        for value, shown in _values(row, shape):
            if broken := _broken(row, value):
                yield b64(value) if isinstance(value, bytes) else value, shown, broken


def _wrong_numbers(least: int | None, most: int | None) -> Iterator[tuple[Any, str, list[str]]]:
    if least is not None:
        yield least - 1, f"'{least - 1}'", [f"Member must have value greater than or equal to {least}"]
    if most is not None:
        yield most + 1, f"'{most + 1}'", [f"Member must have value less than or equal to {most}"]


def _values(row: dict[str, Any], shape: str) -> Iterator[tuple[Any, str]]:
    more = row.get("max", 0) + 1
    if row["type"] == "string":
        yield from ((text, f"'{text}'") for text in ("", "\u0416", "a" * more))
    elif row["type"] == "blob":
        for size in (0, more):
            yield bytes(size), "" if shape in SECRET else f"'java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]'"
    elif row["type"] == "list":
        item = awsmodel.SHAPES[row["member"]["shape"]]
        if item["type"] == "string" and "enum" not in item:
            yield ["a"] * more, f"'[{', '.join(['a'] * more)}]'"


def _broken(row: dict[str, Any], value: Any) -> list[str]:
    found = []
    if len(value) < row.get("min", 0):
        found.append(f"Member must have length greater than or equal to {row['min']}")
    if "max" in row and len(value) > row["max"]:
        found.append(f"Member must have length less than or equal to {row['max']}")
    if "pattern" in row and re.search(f"^(?:{row['pattern']})$", value, re.ASCII) is None:
        found.append(f"Member must satisfy regular expression pattern: {row['pattern']}")
    return found


_LIST, _MAP = "Start of list found where not expected", "Start of structure or map found where not expected"
_NUMBER, _BOOLEAN, _STRING = (
    "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
    "class java.lang.Boolean",
    "class java.lang.String",
)
WRONG_TYPES: dict[str, list[tuple[Any, str]]] = {
    "string": [
        (5, f"{_NUMBER} can not be converted to an String"),
        (True, f"{_BOOLEAN} can not be converted to an String"),
        ([], _LIST),
        ({}, _MAP),
    ],
    "integer": [
        ("5", f"{_STRING} can not be converted to an Integer"),
        (True, f"{_BOOLEAN} can not be converted to an Integer"),
        ([], _LIST),
    ],
    "boolean": [(5, f"{_NUMBER} can not be converted to an Boolean"), ({}, _MAP)],
    "blob": [
        (5, f"{_NUMBER} can not be converted to a Blob"),
        (
            "abc",
            # AWS repeats the value; here it stays out of answer and audit line, for it may be a secret.
            (
                "The value can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but "
                "found: 3"
            ),
        ),
        ([], _LIST),
    ],
    "timestamp": [("x", f"{_STRING} can not be converted to milliseconds since epoch")],
    "list": [("x", "Expected list or null"), ({}, _MAP)],
    "map": [("x", "Expected map or null"), ([], _LIST)],
    "structure": [("x", "Expected null"), ([], _LIST)],
}


# -- keys --------------------------------------------------------------------------------------------------------------

KEYS = ("KeyId", "SourceKeyId", "DestinationKeyId", "TargetKeyId")
_SYMMETRIC = {"GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair"}
_SYMMETRIC |= {"GenerateDataKeyPairWithoutPlaintext"}
USAGES: dict[str, tuple[str, str]] = {
    **dict.fromkeys(["Encrypt", *_SYMMETRIC], ("hmac", "GENERATE_VERIFY_MAC")),
    **dict.fromkeys(["Sign", "Verify", "GenerateMac", "VerifyMac"], ("good", "ENCRYPT_DECRYPT")),
    **dict.fromkeys(["DeriveSharedSecret", "Encapsulate", "Decapsulate"], ("good", "ENCRYPT_DECRYPT")),
}
"""Operation -> a key whose usage does not fit, and its usage."""
_STATES_OF = {"Disabled": 1, "Pending": 2, "Import": 3}
_NO_MATERIAL = {"Sign", "Verify", "GenerateMac", "VerifyMac", "DeriveSharedSecret", "Encapsulate", "Decapsulate"}
_NO_MATERIAL |= {"GetPublicKey", "EnableKeyRotation", "DisableKeyRotation"}
"""Operations that a key without material cannot be asked for, or that refuse it for its origin."""


def of_keys(operation: str) -> Iterator[Row]:
    """What a key is refused for: that it is not there, its state, its usage."""
    valid = VALID[operation]
    for name in KEYS:
        if name not in awsmodel.members(awsmodel.input_shape(operation)):
            continue
        for value, error, text, source in (
            (ABSENT, NOT_FOUND, f"Key '{HERE}:key/{ABSENT}' does not exist", RECORDED),
            (f"{HERE}:key/{ABSENT}", NOT_FOUND, f"Key '{HERE}:key/{ABSENT}' does not exist", RECORDED),
            ("fake-key-id", NOT_FOUND, "Invalid keyId 'fake-key-id'", RECORDED),
            ("alias/absent", NOT_FOUND, f"Alias {HERE}:alias/absent is not found.", RECORDED),
            (f"{HERE}:alias/absent", NOT_FOUND, f"Alias {HERE}:alias/absent is not found.", RECORDED),
            (f"arn:aws:kms:eu-west-1:000000000000:key/{ABSENT}", NOT_FOUND, "Invalid arn eu-west-1", RECORDED),
            ("arn:aws:kms:x", "InvalidArnException", "Invalid arn arn:aws:kms:x", REFERENCE),
        ):
            if name == "TargetKeyId" and "alias" in value:
                said = VALIDATION, "Aliases must refer to keys. Not aliases"
            else:
                said = error, text
            if operation != "ListAliases" or value != ABSENT:
                yield Row(operation, valid | {name: value}, *said, source)
        yield from _of_states(operation, name)
    if operation in USAGES:
        key, usage = USAGES[operation]
        text = f"<{key}.arn> key usage is {usage} which is not valid for {operation}."
        yield Row(operation, valid | {"KeyId": f"<{key}>"}, USAGE, text, RECORDED)


def _of_states(operation: str, name: str) -> Iterator[Row]:
    row = STATES[operation]
    kind = str(VALID[operation].get("KeyId", "<good>")).strip("<>")
    kind = kind if kind in ("hmac", "p256", "agree", "kem") else "good"
    for state, column in _STATES_OF.items():
        text = row[column]
        if not text or (state == "Import" and operation in _NO_MATERIAL):
            continue
        key = "external" if state == "Import" else f"{kind}{state}"
        if operation in ("ImportKeyMaterial", "GetParametersForImport"):
            key = f"external{state}"
        members = VALID[operation] | {name: f"<{key}>"}
        if name == "SourceKeyId" or operation == "Decrypt":
            if state == "Import":
                continue
            members["CiphertextBlob"] = f"<{key}.blob>"
        error = "DisabledException" if text == "is disabled." else "KMSInvalidStateException"
        yield Row(operation, members, error, f"<{key}.arn> {text}", REFERENCE)


# -- operations --------------------------------------------------------------------------------------------------------

_RECIPIENT = {"Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": X}}
_NO_ENCLAVE = "Recipient is not supported: ..."
_DRY = "The request would have succeeded, but the DryRun option is set."
_PREFIX = (
    'Alias must start with the prefix "alias/". Please see '
    "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
)
_MARKER = ("InvalidMarkerException", "The marker is not valid", OURS)
_TOKEN = ("InvalidGrantTokenException", "The grant token is not valid", OURS)


def _kept(what: str, old: str, new: str) -> str:
    """AWS's sentence about an alias that would name a key of another kind."""
    return (
        f"Alias alias/taken cannot be changed from a CMK with key {what} {old} to a CMK with key {what} {new}. "
        f"The key {what} of the current CMK and the new CMK must be the same."
    )


OWN: list[tuple[str, dict[str, Any], str, str | None, str]] = [
    ("CancelKeyDeletion", {}, "KMSInvalidStateException", "<good.arn> is not pending deletion.", REFERENCE),
    ("CreateAlias", {"AliasName": "alias/taken"}, "AlreadyExistsException",
     f"An alias with the name {HERE}:alias/taken already exists", RECORDED),
    ("CreateAlias", {"AliasName": "x"}, VALIDATION, _PREFIX, RECORDED),
    ("CreateAlias", {"AliasName": "alias/a:b"}, VALIDATION, "alias/a:b contains invalid characters for an alias",
     RECORDED),
    ("CreateAlias", {"AliasName": "alias/"}, "InvalidAliasNameException", "alias/...", OURS),
    ("CreateAlias", {"AliasName": "alias/aws/x"}, NOT_AUTHORIZED, None, RECORDED),
    ("CreateGrant", {"GranteePrincipal": "x"}, "InvalidArnException", "Invalid arn x", OURS),
    ("CreateGrant", {"Operations": ["Sign"]}, VALIDATION, "Grant operation Sign is not supported...", OURS),
    ("CreateGrant", {"DryRun": True}, "DryRunOperationException", _DRY, RECORDED),
    ("CreateGrant", {"RetiringServicePrincipal": "a.amazonaws.com"}, UNSUPPORTED, "service principals ...", OURS),
    ("CreateKey", {"KeySpec": "HMAC_256"}, VALIDATION,
     "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.", RECORDED),
    ("CreateKey", {"KeySpec": "RSA_2048", "CustomerMasterKeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, VALIDATION,
     "You cannot specify KeySpec and CustomerMasterKeySpec in the same request...", RECORDED),
    ("CreateKey", {"KeySpec": "HMAC_256", "KeyUsage": "SIGN_VERIFY"}, VALIDATION,
     "KeyUsage SIGN_VERIFY is not compatible with KeySpec HMAC_256", RECORDED),
    ("CreateKey", {"Policy": "x"}, "MalformedPolicyDocumentException", "...", REFERENCE),
    ("CreateKey", {"Origin": "AWS_CLOUDHSM"}, UNSUPPORTED, "Origin AWS_CLOUDHSM is not supported: ...", OURS),
    ("CreateKey", {"Tags": [{"TagKey": "aws:a", "TagValue": ""}]}, "TagException", "aws:a...", OURS),
    ("Decapsulate", {"SharedSecretCiphertextBlob": X}, "InvalidCiphertextException", None, REFERENCE),
    ("Decrypt", {"CiphertextBlob": X}, "InvalidCiphertextException", None, RECORDED),
    ("Decrypt", {"EncryptionContext": {"a": "b"}}, "InvalidCiphertextException", None, RECORDED),
    ("Decrypt", {"KeyId": "<other>"}, "IncorrectKeyException",
     "The key ID in the request does not identify a CMK that can perform this operation.", RECORDED),
    ("Decrypt", _RECIPIENT, UNSUPPORTED, _NO_ENCLAVE, OURS),
    ("Decrypt", {"DryRun": True}, "DryRunOperationException", _DRY, RECORDED),
    ("Decrypt", {"GrantTokens": ["x"]}, *_TOKEN),
    ("DeleteAlias", {"AliasName": "x"}, VALIDATION, _PREFIX, RECORDED),
    ("DeleteAlias", {"AliasName": "alias/aws/x"}, NOT_AUTHORIZED, None, RECORDED),
    ("DeleteAlias", {}, NOT_FOUND, f"Alias {HERE}:alias/absent is not found.", RECORDED),
    ("DeleteImportedKeyMaterial", {"KeyId": "<good>"}, UNSUPPORTED,
     "<good.arn> origin is AWS_KMS which is not valid for this operation.", RECORDED),
    ("DeriveSharedSecret", {}, VALIDATION, "...", OURS),
    ("DescribeKey", {"GrantTokens": ["x"]}, *_TOKEN),
    ("DisableKey", {"KeyId": "alias/absent"}, NOT_FOUND, f"Alias {HERE}:alias/absent is not found.", OURS),
    ("DisableKeyRotation", {"KeyId": "<hmac>"}, UNSUPPORTED, "...which is not valid for this operation.", REFERENCE),
    ("DisableKeyRotation", {"KeyId": "<external>"}, UNSUPPORTED,
     "<external.arn> origin is EXTERNAL which is not valid for this operation.", REFERENCE),
    ("EnableKeyRotation", {"KeyId": "<external>"}, UNSUPPORTED,
     "<external.arn> origin is EXTERNAL which is not valid for this operation.", REFERENCE),
    ("EnableKeyRotation", {"KeyId": "<p256>"}, UNSUPPORTED, "...which is not valid for this operation.", REFERENCE),
    ("EnableKeyRotation", {"RotationPeriodInDays": 89}, VALIDATION,
     constraint("'89'", "RotationPeriodInDays", "Member must have value greater than or equal to 90"), MODEL),
    ("Encapsulate", {"KeyId": "<good>"}, USAGE,
     "<good.arn> key usage is ENCRYPT_DECRYPT which is not valid for Encapsulate.", RECORDED),
    ("Encrypt", {"KeyId": "<rsa>"}, USAGE, "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.",
     RECORDED),
    ("Encrypt", {"KeyId": "<rsa>", "EncryptionAlgorithm": "RSAES_OAEP_SHA_1", "Plaintext": b64(bytes(215))}, VALIDATION,
     "Algorithm RSAES_OAEP_SHA_1 and key spec RSA_2048 cannot encrypt data larger than 214 bytes.", RECORDED),
    ("Encrypt", {"KeyId": "<rsa>", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256", "Plaintext": b64(bytes(191))},
     VALIDATION, "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.",
     RECORDED),
    ("Encrypt", {"DryRun": True}, "DryRunOperationException", _DRY, RECORDED),
    ("Encrypt", {"GrantTokens": ["x"]}, *_TOKEN),
    ("GenerateDataKey", {"NumberOfBytes": 1}, VALIDATION, "Please specify either number of bytes or key spec.",
     RECORDED),
    ("GenerateDataKey", {"KeySpec": None}, VALIDATION, "Please specify either number of bytes or key spec.", RECORDED),
    ("GenerateDataKey", _RECIPIENT, UNSUPPORTED, _NO_ENCLAVE, OURS),
    ("GenerateDataKeyPair", {"KeyPairSpec": "SM2"}, UNSUPPORTED, "SM2 is not supported: ...", REFERENCE),
    ("GenerateDataKeyPairWithoutPlaintext", {"KeyPairSpec": "SM2"}, UNSUPPORTED, "SM2 is not supported: ...",
     REFERENCE),
    ("GenerateDataKeyWithoutPlaintext", {"NumberOfBytes": 1}, VALIDATION,
     "Please specify either number of bytes or key spec.", RECORDED),
    ("GenerateMac", {"MacAlgorithm": "HMAC_SHA_512"}, USAGE,
     "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.", RECORDED),
    ("GenerateRandom", {"NumberOfBytes": None}, VALIDATION, "NumberOfBytes is required.", RECORDED),
    ("GenerateRandom", {"CustomKeyStoreId": "cks-1234567890"}, UNSUPPORTED, "custom key stores are not supported...",
     OURS),
    ("GenerateRandom", _RECIPIENT, UNSUPPORTED, _NO_ENCLAVE, OURS),
    ("GetKeyLastUsage", {"KeyId": ABSENT}, NOT_FOUND, f"Key '{HERE}:key/{ABSENT}' does not exist", RECORDED),
    ("GetKeyPolicy", {"PolicyName": "x"}, NOT_FOUND, "No such policy exists", RECORDED),
    ("GetKeyRotationStatus", {"KeyId": "<hmac>"}, UNSUPPORTED, "...", REFERENCE),
    ("GetParametersForImport", {"KeyId": "<good>"}, UNSUPPORTED,
     "<good.arn> origin is AWS_KMS which is not valid for this operation.", RECORDED),
    ("GetPublicKey", {"KeyId": "<good>"}, UNSUPPORTED, "...", REFERENCE),
    ("ImportKeyMaterial", {"KeyId": "<good>"}, UNSUPPORTED,
     "<good.arn> origin is AWS_KMS which is not valid for this operation.", RECORDED),
    ("ImportKeyMaterial", {}, "InvalidImportTokenException", "The import token is not valid for this key", OURS),
    ("ImportKeyMaterial", {"ExpirationModel": "KEY_MATERIAL_EXPIRES"}, VALIDATION,
     "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES", RECORDED),
    ("ListAliases", {"Marker": "x"}, *_MARKER),
    ("ListGrants", {"Marker": "x"}, *_MARKER),
    ("ListGrants", {"GrantId": "x"}, "InvalidGrantIdException", "The grant ID x is not valid", OURS),
    ("ListKeyPolicies", {"Marker": "x"}, *_MARKER),
    ("ListKeyRotations", {"Marker": "x"}, *_MARKER),
    ("ListKeyRotations", {"KeyId": "<hmac>"}, UNSUPPORTED, "...", REFERENCE),
    ("ListKeys", {"Marker": "x"}, *_MARKER),
    ("ListResourceTags", {"Marker": "x"}, *_MARKER),
    ("ListRetirableGrants", {"RetiringPrincipal": "x"}, "InvalidArnException", "Invalid arn x", OURS),
    ("ListRetirableGrants", {"Marker": "x"}, *_MARKER),
    ("PutKeyPolicy", {}, "MalformedPolicyDocumentException", "...", REFERENCE),
    ("PutKeyPolicy", {"PolicyName": "x", "Policy": "{}"}, NOT_FOUND, "No such policy exists", OURS),
    ("PutKeyPolicy", {"Policy": "x" * 32_769}, "LimitExceededException", "...", REFERENCE),
    ("ReEncrypt", {"CiphertextBlob": X}, "InvalidCiphertextException", None, RECORDED),
    ("ReEncrypt", {"SourceKeyId": "<other>"}, "IncorrectKeyException",
     "The key ID in the request does not identify a CMK that can perform this operation.", RECORDED),
    ("ReEncrypt", {"DestinationKeyId": "<hmac>"}, USAGE,
     "<hmac.arn> key usage is GENERATE_VERIFY_MAC which is not valid for ReEncrypt.", REFERENCE),
    ("RetireGrant", {}, NOT_FOUND, f"Grant ID {NO_GRANT} not found", OURS),
    ("RetireGrant", {"GrantId": "x"}, "InvalidGrantIdException", "The grant ID x is not valid", OURS),
    ("RetireGrant", {"KeyId": None}, VALIDATION, "a grant is named by GrantToken, or by KeyId and GrantId", OURS),
    ("RetireGrant", {"KeyId": None, "GrantId": None, "GrantToken": "x"}, *_TOKEN),
    ("RevokeGrant", {}, NOT_FOUND, f"Grant ID {NO_GRANT} not found", OURS),
    ("RevokeGrant", {"GrantId": "x"}, "InvalidGrantIdException", "The grant ID x is not valid", OURS),
    ("RotateKeyOnDemand", {"KeyId": "<hmac>"}, UNSUPPORTED, "...which is not valid for this operation.", REFERENCE),
    ("ScheduleKeyDeletion", {"KeyId": "<goodPending>"}, "KMSInvalidStateException",
     "<goodPending.arn> is pending deletion.", REFERENCE),
    ("Sign", {"MessageType": "DIGEST"}, VALIDATION, "Digest is invalid length for algorithm ECDSA_SHA_256.", RECORDED),
    ("Sign", {"SigningAlgorithm": "ECDSA_SHA_384"}, USAGE,
     "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.", RECORDED),
    ("Sign", {"SigningAlgorithm": "SM2DSA"}, UNSUPPORTED, "SM2DSA is not supported: ...", REFERENCE),
    ("TagResource", {"Tags": [{"TagKey": "aws:a", "TagValue": ""}]}, "TagException", "aws:a...", OURS),
    ("TagResource", {"Tags": [{"TagKey": "a", "TagValue": ""}] * 2}, "TagException", "Duplicate tag keys: a", OURS),
    ("TagResource", {"Tags": [{"TagKey": "a"}]}, VALIDATION,
     constraint("null", "Tags.1.member.tagValue", "Member must not be null"), MODEL),
    ("UntagResource", {"TagKeys": ["aws:a"]}, "TagException", "aws:a...", OURS),
    ("UpdateAlias", {"AliasName": "alias/absent"}, NOT_FOUND, f"Alias {HERE}:alias/absent is not found.", RECORDED),
    ("UpdateAlias", {"AliasName": "x"}, VALIDATION, _PREFIX, RECORDED),
    ("UpdateAlias", {"AliasName": "alias/aws/x"}, NOT_AUTHORIZED, None, RECORDED),
    ("UpdateAlias", {"TargetKeyId": "<hmac>"}, VALIDATION, _kept("usage", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC"),
     RECORDED),
    ("UpdateAlias", {"TargetKeyId": "<p256>"}, VALIDATION, _kept("usage", "ENCRYPT_DECRYPT", "SIGN_VERIFY"), RECORDED),
    ("UpdateAlias", {"TargetKeyId": "<rsa>"}, VALIDATION, _kept("type", "SYMMETRIC", "ASYMMETRIC"), OURS),
    ("UpdateKeyDescription", {"Description": "x" * 8193}, VALIDATION,
     "...Member must have length less than or equal to 8192", MODEL),
    ("Verify", {}, "KMSInvalidSignatureException", None, RECORDED),
    ("Verify", {"MessageType": "DIGEST"}, VALIDATION, "Digest is invalid length for algorithm ECDSA_SHA_256.",
     RECORDED),
    ("VerifyMac", {}, "KMSInvalidMacException", None, RECORDED),
    ("VerifyMac", {"MacAlgorithm": "HMAC_SHA_512"}, USAGE,
     "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.", RECORDED),
    ("EnableKey", {"KeyId": "<goodPending>"}, "KMSInvalidStateException", "<goodPending.arn> is pending deletion.",
     REFERENCE),
]  # fmt: skip


def of_itself(operation: str) -> Iterator[Row]:
    """What is refused by a rule of the operation's own; a member that is None is left out."""
    for name, changes, error, message, source in OWN:
        if name == operation:
            members = {key: value for key, value in (VALID[name] | changes).items() if value is not None}
            yield Row(name, members, error, message, source)


def refused() -> Iterator[Row]:
    """Operations that need a cloud."""
    for name, reason in operations.REFUSED.items():
        yield Row(name, {}, UNSUPPORTED, f"{name} is not supported: {reason}", OURS)
