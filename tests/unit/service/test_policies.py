"""GetKeyPolicy, PutKeyPolicy, ListKeyPolicies, and the Policy of CreateKey."""

import json
from typing import Any

import pytest

from kmscli.model import policy
from tests.helpers import Home

ME = "arn:aws:iam::000000000000:user/admin"
ROOT = "arn:aws:iam::000000000000:root"
OTHER = "arn:aws:iam::000000000000:user/other"
PLAIN = {"Effect": "Allow", "Principal": {"AWS": ME}, "Action": "kms:*", "Resource": "*"}
LOCKOUT = "The new key policy will not allow you to update the key policy in the future."


def text_of(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def stored(home: Home, key_id: str) -> str | None:
    with home.context.session.read() as records:
        key = records.key(key_id)
        return None if key is None else key.policy


def policy_of(home: Home, key_id: str) -> str:
    return str(home.perform("GetKeyPolicy", KeyId=key_id).policy)


def test_a_key_that_was_made_without_a_policy_has_the_default_one(home: Home) -> None:
    key_id = home.create_key()
    assert home.answer("GetKeyPolicy", KeyId=key_id) == {
        "Policy": policy.default("000000000000"),
        "PolicyName": "default",
    }
    assert json.loads(policy_of(home, key_id))["Statement"][0]["Principal"] == {"AWS": ROOT}


def test_the_default_policy_is_not_stored(home: Home) -> None:
    home.create_key()
    assert "policy" not in {kind for kind, *_ in home.lines()[-1]["change"]}


@pytest.mark.parametrize(
    "text",
    [
        text_of(PLAIN),
        json.dumps({"Statement": PLAIN}, indent=7) + "\n\r\n\t ",
        '\n{ "Statement" : [' + json.dumps(PLAIN) + '] , "Id":"\u00e4\u00ff \\u20ac"}',
    ],
)
def test_a_policy_comes_back_as_it_was_written(home: Home, text: str) -> None:
    put, made = home.create_key(), home.create_key(Policy=text)
    assert home.answer("PutKeyPolicy", KeyId=put, Policy=text) == {}
    assert (policy_of(home, put), policy_of(home, made)) == (text, text)


def test_a_policy_is_replaced(home: Home) -> None:
    key_id = home.create_key(Policy=text_of(PLAIN))
    home.perform("PutKeyPolicy", KeyId=key_id, PolicyName="default", Policy=policy.default("000000000000"))
    assert policy_of(home, key_id) == policy.default("000000000000")


def test_the_only_name_of_a_policy_is_default(home: Home) -> None:
    key_id = home.create_key()
    assert home.answer("ListKeyPolicies", KeyId=key_id) == {"PolicyNames": ["default"], "Truncated": False}
    assert home.answer("GetKeyPolicy", KeyId=key_id, PolicyName="default")["PolicyName"] == "default"
    for operation, members in (("GetKeyPolicy", {}), ("PutKeyPolicy", {"Policy": text_of(PLAIN)})):
        error = home.refused(operation, KeyId=key_id, PolicyName="Default", **members)
        assert (error.code, error.message) == ("NotFoundException", "No such policy exists")


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "d\u00e9fault"])
def test_a_name_that_no_policy_can_have_breaks_its_pattern(home: Home, name: str) -> None:
    error = home.refused("GetKeyPolicy", KeyId=home.create_key(), PolicyName=name)
    assert (error.code, "'policyName'" in error.message) == ("ValidationException", True)


@pytest.mark.parametrize("given", ["x", "ListKeyPolicies", "TGlzdEtleVBvbGljaWVzOg=="])
def test_there_is_no_second_page_of_policies(home: Home, given: str) -> None:
    key_id = home.create_key()
    assert home.refused("ListKeyPolicies", KeyId=key_id, Marker=given).code == "InvalidMarkerException"
    assert home.perform("ListKeyPolicies", KeyId=key_id, Limit=1).next_marker is None


