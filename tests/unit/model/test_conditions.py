"""The condition operators against AWS's list, and the values that each takes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kmscli.model import conditions

# IAM user guide, "IAM JSON policy elements: Condition operators".
AWS = (
    *(
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
    ),
    *(
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
    ),
    *("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"),
    *(
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "NotIpAddress",
        "ArnEquals",
        "ArnLike",
        "ArnNotEquals",
        "ArnNotLike",
        "Null",
    ),
)


def test_the_operators_are_those_of_aws() -> None:
    assert set(AWS) == set(conditions.OPERATORS)


def test_the_operators_with_not_in_their_name_are_the_negated_ones() -> None:
    assert [name for name in AWS if "Not" in name] == [name for name in AWS if conditions.OPERATORS[name].negated]


@pytest.mark.parametrize("name", [name for name in AWS if name != "Null"])
def test_every_operator_but_null_goes_with_if_exists_and_a_set_operator(name: str) -> None:
    assert ("", name, False) == conditions.parse_operator(name)
    assert ("", name, True) == conditions.parse_operator(f"{name}IfExists")
    assert ("ForAnyValue", name, False) == conditions.parse_operator(f"ForAnyValue:{name}")
    assert ("ForAllValues", name, True) == conditions.parse_operator(f"ForAllValues:{name}IfExists")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "IfExists",
        "NullIfExists",
        "ForAnyValue:Null",
        "ForAnyValue:",
        ":StringEquals",
        "forAnyValue:StringEquals",
        "ForAnyValue:ForAllValues:StringEquals",
        "stringEquals",
        "StringEqualsIfExistsIfExists",
        "StringEquals ",
        "Equals",
    ],
)
def test_another_name_is_no_operator(name: str) -> None:
    assert conditions.parse_operator(name) is None


@pytest.mark.parametrize(
    ("operator", "values"),
    [
        ("StringEquals", ["", "*", "${aws:username}", "ü"]),
        ("ArnLike", ["*", "arn:aws:kms:*:111122223333:key/*"]),
        ("NumericEquals", ["0", "-1", "10", "0.5", "007"]),
        ("DateLessThan", ["2020", "2020-01", "2020-02-29", "2020-01-01T00:00Z", "2020-01-01T00:00:01.5+02:00"]),
        ("DateLessThan", ["0", "1577836800", "10000"]),
        ("Bool", ["true", "false", "${aws:SecureTransport}"]),
        ("BinaryEquals", ["", "QmluYXJ5VmFsdWVJbkJhc2U2NA=="]),
        ("IpAddress", ["203.0.113.0/24", "203.0.113.5", "203.0.113.5/24", "2001:DB8:1234:5678::/64", "::"]),
        ("NotIpAddress", ["0.0.0.0/0"]),
        ("Null", ["true", "false"]),
    ],
)
def test_a_value_of_the_right_form_is_taken(operator: str, values: list[str]) -> None:
    assert ["" for _ in values] == [conditions.misfit(operator, value) for value in values]


@pytest.mark.parametrize(
    ("operator", "values"),
    [
        ("NumericEquals", ["", "x", "1e3", "0x1", "1.", ".5", "1_0", "+1", "١", "9" * 33, "1\n", "NaN"]),
        ("DateLessThan", ["", "x", "2020-13", "2021-02-29", "2020T00:00Z", "2020-01T00:00Z", "2020-01-01T00:00"]),
        ("DateLessThan", ["2020-01-01T25:00Z", "2020-01-01 00:00Z", "2020-01-01T00:00z", "999999999999", "-1", "1.5"]),
        ("DateLessThan", ["2020-01-01T00:00+99:99", "0000-01-01", "20200101T000000Z", "2020-W01"]),
        ("Bool", ["", "True", "1", "yes", "${}", "x${a}"]),
        ("BinaryEquals", ["a", "QQ", "QQ==\n", "Q Q=", "ü", "_-__"]),
        ("IpAddress", ["", "x", "203.0.113.0/33", "203.0.113.0/255.255.255.0", "1", "fe80::1%eth0", "203.0.113"]),
        ("Null", ["", "True", "${aws:username}"]),
    ],
)
def test_another_value_is_told_what_it_must_be(operator: str, values: list[str]) -> None:
    assert "" not in [conditions.misfit(operator, value) for value in values]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2020", datetime(2020, 1, 1, tzinfo=UTC)),
        ("2020-07", datetime(2020, 7, 1, tzinfo=UTC)),
        ("2020-07-04", datetime(2020, 7, 4, tzinfo=UTC)),
        ("2020-07-04T12:30Z", datetime(2020, 7, 4, 12, 30, tzinfo=UTC)),
        ("2020-07-04T12:30:05.25-04:00", datetime(2020, 7, 4, 12, 30, 5, 250000, timezone(timedelta(hours=-4)))),
        ("1577836800", datetime(2020, 1, 1, tzinfo=UTC)),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_date_is_a_time_in_utc(text: str, time: datetime) -> None:
    assert time == conditions.instant(text)
