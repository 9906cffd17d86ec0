"""Flips of decisions under random policies: each is one, and nothing smaller that was tried is."""

from typing import Any

from hypothesis import given, settings

from kmscli.model import flipping
from kmscli.model.changes import applied
from kmscli.model.decision import evaluate
from kmscli.model.request import Request
from tests.properties.test_policy_decisions import QUICK, cases, policies_of, requests


@settings(QUICK, max_examples=100)
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
