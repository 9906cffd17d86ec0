"""The facts of requests as conditions of policies see them: each condition key, in requests that have it.

Each request is made by the root under a policy of two statements: everything is allowed but the action, and the action
where the condition holds. So it succeeds with the documented value, and is refused with another. Where there is no key,
what does not hold is denied.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from kmscli.model.conditionkeys import CONDITION_KEYS, name_of
from kmscli.model.specs import ENCAPSULATE_DECAPSULATE, ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, KEY_AGREEMENT, SIGN_VERIFY
from tests.helpers import START
from tests.importing import FOR_EVER, OAEP, external, prepared, reuse_wrapping_keys
from tests.principals import ACCOUNT, ADMIN, ALICE, BOB, CI, People, document, quick_folder, statement
from tests.ring import Ring

Members = dict[str, Any]
VALID_TO = datetime(2026, 3, 8, 12, tzinfo=UTC)
CONTEXT = {"EncryptionContext": {"Tenant": "One"}}


class Row(msgspec.Struct, frozen=True):
    """A request and what a condition key is in it.

    Attributes:
        key: The condition key.
        operation: The request's.
        value: What the key is; a list if it may be several.
        other: What it is not.
        members: More members of the request.
        prepare: Makes a request that the ring does not have.
        operator: The condition operator.
        action: What is decided about, if it is not the operation.
    """

    key: str
    operation: str
    value: Any
    other: Any
    members: Members = {}
    prepare: Callable[[Ring], Members] | None = None
    operator: str = "StringEquals"
    action: str = ""

    @property
    def condition(self) -> str:
        return f"{self.key}={self.value} in {self.operation}"


def of_key(ring: Ring) -> Members:
    return {"KeyId": ring.cheap(ENCRYPT_DECRYPT)}


def granting(ring: Ring) -> Members:
    return of_key(ring) | {"GranteePrincipal": ALICE, "Operations": ["Encrypt", "DescribeKey"]}


def revoking(ring: Ring) -> Members:
    return of_key(ring) | {"GrantId": ring.perform("CreateGrant", **granting(ring)).grant_id}


def to_import(ring: Ring) -> Members:
    return prepared(ring, external(ring), os.urandom(32))


def to_prepare(ring: Ring) -> Members:
    return {"KeyId": external(ring), "WrappingAlgorithm": OAEP, "WrappingKeySpec": "RSA_2048"}


def tagged(ring: Ring) -> Members:
    ring.perform("TagResource", KeyId=ring.cheap(ENCRYPT_DECRYPT), Tags=[{"TagKey": "Team", "TagValue": "Red"}])
    return of_key(ring)


def of_spec(**made: Any) -> Callable[[Ring], Members]:
    return lambda ring: {"KeyId": ring.create_key(**made)}


def by_alias(ring: Ring) -> Members:
    ring.perform("CreateAlias", AliasName="alias/one", TargetKeyId=ring.cheap(ENCRYPT_DECRYPT))
    ring.perform("CreateAlias", AliasName="alias/two", TargetKeyId=ring.cheap(ENCRYPT_DECRYPT))
    return {"KeyId": "alias/one"}


def re_encrypting(ring: Ring) -> Members:
    """Between two keys, the policy under trial on both."""
    made = ring.request("ReEncrypt")
    return made | {"DestinationKeyId": ring.cheap(ENCRYPT_DECRYPT, 1)}


def in_context(ring: Ring) -> Members:
    made = ring.request("Encrypt") | CONTEXT
    blob = ring.perform("Encrypt", **made).ciphertext_blob
    return {"KeyId": made["KeyId"], "CiphertextBlob": blob} | CONTEXT


def re_encrypting_in_context(ring: Ring) -> Members:
    made = in_context(ring)
    return {
        "SourceKeyId": made["KeyId"],
        "DestinationKeyId": made["KeyId"],
        "CiphertextBlob": made["CiphertextBlob"],
        "SourceEncryptionContext": CONTEXT["EncryptionContext"],
        "DestinationEncryptionContext": {"Tenant": "Two"},
    }


def rsa(ring: Ring) -> Members:
    return {"KeyId": ring.key("RSA_2048", ENCRYPT_DECRYPT), "Plaintext": b"x"}


PAIRS = ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
SEALING = ("Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", *PAIRS)
TAGS = [{"TagKey": "Team", "TagValue": "Red"}, {"TagKey": "Cost", "TagValue": "1"}]
SUBSET = {"Constraints": {"EncryptionContextSubset": {"Tenant": "One"}}}
EQUALS = {"Constraints": {"EncryptionContextEquals": {"Tenant": "One"}}}
BYPASS = {"BypassPolicyLockoutSafetyCheck": True}
POLICY = {"Policy": document(statement(ADMIN))}
NEW = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}

ROWS: list[Row] = [
    # What the request says of itself.
    Row("kms:BypassPolicyLockoutSafetyCheck", "PutKeyPolicy", "true", "false", POLICY | BYPASS, of_key, "Bool"),
    Row("kms:BypassPolicyLockoutSafetyCheck", "PutKeyPolicy", "false", "true", POLICY, of_key, "Bool"),
    Row("kms:BypassPolicyLockoutSafetyCheck", "CreateKey", "true", "false", POLICY | BYPASS, operator="Bool"),
    Row("kms:BypassPolicyLockoutSafetyCheck", "CreateKey", "false", "true", operator="Bool"),
    *(
        Row("kms:DataKeyPairSpec", name, "ECC_NIST_P384", "ECC_NIST_P256", {"KeyPairSpec": "ECC_NIST_P384"})
        for name in PAIRS
    ),
    *(Row("kms:EncryptionAlgorithm", name, "SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256") for name in SEALING),
    Row("kms:EncryptionAlgorithm", "Decrypt", "SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256"),
    Row(
        "kms:EncryptionAlgorithm",
        "Encrypt",
        "RSAES_OAEP_SHA_1",
        "RSAES_OAEP_SHA_256",
        {"EncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
        rsa,
    ),
    *(
        Row(
            "kms:EncryptionAlgorithm", "ReEncrypt", "SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256", action=f"ReEncrypt{side}"
        )
        for side in ("From", "To")
    ),
    *(Row("kms:EncryptionContext:Tenant", name, "One", "one", CONTEXT) for name in SEALING),
    Row("kms:EncryptionContext:Tenant", "Decrypt", "One", "Two", prepare=in_context),
    Row(
        "kms:EncryptionContext:Tenant",
        "ReEncrypt",
        "One",
        "Two",
        prepare=re_encrypting_in_context,
        action="ReEncryptFrom",
    ),
    Row(
        "kms:EncryptionContext:Tenant",
        "ReEncrypt",
        "Two",
        "One",
        prepare=re_encrypting_in_context,
        action="ReEncryptTo",
    ),
    *(Row("kms:EncryptionContext:Tenant", "CreateGrant", "One", "Two", each, granting) for each in (SUBSET, EQUALS)),
    *(Row("kms:EncryptionContextKeys", name, ["Tenant"], ["tenant"], CONTEXT) for name in SEALING),
    Row("kms:EncryptionContextKeys", "Decrypt", ["Tenant"], ["Other"], prepare=in_context),
    Row(
        "kms:EncryptionContextKeys",
        "ReEncrypt",
        ["Tenant"],
        ["Other"],
        prepare=re_encrypting_in_context,
        action="ReEncryptFrom",
    ),
    Row("kms:EncryptionContextKeys", "CreateGrant", ["Tenant"], ["Other"], SUBSET, granting),
    Row(
        "kms:ExpirationModel",
        "ImportKeyMaterial",
        "KEY_MATERIAL_DOES_NOT_EXPIRE",
        "KEY_MATERIAL_EXPIRES",
        FOR_EVER,
        to_import,
    ),
    Row(
        "kms:ExpirationModel",
        "ImportKeyMaterial",
        "KEY_MATERIAL_EXPIRES",
        "KEY_MATERIAL_DOES_NOT_EXPIRE",
        {"ValidTo": VALID_TO},
        to_import,
    ),
    Row(
        "kms:ValidTo",
        "ImportKeyMaterial",
        str(int(VALID_TO.timestamp())),
        str(int(VALID_TO.timestamp()) - 1),
        {"ValidTo": VALID_TO},
        to_import,
        "NumericLessThanEquals",
    ),
    Row(
        "kms:GrantConstraintType", "CreateGrant", "EncryptionContextSubset", "EncryptionContextEquals", SUBSET, granting
    ),
    Row(
        "kms:GrantConstraintType", "CreateGrant", "EncryptionContextEquals", "EncryptionContextSubset", EQUALS, granting
    ),
    Row("kms:GranteePrincipal", "CreateGrant", ALICE, BOB, prepare=granting),
    Row("kms:RetiringPrincipal", "CreateGrant", BOB, ALICE, {"RetiringPrincipal": BOB}, granting),
    Row("kms:GrantOperations", "CreateGrant", ["Encrypt", "DescribeKey"], ["Encrypt", "Decrypt"], prepare=granting),
    Row("kms:GrantIsForAWSResource", "CreateGrant", "false", "true", prepare=granting, operator="Bool"),
    Row("kms:GrantIsForAWSResource", "ListGrants", "false", "true", prepare=of_key, operator="Bool"),
    Row("kms:GrantIsForAWSResource", "RevokeGrant", "false", "true", prepare=revoking, operator="Bool"),
    Row("kms:KeyAgreementAlgorithm", "DeriveSharedSecret", "ECDH", "DH"),
    *(Row("kms:MacAlgorithm", name, "HMAC_SHA_256", "HMAC_SHA_512") for name in ("GenerateMac", "VerifyMac")),
    *(Row("kms:MessageType", name, "RAW", "DIGEST") for name in ("Sign", "Verify")),
    Row("kms:MessageType", "Sign", "DIGEST", "RAW", {"MessageType": "DIGEST", "Message": bytes(32)}),
    *(Row("kms:SigningAlgorithm", name, "ECDSA_SHA_256", "ECDSA_SHA_384") for name in ("Sign", "Verify")),
    *(
        Row("kms:ReEncryptOnSameKey", "ReEncrypt", "true", "false", operator="Bool", action=f"ReEncrypt{side}")
        for side in ("From", "To")
    ),
    Row("kms:ReEncryptOnSameKey", "ReEncrypt", "false", "true", {}, re_encrypting, "Bool", action="ReEncryptFrom"),
    Row(
        "kms:RotationPeriodInDays",
        "EnableKeyRotation",
        "90",
        "91",
        {"RotationPeriodInDays": 90},
        of_key,
        "NumericEquals",
    ),
    Row("kms:RotationPeriodInDays", "EnableKeyRotation", "365", "90", {}, of_key, "NumericEquals"),
    Row(
        "kms:ScheduleKeyDeletionPendingWindowInDays",
        "ScheduleKeyDeletion",
        "8",
        "9",
        {"PendingWindowInDays": 8},
        of_key,
        "NumericEquals",
    ),
    Row("kms:ScheduleKeyDeletionPendingWindowInDays", "ScheduleKeyDeletion", "30", "7", {}, of_key, "NumericEquals"),
    Row("kms:WrappingAlgorithm", "GetParametersForImport", OAEP, "RSAES_OAEP_SHA_1", prepare=to_prepare),
    Row("kms:WrappingKeySpec", "GetParametersForImport", "RSA_2048", "RSA_4096", prepare=to_prepare),
    # What the key is.
    *(
        Row(key, "DescribeKey", value, other, {}, of_spec(**made))
        for spec, usage in (
            ("SYMMETRIC_DEFAULT", ENCRYPT_DECRYPT),
            ("ECC_NIST_P256", SIGN_VERIFY),
            ("ECC_NIST_P256", KEY_AGREEMENT),
            ("HMAC_256", GENERATE_VERIFY_MAC),
            ("ML_KEM_768", ENCAPSULATE_DECAPSULATE),
        )
        for made in ({"KeySpec": spec, "KeyUsage": usage},)
        for key, value, other in (
            ("kms:KeySpec", spec, "RSA_2048"),
            ("kms:CustomerMasterKeySpec", spec, "RSA_2048"),
            ("kms:KeyUsage", usage, "NONE"),
            ("kms:CustomerMasterKeyUsage", usage, "NONE"),
        )
    ),
    *(
        Row(key, "CreateKey", value, other, NEW)
        for key, value, other in (
            ("kms:KeySpec", "HMAC_256", "HMAC_384"),
            ("kms:CustomerMasterKeySpec", "HMAC_256", "HMAC_384"),
            ("kms:KeyUsage", "GENERATE_VERIFY_MAC", "SIGN_VERIFY"),
            ("kms:CustomerMasterKeyUsage", "GENERATE_VERIFY_MAC", "SIGN_VERIFY"),
        )
    ),
    Row("kms:KeySpec", "CreateKey", "SYMMETRIC_DEFAULT", "HMAC_256"),
    Row("kms:KeyUsage", "CreateKey", "ENCRYPT_DECRYPT", "SIGN_VERIFY"),
    Row("kms:KeyOrigin", "DescribeKey", "EXTERNAL", "AWS_KMS", {}, of_spec(Origin="EXTERNAL")),
    Row("kms:KeyOrigin", "DescribeKey", "AWS_KMS", "EXTERNAL", {}, of_key),
    Row("kms:KeyOrigin", "CreateKey", "EXTERNAL", "AWS_KMS", {"Origin": "EXTERNAL"}),
    Row("kms:KeyOrigin", "CreateKey", "AWS_KMS", "EXTERNAL"),
    Row("kms:MultiRegion", "DescribeKey", "true", "false", {}, of_spec(MultiRegion=True), "Bool"),
    Row("kms:MultiRegion", "DescribeKey", "false", "true", {}, of_key, "Bool"),
    Row("kms:MultiRegion", "CreateKey", "true", "false", {"MultiRegion": True}, operator="Bool"),
    Row("kms:MultiRegion", "CreateKey", "false", "true", operator="Bool"),
    Row("kms:MultiRegionKeyType", "DescribeKey", "PRIMARY", "REPLICA", {}, of_spec(MultiRegion=True)),
    Row("kms:MultiRegionKeyType", "CreateKey", "PRIMARY", "REPLICA", {"MultiRegion": True}),
    Row("kms:CallerAccount", "DescribeKey", ACCOUNT, "111122223333", prepare=of_key),
    Row("kms:RequestAlias", "Encrypt", "alias/one", "alias/two", {"Plaintext": b"x"}, by_alias),
    Row("kms:RequestAlias", "DescribeKey", "alias/one", "alias/two", {}, by_alias),
    Row("kms:ResourceAliases", "DescribeKey", ["alias/one", "alias/two"], ["alias/three"], {}, by_alias),
    Row("aws:ResourceTag/Team", "DescribeKey", "Red", "red", {}, tagged),
    Row("aws:RequestTag/Team", "TagResource", "Red", "Blue", {"Tags": TAGS}, of_key),
    Row("aws:RequestTag/Team", "CreateKey", "Red", "Blue", {"Tags": TAGS}),
    Row("aws:TagKeys", "TagResource", ["Team", "Cost"], ["Team"], {"Tags": TAGS}, of_key, "ForAllValues:StringEquals"),
    Row("aws:TagKeys", "UntagResource", ["Team"], ["Cost"], {"TagKeys": ["Team"]}, of_key),
    Row("aws:TagKeys", "CreateKey", ["Team", "Cost"], ["Other"], {"Tags": TAGS}),
    # Who asks, and when.
    Row("aws:CurrentTime", "DescribeKey", "2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z", {}, of_key, "DateEquals"),
    Row("aws:EpochTime", "DescribeKey", str(int(START.timestamp())), "0", {}, of_key, "NumericEquals"),
    Row("aws:PrincipalAccount", "ListKeys", ACCOUNT, "111122223333"),
    Row("aws:PrincipalArn", "ListKeys", ADMIN, ALICE, operator="ArnEquals"),
    Row("aws:PrincipalArn", "ListKeys", ADMIN, ALICE),
    Row("aws:PrincipalTag/Team", "ListKeys", "Red", "red"),
    Row("aws:PrincipalType", "ListKeys", "User", "AssumedRole"),
    Row("aws:userid", "ListKeys", "admin", "alice"),
    Row("aws:username", "ListKeys", "admin", "alice"),
]

FIRST = {name_of(row.key): row for row in reversed(ROWS)}
"""A row of each condition key."""
NEVER_HERE = {
    "aws:SourceIp": "commands come from no address; the endpoint gives it",
    "kms:PrimaryRegion": "UpdatePrimaryRegion is refused: a vault has one Region",
    "kms:ReplicaRegion": "ReplicateKey is refused: a vault has one Region",
    "kms:ViaService": "no service of AWS acts for anybody here",
}


class Trial(msgspec.Struct, frozen=True):
    """A vault and its root at work."""

    ring: Ring
    people: People

    def members(self, row: Row) -> Members:
        """A request of its own."""
        self.ring._keys.clear()
        has_key = row.operation not in ("CreateKey", "ListKeys")
        found = row.prepare(self.ring) if row.prepare else self.ring.request(row.operation) if has_key else {}
        return found | row.members

    def under(self, row: Row, members: Members, condition: Members) -> None:
        """Have what the row is about allowed under a condition alone."""
        action = f"kms:{row.action or row.operation}"
        allowing = statement(Action=action, Condition=condition)
        if row.operation in ("CreateKey", "ListKeys"):
            # The root's own policy allows it always; what does not hold is denied.
            self.people.attach("admin", denying(action, condition), policy="trial")
            return
        others = {"Effect": "Allow", "Principal": {"AWS": ADMIN}, "NotAction": action, "Resource": "*"}
        policy = document(others, allowing | {"Principal": {"AWS": ADMIN}})
        for name in {members[name] for name in ("KeyId", "SourceKeyId", "DestinationKeyId") if name in members}:
            key_id = self.ring.perform("DescribeKey", KeyId=name).key_metadata.key_id
            self.ring.perform("PutKeyPolicy", KeyId=key_id, Policy=policy, BypassPolicyLockoutSafetyCheck=True)


def denying(action: str, condition: Members) -> Members:
    ((operator, pairs),) = condition.items()
    negated = {
        "StringEquals": "StringNotEquals",
        "ArnEquals": "ArnNotEquals",
        "ForAnyValue:StringEquals": "ForAllValues:StringNotEquals",
    }
    if operator == "Bool":
        pairs = {key: "false" if value == "true" else "true" for key, value in pairs.items()}
    return statement(Effect="Deny", Action=action, Condition={negated.get(operator, operator): pairs})


def condition(row: Row, value: Any, spelling: Callable[[str], str] = str) -> Members:
    operator = row.operator
    if isinstance(value, list) and operator == "StringEquals":
        operator = "ForAllValues:StringEquals" if row.key == "kms:GrantOperations" else "ForAnyValue:StringEquals"
    return {operator: {spelling(row.key): value}}


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    reuse_wrapping_keys(monkeypatch)
    with quick_folder("facts") as folder:
        ring = Ring(folder)
        ring.init()
        people = People(ring)
        people.tag("admin", Team="Red")
        yield Trial(ring, people)
        people.close()
        ring.close()


each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.condition)


def test_every_condition_key_is_tried_or_never_present() -> None:
    tried = {name_of(row.key) for row in ROWS}
    assert CONDITION_KEYS.keys() == tried | NEVER_HERE.keys()
    assert not tried & NEVER_HERE.keys()


@each_row
def test_a_condition_holds_with_the_documented_value(trial: Trial, row: Row) -> None:
    members = trial.members(row)
    trial.under(row, members, condition(row, row.value))
    trial.people.perform("admin", row.operation, **members)


@each_row
def test_a_condition_does_not_hold_with_another_value(trial: Trial, row: Row) -> None:
    members = trial.members(row)
    trial.under(row, members, condition(row, row.other))
    error = trial.people.refused("admin", row.operation, **members)
    assert f"to perform: kms:{row.action or row.operation} on resource" in error.message


@pytest.mark.parametrize("row", FIRST.values(), ids=lambda row: row.condition)
@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_the_case_of_a_condition_key_does_not_matter(trial: Trial, row: Row, spelling: Callable[[str], str]) -> None:
    members = trial.members(row)
    trial.under(row, members, condition(row, row.value, spelling))
    trial.people.perform("admin", row.operation, **members)


ABSENT: list[Row] = [
    *(Row(key, "DescribeKey", None, None, prepare=of_key) for key in NEVER_HERE),
    *(Row(key, "ListKeys", None, None) for key in ("aws:SourceIp", "kms:CallerAccount", "kms:KeySpec")),
    Row("kms:RequestAlias", "DescribeKey", None, None, prepare=of_key),
    Row("kms:ResourceAliases", "DescribeKey", None, None, prepare=of_key),
    Row("aws:ResourceTag/Team", "DescribeKey", None, None, prepare=of_key),
    Row("aws:PrincipalTag/Other", "ListKeys", None, None),
    Row("kms:EncryptionContextKeys", "Encrypt", None, None),
    Row("kms:EncryptionContext:Other", "Encrypt", None, None, CONTEXT),
    Row("kms:EncryptionContext:Tenant", "ReEncrypt", None, None, action="ReEncryptTo"),
    Row("kms:GrantConstraintType", "CreateGrant", None, None, prepare=granting),
    Row("kms:RetiringPrincipal", "CreateGrant", None, None, prepare=granting),
    Row("kms:ValidTo", "ImportKeyMaterial", None, None, FOR_EVER, to_import),
    Row("kms:MultiRegionKeyType", "CreateKey", None, None),
    Row("kms:EncryptionAlgorithm", "Sign", None, None),
    Row("aws:TagKeys", "CreateKey", None, None),
]


@pytest.mark.parametrize("row", ABSENT, ids=lambda row: f"{row.key} in {row.operation}")
def test_what_a_request_does_not_say_is_absent(trial: Trial, row: Row) -> None:
    has_key = row.operation not in ("CreateKey", "ListKeys")
    members = trial.members(row)
    trial.under(row, members, {"Null": {row.key: "true" if has_key else "false"}})
    trial.people.perform("admin", row.operation, **members)


def test_a_key_that_is_named_by_the_arn_of_an_alias_has_a_request_alias(trial: Trial) -> None:
    row = FIRST["kms:RequestAlias"]
    members = trial.members(row)
    trial.under(row, members, condition(row, row.value))
    members["KeyId"] = f"arn:aws:kms:local:{ACCOUNT}:alias/one"
    trial.people.perform("admin", "Encrypt", **members)
    members["KeyId"] = "alias/two"
    assert trial.people.refused("admin", "Encrypt", **members).code == "AccessDeniedException"


def test_a_key_that_only_a_ciphertext_names_has_no_request_alias(trial: Trial) -> None:
    row = Row("kms:RequestAlias", "Decrypt", "alias/one", "", prepare=in_context)
    members = trial.members(row)
    trial.ring.perform("CreateAlias", AliasName="alias/one", TargetKeyId=members["KeyId"])
    trial.under(row, members, condition(row, row.value))
    trial.people.perform("admin", "Decrypt", **members | {"KeyId": "alias/one"})
    del members["KeyId"]
    assert trial.people.refused("admin", "Decrypt", **members).code == "AccessDeniedException"


ABOUT_A_ROLE = [
    {"StringEquals": {"aws:PrincipalType": "AssumedRole"}},
    {"ArnEquals": {"aws:PrincipalArn": CI}},
    {"Null": {"aws:username": "true"}},
    {"StringEquals": {"aws:PrincipalTag/Team": "Blue"}},
    {"StringEquals": {"aws:PrincipalAccount": ACCOUNT, "kms:CallerAccount": ACCOUNT}},
]


@pytest.mark.parametrize("holding", ABOUT_A_ROLE, ids=str)
def test_what_a_role_is(trial: Trial, holding: Members) -> None:
    trial.people.add("ci", kind="role", tags={"Team": "Blue"}).add("alice", tags={"Team": "Red"})
    key_id = trial.ring.create_key()
    policy = document(statement(ADMIN), statement([CI], Condition=holding))
    trial.ring.perform("PutKeyPolicy", KeyId=key_id, Policy=policy)
    trial.people.perform("ci", "Encrypt", KeyId=key_id, Plaintext=b"x")
    assert trial.people.refused("alice", "Encrypt", KeyId=key_id, Plaintext=b"x").code == "AccessDeniedException"


def test_a_policy_may_name_whoever_asks_by_what_he_is(trial: Trial) -> None:
    trial.people.add("alice", tags={"Team": "Red"}).add("bob", tags={"Team": "Blue"})
    key_id = trial.ring.create_key(Tags=[{"TagKey": "Team", "TagValue": "Red"}])
    same = {"Condition": {"StringEquals": {"aws:ResourceTag/Team": "${aws:PrincipalTag/Team}"}}}
    trial.ring.perform("PutKeyPolicy", KeyId=key_id, Policy=document(statement(ADMIN), statement([ALICE, BOB], **same)))
    trial.people.perform("alice", "DescribeKey", KeyId=key_id)
    assert trial.people.refused("bob", "DescribeKey", KeyId=key_id).code == "AccessDeniedException"
    trial.people.tag("bob", Team="Red")
    trial.people.perform("bob", "DescribeKey", KeyId=key_id)
