"""The tree of digests over all groups of records: 64 branches of 64 buckets.

Implements docs/spec/vault.md, "Tree". Pure arithmetic on digests: what a change costs is one bucket and two nodes,
whatever the size of the vault, and a group that is absent is proved absent by its bucket.
"""

from collections.abc import Iterable

from kmscli.formats.wire import digest, label, prefixed, sha256

FANOUT = 64
BUCKETS = FANOUT * FANOUT
DIGEST = 32
EMPTY = bytes(DIGEST)
"""Digest of a bucket without groups and of a node whose children are all empty."""
EMPTY_NODE = EMPTY * FANOUT
TRUNK = FANOUT
"""Number of the top node; nodes 0..63 are the branches."""


def bucket_of(group: str) -> int:
    """The bucket into which a group falls: the first 12 bits of a hash of its name."""
    return int.from_bytes(digest("group-name", group.encode())[:2], "big") >> 4


def group_digest(group: str, records: Iterable[tuple[str, str, bytes]]) -> bytes:
    """Digest of a group.

    Args:
        group: Its name.
        records: (kind, id, digest) of each record in it.
    """
    parts = [part for kind, rid, value in sorted(records) for part in (kind.encode(), rid.encode(), value)]
    return digest("group", group.encode(), *parts)


def bucket_digest(bucket: int, groups: Iterable[tuple[str, bytes]]) -> bytes:
    """Digest of a bucket over its (group name, group digest) pairs."""
    parts = [part for name, value in sorted(groups) for part in (name.encode(), value)]
    return digest("bucket", bucket.to_bytes(2, "big"), *parts) if parts else EMPTY


def node_digest(number: int, children: bytes) -> bytes:
    """Digest of a branch or of the trunk over the 64 digests of its children, 2048 bytes."""
    if children == EMPTY_NODE:
        return EMPTY
    return sha256(label("node", bytes([number])) + prefixed(children))


def child(children: bytes, index: int) -> bytes:
    """The digest at `index` of a node."""
    return children[index * DIGEST : (index + 1) * DIGEST]


def with_child(children: bytes, index: int, value: bytes) -> bytes:
    """A node with one child's digest replaced."""
    return children[: index * DIGEST] + value + children[(index + 1) * DIGEST :]
