"""Principals: made, shown, disabled, enabled, tagged and deleted; by a root alone, with IAM's words."""

from collections.abc import Callable
from typing import Any

import pytest

from kmscli import errors
from kmscli.audit.signatures import Here
from kmscli.audit.verify import Verifier
from kmscli.formats.record import RosterRecord
from kmscli.model import limits
from kmscli.service import audits, identitypolicies, principals, slots
from kmscli.service.dispatch import perform
from tests.helpers import Clock, Home, named
from tests.several import acting, admin, allow_use, keyfile_of, made, opens


def refused(call: Callable[[], object]) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        call()
    return caught.value


def names(home: Home) -> tuple[list[str], list[str]]:
    found = principals.list_principals(home.context)
    return [each.user_name for each in found.users], [each.role_name for each in found.roles]


def share_holders(home: Home, key_id: str) -> set[str]:
    with home.context.session.read() as records:
        key = records.key(key_id)
    assert key is not None
    return set(key.shares)


# -- made and shown --


def test_a_user_is_answered_in_the_words_of_iam(home: Home) -> None:
    answer = named(made(home, "bob"))["User"]
    fingerprint = answer.pop("KeyFingerprint")
    assert len(fingerprint) == 64
    assert answer == {
        "Path": "/",
        "UserName": "bob",
        "Arn": "arn:aws:iam::000000000000:user/bob",
        "CreateDate": home.clock().replace(microsecond=123000),
        "Tags": [],
        "State": "enabled",
        "Root": False,
    }


def test_a_role_has_a_name_and_an_arn_of_its_own(home: Home) -> None:
    answer = named(made(home, "ci", kind="role"))["Role"]
    assert (answer["RoleName"], answer["Arn"]) == ("ci", "arn:aws:iam::000000000000:role/ci")


def test_all_are_listed_in_the_order_of_their_names(home: Home) -> None:
    for name in ("zoe", "bob"):
        made(home, name)
    made(home, "ci", kind="role")
    assert names(home) == (["admin", "bob", "zoe"], ["ci"])


def test_who_is_shown_is_shown_with_policies_and_slots(home: Home) -> None:
    made(home, "bob")
    allow_use(home, "bob")
    answer = named(principals.show_principal(home.context, "bob"))
    assert (answer["PolicyNames"], answer["Slots"]) == (["use"], ["first"])
    assert "SharesPending" not in answer


def test_a_name_is_taken_by_users_and_roles_alike(home: Home) -> None:
    made(home, "ci", kind="role")
    keyfile_of(home, "ci").unlink()
    error = refused(lambda: made(home, "ci"))
    assert (error.code, error.exit_code, error.message) == (
        "EntityAlreadyExists",
        21,
        "Role with name ci already exists.",
    )
    assert not keyfile_of(home, "ci").exists()


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 65, "\u00e9"])
def test_what_is_no_name_of_iam_is_refused(home: Home, name: str) -> None:
    def make() -> object:
        path = keyfile_of(home, "new")
        return principals.create_with_keyfile(home.context, name, "user", path, label="first")

    assert refused(make).code == "ValidationException"
    assert not keyfile_of(home, "new").exists()


def test_a_keyfile_is_never_written_over(home: Home) -> None:
    keyfile_of(home, "bob").write_text("mine")
    assert refused(lambda: made(home, "bob")).exit_code == 21
    assert keyfile_of(home, "bob").read_text() == "mine"
    assert names(home)[0] == ["admin"]


def test_a_vault_has_a_bounded_number_of_principals(home: Home) -> None:
    with home.context.session.edit() as draft:
        draft.event = {"eventName": "Test"}
        draft.put("roster", "", RosterRecord(principals=tuple(f"{n:05d}" for n in range(limits.PRINCIPALS_MAX))))
    error = refused(lambda: made(home, "bob"))
    assert (error.code, error.exit_code) == ("LimitExceeded", 31)


def test_nobody_is_shown_who_is_not_there(home: Home) -> None:
    error = refused(lambda: principals.show_principal(home.context, "bob"))
    assert (error.code, error.exit_code) == ("NoSuchEntity", 20)
    assert error.message == "The principal with name bob cannot be found."


# -- who may --

CHANGES: dict[str, Callable[[Any], object]] = {
    "CreateUser": lambda context: principals.create_by_request(context, "eve", "user", b"", path="r"),
    "DisablePrincipal": lambda context: principals.set_state(context, "ci", "disabled"),
    "EnablePrincipal": lambda context: principals.set_state(context, "ci", "enabled"),
    "DeleteRole": lambda context: principals.delete_principal(context, "ci"),
    "TagRole": lambda context: principals.tag_principal(context, "ci", {"Tags": []}),
    "UntagRole": lambda context: principals.untag_principal(context, "ci", {"TagKeys": []}),
    "PutRolePolicy": lambda context: identitypolicies.put_policy(
        context, "ci", {"PolicyName": "p", "PolicyDocument": "{}"}
    ),
    "DeleteRolePolicy": lambda context: identitypolicies.delete_policy(context, "ci", "p"),
}


