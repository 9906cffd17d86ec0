"""Past uses of a key, decided under another policy."""

from collections.abc import Iterator
from typing import Any

import pytest

from kmscli.service.replaying import PolicyReplayResponse, replay
from tests.helpers import Home
from tests.principals import ACCOUNT_ROOT, ADMIN, ALICE, BOB, DELEGATED, People, deny, document, statement

SHOP = {"StringEquals": {"kms:EncryptionContext:app": "shop"}}
FREE = statement([ALICE, BOB], Sid="free")


@pytest.fixture
def people(home: Home) -> Iterator[People]:
    found = People(home).add("alice").add("bob")
    yield found
    found.close()


def replayed(people: People, key_id: str, *statements: Any, **more: Any) -> PolicyReplayResponse:
    vault = people.home.open()
    try:
        return replay(vault, document(*statements), key_id, **more)
    finally:
        vault.store.close()


def told(found: PolicyReplayResponse) -> list[tuple[str, str, str, str]]:
    return [(one.principal, one.action, one.then, one.now) for one in found.otherwise]


def test_the_present_policy_decides_as_it_did(people: People) -> None:
    key_id = people.home.create_key(Policy=document(DELEGATED, FREE))
    people.home.perform("CreateAlias", AliasName="alias/a", TargetKeyId=key_id)
    sealed = people.perform("bob", "Encrypt", KeyId="alias/a", Plaintext=b"x").ciphertext_blob
    people.perform("alice", "Decrypt", CiphertextBlob=sealed)
    people.perform("alice", "ReEncrypt", CiphertextBlob=sealed, DestinationKeyId=key_id)
    people.refused("bob", "CreateGrant", KeyId=key_id, GranteePrincipal=ALICE, Operations=["Decrypt"])
    found = replayed(people, key_id, DELEGATED, FREE)
    # CreateAlias, Encrypt, Decrypt and the halves of ReEncrypt; what only a root may do was not decided by a policy.
    assert (found.decided, found.undecided, told(found)) == (5, 1, [])


def test_a_use_that_would_be_denied_is_told(people: People) -> None:
    key_id = people.home.create_key(Policy=document(DELEGATED, FREE))
    shop = {"EncryptionContext": {"app": "shop"}}
    people.perform("bob", "Encrypt", KeyId=key_id, Plaintext=b"x")
    people.perform("bob", "Encrypt", KeyId=key_id, Plaintext=b"x", **shop)
    found = replayed(people, key_id, DELEGATED, {**FREE, "Condition": SHOP})
    assert (found.decided, found.undecided) == (2, 0)
    assert told(found) == [("bob", "kms:Encrypt", "allow", "deny")]
    assert found.otherwise[0].present == "allow"


def test_a_use_that_would_be_allowed_is_told(people: People) -> None:
    key_id = people.home.create_key(Policy=document(DELEGATED))
    people.refused("bob", "Encrypt", KeyId=key_id, Plaintext=b"x")
    found = replayed(people, key_id, DELEGATED, FREE)
    assert told(found) == [("bob", "kms:Encrypt", "deny", "allow")]


def test_halves_of_a_reencryption_are_decided_apart(people: People) -> None:
    source = people.home.create_key(Policy=document(DELEGATED, FREE))
    target = people.home.create_key(Policy=document(DELEGATED, FREE))
    sealed = people.home.perform("Encrypt", KeyId=source, Plaintext=b"x").ciphertext_blob
    people.perform("bob", "ReEncrypt", CiphertextBlob=sealed, DestinationKeyId=target)
    nothing = deny("*", Action="kms:ReEncrypt*")
    assert told(replayed(people, source, DELEGATED, FREE, nothing)) == [("bob", "kms:ReEncryptFrom", "allow", "deny")]
    assert told(replayed(people, target, DELEGATED, FREE, nothing)) == [("bob", "kms:ReEncryptTo", "allow", "deny")]


def test_what_the_log_does_not_say_is_left_undecided(people: People) -> None:
    key_id = people.home.create_key(Policy=document(DELEGATED, FREE))
    people.perform("bob", "Encrypt", KeyId=key_id, Plaintext=b"x")
    tagged = {**FREE, "Condition": {"StringEquals": {"aws:PrincipalTag/team": "shop"}}}
    found = replayed(people, key_id, DELEGATED, tagged)
    assert (found.decided, found.undecided, told(found)) == (0, 1, [])


def test_what_a_grant_that_is_gone_allowed_is_left_undecided(people: People) -> None:
    key_id = people.home.create_key(Policy=document(DELEGATED))
    granted = people.home.perform("CreateGrant", KeyId=key_id, GranteePrincipal=BOB, Operations=["Encrypt"])
    people.perform("bob", "Encrypt", KeyId=key_id, Plaintext=b"x")
    kept = replayed(people, key_id, DELEGATED)
    assert (kept.decided, kept.undecided, told(kept)) == (2, 0, [])
    people.home.perform("RevokeGrant", KeyId=key_id, GrantId=granted.grant_id)
    gone = replayed(people, key_id, DELEGATED)
    assert (gone.decided, gone.undecided, told(gone)) == (2, 1, [])


def test_a_grant_allows_nothing_before_it_was_made(people: People) -> None:
    key_id = people.home.create_key(Policy=document(DELEGATED))
    people.refused("bob", "Encrypt", KeyId=key_id, Plaintext=b"x")
    people.home.clock.move(seconds=10)  # type: ignore[attr-defined]
    people.home.perform("CreateGrant", KeyId=key_id, GranteePrincipal=BOB, Operations=["Encrypt"])
    assert told(replayed(people, key_id, DELEGATED)) == []


def test_only_later_lines_are_decided(people: People) -> None:
    key_id = people.home.create_key(Policy=document(DELEGATED, FREE))
    people.perform("bob", "Encrypt", KeyId=key_id, Plaintext=b"x")
    people.home.clock.move(hours=1)  # type: ignore[attr-defined]
    people.perform("alice", "Encrypt", KeyId=key_id, Plaintext=b"x")
    since = people.home.clock.now  # type: ignore[attr-defined]
    found = replayed(people, key_id, statement(ADMIN), since=since.replace(microsecond=0))
    assert told(found) == [("alice", "kms:Encrypt", "allow", "deny")]


def test_facts_of_the_request_and_the_time_are_those_of_the_line(people: People) -> None:
    key_id = people.home.create_key(Policy=document(DELEGATED, FREE), KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")
    for kind, message in (("RAW", b"x"), ("DIGEST", bytes(32))):
        people.perform("bob", "Sign", KeyId=key_id, Message=message, MessageType=kind, SigningAlgorithm="ECDSA_SHA_256")
    raw = {"StringEquals": {"kms:MessageType": "RAW"}, "DateLessThan": {"aws:CurrentTime": "2026-03-02"}}
    found = replayed(people, key_id, DELEGATED, {**FREE, "Condition": raw})
    assert (found.decided, told(found)) == (2, [("bob", "kms:Sign", "allow", "deny")])


def test_who_left_may_have_had_any_policies(people: People) -> None:
    key_id = people.home.create_key(Policy=document(DELEGATED, FREE))
    people.perform("bob", "Encrypt", KeyId=key_id, Plaintext=b"x")
    people.close()
    with people._change("DeleteUser", "bob") as change:
        change.draft.delete("principal", "bob")
    left_to_the_account = replayed(people, key_id, statement(ACCOUNT_ROOT))
    assert (left_to_the_account.decided, left_to_the_account.undecided) == (0, 1)
    assert told(replayed(people, key_id, statement(ADMIN))) == [("bob", "kms:Encrypt", "allow", "deny")]
