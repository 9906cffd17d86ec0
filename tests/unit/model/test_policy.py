"""Policies that AWS documents, policies that it refuses, and any text at all."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscli import errors
from kmscli.model import limits, policy, statement
from kmscli.model.conditions import Condition
from kmscli.model.statement import Patterns, Policy, Principal, Principals, Statement

ACCOUNT = "111122223333"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/Alice"
BOB = f"arn:aws:iam::{ACCOUNT}:user/Bob"
KEY_ARN = f"arn:aws:kms:local:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
USERS = {"AWS": [ALICE, f"arn:aws:iam::{ACCOUNT}:role/ExampleRole", "arn:aws:iam::444455556666:root"]}
PLAIN = {"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "kms:*", "Resource": "*"}

# AWS KMS developer guide, "Default key policy", "Creating a key policy" and "AWS KMS condition keys"; IAM user guide.
DOCUMENTED: dict[str, dict[str, Any]] = {
    "describe": PLAIN
    | {"Sid": "Describe the policy statement", "Condition": {"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}},
    "key administrators": {
        "Sid": "Allow access for Key Administrators",
        "Effect": "Allow",
        "Principal": USERS,
        "Action": ["kms:Create*", "kms:Put*", "kms:TagResource", "kms:ScheduleKeyDeletion"],
        "Resource": "*",
    },
    "key users": {
        "Sid": "Allow use of the key",
        "Effect": "Allow",
        "Principal": USERS,
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        "Resource": "*",
    },
    "grants for AWS resources": {
        "Sid": "Allow attachment of persistent resources",
        "Effect": "Allow",
        "Principal": USERS,
        "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
        "Resource": "*",
        "Condition": {"Bool": {"kms:GrantIsForAWSResource": True}},
    },
    "by a service": PLAIN
    | {
        "Condition": {
            "StringEquals": {
                "kms:ViaService": ["ec2.us-west-2.amazonaws.com", "rds.us-west-2.amazonaws.com"],
                "kms:CallerAccount": ACCOUNT,
            }
        }
    },
    "to a service": PLAIN
    | {
        "Principal": {"Service": "logs.eu-central-1.amazonaws.com"},
        "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:*:{ACCOUNT}:*"}},
    },
    "encryption context": PLAIN
    | {
        "Condition": {
            "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["AppName", "FilePath"]},
            "Null": {"kms:EncryptionContextKeys": "false"},
        }
    },
    "deny by address and time": PLAIN
    | {
        "Effect": "Deny",
        "Principal": "*",
        "Condition": {
            "NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:DB8:1234:5678::/64"]},
            "DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:01Z"},
            "NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": 10},
        },
    },
    "all but": {
        "Effect": "Deny",
        "NotPrincipal": {"AWS": ["444455556666", ALICE]},
        "NotAction": "*",
        "NotResource": "*",
    },
}


def text_of(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refusal(text: str) -> tuple[str, str]:
    with pytest.raises(errors.MalformedPolicyError) as caught:
        policy.parse(text)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize("statement", DOCUMENTED.values(), ids=DOCUMENTED)
def test_a_documented_policy_is_read(statement: dict[str, Any]) -> None:
    alone = policy.parse(json.dumps({"Statement": statement}))
    listed = policy.parse(text_of(PLAIN, statement))
    assert alone.statements == listed.statements[1:]


def test_the_default_policy_is_that_of_aws_and_means_what_it_says() -> None:
    text = policy.default(ACCOUNT)
    assert text.startswith(
        '{\n  "Version" : "2012-10-17",\n  "Id" : "key-default-1",\n  "Statement" : [ {\n    "Sid" :'
    )
    assert text.endswith('    "Resource" : "*"\n  } ]\n}')
    statement = Statement(
        sid="Enable IAM User Permissions",
        effect="Allow",
        principals=Principals((Principal("AWS", ROOT),)),
        action=Patterns(("kms:*",)),
        resource=Patterns(("*",)),
        conditions=(),
    )
    assert Policy("2012-10-17", "key-default-1", (statement,)) == policy.parse(text)


def test_a_policy_without_version_is_of_the_old_one() -> None:
    assert "2008-10-17" == policy.parse(json.dumps({"Statement": PLAIN})).version


def test_an_account_number_is_its_root_and_a_star_is_everyone() -> None:
    parsed = policy.parse(text_of(PLAIN | {"Principal": {"AWS": ACCOUNT}}, PLAIN | {"Principal": "*"}))
    assert [(Principal("AWS", ROOT),), (Principal("AWS", "*"),)] == [
        statement.principals.values for statement in parsed.statements if statement.principals
    ]


def test_a_condition_is_taken_apart() -> None:
    block = {"ForAnyValue:NumericLessThanIfExists": {"aws:x": [1, 2.50, "3"]}, "Bool": {"aws:y": True}}
    (statement,) = policy.parse(text_of(PLAIN | {"Condition": block})).statements
    assert statement.conditions == (
        Condition("Bool", "aws:y", ("true",)),
        Condition("NumericLessThan", "aws:x", ("1", "2.5", "3"), if_exists=True, quantifier="ForAnyValue"),
    )


def test_a_number_stays_as_it_was_written() -> None:
    text = text_of(PLAIN | {"Condition": {"StringEquals": {"aws:x": "@"}}}).replace('"@"', "1.10")
    assert ("1.10",) == policy.parse(text).statements[0].conditions[0].values


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize("name", ["Action", "Resource"])
def test_a_statement_without_action_or_resource_is_refused(name: str, effect: str) -> None:
    statement = {key: value for key, value in PLAIN.items() if key != name} | {"Effect": effect}
    message, hint = refusal(text_of(PLAIN, statement))
    assert message == f"Policy statement must contain {name.lower()}s. (Statement[1])"
    assert hint == f'"{name}" is missing'


INVALID = "Policy contains a statement with one or more invalid principals."
SYNTAX = "Syntax errors in policy"
FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"Effect": "allow"}, "Invalid effect: allow", "S.Effect"),
    ({"Effect": True}, SYNTAX, "S.Effect"),
    ({"Effect": None}, SYNTAX, "S.Effect"),
    ({"effect": "Deny"}, "Has prohibited field effect", "S.effect"),
    ({"Comment": "x"}, "Has prohibited field Comment", "S.Comment"),
    ({"Sid": 1}, SYNTAX, "S.Sid"),
    ({"Principal": None}, SYNTAX, "S.Principal"),
    ({"Principal": {}}, "Policy contains a statement with no principal.", "S.Principal"),
    ({"Principal": ALICE}, INVALID, "S.Principal"),
    ({"Principal": [ALICE]}, INVALID, "S.Principal"),
    ({"Principal": {"AWS": []}}, SYNTAX, "S.Principal.AWS"),
    ({"Principal": {"AWS": [ALICE, 1]}}, SYNTAX, "S.Principal.AWS[1]"),
    ({"Principal": {"AWS": [ALICE, f"{ALICE}*"]}}, INVALID, "S.Principal.AWS[1]"),
    ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:group/g"}}, INVALID, "S.Principal.AWS"),
    ({"Principal": {"AWS": "arn:aws:iam::*:root"}}, INVALID, "S.Principal.AWS"),
    ({"Principal": {"Service": "*"}}, INVALID, "S.Principal.Service"),
    ({"Principal": {"Everyone": "*"}}, "Has prohibited field Everyone", "S.Principal.Everyone"),
    ({"NotPrincipal": "*"}, "must not contain both Principal and NotPrincipal", "S.NotPrincipal"),
    ({"NotAction": "*"}, "must not contain both Action and NotAction", "S.NotAction"),
    ({"NotResource": "*"}, "must not contain both Resource and NotResource", "S.NotResource"),
    ({"Action": []}, SYNTAX, "S.Action"),
    ({"Action": None}, SYNTAX, "S.Action"),
    ({"Action": {"a": 1}}, SYNTAX, "S.Action"),
    ({"Action": ["kms:Decrypt", "Decrypt"]}, "must be prefaced by a vendor, e.g., kms, iam: Decrypt", "S.Action[1]"),
    ({"Action": "kms:"}, "must be prefaced by a vendor", "S.Action"),
    ({"Action": "k*:Decrypt"}, "must be prefaced by a vendor", "S.Action"),
    ({"Action": "kms:De crypt"}, "must be prefaced by a vendor", "S.Action"),
    ({"Action": "kms:Decrypt\n"}, "must be prefaced by a vendor", "S.Action"),
    ({"Resource": "key/x"}, 'Resource key/x must be in ARN format or "*".', "S.Resource"),
    ({"Resource": ["*", "arn:aws:kms"]}, "must be in ARN format", "S.Resource[1]"),
    ({"Resource": []}, SYNTAX, "S.Resource"),
    ({"Condition": []}, SYNTAX, "S.Condition"),
    ({"Condition": None}, SYNTAX, "S.Condition"),
    ({"Condition": {"StringEquals": {}}}, SYNTAX, "S.Condition.StringEquals"),
    ({"Condition": {"StringEquals": "x"}}, SYNTAX, "S.Condition.StringEquals"),
    (
        {"Condition": {"stringequals": {"aws:x": "y"}}},
        "Invalid Condition type : stringequals.",
        "S.Condition.stringequals",
    ),
    ({"Condition": {"NullIfExists": {"aws:x": "true"}}}, "Invalid Condition type", "S.Condition.NullIfExists"),
    ({"Condition": {"StringEquals": {"x": "y"}}}, "must be prefaced by a vendor", "S.Condition.StringEquals.x"),
    ({"Condition": {"StringEquals": {"aws:x": []}}}, SYNTAX, "S.Condition.StringEquals.aws:x"),
    ({"Condition": {"StringEquals": {"aws:x": {}}}}, SYNTAX, "S.Condition.StringEquals.aws:x"),
    ({"Condition": {"StringEquals": {"aws:x": ["y", None]}}}, SYNTAX, "S.Condition.StringEquals.aws:x[1]"),
    ({"Condition": {"Bool": {"aws:x": "yes"}}}, "Invalid value of Bool: yes", "S.Condition.Bool.aws:x"),
    ({"Condition": {"Bool": {"aws:x": 1}}}, "Invalid value of Bool: 1", "S.Condition.Bool.aws:x"),
    ({"Condition": {"NumericEquals": {"aws:x": [1, "y"]}}}, "Invalid value of", "S.Condition.NumericEquals.aws:x[1]"),
    ({"Condition": {"NumericEquals": {"aws:x": float("nan")}}}, SYNTAX, "S.Condition.NumericEquals.aws:x"),
    ({"Condition": {"IpAddress": {"aws:x": "1.2.3"}}}, "Invalid value of IpAddress", "S.Condition.IpAddress.aws:x"),
]


@pytest.mark.parametrize(("change", "sentence", "path"), FAULTS, ids=[f"{row[2]} {row[0]}" for row in FAULTS])
def test_a_fault_is_told_with_its_path(change: dict[str, Any], sentence: str, path: str) -> None:
    message, _ = refusal(text_of(PLAIN, PLAIN, PLAIN | change))
    assert sentence in message
    assert message.endswith(f"({path.replace('S.', 'Statement[2].')})")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "This policy contains invalid Json: line 1, column 1: Expecting value"),
        ("{\n  'Version': 1}", "This policy contains invalid Json: line 2, column 3: Expecting property name"),
        ('{"Statement":[],}', "This policy contains invalid Json: line 1, column 17"),
        ('{"Statement":[]}{}', "This policy contains invalid Json: line 1, column 17: Extra data"),
        ('{"Id":"\ttab"}', "This policy contains invalid Json: line 1, column 8"),
        ("\ufeff{}", "This policy contains invalid Json: line 1, column 1"),
        ('{"Id":"\\ud800","Statement":[]}', "This policy contains invalid Json: half of a surrogate pair"),
        ('{"Id":"\ud800","Statement":[]}', "This policy contains invalid Json: half of a surrogate pair"),
        ("[]", "Syntax errors in policy: not a JSON object"),
        ("NaN", "Syntax errors in policy: not a JSON object"),
        ("{}", "Missing required field Statement (Statement)"),
        ('{"Statement":[]}', "Syntax errors in policy: no statement (Statement)"),
        ('{"Statement":[1]}', "Syntax errors in policy: not a JSON object (Statement[0])"),
        ('{"Statement":{}}', "Missing required field Effect (Statement.Effect)"),
        (
            '{"Statement":[{"Effect":"Allow","Effect":"Deny"}]}',
            "Syntax errors in policy: a field stands twice (Statement[0].Effect)",
        ),
        ('{"Version":"2012-10-17","Version":"2012-10-17"}', "Syntax errors in policy: a field stands twice (Version)"),
        ('{"Version":"2012-10-18","Statement":[]}', "The policy must contain a valid version string (Version)"),
        ('{"Version":20121017,"Statement":[]}', "Syntax errors in policy: not a JSON string (Version)"),
        ('{"Name":"x","Statement":[]}', "Has prohibited field Name (Name)"),
        ("\n" + "[" * 9 + "]" * 9, "Syntax errors in policy: line 2, column 9: nested too deeply"),
        ('{"a":' * 100_000, "The policy has more than 131072 characters"),
        ("[" * limits.POLICY_MAX, "Syntax errors in policy: line 1, column 9: nested too deeply"),
    ],
    ids=range(22),
)
def test_a_text_that_is_no_policy_is_refused(text: str, message: str) -> None:
    assert refusal(text)[0].startswith(message)


def test_brackets_in_a_string_are_no_nesting() -> None:
    policy.parse(text_of(PLAIN | {"Sid": '"\\' + "[{" * 100}))


@pytest.mark.parametrize(
    "text",
    [
        '"' * limits.POLICY_MAX,
        '\\"' * (limits.POLICY_MAX // 2),
        "9" * limits.POLICY_MAX,
        "{" + ",".join(f'"{number % 13_999}":1' for number in range(14_000)) + "}",
    ],
    ids=["quotes", "escapes", "digits", "names"],
)
def test_a_text_made_to_be_slow_is_refused_at_once(text: str) -> None:
    started = time.process_time()
    refusal(text)
    assert time.process_time() - started < 1


def test_a_long_name_is_cut_in_the_message() -> None:
    assert len(refusal(json.dumps({"x" * 100_000: 1}))[0]) < 250


def test_an_operator_in_the_wrong_case_is_corrected() -> None:
    _, hint = refusal(text_of(PLAIN | {"Condition": {"stringLike": {"aws:x": "y"}}}))
    assert hint == "did you mean StringLike?"


def test_two_statements_have_two_ids() -> None:
    message, _ = refusal(text_of(PLAIN | {"Sid": "a"}, PLAIN, PLAIN | {"Sid": "a"}))
    assert "Statement IDs (SID) in a single policy must be unique. (Statement[2].Sid)" == message


def test_statements_without_a_name_are_not_the_same() -> None:
    policy.parse(text_of(PLAIN | {"Sid": ""}, PLAIN | {"Sid": ""}, PLAIN, PLAIN))


IDENTITY = {"Sid": "a1", "Effect": "Allow", "Action": "kms:*", "Resource": "*"}


def test_an_identity_policy_names_no_principal() -> None:
    (statement,) = policy.parse_identity(text_of(IDENTITY)).statements
    assert statement.principals is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"Statement": PLAIN}, "Has prohibited field Principal (Statement.Principal)"),
        ({"Id": "x", "Statement": IDENTITY}, "Has prohibited field Id (Id)"),
        ({"Statement": IDENTITY | {"Sid": "a b"}}, "Statement IDs (SID) must be alpha-numeric. (Statement.Sid)"),
        ({"Statement": {"Effect": "Deny", "Action": "*"}}, "Policy statement must contain resources. (Statement)"),
        ({"Statement": {"Effect": "Deny", "Resource": "*"}}, "Policy statement must contain actions. (Statement)"),
    ],
)
def test_an_identity_policy_is_stricter(document: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.MalformedPolicyError) as caught:
        policy.parse_identity(json.dumps(document))
    assert message == caught.value.message


def check(*statements: dict[str, Any], caller: str = ALICE, key_arn: str = "") -> None:
    policy.check_lockout(policy.parse(text_of(*statements)), account=ACCOUNT, caller_arn=caller, key_arn=key_arn)


SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/ExampleRole/s"


@pytest.mark.parametrize(
    ("statements", "caller"),
    [
        ([PLAIN], ALICE),
        ([PLAIN | {"Principal": "*"}], ALICE),
        ([PLAIN | {"Principal": {"AWS": ["*"]}}], ALICE),
        ([PLAIN | {"Principal": {"AWS": ACCOUNT}}], ALICE),
        ([PLAIN | {"Principal": {"AWS": ROOT}}], ROOT),
        ([PLAIN | {"Principal": USERS}], SESSION),
        ([PLAIN | {"Action": ["kms:Decrypt", "KMS:putkey*"]}], ALICE),
        ([{k: v for k, v in PLAIN.items() if k != "Action"} | {"NotAction": "kms:Decrypt"}], ALICE),
        ([PLAIN, PLAIN | {"Effect": "Deny", "Principal": {"AWS": BOB}}], ALICE),
        ([PLAIN, PLAIN | {"Effect": "Deny", "Action": "kms:Decrypt"}], ALICE),
        ([PLAIN, PLAIN | {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}], ALICE),
        ([PLAIN, {"Effect": "Deny", "NotPrincipal": {"AWS": ALICE}, "Action": "*", "Resource": "*"}], ALICE),
    ],
)
def test_a_caller_who_can_change_the_policy_again_may_set_it(statements: list[dict[str, Any]], caller: str) -> None:
    check(*statements, caller=caller)


@pytest.mark.parametrize(
    ("statements", "caller"),
    [
        ([PLAIN], BOB),
        ([PLAIN | {"Principal": USERS}], BOB),
        ([PLAIN | {"Principal": {"AWS": "444455556666"}}], ALICE),
        ([PLAIN | {"Principal": "*"}], "arn:aws:iam::444455556666:user/Alice"),
        ([PLAIN | {"Principal": "*"}], "logs.amazonaws.com"),
        ([PLAIN | {"Principal": {"Service": "logs.amazonaws.com"}}], ALICE),
        ([PLAIN | {"Action": "kms:Decrypt"}], ALICE),
        ([PLAIN | {"Action": "s3:*"}], ALICE),
        ([PLAIN | {"Resource": KEY_ARN}], ALICE),
        ([PLAIN | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}], ALICE),
        ([PLAIN, PLAIN | {"Effect": "Deny"}], ALICE),
        ([PLAIN, PLAIN | {"Effect": "Deny", "Principal": "*"}], ALICE),
        ([PLAIN, PLAIN | {"Effect": "Deny", "Principal": {"AWS": ACCOUNT}, "Action": "kms:Put*"}], ALICE),
        ([PLAIN, {"Effect": "Deny", "NotPrincipal": {"AWS": BOB}, "Action": "*", "Resource": "*"}], ALICE),
        ([PLAIN | {"Effect": "Deny"}], ALICE),
    ],
)
def test_a_caller_who_would_lock_himself_out_is_stopped(statements: list[dict[str, Any]], caller: str) -> None:
    with pytest.raises(errors.MalformedPolicyError) as caught:
        check(*statements, caller=caller)
    assert "The new key policy will not allow you to update the key policy in the future." == caught.value.message
    assert "--bypass-policy-lockout-safety-check" in caught.value.hint


def test_a_deny_for_all_but_the_account_locks_its_users_out() -> None:
    others = {"Effect": "Deny", "NotPrincipal": {"AWS": [ROOT, BOB]}, "Action": "kms:*", "Resource": "*"}
    check(PLAIN | {"Principal": {"AWS": BOB}}, others, caller=BOB)
    with pytest.raises(errors.MalformedPolicyError):
        check(PLAIN, others)


def test_the_arn_of_a_key_that_exists_counts_as_its_resource() -> None:
    check(PLAIN | {"Resource": KEY_ARN}, key_arn=KEY_ARN)
    check(PLAIN | {"Resource": "arn:aws:kms:*:*:key/*"}, key_arn=KEY_ARN)
    with pytest.raises(errors.MalformedPolicyError):
        check(PLAIN, PLAIN | {"Effect": "Deny", "Resource": KEY_ARN}, key_arn=KEY_ARN)


WORDS = st.sampled_from(
    [
        *("Version", "Id", "Statement", "Sid", "Effect", "Principal", "Action", "Resource", "Condition", "NotAction"),
        *("AWS", "Service", "StringEquals", "Bool", "DateEquals", "IpAddress", "BinaryEquals", "NumericEquals"),
        *("Allow", "Deny", "*", "kms:*", "aws:x", "2012-10-17", ALICE, ACCOUNT),
    ]
)
NAMES = WORDS | st.text(max_size=6)
VALUES = st.recursive(
    NAMES | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
MEMBERS = {
    "Sid": NAMES,
    "Effect": NAMES,
    "Principal": VALUES,
    "Action": VALUES,
    "Resource": VALUES,
    "Condition": VALUES,
}


def parsed_or_refused(text: str) -> None:
    for reader in (policy.parse, policy.parse_identity):
        with contextlib.suppress(errors.MalformedPolicyError):
            assert isinstance(reader(text), Policy)


@given(st.text() | st.text('{}[]",:\\u0d8 \n1eE-+.'))
def test_any_text_is_a_policy_or_malformed(text: str) -> None:
    parsed_or_refused(text)


@given(VALUES)
def test_any_json_is_a_policy_or_malformed(value: object) -> None:
    parsed_or_refused(json.dumps(value))


@given(st.fixed_dictionaries({}, optional=MEMBERS), st.booleans())
def test_anything_near_a_policy_is_one_or_malformed(statement: dict[str, object], ascii_only: object) -> None:
    parsed_or_refused(json.dumps({"Statement": [PLAIN | statement]}, ensure_ascii=bool(ascii_only)))


def shuffled(value: Any, draw: Any) -> Any:
    if isinstance(value, dict):
        return {name: shuffled(value[name], draw) for name in draw(st.permutations(list(value)))}
    return [shuffled(item, draw) for item in value] if isinstance(value, list) else value


@given(st.data())
def test_the_order_of_members_does_not_matter(data: Any) -> None:
    document = {"Version": "2012-10-17", "Id": "x", "Statement": list(DOCUMENTED.values())}
    assert policy.parse(json.dumps(document)) == policy.parse(json.dumps(shuffled(document, data.draw)))


def test_the_default_policy_is_what_its_text_says() -> None:
    assert policy.parse(policy.default(ACCOUNT)) == statement.default_policy(ACCOUNT)


def test_administrators_are_allowed_everything() -> None:
    text = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    assert policy.parse_identity(text) == statement.administrator_policy()
