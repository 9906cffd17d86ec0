"""Keys as such: made, switched, ended; their aliases, tags and policies."""

import string
from datetime import timedelta

from tests.reference.base import Base
from tests.reference.key import PREFIX, SYMMETRIC, Key, Material, Members, Refused

ALIASES_PER_KEY = 50
TAGS_PER_KEY = 50
YEAR = 365
_ALIAS_CHARACTERS = set(string.ascii_letters + string.digits + "/_-")


def _type(key: Key) -> str:
    """Of the three that UpdateAlias must not cross."""
    return "HMAC" if key.spec.startswith("HMAC") else SYMMETRIC if key.spec == SYMMETRIC else "asymmetric"


class Naming(Base):
    """Everything but the use of keys, their material, and grants."""

    def _check_list_keys(self, members: Members) -> None:
        pass

    def _check_create_key(self, members: Members) -> None:
        self._check_tags({}, members.get("Tags") or [])
        if members.get("Policy") is not None:
            self._check_policy(members["Policy"])
        if members.get("Alias") is not None:
            self._check_new_alias(members["Alias"])

    def _do_create_key(self, members: Members, answer: Members) -> None:
        metadata = answer["KeyMetadata"]
        key = Key(
            members.get("Description") or "",
            spec=metadata["KeySpec"],
            usage=metadata["KeyUsage"],
            origin=metadata["Origin"],
            manager=metadata["KeyManager"],
            policy=members.get("Policy"),
            tags={tag["TagKey"]: tag["TagValue"] for tag in members.get("Tags") or []},
        )
        if key.origin == "AWS_KMS":
            key.materials, key.current = [Material(metadata.get("CurrentKeyMaterialId", ""))], 1
        if key.manager == "AWS":
            key.period, key.next_rotation = YEAR, self.now + timedelta(days=YEAR)
        if metadata["KeyId"] in self.keys:
            raise AssertionError("a key id was given twice")
        self.keys[metadata["KeyId"]] = key
        if members.get("Alias") is not None:
            self._name(members["Alias"], metadata["KeyId"])

    # -- states --------------------------------------------------------------------------------------------------------

    def _check_edit(self, operation: str, members: Members) -> None:
        self.editable(members["KeyId"]).check_state(operation, self.now)

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

    def _do_enable_key(self, members: Members, _answer: Members) -> None:
        self.find(members["KeyId"]).stored = "Enabled"

    def _do_disable_key(self, members: Members, _answer: Members) -> None:
        self.find(members["KeyId"]).stored = "Disabled"

    def _do_update_key_description(self, members: Members, _answer: Members) -> None:
        self.find(members["KeyId"]).description = members["Description"]

    def _do_schedule_key_deletion(self, members: Members, _answer: Members) -> None:
        key = self.find(members["KeyId"])
        key.stored = "PendingDeletion"
        key.deletion = self.now + timedelta(days=members.get("PendingWindowInDays") or 30)

    def _do_cancel_key_deletion(self, members: Members, _answer: Members) -> None:
        key = self.find(members["KeyId"])
        key.stored, key.deletion = "Disabled", None

    # -- aliases -------------------------------------------------------------------------------------------------------

    @staticmethod
    def _check_alias(name: str) -> None:
        if not name.startswith("alias/"):
            raise Refused("ValidationException")
        if name.startswith("alias/aws/"):
            raise Refused("NotAuthorizedException")

    def _check_new_alias(self, name: str) -> None:
        self._check_alias(name)
        if name == "alias/":
            raise Refused("InvalidAliasNameException")
        if not set(name) <= _ALIAS_CHARACTERS:
            raise Refused("ValidationException")
        if name in self.aliases and self.keys[self.aliases[name]].is_gone(self.now):
            self.settle(self.aliases[name])
        if name in self.aliases:
            raise Refused("AlreadyExistsException")

    def _name(self, alias: str, key_id: str) -> None:
        self.aliases[alias] = key_id
        self.keys[key_id].aliases.add(alias)

    def _target(self, operation: str, name: str) -> Key:
        if name.removeprefix(PREFIX).startswith("alias/"):
            raise Refused("ValidationException")
        key = self.editable(name)
        key.check_state(operation, self.now)
        return key

    @staticmethod
    def _check_room(key: Key) -> None:
        if len(key.aliases) >= ALIASES_PER_KEY:
            raise Refused("LimitExceededException")

    def _check_create_alias(self, members: Members) -> None:
        key = self._target("CreateAlias", members["TargetKeyId"])
        self._check_new_alias(members["AliasName"])
        self._check_room(key)

    def _do_create_alias(self, members: Members, _answer: Members) -> None:
        self._name(members["AliasName"], self.id_of(members["TargetKeyId"]))

    def _existing(self, name: str) -> Key:
        self._check_alias(name)
        if name not in self.aliases:
            raise Refused("NotFoundException")
        return self.editable(self.aliases[name])

    def _check_update_alias(self, members: Members) -> None:
        old = self._existing(members["AliasName"])
        new = self._target("UpdateAlias", members["TargetKeyId"])
        if old is not new:
            if (old.usage, _type(old)) != (new.usage, _type(new)):
                raise Refused("ValidationException")
            self._check_room(new)

    def _do_update_alias(self, members: Members, _answer: Members) -> None:
        name = members["AliasName"]
        self.keys[self.aliases[name]].aliases.discard(name)
        self._name(name, self.id_of(members["TargetKeyId"]))

    def _check_delete_alias(self, members: Members) -> None:
        self._existing(members["AliasName"])

    def _do_delete_alias(self, members: Members, _answer: Members) -> None:
        name = members["AliasName"]
        self.keys[self.aliases.pop(name)].aliases.discard(name)

    def _check_list_aliases(self, members: Members) -> None:
        if members.get("KeyId") is not None:
            self.find(members["KeyId"])

    # -- tags and policies ---------------------------------------------------------------------------------------------

    @staticmethod
    def _check_tags(old: dict[str, str], new: list[dict[str, str]]) -> None:
        names = [tag["TagKey"] for tag in new]
        if len(set(names)) != len(names) or len({*old, *names}) > TAGS_PER_KEY:
            raise Refused("TagException")
        if any(name.lower().startswith("aws:") for name in names):
            raise Refused("TagException")

    def _check_tag_resource(self, members: Members) -> None:
        self._check_edit("TagResource", members)
        self._check_tags(self.find(members["KeyId"]).tags, members["Tags"])

    def _do_tag_resource(self, members: Members, _answer: Members) -> None:
        self.find(members["KeyId"]).tags |= {tag["TagKey"]: tag["TagValue"] for tag in members["Tags"]}

    def _check_untag_resource(self, members: Members) -> None:
        self._check_edit("UntagResource", members)
        if any(name.lower().startswith("aws:") for name in members["TagKeys"]):
            raise Refused("TagException")

    def _do_untag_resource(self, members: Members, _answer: Members) -> None:
        key = self.find(members["KeyId"])
        key.tags = {name: value for name, value in key.tags.items() if name not in members["TagKeys"]}

    @staticmethod
    def _check_policy(document: str) -> None:
        # Tests give AWS's default policy with other names of its statement, or no policy at all.
        if '"kms:*"' not in document:
            raise Refused("MalformedPolicyDocumentException")

    def _check_put_key_policy(self, members: Members) -> None:
        self._check_edit("PutKeyPolicy", members)
        self._check_policy(members["Policy"])

    def _do_put_key_policy(self, members: Members, _answer: Members) -> None:
        self.find(members["KeyId"]).policy = members["Policy"]
