"""Random lives of a vault, in step with a reference in memory.

Each operation must end as the reference says: same success, or the same AWS error. Between operations the vault is
closed and opened, its slots change, time passes, and a process dies in the middle of a change.
"""

import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.loaders  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kmscli import errors
from kmscli.formats import auditline
from kmscli.service import audits, managed, slots
from kmscli.service.dispatch import perform
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock
from tests.helpers import Clock, Home, forked, named
from tests.reference import PREFIX, Model, Sealed

ABSENT = "00000000-0000-4000-8000-000000000000"
contexts = st.none() | st.dictionaries(st.sampled_from(["a", "A", "\u00e9", "e\u0301"]), st.sampled_from(["", "1"]))
plaintexts = st.binary(min_size=1, max_size=40)
good_aliases = st.sampled_from(["alias/a", "alias/b", "alias/A", "alias/a/b"])
aliases = good_aliases | good_aliases | good_aliases | st.sampled_from(["alias/aws/x", "nothing", "alias/\u00e4"])
keys = st.integers(0, 11)
"""Which key: the n-th of those that were made, now and then one that never was."""
forms = st.integers(0, 7)
"""By which of its names."""
blobs = st.integers(0, 1000)
contexts_given = st.just("right") | st.sampled_from(
    ["none", "other case", "other form", "one more", "one less", "other value"]
)
limits = st.integers(1, 4)
descriptions = st.sampled_from(["", "one", "\u00fc\n\0"])
tags = st.lists(
    st.fixed_dictionaries({"TagKey": st.sampled_from(["x", "y", "aws:z"]), "TagValue": st.sampled_from(["", "1"])}),
    max_size=2,
)


OUTSIDE_THE_MODEL = {"AccessDeniedException", "ValidationException"}
MODELLED = {
    name: {error["shape"] for error in operation.get("errors", [])}
    for name, operation in botocore.loaders.Loader().load_service_model("kms", "service-2")["operations"].items()
} | {"CreateKey": {"TagException", "InvalidAliasNameException", "AlreadyExistsException"}}
"""The errors that AWS's model gives each operation; CreateKey takes an alias here, and so its errors."""


