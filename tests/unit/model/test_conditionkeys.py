"""The table of condition keys against AWS's names of actions, and AWS's examples of their use."""

from typing import Any

import pytest
from botocore.loaders import Loader

from kmscli.model import conditionkeys
from kmscli.model.conditionkeys import CONDITION_KEYS, EVERY, KEYLESS, WITH_KEY, may_be_present, name_of
from tests.deciding import ACCOUNT, ALICE, BOB, decide, deny, statement

OPERATIONS = set(Loader().load_service_model("kms", "service-2")["operations"])
ACTIONS = OPERATIONS - {"ReEncrypt"} | {"ReEncryptFrom", "ReEncryptTo"}


def test_every_action_of_the_table_is_one_of_aws() -> None:
    named = {action for row in CONDITION_KEYS.values() for action in row.actions} - {*EVERY, *WITH_KEY}
    assert named | KEYLESS <= ACTIONS


def test_names_are_found_whatever_their_case_and_by_their_family() -> None:
    assert name_of("KMS:keyspec") == "kms:KeySpec"
    assert name_of("kms:EncryptionContext:App:x") == "kms:EncryptionContext:*"
    assert name_of("aws:principaltag/Team") == "aws:PrincipalTag/*"
    assert name_of("aws:ResourceTag/") is None
    assert name_of("kms:Unknown") is None


@pytest.mark.parametrize(
    ("key", "action", "expected"),
    [
        ("kms:KeySpec", "CreateKey", True),
        ("kms:KeySpec", "Decrypt", True),
        ("kms:KeySpec", "ListKeys", False),
        ("kms:EncryptionContextKeys", "Decrypt", True),
        ("kms:EncryptionContextKeys", "Sign", False),
        ("kms:EncryptionContext:a", "CreateGrant", True),
        ("kms:ResourceAliases", "CreateKey", False),
        ("kms:RequestAlias", "DescribeKey", True),
        ("kms:RequestAlias", "EnableKey", False),
        ("aws:TagKeys", "UntagResource", True),
        ("aws:CurrentTime", "ListKeys", True),
        ("kms:CallerAccount", "DescribeCustomKeyStores", True),
        ("s3:prefix", "Decrypt", False),
    ],
)
def test_a_key_is_there_for_the_requests_that_aws_says(key: str, action: str, *, expected: bool) -> None:
    assert expected is may_be_present(key, action)


def test_types_are_kinds_that_operators_compare() -> None:
    kinds = {"string", "bool", "numeric", "date", "arn", "ip"}
    assert kinds == {row.type for row in CONDITION_KEYS.values()}
    assert {name for name, row in CONDITION_KEYS.items() if row.many} == {
        "kms:EncryptionContextKeys",
        "kms:GrantOperations",
        "kms:ResourceAliases",
        "aws:TagKeys",
    }
    assert conditionkeys.STRING in kinds


APP = {"kms:EncryptionContext:AppName": "ExampleApp", "kms:EncryptionContextKeys": ["AppName"]}
BOTH = {"StringEquals": {"kms:EncryptionContext:AppName": "ExampleApp"}}
BOTH |= {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["AppName"]}}
ALIASES = {f"{name}:StringLike": {"kms:ResourceAliases": ["alias/*Test*"]} for name in ("ForAllValues", "ForAnyValue")}


