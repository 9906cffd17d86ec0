"""Shares that follow what principals may use: in batches, through interruptions and in time, and what is said of it."""

import os
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from kmscli import errors
from kmscli.service import due, sharing, vaults
from kmscli.service.context import Change
from kmscli.storage.sqlite import Store
from kmscli.vault.records import KeyGroup
from tests.helpers import START, Clock, forked
from tests.importing import bring, external, reuse_wrapping_keys
from tests.principals import ADMIN, ALICE, BOB, DELEGATED, People, deny, document, quick_folder, statement
from tests.ring import Ring

ALL = statement()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ring]:
    """A vault in memory."""
    reuse_wrapping_keys(monkeypatch)
    with quick_folder("sharing") as folder:
        made = Ring(folder)
        made.clock = clock
        made.init()
        yield made
        made.close()


@pytest.fixture
def people(ring: Ring) -> Iterator[People]:
    made = People(ring).add("alice").add("bob")
    yield made
    made.close()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that looks at no more than three keys for a principal."""
    monkeypatch.setattr(sharing, "AT_ONCE", 3)


def holding(people: People, keys: list[str], name: str = "alice") -> list[str]:
    return [key for key in keys if name in people.holders(key)]


def in_order(people: People) -> list[str]:
    """The ids of all keys in the order in which a walk meets them."""
    with people.home.context.session.read() as records:
        return [name.removeprefix("key/") for _, name in records.group_names("key/", (0, ""))]


def pending(ring: Ring) -> list[str] | None:
    vault = ring.open()
    found = vaults.status(vault).pending_shares
    vault.store.close()
    return found


def key_of(ring: Ring, key_id: str) -> KeyGroup:
    with ring.context.session.read() as records:
        found = records.key(key_id)
    assert found is not None
    return found


def put_policy(ring: Ring, key_id: str, *statements: dict[str, Any]) -> None:
    ring.perform("PutKeyPolicy", KeyId=key_id, Policy=document(*statements))


# -- more keys than one change looks at --------------------------------------------------------------------------------


def test_the_first_keys_follow_in_the_change_itself_and_the_others_later(ring: Ring, people: People, few: None) -> None:
    keys = [ring.create_key() for _ in range(10)]
    people.attach("alice", ALL)
    assert in_order(people)[:3] == [key for key in in_order(people) if "alice" in people.holders(key)]
    assert ["alice"] == pending(ring)
    before = len(ring.lines())
    assert due.run_due(ring.context).share_walks == 3
    assert keys == holding(people, keys)
    assert pending(ring) is None
    lines = ring.lines()[before:]
    assert ["ShareKeys"] * 3 == [line["eventName"] for line in lines]
    told = [line["serviceEventDetails"] for line in lines]
    assert [{"principal": "alice", "complete": number == 2} for number in range(3)] == told
    assert due.run_due(ring.context).share_walks is None
    assert len(ring.lines()) == before + 3


@pytest.mark.parametrize("count", range(2, 8))
def test_no_key_is_left_out_whatever_their_number(ring: Ring, people: People, few: None, count: int) -> None:
    keys = [ring.create_key() for _ in range(count)]
    people.attach("alice", ALL)
    assert (pending(ring) is not None) == (count > 3)
    due.run_due(ring.context)
    assert keys == holding(people, keys)
    people.attach("alice")
    assert (pending(ring) is not None) == (count > 3)
    due.run_due(ring.context)
    assert [] == holding(people, keys)
    assert pending(ring) is None


def test_a_share_that_is_not_made_yet_is_told(ring: Ring, people: People, few: None) -> None:
    for _ in range(5):
        ring.create_key()
    people.attach("alice", ALL)
    late = in_order(people)[-1]
    error = people.refused("alice", "Encrypt", KeyId=late, Plaintext=b"x")
    assert ("AccessDeniedException", 30) == (error.code, error.exit_code)
    assert "its share of the key is not made yet" in error.message
    assert "kms run-due" in str(error.hint)
    people.perform("alice", "DescribeKey", KeyId=late)
    due.run_due(ring.context)
    people.perform("alice", "Encrypt", KeyId=late, Plaintext=b"x")


def test_what_is_taken_away_is_refused_at_once_also_where_the_share_is_still_there(
    ring: Ring, people: People, few: None
) -> None:
    keys = [ring.create_key() for _ in range(5)]
    people.attach("alice", ALL)
    due.run_due(ring.context)
    people.attach("alice")
    late = in_order(people)[-1]
    assert "alice" in people.holders(late)
    for key in keys:
        error = people.refused("alice", "Encrypt", KeyId=key, Plaintext=b"x")
        assert "no identity-based policy allows" in error.message
    due.run_due(ring.context)
    assert [] == holding(people, keys)


def test_a_change_of_mind_begins_the_walk_anew(ring: Ring, people: People, few: None) -> None:
    keys = [ring.create_key() for _ in range(8)]
    people.attach("alice", ALL)
    people.attach("alice", ALL, deny(Resource=[ring.arn(key) for key in keys[:4]]))
    assert ["alice"] == pending(ring)
    due.run_due(ring.context)
    assert keys[4:] == holding(people, keys)


def test_walks_of_several_principals_wait_side_by_side(ring: Ring, people: People, few: None) -> None:
    keys = [ring.create_key() for _ in range(5)]
    people.attach("bob", ALL)
    people.attach("alice", ALL)
    assert ["alice", "bob"] == pending(ring)
    due.run_due(ring.context)
    assert keys == holding(people, keys) == holding(people, keys, "bob")


def test_who_is_disabled_while_his_walk_is_not_done_holds_nothing_in_the_end(
    ring: Ring, people: People, few: None
) -> None:
    keys = [ring.create_key() for _ in range(8)]
    people.attach("alice", ALL)
    people.set_state("alice", "disabled")
    due.run_due(ring.context)
    assert [] == holding(people, keys)
    people.set_state("alice", "enabled")
    due.run_due(ring.context)
    assert keys == holding(people, keys)


def test_keys_that_are_made_and_changed_meanwhile_are_right_at_once(ring: Ring, people: People, few: None) -> None:
    keys = [ring.create_key() for _ in range(8)]
    people.attach("alice", ALL)
    late, closed = in_order(people)[-2:]
    put_policy(ring, late, statement([ADMIN, ALICE]))
    put_policy(ring, closed, statement(ADMIN))
    new = [ring.create_key() for _ in range(8)]
    assert new == holding(people, new)
    assert "alice" in people.holders(late)
    due.run_due(ring.context)
    assert [key for key in keys + new if key != closed] == holding(people, keys + new)


def test_a_key_that_is_deleted_meanwhile_stands_in_nobody_s_way(
    ring: Ring, people: People, few: None, clock: Clock
) -> None:
    keys = [ring.create_key() for _ in range(8)]
    people.attach("alice", ALL)
    for key in in_order(people)[2:5]:
        ring.perform("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    clock.move(days=7)
    due.run_due(ring.context)
    left = [key for key in keys if key in in_order(people)]
    assert len(left) == 5
    assert left == holding(people, left)


# -- interruptions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [1, 2])
def test_an_interruption_between_batches_is_resumed(ring: Ring, people: People, few: None, batches: int) -> None:
    keys = [ring.create_key() for _ in range(10)]
    people.attach("alice", ALL)
    before = len(ring.lines())
    people.close()
    ring.close()

    def die_between() -> None:
        walk, done = sharing._walk, []

        def dying(*arguments: Any) -> bool:
            if len(done) == batches:
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(True)
            return walk(*arguments)

        sharing._walk = dying
        due.run_due(ring.context)

    assert forked(die_between).outcome() == ("killed", None)
    assert ["ShareKeys"] * batches == [line["eventName"] for line in ring.lines()[before:]]
    assert ["alice"] == pending(ring)
    assert 3 * (1 + batches) == len(holding(people, keys))
    assert due.run_due(ring.context).share_walks == 3 - batches
    assert keys == holding(people, keys)
    assert pending(ring) is None


def test_an_interruption_within_a_batch_leaves_it_undone(ring: Ring, people: People, few: None) -> None:
    keys = [ring.create_key() for _ in range(6)]
    people.attach("alice", ALL)
    due.run_due(ring.context)
    people.attach("alice")
    before = len(ring.lines())
    left = holding(people, keys)
    people.close()
    ring.close()

    def die_within() -> None:
        renew = sharing._renew

        def dying(*arguments: Any) -> None:
            renew(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        sharing._renew = dying
        due.run_due(ring.context)

    assert forked(die_within).outcome() == ("killed", None)
    assert len(ring.lines()) == before
    assert left == holding(people, keys)
    due.run_due(ring.context)
    assert [] == holding(people, keys)


@pytest.mark.long
def test_a_thousand_keys_follow_at_once_and_more_later(ring: Ring, people: People) -> None:
    assert sharing.AT_ONCE == 1000
    keys = [ring.create_key() for _ in range(1003)]
    people.attach("alice", ALL)
    assert 1000 == len(holding(people, keys))
    assert ["alice"] == pending(ring)
    assert due.run_due(ring.context).share_walks == 1
    assert keys == holding(people, keys)


# -- the renewal of a KEK ----------------------------------------------------------------------------------------------


def test_each_version_is_sealed_anew_and_is_the_same_material(ring: Ring, people: People) -> None:
    key = ring.create_key()
    blobs = []
    for _ in range(3):
        blobs.append(ring.perform("Encrypt", KeyId=key, Plaintext=b"x").ciphertext_blob)
        ring.perform("RotateKeyOnDemand", KeyId=key)
    put_policy(ring, key, statement([ADMIN, ALICE]))
    before = key_of(ring, key)
    put_policy(ring, key, statement(ADMIN))
    after = key_of(ring, key)
    assert before.record.kek + 1 == after.record.kek
    assert before.versions.keys() == after.versions.keys() == {1, 2, 3, 4}
    for number, version in before.versions.items():
        assert version.sealed != after.versions[number].sealed
        assert version.material_id == after.versions[number].material_id
    assert [b"x"] * 3 == [ring.perform("Decrypt", CiphertextBlob=blob).plaintext for blob in blobs]


def test_the_database_is_written_anew_whenever_a_share_is_taken_away_and_only_then(
    ring: Ring, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    rewrite = Store.rewrite
    monkeypatch.setattr(Store, "rewrite", lambda store: (written.append(1), rewrite(store))[1])
    key = ring.create_key()
    put_policy(ring, key, statement([ADMIN, ALICE]))
    assert [] == written
    put_policy(ring, key, statement(ADMIN))
    assert [1] == written
    put_policy(ring, key, DELEGATED)
    people.attach("alice", ALL)
    assert [1] == written
    people.attach("alice")
    assert [1, 1] == written


@pytest.mark.parametrize("usage", ["SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"])
def test_keys_of_every_usage_work_on(ring: Ring, people: People, usage: str) -> None:
    operation, checking = {
        "SIGN_VERIFY": ("Sign", "Verify"),
        "GENERATE_VERIFY_MAC": ("GenerateMac", "VerifyMac"),
        "KEY_AGREEMENT": ("DeriveSharedSecret", "DeriveSharedSecret"),
        "ENCAPSULATE_DECAPSULATE": ("Encapsulate", "Decapsulate"),
    }[usage]
    key = ring.cheap(usage)
    made = ring.request(checking)
    put_policy(ring, key, statement([ADMIN, ALICE]))
    people.perform("alice", operation, **ring.request(operation))
    before = key_of(ring, key)
    put_policy(ring, key, statement(ADMIN))
    after = key_of(ring, key)
    assert {"admin"} == people.holders(key)
    assert before.record.kek + 1 == after.record.kek
    assert before.versions[1].sealed != after.versions[1].sealed
    assert before.versions[1].public == after.versions[1].public
    ring.perform(checking, **made)
    ring.perform(operation, **ring.request(operation))


def test_imported_material_is_sealed_anew_waiting_and_deleted_versions_too(ring: Ring, people: People) -> None:
    key = external(ring)
    bring(ring, key, b"a" * 32)
    blob = ring.perform("Encrypt", KeyId=key, Plaintext=b"x").ciphertext_blob
    bring(ring, key, b"b" * 32, ImportType="NEW_KEY_MATERIAL")
    put_policy(ring, key, statement([ADMIN, ALICE]))
    before = key_of(ring, key)
    put_policy(ring, key, statement(ADMIN))
    after = key_of(ring, key)
    assert [1, 2] == sorted(after.versions)
    assert all(before.versions[number].sealed != after.versions[number].sealed for number in (1, 2))
    ring.perform("RotateKeyOnDemand", KeyId=key)
    assert ring.perform("Decrypt", CiphertextBlob=blob).plaintext == b"x"
    ring.perform("DeleteImportedKeyMaterial", KeyId=key)
    put_policy(ring, key, statement([ADMIN, ALICE]))
    put_policy(ring, key, statement(ADMIN))
    gone = [number for number, version in key_of(ring, key).versions.items() if not version.sealed]
    assert len(gone) == 1
    bring(ring, key, b"a" * 32 if gone == [1] else b"b" * 32)
    assert ring.perform("Decrypt", CiphertextBlob=blob).plaintext == b"x"


def test_a_key_without_material_is_shared_too_and_its_import_can_be_used(ring: Ring, people: People) -> None:
    key = external(ring)
    put_policy(ring, key, statement([ADMIN, ALICE, BOB]))
    put_policy(ring, key, statement([ADMIN, BOB]))
    bring(ring, key, b"a" * 32)
    people.perform("bob", "Encrypt", KeyId=key, Plaintext=b"x")
    assert {"admin", "bob"} == people.holders(key)


def test_who_gains_gets_the_kek_that_is_there(ring: Ring, people: People) -> None:
    key = ring.create_key()
    before = key_of(ring, key)
    put_policy(ring, key, statement([ADMIN, ALICE]))
    after = key_of(ring, key)
    assert before.record.kek == after.record.kek
    assert before.versions == after.versions
    assert before.shares["admin"] == after.shares["admin"]


def test_who_loses_and_gains_in_one_change_gets_the_new_kek_only(ring: Ring, people: People) -> None:
    key = ring.create_key()
    put_policy(ring, key, statement([ADMIN, ALICE]))
    put_policy(ring, key, statement([ADMIN, BOB]))
    found = key_of(ring, key)
    assert {"admin", "bob"} == found.shares.keys()
    assert {2} == {share.kek for share in found.shares.values()}


@pytest.mark.parametrize("action", ["kms:Encrypt", "kms:DescribeKey", "kms:GetPublicKey", "kms:Verify"])
def test_what_a_public_key_does_needs_no_share(ring: Ring, people: People, action: str) -> None:
    key = ring.cheap("SIGN_VERIFY")
    put_policy(ring, key, statement(ADMIN), statement(ALICE, Action=action))
    assert {"admin"} == people.holders(key)


def test_a_user_without_a_share_verifies_by_the_public_key(ring: Ring, people: People) -> None:
    made = ring.request("Verify")
    put_policy(ring, made["KeyId"], statement(ADMIN), statement(ALICE, Action="kms:Verify"))
    assert {"admin"} == people.holders(made["KeyId"])
    assert people.perform("alice", "Verify", **made).signature_valid


# -- what is said ------------------------------------------------------------------------------------------------------


def said(ring: Ring) -> list[str]:
    return [warning for warning in ring.warnings if sharing.NOT_UNDONE in warning]


def test_what_taking_away_does_not_do_is_said_with_the_key_and_who_lost_it(ring: Ring, people: People) -> None:
    key = ring.create_key()
    put_policy(ring, key, statement([ADMIN, ALICE, BOB]))
    assert [] == said(ring)
    put_policy(ring, key, statement(ADMIN))
    assert [f"alice, bob can no longer use {ring.arn(key)}; {sharing.NOT_UNDONE}"] == said(ring)
    put_policy(ring, key, statement(ADMIN))
    assert len(said(ring)) == 1


def test_of_a_principal_who_loses_many_keys_it_is_said_once(ring: Ring, people: People) -> None:
    for _ in range(5):
        ring.create_key()
    people.attach("alice", ALL)
    people.attach("alice")
    assert [f"alice can no longer use 5 keys; {sharing.NOT_UNDONE}"] == said(ring)


def test_nothing_is_said_where_nobody_loses_anything(ring: Ring, people: People) -> None:
    key = ring.create_key()
    put_policy(ring, key, DELEGATED)
    people.attach("alice", statement(Action="kms:DescribeKey"))
    people.attach("alice")
    people.tag("alice", team="red")
    assert [] == said(ring)


# -- grants that end ---------------------------------------------------------------------------------------------------


def until(ring: Ring, key: str, clock: Clock, name: str = ALICE, **by: float) -> str:
    """A grant of encryption that ends."""
    asked = {"KeyId": key, "GranteePrincipal": name, "Operations": ["Encrypt"]}
    made = ring.perform("CreateGrant", **asked, Expires=clock.now + timedelta(**by))
    return str(made.grant_id)


def encrypts(people: People, key: str, name: str = "alice") -> bool:
    try:
        people.perform(name, "Encrypt", KeyId=key, Plaintext=b"x")
    except errors.AccessDeniedError:
        return False
    return True


def test_a_grant_that_ends_allows_until_then_and_not_from_then_on(ring: Ring, people: People, clock: Clock) -> None:
    key = ring.create_key()
    until(ring, key, clock, hours=1)
    clock.move(minutes=59, seconds=59)
    assert encrypts(people, key)
    clock.move(seconds=1)
    assert not encrypts(people, key)
    # Refused already, though no root has acted since.
    assert {"admin", "alice"} == people.holders(key)


def test_its_answer_says_when_the_share_goes(ring: Ring, people: People, clock: Clock) -> None:
    key = ring.create_key()
    until(ring, key, clock, hours=1)
    (warning,) = ring.warnings
    assert "from 2026-03-01T13:00:00Z on the grant allows nothing" in warning
    assert "when a root of the vault next acts on the key" in warning


@pytest.mark.parametrize("act", ["DescribeKey", "Encrypt", "ListGrants", "run-due"])
def test_the_share_goes_when_a_root_next_acts_on_the_key(ring: Ring, people: People, clock: Clock, act: str) -> None:
    key = ring.create_key()
    grant_id = until(ring, key, clock, hours=1)
    assert grant_id == ring.answer("ListGrants", KeyId=key)["Grants"][0]["GrantId"]
    clock.move(hours=1)
    before = len(ring.lines())
    if act == "run-due":
        assert [(key, "DeleteExpiredGrants")] == [
            (each.key_id, each.operation) for each in due.run_due(ring.context).done
        ]
    else:
        ring.perform(act, KeyId=key, **({"Plaintext": b"x"} if act == "Encrypt" else {}))
    assert {"admin"} == people.holders(key)
    assert [] == ring.answer("ListGrants", KeyId=key)["Grants"]
    line = ring.lines()[before]
    assert ("DeleteExpiredGrants", "AwsServiceEvent") == (line["eventName"], line["eventType"])
    assert {"keyId": key, "grantIds": [grant_id], "lostShares": ["alice"]} == line["serviceEventDetails"]
    assert key_of(ring, key).record.grant_end is None


def test_grants_end_one_by_one(ring: Ring, people: People, clock: Clock) -> None:
    key = ring.create_key()
    until(ring, key, clock, hours=2)
    until(ring, key, clock, hours=1)
    until(ring, key, clock, BOB, hours=3)
    assert key_of(ring, key).record.grant_end == expected(hours=1)
    clock.move(hours=1)
    due.run_due(ring.context)
    assert key_of(ring, key).record.grant_end == expected(hours=2)
    assert encrypts(people, key)
    clock.move(hours=1)
    due.run_due(ring.context)
    assert not encrypts(people, key)
    assert encrypts(people, key, "bob")
    assert {"admin", "bob"} == people.holders(key)


def expected(**by: float) -> datetime:
    """A time after the start, in whole milliseconds as those of grants are."""
    return START.replace(microsecond=123_000) + timedelta(**by)


def test_a_grant_without_an_end_outlives_those_with_one(ring: Ring, people: People, clock: Clock) -> None:
    key = ring.create_key()
    until(ring, key, clock, hours=1)
    ring.perform("CreateGrant", KeyId=key, GranteePrincipal="alice", Operations=["Encrypt"])
    clock.move(hours=1)
    due.run_due(ring.context)
    assert {"admin", "alice"} == people.holders(key)
    assert encrypts(people, key)


def test_the_end_of_a_revoked_grant_brings_nothing(ring: Ring, people: People, clock: Clock) -> None:
    key = ring.create_key()
    grant_id = until(ring, key, clock, hours=1)
    ring.perform("RevokeGrant", KeyId=key, GrantId=grant_id)
    assert key_of(ring, key).record.grant_end is None
    clock.move(hours=1)
    assert [] == due.run_due(ring.context).done


@pytest.mark.parametrize("seconds", [-1, 0])
def test_a_grant_does_not_end_before_it_begins(ring: Ring, clock: Clock, seconds: int) -> None:
    key = ring.create_key()
    asked = {"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Encrypt"]}
    error = ring.refused("CreateGrant", **asked, Expires=clock.now + timedelta(seconds=seconds))
    assert ("ValidationException", "Expires must be later than now") == (error.code, error.message)


def test_a_clock_a_little_behind_revives_no_grant(ring: Ring, people: People, clock: Clock) -> None:
    key = ring.create_key()
    until(ring, key, clock, hours=1)
    # A line has whole seconds.
    clock.move(hours=1, seconds=1)
    assert not encrypts(people, key)
    clock.move(minutes=-2)
    assert not encrypts(people, key)


class Ticking(Clock):
    """A clock that goes on by a second each time it is read, once it is told to."""

    ticking = False

    def __call__(self) -> datetime:
        if self.ticking:
            self.move(seconds=1)
        return super().__call__()


def test_a_grant_that_ends_while_its_use_waits_for_the_lock_allows_nothing(ring: Ring) -> None:
    ring.clock = clock = Ticking()
    ring.close()
    people = People(ring).add("alice")
    key = ring.create_key()
    until(ring, key, clock, seconds=2)
    people.context("alice")
    clock.ticking = True
    error = people.refused("alice", "Encrypt", KeyId=key, Plaintext=b"x")
    assert error.code == "AccessDeniedException"
    assert "no identity-based policy allows" in error.message
    people.close()


def test_a_vault_without_a_roster_has_its_roots_all_the_same(ring: Ring) -> None:
    # Such as one that was made before there was a roster: its keys must not be shared with nobody.
    with ring.context.session.edit() as draft:
        draft.delete("roster", "")
        draft.event = {"eventName": "Test"}
    ring.close()
    key = ring.create_key()
    people = People(ring).add("alice")
    assert people.holders(key) == {"admin"}
    ring.perform("PutKeyPolicy", KeyId=key, Policy=document(statement([ADMIN, ALICE])))
    assert people.holders(key) == {"admin", "alice"}
    with ring.context.session.read() as records:
        assert records.roster == ("admin", "alice")
    people.close()


def test_no_change_ever_leaves_a_key_without_its_roots(people: People) -> None:
    key = people.home.create_key()

    def share_with_nobody() -> None:
        with people.home.context.session.edit() as draft:
            group = draft.key(key)
            assert group is not None
            sharing._bring(Change(people.home.context, "Test", draft), group, [])

    with pytest.raises(errors.InternalError):
        share_with_nobody()
    assert people.holders(key) == {"admin"}
