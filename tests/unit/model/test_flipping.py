"""The fewest changes of a request that flip the decision about it."""

from datetime import timedelta
from typing import Any

import pytest

from kmscli.model import flipping
from kmscli.model.changes import Change, applied
from kmscli.model.decision import evaluate
from kmscli.model.flipping import Flip, flip
from tests.deciding import ALICE, BOB, IT, KEY, NOW, ROOT, asked, deny, grant, statement

SUBJECT = {"context": {"kms:EncryptionContext:Department": "HR", "kms:EncryptionContextKeys": ("Department",)}}
SUBJECT["encryption_context"] = {"Department": "HR"}


def flipped(key: Any = None, *identity: Any, grants: Any = (), **more: Any) -> Flip:
    """The flip, after a look at whether it is one, and whether fewer changes would do."""
    request, policies = asked(key, *identity, grants=grants, **more)
    found = flip(request, policies)
    before = evaluate(request, policies).allowed
    if not found.needs:
        assert evaluate(applied(request, found.changes), policies).allowed != before
        assert found.decision is not None
        assert found.decision.allowed != before
        less = flipping.smaller(request, policies, len(found.changes))
        assert not any(evaluate(applied(request, each), policies).allowed != before for each in less)
    return found


def texts(found: Flip) -> list[str]:
    assert found.needs == ""
    return [str(change) for change in found.changes]


def allowing(condition: Any, **more: Any) -> list[Any]:
    return [statement(ALICE, condition=condition, **more)]


CONDITIONS: dict[str, tuple[Any, list[str]]] = {
    "a pair": ({"StringEquals": {"kms:EncryptionContext:App": "shop"}}, ["encryption context App = shop"]),
    "a name of a pair": (
        {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "App"}},
        ["encryption context App = other"],
    ),
    "a pattern": ({"StringLike": {"kms:RequestAlias": "alias/*"}}, ["kms:RequestAlias = alias/"]),
    "an address": ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, ["aws:SourceIp = 203.0.113.0"]),
    "no address of these": (
        {"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}, "Null": {"aws:SourceIp": "false"}},
        ["aws:SourceIp = other"],
    ),
    "a presence": ({"Null": {"kms:ViaService": "false"}}, ["kms:ViaService = other"]),
    "a time to come": (
        {"DateGreaterThan": {"aws:CurrentTime": "2026-03-02"}},
        ["aws:CurrentTime = 2026-03-02T00:00:01Z"],
    ),
    "a time gone": ({"DateLessThan": {"aws:CurrentTime": "2026-03-01"}}, ["aws:CurrentTime = 2026-02-28T23:59:59Z"]),
    "two of them": (
        {"StringEquals": {"kms:EncryptionContext:App": "shop", "kms:EncryptionContext:Stage": "test"}},
        ["encryption context App = shop", "encryption context Stage = test"],
    ),
    "a pair and a time": (
        {
            "StringEquals": {"kms:EncryptionContext:App": "shop"},
            "DateLessThan": {"aws:CurrentTime": "2026-03-01"},
        },
        ["encryption context App = shop", "aws:CurrentTime = 2026-02-28T23:59:59Z"],
    ),
    "an algorithm": (
        {"StringEquals": {"kms:EncryptionAlgorithm": ["RSAES_OAEP_SHA_256", "SYMMETRIC_DEFAULT"]}},
        ["kms:EncryptionAlgorithm = RSAES_OAEP_SHA_256"],
    ),
}


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS.values(), ids=CONDITIONS)
def test_what_a_refused_request_lacks(condition: Any, expected: list[str]) -> None:
    context = {"aws:CurrentTime": "2026-03-01T12:00:00Z"}
    assert texts(flipped(allowing(condition), context=context)) == expected


def test_what_is_too_much_is_left_out() -> None:
    key = allowing({"Null": {"kms:EncryptionContext:Department": "true"}})
    assert texts(flipped(key, **SUBJECT)) == ["encryption context Department left out"]


def test_a_deny_can_be_evaded() -> None:
    key = [statement(ALICE), deny("*", condition={"StringEquals": {"kms:EncryptionContext:Department": "HR"}})]
    assert texts(flipped(key, **SUBJECT)) == ["encryption context Department = other"]


