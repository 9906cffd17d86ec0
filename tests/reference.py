"""A vault as it ought to be, in plain dictionaries: what tests compare the real one with.

It knows AWS's rules and nothing of how the product keeps them. `expect` says in which error an operation must end, ""
for success; `done` takes over what a successful one did.
"""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

PREFIX = "arn:aws:kms:local:000000000000:"
ALIASES_PER_KEY = 50
TAGS_PER_KEY = 50
_ALIAS_CHARACTERS = set(string.ascii_letters + string.digits + "/_-")
_USES = {"Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "RotateKeyOnDemand"}
Members = Mapping[str, Any]


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """The operation ends in the AWS error of this name."""


@dataclass
class Key:
    """A key: `materials` are the KeyMaterialIds of its versions, from the first."""

    description: str = ""
    state: str = "Enabled"
    manager: str = "CUSTOMER"
    aliases: set[str] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)
    materials: list[str] = field(default_factory=list)
    deletion: datetime | None = None


@dataclass(frozen=True)
class Sealed:
    """What a ciphertext was made of."""

    key_id: str
    version: int
    plaintext: bytes
    context: tuple[tuple[str, str], ...]


def pairs(context: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """An encryption context, comparable: absent and empty are the same."""
    return tuple(sorted((context or {}).items()))


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Model:
    """The reference."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.aliases: dict[str, str] = {}
        self.sealed: dict[bytes, Sealed] = {}

    def expect(self, operation: str, members: Members) -> str:
        """The name of the error in which the operation must end, "" if it must succeed."""
        check = getattr(self, f"_check_{_snake(operation)}", None)
        try:
            if check is not None:
                check(members)
            else:
                self._usable(operation, self.find(members["KeyId"]))
        except Refused as refused:
            return str(refused)
        return "DryRunOperationException" if members.get("DryRun") else ""

    def done(self, operation: str, members: Members, *, now: datetime, answer: Members) -> None:
        """Take over what a successful operation did."""
        effect = getattr(self, f"_do_{_snake(operation)}", None)
        if effect is not None:
            effect(members, now, answer)

    # -- names and states ----------------------------------------------------------------------------------------------

    def find(self, name: str) -> str:
        """The key that a KeyId names."""
        name = name.removeprefix(PREFIX).removeprefix("key/") if name.startswith("arn:") else name
        key_id = self.aliases.get(name, "") if name.startswith("alias/") else name
        if key_id not in self.keys:
            raise Refused("NotFoundException")
        return key_id

    def _editable(self, operation: str, name: str) -> str:
        key_id = self.find(name)
        if self.keys[key_id].manager == "AWS":
            raise Refused("AccessDeniedException")
        return self._usable(operation, key_id)

    def _usable(self, operation: str, key_id: str) -> str:
        state = self.keys[key_id].state
        if operation == "CancelKeyDeletion":
            if state != "PendingDeletion":
                raise Refused("KMSInvalidStateException")
        elif operation not in {"DescribeKey", "ListAliases", "ListKeyRotations", "DeleteAlias"}:
            if state == "PendingDeletion":
                raise Refused("KMSInvalidStateException")
            if state == "Disabled" and operation in _USES:
                raise Refused("DisabledException")
        return key_id

    def _check_edit(self, operation: str, members: Members) -> None:
        self._editable(operation, members["KeyId"])

    def _check_enable_key(self, members: Members) -> None:
        self._check_edit("EnableKey", members)

    def _check_disable_key(self, members: Members) -> None:
        self._check_edit("DisableKey", members)

    def _check_update_key_description(self, members: Members) -> None:
        self._check_edit("UpdateKeyDescription", members)

    def _check_schedule_key_deletion(self, members: Members) -> None:
        self._check_edit("ScheduleKeyDeletion", members)

    def _check_cancel_key_deletion(self, members: Members) -> None:
        self._check_edit("CancelKeyDeletion", members)

    def _check_rotate_key_on_demand(self, members: Members) -> None:
        self._check_edit("RotateKeyOnDemand", members)

    def _do_enable_key(self, members: Members, _now: datetime, _answer: Members) -> None:
        self.keys[self.find(members["KeyId"])].state = "Enabled"

    def _do_disable_key(self, members: Members, _now: datetime, _answer: Members) -> None:
        self.keys[self.find(members["KeyId"])].state = "Disabled"

    def _do_update_key_description(self, members: Members, _now: datetime, _answer: Members) -> None:
        self.keys[self.find(members["KeyId"])].description = members["Description"]

    def _do_schedule_key_deletion(self, members: Members, now: datetime, _answer: Members) -> None:
        key = self.keys[self.find(members["KeyId"])]
        key.state = "PendingDeletion"
        key.deletion = now + timedelta(days=members.get("PendingWindowInDays") or 30)

    def _do_cancel_key_deletion(self, members: Members, _now: datetime, _answer: Members) -> None:
        key = self.keys[self.find(members["KeyId"])]
        key.state, key.deletion = "Disabled", None

    def _do_rotate_key_on_demand(self, members: Members, _now: datetime, _answer: Members) -> None:
        # The id of the new material is in no answer: it is learnt when the key is described.
        self.keys[self.find(members["KeyId"])].materials.append("")

    # -- keys and aliases ----------------------------------------------------------------------------------------------

    def _check_create_key(self, members: Members) -> None:
        names = [tag["TagKey"] for tag in members.get("Tags") or []]
        if len(set(names)) != len(names) or len(names) > TAGS_PER_KEY:
            raise Refused("TagException")
        if any(name.lower().startswith("aws:") for name in names):
            raise Refused("TagException")
        if members.get("Alias") is not None:
            self._check_new_alias(members["Alias"])

    def _check_new_alias(self, name: str) -> None:
        if not name.startswith("alias/") or name.startswith("alias/aws/") or not set(name) <= _ALIAS_CHARACTERS:
            raise Refused("InvalidAliasNameException")
        if name in self.aliases:
            raise Refused("AlreadyExistsException")

    def _do_create_key(self, members: Members, _now: datetime, answer: Members) -> None:
        metadata = answer["KeyMetadata"]
        key = Key(members.get("Description") or "", manager=metadata["KeyManager"])
        key.tags = {tag["TagKey"]: tag["TagValue"] for tag in members.get("Tags") or []}
        key.materials = [metadata["CurrentKeyMaterialId"]]
        if metadata["KeyId"] in self.keys:
            raise AssertionError("a key id was given twice")
        self.keys[metadata["KeyId"]] = key
        if members.get("Alias") is not None:
            self._name(members["Alias"], metadata["KeyId"])

    def _name(self, alias: str, key_id: str) -> None:
        self.aliases[alias] = key_id
        self.keys[key_id].aliases.add(alias)

    def _target(self, operation: str, name: str) -> str:
        if name.removeprefix(PREFIX).startswith("alias/"):
            raise Refused("ValidationException")
        return self._editable(operation, name)

    def _room(self, key_id: str) -> None:
        if len(self.keys[key_id].aliases) >= ALIASES_PER_KEY:
            raise Refused("LimitExceededException")

    def _check_create_alias(self, members: Members) -> None:
        key_id = self._target("CreateAlias", members["TargetKeyId"])
        self._check_new_alias(members["AliasName"])
        self._room(key_id)

    def _do_create_alias(self, members: Members, _now: datetime, _answer: Members) -> None:
        self._name(members["AliasName"], self.find(members["TargetKeyId"]))

    def _existing(self, name: str) -> str:
        if name not in self.aliases:
            raise Refused("NotFoundException")
        if self.keys[self.aliases[name]].manager == "AWS":
            raise Refused("AccessDeniedException")
        return self.aliases[name]

    def _check_update_alias(self, members: Members) -> None:
        old = self._existing(members["AliasName"])
        new = self._target("UpdateAlias", members["TargetKeyId"])
        if old != new:
            self._room(new)

    def _do_update_alias(self, members: Members, _now: datetime, _answer: Members) -> None:
        name = members["AliasName"]
        self.keys[self.aliases[name]].aliases.discard(name)
        self._name(name, self.find(members["TargetKeyId"]))

    def _check_delete_alias(self, members: Members) -> None:
        self._existing(members["AliasName"])

    def _do_delete_alias(self, members: Members, _now: datetime, _answer: Members) -> None:
        name = members["AliasName"]
        self.keys[self.aliases.pop(name)].aliases.discard(name)

    def _check_list_keys(self, members: Members) -> None:
        pass

    def _check_generate_random(self, members: Members) -> None:
        pass

    def _check_list_aliases(self, members: Members) -> None:
        if members.get("KeyId") is not None:
            self.find(members["KeyId"])

    # -- crypto --------------------------------------------------------------------------------------------------------

    def seal(self, ciphertext: bytes, key_id: str, plaintext: bytes, context: Mapping[str, str] | None) -> None:
        """Remember a ciphertext that the current version of a key made."""
        self.sealed[ciphertext] = Sealed(key_id, len(self.keys[key_id].materials), plaintext, pairs(context))

    def _do_encrypt(self, members: Members, _now: datetime, answer: Members) -> None:
        key_id = self.find(members["KeyId"])
        self.seal(answer["CiphertextBlob"], key_id, members["Plaintext"], members.get("EncryptionContext"))

    def _do_generate_data_key(self, members: Members, _now: datetime, answer: Members) -> None:
        key_id = self.find(members["KeyId"])
        self.seal(answer["CiphertextBlob"], key_id, answer["Plaintext"], members.get("EncryptionContext"))

    def _open(self, operation: str, ciphertext: bytes, named: str | None, context: Mapping[str, str] | None) -> Sealed:
        wanted = None if named is None else self.find(named)
        made = self.sealed.get(ciphertext)
        if made is None:
            raise Refused("InvalidCiphertextException")
        if wanted not in (None, made.key_id):
            raise Refused("IncorrectKeyException")
        self._usable(operation, made.key_id)
        if made.context != pairs(context):
            raise Refused("InvalidCiphertextException")
        return made

    def _check_decrypt(self, members: Members) -> None:
        self._open("Decrypt", members["CiphertextBlob"], members.get("KeyId"), members.get("EncryptionContext"))

    def _check_re_encrypt(self, members: Members) -> None:
        ciphertext, named = members["CiphertextBlob"], members.get("SourceKeyId")
        self._open("ReEncrypt", ciphertext, named, members.get("SourceEncryptionContext"))
        self._usable("ReEncrypt", self.find(members["DestinationKeyId"]))

    def _do_re_encrypt(self, members: Members, _now: datetime, answer: Members) -> None:
        made = self.sealed[members["CiphertextBlob"]]
        key_id = self.find(members["DestinationKeyId"])
        self.seal(answer["CiphertextBlob"], key_id, made.plaintext, members.get("DestinationEncryptionContext"))
