"""Decisions under random policies: the product against a plain second evaluator, and laws that no change may break."""

import json
import operator
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscli.model import compiled, explaining
from kmscli.model.decision import Decision, Policies, evaluate
from kmscli.model.granted import Grant
from kmscli.model.request import Request
from tests import naive_policy
from tests.examples import examples

QUICK = settings(max_examples=examples(200), deadline=None, database=None, suppress_health_check=list(HealthCheck))
ACCOUNT, OTHER = "111122223333", "444455556666"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = f"arn:aws:kms:local:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/team/alice"
PRINCIPALS = [
    ALICE,
    f"arn:aws:iam::{ACCOUNT}:user/bob",
    f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/build",
    f"arn:aws:iam::{ACCOUNT}:root",
    f"arn:aws:iam::{OTHER}:user/bob",
]
NAMED = [*PRINCIPALS, f"arn:aws:iam::{ACCOUNT}:role/path/ci", f"arn:aws:iam::{ACCOUNT}:role/cd", ACCOUNT, OTHER, "*"]
ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:CreateGrant", "kms:RetireGrant"]
ACTION_PATTERNS = [*ACTIONS, "kms:decrypt", "kms:*", "*", "kms:Gen*Key", "kms:De?????", "kms:D*", "s3:*"]
RESOURCES = [
    "*",
    KEY,
    f"arn:aws:kms:*:{ACCOUNT}:key/*",
    f"arn:aws:kms:local:{ACCOUNT}:alias/*",
    f"arn:aws:kms:local:{OTHER}:key/*",
    f"arn:aws:kms:local:{ACCOUNT}:key/1234abc?-*-??ef-*",
    "arn:aws:kms:local:${aws:PrincipalTag/account}:key/*",
    f"arn:aws:kms:local:{ACCOUNT}:key/${{aws:username, '1234abcd-12ab-34cd-56ef-1234567890ab'}}",
    f"arn:aws:kms:local:{ACCOUNT}:key/${{*}}",
]
# Kind of operator -> values that policies want; together with the values of requests they meet often.
WANTED = {
    "String": ["alice", "Alice", "al*", "a?ice", "*", "", "${aws:username}", "${*}", "${AWS:username, 'bob'}", "a${$}"],
    "Numeric": ["7", "7.0", "10", "-1", "0.5"],
    "Date": ["2026-03-01T12:00:00Z", "2026-03-01", "2026", "1772366400", "2026-03-01T13:00:00+01:00"],
    "Bool": ["true", "false"],
    "Binary": ["YWI=", "YWJj"],
    "IpAddress": ["203.0.113.0/24", "203.0.113.7", "2001:db8::/32"],
    "Arn": [KEY, "arn:aws:kms:*:*:key/*", "arn:aws:*:key", "arn:*:*:*:*:${aws:username}", "arn:aws:kms:local:*:*"],
}
ACTUAL = [*WANTED["String"][:3], "a$", "*", "b", "bob", "", "7", "7.00", "9", "true", "false", "YWI=", "203.0.113.7"]
ACTUAL += ["2001:db8::1", "2026-03-01T12:00:00Z", "1772366400", KEY, ALICE, "arn:aws:kms:a:b:c:d", "alice:al"]
KEYS = ["aws:username", "aws:PrincipalTag/account", "kms:EncryptionContext:App", "aws:TagKeys", "kms:RequestAlias"]
OPERATORS = {
    "String": "StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase StringLike StringNotLike",
    "Numeric": "NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan",
    "Date": "DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan DateGreaterThanEquals",
    "Bool": "Bool",
    "Binary": "BinaryEquals",
    "IpAddress": "IpAddress NotIpAddress",
    "Arn": "ArnEquals ArnLike ArnNotEquals ArnNotLike",
}
contexts = st.dictionaries(st.sampled_from(["App", "stage"]), st.sampled_from(["alice", "Test"]), max_size=2)
operations = st.lists(st.sampled_from([action.partition(":")[2] for action in ACTIONS]), min_size=1, unique=True)


