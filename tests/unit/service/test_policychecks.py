"""What a policy in a file would do to a key of a vault."""

from collections.abc import Iterator
from typing import Any

import pytest

from kmscli import errors
from kmscli.model import actions
from kmscli.service import policychecks
from kmscli.service.policychecks import ANYBODY, PolicyDifference
from tests.helpers import Home
from tests.principals import ACCOUNT_ROOT, ADMIN, ALICE, BOB, DELEGATED, People, deny, document, statement

BY_ADDRESS = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}


@pytest.fixture
def people(home: Home) -> Iterator[People]:
    found = People(home).add("alice", statement(Action=["kms:Encrypt", "kms:Decrypt"])).add("bob")
    yield found
    found.close()


def compared(people: People, *statements: Any, before: tuple[Any, ...] = (DELEGATED,)) -> dict[str, PolicyDifference]:
    key_id = people.home.create_key(Policy=document(*before))
    vault = people.home.open()
    try:
        found = policychecks.diff(vault, document(*statements), key_id)
    finally:
        vault.store.close()
    return {one.principal: one for one in found.principals}


def test_the_same_policy_changes_nothing(people: People) -> None:
    assert compared(people, DELEGATED) == {}


def test_who_is_named_gains(people: People) -> None:
    found = compared(people, DELEGATED, statement(BOB, Action="kms:Sign*"), statement(ALICE, Action="kms:Decrypt"))
    assert list(found) == ["bob"]
    bob = found["bob"]
    assert (bob.gains, bob.loses, bob.narrows, bob.widens, bob.arn) == (("kms:Sign",), (), (), (), BOB)


def test_who_relied_on_the_account_loses(people: People) -> None:
    found = compared(people, statement(ADMIN))
    assert found["alice"].loses == ("kms:Decrypt", "kms:Encrypt")
    # Who retires a grant, no key policy says.
    assert found["the account"].loses == tuple(each for each in actions.WITH_KEY if each != "kms:RetireGrant")
    assert found["the account"].arn == ACCOUNT_ROOT
    assert "admin" not in found
    assert "bob" not in found


def test_conditions_narrow_and_widen(people: People) -> None:
    bound = statement(BOB, Action="kms:Decrypt", Condition=BY_ADDRESS)
    free = statement(BOB, Action="kms:Decrypt")
    assert compared(people, DELEGATED, bound, before=(DELEGATED, free))["bob"].narrows == ("kms:Decrypt",)
    assert compared(people, DELEGATED, free, before=(DELEGATED, bound))["bob"].widens == ("kms:Decrypt",)
    found = compared(people, DELEGATED, free, deny(BOB, Condition=BY_ADDRESS), before=(DELEGATED, free))
    assert found["bob"].narrows == ("kms:Decrypt",)


def test_everybody_is_everybody(people: People) -> None:
    found = compared(people, DELEGATED, statement("*", Action="kms:Verify"))
    assert found[ANYBODY].gains == ("kms:Verify",)
    assert (found[ANYBODY].arn, found[ANYBODY].supposed) == ("*", True)
    assert found["bob"].gains == ("kms:Verify",)


def test_who_is_named_and_no_principal_is_compared_too(people: People) -> None:
    zoe = "arn:aws:iam::111122223333:user/zoe"
    found = compared(people, DELEGATED, before=(DELEGATED, statement(zoe, Action="kms:Verify")))
    assert (found[zoe].loses, found[zoe].supposed) == (("kms:Verify",), True)


def test_a_grant_keeps_what_a_policy_takes(people: People) -> None:
    free = statement(BOB, Action=["kms:Decrypt", "kms:Encrypt"])
    key_id = people.home.create_key(Policy=document(DELEGATED, free))
    people.home.perform("CreateGrant", KeyId=key_id, GranteePrincipal=BOB, Operations=["Decrypt"])
    vault = people.home.open()
    (one,) = policychecks.diff(vault, document(DELEGATED), key_id).principals
    vault.store.close()
    assert one.loses == ("kms:Encrypt",)


def test_a_fault_of_the_file_has_line_and_column(people: People) -> None:
    vault = people.home.open()
    with pytest.raises(errors.MalformedPolicyError) as caught:
        policychecks.diff(vault, '{"Statement":\n  {"Effect": "Permit"}}', people.home.create_key())
    vault.store.close()
    assert caught.value.message.startswith("line 2, column 4: Invalid effect: Permit (Statement.Effect)")


def test_a_check_knows_who_would_be_locked_out(people: People) -> None:
    vault = people.home.open()
    key_id = people.home.create_key()
    policy = document(statement(BOB))
    assert [one.issue for one in policychecks.check(policy, vault, key_id=key_id).findings] == ["locked out"]
    assert policychecks.check(policy, None).findings == ()
    assert policychecks.check(document(DELEGATED), vault, key_id=key_id).findings == ()
    vault.store.close()


def test_a_check_knows_the_key(people: People) -> None:
    vault = people.home.open()
    elsewhere = {**DELEGATED, "Resource": people.home.arn("1234abcd-12ab-34cd-56ef-1234567890ab")}
    found = policychecks.check(document(elsewhere), vault, key_id=people.home.create_key()).findings
    vault.store.close()
    assert [one.issue for one in found] == ["locked out", "no such resource"]


def test_a_check_measures_the_policy() -> None:
    many = [statement(ALICE, Sid=f"s{number}") for number in range(400)]
    assert [one.issue for one in policychecks.check(document(*many), None).findings] == ["too long"]


def test_a_check_of_an_identity_policy_has_another_grammar() -> None:
    assert [one.issue for one in policychecks.check(document(statement()), None).findings] == ["malformed"]
    assert policychecks.check(document(statement()), None, identity=True).findings == ()
