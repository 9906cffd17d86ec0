"""CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, UpdateKeyDescription."""

from datetime import timedelta

import pytest

from kmscli.model import ids
from tests.helpers import Clock, Home

ABSENT = "12345678-1234-1234-1234-123456789012"


def test_a_new_key_is_described_as_aws_describes_one(home: Home) -> None:
    metadata = home.answer("CreateKey", Description="for tests")["KeyMetadata"]
    key_id = metadata["KeyId"]
    assert ids.is_key_id(key_id)
    assert len(metadata.pop("CurrentKeyMaterialId")) == 64
    created = metadata.pop("CreationDate")
    assert created == home.clock().replace(microsecond=123000)
    assert metadata == {
        "AWSAccountId": "000000000000",
        "KeyId": key_id,
        "Arn": home.arn(key_id),
        "Enabled": True,
        "Description": "for tests",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ("SYMMETRIC_DEFAULT",),
        "MultiRegion": False,
    }


def test_a_key_is_described_as_it_was_created(home: Home) -> None:
    created = home.answer("CreateKey", Description="x")
    assert home.answer("DescribeKey", KeyId=created["KeyMetadata"]["KeyId"]) == created


def test_nothing_need_be_said_of_a_new_key(home: Home) -> None:
    assert home.answer("CreateKey")["KeyMetadata"]["Description"] == ""


def test_each_new_key_is_another(home: Home) -> None:
    assert len({home.create_key() for _ in range(5)}) == 5


def test_a_key_and_its_alias_are_made_together(home: Home) -> None:
    key_id = home.create_key(Alias="alias/app")
    assert home.perform("DescribeKey", KeyId="alias/app").key_metadata.key_id == key_id


@pytest.mark.parametrize(
    ("alias", "code"),
    [
        ("app", "InvalidAliasNameException"),
        ("alias/aws/own", "InvalidAliasNameException"),
        ("alias/taken", "AlreadyExistsException"),
    ],
)
def test_a_key_whose_alias_cannot_be_made_is_not_made_either(home: Home, alias: str, code: str) -> None:
    home.create_key(Alias="alias/taken")
    before = home.answer("ListKeys")
    assert home.refused("CreateKey", Alias=alias).code == code
    assert home.answer("ListKeys") == before


@pytest.mark.parametrize("member", ["KeyId", "TargetKeyId"])
@pytest.mark.parametrize("form", ["{id}", "arn:aws:kms:local:000000000000:key/{id}"])
def test_a_key_is_found_by_id_and_by_arn(home: Home, form: str, member: str) -> None:
    key_id = home.create_key()
    name = form.format(id=key_id)
    if member == "KeyId":
        assert home.perform("DescribeKey", KeyId=name).key_metadata.key_id == key_id
    else:
        home.perform("CreateAlias", AliasName="alias/a", TargetKeyId=name)
        assert home.perform("ListAliases").aliases[0].target_key_id == key_id


@pytest.mark.parametrize("name", ["alias/app", "arn:aws:kms:local:000000000000:alias/app"])
def test_a_key_is_found_by_alias_and_by_alias_arn(home: Home, name: str) -> None:
    key_id = home.create_key(Alias="alias/app")
    assert home.perform("DescribeKey", KeyId=name).key_metadata.key_id == key_id


@pytest.mark.parametrize(
    ("name", "code", "exit_code", "text"),
    [
        (ABSENT, "NotFoundException", 20, f"Key 'arn:aws:kms:local:000000000000:key/{ABSENT}' does not exist"),
        ("alias/none", "NotFoundException", 20, "Alias arn:aws:kms:local:000000000000:alias/none is not found."),
        ("app", "NotFoundException", 20, "Invalid keyId 'app'"),
        ("arn:aws:kms", "InvalidArnException", 2, "Invalid arn arn:aws:kms"),
        (
            "arn:aws:kms:local:000000000000:key/x",
            "NotFoundException",
            20,
            "Key 'arn:aws:kms:local:000000000000:key/x' does not exist",
        ),
        (
            f"arn:aws:kms:eu-central-1:000000000000:key/{ABSENT}",
            "NotFoundException",
            20,
            f"Key 'arn:aws:kms:eu-central-1:000000000000:key/{ABSENT}' does not exist",
        ),
        ("alias/", "NotFoundException", 20, "Alias arn:aws:kms:local:000000000000:alias/ is not found."),
        (
            "alias/\u00e4 \n",
            "NotFoundException",
            20,
            "Alias arn:aws:kms:local:000000000000:alias/\u00e4 \n is not found.",
        ),
    ],
)
def test_a_key_that_is_not_here_is_not_found(home: Home, name: str, code: str, exit_code: int, text: str) -> None:
    error = home.refused("DescribeKey", KeyId=name)
    assert (error.code, error.exit_code, error.message) == (code, exit_code, text)