# -- lockout -----------------------------------------------------------------------------------------------------------

LOCKED_OUT: list[list[dict[str, Any]]] = [
    [PLAIN | {"Principal": {"AWS": OTHER}}],
    [PLAIN | {"Action": "kms:Decrypt"}],
    [PLAIN | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}],
    [PLAIN, PLAIN | {"Effect": "Deny", "Action": "kms:PutKeyPolicy"}],
    [PLAIN | {"Resource": "arn:aws:kms:local:000000000000:key/12345678-1234-1234-1234-123456789012"}],
]


@pytest.mark.parametrize("statements", LOCKED_OUT)
def test_a_policy_that_locks_its_author_out_is_refused_unless_he_insists(
    home: Home, statements: list[dict[str, Any]]
) -> None:
    key_id, text = home.create_key(), text_of(*statements)
    keys = home.answer("ListKeys")
    requests: list[tuple[str, dict[str, Any]]] = [
        ("PutKeyPolicy", {"KeyId": key_id, "Policy": text}),
        ("PutKeyPolicy", {"KeyId": key_id, "Policy": text, "BypassPolicyLockoutSafetyCheck": False}),
        ("CreateKey", {"Policy": text}),
    ]
    for operation, members in requests:
        error = home.refused(operation, **members)
        assert (error.code, error.exit_code, error.message) == ("MalformedPolicyDocumentException", 2, LOCKOUT)
        assert "--bypass-policy-lockout-safety-check" in error.hint
    assert (policy_of(home, key_id), home.answer("ListKeys")) == (policy.default("000000000000"), keys)
    home.perform("PutKeyPolicy", KeyId=key_id, Policy=text, BypassPolicyLockoutSafetyCheck=True)
    made = home.create_key(Policy=text, BypassPolicyLockoutSafetyCheck=True)
    assert [stored(home, each) for each in (key_id, made)] == [text, text]
    # He may have allowed himself something else; but no root changes a policy against its word.
    assert home.refused("PutKeyPolicy", KeyId=key_id, Policy=policy.default("000000000000")).exit_code == 30


@pytest.mark.parametrize("principal", [{"AWS": ME}, {"AWS": ROOT}, {"AWS": "000000000000"}, "*", {"AWS": [OTHER, ME]}])
def test_whoever_is_named_in_any_way_is_not_locked_out(home: Home, principal: object) -> None:
    home.create_key(Policy=text_of(PLAIN | {"Principal": principal}))


def test_a_policy_may_name_its_own_key(home: Home) -> None:
    key_id = home.create_key()
    text = text_of(PLAIN | {"Resource": home.arn(key_id)})
    home.perform("PutKeyPolicy", KeyId=key_id, Policy=text)
    assert policy_of(home, key_id) == text
    denied = text_of(PLAIN, PLAIN | {"Effect": "Deny", "Resource": home.arn(key_id)})
    assert home.refused("PutKeyPolicy", KeyId=key_id, Policy=denied).message == LOCKOUT


def test_a_bypass_lets_nothing_else_pass(home: Home) -> None:
    key_id = home.create_key()
    for text in ("{}", text_of(PLAIN) + "x", text_of({"Effect": "Deny", "Principal": "*", "Action": "kms:*"})):
        error = home.refused("PutKeyPolicy", KeyId=key_id, Policy=text, BypassPolicyLockoutSafetyCheck=True)
        assert error.code == "MalformedPolicyDocumentException"


