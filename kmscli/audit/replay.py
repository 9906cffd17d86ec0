"""The changes of a log played again: which records a vault held after each of them.

Implements docs/spec/audit.md, "Verification", step 5. Only digests are known here, no body of a record. What a change
costs is the records of its groups, their buckets, and two nodes for each branch, whatever the size of the vault.
"""

from collections.abc import Sequence

from kmscli import errors
from kmscli.formats import record, tree
from kmscli.formats.auditline import RecordChange

_Group = dict[tuple[str, str], bytes]


class Replay:
    """The digests of all records, group by group, and the tree over them."""

    def __init__(self) -> None:
        """Before the first change: no record at all."""
        self._groups: dict[str, _Group] = {}
        self._buckets: dict[int, dict[str, bytes]] = {}
        self._nodes = [tree.EMPTY_NODE] * (tree.FANOUT + 1)

    def apply(self, changes: Sequence[RecordChange]) -> str:
        """Make the changes of one line.

        Args:
            changes: Of each record the digests before and after, 64 hex digits or None.

        Returns:
            The digest of the trunk afterwards, 64 hex digits.

        Raises:
            AuditTamperedError: A digest before is not the one that the lines before lead to.
        """
        touched = {self._apply(change) for change in changes}
        for bucket in {self._close(name) for name in touched}:
            digest = tree.bucket_digest(bucket, self._buckets[bucket].items())
            self._set_child(bucket // tree.FANOUT, bucket % tree.FANOUT, digest)
        for branch in {tree.bucket_of(name) // tree.FANOUT for name in touched}:
            self._set_child(tree.TRUNK, branch, tree.node_digest(branch, self._nodes[branch]))
        return tree.node_digest(tree.TRUNK, self._nodes[tree.TRUNK]).hex()

    def _apply(self, change: RecordChange) -> str:
        name = record.group_of(change.kind, change.id)
        group = self._groups.setdefault(name, {})
        old = group.pop((change.kind, change.id), None)
        if (old.hex() if old else None) != change.old:
            raise errors.AuditTamperedError(what=f"it changes a {change.kind} that was not as it says")
        if change.new is not None:
            group[change.kind, change.id] = bytes.fromhex(change.new)
        return name

    def _close(self, name: str) -> int:
        """Bring a group's digest into its bucket; returns the bucket."""
        bucket = tree.bucket_of(name)
        groups = self._buckets.setdefault(bucket, {})
        records = self._groups[name]
        if records:
            groups[name] = tree.group_digest(name, ((kind, rid, value) for (kind, rid), value in records.items()))
        else:
            del self._groups[name]
            groups.pop(name, None)
        return bucket

    def _set_child(self, node: int, index: int, digest: bytes) -> None:
        self._nodes[node] = tree.with_child(self._nodes[node], index, digest)
