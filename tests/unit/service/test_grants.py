"""CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant."""

from datetime import datetime
from typing import Any

import pytest

from kmscli.model import grant, limits
from kmscli.model.grant import GRANT_OPERATIONS
from kmscli.model.limits import AccountLimits
from kmscli.service import managed
from tests.helpers import Clock, Home

ALICE = "arn:aws:iam::000000000000:user/alice"
BOB = "arn:aws:iam::111122223333:role/path/bob"
AMAZON = "lambda.amazonaws.com"
ABSENT = "0" * 64


def create(home: Home, key_id: str, **members: Any) -> tuple[str, str]:
    """A new grant: its id and a token."""
    asked = {"KeyId": key_id, "GranteePrincipal": ALICE, "Operations": ["Decrypt"]} | members
    made = home.perform("CreateGrant", **asked)
    return made.grant_id, made.grant_token


def refused(home: Home, key_id: str, **members: Any) -> Any:
    return home.refused(
        "CreateGrant", **{"KeyId": key_id, "GranteePrincipal": ALICE, "Operations": ["Decrypt"]} | members
    )


def grants_of(home: Home, key_id: str, **members: Any) -> list[str]:
    found = home.perform("ListGrants", KeyId=key_id, **members)
    assert not found.truncated
    return [each.grant_id for each in found.grants]


def retirable(home: Home, principal: str = ALICE) -> set[str]:
    return {each.grant_id for each in home.perform("ListRetirableGrants", RetiringPrincipal=principal).grants}


# -- what a grant is ---------------------------------------------------------------------------------------------------


def test_a_grant_is_listed_with_all_that_was_said_of_it(home: Home, clock: Clock) -> None:
    key_id = home.create_key(Alias="alias/app")
    made = home.answer(
        "CreateGrant",
        KeyId=key_id,
        GranteePrincipal=ALICE,
        RetiringPrincipal=BOB,
        Operations=["Decrypt", "Encrypt", "CreateGrant"],
        Constraints={"EncryptionContextSubset": {"a": "b", "": ""}},
        Name="of/a:test_-",
    )
    assert made.keys() == {"GrantId", "GrantToken"}
    assert grant.check_grant_id(made["GrantId"]) == made["GrantId"]
    expected = {
        "KeyId": home.arn(key_id),
        "GrantId": made["GrantId"],
        "Name": "of/a:test_-",
        "CreationDate": clock().replace(microsecond=123000),
        "GranteePrincipal": ALICE,
        "RetiringPrincipal": BOB,
        "IssuingAccount": "arn:aws:iam::000000000000:root",
        "Operations": ("Decrypt", "Encrypt", "CreateGrant"),
        "Constraints": {"EncryptionContextSubset": {"a": "b", "": ""}},
    }
    for name in (key_id, home.arn(key_id), "alias/app"):
        assert home.answer("ListGrants", KeyId=name) == {"Grants": [expected], "Truncated": False}
    assert home.answer("ListRetirableGrants", RetiringPrincipal=BOB) == {"Grants": [expected], "Truncated": False}


def test_a_grant_leaves_out_what_was_not_said_of_it(home: Home) -> None:
    key_id = home.create_key()
    create(home, key_id)
    (entry,) = home.answer("ListGrants", KeyId=key_id)["Grants"]
    assert entry.keys() == {
        "KeyId",
        "GrantId",
        "CreationDate",
        "GranteePrincipal",
        "IssuingAccount",
        "Operations",
    }
    assert isinstance(entry["CreationDate"], datetime)


def test_operations_are_a_set_told_in_the_order_of_aws(home: Home) -> None:
    # As in AWS's own examples, where a grant of Encrypt and Decrypt is listed as Decrypt and Encrypt.
    key_id = home.create_key()
    create(home, key_id, Operations=["Encrypt", "DescribeKey", "Decrypt", "Encrypt"])
    (entry,) = home.perform("ListGrants", KeyId=key_id).grants
    assert entry.operations == ("Decrypt", "Encrypt", "DescribeKey")


@pytest.mark.parametrize(
    "principal", [ALICE, BOB, "arn:aws:iam::000000000000:root", "arn:aws:sts::000000000000:assumed-role/r/s"]
)
def test_anybody_with_an_arn_can_be_granted_something(home: Home, principal: str) -> None:
    key_id = home.create_key()
    grant_id, _ = create(home, key_id, GranteePrincipal=principal, RetiringPrincipal=principal)
    assert grants_of(home, key_id, GranteePrincipal=principal) == [grant_id]