@pytest.mark.parametrize("operation", CHANGES)
def test_only_a_root_changes_principals_and_the_refusal_is_written_down(home: Home, operation: str) -> None:
    made(home, "ci", kind="role")
    made(home, "bob")
    bob = acting(home, "bob")
    error = refused(lambda: CHANGES[operation](bob))
    assert (error.code, error.exit_code) == ("AccessDeniedException", 30)
    assert f"User: arn:aws:iam::000000000000:user/bob is not authorized to perform: iam:{operation}" in error.message
    assert "root" in error.hint
    assert "kms serve" in error.hint
    line = home.lines()[-1]
    assert (line["eventName"], line["errorCode"], line["signature"]["signer"]) == (operation, error.code, "bob")


def test_everybody_may_look(home: Home) -> None:
    made(home, "bob")
    bob = acting(home, "bob")
    assert [each.user_name for each in principals.list_principals(bob).users] == ["admin", "bob"]
    assert principals.show_principal(bob, "admin").user is not None
    assert [line["eventName"] for line in home.lines()[-2:]] == ["ListPrincipals", "GetUser"]


# -- disabled, enabled, deleted --


def test_who_is_disabled_can_do_nothing_and_is_given_all_back(home: Home) -> None:
    made(home, "bob")
    allow_use(home, "bob")
    key_id = home.create_key()
    bob = acting(home, "bob")
    ciphertext = perform(bob, "Encrypt", {"KeyId": key_id, "Plaintext": b"x"}).ciphertext_blob  # type: ignore[attr-defined]
    assert share_holders(home, key_id) == {"admin", "bob"}
    assert named(principals.set_state(home.context, "bob", "disabled"))["User"]["State"] == "disabled"
    assert share_holders(home, key_id) == {"admin"}
    lines = len(home.lines())
    for context in (bob, acting(home, "bob")):
        for call in (
            lambda: perform(context, "Decrypt", {"CiphertextBlob": ciphertext}),  # noqa: B023 - called in this round
            lambda: perform(context, "ListKeys", {}),  # noqa: B023
            lambda: principals.list_principals(context),  # noqa: B023
            lambda: slots.add_slot(context, home.folder / "x.key", "x"),  # noqa: B023
        ):
            error = refused(call)
            assert (error.code, error.exit_code) == ("AccessDeniedException", 30)
            assert "disabled" in error.message
    assert len(home.lines()) == lines
    principals.set_state(home.context, "bob", "enabled")
    assert share_holders(home, key_id) == {"admin", "bob"}
    assert perform(bob, "Decrypt", {"CiphertextBlob": ciphertext}).plaintext == b"x"  # type: ignore[attr-defined]


def test_what_a_disabled_principal_did_from_memory_is_not_released(home: Home) -> None:
    made(home, "bob")
    allow_use(home, "bob")
    key_id = home.create_key()
    bob = acting(home, "bob")
    perform(bob, "DescribeKey", {"KeyId": key_id})
    principals.set_state(home.context, "bob", "disabled")
    # The session has proved a state in which bob was enabled, and evaluates in it first.
    assert refused(lambda: perform(bob, "DescribeKey", {"KeyId": key_id})).exit_code == 30


def test_a_deleted_principal_leaves_nothing_but_its_lines(home: Home) -> None:
    made(home, "bob")
    allow_use(home, "bob")
    key_id = home.create_key()
    sealed = [slot.seed for slot in home.context.session.vault.slots()[0] if slot.principal == "bob"]
    assert named(principals.delete_principal(home.context, "bob"))["User"]["UserName"] == "bob"
    assert names(home) == (["admin"], [])
    assert share_holders(home, key_id) == {"admin"}
    assert not opens(home, "bob")
    home.close()
    database = (home.folder / "vault.db").read_bytes()
    assert not any(seed[:64] in database or seed[:64].hex().encode() in database for seed in sealed)
    assert b"identity-policy" not in database
    keyfile_of(home, "bob").unlink()
    made(home, "bob")
    assert opens(home, "bob")


@pytest.mark.parametrize(
    "call",
    [
        lambda context: principals.set_state(context, "admin", "disabled"),
        lambda context: principals.delete_principal(context, "admin"),
    ],
)
def test_a_root_is_neither_disabled_nor_deleted(home: Home, call: Callable[[Any], object]) -> None:
    error = refused(lambda: call(home.context))
    assert (error.code, error.exit_code) == ("UnmodifiableEntity", 30)
    assert names(home)[0] == ["admin"]


