"""Conditions and patterns case by case, from AWS's documentation of operators, set operators and policy variables."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscli.model import compiled, patterns
from kmscli.model.compiled import Check
from kmscli.model.conditions import OPERATORS
from kmscli.model.request import folded
from kmscli.model.wildcards import matches

FINANCE = "arn:aws:someservice:*:111122223333:finance/*"
STORE = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"
USER = "arn:aws:iam::111122223333:user/alice"
CONTEXT = {"aws:username": "alice", "aws:PrincipalTag/star": "*", "aws:PrincipalTag/colon": "a:b", "aws:TagKeys": ["k"]}


def check_of(operator: str, wanted: Any, version: str = "2012-10-17") -> Check:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    condition = {"Condition": {operator: {"kms:Key": wanted}}}
    document = {"Version": version, "Statement": statement | condition}
    return compiled.key_policy(json.dumps(document)).rules[0].checks[0]


def verdict(operator: str, wanted: Any, actual: Any, version: str = "2012-10-17") -> bool | None:
    context = CONTEXT if actual is None else CONTEXT | {"kms:key": actual}
    return check_of(operator, wanted, version).verdict(folded(context))


# IAM user guide, "IAM JSON policy elements: Condition operators".
OPERATOR_CASES: list[tuple[str, Any, Any, bool]] = [
    ("StringEquals", "alias/a", "alias/a", True),
    ("StringEquals", "alias/a", "alias/A", False),
    ("StringEquals", "alias/*", "alias/a", False),
    ("StringEquals", "alias/*", "alias/*", True),
    ("StringEquals", ["a", "b"], "b", True),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", ["a", "b"], "c", True),
    ("StringEqualsIgnoreCase", "Alias/A", "aLIAS/a", True),
    ("StringNotEqualsIgnoreCase", "Alias/A", "aLIAS/a", False),
    ("StringLike", "RSASSA_PSS*", "RSASSA_PSS_SHA_256", True),
    ("StringLike", "RSASSA_PSS*", "rsassa_pss_sha_256", False),
    ("StringLike", "alias/*Test*", "alias/myTest1", True),
    ("StringLike", "RSA_?096", "RSA_4096", True),
    ("StringLike", "RSA_?", "RSA_", False),
    ("StringLike", "a*b*bc", "axbc", False),
    ("StringLike", "a*b*bc", "axbbc", True),
    ("StringLike", FINANCE, STORE, True),
    ("StringNotLike", ["a*", "b*"], "bc", False),
    ("StringNotLike", ["a*", "b*"], "c", True),
    ("NumericEquals", "10", "10.0", True),
    ("NumericNotEquals", 10, "11", True),
    ("NumericLessThan", 10, "9.99", True),
    ("NumericLessThan", 10, "10", False),
    ("NumericLessThanEquals", "1546257599.0", "1546257599", True),
    ("NumericGreaterThan", "-2", "-1", True),
    ("NumericGreaterThan", "9", "10", True),
    ("NumericGreaterThanEquals", ["20", "30"], "25", True),
    ("NumericLessThan", 10, "many", False),
    ("NumericNotEquals", 10, "many", True),
    ("DateEquals", "2020-01-01", "2020-01-01T01:00:00+01:00", True),
    ("DateNotEquals", "2020-01-01T00:00:00Z", "1577836800", False),
    ("DateLessThan", "2020-01-01T00:00:01Z", "2020-01-01T00:00:00Z", True),
    ("DateLessThanEquals", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", True),
    ("DateGreaterThan", "2020-01-01T00:00:01Z", "2020-01-01T00:00:01Z", False),
    ("DateGreaterThanEquals", "2020", "2019-12-31T23:59:59Z", False),
    ("DateLessThan", "2020", "soon", False),
    ("Bool", True, "true", True),
    ("Bool", "false", "true", False),
    ("Bool", "true", "yes", False),
    ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", True),
    ("BinaryEquals", "YWI=", "YWM=", False),
    ("BinaryEquals", "YWI=", "*", False),
    ("IpAddress", "203.0.113.0/24", "203.0.113.255", True),
    ("IpAddress", "203.0.113.0/24", "203.0.114.0", False),
    ("IpAddress", "203.0.113.7", "203.0.113.7", True),
    ("IpAddress", ["203.0.113.0/24", "2001:DB8:1234:5678::/64"], "2001:db8:1234:5678::1", True),
    ("NotIpAddress", ["203.0.113.0/24", "2001:DB8::/32"], "2001:db8::1", False),
    ("NotIpAddress", "203.0.113.0/24", "192.0.2.1", True),
    ("IpAddress", "0.0.0.0/0", "somewhere", False),
    ("ArnLike", "arn:aws:logs:*:111122223333:*", "arn:aws:logs:eu-west-1:111122223333:log-group:g", True),
    ("ArnEquals", "arn:aws:iam::111122223333:user/*", USER, True),
    ("ArnLike", FINANCE, STORE, False),
    ("ArnLike", "arn:aws:logs:*:111122223333:log-group:*", "arn:aws:logs:eu:111122223333:log-group:g", True),
    ("ArnLike", "arn:aws:iam::111122223333:USER/*", USER, False),
    ("ArnNotEquals", "arn:aws:iam::111122223333:user/*", USER, False),
    ("ArnNotLike", "arn:aws:iam::111122223333:role/*", USER, True),
    ("ArnLike", "arn:aws:iam", "arn:aws:iam", False),
    ("ArnLike", "*", USER, False),
]


@pytest.mark.parametrize(("operator", "wanted", "actual", "expected"), OPERATOR_CASES)
def test_an_operator_compares_as_aws_says(operator: str, wanted: Any, actual: str, *, expected: bool) -> None:
    assert expected is verdict(operator, wanted, actual)


VALID = {"numeric": "1", "date": "2020", "bool": "true", "binary": "YWI=", "ip": "203.0.113.7", "null": "true"}


@pytest.mark.parametrize("operator", [name for name in OPERATORS if name != "Null"])
def test_without_the_key_only_negated_operators_and_if_exists_hold(operator: str) -> None:
    wanted = VALID.get(OPERATORS[operator].kind, "x")
    assert OPERATORS[operator].negated is verdict(operator, wanted, None)
    assert verdict(f"{operator}IfExists", wanted, None) is True
    assert verdict(f"ForAllValues:{operator}", wanted, None) is True
    assert verdict(f"ForAnyValue:{operator}", wanted, None) is False


@pytest.mark.parametrize("actual", ["a", ["a", "b"]])
def test_if_exists_changes_nothing_where_the_key_is(actual: Any) -> None:
    assert verdict("StringEqualsIfExists", "x", actual) is False
    assert verdict("StringNotEqualsIfExists", "a", actual) is False
    assert verdict("ForAllValues:StringEqualsIfExists", "x", actual) is False


def test_null_asks_for_absence() -> None:
    assert verdict("Null", "true", None) is True
    assert verdict("Null", "false", None) is False
    assert verdict("Null", "true", "x") is False
    assert verdict("Null", "false", "") is True
    assert verdict("Null", [True, False], "x") is True
    assert verdict("Null", "true", []) is True


# IAM user guide, "Multivalued context keys": attributes of a request against those of a policy.
SETS: list[tuple[str, list[str], list[str], bool]] = [
    ("ForAllValues:StringEquals", ["PostDateTime", "Message", "Tags"], ["PostDateTime", "Message"], True),
    ("ForAllValues:StringEquals", ["PostDateTime", "Message", "Tags"], ["PostDateTime", "UserName"], False),
    ("ForAnyValue:StringEquals", ["ID", "PostDateTime"], ["UserName", "Message", "PostDateTime"], True),
    ("ForAnyValue:StringEquals", ["ID", "PostDateTime"], ["UserName"], False),
    ("ForAllValues:StringNotEquals", ["a"], ["b", "c"], True),
    ("ForAllValues:StringNotEquals", ["a"], ["a", "b"], False),
    ("ForAnyValue:StringNotEquals", ["a"], ["a", "b"], True),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "b"], False),
    ("ForAllValues:StringLike", ["alias/*Test*"], ["alias/Test1", "alias/aTest"], True),
    ("ForAllValues:StringLike", ["alias/*Test*"], ["alias/Test1", "alias/prod"], False),
    ("ForAllValues:StringEquals", ["a"], [""], True),
    ("ForAnyValue:StringEquals", [""], [""], False),
    ("StringEquals", ["a"], ["a", "b"], True),
    ("StringNotEquals", ["a"], ["a", "b"], False),
]


@pytest.mark.parametrize(("operator", "wanted", "actual", "expected"), SETS)
def test_sets_compare_as_aws_says(operator: str, wanted: Any, actual: Any, *, expected: bool) -> None:
    assert expected is verdict(operator, wanted, actual)


# IAM user guide, "IAM policy elements: Variables and tags".
VARIABLES: list[tuple[str, Any, str, bool | None]] = [
    ("StringEquals", "${aws:username}", "alice", True),
    ("StringEquals", "${AWS:UserName}", "alice", True),
    ("StringLike", "home/${aws:username}/*", "home/alice/x", True),
    ("StringLike", "${aws:PrincipalTag/star}", "anything", False),
    ("StringLike", "${aws:PrincipalTag/star}", "*", True),
    ("StringLike", "a${*}b", "a*b", True),
    ("StringLike", "a${*}b", "axb", False),
    ("StringLike", "a${?}*", "a?bc", True),
    ("StringEquals", "${$}{aws:username}", "${aws:username}", True),
    ("StringEquals", "${aws:userid, 'anonymous'}", "anonymous", True),
    ("StringEquals", "${aws:username, 'anonymous'}", "alice", True),
    ("StringEquals", "${aws:userid}", "alice", None),
    ("StringNotEquals", "${aws:userid}", "alice", None),
    ("StringEquals", ["alice", "${aws:userid}"], "alice", None),
    ("StringEquals", ["${aws:username}", "${aws:userid}"], "alice", None),
    ("StringEquals", "${aws:TagKeys}", "k", None),
    ("ArnLike", "arn:aws:iam::111122223333:user/${aws:username}", USER, True),
    ("ArnLike", "arn:aws:x:${aws:PrincipalTag/colon}:c:d", "arn:aws:x:a:b:c:d", False),
    ("ArnLike", "arn:aws:x:r:a:${aws:PrincipalTag/colon}", "arn:aws:x:r:a:a:b", True),
]


@pytest.mark.parametrize(("operator", "wanted", "actual", "expected"), VARIABLES)
def test_variables_stand_for_values_of_the_request(
    operator: str, wanted: Any, actual: str, *, expected: bool | None
) -> None:
    assert expected is verdict(operator, wanted, actual)


def test_a_version_before_variables_takes_them_as_text() -> None:
    assert verdict("StringEquals", "${aws:username}", "${aws:username}", "2008-10-17") is True
    assert verdict("StringEquals", "${aws:username}", "alice", "2008-10-17") is False
    assert verdict("StringLike", "${*}", "${x}", "2008-10-17") is True


def test_if_exists_saves_a_statement_whose_variable_has_no_value() -> None:
    assert verdict("StringEqualsIfExists", "${aws:userid}", None) is True
    assert verdict("StringEquals", "${aws:userid}", None) is None


def test_names_that_differ_by_case_have_the_values_of_both() -> None:
    context = folded({"kms:EncryptionContext:App": "a", "kms:encryptioncontext:APP": "b", "x": []})
    assert context == {"kms:encryptioncontext:app": ("a", "b")}


@given(st.text("ab*?", max_size=8), st.text("ab*?", max_size=8))
def test_patterns_mean_what_the_wildcards_of_policies_mean(pattern: str, text: str) -> None:
    assert matches(pattern, text) is bool(
        patterns.matcher(patterns.read(pattern, variables=True, wildcards=True))(text)
    )


@pytest.mark.parametrize("pattern", ["*a" * 9000 + "b", "*" + "a?" * 2000 + "b", "*a?" * 2000 + "b", "?" * 8000 + "b*"])
def test_a_hostile_pattern_is_quickly_answered(pattern: str) -> None:
    test = patterns.matcher(patterns.read(pattern, variables=False, wildcards=True))
    start = time.perf_counter()
    assert not test("a" * 8192)
    assert time.perf_counter() - start < 5
