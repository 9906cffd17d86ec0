"""CreateAlias, UpdateAlias, DeleteAlias, ListAliases."""

from typing import Any

import pytest

from tests.helpers import Clock, Home


def names(home: Home, **members: object) -> list[str]:
    return [alias.alias_name for alias in home.perform("ListAliases", **members).aliases]


def target(home: Home, alias: str) -> str:
    return str(home.perform("DescribeKey", KeyId=alias).key_metadata.key_id)


def aliases_of_record(home: Home, key_id: str) -> tuple[str, ...]:
    with home.context.session.read() as snapshot:
        found = snapshot.key(key_id)
    assert found is not None
    return found.record.aliases


def test_an_alias_names_its_key(home: Home) -> None:
    key_id = home.create_key()
    assert home.answer("CreateAlias", AliasName="alias/app", TargetKeyId=key_id) == {}
    assert home.answer("ListAliases") == {
        "Aliases": [
            {
                "AliasName": "alias/app",
                "AliasArn": "arn:aws:kms:local:000000000000:alias/app",
                "TargetKeyId": key_id,
                "CreationDate": home.clock().replace(microsecond=123000),
                "LastUpdatedDate": home.clock().replace(microsecond=123000),
            }
        ],
        "Truncated": False,
    }
    assert aliases_of_record(home, key_id) == ("alias/app",)


@pytest.mark.parametrize(
    ("name", "code", "exit_code"),
    [
        ("app", "ValidationException", 2),
        ("alias/aws/app", "NotAuthorizedException", 30),
        ("alias/aws/", "NotAuthorizedException", 30),
        ("alias/a:b", "ValidationException", 2),
        ("alias/", "InvalidAliasNameException", 2),
        ("vault", "ValidationException", 2),
        ("alias/a b", "ValidationException", 2),
        ("alias/\u00e4", "ValidationException", 2),
        ("alias/" + "x" * 251, "ValidationException", 2),
        ("", "ValidationException", 2),
    ],
)
def test_a_name_that_no_alias_may_have_is_refused(home: Home, name: str, code: str, exit_code: int) -> None:
    key_id = home.create_key()
    error = home.refused("CreateAlias", AliasName=name, TargetKeyId=key_id)
    assert (error.code, error.exit_code) == (code, exit_code)
    assert home.lines()[-1]["errorCode"] == code
    assert names(home) == []


def test_a_name_that_is_taken_is_refused(home: Home) -> None:
    first = home.create_key(Alias="alias/app")
    second = home.create_key()
    for key_id in (first, second):
        error = home.refused("CreateAlias", AliasName="alias/app", TargetKeyId=key_id)
        assert (error.code, error.exit_code) == ("AlreadyExistsException", 21)
        assert error.message == ("An alias with the name arn:aws:kms:local:000000000000:alias/app already exists")
    assert target(home, "alias/app") == first


def test_names_differ_by_case(home: Home) -> None:
    first, second = home.create_key(Alias="alias/app"), home.create_key(Alias="alias/App")
    assert (target(home, "alias/app"), target(home, "alias/App")) == (first, second)


def test_an_alias_of_an_alias_is_refused(home: Home) -> None:
    home.create_key(Alias="alias/app")
    for operation, name in (("CreateAlias", "alias/other"), ("UpdateAlias", "alias/app")):
        error = home.refused(operation, AliasName=name, TargetKeyId="alias/app")
        assert (error.code, error.message) == ("ValidationException", "Aliases must refer to keys. Not aliases")


def test_a_key_has_at_most_50_aliases(home: Home) -> None:
    key_id = home.create_key()
    for number in range(50):
        home.perform("CreateAlias", AliasName=f"alias/a{number}", TargetKeyId=key_id)
    error = home.refused("CreateAlias", AliasName="alias/one-more", TargetKeyId=key_id)
    assert (error.code, error.exit_code) == ("LimitExceededException", 31)
    home.create_key(Alias="alias/other")
    error = home.refused("UpdateAlias", AliasName="alias/other", TargetKeyId=key_id)
    assert (error.code, error.exit_code) == ("LimitExceededException", 31)
    home.perform("UpdateAlias", AliasName="alias/a0", TargetKeyId=key_id)
    home.perform("DeleteAlias", AliasName="alias/a0")
    home.perform("UpdateAlias", AliasName="alias/other", TargetKeyId=key_id)
    assert len(aliases_of_record(home, key_id)) == 50
    assert len(names(home, KeyId=key_id, Limit=100)) == 50


