"""Random lives of a vault, in step with a reference in memory.

Each operation must end as the reference says: same success, or the same AWS error. Between operations the vault is
closed and opened, its slots change, time passes, and a process dies in the middle of a change.
"""

import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, initialize, precondition, rule, run_state_machine_as_test

from kmscli import errors
from kmscli.service import managed, slots
from kmscli.service.dispatch import perform
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock
from tests.helpers import named
from tests.properties.lifetimes import SECRETS, Lifetimes
from tests.properties.machine import forms, keys, limits
from tests.reference import PREFIX, Sealed

contexts = st.none() | st.dictionaries(st.sampled_from(["a", "A", "\u00e9", "e\u0301"]), st.sampled_from(["", "1"]))
plaintexts = st.binary(min_size=1, max_size=40)
good_aliases = st.sampled_from(["alias/a", "alias/b", "alias/A", "alias/a/b"])
aliases = (
    good_aliases | good_aliases | good_aliases | st.sampled_from(["alias/aws/x", "alias/", "nothing", "alias/\u00e4"])
)
blobs = st.integers(0, 1000)
SWITCHES = {"EnableKey": "Disabled", "DisableKey": "Enabled", "CancelKeyDeletion": "PendingDeletion"}
"""Operation -> the state of the keys for which it is meant."""
CRASHING = [
    "RotateKeyOnDemand",
    "DisableKey",
    "Encrypt",
    "DescribeKey",
    "EnableKeyRotation",
    "DeleteImportedKeyMaterial",
]
contexts_given = st.just("right") | st.sampled_from(
    ["none", "other case", "other form", "one more", "one less", "other value"]
)
descriptions = st.sampled_from(["", "one", "\u00fc\n\0"])
tags = st.lists(
    st.fixed_dictionaries({"TagKey": st.sampled_from(["x", "y", "aws:z"]), "TagValue": st.sampled_from(["", "1"])}),
    max_size=2,
)


