"""What AWS documents of grants: who may act, until when, under which constraint, and which grants follow."""

from datetime import timedelta
from typing import Any

import pytest

from kmscli.model.decision import Source
from tests.deciding import BOB, GRANT_ID, IT, NOW, OTHER_SESSION, ROLE, ROOT, SESSION, decide, grant, statement


def test_a_grant_allows_its_operations_to_its_grantee() -> None:
    key = [statement(BOB)]
    assert decide(key, grants=[grant()]).sources == (Source("grant", GRANT_ID, ""),)
    assert decide(key, grants=[grant(grantee=ROLE)], principal=SESSION).allowed
    assert not decide(key, grants=[grant(grantee=ROLE)], principal=OTHER_SESSION).allowed
    assert not decide(key, grants=[grant(operations=("Encrypt",))]).allowed
    assert not decide(key, grants=[grant(grantee=BOB)]).allowed


def test_a_grant_to_an_account_waits_for_an_identity_policy() -> None:
    key = [statement(BOB)]
    assert decide(key, grants=[grant(grantee=ROOT)]).denial.startswith("because no identity-based policy")
    assert decide(key, [statement()], grants=[grant(grantee=ROOT)]).allowed


@pytest.mark.parametrize(("after", "expected"), [(-1, False), (0, False), (1, True)])
def test_a_grant_ends_with_its_time(after: int, *, expected: bool) -> None:
    ending = grant(expires=NOW + timedelta(seconds=after))
    assert expected is decide([statement(BOB)], grants=[ending]).allowed


# AWS KMS developer guide, "Creating grants": using grant constraints; API reference, GrantConstraints.
@pytest.mark.parametrize(
    ("constraint", "given", "expected"),
    [
        ({"context_equals": IT}, IT, True),
        ({"context_equals": IT}, IT | {"Purpose": "Test"}, False),
        ({"context_equals": IT}, {}, False),
        ({"context_equals": {}}, {}, True),
        ({"context_equals": {}}, IT, False),
        ({"context_equals": IT}, {"department": "IT"}, True),
        ({"context_equals": IT}, {"Department": "it"}, False),
        ({"context_equals": IT}, IT | {"department": "IT"}, False),
        ({"context_subset": IT}, IT | {"Purpose": "Test"}, True),
        ({"context_subset": IT}, IT, True),
        ({"context_subset": IT}, {"Purpose": "Test"}, False),
        ({"context_subset": IT}, {}, False),
    ],
)
def test_a_constraint_bounds_the_encryption_context(constraint: Any, given: Any, *, expected: bool) -> None:
    bounded = grant(operations=("Decrypt", "DescribeKey", "RetireGrant"), **constraint)
    assert expected is decide([statement(BOB)], grants=[bounded], encryption_context=given).allowed
    for free in ("DescribeKey", "RetireGrant"):
        assert decide([statement(BOB)], grants=[bounded], action=f"kms:{free}", encryption_context=given).allowed


@pytest.mark.parametrize(
    ("parent", "operations", "constraint", "context", "expected"),
    [
        ({"context_subset": IT}, ("CreateGrant", "Decrypt"), "EncryptionContextEquals", IT, True),
        ({"context_subset": IT}, ("Decrypt",), "EncryptionContextSubset", IT | {"a": "b"}, True),
        ({"context_subset": IT}, ("Decrypt",), "EncryptionContextSubset", {"a": "b"}, False),
        ({"context_subset": IT}, ("Decrypt",), "", {}, False),
        ({"context_equals": IT}, ("Decrypt",), "EncryptionContextEquals", IT, True),
        ({"context_equals": IT}, ("Decrypt",), "EncryptionContextSubset", IT, False),
        ({"context_equals": IT}, ("Decrypt",), "EncryptionContextEquals", IT | {"a": "b"}, False),
        ({}, ("Decrypt",), "", {}, True),
        ({}, ("Decrypt", "Encrypt"), "", {}, False),
        ({}, (), "", {}, False),
    ],
)
def test_a_grant_made_by_a_grant_is_as_strict(
    parent: Any, operations: Any, constraint: str, context: Any, *, expected: bool
) -> None:
    request = {"operations": operations, "constraint": constraint, "encryption_context": context}
    given = grant(operations=("GenerateDataKey", "Decrypt", "CreateGrant"), **parent)
    assert expected is decide([statement(BOB)], grants=[given], action="kms:CreateGrant", **request).allowed