# AWS KMS developer guide, "AWS KMS condition keys": its examples, as (condition, context, whether it holds).
@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"Bool": {"kms:BypassPolicyLockoutSafetyCheck": True}}, {"kms:BypassPolicyLockoutSafetyCheck": "true"}, True),
        ({"Null": {"kms:BypassPolicyLockoutSafetyCheck": True}}, {}, True),
        (
            {"StringEquals": {"kms:CallerAccount": ACCOUNT, "kms:ViaService": "ec2.x"}},
            {"kms:CallerAccount": ACCOUNT},
            False,
        ),
        ({"StringLike": {"kms:DataKeyPairSpec": "RSA*"}}, {"kms:DataKeyPairSpec": "RSA_3072"}, True),
        (
            {"StringNotEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}},
            {"kms:EncryptionAlgorithm": "RSAES"},
            True,
        ),
        (BOTH, APP, True),
        (BOTH, APP | {"kms:EncryptionContextKeys": ["AppName", "Stage"]}, False),
        (BOTH, {}, False),
        ({"StringEquals": {"kms:encryptioncontext:APPNAME": "ExampleApp"}}, APP, True),
        ({"StringEquals": {"kms:EncryptionContext:AppName": "exampleapp"}}, APP, False),
        ({"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "appname"}}, APP, False),
        ({"Null": {"kms:EncryptionContextKeys": False}}, APP, True),
        ({"Null": {"kms:EncryptionContextKeys": False}}, {"kms:EncryptionContextKeys": []}, False),
        (
            {"StringEquals": {"kms:EncryptionContext:user": "${aws:username}"}},
            {"kms:EncryptionContext:user": "Alice"},
            True,
        ),
        ({"StringEquals": {"kms:GrantConstraintType": "EncryptionContextEquals"}}, {}, False),
        ({"Bool": {"kms:GrantIsForAWSResource": True}}, {}, False),
        (
            {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt"]}},
            {"kms:GrantOperations": ["Decrypt"]},
            False,
        ),
        ({"StringEquals": {"kms:GranteePrincipal": BOB}}, {"kms:GranteePrincipal": BOB}, True),
        ({"StringLike": {"kms:KeySpec": "RSA_*"}}, {"kms:KeySpec": "RSA_4096"}, True),
        ({"StringEquals": {"kms:KeyUsage": "SIGN_VERIFY"}}, {"kms:KeyUsage": "ENCRYPT_DECRYPT"}, False),
        ({"StringEquals": {"kms:KeyOrigin": "AWS_KMS"}}, {"kms:KeyOrigin": "AWS_KMS"}, True),
        ({"StringEquals": {"kms:MacAlgorithm": "HMAC_SHA_384"}}, {"kms:MacAlgorithm": "HMAC_SHA_384"}, True),
        ({"StringEquals": {"kms:MessageType": "RAW"}}, {"kms:MessageType": "DIGEST"}, False),
        ({"Bool": {"kms:MultiRegion": False}}, {"kms:MultiRegion": "false"}, True),
        ({"StringEquals": {"kms:RequestAlias": "alias/finance-key"}}, {"kms:RequestAlias": "alias/finance-key"}, True),
        ({"StringEquals": {"kms:RequestAlias": "alias/finance-key"}}, {}, False),
        (ALIASES, {"kms:ResourceAliases": ["alias/aTest"]}, True),
        (ALIASES, {"kms:ResourceAliases": ["alias/aTest", "alias/prod"]}, False),
        (ALIASES, {}, False),
        ({"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": 10}}, {}, False),
        ({"StringLike": {"kms:SigningAlgorithm": "RSASSA_PSS*"}}, {"kms:SigningAlgorithm": "RSASSA_PSS_SHA_512"}, True),
        ({"NumericLessThanEquals": {"kms:ValidTo": "1546257599.0"}}, {"kms:ValidTo": "1546257600"}, False),
        ({"StringEquals": {"kms:WrappingAlgorithm": "RSAES_OAEP_SHA_256"}}, {}, False),
        (
            {"DateGreaterThan": {"aws:CurrentTime": "2026-03-01T00:00:00Z"}},
            {"aws:CurrentTime": "2026-03-01T12:00:00Z"},
            True,
        ),
        ({"DateLessThan": {"aws:EpochTime": "1772366401"}}, {"aws:EpochTime": "1772366400"}, True),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/A*"}}, {"aws:PrincipalArn": ALICE}, True),
        ({"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}, {"aws:ResourceTag/team": "a"}, False),
        ({"StringEquals": {"aws:PrincipalTag/Team": "a"}}, {"aws:principaltag/team": "a"}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, {"aws:TagKeys": ["team", "x"]}, False),
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, {"aws:SourceIp": "203.0.113.9"}, True),
    ],
)
def test_condition_keys_work_as_in_the_examples_of_aws(condition: Any, context: Any, *, expected: bool) -> None:
    with_name = {"aws:username": "Alice"} | context
    assert expected is decide([statement(ALICE, condition=condition)], context=with_name).allowed
    assert expected is decide([statement(ALICE), deny("*", condition=condition)], context=with_name).explicit
