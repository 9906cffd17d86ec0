"""Questions about requests that nobody makes, in a vault with several principals."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from kmscli import errors
from kmscli.service.explaining import ExplainResponse, Question, explain
from tests.helpers import Home
from tests.principals import ADMIN, ALICE, BOB, CI, DELEGATED, People, deny, document, statement

SHOP = {"StringEquals": {"kms:EncryptionContext:app": "shop"}}
STRANGER = "arn:aws:iam::111122223333:user/zoe"


@pytest.fixture
def people(home: Home) -> Iterator[People]:
    found = (
        People(home).add("alice", statement(Action="kms:Encrypt")).add("bob").add("ci", kind="role", tags={"t": "x"})
    )
    yield found
    found.close()


def key_with(people: People, *statements: Any) -> str:
    return people.home.create_key(Policy=document(DELEGATED, *statements))


def asked(people: People, principal: str, action: str, key_id: str | None = None, **more: Any) -> ExplainResponse:
    vault = people.home.open()
    try:
        return explain(vault, Question(principal=principal, action=action, key_id=key_id, **more))
    finally:
        vault.store.close()


def test_what_is_explained_is_what_happens(people: People) -> None:
    key_id = key_with(
        people,
        statement(BOB, Condition=SHOP),
        deny("*", Action="kms:DescribeKey", Condition={"StringNotEquals": {"aws:PrincipalArn": ADMIN}}),
    )
    operations: list[tuple[str, dict[str, Any]]] = [
        ("Encrypt", {"Plaintext": b"x"}),
        ("Encrypt", {"Plaintext": b"x", "EncryptionContext": {"app": "shop"}}),
        ("GenerateDataKey", {"KeySpec": "AES_256"}),
        ("GenerateDataKey", {"KeySpec": "AES_256", "EncryptionContext": {"app": "shop"}}),
        ("DescribeKey", {}),
        ("GetKeyPolicy", {}),
    ]
    for name in ("admin", "alice", "bob", "ci"):
        for operation, members in operations:
            said = asked(people, name, operation, key_id, encryption_context=members.get("EncryptionContext", {}))
            try:
                people.perform(name, operation, KeyId=key_id, **members)
                happened: str | None = None
            except errors.AccessDeniedError as error:
                happened = error.message
            assert said.denial == happened
            assert said.decision == ("deny" if happened else "allow")


def test_every_statement_is_told_with_its_conditions(people: People) -> None:
    key_id = key_with(people, statement(BOB, Sid="shop", Condition=SHOP))
    found = asked(people, "bob", "kms:Decrypt", key_id)
    account, shop = found.statements
    assert (account.by_account, account.applies, account.conditions) == (True, True, ())
    assert (shop.source, shop.by_account, shop.applies) == ("statement shop of the key policy", None, False)
    (condition,) = shop.conditions
    assert (condition.wanted, condition.actual, condition.holds) == (("shop",), None, False)
    assert found.flip is not None
    assert found.flip.summary == "allowed with encryption context app = shop"


def test_a_grant_is_told_also_when_it_is_over(people: People) -> None:
    key_id = key_with(people)
    end = people.home.clock() + timedelta(days=1)
    people.home.perform(
        "CreateGrant", KeyId=key_id, GranteePrincipal=BOB, Operations=["Decrypt"], Expires=end.isoformat()
    )
    now = asked(people, BOB, "kms:Decrypt", key_id)
    assert (now.decision, "grant" in now.reason) == ("allow", True)
    later = asked(people, BOB, "kms:Decrypt", key_id, at=end)
    assert (later.decision, later.statements[-1].applies) == ("deny", False)
    assert later.flip is not None
    assert later.flip.summary.startswith("allowed with aws:CurrentTime = ")


def test_what_a_request_leaves_out_has_its_default(people: People) -> None:
    days = {"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "30"}}
    key_id = key_with(people, statement(BOB, Action="kms:ScheduleKeyDeletion", Condition=days))
    assert asked(people, "bob", "ScheduleKeyDeletion", key_id).decision == "deny"
    facts = (("kms:schedulekeydeletionpendingwindowindays", "7"),)
    assert asked(people, "bob", "ScheduleKeyDeletion", key_id, facts=facts).decision == "allow"


def test_facts_are_those_of_key_principal_alias_and_halves(people: People) -> None:
    condition = {
        "StringEquals": {"aws:PrincipalTag/t": "x", "kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:RequestAlias": "alias/a"},
        "Bool": {"kms:MultiRegion": "false"},
    }
    key_id = key_with(people, statement(CI, Action="kms:ReEncryptFrom", Condition=condition))
    people.home.perform("CreateAlias", AliasName="alias/a", TargetKeyId=key_id)
    assert asked(people, "ci", "ReEncryptFrom", "alias/a").decision == "allow"
    assert asked(people, "ci", "ReEncryptFrom", key_id).decision == "deny"
    session = "arn:aws:sts::000000000000:assumed-role/ci/build"
    assert asked(people, session, "kms:reencryptfrom", "alias/a").decision == "allow"


def test_a_grant_is_explained_by_what_it_would_pass_on(people: People) -> None:
    grant = {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt", "Encrypt"]}}
    key_id = key_with(people, statement(BOB, Action="kms:CreateGrant", Condition=grant | SHOP))
    facts = (("kms:GrantOperations", "Decrypt"), ("kms:GrantOperations", "Encrypt"))
    shop = {"app": "shop"}
    assert asked(people, "bob", "CreateGrant", key_id, facts=facts, encryption_context=shop).decision == "allow"
    more = (*facts, ("kms:GrantOperations", "Sign"))
    assert asked(people, "bob", "CreateGrant", key_id, facts=more, encryption_context=shop).decision == "deny"


def test_who_is_no_principal_here_can_be_asked_for(people: People) -> None:
    key_id = key_with(people, statement(STRANGER))
    found = asked(people, STRANGER, "kms:Decrypt", key_id)
    assert found.decision == "deny"
    assert found.notes == (f"{STRANGER} is no principal of this vault: its own policies are not known here",)


def test_who_is_disabled_can_do_nothing(people: People) -> None:
    key_id = key_with(people, statement(BOB))
    people.set_state("bob", "disabled")
    found = asked(people, "bob", "kms:Decrypt", key_id)
    assert (found.decision, found.reason, found.flip) == ("deny", "bob is disabled", None)


def test_who_is_no_root_is_told_so(people: People) -> None:
    found = asked(people, "bob", "kms:DisableKey", key_with(people, statement(BOB)))
    assert found.decision == "allow"
    assert found.notes == ("bob is no root: only a root changes records; `kms serve` lets policy decide",)


def test_an_operation_without_a_key_is_for_identity_policies(people: People) -> None:
    assert asked(people, "admin", "CreateKey").decision == "allow"
    assert asked(people, "alice", "create-key").reason == "no identity policy statement allows kms:CreateKey"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"principal": "zoe", "action": "Decrypt"}, errors.PrincipalNotFoundError),
        ({"principal": "arn:aws:iam::1:user/zoe", "action": "Decrypt"}, errors.InvalidArnError),
        ({"principal": "bob", "action": "s3:GetObject"}, errors.ValidationError),
        ({"principal": "bob", "action": "re-encrypt"}, errors.ValidationError),
        ({"principal": "bob", "action": "Decrypt"}, errors.UsageError),
        ({"principal": "bob", "action": "Decrypt", "key_id": "alias/none"}, errors.AliasNotFoundError),
        (
            {"principal": "bob", "action": "Decrypt", "key_id": "1234abcd-12ab-34cd-56ef-1234567890ab"},
            errors.KeyNotFoundError,
        ),
        ({"principal": "bob", "action": "CreateKey", "key_id": "KEY"}, errors.UsageError),
        ({"principal": "bob", "action": "Sign", "key_id": "KEY", "encryption_context": {"a": "b"}}, errors.UsageError),
        ({"principal": "bob", "action": "Sign", "key_id": "KEY", "facts": (("kms:Nothing", "b"),)}, errors.UsageError),
        ({"principal": "bob", "action": "Sign", "key_id": "KEY", "facts": (("aws:TagKeys", "b"),)}, errors.UsageError),
        (
            {"principal": "bob", "action": "Sign", "key_id": "KEY", "facts": (("aws:currenttime", "b"),)},
            errors.UsageError,
        ),
    ],
)
def test_a_question_without_sense_is_refused(
    people: People, question: dict[str, Any], expected: type[Exception]
) -> None:
    if question.get("key_id") == "KEY":
        question = question | {"key_id": key_with(people)}
    with pytest.raises(expected):
        asked(people, **question)


def test_explaining_writes_no_line(people: People) -> None:
    key_id = key_with(people)
    before = people.home.raw_lines()
    asked(people, ALICE, "kms:Encrypt", key_id)
    assert before == people.home.raw_lines()
