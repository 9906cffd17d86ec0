"""Work that time brings: rotations, expiries and deletions that are due, each a change of its own with its own line.

A root does it: lazily, before an operation on the key, and for all keys in `kms run-due`. Until then `lifecycle` makes
expiries and deletions hold for everybody. Lines are CloudTrail's: RotateKey, DeleteExpiredKeyMaterial, DeleteKey.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import msgspec

from kmscli.model.limits import ROTATION_DAYS_DEFAULT
from kmscli.service import events, lifecycle, materials
from kmscli.service.context import Call, Change, Context
from kmscli.service.lifecycle import Work
from kmscli.service.shapes import Response
from kmscli.vault.records import KeyGroup, Records

NOT_REACHED = (
    "copies and backups of the vault made before",
    "blocks of the disk that a file system or a drive keeps of overwritten files",
    "key material and data keys that a process had in memory",
)
"""What destruction in this vault cannot reach; written into the line of a deletion."""


_PAGE = 256


class DoneWork(Response, frozen=True, kw_only=True):
    """One thing that was due and is done."""

    key_id: str
    operation: str


class RunDueResponse(Response, frozen=True, kw_only=True):
    """All that was due.

    Attributes:
        share_walks: How many changes brought shares to where they belong.
    """

    done: list[DoneWork]
    share_walks: int | None = None


def run_due(context: Context) -> RunDueResponse:
    """Do all that is due on any key of the vault, one change each, so that an interruption loses nothing.

    Raises:
        KmsError: AccessDeniedException for who is no root; else as changes do.
    """
    with context.session.read() as records:
        if not context.is_root:
            raise Call(context, "RunDue", records, context.session.vault.clock()).roots_only()
    done = [DoneWork(key_id=key_id, operation=work) for key_id in _found(context) for work in _steps(context, key_id)]
    from kmscli.service import sharing

    walks = sharing.proceed(context)
    context.session.shred()
    return RunDueResponse(done=done, share_walks=walks or None)


def _found(context: Context) -> Iterator[str]:
    """The keys on which something is due; a page at a time, so that no writer waits for the whole."""
    start = (0, "")
    while True:
        with context.session.read() as snapshot:
            page = list(islice(snapshot.group_names("key/", start), _PAGE))
            now = context.session.vault.clock()
            keys = [name.removeprefix("key/") for _, name in page]
            found = [key_id for key_id in keys if _has_work(snapshot, key_id, now)]
        yield from found
        if not page:
            return
        start = page[-1]


def _has_work(records: Records, key_id: str, now: datetime) -> bool:
    record = records.key_record(key_id)
    if record is None or not lifecycle.has_dates(record):
        return False
    key = records.key(key_id)
    return key is not None and lifecycle.due(key, now) is not None


def settle(context: Context, key_id: str) -> list[Work]:
    """Do all that is due on one key; returns what was done, in order."""
    done = list(_steps(context, key_id))
    context.session.shred()
    return done


def _steps(context: Context, key_id: str) -> Iterator[Work]:
    while (work := _step(context, key_id)) is not None:
        yield work


class _NothingDueError(Exception):
    """Leaves a change without a trace: somebody else did the work between reading and locking."""


def _step(context: Context, key_id: str) -> Work | None:
    with suppress(_NothingDueError), context.session.edit() as draft:
        change = Change(context, "RunDue", draft)
        key = draft.key(key_id)
        # By the time of the work itself, which is in whole milliseconds: what is due must be over when it is done.
        work = None if key is None else lifecycle.due(key, change.now)
        if key is None or work is None:
            raise _NothingDueError
        change.operation = work
        arn = key.arn
        details = _WORK[work](change, key)
        draft.event = events.service_event(work, context.session.principal, draft.place, context.rng, arn, details)
        return work
    return None


def _rotate(change: Change, key: KeyGroup) -> dict[str, Any]:
    version = rotate(change, key)
    days = key.record.rotation_period or ROTATION_DAYS_DEFAULT
    change.update(key, current=version, next_rotation=change.now + timedelta(days=days))
    return {"rotationType": "AUTOMATIC", "keyId": key.record.key_id}


def rotate(change: Change, key: KeyGroup) -> int:
    """Write a version with fresh material that an automatic rotation brings; returns its number."""
    number = max(key.versions) + 1
    material = materials.generate(change, key.record.key_spec)
    materials.put_version(change, key.record, change.kek(key), material, number=number, rotation="AUTOMATIC")
    return number


def _expire(change: Change, key: KeyGroup) -> dict[str, Any]:
    over = lifecycle.expired(key, change.now)
    for version in over:
        forget(change, key, version.number)
    return {"keyId": key.record.key_id, "keyMaterialIds": [version.material_id for version in over]}


def forget(change: Change, key: KeyGroup, number: int) -> None:
    """Destroy the imported material of a version; one that never was current leaves with it."""
    version = key.versions[number]
    change.draft.destroys = True
    if number > key.record.current:
        change.draft.delete("version", materials.record_id(version))
    else:
        materials.write(change, msgspec.structs.replace(version, sealed=b"", valid_to=None))


def _destroy(change: Change, key: KeyGroup) -> dict[str, Any]:
    """Delete every record of a key."""
    key_id = key.record.key_id
    change.draft.destroys = True
    granted = change.records.grants(key_id)
    for kind, record_id in [*change.draft.group(f"key/{key_id}"), *change.draft.group(f"grants/{key_id}")]:
        change.draft.delete(kind, record_id)
    for alias in key.record.aliases:
        change.draft.delete("alias", alias)
    return {
        "keyId": key_id,
        "destroyed": {
            "keyMaterialIds": [version.material_id for version in key.versions.values() if version.sealed],
            "shares": len(key.shares),
            "grants": len(granted),
            "aliases": list(key.record.aliases),
        },
        "notReached": list(NOT_REACHED),
    }


def _end_grants(change: Change, key: KeyGroup) -> dict[str, Any]:
    before = set(key.shares)
    from kmscli.service import grants  # loaded when one has ended, not at every start

    ended = grants.end_expired(change, key)
    after = change.records.key(key.record.key_id)
    lost = sorted(before - set(after.shares if after else ()))
    return {"keyId": key.record.key_id, "grantIds": ended, "lostShares": lost}


_WORK: dict[Work, Callable[[Change, KeyGroup], dict[str, Any]]] = {
    "DeleteKey": _destroy,
    "DeleteExpiredKeyMaterial": _expire,
    "DeleteExpiredGrants": _end_grants,
    "RotateKey": _rotate,
}
