"""A key, and what its state lets happen: AWS's table "Key states of AWS KMS keys", by groups of operations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

PREFIX = "arn:aws:kms:local:000000000000:"
SYMMETRIC = "SYMMETRIC_DEFAULT"
Members = Mapping[str, Any]

IN_ANY_STATE = {
    "DeleteAlias",
    "DeleteImportedKeyMaterial",
    "DescribeKey",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "ListAliases",
    "ListGrants",
    "ListKeyRotations",
    "ListResourceTags",
    "PutKeyPolicy",
    "RetireGrant",
    "RevokeGrant",
}
BEFORE_ITS_END = {
    "CreateAlias",
    "GetParametersForImport",
    "ImportKeyMaterial",
    "ScheduleKeyDeletion",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateKeyDescription",
}
WITH_ITS_MATERIAL = {"DisableKey", "EnableKey"}
"""In the states Enabled and Disabled; whatever is in none of the three needs the state Enabled."""


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """The operation ends in the AWS error of this name."""


@dataclass
class Material:
    """One key material. `secret` is what was imported, None where kms made it.

    Attributes:
        id: KeyMaterialId; "" until an answer or a record has told it.
    """

    id: str = ""
    secret: bytes | None = None
    present: bool = True
    valid_to: datetime | None = None
    rotation: str | None = None
    rotated: datetime | None = None
    description: str = ""

    def is_there(self, now: datetime) -> bool:
        return self.present and (self.valid_to is None or now < self.valid_to)


@dataclass(frozen=True)
class Grant:
    """A grant, but for its id."""

    grantee: str
    operations: tuple[str, ...]
    retiring: str | None = None
    name: str | None = None
    constraints: str = ""


@dataclass
class Key:
    """A key: `materials` from the first on, of which `current` (from 1) is used; a later one waits for its rotation.

    Attributes:
        stored: Enabled, Disabled or PendingDeletion, whatever its materials are.
    """

    description: str = ""
    spec: str = SYMMETRIC
    usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    manager: str = "CUSTOMER"
    stored: str = "Enabled"
    aliases: set[str] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)
    policy: str | None = None
    grants: dict[str, Grant] = field(default_factory=dict)
    materials: list[Material] = field(default_factory=list)
    current: int = 0
    deletion: datetime | None = None
    period: int | None = None
    next_rotation: datetime | None = None

    @property
    def used(self) -> list[Material]:
        """The materials that some ciphertext may need."""
        return self.materials[: self.current]

    def state(self, now: datetime) -> str:
        """KeyState."""
        if self.stored == "PendingDeletion" or self.origin == "AWS_KMS":
            return self.stored
        complete = self.used and all(material.is_there(now) for material in self.used)
        return self.stored if complete else "PendingImport"

    def is_gone(self, now: datetime) -> bool:
        return self.deletion is not None and self.deletion <= now

    def due(self, now: datetime) -> str | None:
        """What time has brought, under CloudTrail's name of it."""
        if self.is_gone(now):
            return "DeleteKey"
        if any(material.present and not material.is_there(now) for material in self.materials):
            return "DeleteExpiredKeyMaterial"
        if self.stored == "Enabled" and self.next_rotation is not None and self.next_rotation <= now:
            return "RotateKey"
        return None

    def times(self) -> list[datetime]:
        """When something happens to it by itself."""
        ends = [material.valid_to for material in self.materials]
        return [time for time in [self.deletion, self.next_rotation, *ends] if time is not None]

    def check_state(self, operation: str, now: datetime) -> None:
        state = self.state(now)
        if operation in IN_ANY_STATE or (operation in BEFORE_ITS_END and state != "PendingDeletion"):
            return
        if operation == "CancelKeyDeletion":
            if state != "PendingDeletion":
                raise Refused("KMSInvalidStateException")
        elif state in {"PendingDeletion", "PendingImport"}:
            raise Refused("KMSInvalidStateException")
        elif state == "Disabled" and operation not in WITH_ITS_MATERIAL:
            raise Refused("DisabledException")


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