@pytest.mark.parametrize("member", ["GranteePrincipal", "RetiringPrincipal"])
@pytest.mark.parametrize(
    "principal", ["alice", "000000000000", "arn:aws:iam::000000000000:group/g", "arn:aws:iam::1:root"]
)
def test_what_is_no_principal_is_an_invalid_arn(home: Home, member: str, principal: str) -> None:
    error = refused(home, home.create_key(), **{member: principal})
    assert (error.code, error.message) == ("InvalidArnException", f"Invalid arn {principal}")


def test_a_grant_needs_a_grantee(home: Home) -> None:
    error = refused(home, home.create_key(), GranteePrincipal=None)
    assert (error.code, error.message) == ("ValidationException", "GranteePrincipal must be given")


@pytest.mark.parametrize(
    "members",
    [
        {"GranteePrincipal": None, "GranteeServicePrincipal": AMAZON},
        {"GranteeServicePrincipal": AMAZON},
        {"RetiringServicePrincipal": AMAZON},
        {"Constraints": {"SourceArn": "arn:aws:lambda:us-east-1:111122223333:function:f"}},
    ],
)
def test_there_are_no_services_to_grant_something_to(home: Home, members: dict[str, Any]) -> None:
    key_id = home.create_key()
    error = refused(home, key_id, **members)
    assert (error.code, error.exit_code) == ("UnsupportedOperationException", 61)
    assert grants_of(home, key_id) == []


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"Operations": ["Decript"]}, "operations"),
        ({"Operations": None}, "operations"),
        ({"Name": ""}, "name"),
        ({"Name": "a b"}, "name"),
        ({"Name": "x" * 257}, "name"),
        ({"GranteePrincipal": ALICE + "x" * 256}, "granteePrincipal"),
        ({"GranteePrincipal": "\u00e4"}, "granteePrincipal"),
        ({"GrantTokens": ["x"] * 11}, "grantTokens"),
        ({"Constraints": {"EncryptionContext": {}}}, "constraints.EncryptionContext"),
        ({"GranteeServicePrincipal": "x"}, "granteeServicePrincipal"),
    ],
)
def test_a_grant_is_bounded_as_in_aws(home: Home, members: dict[str, Any], member: str) -> None:
    error = refused(home, home.create_key(), **members)
    assert (error.code, f"'{member}'" in error.message) == ("ValidationException", True)


def test_a_grant_names_an_operation_at_least(home: Home) -> None:
    assert refused(home, home.create_key(), Operations=[]).message == "A grant must name at least one operation"


@pytest.mark.parametrize(
    ("spec", "usage", "fitting"),
    [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", {"Encrypt", "GenerateDataKeyPair", "ReEncryptTo"}),
        ("ECC_NIST_P256", "SIGN_VERIFY", {"Sign", "Verify", "GetPublicKey"}),
        ("ECC_NIST_P256", "KEY_AGREEMENT", {"DeriveSharedSecret", "GetPublicKey"}),
        ("HMAC_256", "GENERATE_VERIFY_MAC", {"GenerateMac", "VerifyMac"}),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", {"Encapsulate", "Decapsulate", "GetPublicKey"}),
    ],
)
def test_a_grant_names_only_what_the_key_can_do(home: Home, spec: str, usage: str, fitting: set[str]) -> None:
    key_id = home.create_key(KeySpec=spec, KeyUsage=usage)
    taken = set()
    for operation in GRANT_OPERATIONS:
        if grant.fits(operation, key_spec=spec, key_usage=usage):
            create(home, key_id, Operations=[operation])
            taken.add(operation)
        else:
            error = refused(home, key_id, Operations=["DescribeKey", operation])
            assert error.code == "ValidationException"
            assert error.message.startswith(
                f"Grant operation {operation} is not supported on a key with KeySpec {spec}"
            )
    assert fitting | {"CreateGrant", "RetireGrant", "DescribeKey"} <= taken
    assert len(grants_of(home, key_id)) == len(taken)


