"""What policies leave open, against decisions in random circumstances: a share must never be missing."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kmscli.model import reach as module
from kmscli.model.decision import evaluate
from kmscli.model.reach import ALWAYS, NEVER, SOMETIMES, facts, outcome, reach
from kmscli.model.request import Request
from tests.examples import examples
from tests.properties.test_policy_decisions import (
    KEYS,
    NOW,
    QUICK,
    cases,
    grants,
    policies_of,
    requests,
    statements,
    values,
    with_statement,
)

ORDER = [NEVER, SOMETIMES, ALWAYS]
KNOWN = ["aws:username", "aws:PrincipalArn", "aws:PrincipalAccount", "kms:CallerAccount"]


def with_facts(request: dict[str, Any]) -> Request:
    known = facts(request["principal"], request["action"])
    given_context = {name: value for name, value in request["context"].items() if name.lower() not in known}
    return Request(**{**request, "context": given_context | dict(known)})


def reached(request: Request, case: dict[str, Any]) -> str:
    return reach(request.principal, request.action, request.resource, policies_of(case), request.now)


@settings(QUICK, max_examples=examples(800))
@given(requests, cases)
def test_a_decision_lies_within_reach(given_request: dict[str, Any], case: dict[str, Any]) -> None:
    request = with_facts(given_request)
    found = reached(request, case)
    allowed = evaluate(request, policies_of(case)).allowed
    assert found != NEVER or not allowed
    assert found != ALWAYS or allowed


facts_alone = st.sampled_from(["StringEquals", "StringLike", "StringNotEquals", "ArnLike", "Null"]).flatmap(
    lambda name: st.dictionaries(
        st.sampled_from(KNOWN),
        st.sampled_from(["true", "false"]) if name == "Null" else st.sampled_from(["alice", "a*", "arn:*:*:*:*:*"]),
        min_size=1,
        max_size=2,
    ).map(lambda keys: {name: keys})
)


@settings(QUICK, max_examples=examples(300))
@given(requests, statements(identity=False), facts_alone)
def test_conditions_about_who_asks_are_decided(
    given_request: dict[str, Any], statement: dict[str, Any], condition: Any
) -> None:
    # With nothing but facts in it, a policy of one statement leaves no doubt.
    statement = statement | {"Condition": condition, "Resource": "*"}
    statement.pop("NotResource", None)
    document = {"Version": "2012-10-17", "Statement": statement}
    case = {"account": given_request["principal"].split(":")[4], "key_policy": document, "identity": {}, "grants": []}
    request = with_facts(given_request)
    known = facts(request.principal, request.action)
    if all(key.lower() in known for keys in condition.values() for key in keys):
        assert reached(request, case) == (ALWAYS if evaluate(request, policies_of(case)).allowed else NEVER)


@QUICK
@given(requests, cases.filter(lambda case: case["key_policy"]), statements(identity=False))
def test_a_further_deny_never_widens(request: dict[str, Any], case: dict[str, Any], statement: dict[str, Any]) -> None:
    before = reached(Request(**request), case)
    after = reached(Request(**request), with_statement(case, statement | {"Effect": "Deny"}))
    assert ORDER.index(after) <= ORDER.index(before)


@QUICK
@given(requests, cases, grants)
def test_a_further_grant_never_narrows(request: dict[str, Any], case: dict[str, Any], grant: dict[str, Any]) -> None:
    before = reached(Request(**request), case)
    after = reached(Request(**request), {**case, "grants": [*case["grants"], grant]})
    assert ORDER.index(after) >= ORDER.index(before)


@settings(QUICK, max_examples=examples(300))
@given(requests, cases)
def test_a_share_is_held_for_each_use_within_reach(given_request: dict[str, Any], case: dict[str, Any]) -> None:
    request, policies = with_facts(given_request), policies_of(case)
    who, key = request.principal, request.resource
    kind = {"key_usage": "ENCRYPT_DECRYPT", "key_spec": "SYMMETRIC_DEFAULT"}
    using = module.actions_on_material(**kind)
    expected = any(reach(who, action, key, policies, NOW) != NEVER for action in using)
    assert module.holds_share(who, key, policies=policies, now=NOW, **kind) == expected


@settings(QUICK, max_examples=examples(400))
@given(requests, cases)
def test_a_request_of_which_all_is_known_is_decided(request: dict[str, Any], case: dict[str, Any]) -> None:
    found = outcome(Request(**request), policies_of(case), lambda _: False)
    assert found == (ALWAYS if evaluate(Request(**request), policies_of(case)).allowed else NEVER)


@settings(QUICK, max_examples=examples(400))
@given(requests, cases, st.sets(st.sampled_from(KEYS)), st.dictionaries(st.sampled_from(KEYS), values))
def test_what_is_unknown_changes_no_decision_that_is_certain(
    request: dict[str, Any], case: dict[str, Any], unknown: set[str], others: dict[str, Any]
) -> None:
    found = outcome(Request(**request), policies_of(case), {key.lower() for key in unknown}.__contains__)
    kept = {key: value for key, value in request["context"].items() if key not in unknown}
    really = {**request, "context": kept | {key: value for key, value in others.items() if key in unknown}}
    if found != SOMETIMES:
        assert evaluate(Request(**really), policies_of(case)).allowed == (found == ALWAYS)
