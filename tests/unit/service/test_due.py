"""What falls due: done once and written down, and true for everybody from the very time on."""

import base64
import os
import random
import signal
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats.record import IdentityPolicyRecord, PrincipalRecord
from kmscli.service import audits, due, events
from kmscli.service.callers import Caller
from kmscli.service.context import Context
from kmscli.service.dispatch import perform
from kmscli.service.vaults import status
from kmscli.storage.sqlite import Store
from kmscli.vault import shares
from kmscli.vault.session import Session
from tests.helpers import START, Clock, Home, forked, named
from tests.importing import bring, external, reuse_wrapping_keys

NOW = START.replace(microsecond=123000)
TICK = timedelta(milliseconds=1)
ALICE = "arn:aws:iam::000000000000:user/alice"
POLICY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},'
    '"Action":"kms:*","Resource":"*"}]}'
)


@pytest.fixture(autouse=True)
def _one_wrapping_key_of_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_wrapping_keys(monkeypatch)


def full_key(home: Home) -> str:
    """A key with all that a key can have."""
    key_id = home.create_key(Alias="alias/one", Tags=[{"TagKey": "a", "TagValue": "b"}], Policy=POLICY)
    home.perform("CreateAlias", AliasName="alias/two", TargetKeyId=key_id)
    home.perform("RotateKeyOnDemand", KeyId=key_id)
    for name in ("x", "y"):
        home.perform("CreateGrant", KeyId=key_id, GranteePrincipal=ALICE, Operations=["Encrypt"], Name=name)
    return key_id


def sealed_in(home: Home, key_id: str) -> list[bytes]:
    """The sealed material and KEK shares of a key."""
    with home.context.session.read() as snapshot:
        key = snapshot.key(key_id)
    assert key is not None
    return [record.sealed for record in (*key.versions.values(), *key.shares.values()) if record.sealed]


def in_files(folder: Path, secrets: list[bytes]) -> int:
    """How many of the sealed secrets lie somewhere in the files of a vault, whole or in part."""
    files = b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    texts = [base64.b64encode(secret) for secret in secrets]
    return sum(any(text[at : at + 40] in files for at in range(0, len(text) - 40, 40)) for text in texts)


def events_of(home: Home, since: int) -> list[str]:
    return [line["eventName"] for line in home.lines()[since:]]


# -- the end of a key --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [7, 12, 30])
def test_after_its_waiting_nothing_is_left_of_a_key(home: Home, clock: Clock, days: int) -> None:
    key_id, kept = full_key(home), home.create_key(Alias="alias/kept")
    secrets, others = sealed_in(home, key_id), sealed_in(home, kept)
    assert in_files(home.folder, secrets) == len(secrets) == 3
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=days)
    clock.move(days=days)
    assert named(due.run_due(home.context)) == {"Done": [{"KeyId": key_id, "Operation": "DeleteKey"}]}
    assert in_files(home.folder, secrets) == 0
    assert in_files(home.folder, others) == len(others)
    with sqlite3.connect(home.folder / "vault.db") as db:
        rows = db.execute("SELECT grp, kind, id, body FROM record").fetchall()
        buckets = db.execute("SELECT grp FROM bucket").fetchall()
    db.close()
    assert {kind for _, kind, _, _ in rows if kind in {"grant", "policy"}} == set()
    assert not [row for row in rows if key_id in row[0] + row[2] or key_id.encode() in row[3]]
    assert not [group for (group,) in buckets if key_id in group or group in {"alias/one", "alias/two"}]
    home.close()
    assert home.perform("DescribeKey", KeyId="alias/kept").key_metadata.key_id == kept
    assert audits.verify(home.open(), full=True)


