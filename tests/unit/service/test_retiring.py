"""Who may retire a grant: the grant says so, and the account that made it; no key policy does.

Source: AWS KMS developer guide, "Retiring and revoking grants". Who is no root acts as behind the endpoint: by a root's
session.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from kmscli import errors
from kmscli.service.callers import Caller
from kmscli.service.context import Context
from kmscli.service.dispatch import perform
from kmscli.service.explaining import Question, explain
from tests.helpers import Home
from tests.principals import ACCOUNT_ROOT, ADMIN, ALICE, BOB, DELEGATED, People, deny, document, statement

RETIRE = "kms:RetireGrant"


@pytest.fixture
def people(home: Home) -> Iterator[People]:
    found = People(home).add("alice").add("bob")
    yield found
    found.close()


def granted(people: People, *statements: dict[str, Any], **members: object) -> dict[str, str]:
    """A grant to alice on a key with a policy, as RetireGrant names it."""
    key_id = people.home.create_key(Policy=document(DELEGATED, *statements))
    asked = {"KeyId": key_id, "GranteePrincipal": ALICE, "Operations": ["Decrypt"]} | members
    return {"KeyId": key_id, "GrantId": people.home.perform("CreateGrant", **asked).grant_id}


def retires(people: People, who: str, grant: dict[str, str]) -> str:
    """AWS's sentence about why somebody may not, or nothing if it may; `explain` tells the same."""
    with_root = Context(people.home.context.session, Caller(who))
    vault = people.home.open()
    said = explain(vault, Question(principal=who, action=RETIRE, key_id=grant["KeyId"]))
    vault.store.close()
    happened = ""
    try:
        perform(with_root, "RetireGrant", grant)
    except errors.AccessDeniedError as error:
        happened = error.message
    assert (said.decision, said.denial or "") == ("deny" if happened else "allow", happened)
    return happened


def because(people: People) -> str:
    return str(people.home.lines()[-1]["additionalEventData"]["authorization"][-1])


def test_the_retiring_principal_may(people: People) -> None:
    grant = granted(people, RetiringPrincipal=BOB)
    assert retires(people, "alice", grant).endswith(f"because no identity-based policy allows the {RETIRE} action")
    assert because(people) == f"{RETIRE}: no identity policy statement allows {RETIRE}"
    assert retires(people, "bob", grant) == ""
    assert because(people) == f"{RETIRE}: allowed by the grant {grant['GrantId']}"


def test_the_grantee_may_if_the_grant_says_so(people: People) -> None:
    grant = granted(people, Operations=["Decrypt", "RetireGrant"])
    assert retires(people, "bob", grant)
    assert retires(people, "alice", grant) == ""
    assert retires(people, "alice", granted(people))


def test_a_grant_lets_no_other_grant_be_retired(people: People) -> None:
    own = granted(people, RetiringPrincipal=BOB)
    other = people.home.perform("CreateGrant", KeyId=own["KeyId"], GranteePrincipal=ALICE, Operations=["Encrypt"])
    with pytest.raises(errors.AccessDeniedError):
        perform(Context(people.home.context.session, Caller("bob")), "RetireGrant", own | {"GrantId": other.grant_id})


@pytest.mark.parametrize("action", [RETIRE, "kms:*", "*"])
def test_a_key_policy_lets_nobody(people: People, action: str) -> None:
    grant = granted(people, statement(BOB, Action=action), statement("*", Action=action))
    assert retires(people, "bob", grant).endswith(f"because no identity-based policy allows the {RETIRE} action")


def test_a_key_policy_keeps_nobody_from_it(people: People) -> None:
    no = deny("*", Action=RETIRE)
    assert retires(people, "bob", granted(people, no, RetiringPrincipal=BOB)) == ""
    assert retires(people, "admin", granted(people, no)) == ""


def test_the_account_may_by_its_roots_whatever_the_key_policy_says(people: People) -> None:
    grant = granted(people)
    policy = document(statement(ADMIN, Action="kms:PutKeyPolicy"))
    people.home.perform("PutKeyPolicy", KeyId=grant["KeyId"], Policy=policy)
    assert retires(people, "admin", grant) == ""
    expected = f"{RETIRE}: allowed by Statement[0] of the identity policy AdministratorAccess, as the account lets it"
    assert because(people) == expected


def test_the_account_gives_the_right_by_an_identity_policy(people: People) -> None:
    people.attach("bob", statement(Action=RETIRE))
    assert retires(people, "bob", granted(people)) == ""
    assert because(people).endswith("of the identity policy own, as the account lets it")


def test_a_deny_of_an_identity_policy_wins(people: People) -> None:
    people.attach("bob", statement(), deny(Action=RETIRE))
    denial = retires(people, "bob", granted(people, RetiringPrincipal=BOB))
    assert denial.endswith("with an explicit deny in an identity-based policy")


def test_an_account_that_retires_gives_the_right_on(people: People) -> None:
    grant = granted(people, RetiringPrincipal=ACCOUNT_ROOT)
    assert retires(people, "bob", grant)
    people.attach("bob", statement(Action=RETIRE))
    assert retires(people, "bob", grant) == ""


def test_explain_shows_grants_and_account_but_no_statement_of_the_key_policy(people: People) -> None:
    grant = granted(people, statement(BOB), deny(BOB, Action=RETIRE), RetiringPrincipal=BOB)
    vault = people.home.open()
    said = explain(vault, Question(principal="bob", action=RETIRE, key_id=grant["KeyId"]))
    vault.store.close()
    assert [(one.source, one.effect, one.by_account) for one in said.statements] == [
        ("the account", "Allow", True),
        (f"the grant {grant['GrantId']}", "Allow", None),
    ]
    assert said.reason == f"allowed by the grant {grant['GrantId']}"
    assert said.notes is not None
    assert said.notes[0] == "no key policy says who may retire a grant; each grant lets only itself be retired"
