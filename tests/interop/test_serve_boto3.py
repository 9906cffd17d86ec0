"""Every operation of the API, and every error that applies here, as boto3 sees them at the endpoint."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ec

from kmscli.service import operations
from kmscli.storage.lock import vault_lock
from tests import awsmodel
from tests.endpoint import Place, Served, serving
from tests.helpers import Clock, Home
from tests.interop.life import DER, wrapped
from tests.principals import ACCOUNT_ROOT, ALICE, document, quick_folder, statement

Members = dict[str, Any]
Asked = tuple[str, Members]

MESSAGE = b"a message"
ABSENT_ID = "0" * 64
ABSENT_KEY = "12345678-1234-1234-1234-123456789012"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SIGNED = {"Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
MAC = {"Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
WRAP = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
STAYS = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
GRANT = {"GranteePrincipal": ALICE, "Operations": ["Decrypt"]}
TAGS = [{"TagKey": "a", "TagValue": "b"}]
POLICY = document(statement(ACCOUNT_ROOT))


class Past:
    """What must have happened days ago: an import token that is too old, and a key whose rotation comes in minutes."""

    def __init__(self, home: Home) -> None:
        clock = home.clock
        assert isinstance(clock, Clock)
        self.rotating = home.create_key()
        home.perform("EnableKeyRotation", KeyId=self.rotating, RotationPeriodInDays=90)
        clock.move(days=88)
        self.late = home.create_key(Origin="EXTERNAL")
        self.expired = home.perform("GetParametersForImport", KeyId=self.late, **WRAP)


class Stage:
    """A server, the client of a root, and what requests need, made when it is first asked for."""

    def __init__(self, served: Served, past: Past) -> None:
        self.served = served
        self.client = served.client()
        self.past = past

    def use(self, operation: str, **members: Any) -> Members:
        """What an operation answers, under AWS's names."""
        answer: Members = self.client._make_api_call(operation, members)
        return answer

    def key(self, **members: Any) -> str:
        """The id of a new key."""
        return str(self.use("CreateKey", **members)["KeyMetadata"]["KeyId"])

    def alias(self, name: str) -> str:
        """A new alias of a key that others use too."""
        self.use("CreateAlias", AliasName=f"alias/{name}", TargetKeyId=self.symmetric)
        return f"alias/{name}"

    def grant(self, **members: Any) -> Members:
        """A new grant."""
        return self.use("CreateGrant", KeyId=self.symmetric, **(GRANT | members))

    @cached_property
    def symmetric(self) -> str:
        return self.key()

    @cached_property
    def signing(self) -> str:
        return self.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")

    @cached_property
    def hmac(self) -> str:
        return self.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")

    @cached_property
    def agreeing(self) -> str:
        return self.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")

    @cached_property
    def kem(self) -> str:
        return self.key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")

    @cached_property
    def blob(self) -> bytes:
        blob: bytes = self.use("Encrypt", KeyId=self.symmetric, Plaintext=MESSAGE)["CiphertextBlob"]
        return blob

    def disabled(self) -> str:
        """A disabled key."""
        key_id = self.key()
        self.use("DisableKey", KeyId=key_id)
        return key_id

    def leaving(self) -> str:
        """A key that is pending deletion."""
        key_id = self.key()
        self.use("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
        return key_id

    def importing(self, key_id: str, material: bytes = b"m" * 32) -> Members:
        """A request to import material."""
        given = self.use("GetParametersForImport", KeyId=key_id, **WRAP)
        blob = wrapped(given["PublicKey"], material, WRAP["WrappingAlgorithm"])
        return {"KeyId": key_id, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": blob, **STAYS}

    def imported(self) -> str:
        """A key with material that was imported."""
        key_id = self.key(Origin="EXTERNAL")
        self.use("ImportKeyMaterial", **self.importing(key_id))
        return key_id


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with quick_folder("boto3") as folder:
        home = Home(folder, clock=Clock(datetime.now(UTC) - timedelta(days=90) + timedelta(minutes=10))).init()
        past = Past(home)
        home.close()
        # A client waits as long as others may hold the vault's lock; here not long.
        with serving(Place(folder, region="local"), "--lock-timeout", "1.5") as served:
            yield Stage(served, past)
        served.place.kms("audit", "verify", "--full")


CALLS: dict[str, Callable[[Stage], Members]] = {
    "CancelKeyDeletion": lambda stage: {"KeyId": stage.leaving()},
    "CreateAlias": lambda stage: {"AliasName": "alias/created", "TargetKeyId": stage.symmetric},
    "CreateGrant": lambda stage: {"KeyId": stage.symmetric, **GRANT},
    "CreateKey": lambda _: {"Description": "one more", "Tags": TAGS},
    "Decapsulate": lambda stage: {
        "KeyId": stage.kem,
        "EncapsulationAlgorithm": "ML_KEM",
        "SharedSecretCiphertextBlob": stage.use("Encapsulate", KeyId=stage.kem, EncapsulationAlgorithm="ML_KEM")[
            "SharedSecretCiphertextBlob"
        ],
    },
    "Decrypt": lambda stage: {"CiphertextBlob": stage.blob},
    "DeleteAlias": lambda stage: {"AliasName": stage.alias("deleted")},
    "DeleteImportedKeyMaterial": lambda stage: {"KeyId": stage.imported()},
    "DeriveSharedSecret": lambda stage: {
        "KeyId": stage.agreeing,
        "KeyAgreementAlgorithm": "ECDH",
        "PublicKey": ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*DER),
    },
    "DescribeKey": lambda stage: {"KeyId": stage.symmetric},
    "DisableKey": lambda stage: {"KeyId": stage.key()},
    "DisableKeyRotation": lambda stage: {"KeyId": stage.symmetric},
    "EnableKey": lambda stage: {"KeyId": stage.disabled()},
    "EnableKeyRotation": lambda stage: {"KeyId": stage.key(), "RotationPeriodInDays": 90},
    "Encapsulate": lambda stage: {"KeyId": stage.kem, "EncapsulationAlgorithm": "ML_KEM"},
    "Encrypt": lambda stage: {"KeyId": stage.symmetric, "Plaintext": MESSAGE, "EncryptionContext": {"a": "\u00e9"}},
    "GenerateDataKey": lambda stage: {"KeyId": stage.symmetric, "KeySpec": "AES_256"},
    "GenerateDataKeyPair": lambda stage: {"KeyId": stage.symmetric, "KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyPairWithoutPlaintext": lambda stage: {"KeyId": stage.symmetric, "KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyWithoutPlaintext": lambda stage: {"KeyId": stage.symmetric, "NumberOfBytes": 64},
    "GenerateMac": lambda stage: {"KeyId": stage.hmac, **MAC},
    "GenerateRandom": lambda _: {"NumberOfBytes": 32},
    "GetKeyLastUsage": lambda stage: {"KeyId": stage.symmetric},
    "GetKeyPolicy": lambda stage: {"KeyId": stage.symmetric, "PolicyName": "default"},
    "GetKeyRotationStatus": lambda stage: {"KeyId": stage.past.rotating},
    "GetParametersForImport": lambda stage: {"KeyId": stage.key(Origin="EXTERNAL"), **WRAP},
    "GetPublicKey": lambda stage: {"KeyId": stage.signing},
    "ImportKeyMaterial": lambda stage: stage.importing(stage.key(Origin="EXTERNAL")),
    "ListAliases": lambda stage: {"KeyId": stage.symmetric},
    "ListGrants": lambda stage: {"KeyId": stage.symmetric, "GrantId": stage.grant()["GrantId"]},
    "ListKeyPolicies": lambda stage: {"KeyId": stage.symmetric},
    "ListKeyRotations": lambda stage: {"KeyId": stage.past.rotating},
    "ListKeys": lambda _: {"Limit": 1},
    "ListResourceTags": lambda stage: {"KeyId": stage.key(Tags=TAGS)},
    "ListRetirableGrants": lambda stage: {"RetiringPrincipal": stage.grant(RetiringPrincipal=ALICE) and ALICE},
    "PutKeyPolicy": lambda stage: {"KeyId": stage.key(), "Policy": POLICY},
    "ReEncrypt": lambda stage: {"CiphertextBlob": stage.blob, "DestinationKeyId": stage.symmetric},
    "RetireGrant": lambda stage: {
        "KeyId": f"arn:aws:kms:local:000000000000:key/{stage.symmetric}",
        "GrantId": stage.grant()["GrantId"],
    },
    "RevokeGrant": lambda stage: {"KeyId": stage.symmetric, "GrantId": stage.grant()["GrantId"]},
    "RotateKeyOnDemand": lambda stage: {"KeyId": stage.key()},
    "ScheduleKeyDeletion": lambda stage: {"KeyId": stage.key(), "PendingWindowInDays": 7},
    "Sign": lambda stage: {"KeyId": stage.signing, **SIGNED},
    "TagResource": lambda stage: {"KeyId": stage.key(), "Tags": TAGS},
    "UntagResource": lambda stage: {"KeyId": stage.key(Tags=TAGS), "TagKeys": ["a"]},
    "UpdateAlias": lambda stage: {"AliasName": stage.alias("updated"), "TargetKeyId": stage.key()},
    "UpdateKeyDescription": lambda stage: {"KeyId": stage.key(), "Description": "another"},
    "Verify": lambda stage: {
        "KeyId": stage.signing,
        "Signature": stage.use("Sign", KeyId=stage.signing, **SIGNED)["Signature"],
        **SIGNED,
    },
    "VerifyMac": lambda stage: {
        "KeyId": stage.hmac,
        "Mac": stage.use("GenerateMac", KeyId=stage.hmac, **MAC)["Mac"],
        **MAC,
    },
}
"""Operation -> the members of a request that succeeds."""


@pytest.mark.parametrize("operation", operations.OPERATIONS)
def test_an_operation_answers_as_the_model_says(operation: str, stage: Stage) -> None:
    answer = stage.use(operation, **CALLS[operation](stage))
    about = answer.pop("ResponseMetadata")
    assert (200, 0) == (about["HTTPStatusCode"], about["RetryAttempts"])
    assert UUID.fullmatch(about["RequestId"])
    shape = awsmodel.output_shape(operation)
    assert not (list(awsmodel.faults(shape, answer)) if shape else answer)


def test_what_was_encrypted_comes_back(stage: Stage) -> None:
    context = {"EncryptionContext": {"Z\u00fcrich": "\U0001f511"}}
    blob = stage.use("Encrypt", KeyId=stage.symmetric, Plaintext=MESSAGE, **context)["CiphertextBlob"]
    assert MESSAGE == stage.use("Decrypt", CiphertextBlob=blob, **context)["Plaintext"]
    made = stage.use("GenerateDataKey", KeyId=stage.symmetric, KeySpec="AES_256", **context)
    assert made["Plaintext"] == stage.use("Decrypt", CiphertextBlob=made["CiphertextBlob"], **context)["Plaintext"]


def test_a_paginator_walks_all_keys(stage: Stage) -> None:
    made = {stage.key() for _ in range(3)}
    pages = list(stage.client.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))
    assert len(pages) > 1
    assert made <= {key["KeyId"] for page in pages for key in page["Keys"]}


NOTHING: dict[str, Members] = {
    "ConnectCustomKeyStore": {"CustomKeyStoreId": "cks-1234567890abcdef0"},
    "CreateCustomKeyStore": {"CustomKeyStoreName": "store"},
    "DeleteCustomKeyStore": {"CustomKeyStoreId": "cks-1234567890abcdef0"},
    "DescribeCustomKeyStores": {},
    "DisconnectCustomKeyStore": {"CustomKeyStoreId": "cks-1234567890abcdef0"},
    "ReplicateKey": {"KeyId": ABSENT_KEY, "ReplicaRegion": "us-west-2"},
    "UpdateCustomKeyStore": {"CustomKeyStoreId": "cks-1234567890abcdef0"},
    "UpdatePrimaryRegion": {"KeyId": ABSENT_KEY, "PrimaryRegion": "us-west-2"},
}
"""Operations that are refused here -> a request that AWS would take."""


@pytest.mark.parametrize("operation", operations.REFUSED)
def test_what_a_vault_has_not_is_refused_as_documented(operation: str, stage: Stage) -> None:
    with pytest.raises(stage.client.exceptions.UnsupportedOperationException) as caught:
        stage.use(operation, **NOTHING[operation])
    message = caught.value.response["Error"]["Message"]
    assert f"{operation} is not supported: {operations.REFUSED[operation]}" == message
    assert operation == stage.served.place.line(caught.value.response["ResponseMetadata"]["RequestId"])["eventName"]


def test_the_tables_name_all_operations_of_aws() -> None:
    assert CALLS.keys() == operations.OPERATIONS.keys()
    assert NOTHING.keys() == operations.REFUSED.keys()
    assert awsmodel.OPERATIONS.keys() == CALLS.keys() | NOTHING.keys()


# -- errors ------------------------------------------------------------------------------------------------------------


def _other_material(stage: Stage) -> Asked:
    key_id = stage.imported()
    stage.use("DeleteImportedKeyMaterial", KeyId=key_id)
    return "ImportKeyMaterial", stage.importing(key_id, b"n" * 32)


def _too_old(stage: Stage) -> Asked:
    given = stage.past.expired
    blob = wrapped(given.public_key, b"m" * 32, WRAP["WrappingAlgorithm"])
    members = {"ImportToken": given.import_token, "EncryptedKeyMaterial": blob}
    return "ImportKeyMaterial", {"KeyId": stage.past.late, **members, **STAYS}


def lock_of(place: Place) -> Path:
    """The file that the vault is locked with."""
    return place.folder / "vault" / "lock"


@contextmanager
def held(stage: Stage) -> Iterator[Asked]:
    """Somebody else works on the vault, for longer than a request waits."""
    with vault_lock(lock_of(stage.served.place), timeout=5):
        yield "ListKeys", {}


@contextmanager
def damaged(stage: Stage) -> Iterator[Asked]:
    """A bit of a key's record on the disk is not what it was, for a while."""
    key_id = stage.key()
    of_key = ("version", f"%{key_id}%")
    with closing(sqlite3.connect(stage.served.place.folder / "vault" / "vault.db", timeout=5)) as db:
        ((body,),) = db.execute("SELECT body FROM record WHERE kind = ? AND grp LIKE ?", of_key)
        write = "UPDATE record SET body = ? WHERE kind = ? AND grp LIKE ?"
        with db:
            db.execute(write, (bytes([body[0] ^ 1]) + body[1:], *of_key))
        yield "Encrypt", {"KeyId": key_id, "Plaintext": MESSAGE}
        with db:
            db.execute(write, (body, *of_key))
    stage.use("Encrypt", KeyId=key_id, Plaintext=MESSAGE)


@contextmanager
def without_log(stage: Stage) -> Iterator[Asked]:
    """The log is not where it was, for a while."""
    log = stage.served.place.folder / "vault" / "audit"
    moved = log.with_name("moved")
    log.rename(moved)
    yield "ListKeys", {}
    moved.rename(log)
    stage.use("ListKeys")


FAULTS: dict[str, list[Callable[[Stage], AbstractContextManager[Asked]]]] = {
    "DependencyTimeoutException": [held],
    "KMSInternalException": [damaged, without_log],
}
"""Error of the model that is no fault of a request -> what brings it about, and a request that ends in it."""

ERRORS: dict[str, Callable[[Stage], Asked]] = {
    "AlreadyExistsException": lambda stage: (
        "CreateAlias",
        {"AliasName": stage.alias("twice"), "TargetKeyId": stage.symmetric},
    ),
    "ConflictException": lambda stage: ("RotateKeyOnDemand", {"KeyId": stage.past.rotating}),
    "DisabledException": lambda stage: ("Encrypt", {"KeyId": stage.disabled(), "Plaintext": MESSAGE}),
    "DryRunOperationException": lambda stage: (
        "Encrypt",
        {"KeyId": stage.symmetric, "Plaintext": MESSAGE, "DryRun": True},
    ),
    "ExpiredImportTokenException": _too_old,
    "IncorrectKeyException": lambda stage: ("Decrypt", {"KeyId": stage.key(), "CiphertextBlob": stage.blob}),
    "IncorrectKeyMaterialException": _other_material,
    "InvalidAliasNameException": lambda stage: ("CreateAlias", {"AliasName": "alias/", "TargetKeyId": stage.symmetric}),
    "InvalidArnException": lambda _: ("DescribeKey", {"KeyId": "arn:aws:kms:x"}),
    "InvalidCiphertextException": lambda _: ("Decrypt", {"CiphertextBlob": b"x"}),
    "InvalidGrantIdException": lambda stage: ("RevokeGrant", {"KeyId": stage.symmetric, "GrantId": "x"}),
    "InvalidGrantTokenException": lambda stage: ("DescribeKey", {"KeyId": stage.symmetric, "GrantTokens": ["x"]}),
    "InvalidImportTokenException": lambda stage: (
        "ImportKeyMaterial",
        stage.importing(stage.key(Origin="EXTERNAL")) | {"ImportToken": b"x"},
    ),
    "InvalidKeyUsageException": lambda stage: ("Encrypt", {"KeyId": stage.hmac, "Plaintext": MESSAGE}),
    "InvalidMarkerException": lambda _: ("ListKeys", {"Marker": "x"}),
    "KMSInvalidMacException": lambda stage: ("VerifyMac", {"KeyId": stage.hmac, "Mac": b"x" * 32, **MAC}),
    "KMSInvalidSignatureException": lambda stage: ("Verify", {"KeyId": stage.signing, "Signature": b"x", **SIGNED}),
    "KMSInvalidStateException": lambda stage: ("Encrypt", {"KeyId": stage.leaving(), "Plaintext": MESSAGE}),
    "LimitExceededException": lambda stage: (
        "PutKeyPolicy",
        {"KeyId": stage.symmetric, "Policy": POLICY + " " * 32_768},
    ),
    "MalformedPolicyDocumentException": lambda stage: ("PutKeyPolicy", {"KeyId": stage.symmetric, "Policy": "x"}),
    "NotFoundException": lambda _: ("DescribeKey", {"KeyId": ABSENT_KEY}),
    "TagException": lambda stage: (
        "TagResource",
        {"KeyId": stage.symmetric, "Tags": [{"TagKey": "aws:x", "TagValue": ""}]},
    ),
    "UnsupportedOperationException": lambda _: ("DescribeCustomKeyStores", {}),
}
"""Error of the model -> a request that ends in it."""

_STORES = "of custom key stores, which are refused"
ELSEWHERE = {
    "KeyUnavailableException": "a key is where its vault is: what keeps one away keeps away both",
    **dict.fromkeys(
        (
            *("CloudHsmClusterInUseException", "CloudHsmClusterInvalidConfigurationException"),
            *("CloudHsmClusterNotActiveException", "CloudHsmClusterNotFoundException"),
            *("CloudHsmClusterNotRelatedException", "CustomKeyStoreHasCMKsException"),
            *("CustomKeyStoreInvalidStateException", "CustomKeyStoreNameInUseException"),
            *("CustomKeyStoreNotFoundException", "IncorrectTrustAnchorException", "XksKeyAlreadyInUseException"),
            *("XksKeyInvalidConfigurationException", "XksKeyNotFoundException"),
            *("XksProxyIncorrectAuthenticationCredentialException", "XksProxyInvalidConfigurationException"),
            *("XksProxyInvalidResponseException", "XksProxyUriEndpointInUseException", "XksProxyUriInUseException"),
            *("XksProxyUriUnreachableException", "XksProxyVpcEndpointServiceInUseException"),
            *(
                "XksProxyVpcEndpointServiceInvalidConfigurationException",
                "XksProxyVpcEndpointServiceNotFoundException",
            ),
        ),
        _STORES,
    ),
}
"""Error of the model -> why no request here ends in it."""

WITHOUT_MESSAGE = {
    "InvalidCiphertextException",
    "KMSInvalidMacException",
    "KMSInvalidSignatureException",
    "NotAuthorizedException",
}


def raised(name: str, stage: Stage, asked: Asked) -> Members:
    """The answer to a request that ends in the class of an error."""
    with pytest.raises(getattr(stage.client.exceptions, name)) as caught:
        stage.use(asked[0], **asked[1])
    answer: Members = caught.value.response
    assert name == answer["Error"]["Code"]
    assert (name in WITHOUT_MESSAGE) == (not answer["Error"].get("Message"))
    return answer


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_raised_as_the_class_of_the_model(name: str, stage: Stage) -> None:
    answer = raised(name, stage, ERRORS[name](stage))
    assert 4 == answer["ResponseMetadata"]["HTTPStatusCode"] // 100


@pytest.mark.parametrize(
    ("name", "number"), [(name, at) for name, causes in FAULTS.items() for at in range(len(causes))]
)
def test_what_is_no_fault_of_a_request_is_one_that_a_client_tries_again(name: str, number: int, stage: Stage) -> None:
    with FAULTS[name][number](stage) as asked:
        answer = raised(name, stage, asked)
    assert 500 == answer["ResponseMetadata"]["HTTPStatusCode"]
    assert str(stage.served.place.folder) not in str(answer)


def test_each_error_of_the_model_is_raised_or_said_to_be_elsewhere() -> None:
    named = {name for name, shape in awsmodel.SHAPES.items() if shape.get("exception")}
    of_aws = {name for operation in awsmodel.OPERATIONS for name in awsmodel.errors(operation)}
    assert named == of_aws == ERRORS.keys() | FAULTS.keys() | ELSEWHERE.keys()
    assert not (ERRORS.keys() | FAULTS.keys()) & ELSEWHERE.keys()
    # Those of the other side, which SDKs try again by themselves.
    assert FAULTS.keys() == {name for name in named if awsmodel.SHAPES[name].get("fault")} - ELSEWHERE.keys()


def refused(call: Callable[[], object]) -> tuple[str, str]:
    """The code and the text of the error in which a call ends."""
    with pytest.raises(ClientError) as caught:
        call()
    found = caught.value.response["Error"]
    return found["Code"], found["Message"]


def test_a_request_out_of_bounds_is_a_validation_exception(stage: Stage) -> None:
    said = "Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000"
    assert ("ValidationException", f"1 validation error detected: {said}") == refused(
        lambda: stage.use("ListKeys", Limit=1001)
    )


def test_who_may_not_is_told_so_in_the_words_of_aws(stage: Stage) -> None:
    arn = stage.served.place.principal("nobody")
    code, message = refused(lambda: stage.served.client("nobody").describe_key(KeyId=stage.symmetric))
    assert "AccessDeniedException" == code
    assert (
        f"User: {arn} is not authorized to perform: kms:DescribeKey on resource: "
        f"arn:aws:kms:local:000000000000:key/{stage.symmetric} "
        "because no identity-based policy allows the kms:DescribeKey action"
    ) == message