def test_a_bare_alias_name_is_offered(home: Home) -> None:
    home.create_key(Alias="alias/app")
    assert home.refused("Encrypt", KeyId="app", Plaintext=b"x").hint == "did you mean alias/app?"


def test_tags_are_kept_in_the_record(home: Home) -> None:
    key_id = home.create_key(Tags=[{"TagKey": "b", "TagValue": ""}, {"TagKey": "a", "TagValue": "1"}])
    with home.context.session.read() as snapshot:
        found = snapshot.key(key_id)
    assert found is not None
    assert found.record.tags == (("a", "1"), ("b", ""))


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ([("a", "1"), ("a", "2")], "Duplicate tag keys: a"),
        ([("aws:x", "1")], "aws:x: tag keys that start with aws: are reserved"),
        ([("AWS:x", "1")], "AWS:x: tag keys that start with aws: are reserved"),
        ([(f"k{number}", "") for number in range(51)], "Too many tags"),
    ],
)
def test_tags_that_aws_refuses_are_refused(home: Home, tags: list[tuple[str, str]], text: str) -> None:
    error = home.refused("CreateKey", Tags=[{"TagKey": key, "TagValue": value} for key, value in tags])
    assert (error.code, error.exit_code, error.message) == ("TagException", 2, text)


def test_fifty_tags_are_taken(home: Home) -> None:
    home.create_key(Tags=[{"TagKey": f"k{number}", "TagValue": ""} for number in range(50)])


def test_tag_keys_differ_by_case(home: Home) -> None:
    home.create_key(Tags=[{"TagKey": "a", "TagValue": ""}, {"TagKey": "A", "TagValue": ""}])


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"KeySpec": "RSA_1024"}, "'keySpec'"),
        ({"KeySpec": "RSA_2048"}, "You must specify a KeyUsage value"),
        ({"KeyUsage": "WRAP"}, "'keyUsage'"),
        ({"KeyUsage": "SIGN_VERIFY"}, "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"),
        ({"Description": "x" * 8193}, "'description'"),
        ({"Tags": [{"TagKey": "", "TagValue": ""}]}, "'tags.1.member.tagKey'"),
        ({"Policies": "{}"}, "'Policies'"),
    ],
)
def test_what_no_key_can_be_is_a_validation_error(home: Home, members: dict[str, object], told: str) -> None:
    error = home.refused("CreateKey", **members)
    assert (error.code, error.exit_code) == ("ValidationException", 2)
    assert told in error.message
    assert home.answer("ListKeys")["Keys"] == []


@pytest.mark.parametrize("policy", ["{}", "[]", "{"])
def test_a_key_whose_policy_is_none_is_not_made(home: Home, policy: str) -> None:
    error = home.refused("CreateKey", Policy=policy)
    assert (error.code, error.exit_code) == ("MalformedPolicyDocumentException", 2)
    assert home.answer("ListKeys")["Keys"] == []


def test_a_description_takes_8192_characters(home: Home) -> None:
    assert home.answer("CreateKey", Description="\u00e4" * 8192)["KeyMetadata"]["Description"] == "\u00e4" * 8192


# -- ListKeys ----------------------------------------------------------------------------------------------------------


def test_an_empty_vault_has_no_keys(home: Home) -> None:
    assert home.answer("ListKeys") == {"Keys": [], "Truncated": False}


def test_a_list_names_each_key_by_id_and_arn(home: Home) -> None:
    key_id = home.create_key()
    assert home.answer("ListKeys")["Keys"] == [{"KeyId": key_id, "KeyArn": home.arn(key_id)}]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_the_pages_of_a_list_hold_each_key_once(home: Home, limit: int) -> None:
    made = {home.create_key() for _ in range(7)}
    found: list[str] = []
    page = home.perform("ListKeys", Limit=limit)
    while page.truncated:
        assert len(page.keys) == limit
        found += [key.key_id for key in page.keys]
        page = home.perform("ListKeys", Limit=limit, Marker=page.next_marker)
    assert page.next_marker is None
    found += [key.key_id for key in page.keys]
    assert len(found) == 7
    assert set(found) == made


