"""What policies leave open: who may ever do something, and so who has a share of a key."""

from datetime import timedelta
from typing import Any

import pytest

from kmscli.model import specs
from kmscli.model.reach import (
    ALWAYS,
    NEVER,
    SOMETIMES,
    actions_on_material,
    facts,
    holds_share,
    reach,
    uses_material,
)
from tests.deciding import (
    ACCOUNT,
    ALICE,
    BOB,
    IT,
    KEY,
    NOW,
    OTHER,
    ROLE,
    ROOT,
    SESSION,
    STRANGER,
    asked,
    deny,
    grant,
    statement,
)

BY_ADDRESS = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
ANOTHER_KEY = KEY[:-1] + "c"


def reached(key: Any = None, *identity: Any, grants: Any = (), principal: str = ALICE, **more: Any) -> str:
    request, policies = asked(key, *identity, grants=grants, principal=principal, **more)
    return reach(request.principal, request.action, request.resource, policies, request.now)


CASES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "nothing allows": (NEVER, ([statement(BOB)],)),
    "by name": (ALWAYS, ([statement(ALICE)],)),
    "under a condition": (SOMETIMES, ([statement(ALICE, condition=BY_ADDRESS)],)),
    "a plain deny": (NEVER, ([statement(ALICE), deny("*")],)),
    "a deny under a condition": (SOMETIMES, ([statement(ALICE), deny("*", condition=BY_ADDRESS)],)),
    "a deny of another key": (ALWAYS, ([statement(ALICE), deny("*", resource=ANOTHER_KEY)],)),
    "a deny by an identity policy": (NEVER, ([statement(ALICE)], [deny()])),
    "the account alone": (NEVER, ([statement(ROOT)],)),
    "the account and an identity policy": (ALWAYS, ([statement(ROOT)], [statement()])),
    "an identity policy for another key": (NEVER, ([statement(ROOT)], [statement(resource=ANOTHER_KEY)])),
    "an identity policy for this key": (ALWAYS, ([statement(ROOT)], [statement(resource=KEY)])),
    "an identity policy by a tag": (SOMETIMES, ([statement(ROOT)], [statement(resource="arn:aws:kms:*:*:${aws:x}")])),
    "an identity policy alone": (NEVER, ([statement(BOB)], [statement()])),
    "who it is": (ALWAYS, ([statement("*", condition={"StringEquals": {"aws:PrincipalArn": ALICE}})],)),
    "who it is not": (NEVER, ([statement("*", condition={"ArnNotLike": {"AWS:principalarn": ALICE}})],)),
    "a variable of who it is": (
        NEVER,
        ([statement("*", condition={"StringEquals": {"aws:PrincipalArn": "${aws:username}"}})],),
    ),
    "an account that is not this one": (
        NEVER,
        ([statement("*", condition={"StringEquals": {"kms:CallerAccount": OTHER}})],),
    ),
}


@pytest.mark.parametrize(("expected", "documents"), CASES.values(), ids=CASES)
def test_what_policies_leave_open(expected: str, documents: tuple[Any, ...]) -> None:
    assert expected == reached(*documents)


def test_another_account_needs_its_own_identity_policy() -> None:
    assert reached([statement(STRANGER)], principal=STRANGER) == NEVER
    assert reached([statement(STRANGER)], [statement()], principal=STRANGER) == ALWAYS


def test_a_grant_opens_a_key_until_it_ends() -> None:
    nothing = [statement(BOB)]
    assert reached(nothing, grants=[grant()]) == ALWAYS
    assert reached(nothing, grants=[grant(context_subset=IT)]) == SOMETIMES
    assert reached(nothing, grants=[grant(expires=NOW + timedelta(1))]) == SOMETIMES
    assert reached(nothing, grants=[grant(expires=NOW)]) == NEVER
    assert reached([deny("*")], grants=[grant()]) == NEVER


def test_a_grant_to_the_account_waits_for_an_identity_policy() -> None:
    nothing = [statement(BOB)]
    assert reached(nothing, grants=[grant(grantee=ROOT)]) == NEVER
    assert reached(nothing, [statement()], grants=[grant(grantee=ROOT)]) == ALWAYS