def test_an_alias_moves_to_another_key(home: Home, clock: Clock) -> None:
    first, second = home.create_key(Alias="alias/app"), home.create_key()
    clock.move(seconds=10)
    assert home.answer("UpdateAlias", AliasName="alias/app", TargetKeyId=second) == {}
    assert target(home, "alias/app") == second
    assert (aliases_of_record(home, first), aliases_of_record(home, second)) == ((), ("alias/app",))
    (entry,) = home.perform("ListAliases").aliases
    assert (entry.last_updated_date - entry.creation_date).total_seconds() == 10


def test_an_alias_is_moved_to_the_key_that_it_names(home: Home, clock: Clock) -> None:
    key_id = home.create_key(Alias="alias/app")
    clock.move(seconds=10)
    home.perform("UpdateAlias", AliasName="alias/app", TargetKeyId=key_id)
    assert aliases_of_record(home, key_id) == ("alias/app",)
    (entry,) = home.perform("ListAliases").aliases
    assert (entry.last_updated_date - entry.creation_date).total_seconds() == 10


KINDS = {
    "symmetric": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    "mac": ("HMAC_256", "GENERATE_VERIFY_MAC"),
    "other mac": ("HMAC_384", "GENERATE_VERIFY_MAC"),
    "sealing": ("RSA_2048", "ENCRYPT_DECRYPT"),
    "signing": ("ECC_NIST_P256", "SIGN_VERIFY"),
    "other signing": ("RSA_2048", "SIGN_VERIFY"),
    "agreeing": ("ECC_NIST_P256", "KEY_AGREEMENT"),
}


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("symmetric", "sealing", "key type SYMMETRIC to a CMK with key type ASYMMETRIC. The key type"),
        ("sealing", "symmetric", "key type ASYMMETRIC to a CMK with key type SYMMETRIC. The key type"),
        ("symmetric", "mac", "key usage ENCRYPT_DECRYPT to a CMK with key usage GENERATE_VERIFY_MAC. The key usage"),
        ("mac", "symmetric", "key usage GENERATE_VERIFY_MAC to a CMK with key usage ENCRYPT_DECRYPT. The key usage"),
        ("signing", "agreeing", "key usage SIGN_VERIFY to a CMK with key usage KEY_AGREEMENT. The key usage"),
        ("sealing", "other signing", "key usage ENCRYPT_DECRYPT to a CMK with key usage SIGN_VERIFY. The key usage"),
    ],
)
def test_an_alias_does_not_move_to_a_key_of_another_kind(home: Home, first: str, second: str, said: str) -> None:
    old, new = (home.create_key(KeySpec=spec, KeyUsage=usage) for spec, usage in (KINDS[first], KINDS[second]))
    home.perform("CreateAlias", AliasName="alias/app", TargetKeyId=old)
    error = home.refused("UpdateAlias", AliasName="alias/app", TargetKeyId=new)
    assert (error.code, error.exit_code) == ("ValidationException", 2)
    assert error.message == (
        f"Alias alias/app cannot be changed from a CMK with {said} of the current CMK and the new CMK must be the same."
    )
    assert "kms create-alias" in error.hint
    assert target(home, "alias/app") == old
    # As AWS advises.
    home.perform("DeleteAlias", AliasName="alias/app")
    home.perform("CreateAlias", AliasName="alias/app", TargetKeyId=new)
    assert target(home, "alias/app") == new


@pytest.mark.parametrize(("first", "second"), [("mac", "other mac"), ("signing", "other signing")])
def test_an_alias_moves_to_a_key_of_another_spec_and_the_same_kind(home: Home, first: str, second: str) -> None:
    old, new = (home.create_key(KeySpec=spec, KeyUsage=usage) for spec, usage in (KINDS[first], KINDS[second]))
    home.perform("CreateAlias", AliasName="alias/app", TargetKeyId=old)
    home.perform("UpdateAlias", AliasName="alias/app", TargetKeyId=new)
    assert target(home, "alias/app") == new


def test_what_was_encrypted_stays_readable_when_its_alias_moves(home: Home) -> None:
    home.create_key(Alias="alias/app")
    blob = home.perform("Encrypt", KeyId="alias/app", Plaintext=b"x").ciphertext_blob
    home.perform("UpdateAlias", AliasName="alias/app", TargetKeyId=home.create_key())
    assert home.perform("Decrypt", CiphertextBlob=blob).plaintext == b"x"
    assert home.refused("Decrypt", CiphertextBlob=blob, KeyId="alias/app").code == "IncorrectKeyException"


def test_a_deleted_alias_is_gone_and_its_key_stays(home: Home) -> None:
    key_id = home.create_key(Alias="alias/app")
    assert home.answer("DeleteAlias", AliasName="alias/app") == {}
    assert names(home) == []
    assert aliases_of_record(home, key_id) == ()
    assert home.state_of(key_id) == "Enabled"
    home.perform("CreateAlias", AliasName="alias/app", TargetKeyId=key_id)
    assert target(home, "alias/app") == key_id


