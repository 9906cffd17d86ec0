"""A change in the making: reads see it, the disk does not until it is sealed and committed.

Implements docs/spec/vault.md, "Changing". It keeps the tree's digests in step with the records and tells which records
changed, for the audit line. It decides nothing about who may change what.
"""

from datetime import datetime
from typing import Any

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats import record, tree
from kmscli.formats import slot as slots
from kmscli.formats.auditline import RecordChange
from kmscli.formats.head import Head
from kmscli.formats.record import Record, RosterRecord
from kmscli.formats.slot import Slot
from kmscli.storage.sqlite import Row, Store
from kmscli.vault.records import Records
from kmscli.vault.snapshot import sign_head


class Draft(Records):
    """Records under the vault's lock that can be changed.

    Attributes:
        now: The time of the change.
        keys: How many keys there are now.
        event: What the audit line says of it; set before the end.
        destroys: Whether it deletes sealed secrets of which no trace may be left (`Session.shred`).
    """

    def __init__(self, store: Store, root: str, *, now: datetime, keys: int) -> None:
        """Begin.

        Args:
            store: In a write transaction.
            root: Trunk digest of the state before, already proved (64 hex digits).
            now: The time of the change, taken under the lock.
            keys: How many keys there were before.
        """
        super().__init__(store, root)
        self.now = now
        self.keys = keys
        self.event: dict[str, Any] = {}
        self.destroys = False
        self._changes = Changes()

    def put(self, kind: str, record_id: str, body: Record) -> None:
        """Write a record, new or over an old one."""
        name = record.group_of(kind, record_id)
        encoded = record.encode(body)
        row = Row(kind, record_id, encoded, record.record_digest(kind, record_id, encoded))
        group = self.group(name)
        is_new = (kind, record_id) not in group
        self.keys += kind == "key" and is_new
        self._changes.note(group.get((kind, record_id)), row)
        group[kind, record_id] = row
        self._forget(name)
        self._store.put(name, row)
        if kind == "principal" and is_new:
            self._put_roster({*self.roster, record_id})

    def delete(self, kind: str, record_id: str) -> None:
        """Delete a record.

        Raises:
            InternalError: There is none.
        """
        name = record.group_of(kind, record_id)
        old = self.group(name).pop((kind, record_id), None)
        if old is None:
            raise errors.InternalError(what=f"{kind} {record_id} is not there to delete")
        self._forget(name)
        self.keys -= kind == "key"
        self._changes.note(old, None)
        self._store.delete(name, kind, record_id)
        if kind == "principal":
            self._put_roster({*self.roster} - {record_id})

    def _forget(self, group: str) -> None:
        self._decoded.pop(group, None)
        self.decided.clear()

    def _put_roster(self, names: set[str]) -> None:
        self.put("roster", "", RosterRecord(principals=tuple(sorted(names))))

    def seal(self) -> tuple[str, tuple[RecordChange, ...]]:
        """Bring the tree up to date.

        Returns:
            The digest of its trunk (64 hex digits), and what changed.
        """
        branches = set()
        for name in self._changes.groups():
            bucket = tree.bucket_of(name)
            self._set_group(bucket, name)
            branches.add(bucket // tree.FANOUT)
        for branch in branches:
            self._set_child(tree.TRUNK, branch, tree.node_digest(branch, self._nodes[branch]))
        return tree.node_digest(tree.TRUNK, self._node(tree.TRUNK)).hex(), self._changes.listed()

    def bodies(self, kind: str) -> tuple[bytes, ...]:
        """The bodies of the records of a kind that the draft wrote, in the order of their ids."""
        names = (record_id for changed, record_id in self._changes.names() if changed == kind)
        rows = (self.group(record.group_of(kind, name)).get((kind, name)) for name in names)
        return tuple(row.body for row in rows if row is not None)

    def put_slot(self, slot: Slot) -> None:
        """Write a slot, which becomes durable with the records."""
        self._store.put_slot(slot.slot_id, slots.encode(slot))

    def delete_slot(self, slot_id: str) -> None:
        """Delete a slot."""
        self._store.delete_slot(slot_id)

    def conclude(self, head: Head, who: Identity, line: bytes) -> None:
        """Write the signed head of the new state and keep its audit line; what commits the draft comes after."""
        self._store.put_head(*sign_head(head, who))
        self._store.put_latest_line(line)

    def _set_group(self, bucket: int, name: str) -> None:
        rows = self._groups[name].values()
        value = tree.group_digest(name, ((row.kind, row.id, row.digest) for row in rows)) if rows else None
        groups = self._bucket(bucket)
        if value is None:
            groups.pop(name, None)
        else:
            groups[name] = value
        self._store.put_group(bucket, name, value)
        self._set_child(bucket // tree.FANOUT, bucket % tree.FANOUT, tree.bucket_digest(bucket, groups.items()))

    def _set_child(self, number: int, index: int, value: bytes) -> None:
        self._nodes[number] = tree.with_child(self._node(number), index, value)
        self._store.put_node(number, self._nodes[number])


class Changes:
    """What a draft changed: per record, the digest before the draft and the digest after it."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._digests: dict[tuple[str, str], tuple[str | None, str | None]] = {}

    def note(self, old: Row | None, new: Row | None) -> None:
        """One record went from `old` to `new`."""
        row = new or old
        if row is None:
            return
        before = old.digest.hex() if old else None
        first, _ = self._digests.get((row.kind, row.id), (before, None))
        self._digests[row.kind, row.id] = (first, new.digest.hex() if new else None)

    def names(self) -> list[tuple[str, str]]:
        """Kind and id of each record that differs from before, in order."""
        return sorted(name for name, (old, new) in self._digests.items() if old != new)

    def groups(self) -> set[str]:
        """Names of the groups that were touched."""
        return {record.group_of(kind, record_id) for kind, record_id in self._digests}

    def listed(self) -> tuple[RecordChange, ...]:
        """Each record that differs from before, sorted by kind and id."""
        return tuple(
            RecordChange(kind=kind, id=record_id, old=old, new=new)
            for (kind, record_id), (old, new) in sorted(self._digests.items())
            if old != new
        )