def test_a_constraint_binds_only_what_has_a_context() -> None:
    bound = grant(operations=("Sign", "CreateGrant"), context_equals=IT)
    assert reached([statement(BOB)], grants=[bound], action="kms:Sign") == ALWAYS
    assert reached([statement(BOB)], grants=[bound], action="kms:CreateGrant") == SOMETIMES


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        (ALICE, {"aws:principalarn": ALICE, "aws:username": "Alice"}),
        (f"arn:aws:iam::{ACCOUNT}:user/team/Alice", {"aws:username": "Alice"}),
        (ROLE, {"aws:principalarn": ROLE}),
        (SESSION, {"aws:principalaccount": ACCOUNT, "kms:calleraccount": ACCOUNT}),
    ],
)
def test_facts_are_what_no_request_changes(principal: str, expected: dict[str, str]) -> None:
    assert dict(facts(principal, "kms:Decrypt")).items() >= expected.items()


def test_nothing_is_known_where_it_might_differ() -> None:
    assert "aws:principalarn" not in facts(SESSION, "kms:Decrypt")
    assert "aws:username" not in facts(ROLE, "kms:Decrypt")
    assert "kms:calleraccount" not in facts(ALICE, "kms:createkey")
    assert facts("service", "kms:Decrypt") == {}


def test_every_kind_of_key_says_what_needs_its_material() -> None:
    kinds = [(usage, spec) for spec, row in specs.KEY_SPECS.items() for usage in row.usages]
    assert all(actions_on_material(*kind) for kind in kinds)


@pytest.mark.parametrize(
    ("action", "key_usage", "key_spec", "expected"),
    [
        ("kms:Encrypt", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", True),
        ("kms:generatedatakey", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", True),
        ("kms:Encrypt", "ENCRYPT_DECRYPT", "RSA_2048", False),
        ("kms:Decrypt", "ENCRYPT_DECRYPT", "RSA_2048", True),
        ("kms:Verify", "SIGN_VERIFY", "ECC_NIST_P256", False),
        ("kms:VerifyMac", "GENERATE_VERIFY_MAC", "HMAC_256", True),
        ("kms:Encapsulate", "ENCAPSULATE_DECAPSULATE", "ML_KEM_768", False),
        ("kms:DescribeKey", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", False),
    ],
)
def test_what_a_public_key_does_needs_no_material(
    action: str, key_usage: str, key_spec: str, *, expected: bool
) -> None:
    assert uses_material(action, key_usage, key_spec) == expected


def holds(key: Any, *identity: Any, grants: Any = (), key_usage: str = "SIGN_VERIFY") -> bool:
    spec = {"SIGN_VERIFY": "RSA_2048", "ENCRYPT_DECRYPT": "SYMMETRIC_DEFAULT"}[key_usage]
    _, policies = asked(key, *identity, grants=grants)
    return holds_share(ALICE, KEY, key_usage=key_usage, key_spec=spec, policies=policies, now=NOW)


def test_a_share_is_for_who_may_use_the_material() -> None:
    assert holds([statement(ALICE)])
    assert holds([statement(ALICE, action="kms:Sign", condition=BY_ADDRESS)])
    assert holds([statement(ROOT)], [statement(resource=KEY)])
    assert holds([statement(BOB)], grants=[grant(operations=("Sign",), expires=NOW + timedelta(1))])


def test_no_share_is_for_who_may_do_the_rest() -> None:
    assert not holds([statement(ALICE, action=["kms:Verify", "kms:GetPublicKey", "kms:PutKeyPolicy"])])
    assert not holds([statement(ALICE), deny("*", action="kms:S*")])
    assert not holds([statement(ROOT)], [statement(resource=ANOTHER_KEY)])
    assert not holds([statement(BOB)], grants=[grant(operations=("Verify",))])
    assert not holds([statement(BOB)], grants=[grant(operations=("Sign",), expires=NOW)])
    assert holds([statement(ALICE), deny("*", action="kms:S*")], key_usage="ENCRYPT_DECRYPT")