def some(values: list[str]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


def either(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(st.sampled_from([name, name, name, f"Not{name}"]), values).map(lambda pair: dict([pair]))


def written(name: str, kind: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    names = st.tuples(st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]), st.sampled_from(["", "IfExists"]))
    keys = st.dictionaries(st.sampled_from(KEYS).map(str.upper) | st.sampled_from(KEYS), some(WANTED[kind]), min_size=1)
    return st.tuples(names.map(lambda pair: f"{pair[0]}{name}{pair[1]}"), keys)


NULLS = st.tuples(st.just("Null"), st.dictionaries(st.sampled_from(KEYS), some(["true", "false"]), min_size=1))
CONDITIONS = [written(name, kind) for kind, names in OPERATORS.items() for name in names.split()]
conditions = st.lists(st.one_of([*CONDITIONS, NULLS]), max_size=2).map(dict)


def statements(*, identity: bool) -> st.SearchStrategy[dict[str, Any]]:
    who = either("Principal", st.just("*") | some(NAMED).map(lambda names: {"AWS": names}))
    parts = [
        st.fixed_dictionaries({"Effect": st.sampled_from(["Allow", "Allow", "Deny"])}),
        st.just({}) if identity else who,
        either("Action", some(ACTION_PATTERNS)),
        either("Resource", st.just("*") | some(RESOURCES)),
        st.just({}) | conditions.map(lambda found: {"Condition": found} if found else {}),
    ]
    return st.tuples(*parts).map(lambda found: {name: value for part in found for name, value in part.items()})


def documents(*, identity: bool) -> st.SearchStrategy[dict[str, Any]]:
    version = st.sampled_from([{"Version": "2012-10-17"}, {"Version": "2012-10-17"}, {"Version": "2008-10-17"}, {}])
    left = [] if identity else [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}]
    more = st.sampled_from([[], left])
    given_statements = st.builds(operator.add, st.lists(statements(identity=identity), min_size=1, max_size=3), more)
    return st.tuples(version, given_statements).map(lambda pair: {**pair[0], "Statement": pair[1]})


grants = st.fixed_dictionaries(
    {"grantee": st.sampled_from([name for name in NAMED if name.startswith("arn")]), "operations": operations},
    optional={
        "context_equals": contexts,
        "context_subset": contexts,
        "expires": st.sampled_from([NOW - timedelta(1), NOW, NOW + timedelta(1)]),
        "retiring": st.sampled_from([name for name in NAMED if name.startswith("arn")]),
    },
)
values = st.sampled_from(ACTUAL) | st.lists(st.sampled_from(ACTUAL), max_size=3).map(tuple)
requests = st.fixed_dictionaries(
    {
        "principal": st.sampled_from(PRINCIPALS),
        "action": st.sampled_from(ACTIONS),
        "resource": st.sampled_from([KEY, KEY, KEY, "*"]),
        "now": st.just(NOW),
        "context": st.dictionaries(st.sampled_from(KEYS), values),
        "encryption_context": contexts,
        "constraint": st.sampled_from(["", "EncryptionContextEquals", "EncryptionContextSubset"]),
        "operations": operations.map(tuple),
    }
)
cases = st.fixed_dictionaries(
    {
        "account": st.just(ACCOUNT),
        "key_policy": st.none() | documents(identity=False) | documents(identity=False),
        "identity": st.dictionaries(st.sampled_from("pq"), documents(identity=True), max_size=2),
        "grants": st.lists(grants, max_size=2),
    }
)


def policies_of(case: Mapping[str, Any]) -> Policies:
    key, found = case["key_policy"], enumerate(case["grants"])
    return Policies(
        account=case["account"],
        key=None if key is None else compiled.key_policy(json.dumps(key)),
        identity={name: compiled.identity_policy(json.dumps(one)) for name, one in case["identity"].items()},
        grants=[
            Grant(grant_id=f"{index:064x}", **one | {"operations": tuple(one["operations"])}) for index, one in found
        ],
    )


def decide(request: Mapping[str, Any], case: Mapping[str, Any]) -> Decision:
    return evaluate(Request(**request), policies_of(case))


def with_statement(case: dict[str, Any], statement: dict[str, Any]) -> dict[str, Any]:
    key = case["key_policy"] or {"Version": "2012-10-17", "Statement": []}
    return {**case, "key_policy": {**key, "Statement": [*key["Statement"], statement]}}