def test_its_line_names_what_was_destroyed_and_what_that_cannot_reach(home: Home, clock: Clock) -> None:
    key_id = full_key(home)
    materials = [
        each["KeyMaterialId"]
        for each in home.answer("ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    ]
    home.perform("ScheduleKeyDeletion", KeyId=key_id)
    clock.move(days=30)
    due.run_due(home.context)
    line = home.lines()[-1]
    assert (line["eventName"], line["eventType"], line["readOnly"]) == ("DeleteKey", "AwsServiceEvent", False)
    assert (line["requestParameters"], line["responseElements"]) == (None, None)
    assert [each["ARN"] for each in line["resources"]] == [home.arn(key_id)]
    details = line["serviceEventDetails"]
    assert details["keyId"] == key_id
    assert details["destroyed"] == {
        "keyMaterialIds": materials,
        "shares": 1,
        "grants": 2,
        "aliases": ["alias/one", "alias/two"],
    }
    assert details["notReached"] == list(due.NOT_REACHED)
    assert "backups" in " ".join(details["notReached"])
    removed = sorted(kind for kind, _, old, new in line["change"] if old and new is None)
    assert removed == ["alias", "alias", "grant", "grant", "key", "policy", "share", "version", "version"]


def test_counts_go_down_with_it(home: Home, clock: Clock) -> None:
    key_id, kept = full_key(home), home.create_key()
    before = status(home.open())
    with home.context.session.read() as snapshot:
        assert (snapshot.head.keys, before.keys, before.aliases) == (2, 2, 2)
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=7)
    due.run_due(home.context)
    after = status(home.open())
    with home.context.session.read() as snapshot:
        assert (snapshot.head.keys, after.keys, after.aliases) == (1, 1, 0)
    assert [key.key_id for key in home.perform("ListKeys").keys] == [kept]
    assert home.perform("ListAliases").aliases == []
    assert home.perform("ListRetirableGrants", RetiringPrincipal=ALICE).grants == []


@pytest.mark.parametrize("named_by", ["id", "arn", "alias"])
@pytest.mark.parametrize("operation", ["DescribeKey", "CancelKeyDeletion", "EnableKey", "ListGrants", "GetKeyPolicy"])
def test_the_next_operation_of_a_root_on_the_key_finds_it_gone(
    home: Home, clock: Clock, operation: str, named_by: str
) -> None:
    key_id = full_key(home)
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=7)
    before = len(home.lines())
    name = {"id": key_id, "arn": home.arn(key_id), "alias": "alias/two"}[named_by]
    error = home.refused(operation, KeyId=name)
    assert (error.code, error.exit_code) == ("NotFoundException", 20)
    assert events_of(home, before) == ["DeleteKey", operation]
    assert home.lines()[-1]["errorCode"] == "NotFoundException"
    home.refused(operation, KeyId=name)
    assert events_of(home, before) == ["DeleteKey", operation, operation]


def test_what_it_encrypted_names_a_key_that_nobody_has(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=b"x").ciphertext_blob
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=7)
    for _ in range(2):
        assert isinstance(_refused(home.context, "Decrypt", CiphertextBlob=blob), errors.UnknownCiphertextKeyError)


@pytest.mark.parametrize("early", [True, False])
def test_a_key_can_be_kept_until_the_very_time_of_its_end(home: Home, clock: Clock, *, early: bool) -> None:
    key_id = home.create_key()
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=b"x").ciphertext_blob
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.now = NOW + timedelta(days=7)
    if not early:
        assert home.refused("CancelKeyDeletion", KeyId=key_id).code == "NotFoundException"
        return
    clock.now -= TICK
    assert home.state_of(key_id) == "PendingDeletion"
    assert due.run_due(home.context).done == []
    home.perform("CancelKeyDeletion", KeyId=key_id)
    clock.move(days=100)
    assert due.run_due(home.context).done == []
    home.perform("EnableKey", KeyId=key_id)
    assert home.perform("Decrypt", CiphertextBlob=blob).plaintext == b"x"


def test_its_aliases_are_free_from_the_very_time_of_its_end(home: Home, clock: Clock) -> None:
    key_id = full_key(home)
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=7)
    new = home.create_key(Alias="alias/one")
    home.perform("CreateAlias", AliasName="alias/two", TargetKeyId=new)
    aliases = home.perform("ListAliases", KeyId=new).aliases
    assert {alias.alias_name for alias in aliases} == {"alias/one", "alias/two"}