class Vaults(RuleBasedStateMachine):
    """A vault and its reference."""

    added_slots = Bundle("added_slots")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="kms-state-machine-"))
        self.state = pytest.MonkeyPatch()
        self.state.setenv("XDG_STATE_HOME", str(self.folder / "state"))
        self.clock = Clock()
        self.random = random.Random(0)
        self.home = Home(self.folder, clock=self.clock, rng=self.random.randbytes).init()
        self.model = Model()
        self.lines = 1
        self.slots = {"first"}
        self.numbers = itertools.count()

    def teardown(self) -> None:
        """Check the whole log once more, as a third party would; then throw the vault away."""
        vault = self.home.open()
        verified = audits.verify_log(
            self.home.folder / "audit", bytes.fromhex(self.home.made.root_fingerprint), full=True
        )
        assert named(verified)["Lines"] == self.lines
        assert named(audits.verify(vault, full=True))["Lines"] == self.lines
        vault.store.close()
        self.home.close()
        self.state.undo()
        shutil.rmtree(self.folder)

    # -- one operation -------------------------------------------------------------------------------------------------

    def run(self, operation: str, **members: Any) -> dict[str, Any] | None:
        """Perform an operation; it must end as the reference says. None if it was refused."""
        expected = self.model.expect(operation, members)
        error, answer = "", {}
        try:
            answer = named(perform(self.home.context, operation, members))
        except errors.KmsError as refused:
            error = refused.code
        self.lines += 1
        assert (operation, members, error) == (operation, members, expected)
        assert error in {"", *OUTSIDE_THE_MODEL, *MODELLED[operation]}
        if error:
            return None
        self.model.done(operation, members, now=self.now(), answer=answer)
        return answer

    def now(self) -> datetime:
        return self.clock().replace(microsecond=self.clock().microsecond // 1000 * 1000)

    def key_of(self, number: int) -> str:
        made = list(self.model.keys)
        return ABSENT if number == 11 or not made else made[number % len(made)]

    def blob_of(self, number: int) -> bytes:
        made = list(self.model.sealed)
        return made[number % len(made)]

    def name_of(self, number: int, form: int) -> str:
        """A key by id, by ARN, by one of its aliases, or by that one's ARN."""
        key = self.key_of(number)
        found = sorted(self.model.keys[key].aliases) if key in self.model.keys else []
        names = [key, f"{PREFIX}key/{key}", *found, *(PREFIX + name for name in found)]
        return names[form % len(names)]

    # -- keys ----------------------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.run("CreateKey")
        self.run("CreateKey", Alias="alias/b")
        self.encrypt(0, 0, b"x", {"a": "1"}, dry=False)

    @rule(alias=st.none() | aliases, tags=st.none() | tags, description=st.none() | descriptions)
    def create_key(self, alias: str | None, tags: Any, description: str | None) -> None:
        # A pattern of the request's own shape: refused as malformed before anybody looks at names.
        if alias is not None and not alias.isascii():
            self.malformed("CreateKey", Alias=alias)
            return
        self.run("CreateKey", Alias=alias, Tags=tags, Description=description)

    def malformed(self, operation: str, **members: Any) -> None:
        with pytest.raises(errors.ValidationError):
            perform(self.home.context, operation, members)
        self.lines += 1

    @rule(key=keys, form=forms)
    def enable(self, key: int, form: int) -> None:
        self.run("EnableKey", KeyId=self.name_of(key, form))

    @rule(key=keys, form=forms)
    def disable(self, key: int, form: int) -> None:
        self.run("DisableKey", KeyId=self.name_of(key, form))

    @rule(key=keys, form=forms)
    def rotate(self, key: int, form: int) -> None:
        self.run("RotateKeyOnDemand", KeyId=self.name_of(key, form))

    @rule(key=keys, form=forms)
    def cancel_deletion(self, key: int, form: int) -> None:
        self.run("CancelKeyDeletion", KeyId=self.name_of(key, form))

    @rule(key=keys, form=forms, days=st.none() | st.integers(7, 30))
    def schedule_deletion(self, key: int, form: int, days: int | None) -> None:
        answer = self.run("ScheduleKeyDeletion", KeyId=self.name_of(key, form), PendingWindowInDays=days)
        if answer is not None:
            assert answer["DeletionDate"] == self.model.keys[self.key_of(key)].deletion

    @rule(key=keys, form=forms, description=descriptions)
    def describe_anew(self, key: int, form: int, description: str) -> None:
        self.run("UpdateKeyDescription", KeyId=self.name_of(key, form), Description=description)

    @rule(key=keys, form=forms)
    def describe(self, key: int, form: int) -> None:
        answer = self.run("DescribeKey", KeyId=self.name_of(key, form))
        if answer is not None:
            self.check_metadata(self.key_of(key), answer["KeyMetadata"])

    def check_metadata(self, key_id: str, found: dict[str, Any]) -> None:
        key = self.model.keys[key_id]
        assert (found["KeyId"], found["Arn"]) == (key_id, f"{PREFIX}key/{key_id}")
        assert (found["KeyState"], found["Description"]) == (key.state, key.description)
        assert (found["KeyManager"], found.get("DeletionDate")) == (key.manager, key.deletion)
        if not key.materials[-1]:
            key.materials[-1] = found["CurrentKeyMaterialId"]
        assert found["CurrentKeyMaterialId"] == key.materials[-1]

    @rule()
    def use_the_managed_key(self) -> None:
        made = managed.FILES not in self.model.aliases
        managed.managed_key(self.home.context, managed.FILES)
        if made:
            self.lines += 1
            metadata = named(perform(self.home.context, "DescribeKey", {"KeyId": managed.FILES}))["KeyMetadata"]
            self.lines += 1
            members = {"Alias": managed.FILES, "Description": metadata["Description"]}
            self.model.done("CreateKey", members, now=self.now(), answer={"KeyMetadata": metadata})

    @rule(operation=st.sampled_from(["DisableKey", "ScheduleKeyDeletion", "RotateKeyOnDemand"]))
    @precondition(lambda self: managed.FILES in self.model.aliases)
    def try_to_change_the_managed_key(self, operation: str) -> None:
        self.run(operation, KeyId=managed.FILES)

    # -- aliases -------------------------------------------------------------------------------------------------------

    @rule(alias=aliases, key=keys, form=st.integers(0, 2), operation=st.sampled_from(["CreateAlias", "UpdateAlias"]))
    def point_alias(self, alias: str, key: int, form: int, operation: str) -> None:
        if not alias.isascii():
            self.malformed(operation, AliasName=alias, TargetKeyId=self.key_of(key))
            return
        self.run(operation, AliasName=alias, TargetKeyId=self.name_of(key, form))

    @rule(alias=good_aliases | st.just("nothing"))
    def delete_alias(self, alias: str) -> None:
        self.run("DeleteAlias", AliasName=alias)

    # -- crypto --------------------------------------------------------------------------------------------------------

    @rule(key=keys, form=forms, plaintext=plaintexts, context=contexts, dry=st.booleans())
    def encrypt(self, key: int, form: int, plaintext: bytes, context: Any, *, dry: bool) -> None:
        name = self.name_of(key, form)
        self.run("Encrypt", KeyId=name, Plaintext=plaintext, EncryptionContext=context, DryRun=dry)

    @rule(key=keys, context=contexts, length=st.integers(1, 64))
    def generate_data_key(self, key: int, context: Any, length: int) -> None:
        answer = self.run("GenerateDataKey", KeyId=self.key_of(key), EncryptionContext=context, NumberOfBytes=length)
        assert answer is None or len(answer["Plaintext"]) == length

    def given_context(self, made: Sealed, how: str) -> dict[str, str] | None:
        """The context that a ciphertext was made with, or one that is nearly it."""
        right = dict(made.context)
        given: dict[str, dict[str, str] | None] = {
            "right": right,
            "none": None,
            "other case": {name.swapcase(): value for name, value in right.items()},
            "other form": {unicodedata.normalize("NFD", name): value for name, value in right.items()},
            "one more": {**right, "more": ""},
            "one less": dict(made.context[1:]),
            "other value": {name: value + "1" for name, value in right.items()},
        }
        return given[how]

    @rule(blob=blobs, how=contexts_given, key=st.none() | keys, dry=st.booleans())
    def decrypt(self, blob: int, how: str, key: int | None, *, dry: bool) -> None:
        data = self.blob_of(blob)
        made = self.model.sealed[data]
        given = self.given_context(made, how)
        named_key = None if key is None else self.key_of(key)
        answer = self.run("Decrypt", CiphertextBlob=data, EncryptionContext=given, KeyId=named_key, DryRun=dry)
        if answer is not None:
            materials = self.model.keys[made.key_id].materials
            known = materials[made.version - 1] or answer["KeyMaterialId"]
            assert (answer["Plaintext"], answer["KeyMaterialId"]) == (made.plaintext, known)

    @rule(blob=blobs)
    def decrypt_as_it_was_made(self, blob: int) -> None:
        data = self.blob_of(blob)
        made = self.model.sealed[data]
        answer = self.run("Decrypt", CiphertextBlob=data, EncryptionContext=dict(made.context))
        assert answer is None or answer["Plaintext"] == made.plaintext

    @rule(blob=blobs, key=keys, form=forms, how=contexts_given, destination=contexts)
    def re_encrypt(self, blob: int, key: int, form: int, how: str, destination: Any) -> None:
        data = self.blob_of(blob)
        self.run(
            "ReEncrypt",
            CiphertextBlob=data,
            SourceEncryptionContext=self.given_context(self.model.sealed[data], how),
            DestinationKeyId=self.name_of(key, form),
            DestinationEncryptionContext=destination,
        )

    @rule(blob=blobs, bit=st.integers(0, 10_000))
    def decrypt_a_changed_blob(self, blob: int, bit: int) -> None:
        data = self.blob_of(blob)
        made = self.model.sealed[data]
        changed = bytearray(data)
        changed[bit // 8 % len(data)] ^= 1 << bit % 8
        with pytest.raises(errors.KmsError) as caught:
            perform(
                self.home.context,
                "Decrypt",
                {"CiphertextBlob": bytes(changed), "EncryptionContext": dict(made.context)},
            )
        self.lines += 1
        assert caught.value.exit_code in (22, 30, 40, 61)

    # -- lists ---------------------------------------------------------------------------------------------------------

    def pages(self, operation: str, member: str, **members: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        marker = None
        while True:
            answer = self.run(operation, Marker=marker, **members)
            assert answer is not None
            found += answer[member]
            if not answer["Truncated"]:
                return found
            assert len(answer[member]) == members["Limit"]
            marker = answer["NextMarker"]

    @rule(limit=limits)
    def list_keys(self, limit: int) -> None:
        found = [key["KeyId"] for key in self.pages("ListKeys", "Keys", Limit=limit)]
        assert sorted(found) == sorted(self.model.keys)

    @rule(limit=limits)
    def list_aliases(self, limit: int) -> None:
        found = [
            (alias["AliasName"], alias["TargetKeyId"]) for alias in self.pages("ListAliases", "Aliases", Limit=limit)
        ]
        assert sorted(found) == sorted(self.model.aliases.items())

    @rule(limit=limits, key=keys)
    def list_aliases_of_a_key(self, limit: int, key: int) -> None:
        key_id = self.key_of(key)
        if key_id == ABSENT:
            self.run("ListAliases", KeyId=key_id)
            return
        found = [alias["AliasName"] for alias in self.pages("ListAliases", "Aliases", Limit=limit, KeyId=key_id)]
        assert sorted(found) == sorted(self.model.keys[key_id].aliases)

    @rule(limit=limits, key=keys)
    def list_rotations(self, limit: int, key: int) -> None:
        key_id = self.key_of(key)
        if key_id == ABSENT:
            self.run("ListKeyRotations", KeyId=key_id)
            return
        found = self.pages("ListKeyRotations", "Rotations", Limit=limit, KeyId=key_id)
        materials = self.model.keys[key_id].materials
        assert len(found) == len(materials) - 1
        for rotation, material in zip(found, materials[1:], strict=True):
            assert rotation["KeyMaterialId"] == (material or rotation["KeyMaterialId"])
        assert [rotation["KeyMaterialState"] for rotation in found] == ["NON_CURRENT"] * (len(found) - 1) + [
            "CURRENT"
        ] * bool(found)

    # -- slots, time, reopening ----------------------------------------------------------------------------------------

    @rule(target=added_slots)
    def add_slot(self) -> str:
        label = f"slot {next(self.numbers)}"
        if len(self.slots) == 16:
            with pytest.raises(errors.SlotRuleError):
                slots.add_slot(self.home.context, self.folder / label, label)
            self.lines += 1
            return "none"
        slots.add_slot(self.home.context, self.folder / label, label)
        self.lines += 1
        self.slots.add(label)
        return label

    @rule(label=consumes(added_slots))
    def remove_slot(self, label: str) -> None:
        self.lines += 1
        if label not in self.slots:
            with pytest.raises(errors.SlotNotFoundError):
                slots.remove_slot(self.home.context, label)
            return
        slots.remove_slot(self.home.context, label)
        self.slots.discard(label)

    @rule(label=added_slots)
    def unlock_with_an_added_slot(self, label: str) -> None:
        if label not in self.slots:
            return
        secret = Secret.keyfile((self.folder / label).read_bytes(), path=label)
        vault = self.home.open()
        assert unlock(vault, "admin", lambda _: secret).identity.seed == self.home.context.session.identity.seed
        vault.store.close()

    @rule(seconds=st.integers(-250, 100_000))
    def time_passes(self, seconds: int) -> None:
        # A clock a little behind the log is borne; the log's time stands still then, and so does ours.
        self.clock.move(seconds=max(0, seconds))
        if seconds < 0:
            kept = self.clock.now
            self.clock.move(seconds=seconds)
            self.run("ListKeys")
            self.clock.now = kept

    @rule()
    def reopen(self) -> None:
        self.home.close()

    @rule()
    def fail_to_unlock(self) -> None:
        vault = self.home.open()
        with pytest.raises(errors.WrongSecretError):
            unlock(vault, None, lambda _: Secret("keyfile", bytes(32)))
        vault.store.close()

    # -- a process that dies -------------------------------------------------------------------------------------------

    @rule(key=keys, operation=st.sampled_from(["RotateKeyOnDemand", "DisableKey", "Encrypt"]), calls=st.integers(1, 65))
    def crash(self, key: int, operation: str, calls: int) -> None:
        """A process is killed before the n-th call that reaches the disk: its change is whole, or not there at all."""
        members: dict[str, Any] = {"KeyId": self.key_of(key)}
        members |= {"Plaintext": b"x"} if operation == "Encrypt" else {}
        self.kill(operation, members, calls)

    @rule(alias=st.none() | good_aliases, calls=st.integers(20, 55))
    def crash_while_a_key_is_made(self, alias: str | None, calls: int) -> None:
        """The same, where most is written."""
        self.kill("CreateKey", {"Alias": alias}, calls)

    def kill(self, operation: str, members: dict[str, Any], calls: int) -> None:
        self.home.close()
        # The child draws its random bytes from elsewhere, so that ours stay what they would be.
        seed = next(self.numbers)
        kind, answer = forked(lambda: self.perform_and_die(operation, members, calls, seed)).outcome()
        if kind == "error":
            assert answer.partition(":")[0] == self.model.expect(operation, members)
        self.take_over(operation, members, answer if kind == "value" else None)

    def perform_and_die(self, operation: str, members: dict[str, Any], calls: int, seed: int) -> dict[str, Any]:
        self.home.rng = random.Random(f"child {seed}").randbytes
        context = self.home.context
        die_at(calls)
        answer = perform(context, operation, members)
        sys.setprofile(None)
        return named(answer)

    def take_over(self, operation: str, members: dict[str, Any], acknowledged: dict[str, Any] | None) -> None:
        """Learn from the log what the dead process did, after the next command has brought it to a whole state."""
        self.run_after_crash()
        lines = self.home.lines()
        torn = [line for line in lines[self.lines :] if line["eventName"] == "AuditRecovered"]
        ours = [line for line in lines[self.lines : -1] if line["eventName"] == operation]
        event(f"killed while at work: {'done' if ours else 'not done'}{', torn' if torn else ''}")
        assert len(ours) <= 1
        assert len(lines) == self.lines + len(torn) + len(ours) + 1
        self.lines = len(lines)
        if acknowledged is not None:
            assert len(ours) == 1
        if ours:
            assert ours[0].get("errorCode", "") == self.model.expect(operation, members)
            if "errorCode" not in ours[0] and operation != "Encrypt":
                answer = acknowledged or learnt(ours[0])
                self.model.done(operation, members, now=self.now(), answer=answer)

    def run_after_crash(self) -> None:
        perform(self.home.context, "GenerateRandom", {"NumberOfBytes": 1})

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def the_log_is_gapless_and_chained(self) -> None:
        previous = auditline.FIRST_PREV
        raw = self.home.raw_lines()
        assert len(raw) == self.lines
        for number, data in enumerate(raw, 1):
            chain = auditline.decode(data).chain
            assert (chain.seq, chain.prev) == (number, previous)
            previous = auditline.digest(data)

    @invariant()
    def records_are_those_of_the_reference(self) -> None:
        with self.home.context.session.read() as snapshot:
            keys = {name.removeprefix("key/") for _, name in snapshot.group_names("key/", (0, ""))}
            names = {name for _, name in snapshot.group_names("alias/", (0, ""))}
            assert (keys, names) == (set(self.model.keys), set(self.model.aliases))
            for key_id, key in self.model.keys.items():
                found = snapshot.key(key_id)
                assert found is not None
                record = found.record
                assert (record.state, record.description, record.manager) == (key.state, key.description, key.manager)
                assert (set(record.aliases), dict(record.tags)) == (key.aliases, key.tags)
                assert (record.current, sorted(found.versions)) == (
                    len(key.materials),
                    list(range(1, len(key.materials) + 1)),
                )
                assert (record.deletion_date, list(found.shares)) == (key.deletion, ["admin"])


def learnt(line: dict[str, Any]) -> dict[str, Any]:
    """The answer that a line tells of, as far as the reference wants it."""
    metadata = (line["responseElements"] or {}).get("keyMetadata", {})
    return {"KeyMetadata": {name[0].upper() + name[1:]: value for name, value in metadata.items()}}


EFFECTS = {"execute", "fdatasync", "fsync", "ftruncate", "link", "open", "replace", "truncate", "unlink", "write"}
"""Names of the functions by which anything reaches the disk: some sixty calls an operation."""


def die_at(calls: int) -> None:
    """Kill this process when it is about to call one of EFFECTS for the n-th time from now on."""
    left = itertools.count(calls - 1, -1)

    def watch(_frame: object, what: str, function: object) -> None:
        if what == "c_call" and getattr(function, "__name__", "") in EFFECTS and next(left) <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


FAST = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
LONG = settings(FAST, max_examples=300, stateful_step_count=60)


def test_a_vault_behaves_as_its_reference() -> None:
    run_state_machine_as_test(Vaults, settings=FAST)


@pytest.mark.long
def test_a_vault_behaves_as_its_reference_for_long() -> None:
    run_state_machine_as_test(Vaults, settings=LONG)
