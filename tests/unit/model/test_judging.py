"""What is found in policies: faults, statements without effect, and what opens a key to everybody."""

import json
from typing import Any

import pytest

from kmscli.model.judging import ISSUES, Finding, Place, judge
from tests.deciding import ACCOUNT, ALICE, BOB, KEY, OTHER, ROLE, ROOT, SESSION, deny, statement

NOWHERE = Place()
HERE = Place(account=ACCOUNT, callers=(ALICE,), key_arn=KEY)


def found(
    *statements: Any, place: Place = NOWHERE, identity: bool = False, version: str = "2012-10-17"
) -> list[Finding]:
    return list(judge(json.dumps({"Version": version, "Statement": list(statements)}), place, identity=identity))


def issues(*statements: Any, **more: Any) -> list[tuple[str, str]]:
    return [(one.issue, one.path) for one in found(*statements, **more)]


def test_a_good_policy_has_no_findings() -> None:
    assert found(statement(ROOT, sid="all"), statement(BOB, action="kms:Decrypt"), place=HERE) == []
    assert found(statement(action="kms:Decrypt", resource=KEY), statement(action="s3:*"), identity=True) == []


FINDINGS: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "everybody": (statement("*"), [("open to all", "Statement[0].Principal")]),
    "everybody else": (
        {"Effect": "Allow", "NotPrincipal": {"AWS": BOB}, "Action": "kms:*", "Resource": "*"},
        [("open to all", "Statement[0].NotPrincipal")],
    ),
    "everybody through one address": (
        statement("*", condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        [("open to all", "Statement[0].Principal")],
    ),
    "everybody of an account": (statement("*", condition={"StringEquals": {"kms:CallerAccount": ACCOUNT}}), []),
    "everybody of any account": (
        statement("*", condition={"StringLike": {"kms:CallerAccount": "*"}}),
        [("open to all", "Statement[0].Principal")],
    ),
    "everybody who has an ARN": (
        statement("*", condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}}),
        [("open to all", "Statement[0].Principal")],
    ),
    "everybody with the right tag": (statement("*", condition={"StringEquals": {"aws:PrincipalTag/t": "x"}}), []),
    "everybody without the wrong tag": (
        statement("*", condition={"StringNotEquals": {"aws:PrincipalTag/t": "x"}}),
        [("open to all", "Statement[0].Principal")],
    ),
    "a deny for everybody": (deny("*"), []),
    "a service": (
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "kms:*", "Resource": "*"},
        [("no such principal", "Statement[0].Principal")],
    ),
    "an action of another service": (
        statement(ALICE, action=["kms:Decrypt", "s3:Get*"]),
        [("no such action", "Statement[0].Action[1]")],
    ),
    "an operation of two permissions": (
        statement(ALICE, action="kms:ReEncrypt"),
        [("no such action", "Statement[0].Action")],
    ),
    "an alias": (
        statement(ALICE, resource=f"arn:aws:kms:local:{ACCOUNT}:alias/a"),
        [("no such resource", "Statement[0].Resource")],
    ),
    "a key that no request names so": (
        statement(ALICE, condition={"StringEquals": {"kms:EncryptionContexts:a": "b"}}),
        [("never applies", "Statement[0].Condition.StringEquals.kms:EncryptionContexts:a")],
    ),
    "a key that these requests never have": (
        statement(ALICE, action="kms:Sign*", condition={"StringEquals": {"kms:EncryptionContext:a": "b"}}),
        [("never applies", "Statement[0].Condition.StringEquals.kms:EncryptionContext:a")],
    ),
    "a key that some of these requests have": (
        statement(ALICE, action=["kms:Sign", "kms:Decrypt"], condition={"StringEquals": {"kms:MessageType": "RAW"}}),
        [],
    ),
    "a negation of what never is": (
        deny(ALICE, action="kms:Sign", condition={"StringNotEquals": {"kms:EncryptionContext:a": "b"}}),
        [("no effect", "Statement[0].Condition.StringNotEquals.kms:EncryptionContext:a")],
    ),
    "an absence of what never is": (
        statement(ALICE, action="kms:Sign", condition={"Null": {"kms:EncryptionContext:a": "true"}}),
        [("no effect", "Statement[0].Condition.Null.kms:EncryptionContext:a")],
    ),
    "any of what never is": (
        statement(ALICE, action="kms:Sign", condition={"ForAnyValue:StringNotEquals": {"aws:TagKeys": "b"}}),
        [("never applies", "Statement[0].Condition.ForAnyValue:StringNotEquals.aws:TagKeys")],
    ),
    "all values of none": (
        statement(ALICE, condition={"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "a"}}),
        [("absent key", "Statement[0].Condition.ForAllValues:StringEquals.kms:EncryptionContextKeys")],
    ),
    "all values of some": (
        statement(
            ALICE,
            condition={
                "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "a"},
                "Null": {"kms:encryptioncontextkeys": "false"},
            },
        ),
        [],
    ),
    "a deny by all values": (
        deny(ALICE, condition={"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "a"}}),
        [],
    ),
}


@pytest.mark.parametrize(("given", "expected"), FINDINGS.values(), ids=FINDINGS)
def test_what_is_found_in_one_statement(given: Any, expected: list[tuple[str, str]]) -> None:
    assert expected == issues(given)


SHADOWED: dict[str, tuple[Any, Any, bool]] = {
    "everybody": (statement(ALICE, action="kms:Decrypt"), deny("*"), True),
    "its account": (statement(ALICE, action="kms:Decrypt"), deny(ROOT, action="kms:D*"), True),
    "its role": (statement(SESSION), deny(ROLE), True),
    "another": (statement(ALICE), deny(BOB), False),
    "one of two": (statement([ALICE, BOB]), deny(BOB), False),
    "one of its actions": (statement(ALICE, action=["kms:Decrypt", "kms:Encrypt"]), deny("*", action="kms:D*"), False),
    "under a condition": (statement(ALICE), deny("*", condition={"Bool": {"kms:MultiRegion": "true"}}), False),
    "of another key": (statement(ALICE), deny("*", resource=f"{KEY[:-1]}0"), False),
    "of the same keys": (statement(ALICE, resource=KEY), deny("*", resource=KEY), True),
    "all but some": (
        statement(ALICE),
        {"Effect": "Deny", "NotPrincipal": {"AWS": BOB}, "Action": "kms:*", "Resource": "*"},
        False,
    ),
}


@pytest.mark.parametrize(("allow", "denied", "expected"), SHADOWED.values(), ids=SHADOWED)
def test_a_statement_that_another_takes_away_is_found(allow: Any, denied: Any, *, expected: bool) -> None:
    assert issues(allow, denied) == ([("never applies", "Statement[0]")] if expected else [])
    assert issues(denied, allow) == ([("never applies", "Statement[1]")] if expected else [])


def test_who_is_locked_out_is_told() -> None:
    locked = found(statement(ALICE, action="kms:Decrypt"), place=HERE)
    assert [(one.issue, one.severity, one.path, one.line) for one in locked] == [("locked out", "error", "", 1)]
    assert ALICE in locked[0].text
    assert found(statement(ALICE, action="kms:Decrypt")) == []


def test_one_who_can_change_the_policy_is_enough() -> None:
    place = Place(account=ACCOUNT, callers=(BOB, ALICE))
    assert found(statement(ALICE), place=place) == []


def test_another_key_than_the_policys_is_told() -> None:
    given = statement(ROOT, resource=[KEY, f"arn:aws:kms:local:{OTHER}:key/*"])
    assert issues(given, place=HERE) == [("no such resource", "Statement[0].Resource[1]")]


def test_a_variable_of_an_old_version_is_told() -> None:
    given = statement(ALICE, condition={"StringEquals": {"kms:EncryptionContext:u": "${aws:username}"}})
    assert issues(given) == []
    assert issues(given, version="2008-10-17") == [("plain variable", "Version")]


def test_a_fault_has_its_line_and_column() -> None:
    text = '{\n  "Statement": {"Effect": "Allow",\n    "Principal": "*", "Action": "Decrypt", "Resource": "*"}\n}'
    (one,) = judge(text, Place())
    assert (one.issue, one.path, one.line, one.column) == ("malformed", "Statement.Action", 3, 23)
    assert one.statement == "Statement"


@pytest.mark.parametrize(
    ("text", "line", "column"), [('{"Version":\n "2012-10-17",}', 2, 15), ("[" * 9, 1, 9), ("[]", 1, 1)]
)
def test_what_is_no_json_or_no_policy_has_its_line_and_column(text: str, line: int, column: int) -> None:
    (one,) = judge(text, Place())
    assert (one.issue, one.line, one.column) == ("malformed", line, column)


def test_one_statement_without_a_list_has_a_shorter_path() -> None:
    text = json.dumps({"Statement": statement("*", sid="wide")}, indent=1)
    (one,) = judge(text, Place())
    assert (one.path, one.statement, one.line) == ("Statement.Principal", "wide", 6)


def test_findings_stand_in_the_order_of_the_text() -> None:
    places = [one.line for one in judge(json.dumps({"Statement": [statement("*"), statement("*")]}, indent=1), Place())]
    assert places == sorted(places)


def test_every_issue_has_a_severity() -> None:
    assert {*ISSUES.values()} == {"error", "warning"}
