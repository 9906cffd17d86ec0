"""What time does to a key: its state now, and what has become due.

Pure functions of a key's records and of a time, so that what is due already holds for everybody, also before a root
writes it down: a key whose deletion date is past is not found, imported material whose ValidTo is past is not there.
Source: AWS KMS developer guide, "Key states", "Deleting keys", "Rotate keys", "Importing key material".
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from kmscli.formats.record import KeyRecord, VersionRecord
from kmscli.model.key import KeyState
from kmscli.vault.records import KeyGroup

Work = Literal["DeleteKey", "DeleteExpiredKeyMaterial", "DeleteExpiredGrants", "RotateKey"]
"""What falls due, under the names of CloudTrail's events where it has one."""

_STATES = {str(state): state for state in KeyState}


def has_material(version: VersionRecord, now: datetime) -> bool:
    """Whether the material of a version is there and has not expired."""
    return bool(version.sealed) and (version.valid_to is None or now < version.valid_to)


def state_of(key: KeyGroup, now: datetime) -> KeyState:
    """KeyState of a key. Material that waits for its rotation does not count: no ciphertext needs it yet."""
    record = key.record
    if record.state == "PendingDeletion":
        return KeyState.PENDING_DELETION
    if record.origin == "EXTERNAL":
        used = [version for version in key.versions.values() if version.number <= record.current]
        if not used or not all(has_material(version, now) for version in used):
            return KeyState.PENDING_IMPORT
    return _STATES[record.state]


def has_dates(record: KeyRecord) -> bool:
    """Whether time can do anything to a key; to most it cannot."""
    return (
        record.deletion_date is not None
        or record.next_rotation is not None
        or record.grant_end is not None
        or record.origin == "EXTERNAL"
    )


def is_gone(key: KeyGroup, now: datetime) -> bool:
    """Whether the waiting for the key's end is over."""
    return key.record.deletion_date is not None and key.record.deletion_date <= now


def due(key: KeyGroup, now: datetime) -> Work | None:
    """What a root has to write down before the next operation on the key."""
    if is_gone(key, now):
        return "DeleteKey"
    if expired(key, now):
        return "DeleteExpiredKeyMaterial"
    if key.record.grant_end is not None and key.record.grant_end <= now:
        return "DeleteExpiredGrants"
    return "RotateKey" if is_rotation_due(key, now) else None


def expired(key: KeyGroup, now: datetime) -> list[VersionRecord]:
    """The versions whose expired material still lies in the vault."""
    return [version for version in key.versions.values() if version.sealed and not has_material(version, now)]


def is_rotation_due(key: KeyGroup, now: datetime) -> bool:
    """Whether an automatic rotation is due; it waits while the key is disabled or pending deletion."""
    date = key.record.next_rotation
    return date is not None and date <= now and key.record.state == "Enabled"


def turning_point(key: KeyGroup, now: datetime) -> datetime | None:
    """The first time after `now` at which `state_of`, `is_gone` or `due` answer otherwise by themselves."""
    return min((time for time in _turning_points(key) if time > now), default=None)


def _turning_points(key: KeyGroup) -> Iterator[datetime]:
    for time in (key.record.deletion_date, key.record.next_rotation, key.record.grant_end):
        if time is not None:
            yield time
    yield from (version.valid_to for version in key.versions.values() if version.valid_to is not None)