class Vaults(Lifetimes):
    """A vault and its reference."""

    added_slots = Bundle("added_slots")

    def __init__(self) -> None:
        super().__init__()
        self.slots = {"first"}

    def blob_of(self, number: int) -> bytes:
        made = list(self.model.sealed)
        return made[number % len(made)]

    # -- keys ----------------------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.run("CreateKey")
        self.run("CreateKey", Alias="alias/b")
        self.encrypt(0, 0, b"x", {"a": "1"}, dry=False)
        self.run("CreateKey", Origin="EXTERNAL")
        self.bring_material(2, SECRETS[0], None, None, timedelta(days=9))
        self.encrypt(2, 0, b"y", None, dry=False)

    @rule(alias=st.none() | aliases, tags=st.none() | tags, description=st.none() | descriptions)
    def create_key(self, alias: str | None, tags: Any, description: str | None) -> None:
        # A pattern of the request's own shape: refused as malformed before anybody looks at names.
        if alias is not None and not alias.isascii():
            self.malformed("CreateKey", Alias=alias)
            return
        self.run("CreateKey", Alias=alias, Tags=tags, Description=description)

    @rule(key=keys, form=forms, operation=st.sampled_from(list(SWITCHES)))
    def switch(self, key: int, form: int, operation: str) -> None:
        key_id = self.fitting(key, lambda each: each.stored == SWITCHES[operation])
        self.run(operation, KeyId=self.named(key_id, form))

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
        state = key.state(self.now())
        assert (found["KeyId"], found["Arn"]) == (key_id, f"{PREFIX}key/{key_id}")
        assert (found["KeyState"], found["Enabled"]) == (state, state == "Enabled")
        assert (found["Description"], found["KeyManager"]) == (key.description, key.manager)
        assert (found["KeySpec"], found["KeyUsage"], found["Origin"]) == (key.spec, key.usage, key.origin)
        assert found.get("DeletionDate") == key.deletion
        rotates = key.used and key.spec == "SYMMETRIC_DEFAULT"
        assert found.get("CurrentKeyMaterialId") == (key.used[-1].id if rotates else None)
        there = [material for material in key.used if material.present]
        ends = [material.valid_to for material in there if material.valid_to is not None]
        model = (
            f"KEY_MATERIAL_{'EXPIRES' if ends else 'DOES_NOT_EXPIRE'}" if key.origin == "EXTERNAL" and there else None
        )
        assert (found.get("ValidTo"), found.get("ExpirationModel")) == (min(ends, default=None), model)

    @rule()
    def use_the_managed_key(self) -> None:
        made = managed.FILES not in self.model.aliases
        managed.managed_key(self.home.context, managed.FILES)
        if made:
            self.wrote()
            metadata = named(perform(self.home.context, "DescribeKey", {"KeyId": managed.FILES}))["KeyMetadata"]
            self.wrote()
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

    @rule(alias=good_aliases | st.sampled_from(["nothing", managed.FILES]))
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
            material = self.model.keys[made.key_id].materials[made.version - 1]
            assert (answer["Plaintext"], answer["KeyMaterialId"]) == (made.plaintext, material.id)

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
        # Whatever is due on its key is done first, since the change may leave the key's id as it is.
        self.run("DescribeKey", KeyId=made.key_id)
        changed = bytearray(data)
        changed[bit // 8 % len(data)] ^= 1 << bit % 8
        with pytest.raises(errors.KmsError) as caught:
            perform(
                self.home.context,
                "Decrypt",
                {"CiphertextBlob": bytes(changed), "EncryptionContext": dict(made.context)},
            )
        self.wrote()
        assert caught.value.exit_code in (22, 30, 40, 61)

    # -- lists ---------------------------------------------------------------------------------------------------------

    @rule(limit=limits)
    def list_keys(self, limit: int) -> None:
        found = self.pages("ListKeys", "Keys", Limit=limit)
        assert found is not None
        assert sorted(key["KeyId"] for key in found) == sorted(self.model.keys)

    @rule(limit=limits)
    def list_aliases(self, limit: int) -> None:
        found = self.pages("ListAliases", "Aliases", Limit=limit)
        assert found is not None
        assert sorted((alias["AliasName"], alias["TargetKeyId"]) for alias in found) == sorted(
            self.model.aliases.items()
        )

    @rule(limit=limits, key=keys)
    def list_aliases_of_a_key(self, limit: int, key: int) -> None:
        key_id = self.key_of(key)
        found = self.pages("ListAliases", "Aliases", Limit=limit, KeyId=key_id)
        if found is not None:
            assert sorted(alias["AliasName"] for alias in found) == sorted(self.model.keys[key_id].aliases)

    # -- slots, reopening ----------------------------------------------------------------------------------------

    @rule(target=added_slots)
    def add_slot(self) -> str:
        label = f"slot {next(self.numbers)}"
        if len(self.slots) == 16:
            with pytest.raises(errors.SlotRuleError):
                slots.add_slot(self.home.context, self.folder / label, label)
            self.wrote()
            return "none"
        slots.add_slot(self.home.context, self.folder / label, label)
        self.wrote()
        self.slots.add(label)
        return label

    @rule(label=consumes(added_slots))
    def remove_slot(self, label: str) -> None:
        self.wrote()
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

    @rule(key=keys, operation=st.sampled_from(CRASHING), calls=st.integers(1, 65) | st.integers(1, 150))
    def crash(self, key: int, operation: str, calls: int) -> None:
        """A process is killed before the n-th call that reaches the disk: its change is whole, or not there at all.

        So is each thing that was due on the key, which is done and told of before the operation.
        """
        members: dict[str, Any] = {"KeyId": self.key_of(key)}
        members |= {"Plaintext": b"x"} if operation == "Encrypt" else {}
        self.kill(operation, members, calls)

    @rule(alias=st.none() | good_aliases, calls=st.integers(20, 55))
    def crash_while_a_key_is_made(self, alias: str | None, calls: int) -> None:
        """The same, where most is written."""
        self.kill("CreateKey", {"Alias": alias}, calls)


FAST = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
LONG = settings(FAST, max_examples=300, stateful_step_count=60)


def test_a_vault_behaves_as_its_reference() -> None:
    run_state_machine_as_test(Vaults, settings=FAST)


@pytest.mark.long
def test_a_vault_behaves_as_its_reference_for_long() -> None:
    run_state_machine_as_test(Vaults, settings=LONG)