# -- constraints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["EncryptionContextEquals", "EncryptionContextSubset"])
def test_a_constraint_is_kept_as_it_was_given(home: Home, name: str) -> None:
    key_id = home.create_key()
    largest = {f"{number}": "v" * 384 for number in range(8)}
    for pairs in ({"a": "b"}, largest, {}):
        create(home, key_id, Constraints={name: pairs})
    found = [entry["Constraints"] for entry in home.answer("ListGrants", KeyId=key_id)["Grants"]]
    assert sorted(map(str, found)) == sorted(str({name: pairs}) for pairs in ({"a": "b"}, largest, {}))


def test_constraints_that_constrain_nothing_are_none(home: Home) -> None:
    key_id = home.create_key()
    create(home, key_id, Constraints={})
    assert "Constraints" not in home.answer("ListGrants", KeyId=key_id)["Grants"][0]


@pytest.mark.parametrize(
    ("spec", "constraints", "message"),
    [
        (
            "SYMMETRIC_DEFAULT",
            {"EncryptionContextEquals": {"a": "b"}, "EncryptionContextSubset": {}},
            "More than one constraint supplied",
        ),
        (
            "SYMMETRIC_DEFAULT",
            {"EncryptionContextEquals": {str(number): "" for number in range(9)}},
            "A grant constraint has 9 encryption context pairs; at most 8 are allowed",
        ),
        (
            "SYMMETRIC_DEFAULT",
            {"EncryptionContextSubset": {"a": "v" * 385}},
            "The value of a in a grant constraint has 385 characters; at most 384 are allowed",
        ),
        (
            "HMAC_256",
            {"EncryptionContextSubset": {"a": "b"}},
            "Encryption context constraints are not supported on a key with KeySpec HMAC_256",
        ),
    ],
)
def test_constraints_that_aws_refuses_are_refused(
    home: Home, spec: str, constraints: dict[str, Any], message: str
) -> None:
    members = {} if spec == "SYMMETRIC_DEFAULT" else {"KeySpec": spec, "KeyUsage": "GENERATE_VERIFY_MAC"}
    error = refused(home, home.create_key(**members), Operations=["DescribeKey"], Constraints=constraints)
    assert (error.code, error.message) == ("ValidationException", message)


# -- the same grant once more ------------------------------------------------------------------------------------------

NAMED: dict[str, Any] = {
    "Name": "one",
    "Operations": ["Encrypt", "Decrypt"],
    "RetiringPrincipal": BOB,
    "Constraints": {"EncryptionContextEquals": {"a": "b"}},
}