@settings(QUICK, max_examples=examples(600))
@given(requests, cases)
def test_two_evaluators_decide_alike(request: dict[str, Any], case: dict[str, Any]) -> None:
    assert naive_policy.allowed(request, **case) == decide(request, case).allowed


@settings(QUICK, max_examples=examples(1500))
@given(condition=st.sampled_from(CONDITIONS), data=st.data(), old=st.booleans())
def test_two_evaluators_judge_a_condition_alike(condition: Any, data: st.DataObject, *, old: bool) -> None:
    name, keys = data.draw(condition)
    request = data.draw(requests)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {name: keys}}
    document = {"Version": "2008-10-17" if old else "2012-10-17", "Statement": statement}
    case = {"account": request["principal"].split(":")[4], "key_policy": document, "identity": {}, "grants": []}
    assert naive_policy.allowed(request, **case) == decide(request, case).allowed


@settings(QUICK, max_examples=examples(1000))
@given(requests, st.lists(grants, min_size=1, max_size=2), st.booleans())
def test_two_evaluators_judge_grants_alike(request: dict[str, Any], given_grants: Any, all_may: Any) -> None:
    nothing = {"Effect": "Allow", "Principal": "*", "Action": "s3:Nothing", "Resource": "*"}
    identity = {"p": {"Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}} if all_may else {}
    case = {"account": ACCOUNT, "key_policy": {"Statement": nothing}, "identity": identity, "grants": given_grants}
    assert naive_policy.allowed(request, **case) == decide(request, case).allowed


@QUICK
@given(requests, cases.filter(lambda case: case["key_policy"]), statements(identity=False))
def test_a_further_deny_never_allows(request: dict[str, Any], case: dict[str, Any], statement: dict[str, Any]) -> None:
    after = decide(request, with_statement(case, statement | {"Effect": "Deny"}))
    assert decide(request, case).allowed or not after.allowed


@QUICK
@given(requests, cases.filter(lambda case: case["key_policy"]), st.data())
def test_an_allow_less_never_allows(request: dict[str, Any], case: dict[str, Any], data: st.DataObject) -> None:
    given_statements = case["key_policy"]["Statement"]
    kept = [one for one in given_statements if one["Effect"] == "Deny" or data.draw(st.booleans())]
    nothing = {"Effect": "Allow", "Principal": "*", "Action": "s3:Nothing", "Resource": "*"}
    less = {**case, "key_policy": {**case["key_policy"], "Statement": [*kept, nothing]}}
    less["grants"] = [grant for grant in case["grants"] if data.draw(st.booleans())]
    less["identity"] = {name: one for name, one in case["identity"].items() if data.draw(st.booleans()) or denies(one)}
    assert decide(request, case).allowed or not decide(request, less).allowed


def denies(document: dict[str, Any]) -> bool:
    return any(one["Effect"] == "Deny" for one in document["Statement"])


@QUICK
@given(requests, cases, st.randoms())
def test_order_never_matters(request: dict[str, Any], case: dict[str, Any], random: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return dict(random.sample([(name, shuffled(one)) for name, one in value.items()], len(value)))
        return random.sample(list(map(shuffled, value)), len(value)) if isinstance(value, list) else value

    assert decide(request, case).allowed == decide(request, shuffled(case)).allowed


@QUICK
@given(requests, cases.filter(lambda case: case["key_policy"]), grants)
def test_a_grant_never_overrides_a_deny(request: dict[str, Any], case: dict[str, Any], grant: dict[str, Any]) -> None:
    before = decide(request, case)
    after = decide(request, {**case, "grants": [*case["grants"], grant]})
    assert after.allowed or not before.allowed
    assert before.explicit == after.explicit
    assert not (after.explicit and after.allowed)


@QUICK
@given(requests, cases)
def test_the_trace_tells_what_decided(request: dict[str, Any], case: dict[str, Any]) -> None:
    decision = decide(request, case)
    looked = explaining.trace(Request(**request), policies_of(case))
    applied = [one for one in looked if one.applies]
    assert decision.explicit == any(one.effect == "Deny" for one in applied)
    assert {*decision.sources} <= {one.source for one in applied}
    assert decision.allowed or decision.denial
