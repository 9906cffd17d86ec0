"""Policies that are attached to principals: kept as they were written, bounded as IAM's inline policies."""

import json
from collections.abc import Callable

import pytest

from kmscli import errors
from kmscli.service import identitypolicies as policies
from kmscli.service import principals
from tests.helpers import Home, named
from tests.several import ALL_USE, made


def refused(call: Callable[[], object]) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        call()
    return caught.value


def put(home: Home, name: str, policy: str, document: str = ALL_USE) -> None:
    policies.put_policy(home.context, name, {"PolicyName": policy, "PolicyDocument": document})


def padded(size: int) -> str:
    """A policy of `size` characters, white space not counted, and much of that."""
    document = ALL_USE.replace('"Statement"', '"Statement" \n\t ')
    empty = document.replace('"Effect"', '"Sid":"","Effect"')
    missing = size - len("".join(empty.split()))
    return document.replace('"Effect"', f'"Sid":"{"x" * missing}","Effect"')


@pytest.mark.parametrize(("kind", "member"), [("user", "UserName"), ("role", "RoleName")])
def test_a_policy_comes_back_as_it_was_written(home: Home, kind: principals.Kind, member: str) -> None:
    made(home, "bob", kind=kind)
    text = json.dumps(json.loads(ALL_USE), indent=2)
    put(home, "bob", "use", text)
    answer = named(policies.get_policy(home.context, "bob", "use"))
    assert (answer[member], answer["PolicyName"], answer["Text"]) == ("bob", "use", text)
    assert answer["PolicyDocument"] == json.loads(ALL_USE)


def test_a_policy_of_the_same_name_is_replaced(home: Home) -> None:
    made(home, "bob")
    put(home, "bob", "use")
    other = ALL_USE.replace("Allow", "Deny")
    put(home, "bob", "use", other)
    assert policies.get_policy(home.context, "bob", "use").text == other
    assert principals.show_principal(home.context, "bob").policy_names == ["use"]


def test_a_deleted_policy_is_gone(home: Home) -> None:
    made(home, "bob")
    put(home, "bob", "use")
    policies.delete_policy(home.context, "bob", "use")
    for call in (policies.get_policy, policies.delete_policy):
        error = refused(lambda: call(home.context, "bob", "use"))  # noqa: B023 - called in this round
        assert (error.code, error.exit_code) == ("NoSuchEntity", 20)
        assert error.message == "The user policy with name use cannot be found."


@pytest.mark.parametrize(("kind", "most"), [("user", 2048), ("role", 10240)])
def test_the_policies_of_a_principal_are_bounded_together_white_space_not_counted(
    home: Home, kind: principals.Kind, most: int
) -> None:
    made(home, "bob", kind=kind)
    put(home, "bob", "a", padded(most - 300))
    put(home, "bob", "b", padded(300))
    put(home, "bob", "a", padded(most - 300))  # over itself, which is not counted twice
    error = refused(lambda: put(home, "bob", "b", padded(301)))
    assert (error.code, error.exit_code) == ("LimitExceeded", 31)
    assert f"Maximum policy size of {most} bytes exceeded for {kind} bob" in error.message


@pytest.mark.parametrize(
    "document", ["{}", "[]", "no json", ALL_USE.replace('"Effect"', '"Principal":"*","Effect"'), '{"a":1,"a":2}']
)
def test_what_is_no_identity_policy_is_refused(home: Home, document: str) -> None:
    made(home, "bob")
    error = refused(lambda: put(home, "bob", "use", document))
    assert (error.code, error.exit_code) == ("MalformedPolicyDocumentException", 2)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 129])
def test_what_is_no_name_of_a_policy_is_refused(home: Home, name: str) -> None:
    made(home, "bob")
    assert refused(lambda: put(home, "bob", name)).code == "ValidationException"


def test_a_policy_needs_a_principal(home: Home) -> None:
    assert refused(lambda: put(home, "bob", "use")).code == "NoSuchEntity"


def test_lines_have_the_names_of_iam(home: Home) -> None:
    made(home, "bob")
    put(home, "bob", "use")
    line = home.lines()[-1]
    assert line["eventName"] == "PutUserPolicy"
    assert line["requestParameters"] == {"userName": "bob", "policyName": "use", "policyDocument": ALL_USE}
