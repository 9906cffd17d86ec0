"""Findings about random policies, against decisions: what is said to be without effect has none."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kmscli.model import conditionkeys, judging
from kmscli.model.judging import Place
from tests.examples import examples
from tests.properties.test_policy_decisions import ACCOUNT, QUICK, decide, documents, requests

NOTHING = {"Effect": "Allow", "Principal": "*", "Action": "s3:Nothing", "Resource": "*"}


def possible(request: dict[str, Any]) -> dict[str, Any]:
    """The request without condition keys that no such request has."""
    operation = request["action"].partition(":")[2]
    kept = {key: value for key, value in request["context"].items() if conditionkeys.may_be_present(key, operation)}
    return {**request, "context": kept}


@settings(QUICK, max_examples=examples(800))
@given(
    requests.map(possible),
    documents(identity=False),
    st.sampled_from([{}, {"p": {"Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}}]),
)
def test_what_never_applies_can_be_left_out(request: dict[str, Any], document: dict[str, Any], identity: Any) -> None:
    found = judging.judge(json.dumps(document), Place())
    dead = {one.path.split(".")[0] for one in found if one.issue in ("never applies", "no such principal")}
    kept = [one for index, one in enumerate(document["Statement"]) if f"Statement[{index}]" not in dead]
    less = {**document, "Statement": [*kept, NOTHING]}
    rest = {"account": ACCOUNT, "identity": identity, "grants": []}
    before = decide(request, {"key_policy": document, **rest})
    assert before.allowed == decide(request, {"key_policy": less, **rest}).allowed


@settings(QUICK, max_examples=examples(400))
@given(requests.map(possible), documents(identity=False))
def test_what_is_not_open_to_all_is_closed_to_a_stranger(request: dict[str, Any], document: dict[str, Any]) -> None:
    stranger = {**request, "principal": "arn:aws:iam::999999999999:user/stranger"}
    narrowed = {
        name: value for name, value in request["context"].items() if "username" not in name and "Tag" not in name
    }
    identity = {"p": {"Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}}
    case = {"account": ACCOUNT, "identity": identity, "grants": [], "key_policy": document}
    allowed = decide({**stranger, "context": narrowed}, case).allowed
    assert not allowed or any(one.issue == "open to all" for one in judging.judge(json.dumps(document), Place()))