def test_a_named_request_made_again_gives_the_same_grant_and_another_token(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    first, token = create(home, key_id, **NAMED)
    created = home.perform("ListGrants", KeyId=key_id).grants[0].creation_date
    clock.move(days=1)
    for operations in (["Encrypt", "Decrypt"], ["Decrypt", "Encrypt"], ["Encrypt", "Encrypt", "Decrypt"]):
        again, another = create(home, key_id, **NAMED | {"Operations": operations})
        assert (again, another == token) == (first, False)
    (entry,) = home.perform("ListGrants", KeyId=key_id).grants
    assert (entry.grant_id, entry.creation_date) == (first, created)


def test_making_it_again_writes_nothing(home: Home) -> None:
    key_id = home.create_key()
    create(home, key_id, **NAMED)
    before = home.lines()[-1]["vault"]
    create(home, key_id, **NAMED)
    assert home.lines()[-1]["vault"] == before


@pytest.mark.parametrize(
    "other",
    [
        {"Name": "One"},
        {"Name": None},
        {"Operations": ["Encrypt"]},
        {"Operations": ["Encrypt", "Decrypt", "DescribeKey"]},
        {"GranteePrincipal": BOB},
        {"RetiringPrincipal": ALICE},
        {"RetiringPrincipal": None},
        {"Constraints": {"EncryptionContextEquals": {"a": "B"}}},
        {"Constraints": {"EncryptionContextSubset": {"a": "b"}}},
        {"Constraints": {"EncryptionContextEquals": {}}},
        {"Constraints": None},
    ],
)
def test_a_request_that_differs_in_anything_gives_a_new_grant(home: Home, other: dict[str, Any]) -> None:
    key_id = home.create_key()
    first, _ = create(home, key_id, **NAMED)
    second, _ = create(home, key_id, **NAMED | other)
    assert sorted([first, second]) == grants_of(home, key_id)
    assert first != second


def test_a_name_counts_for_one_key(home: Home) -> None:
    first, _ = create(home, home.create_key(), **NAMED)
    second, _ = create(home, home.create_key(), **NAMED)
    assert first != second


def test_without_a_name_each_request_is_a_grant(home: Home) -> None:
    key_id = home.create_key()
    assert len({create(home, key_id)[0] for _ in range(3)}) == 3


def test_after_its_end_the_same_request_is_a_new_grant(home: Home) -> None:
    key_id = home.create_key()
    first, token = create(home, key_id, **NAMED)
    home.perform("RetireGrant", GrantToken=token)
    assert create(home, key_id, **NAMED)[0] != first


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_every_token_of_a_grant_names_it(home: Home) -> None:
    key_id = home.create_key()
    first, token = create(home, key_id, Name="one")
    _, another = create(home, key_id, Name="one")
    home.perform("DescribeKey", KeyId=key_id, GrantTokens=[token, another, token])
    home.perform("RetireGrant", GrantToken=another)
    assert grants_of(home, key_id) == []
    for used in (token, another):
        assert home.refused("DescribeKey", KeyId=key_id, GrantTokens=[used]).code == "InvalidGrantTokenException"
        assert home.refused("RetireGrant", GrantToken=used).code == "InvalidGrantTokenException"
    assert first


@pytest.mark.parametrize("change", ["x", "", "cut", "upper", "other", "longer"])
def test_what_was_not_given_out_is_no_token(home: Home, change: str) -> None:
    key_id = home.create_key()
    grant_id, token = create(home, key_id)
    wrong = {
        "x": "x",
        "": token[:10] + ("A" if token[10] != "A" else "B") + token[11:],
        "cut": token[:-1],
        "upper": token.swapcase(),
        "other": grant.grant_token(key_id=key_id, grant_id=ABSENT, nonce=b"12345678"),
        "longer": token + "AAAA",
    }[change]
    for operation, members in (
        ("RetireGrant", {"GrantToken": wrong}),
        ("Encrypt", {"KeyId": key_id, "Plaintext": b"x", "GrantTokens": [token, wrong]}),
        (
            "CreateGrant",
            {"KeyId": key_id, "GranteePrincipal": ALICE, "Operations": ["Decrypt"], "GrantTokens": [wrong]},
        ),
    ):
        error = home.refused(operation, **members)
        assert (error.code, error.message) == ("InvalidGrantTokenException", "The grant token is not valid")
    assert grants_of(home, key_id) == [grant_id]


# -- the end of a grant ------------------------------------------------------------------------------------------------


def test_a_grant_is_retired_by_its_token(home: Home) -> None:
    key_id = home.create_key()
    kept, _ = create(home, key_id)
    _, token = create(home, key_id)
    assert home.answer("RetireGrant", GrantToken=token) == {}
    assert grants_of(home, key_id) == [kept]


@pytest.mark.parametrize("operation", ["RetireGrant", "RevokeGrant"])
@pytest.mark.parametrize("named", ["id", "arn"])
def test_a_grant_is_ended_by_key_and_id(home: Home, operation: str, named: str) -> None:
    key_id = home.create_key()
    kept, _ = create(home, key_id)
    grant_id, _ = create(home, key_id)
    name = key_id if named == "id" else home.arn(key_id)
    assert home.answer(operation, KeyId=name, GrantId=grant_id, DryRun=False) == {}
    assert grants_of(home, key_id) == [kept]
    error = home.refused(operation, KeyId=name, GrantId=grant_id)
    assert (error.code, error.message) == ("NotFoundException", f"Grant ID {grant_id} not found")


@pytest.mark.parametrize("operation", ["RetireGrant", "RevokeGrant"])
def test_a_grant_of_another_key_is_not_found(home: Home, operation: str) -> None:
    key_id, other = home.create_key(), home.create_key()
    grant_id, _ = create(home, key_id)
    assert home.refused(operation, KeyId=other, GrantId=grant_id).code == "NotFoundException"
    assert grants_of(home, key_id) == [grant_id]


@pytest.mark.parametrize("operation", ["RetireGrant", "RevokeGrant", "ListGrants"])
@pytest.mark.parametrize("grant_id", ["x", "0" * 63, "A" * 64, "0" * 128])
def test_what_cannot_be_the_id_of_a_grant_is_told_so(home: Home, operation: str, grant_id: str) -> None:
    error = home.refused(operation, KeyId=home.create_key(), GrantId=grant_id)
    assert (error.code, error.message) == ("InvalidGrantIdException", f"The grant ID {grant_id} is not valid")


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"KeyId": "alias/none"},
        {"GrantId": ABSENT},
        {"GrantToken": "x", "KeyId": "alias/none"},
        {"GrantToken": "x", "GrantId": ABSENT},
        {"GrantToken": "x", "KeyId": "alias/none", "GrantId": ABSENT},
    ],
)
def test_a_grant_to_retire_is_named_in_one_way(home: Home, members: dict[str, str]) -> None:
    error = home.refused("RetireGrant", **members)
    assert (error.code, error.message) == (
        "ValidationException",
        "a grant is named by GrantToken, or by KeyId and GrantId",
    )


