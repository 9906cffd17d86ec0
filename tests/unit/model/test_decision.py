"""Decisions that AWS documents: policy evaluation, key policies and the account, and what is told of them."""

import json
from typing import Any

import pytest

from kmscli import errors
from kmscli.model import compiled, explaining
from kmscli.model.decision import Source, evaluate
from kmscli.model.explaining import Checked
from tests.deciding import (
    ACCOUNT,
    ALIAS,
    ALICE,
    BOB,
    GRANT_ID,
    IT,
    KEY,
    NOW,
    OTHER,
    OTHER_SESSION,
    ROLE,
    ROOT,
    SESSION,
    STRANGER,
    asked,
    decide,
    deny,
    grant,
    statement,
)


@pytest.mark.parametrize(
    ("named", "principal", "expected"),
    [
        (ALICE, ALICE, True),
        (ALICE, BOB, False),
        ([BOB, ALICE], ALICE, True),
        ("*", ALICE, True),
        (ROLE, SESSION, True),
        (ROLE, ROLE, True),
        (ROLE, OTHER_SESSION, False),
        (SESSION, SESSION, True),
        (SESSION, OTHER_SESSION, False),
        (ROOT, ROOT, True),
        (ROOT, ALICE, False),
        (ACCOUNT, ALICE, False),
        (STRANGER, ALICE, False),
    ],
)
def test_a_key_policy_allows_by_itself_whom_it_names(named: Any, principal: str, *, expected: bool) -> None:
    assert expected == decide([statement(named)], principal=principal).allowed


@pytest.mark.parametrize("account", [ROOT, ACCOUNT])
@pytest.mark.parametrize("principal", [ALICE, SESSION])
def test_a_key_policy_that_names_the_account_leaves_it_to_identity_policies(account: str, principal: str) -> None:
    key = [statement(account, sid="Enable IAM User Permissions")]
    decision = decide(key, [statement(sid="use")], principal=principal)
    left = Source("key policy", "", "Enable IAM User Permissions")
    assert (True, (Source("identity policy", "p0", "use"), left)) == (decision.allowed, decision.sources)
    assert decide(key, principal=principal).denial == "because no identity-based policy allows the kms:Decrypt action"


def test_what_the_account_is_left_is_bounded_by_the_statement_that_leaves_it() -> None:
    key = [statement(ROOT, action="kms:Encrypt", condition={"StringEquals": {"kms:CallerAccount": ACCOUNT}})]
    context = {"kms:CallerAccount": ACCOUNT}
    assert decide(key, [statement()], action="kms:Encrypt", context=context).allowed
    assert not decide(key, [statement()], action="kms:Encrypt").allowed
    assert not decide(key, [statement()], context=context).allowed


def test_identity_policies_alone_open_no_key() -> None:
    decision = decide([statement(BOB)], [statement()])
    assert decision.denial == "because no resource-based policy allows the kms:Decrypt action"
    assert decision.reason == "no key policy statement allows kms:Decrypt"


def test_operations_without_a_key_are_for_identity_policies_alone() -> None:
    assert decide(None, [statement()], action="kms:ListKeys").allowed
    assert decide(None, [statement(resource=f"arn:aws:kms:*:{ACCOUNT}:alias/*")], resource=ALIAS).allowed
    assert not decide(None, [statement(resource=f"arn:aws:kms:*:{ACCOUNT}:key/*")], action="kms:ListKeys").allowed
    assert not decide(None, action="kms:ListKeys", grants=[grant(operations=("Decrypt",))]).allowed


@pytest.mark.parametrize(
    ("key", "identity", "words"),
    [
        ([statement(ALICE), deny(ALICE)], [], "with an explicit deny in a resource-based policy"),
        ([statement(ALICE), deny("*", action="kms:Dec*")], [], "with an explicit deny in a resource-based policy"),
        ([statement(ALICE), deny(ROOT)], [], "with an explicit deny in a resource-based policy"),
        ([statement(ALICE)], [deny()], "with an explicit deny in an identity-based policy"),
        (None, [statement(), deny()], "with an explicit deny in an identity-based policy"),
    ],
)
def test_an_explicit_deny_wins(key: Any, identity: Any, words: str) -> None:
    decision = decide(key, identity or [statement()], grants=[grant()])
    assert (False, words, True) == (decision.allowed, decision.denial, decision.explicit)


def test_a_denial_reads_as_that_of_aws() -> None:
    request, policies = asked([statement(ROOT)])
    error = errors.AccessDeniedError(
        principal=ALICE,
        action="kms:Decrypt",
        resource=KEY,
        denial=evaluate(request, policies).denial,
    )
    assert error.message == (
        f"User: {ALICE} is not authorized to perform: kms:Decrypt on resource: {KEY} "
        "because no identity-based policy allows the kms:Decrypt action"
    )


def test_a_decision_says_which_statement_decided() -> None:
    assert decide([statement(ALICE, sid="Use")]).reason == "allowed by statement Use of the key policy"
    assert decide([statement(BOB), statement(ALICE)]).sources == (Source("key policy", "", "Statement[1]"),)
    assert decide([deny("*")]).reason == "denied by Statement[0] of the key policy"
    assert decide([statement(ROOT)], [statement()]).reason == (
        "allowed by Statement[0] of the identity policy p0, as Statement[0] of the key policy lets it"
    )
    assert decide([statement(BOB)], grants=[grant()]).reason == f"allowed by the grant {GRANT_ID}"