def test_to_disable_twice_changes_nothing_more(home: Home) -> None:
    made(home, "bob")
    principals.set_state(home.context, "bob", "disabled")
    generation = home.lines()[-1]["vault"]["generation"]
    assert named(principals.set_state(home.context, "bob", "disabled"))["User"]["State"] == "disabled"
    assert home.lines()[-1]["vault"]["generation"] == generation


# -- tags --


def tags_of(answer: principals.PrincipalResponse) -> list[dict[str, str]]:
    found: list[dict[str, str]] = named(answer)["User"]["Tags"]
    return found


def test_tags_are_merged_and_taken_away(home: Home) -> None:
    made(home, "bob")
    first = [{"TagKey": "team", "TagValue": "a"}, {"TagKey": "b", "TagValue": ""}]
    principals.tag_principal(home.context, "bob", {"Tags": first})
    second = principals.tag_principal(home.context, "bob", {"Tags": [{"TagKey": "team", "TagValue": "z"}]})
    assert tags_of(second) == [{"Key": "b", "Value": ""}, {"Key": "team", "Value": "z"}]
    left = principals.untag_principal(home.context, "bob", {"TagKeys": ["b", "nothing"]})
    assert tags_of(left) == [{"Key": "team", "Value": "z"}]


@pytest.mark.parametrize(
    "tags",
    [
        [{"TagKey": "aws:x", "TagValue": "1"}],
        [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}],
        [{"TagKey": f"k{n}", "TagValue": ""} for n in range(51)],
        [{"TagKey": "x" * 129, "TagValue": ""}],
        [{"TagKey": "", "TagValue": ""}],
        [{"TagKey": "x", "TagValue": "x" * 257}],
        [{"TagKey": "x"}],
        "x",
    ],
)
def test_the_rules_of_tags_hold_here_too(home: Home, tags: object) -> None:
    made(home, "bob")
    error = refused(lambda: principals.tag_principal(home.context, "bob", {"Tags": tags}))
    assert error.exit_code == 2
    assert home.lines()[-1]["eventName"] == "TagUser"


# -- the log --


def proved(home: Home) -> audits.VerifyResponse:
    vault = home.open()
    try:
        return audits.verify(vault, full=True)
    finally:
        vault.store.close()


def test_the_log_of_several_principals_is_proved_by_vault_and_third_party(home: Home) -> None:
    made(home, "bob")
    made(home, "ci", kind="role")
    for name in ("bob", "ci"):
        context = acting(home, name)
        principals.list_principals(context)
    principals.set_state(home.context, "ci", "disabled")
    principals.delete_principal(home.context, "bob")
    assert proved(home).lines == len(home.lines())
    fingerprint = bytes.fromhex(home.made.root_fingerprint)
    assert audits.verify_log(home.folder / "audit", fingerprint, full=True).lines == len(home.lines())


def test_a_line_of_a_role_names_the_role(home: Home) -> None:
    made(home, "ci", kind="role")
    principals.list_principals(acting(home, "ci"))
    who = home.lines()[-1]["userIdentity"]
    assert (who["type"], who["arn"], who["userName"]) == ("Role", "arn:aws:iam::000000000000:role/ci", "ci")


def test_each_segment_repeats_who_is_known(home: Home, clock: Clock) -> None:
    (home.folder / "config.toml").write_text("[audit]\nsegment_bytes = 4096\n")
    made(home, "bob")
    made(home, "ci", kind="role")
    bob = acting(home, "bob")
    for _ in range(20):
        clock.move(seconds=1)
        principals.list_principals(bob)
    principals.set_state(admin(home), "ci", "disabled")
    for _ in range(20):
        principals.list_principals(bob)
    begun = [line["segment"] for line in home.lines() if "segment" in line]
    assert len(begun) > 4
    assert "principals" not in begun[0]
    states = [{each["name"]: each["state"] for each in segment.get("principals", [])} for segment in begun]
    assert {"bob": "enabled", "ci": "enabled"} in states
    assert states[-1] == {"bob": "enabled", "ci": "disabled"}
    assert proved(home).segments == len(begun)


def test_changes_that_begin_a_segment_repeat_what_was_known_before_them(home: Home) -> None:
    (home.folder / "config.toml").write_text("[audit]\nsegment_bytes = 4096\n")
    for number in range(6):
        # A line that carries a principal is long enough for every other one to begin a segment.
        made(home, f"p{number}")
        principals.set_state(home.context, f"p{number}", "disabled")
    verifier = Verifier(bytes.fromhex(home.made.root_fingerprint), Here())
    segment = 0
    for line, members in zip(home.raw_lines(), home.lines(), strict=True):
        segment += "segment" in members
        verifier.take(segment, line + b"\n")
    assert verifier.report().segments > 3
    assert proved(home).segments > 3