def test_a_grant_ends_in_any_state_of_its_key(home: Home) -> None:
    for operation in ("DisableKey", "ScheduleKeyDeletion"):
        key_id = home.create_key()
        (first, _), (_, token) = create(home, key_id), create(home, key_id)
        home.perform(operation, KeyId=key_id)
        assert len(grants_of(home, key_id)) == 2
        home.perform("RevokeGrant", KeyId=key_id, GrantId=first)
        home.perform("RetireGrant", GrantToken=token)
        assert grants_of(home, key_id) == []


def test_grants_go_with_their_key(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    _, token = create(home, key_id, RetiringPrincipal=ALICE)
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=8)
    assert home.refused("RetireGrant", GrantToken=token).code == "InvalidGrantTokenException"
    assert home.refused("ListGrants", KeyId=key_id).code == "NotFoundException"
    assert retirable(home) == set()


# -- dry runs, limits, order -------------------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing(home: Home) -> None:
    key_id = home.create_key()
    grant_id, token = create(home, key_id)
    named = {"KeyId": key_id, "GrantId": grant_id}
    asked = {"KeyId": key_id, "GranteePrincipal": ALICE, "Operations": ["Decrypt"]}
    for operation, members in (
        ("CreateGrant", asked),
        ("RetireGrant", named),
        ("RetireGrant", {"GrantToken": token}),
        ("RevokeGrant", named),
    ):
        error = home.refused(operation, **members, DryRun=True)
        assert (error.code, error.exit_code) == ("DryRunOperationException", 0)
    assert grants_of(home, key_id) == [grant_id]


@pytest.mark.parametrize(
    ("operation", "members", "code"),
    [
        ("CreateGrant", {"GranteePrincipal": "x"}, "InvalidArnException"),
        ("CreateGrant", {"Operations": ["Sign"]}, "ValidationException"),
        ("RevokeGrant", {"GrantId": ABSENT}, "NotFoundException"),
        ("RevokeGrant", {"GrantId": "x"}, "InvalidGrantIdException"),
        ("RetireGrant", {"GrantId": ABSENT}, "NotFoundException"),
    ],
)
def test_a_dry_run_finds_what_is_wrong(home: Home, operation: str, members: dict[str, Any], code: str) -> None:
    asked = {"GranteePrincipal": ALICE, "Operations": ["Decrypt"]} if operation == "CreateGrant" else {}
    assert home.refused(operation, KeyId=home.create_key(), **asked | members, DryRun=True).code == code


