"""Flips of decisions under random policies: each is one, and nothing smaller that was tried is."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kmscli.model import flipping
from kmscli.model.changes import OF_REQUEST, applied, belongs_to
from kmscli.model.decision import evaluate
from kmscli.model.request import Request
from tests.examples import examples
from tests.properties.test_policy_decisions import KEYS, NOW, QUICK, cases, policies_of, requests


@settings(QUICK, max_examples=examples(100))
@given(requests, cases)
def test_a_flip_flips_and_no_smaller_one_does(request: dict[str, Any], case: dict[str, Any]) -> None:
    asked, policies = Request(**request), policies_of(case)
    before = evaluate(asked, policies).allowed
    found = flipping.flip(asked, policies)
    if not found.needs:
        assert evaluate(applied(asked, found.changes), policies).allowed != before
        less = flipping.smaller(asked, policies, len(found.changes))
        assert not any(evaluate(applied(asked, each), policies).allowed != before for each in less)
    if found.decision is not None:
        assert found.decision.allowed != before


@settings(QUICK, max_examples=examples(300))
@given(requests, cases, requests, st.sampled_from([NOW, NOW - timedelta(2), NOW + timedelta(2)]))
def test_where_no_change_of_the_request_flips_none_does(
    request: dict[str, Any], case: dict[str, Any], other: dict[str, Any], now: datetime
) -> None:
    asked, policies = Request(**request), policies_of(case)
    if flipping.flip(asked, policies).needs in ("", flipping.UNKNOWN):
        return
    own = [key for key in KEYS if belongs_to(key, asked.action) == OF_REQUEST]
    kept = {key: value for key, value in asked.context.items() if key not in own}
    changed = {key: value for key, value in other["context"].items() if key in own}
    members = {name: other[name] for name in ("encryption_context", "constraint", "operations")}
    after = Request(**{**request, **members, "now": now, "context": kept | changed})
    assert evaluate(after, policies).allowed == evaluate(asked, policies).allowed