def test_a_list_shows_a_key_until_its_end_is_written_down(home: Home, clock: Clock) -> None:
    key_id, kept = full_key(home), home.create_key(Alias="alias/kept")
    retiring = {"RetiringPrincipal": ALICE}
    home.perform("CreateGrant", KeyId=key_id, GranteePrincipal=ALICE, Operations=["Decrypt"], **retiring)
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=7)
    assert len(home.perform("ListKeys").keys) == 2
    due.run_due(home.context)
    assert [key.key_id for key in home.perform("ListKeys").keys] == [kept]
    assert [alias.alias_name for alias in home.perform("ListAliases").aliases] == ["alias/kept"]
    assert home.perform("ListRetirableGrants", **retiring).grants == []


def test_of_many_keys_that_end_no_trace_is_left(tmp_path: Path) -> None:
    # SQLite overwrites a record that it deletes; but where it had moved records from page to page before, their old
    # places keep the bytes. A vault needs some life for that, and this one has it: its ids are the same each time.
    clock = Clock()
    life = random.Random(34)
    home = Home(tmp_path, clock=clock, rng=life.randbytes).init()
    keys: list[str] = []
    secrets: list[bytes] = []
    for _ in range(2):
        keys += [home.create_key() for _ in range(life.randint(5, 25))]
        for key_id in life.sample(keys, len(keys) // 2):
            home.perform("RotateKeyOnDemand", KeyId=key_id)
        ending = life.sample(keys, len(keys) // 2)
        for key_id in ending:
            secrets += sealed_in(home, key_id)
            home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
            keys.remove(key_id)
        clock.move(days=7)
        assert len(due.run_due(home.context).done) == len(ending)
        assert in_files(home.folder, secrets) == 0
    home.close()


def test_what_an_interrupted_end_left_is_cleared_by_the_next_change(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=7)
    home.close()

    def die_before_shredding() -> None:
        Session.shred = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
        due.run_due(home.context)

    assert forked(die_before_shredding).outcome() == ("killed", None)
    note = home.folder / "shred-pending"
    assert (note.stat().st_size, note.stat().st_mode & 0o777) == (0, 0o600)
    home.perform("ListKeys")
    assert note.exists()
    kept = home.create_key()
    assert not note.exists()
    home.close()
    assert [key.key_id for key in home.perform("ListKeys").keys] == [kept]


def test_where_the_traces_cannot_be_cleared_the_key_is_gone_and_a_warning_says_so(
    home: Home, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id = home.create_key()
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=7)

    def full(_: Store) -> None:
        raise errors.InputOutputError(path="vault.db", reason="database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "rewrite", full)
        assert [each.operation for each in due.run_due(home.context).done] == ["DeleteKey"]
    (warning,) = home.warnings
    assert "traces" in warning
    assert "disk is full" in warning
    assert (home.folder / "shred-pending").exists()
    home.create_key()
    assert not (home.folder / "shred-pending").exists()


# -- rotations and expiries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [0, 1, 89, 1000])
def test_a_rotation_is_made_once_however_late(home: Home, clock: Clock, late: int) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=90 + late)
    before = len(home.lines())
    home.perform("Encrypt", KeyId=key_id, Plaintext=b"x")
    home.perform("Encrypt", KeyId=key_id, Plaintext=b"x")
    assert events_of(home, before) == ["RotateKey", "Encrypt", "Encrypt"]
    line = home.lines()[before]
    assert line["serviceEventDetails"] == {"rotationType": "AUTOMATIC", "keyId": key_id}
    (rotation,) = home.answer("ListKeyRotations", KeyId=key_id)["Rotations"]
    made = NOW + timedelta(days=90 + late)
    assert rotation["RotationDate"] == made
    found = home.answer("GetKeyRotationStatus", KeyId=key_id)
    assert found["NextRotationDate"] == made + timedelta(days=90)


def test_no_rotation_a_millisecond_before_its_date(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.now = NOW + timedelta(days=90) - TICK
    assert due.run_due(home.context).done == []
    clock.now += TICK
    assert named(due.run_due(home.context))["Done"] == [{"KeyId": key_id, "Operation": "RotateKey"}]
    assert due.run_due(home.context).done == []


def test_the_rotation_of_a_disabled_key_waits_until_it_is_enabled(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    home.perform("DisableKey", KeyId=key_id)
    clock.move(days=200)
    assert due.run_due(home.context).done == []
    assert home.state_of(key_id) == "Disabled"
    home.perform("EnableKey", KeyId=key_id)
    before = len(home.lines())
    home.perform("Encrypt", KeyId=key_id, Plaintext=b"x")
    assert events_of(home, before) == ["RotateKey", "Encrypt"]


def test_the_rotation_of_a_key_at_its_end_waits_too(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=80)
    home.perform("ScheduleKeyDeletion", KeyId=key_id)
    clock.move(days=20)
    assert due.run_due(home.context).done == []
    home.perform("CancelKeyDeletion", KeyId=key_id)
    home.perform("EnableKey", KeyId=key_id)
    assert named(due.run_due(home.context))["Done"] == [{"KeyId": key_id, "Operation": "RotateKey"}]


def test_expired_material_is_destroyed_and_its_line_names_it(home: Home, clock: Clock) -> None:
    key_id = external(home)
    material_id = bring(home, key_id, os.urandom(32), ValidTo=NOW + timedelta(days=1))["KeyMaterialId"]
    secrets = sealed_in(home, key_id)[:1]
    clock.now = NOW + timedelta(days=1)
    before = len(home.lines())
    assert home.state_of(key_id) == "PendingImport"
    assert events_of(home, before) == ["DeleteExpiredKeyMaterial", "DescribeKey"]
    assert home.lines()[before]["serviceEventDetails"] == {"keyId": key_id, "keyMaterialIds": [material_id]}
    assert in_files(home.folder, secrets) == 0


def test_deleted_material_leaves_no_trace(home: Home) -> None:
    key_id = external(home)
    bring(home, key_id, os.urandom(32))
    secrets = sealed_in(home, key_id)[:1]
    assert in_files(home.folder, secrets) == 1
    home.perform("DeleteImportedKeyMaterial", KeyId=key_id)
    assert in_files(home.folder, secrets) == 0


def test_all_that_is_due_on_all_keys_is_done_by_one_command(home: Home, clock: Clock) -> None:
    rotating, ending, expiring = home.create_key(), home.create_key(), external(home)
    home.create_key()
    home.perform("EnableKeyRotation", KeyId=rotating, RotationPeriodInDays=90)
    home.perform("ScheduleKeyDeletion", KeyId=ending)
    bring(home, expiring, os.urandom(32), ValidTo=NOW + timedelta(days=50))
    clock.move(days=90)
    before = len(home.lines())
    done = {(each.key_id, each.operation) for each in due.run_due(home.context).done}
    assert done == {(rotating, "RotateKey"), (ending, "DeleteKey"), (expiring, "DeleteExpiredKeyMaterial")}
    assert len(home.lines()) == before + 3
    assert due.run_due(home.context).done == []
    assert len(home.lines()) == before + 3


# -- a clock that goes back --------------------------------------------------------------------------------------------


def test_a_clock_far_behind_the_log_revives_nothing(home: Home, clock: Clock) -> None:
    key_id = external(home)
    bring(home, key_id, os.urandom(32), ValidTo=NOW + timedelta(hours=1))
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=b"x").ciphertext_blob
    clock.move(hours=2)
    home.perform("ListKeys")
    clock.move(hours=-2)
    before = len(home.lines())
    error = home.refused("Decrypt", CiphertextBlob=blob)
    assert (error.code, error.exit_code) == ("ClockWentBack", 53)
    assert due.run_due(home.context).done == []
    assert len(home.lines()) == before


@pytest.mark.parametrize("what", ["expiry", "deletion", "rotation", "cancellation"])
def test_a_clock_a_little_behind_the_log_counts_as_the_log_s_time(home: Home, clock: Clock, what: str) -> None:
    key_id = external(home) if what == "expiry" else home.create_key()
    if what == "expiry":
        bring(home, key_id, os.urandom(32), ValidTo=NOW + timedelta(days=7))
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=b"x").ciphertext_blob
    if what in {"deletion", "cancellation"}:
        home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    if what == "rotation":
        home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
        clock.move(days=83)
    clock.move(days=7, minutes=2)
    home.perform("ListKeys")
    clock.move(minutes=-4)
    before = len(home.lines())
    if what == "expiry":
        assert home.refused("Decrypt", CiphertextBlob=blob).code == "KMSInvalidStateException"
        assert events_of(home, before) == ["DeleteExpiredKeyMaterial", "Decrypt"]
    elif what == "deletion":
        assert home.refused("DescribeKey", KeyId=key_id).code == "NotFoundException"
        assert events_of(home, before) == ["DeleteKey", "DescribeKey"]
    elif what == "cancellation":
        assert home.refused("CancelKeyDeletion", KeyId=key_id).code == "NotFoundException"
    else:
        home.perform("Encrypt", KeyId=key_id, Plaintext=b"x")
        assert events_of(home, before) == ["RotateKey", "Encrypt"]


# -- who is no root ----------------------------------------------------------------------------------------------------


ALL = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}'


def alice(home: Home, *key_ids: str) -> Context:
    """A principal who is no root and has a share of the keys."""
    session = home.context.session
    identity = Identity(b"a" * 32)
    with session.edit() as draft:
        who = PrincipalRecord(
            name="alice",
            kind="user",
            root=False,
            state="enabled",
            created=draft.now,
            sign=identity.sign_public,
            seal=identity.seal_public,
        )
        draft.put("principal", "alice", who)
        draft.put("identity-policy", "alice/all", IdentityPolicyRecord(principal="alice", name="all", document=ALL))
        for key_id in key_ids:
            key = draft.key(key_id)
            assert key is not None
            vault_id = draft.vault.vault_id
            kek = shares.open_share(key.shares["admin"], session.identity, vault_id=vault_id)
            for share in shares.share(kek, key.record, [who], vault_id=vault_id):
                draft.put("share", f"{key_id}/alice", share)
        draft.event = events.event(
            "CreatePrincipal", Caller("admin"), draft.place, home.rng, read_only=False, outcome=events.Outcome()
        )
    return Context(Session(home.open(), "alice", msgspec.structs.replace(session.opened, identity=identity)))


def _refused(context: Context, name: str, **members: Any) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        perform(context, name, members)
    return caught.value


def test_for_who_is_no_root_a_key_at_its_end_is_gone_and_stays_to_be_deleted(home: Home, clock: Clock) -> None:
    key_id = home.create_key(Alias="alias/one")
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=b"x").ciphertext_blob
    context = alice(home, key_id)
    assert perform(context, "Decrypt", {"CiphertextBlob": blob}).plaintext == b"x"  # type: ignore[attr-defined]
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=7)
    before = len(home.lines())
    for name in (key_id, "alias/one"):
        assert _refused(context, "DescribeKey", KeyId=name).code == "NotFoundException"
    assert _refused(context, "Decrypt", CiphertextBlob=blob, KeyId=key_id).code == "NotFoundException"
    assert isinstance(_refused(context, "Decrypt", CiphertextBlob=blob), errors.UnknownCiphertextKeyError)
    assert "DeleteKey" not in events_of(home, before)
    assert {line["userIdentity"]["userName"] for line in home.lines()[before:]} == {"alice"}
    assert [each.operation for each in due.run_due(home.context).done] == ["DeleteKey"]
    context.session.vault.store.close()