@pytest.mark.parametrize("operation", ["UpdateAlias", "DeleteAlias"])
@pytest.mark.parametrize(
    ("name", "code", "exit_code"),
    [
        *((name, "NotFoundException", 20) for name in ("alias/none", "alias/", "alias/a:b")),
        *(
            (name, "ValidationException", 2)
            for name in ("none", "vault", "principal/admin", "key/{key}", "alias", "app", "Alias/app")
        ),
        ("alias/aws/none", "NotAuthorizedException", 30),
    ],
)
def test_what_is_no_alias_is_not_changed_whatever_else_has_its_name(
    home: Home, operation: str, name: str, code: str, exit_code: int
) -> None:
    key_id = home.create_key(Alias="alias/app")
    members = {"AliasName": name.format(key=key_id)} | ({"TargetKeyId": key_id} if operation == "UpdateAlias" else {})
    error = home.refused(operation, **members)
    assert (error.code, error.exit_code) == (code, exit_code)
    assert home.lines()[-1]["errorCode"] == code
    assert target(home, "alias/app") == key_id


def test_a_name_without_its_prefix_gets_a_hint(home: Home) -> None:
    home.create_key(Alias="alias/app")
    assert home.refused("DeleteAlias", AliasName="app").hint == "did you mean alias/app?"


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_the_state_of_the_target_counts_and_that_of_the_old_key_does_not(home: Home, state: str) -> None:
    live, gone = home.create_key(Alias="alias/live"), home.create_key(Alias="alias/gone")
    home.perform("DisableKey" if state == "Disabled" else "ScheduleKeyDeletion", KeyId=gone)
    attempts: list[tuple[str, dict[str, Any]]] = [
        ("CreateAlias", {"AliasName": "alias/new", "TargetKeyId": gone}),
        ("UpdateAlias", {"AliasName": "alias/live", "TargetKeyId": gone}),
    ]
    for operation, members in attempts:
        if state == "Disabled":
            home.perform(operation, **members)
        else:
            assert home.refused(operation, **members).code == "KMSInvalidStateException"
    home.perform("UpdateAlias", AliasName="alias/gone", TargetKeyId=live)
    home.perform("UpdateAlias", AliasName="alias/gone", TargetKeyId=live)
    assert target(home, "alias/gone") == live


def test_an_alias_of_a_key_that_is_pending_deletion_is_deleted(home: Home) -> None:
    key_id = home.create_key(Alias="alias/app")
    home.perform("ScheduleKeyDeletion", KeyId=key_id)
    home.perform("DeleteAlias", AliasName="alias/app")
    assert names(home) == []


# -- lists -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("of_one_key", [False, True])
def test_the_pages_of_a_list_hold_each_alias_once(home: Home, limit: int, *, of_one_key: bool) -> None:
    key_id, other = home.create_key(), home.create_key(Alias="alias/other")
    for number in range(7):
        home.perform("CreateAlias", AliasName=f"alias/a{number}", TargetKeyId=key_id)
    members: dict[str, object] = {"Limit": limit} | ({"KeyId": key_id} if of_one_key else {})
    found: list[str] = []
    page = home.perform("ListAliases", **members)
    while page.truncated:
        assert len(page.aliases) == limit
        found += [alias.alias_name for alias in page.aliases]
        page = home.perform("ListAliases", **members, Marker=page.next_marker)
    found += [alias.alias_name for alias in page.aliases]
    expected = {f"alias/a{number}" for number in range(7)} | (set() if of_one_key else {"alias/other"})
    assert len(found) == len(expected)
    assert set(found) == expected
    assert names(home, KeyId=other) == ["alias/other"]


@pytest.mark.parametrize("limit", [0, 101, 1000])
def test_a_page_has_1_to_100_aliases(home: Home, limit: int) -> None:
    assert home.refused("ListAliases", Limit=limit).code == "ValidationException"


def test_a_page_has_50_aliases_where_nothing_is_said(home: Home) -> None:
    key_id = home.create_key(Alias="alias/other")
    key_id = home.create_key()
    for number in range(50):
        home.perform("CreateAlias", AliasName=f"alias/a{number}", TargetKeyId=key_id)
    page = home.perform("ListAliases")
    assert (len(page.aliases), page.truncated) == (50, True)


def test_the_aliases_of_a_key_that_is_not_there_are_not_found(home: Home) -> None:
    assert home.refused("ListAliases", KeyId="alias/none").code == "NotFoundException"


def test_a_key_without_aliases_has_an_empty_list(home: Home) -> None:
    assert home.answer("ListAliases", KeyId=home.create_key()) == {"Aliases": [], "Truncated": False}