def test_a_bypass_needs_no_policy(home: Home) -> None:
    assert policy_of(home, home.create_key(BypassPolicyLockoutSafetyCheck=True)) == policy.default("000000000000")


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "This policy contains invalid Json: line 1, column 1: Expecting value"),
        ("{}", "Missing required field Statement (Statement)"),
        (text_of(PLAIN, PLAIN | {"Effect": "allow"}), "Invalid effect: allow (Statement[1].Effect)"),
        (
            text_of(PLAIN | {"Principal": {"AWS": [ME, "x"]}}),
            "Policy contains a statement with one or more invalid principals. (Statement[0].Principal.AWS[1])",
        ),
        (
            text_of({name: value for name, value in PLAIN.items() if name != "Resource"}),
            "Policy statement must contain resources. (Statement[0])",
        ),
    ],
)
def test_a_malformed_policy_is_refused_with_the_place_of_its_fault(home: Home, text: str, message: str) -> None:
    key_id = home.create_key()
    requests: list[tuple[str, dict[str, Any]]] = [
        ("PutKeyPolicy", {"KeyId": key_id, "Policy": text}),
        ("CreateKey", {"Policy": text}),
    ]
    for operation, members in requests:
        error = home.refused(operation, **members)
        assert (error.code, error.exit_code, error.message) == ("MalformedPolicyDocumentException", 2, message)
    assert policy_of(home, key_id) == policy.default("000000000000")


def padded(size: int, character: str = " ") -> str:
    """A policy of so many bytes."""
    text = json.dumps({"Id": "@", "Statement": PLAIN})
    room = size - len(text.encode()) + 1
    return text.replace("@", character * (room // len(character.encode())) + " " * (room % len(character.encode())))


@pytest.mark.parametrize("character", ["x", "\u00ff"])
def test_a_policy_has_at_most_32768_bytes(home: Home, character: str) -> None:
    key_id = home.create_key()
    most, more = padded(32_768, character), padded(32_769, character)
    assert (len(most.encode()), len(more.encode())) == (32_768, 32_769)
    home.perform("PutKeyPolicy", KeyId=key_id, Policy=most)
    for operation, members in (("PutKeyPolicy", {"KeyId": key_id}), ("CreateKey", {})):
        error = home.refused(operation, **members, Policy=more, BypassPolicyLockoutSafetyCheck=True)
        assert (error.code, error.exit_code) == ("LimitExceededException", 31)
    assert policy_of(home, key_id) == most


@pytest.mark.parametrize("text", ["", "\u0100", "\x00", "\x0b", "x" * 131_073])
def test_a_text_outside_the_shape_is_a_validation_error(home: Home, text: str) -> None:
    error = home.refused("PutKeyPolicy", KeyId=home.create_key(), Policy=text)
    assert (error.code, "'policy'" in error.message) == ("ValidationException", True)


def test_a_policy_can_be_read_and_put_in_any_state(home: Home) -> None:
    disabled, gone, empty = home.create_key(Alias="alias/app"), home.create_key(), home.create_key(Origin="EXTERNAL")
    home.perform("DisableKey", KeyId=disabled)
    home.perform("ScheduleKeyDeletion", KeyId=gone)
    for name in ("alias/app", disabled, home.arn(gone), empty):
        home.perform("PutKeyPolicy", KeyId=name, Policy=text_of(PLAIN))
        assert policy_of(home, name) == text_of(PLAIN)


def test_the_key_is_looked_for_before_the_name_and_the_name_before_the_text(home: Home) -> None:
    key_id = home.create_key()
    error = home.refused("PutKeyPolicy", KeyId="alias/none", PolicyName="x", Policy="x")
    assert error.message == "Alias arn:aws:kms:local:000000000000:alias/none is not found."
    assert home.refused("PutKeyPolicy", KeyId=key_id, PolicyName="x", Policy="x").message == "No such policy exists"


def test_the_length_is_looked_at_before_the_grammar(home: Home) -> None:
    error = home.refused("PutKeyPolicy", KeyId=home.create_key(), Policy="x" * 40_000)
    assert error.code == "LimitExceededException"


def test_a_policy_goes_with_its_key(home: Home, clock: Any) -> None:
    key_id = home.create_key(Policy=text_of(PLAIN))
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=8)
    assert home.refused("GetKeyPolicy", KeyId=key_id).code == "NotFoundException"