def test_what_is_allowed_can_be_denied() -> None:
    key = [statement(ALICE), deny("*", condition={"StringEquals": {"kms:EncryptionContext:Department": "IT"}})]
    assert texts(flipped(key, **SUBJECT)) == ["encryption context Department = IT"]


def test_a_grant_tells_its_context_and_its_end() -> None:
    nothing = [statement(BOB)]
    assert texts(flipped(nothing, grants=[grant(context_subset=IT)])) == ["encryption context Department = IT"]
    exact = flipped(nothing, grants=[grant(context_equals={"App": "shop"})], **SUBJECT)
    assert texts(exact) == ["encryption context App = shop", "encryption context Department left out"]
    ended = flipped(nothing, grants=[grant(expires=NOW - timedelta(1))])
    assert texts(ended) == ["aws:CurrentTime = 2026-02-28T11:59:59Z"]


def test_a_new_grant_may_pass_on_less() -> None:
    passing = grant(operations=("CreateGrant", "Decrypt"))
    found = flipped([statement(BOB)], grants=[passing], action="kms:CreateGrant", operations=("Decrypt", "Encrypt"))
    assert texts(found) == ["kms:GrantOperations = Decrypt"]


def test_a_key_of_another_kind_is_another_key() -> None:
    key = allowing({"StringEquals": {"aws:ResourceTag/stage": "test"}})
    found = flipped(key, context={"aws:ResourceTag/stage": "live"})
    assert found.needs == flipping.OTHER_KEY
    assert [str(change) for change in found.changes] == ["aws:ResourceTag/stage = test"]


def test_a_tag_of_who_asks_is_another_principal() -> None:
    found = flipped(allowing({"StringEquals": {"aws:PrincipalTag/team": "shop"}}))
    assert (found.needs, [str(change) for change in found.changes]) == ("principal", ["aws:PrincipalTag/team = shop"])


def test_who_is_named_could() -> None:
    found = flipped([statement(BOB)])
    assert (found.needs, found.other, found.changes) == (flipping.PRINCIPAL, BOB, ())
    granted = flipped([statement(ROOT)], grants=[grant(grantee=BOB)])
    assert (granted.needs, granted.other) == (flipping.PRINCIPAL, BOB)


def test_another_action_could() -> None:
    found = flipped([statement(ALICE, action="kms:DescribeKey")])
    assert (found.needs, found.other) == (flipping.ACTION, "kms:DescribeKey")


def test_nothing_could() -> None:
    assert flipped([statement(ALICE), deny("*")]).needs == flipping.NOTHING
    assert flipped([statement("*")]).needs == flipping.NOTHING
    assert flipped(None, action="kms:CreateKey").needs == flipping.NOTHING


def test_a_condition_that_no_request_meets_is_no_way_out() -> None:
    found = flipped(allowing({"StringEquals": {"kms:GranteePrincipal": BOB}}))
    assert found.needs == flipping.NOTHING


def test_what_takes_more_changes_than_are_tried_is_not_called_impossible() -> None:
    pairs = {f"kms:EncryptionContext:{number}": "x" for number in range(flipping.CHANGES_MAX + 1)}
    assert flipped(allowing({"StringEquals": pairs})).needs == flipping.UNKNOWN


def test_a_search_that_would_take_too_long_says_so() -> None:
    pairs = {f"kms:EncryptionContext:{number}": [f"{value}" for value in range(8)] for number in range(9)}
    assert flipped(allowing({"StringEquals": pairs})).needs == flipping.UNKNOWN


def test_time_and_context_keys_move_together() -> None:
    request, _ = asked([statement(ALICE)], **SUBJECT)
    changes = (
        Change("encryption context", "app", ("shop",)),
        Change("time", "aws:CurrentTime", ("2026-03-01T12:00:01Z",)),
    )
    after = applied(request, changes)
    assert after.encryption_context == {"Department": "HR", "app": "shop"}
    assert after.context["kms:EncryptionContextKeys"] == ("Department", "app")
    assert after.context["kms:EncryptionContext:app"] == "shop"
    assert after.now == NOW + timedelta(seconds=1)
    assert after.context["aws:EpochTime"] == str(int(after.now.timestamp()))
    assert after.resource == KEY
