"""The tree of digests: what is in it counts, in whatever order it is told."""

from collections import Counter
from hashlib import sha256

from kmscli.formats import tree
from kmscli.formats.wire import digest, label, prefixed

RECORDS = [("key", "k", b"\1" * 32), ("share", "k/admin", b"\2" * 32), ("version", "k/00000001", b"\3" * 32)]
GROUPS = [("alias/a", b"\4" * 32), ("key/k", b"\5" * 32)]


def test_there_are_64_branches_of_64_buckets() -> None:
    assert (tree.FANOUT, tree.BUCKETS, tree.TRUNK) == (64, 4096, 64)
    assert len(tree.EMPTY_NODE) == 2048


def test_a_bucket_is_the_first_12_bits_of_a_hash() -> None:
    for name in ("vault", "key/k", "alias/\u00e4"):
        assert tree.bucket_of(name) == int(digest("group-name", name.encode()).hex()[:3], 16)


def test_groups_spread_over_all_buckets() -> None:
    found = Counter(tree.bucket_of(f"key/{number}") for number in range(40_960))
    assert set(found) == set(range(tree.BUCKETS)) or len(found) > 4090
    assert max(found.values()) < 40


def test_a_group_s_digest_does_not_depend_on_the_order_it_is_told_in() -> None:
    assert tree.group_digest("key/k", RECORDS) == tree.group_digest("key/k", reversed(RECORDS))
    assert tree.group_digest("key/k", RECORDS) == digest(
        "group",
        b"key/k",
        *(part for kind, record_id, value in RECORDS for part in (kind.encode(), record_id.encode(), value)),
    )


def test_a_missing_renamed_or_changed_record_changes_its_group() -> None:
    made = {
        tree.group_digest("key/k", RECORDS),
        tree.group_digest("key/l", RECORDS),
        tree.group_digest("key/k", RECORDS[:-1]),
        tree.group_digest("key/k", [*RECORDS, ("share", "k/bob", b"\2" * 32)]),
        tree.group_digest("key/k", [*RECORDS[:-1], ("version", "k/00000002", b"\3" * 32)]),
        tree.group_digest("key/k", [*RECORDS[:-1], ("version", "k/00000001", b"\4" * 32)]),
    }
    assert len(made) == 6


def test_an_empty_bucket_is_zeros() -> None:
    assert tree.bucket_digest(7, []) == tree.EMPTY == bytes(32)


def test_a_bucket_s_digest_covers_its_number_names_and_digests() -> None:
    assert tree.bucket_digest(258, reversed(GROUPS)) == digest(
        "bucket", b"\1\2", b"alias/a", b"\4" * 32, b"key/k", b"\5" * 32
    )
    made = {
        tree.bucket_digest(7, GROUPS),
        tree.bucket_digest(8, GROUPS),
        tree.bucket_digest(7, GROUPS[:1]),
        tree.bucket_digest(7, [("alias/b", b"\4" * 32), GROUPS[1]]),
        tree.bucket_digest(7, [("alias/a", b"\5" * 32), ("key/k", b"\4" * 32)]),
    }
    assert len(made) == 5


def test_an_empty_node_is_zeros() -> None:
    assert tree.node_digest(3, tree.EMPTY_NODE) == tree.EMPTY


def test_a_node_s_digest_covers_its_number_and_children() -> None:
    children = tree.with_child(tree.EMPTY_NODE, 5, b"\1" * 32)
    assert tree.node_digest(3, children) == sha256(label("node", b"\3") + prefixed(children)).digest()
    assert tree.node_digest(3, children) != tree.node_digest(4, children)
    assert tree.node_digest(3, children) != tree.node_digest(3, tree.with_child(tree.EMPTY_NODE, 6, b"\1" * 32))


def test_a_child_is_replaced_and_read_in_its_place() -> None:
    for index in (0, 31, 63):
        children = tree.with_child(tree.EMPTY_NODE, index, b"\1" * 32)
        assert len(children) == 2048
        assert [number for number in range(64) if tree.child(children, number) != tree.EMPTY] == [index]
        assert tree.with_child(children, index, tree.EMPTY) == tree.EMPTY_NODE