def test_a_key_has_so_many_grants_and_no_more(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {profile.grants for profile in limits.PROFILES.values()} == {50_000}
    few = AccountLimits(keys=9, aliases=9, tags=9, grants=2, on_demand_rotations=None)
    monkeypatch.setitem(limits.PROFILES, "local", few)
    key_id = home.create_key()
    first, _ = create(home, key_id, Name="one")
    create(home, key_id)
    for members in ({}, {"DryRun": True}, {"Name": "another"}):
        error = refused(home, key_id, **members)
        assert (error.code, error.exit_code) == ("LimitExceededException", 31)
        assert error.message == f"{home.arn(key_id)} has 2 grants, the most it may have"
    assert create(home, key_id, Name="one")[0] == first
    create(home, home.create_key())
    home.perform("RevokeGrant", KeyId=key_id, GrantId=first)
    create(home, key_id)


def test_faults_are_found_in_this_order(home: Home) -> None:
    # Each request lacks one fault more than the one before it.
    key_id = home.create_key()
    home.perform("DisableKey", KeyId=key_id)
    wrong: dict[str, Any] = {
        "KeyId": "alias/none",
        "GranteePrincipal": "x",
        "GranteeServicePrincipal": AMAZON,
        "GrantTokens": ["x"],
        "Operations": ["Sign"],
        "Name": "a b",
    }
    steps: list[tuple[str, dict[str, Any]]] = [
        ("ValidationException", {}),
        ("UnsupportedOperationException", {"Name": "a"}),
        ("NotFoundException", {"GranteeServicePrincipal": None}),
        ("InvalidGrantTokenException", {"KeyId": key_id}),
        ("DisabledException", {"GrantTokens": None}),
    ]
    for code, change in steps:
        wrong |= change
        assert home.refused("CreateGrant", **wrong).code == code
    home.perform("EnableKey", KeyId=key_id)
    assert home.refused("CreateGrant", **wrong).message.startswith("Grant operation Sign is not supported")
    assert home.refused("CreateGrant", **wrong | {"Operations": ["Encrypt"]}).code == "InvalidArnException"


@pytest.mark.parametrize(
    ("state", "code"),
    [("DisableKey", "DisabledException"), ("ScheduleKeyDeletion", "KMSInvalidStateException")],
)
def test_a_key_must_be_usable_to_be_granted(home: Home, state: str, code: str) -> None:
    key_id = home.create_key()
    home.perform(state, KeyId=key_id)
    assert refused(home, key_id).code == code
    assert refused(home, home.create_key(Origin="EXTERNAL")).code == "KMSInvalidStateException"


def test_a_managed_key_is_not_granted(home: Home) -> None:
    assert refused(home, managed.managed_key(home.context, managed.FILES)).code == "AccessDeniedException"


# -- lists -------------------------------------------------------------------------------------------------------------


def test_grants_are_listed_in_the_order_of_their_ids_and_by_what_is_asked_for(home: Home) -> None:
    key_id = home.create_key()
    alices = [create(home, key_id)[0] for _ in range(3)]
    bobs, _ = create(home, key_id, GranteePrincipal=BOB)
    assert grants_of(home, key_id) == sorted([*alices, bobs])
    assert grants_of(home, key_id, GranteePrincipal=BOB) == [bobs]
    assert grants_of(home, key_id, GranteePrincipal=ALICE) == sorted(alices)
    assert grants_of(home, key_id, GrantId=bobs) == [bobs]
    assert grants_of(home, key_id, GrantId=bobs, GranteePrincipal=ALICE) == []
    assert grants_of(home, key_id, GrantId=ABSENT) == []
    assert grants_of(home, key_id, GranteeServicePrincipal=AMAZON) == []


def test_retirable_grants_are_those_of_all_keys_that_name_the_principal(home: Home) -> None:
    keys = [home.create_key() for _ in range(12)]
    expected = {create(home, key_id, RetiringPrincipal=ALICE)[0] for key_id in keys for _ in range(2)}
    for key_id in keys:
        create(home, key_id)
        create(home, key_id, RetiringPrincipal=BOB)
    assert retirable(home) == expected
    home.perform("DisableKey", KeyId=keys[0])
    home.perform("ScheduleKeyDeletion", KeyId=keys[1])
    assert retirable(home) == expected
    assert retirable(home, "arn:aws:iam::000000000000:user/nobody") == set()


def test_whose_grants_to_list_must_be_said(home: Home) -> None:
    error = home.refused("ListRetirableGrants")
    assert (error.code, error.message) == ("ValidationException", "RetiringPrincipal must be given")
    assert home.refused("ListRetirableGrants", RetiringPrincipal="alice").code == "InvalidArnException"
    found = home.answer("ListRetirableGrants", RetiringServicePrincipal=AMAZON)
    assert found == {"Grants": [], "Truncated": False}


def test_the_line_of_a_new_grant_names_it_and_its_key(home: Home) -> None:
    key_id = home.create_key()
    grant_id, _ = create(home, key_id, Name="one")
    line = home.lines()[-1]
    assert line["responseElements"]["grantId"] == grant_id
    assert [resource["ARN"] for resource in line["resources"]] == [home.arn(key_id)]
