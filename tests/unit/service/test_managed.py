"""Keys that kms makes for itself: used by everybody, changed by nobody."""

import pytest

from kmscli.service import managed
from tests.helpers import Home


def test_the_first_use_makes_the_key_and_the_next_finds_it(home: Home) -> None:
    assert managed.managed_key(home.context, managed.FILES) == "alias/aws/files"
    before = len(home.lines())
    assert managed.managed_key(home.context, managed.FILES) == "alias/aws/files"
    assert len(home.lines()) == before
    (entry,) = home.perform("ListKeys").keys
    metadata = home.perform("DescribeKey", KeyId="alias/aws/files").key_metadata
    assert (metadata.key_id, metadata.key_manager) == (entry.key_id, "AWS")
    assert metadata.description != ""


def test_its_making_is_a_line_like_any_other(home: Home) -> None:
    managed.managed_key(home.context, managed.FILES)
    line = home.lines()[-1]
    assert (line["eventName"], line["requestParameters"]) == (
        "CreateKey",
        {"alias": "alias/aws/files", "keyManager": "AWS"},
    )
    assert {kind for kind, *_ in line["change"]} == {"alias", "key", "share", "version"}


def test_it_is_used_like_any_other_key(home: Home) -> None:
    name = managed.managed_key(home.context, managed.FILES)
    blob = home.perform("Encrypt", KeyId=name, Plaintext=b"x").ciphertext_blob
    assert home.perform("Decrypt", CiphertextBlob=blob).plaintext == b"x"
    assert home.perform("ListAliases").aliases[0].alias_name == name


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("DisableKey", {"KeyId": "{name}"}),
        ("EnableKey", {"KeyId": "{name}"}),
        ("UpdateKeyDescription", {"KeyId": "{name}", "Description": "mine"}),
        ("ScheduleKeyDeletion", {"KeyId": "{name}"}),
        ("CancelKeyDeletion", {"KeyId": "{name}"}),
        ("RotateKeyOnDemand", {"KeyId": "{name}"}),
        ("CreateAlias", {"AliasName": "alias/mine", "TargetKeyId": "{id}"}),
        ("UpdateAlias", {"AliasName": "alias/own", "TargetKeyId": "{id}"}),
    ],
)
def test_it_is_not_changed(home: Home, operation: str, members: dict[str, str]) -> None:
    own = home.create_key(Alias="alias/own")
    name = managed.managed_key(home.context, managed.FILES)
    before = home.answer("DescribeKey", KeyId=name)
    names = {"name": name, "id": before["KeyMetadata"]["KeyId"], "own": own}
    error = home.refused(operation, **{member: value.format(**names) for member, value in members.items()})
    assert (error.code, error.exit_code) == ("AccessDeniedException", 30)
    assert error.message.startswith(
        f"User: arn:aws:iam::000000000000:user/admin is not authorized to perform: kms:{operation} on resource: "
    )
    assert home.answer("DescribeKey", KeyId=name) == before
    assert home.lines()[-2]["errorCode"] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("operation", "members"),
    [("UpdateAlias", ["TargetKeyId"]), ("DeleteAlias", []), ("CreateAlias", ["TargetKeyId"])],
)
def test_its_name_stays_its_own(home: Home, operation: str, members: list[str]) -> None:
    own = home.create_key()
    name = managed.managed_key(home.context, managed.FILES)
    before = home.answer("DescribeKey", KeyId=name)
    error = home.refused(operation, AliasName=name, **dict.fromkeys(members, own))
    assert (error.code, error.exit_code) == ("NotAuthorizedException", 30)
    assert home.answer("DescribeKey", KeyId=name) == before


def test_users_cannot_take_its_name_first(home: Home) -> None:
    assert home.refused("CreateKey", Alias="alias/aws/files").code == "NotAuthorizedException"
