"""Which lines a search finds; a line is what somebody wrote, so any value may stand where another is usual."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.audit.search import Key, Outcome, Wanted, fits, look

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:local:000000000000:key/{KEY_ID}"
TIME = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EVENT: dict[str, Any] = {
    "eventTime": TIME,
    "eventName": "CreateKey",
    "userIdentity": {"userName": "admin", "arn": "arn:aws:iam::000000000000:user/admin"},
    "requestParameters": {"keyId": "alias/app", "tags": [{"tagKey": "a", "tagValue": "b"}]},
    "resources": [{"ARN": KEY_ARN, "type": "AWS::KMS::Key"}],
}


def found(wanted: Wanted, **members: object) -> bool:
    return fits(look(msgspec.json.encode(EVENT | members)), wanted)


def test_a_search_for_nothing_in_particular_finds_every_line() -> None:
    assert found(Wanted())
    assert fits(look(b'{"eventTime":"2026-03-01T12:00:00Z"}'), Wanted())


@pytest.mark.parametrize("name", ["CreateKey", "createkey", "create-key", "CREATE-KEY"])
def test_an_operation_is_named_as_aws_or_as_the_verb_does(name: str) -> None:
    assert found(Wanted(operation=name))
    assert not found(Wanted(operation=name), eventName="CreateAlias")


@pytest.mark.parametrize("name", ["admin", "arn:aws:iam::000000000000:user/admin"])
def test_a_principal_is_named_by_user_name_or_arn(name: str) -> None:
    assert found(Wanted(principal=name))
    assert not found(Wanted(principal=name), userIdentity={"userName": "administrator"})
    assert not found(Wanted(principal=name), userIdentity=None)


def test_a_time_counts_from_since_on_and_until_before_until() -> None:
    assert found(Wanted(since=TIME))
    assert not found(Wanted(since=TIME + SECOND))
    assert found(Wanted(until=TIME + SECOND))
    assert not found(Wanted(until=TIME))


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (None, "ok"),
        ("DryRunOperationException", "ok"),
        ("AccessDeniedException", "denied"),
        ("NotFoundException", "failed"),
        ("InternalError", "failed"),
    ],
)
def test_a_line_has_one_outcome(code: str | None, outcome: Outcome) -> None:
    outcomes: tuple[Outcome, ...] = ("ok", "denied", "failed")
    assert [outcome] == [each for each in outcomes if found(Wanted(outcome=each), errorCode=code)]


def test_a_key_is_found_by_the_resources_of_a_line() -> None:
    assert found(Wanted(key=Key(KEY_ID, frozenset())))
    assert not found(Wanted(key=Key(KEY_ID, frozenset())), resources=[{"ARN": KEY_ARN + "0"}])
    assert not found(Wanted(key=Key(KEY_ID[1:], frozenset())))


@pytest.mark.parametrize("member", ["keyId", "targetKeyId", "aliasName", "destinationKeyId", "sourceKeyId", "alias"])
def test_a_key_is_found_by_what_the_request_called_it(member: str) -> None:
    wanted = Wanted(key=Key(None, frozenset({"alias/x", "other"})))
    assert found(wanted, requestParameters={member: "alias/x"})
    assert not found(wanted, requestParameters={member: "alias/xy"})
    assert not found(wanted, requestParameters={"description": "alias/x"})


def test_every_member_that_is_set_must_fit() -> None:
    assert found(Wanted(principal="admin", operation="CreateKey", outcome="ok"))
    assert not found(Wanted(principal="admin", operation="CreateKey", outcome="failed"))


@pytest.mark.parametrize(
    "members",
    [
        {"requestParameters": {"keyId": ["alias/app"]}},
        {"requestParameters": {"keyId": None}},
        {"requestParameters": None},
        {"requestParameters": {}, "resources": []},
        {"requestParameters": {}, "resources": [{"type": "AWS::KMS::Key"}]},
    ],
)
def test_a_key_is_not_found_where_something_else_stands(members: dict[str, object]) -> None:
    assert not found(Wanted(key=Key("x", frozenset({"alias/app"}))), **members)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b'{"eventTime":5}',
        b'{"eventTime":"2026-03-01T12:00:00"}',
        b'{"eventTime":"2026-03-01T12:00:00Z","userIdentity":"admin"}',
        b'{"eventTime":"2026-03-01T12:00:00Z","a":' + b"[" * 100_000,
    ],
)
def test_what_is_no_line_is_an_error_of_the_log(line: bytes) -> None:
    with pytest.raises(errors.AuditTamperedError):
        look(line)
