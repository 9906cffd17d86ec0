"""What all areas of the reference share: from the name of an operation to its rule, keys by their names, and time."""

import re
from datetime import UTC, datetime, timedelta

from tests.reference.key import PREFIX, Key, Material, Members, Refused, Sealed


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Base:
    """The keys, and how an operation finds its rule.

    Attributes:
        keys: By their ids, from the oldest; also those whose end has come and that nobody touched since.
        aliases: Name -> key id.
        sealed: Ciphertext -> what it was made of.
        now: The time of the operation at hand.
        brought: What time had brought to keys that the operation at hand touched: (CloudTrail's name of it, key id).
    """

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.aliases: dict[str, str] = {}
        self.sealed: dict[bytes, Sealed] = {}
        self.now = datetime.min.replace(tzinfo=UTC)
        self.brought: list[tuple[str, str]] = []

    def expect(self, operation: str, members: Members, *, now: datetime) -> str:
        """The name of the error in which the operation must end, "" if it must succeed."""
        self.now, self.brought = now, []
        check = getattr(self, f"_check_{_snake(operation)}", None)
        try:
            if check is not None:
                check(members)
            else:
                self.usable(operation, members["KeyId"])
        except Refused as refused:
            return str(refused)
        return "DryRunOperationException" if members.get("DryRun") else ""

    def done(self, operation: str, members: Members, *, now: datetime, answer: Members) -> None:
        """Take over what a successful operation did."""
        self.now = now
        effect = getattr(self, f"_do_{_snake(operation)}", None)
        if effect is not None:
            effect(members, answer)

    # -- keys by their names -------------------------------------------------------------------------------------------

    def find(self, name: str) -> Key:
        """The key that a KeyId names, after all that was due on it."""
        return self.keys[self.id_of(name)]

    def id_of(self, name: str) -> str:
        """The id of `find`."""
        name = name.removeprefix(PREFIX).removeprefix("key/") if name.startswith("arn:") else name
        key_id = self.aliases.get(name, "") if name.startswith("alias/") else name
        self.settle(key_id)
        if key_id not in self.keys:
            raise Refused("NotFoundException")
        return key_id

    def editable(self, name: str) -> Key:
        """The key, unless a service of kms made it for itself."""
        key = self.find(name)
        if key.manager == "AWS":
            raise Refused("AccessDeniedException")
        return key

    def usable(self, operation: str, name: str) -> Key:
        """The key, if its state allows the operation."""
        key = self.find(name)
        key.check_state(operation, self.now)
        return key

    # -- what time brings ----------------------------------------------------------------------------------------------

    def settle(self, key_id: str) -> None:
        """Do all that is due on a key."""
        while key_id in self.keys and (work := self.keys[key_id].due(self.now)) is not None:
            self.bring(work, key_id)

    def bring(self, work: str, key_id: str) -> None:
        """Do one thing that is due on a key."""
        key = self.keys[key_id]
        if work == "DeleteKey":
            for alias in key.aliases:
                del self.aliases[alias]
            del self.keys[key_id]
        elif work == "RotateKey":
            key.materials.append(Material(rotation="AUTOMATIC", rotated=self.now))
            key.current += 1
            key.next_rotation = self.now + timedelta(days=key.period or 0)
        else:
            for material in list(key.materials):
                if not material.is_there(self.now):
                    self.forget(key, material)
        self.brought.append((work, key_id))

    @staticmethod
    def forget(key: Key, material: Material) -> None:
        """Destroy imported material; what waited for its rotation leaves the key with it."""
        if any(material is each for each in key.used):
            material.present, material.valid_to = False, None
        else:
            key.materials = [each for each in key.materials if each is not material]