@pytest.mark.parametrize(
    ("exempt", "principal", "denied"),
    [
        ([BOB, f"arn:aws:iam::{ACCOUNT}:root"], BOB, False),
        ([BOB, f"arn:aws:iam::{ACCOUNT}:root"], ALICE, True),
        ([ROLE, ROOT], SESSION, True),
        ([SESSION, ROLE, ROOT], SESSION, False),
        (["*"], ALICE, False),
    ],
)
def test_a_deny_for_all_but_some_exempts_whom_it_names(exempt: Any, principal: str, *, denied: bool) -> None:
    negated = deny(notPrincipal={"AWS": exempt})
    assert denied is decide([statement("*"), negated], principal=principal).explicit


@pytest.mark.parametrize(
    ("named", "principal", "expected"), [(BOB, ALICE, True), (ALICE, ALICE, False), (ROOT, ALICE, False)]
)
def test_an_allow_for_all_but_some_leaves_out_what_they_contain(named: str, principal: str, *, expected: bool) -> None:
    assert expected is decide([statement(notPrincipal={"AWS": named})], principal=principal).allowed


def test_other_kinds_of_principals_are_nobody_here() -> None:
    assert not decide([statement() | {"Principal": {"Service": "logs.amazonaws.com"}}]).allowed
    assert decide([statement("*"), deny() | {"NotPrincipal": {"Service": "logs.amazonaws.com"}}]).explicit


def test_principals_of_another_account_need_their_own_policies_too() -> None:
    key = [statement([STRANGER, "*"])]
    assert decide(key, principal=STRANGER).denial.startswith("because no identity-based policy")
    assert decide(key, [statement()], principal=STRANGER).allowed
    assert not decide([statement(ROOT)], [statement()], principal=STRANGER).allowed
    assert decide([statement(OTHER)], [statement()], principal=STRANGER).allowed


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"action": "KMS:decrypt"}, True),
        ({"action": ["kms:Encrypt", "kms:De*t"]}, True),
        ({"action": "kms:?ecrypt"}, True),
        ({"action": "kms:Decryp"}, False),
        ({"notAction": "kms:Encrypt"}, True),
        ({"notAction": ["kms:Encrypt", "kms:Decrypt"]}, False),
        ({"resource": KEY}, True),
        ({"resource": f"arn:aws:kms:*:{ACCOUNT}:key/*"}, True),
        ({"resource": f"arn:aws:kms:*:{OTHER}:key/*"}, False),
        ({"resource": KEY.upper().replace("ARN:AWS:KMS", "arn:aws:kms")}, False),
        ({"resource": ALIAS}, False),
        ({"resource": "arn:aws:kms:*:*:alias/*"}, False),
        ({"resource": "arn:aws:kms:*:*:key/${aws:PrincipalTag/key}"}, True),
        ({"resource": ["*", "arn:aws:kms:*:*:key/${aws:PrincipalTag/none}"]}, False),
        ({"notResource": "arn:aws:kms:*:*:key/${aws:PrincipalTag/none}"}, False),
        ({"notResource": f"arn:aws:kms:*:{ACCOUNT}:key/mrk-*"}, True),
        ({"notResource": "arn:aws:kms:*:*:key/*"}, False),
    ],
)
def test_actions_and_resources_match_as_aws_says(parts: Any, *, expected: bool) -> None:
    negated = {"Action" if "notAction" in parts else "", "Resource" if "notResource" in parts else ""}
    whole = {name: value for name, value in statement(ROOT, **parts).items() if name not in negated}
    own = {name: value for name, value in whole.items() if name != "Principal"}
    context = {"aws:PrincipalTag/key": KEY.rpartition("/")[2]}
    assert expected is decide([whole | {"Principal": "*"}], context=context).allowed
    assert expected is decide([statement(ROOT)], [own], context=context).allowed


def test_the_trace_shows_every_condition_of_what_is_about_the_request() -> None:
    condition = {"StringLikeIfExists": {"kms:RequestAlias": ["alias/a*", "alias/b"]}}
    condition |= {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "${aws:userid}"}}
    key = [statement(BOB), deny(ROOT, sid="no", condition=condition), statement(ROOT, action="kms:Encrypt")]
    context = {"kms:RequestAlias": "alias/c"}
    given = [grant(context_subset=IT, expires=NOW), grant(operations=("Encrypt",))]
    first, second = explaining.trace(*asked(key, context=context, grants=given))
    assert (first.source, first.effect, first.by_account, first.applies) == (
        Source("key policy", "", "no"),
        "Deny",
        True,
        False,
    )
    assert first.checks == (
        Checked(
            "ForAnyValue:StringEquals", "kms:ResourceAliases", ("${aws:userid}",), None, holds=False, unresolved=True
        ),
        Checked("StringLikeIfExists", "kms:RequestAlias", ("alias/a*", "alias/b"), ("alias/c",), holds=False),
    )
    time = NOW.isoformat()
    assert second.checks == (
        Checked("DateLessThan", "aws:CurrentTime", (time,), (time,), holds=False),
        Checked("EncryptionContextSubset", "kms:EncryptionContext", ("Department=IT",), (), holds=False),
    )


def test_a_text_is_made_ready_once() -> None:
    text = json.dumps({"Statement": statement(ALICE)})
    assert compiled.key_policy(text) is compiled.key_policy(str(text))
    assert not compiled.key_policy(text).about("kms:decrypt").denying