def test_for_who_is_no_root_expired_material_is_gone(home: Home, clock: Clock) -> None:
    key_id = external(home)
    bring(home, key_id, os.urandom(32), ValidTo=NOW + timedelta(days=1))
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=b"x").ciphertext_blob
    context = alice(home, key_id)
    clock.move(days=1)
    assert _refused(context, "Decrypt", CiphertextBlob=blob).code == "KMSInvalidStateException"
    found = named(perform(context, "DescribeKey", {"KeyId": key_id}))["KeyMetadata"]
    assert (found["KeyState"], found["Enabled"]) == ("PendingImport", False)
    assert "ValidTo" not in found
    assert "ExpirationModel" not in found
    members = {"KeyId": key_id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
    (listed,) = named(perform(context, "ListKeyRotations", members))["Rotations"]
    assert listed["ImportState"] == "PENDING_IMPORT"
    assert "ValidTo" not in listed
    home.close()
    assert home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"] == found
    context.session.vault.store.close()


def test_who_is_no_root_is_told_once_of_a_rotation_that_waits_for_one(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    context = alice(home, key_id)
    clock.move(days=91)
    for _ in range(3):
        blob = named(perform(context, "Encrypt", {"KeyId": key_id, "Plaintext": b"x"}))["CiphertextBlob"]
        assert named(perform(context, "Decrypt", {"CiphertextBlob": blob}))["Plaintext"] == b"x"
    (warning,) = home.warnings
    assert key_id in warning
    assert "overdue" in warning
    assert home.answer("ListKeyRotations", KeyId=key_id)["Rotations"][0]["RotationType"] == "AUTOMATIC"
    context.session.vault.store.close()


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("CreateKey", {}),
        ("DisableKey", {"KeyId": "{key}"}),
        ("CreateAlias", {"TargetKeyId": "{key}", "AliasName": "alias/a"}),
        ("RotateKeyOnDemand", {"KeyId": "{key}"}),
        ("ScheduleKeyDeletion", {"KeyId": "{key}"}),
        ("DeleteImportedKeyMaterial", {"KeyId": "{key}"}),
    ],
)
def test_who_is_no_root_changes_nothing(home: Home, operation: str, members: dict[str, str]) -> None:
    key_id = home.create_key()
    context = alice(home, key_id)
    given = {name: value.format(key=key_id) for name, value in members.items()}
    error = _refused(context, operation, **given)
    assert (error.code, error.exit_code) == ("AccessDeniedException", 30)
    assert "only a root" in error.message
    line = home.lines()[-1]
    assert (line["eventName"], line["errorCode"], line["userIdentity"]["arn"]) == (
        operation,
        "AccessDeniedException",
        ALICE,
    )
    assert home.state_of(key_id) == "Enabled"
    context.session.vault.store.close()