def test_a_page_of_a_list_holds_100_keys_where_nothing_is_said(home: Home) -> None:
    for _ in range(101):
        home.create_key()
    page = home.perform("ListKeys")
    assert (len(page.keys), page.truncated) == (100, True)


@pytest.mark.parametrize("limit", [0, 1001, -1])
def test_a_page_has_1_to_1000_keys(home: Home, limit: int) -> None:
    assert home.refused("ListKeys", Limit=limit).code == "ValidationException"


# -- states ------------------------------------------------------------------------------------------------------------


def test_a_key_is_disabled_and_enabled(home: Home) -> None:
    key_id = home.create_key()
    assert home.answer("DisableKey", KeyId=key_id) == {}
    metadata = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"]) == ("Disabled", False)
    assert home.answer("EnableKey", KeyId=key_id) == {}
    metadata = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"]) == ("Enabled", True)


@pytest.mark.parametrize("operation", ["EnableKey", "DisableKey"])
def test_a_state_that_is_there_already_is_no_fault_and_no_new_generation(home: Home, operation: str) -> None:
    key_id = home.create_key()
    home.perform(operation, KeyId=key_id)
    before = home.lines()[-1]["vault"]
    assert home.answer(operation, KeyId=key_id) == {}
    assert home.lines()[-1]["vault"] == before
    assert "change" not in home.lines()[-1]


@pytest.mark.parametrize(
    "operation", ["EnableKey", "DisableKey", "ScheduleKeyDeletion", "RotateKeyOnDemand", "CancelKeyDeletion"]
)
def test_aliases_name_keys_in_changes_too(home: Home, operation: str) -> None:
    home.create_key(Alias="alias/app")
    if operation == "CancelKeyDeletion":
        home.perform("ScheduleKeyDeletion", KeyId="alias/app")
    home.perform(operation, KeyId="alias/app")
    assert home.lines()[-1]["eventName"] == operation


def test_a_description_is_replaced_and_nothing_else(home: Home, clock: Clock) -> None:
    key_id = home.create_key(Description="old")
    before = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    clock.move(days=1)
    assert home.answer("UpdateKeyDescription", KeyId=key_id, Description="") == {}
    after = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert after == before | {"Description": ""}


def test_a_description_must_be_given(home: Home) -> None:
    key_id = home.create_key()
    error = home.refused("UpdateKeyDescription", KeyId=key_id)
    assert "Value null at 'description'" in error.message


USES: dict[str, dict[str, object]] = {
    "Encrypt": {"Plaintext": b"x"},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "RotateKeyOnDemand": {},
    "UpdateKeyDescription": {"Description": "x"},
    "EnableKey": {},
    "DisableKey": {},
    "ScheduleKeyDeletion": {},
    "CancelKeyDeletion": {},
    "DescribeKey": {},
    "ListAliases": {},
    "ListKeyRotations": {},
}
REFUSED = {
    "Enabled": {"CancelKeyDeletion": "KMSInvalidStateException"},
    "Disabled": {
        "Encrypt": "DisabledException",
        "GenerateDataKey": "DisabledException",
        "GenerateDataKeyWithoutPlaintext": "DisabledException",
        "RotateKeyOnDemand": "DisabledException",
        "CancelKeyDeletion": "KMSInvalidStateException",
    },
    "PendingDeletion": dict.fromkeys(
        USES.keys() - {"CancelKeyDeletion", "DescribeKey", "ListAliases", "ListKeyRotations"},
        "KMSInvalidStateException",
    ),
}


@pytest.mark.parametrize("state", REFUSED)
@pytest.mark.parametrize("operation", USES)
def test_a_state_allows_and_forbids_as_aws_documents(home: Home, operation: str, state: str) -> None:
    key_id = home.create_key()
    if state == "Disabled":
        home.perform("DisableKey", KeyId=key_id)
    if state == "PendingDeletion":
        home.perform("ScheduleKeyDeletion", KeyId=key_id)
    expected = REFUSED[state].get(operation)
    if expected is None:
        home.perform(operation, KeyId=key_id, **USES[operation])
        return
    error = home.refused(operation, KeyId=key_id, **USES[operation])
    assert (error.code, error.exit_code) == (expected, 22)
    assert home.state_of(key_id) == state


def test_times_are_told_in_whole_milliseconds(home: Home, clock: Clock) -> None:
    clock.move(microseconds=777)
    created = home.answer("CreateKey")["KeyMetadata"]["CreationDate"]
    assert created.microsecond % 1000 == 0
    assert timedelta(0) <= home.clock() - created < timedelta(milliseconds=1)