def test_who_is_no_root_does_not_run_what_is_due(home: Home) -> None:
    context = alice(home)
    with pytest.raises(errors.AccessDeniedError):
        due.run_due(context)
    context.session.vault.store.close()


# -- crashes -----------------------------------------------------------------------------------------------------------


def test_a_crash_between_due_work_and_the_operation_loses_nothing(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=91)
    before = len(home.lines())
    home.close()

    def settle_and_die() -> None:
        settle = due.settle

        def last(context: Context, key_id: str) -> None:
            settle(context, key_id)
            os.kill(os.getpid(), signal.SIGKILL)

        due.settle = last  # type: ignore[assignment]
        home.perform("Encrypt", KeyId=key_id, Plaintext=b"x")

    assert forked(settle_and_die).outcome() == ("killed", None)
    assert events_of(home, before) == ["RotateKey"]
    home.perform("Encrypt", KeyId=key_id, Plaintext=b"x")
    assert events_of(home, before) == ["RotateKey", "Encrypt"]
    assert len(home.perform("ListKeyRotations", KeyId=key_id).rotations) == 1


def test_two_roots_at_once_do_the_work_once(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=91)
    other = home.unlocked()
    with other.session.read() as snapshot:
        assert snapshot.key(key_id) is not None
    home.perform("Encrypt", KeyId=key_id, Plaintext=b"x")
    before = len(home.lines())
    assert due.settle(other, key_id) == []
    assert len(home.lines()) == before
    other.session.vault.store.close()
