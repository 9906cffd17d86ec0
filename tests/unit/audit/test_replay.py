"""The changes of a log played again: after each, the tree is the one over the records that are there then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscli import errors
from kmscli.audit.replay import Replay
from kmscli.formats import auditline, record, tree
from kmscli.formats.auditline import RecordChange
from tests.helpers import Home
from tests.unit.audit.logs import change

RECORDS = [
    ("alias", "alias/a"),
    ("alias", "alias/b"),
    ("key", "k1"),
    ("key", "k2"),
    ("share", "k1/admin"),
    ("version", "k1/1"),
    ("version", "k1/2"),
    ("vault", ""),
]
States = dict[tuple[str, str], int]


def whole_tree(states: States) -> str:
    """The trunk over all records, from nothing: no group, bucket or node is reused."""
    groups: dict[str, list[tuple[str, str, bytes]]] = {}
    for (kind, rid), number in states.items():
        groups.setdefault(record.group_of(kind, rid), []).append((kind, rid, number.to_bytes(32, "big")))
    buckets: dict[int, list[tuple[str, bytes]]] = {}
    for name, records in groups.items():
        buckets.setdefault(tree.bucket_of(name), []).append((name, tree.group_digest(name, records)))
    digests = [tree.bucket_digest(number, buckets.get(number, [])) for number in range(tree.BUCKETS)]
    branches = [
        tree.node_digest(branch, b"".join(digests[branch * tree.FANOUT : (branch + 1) * tree.FANOUT]))
        for branch in range(tree.FANOUT)
    ]
    return tree.node_digest(tree.TRUNK, b"".join(branches)).hex()


@given(st.lists(st.dictionaries(st.sampled_from(RECORDS), st.none() | st.integers(1, 9), min_size=1), max_size=6))
def test_after_each_change_the_tree_is_that_of_the_records_that_are_there(
    drafts: list[dict[tuple[str, str], int | None]],
) -> None:
    replay = Replay()
    states: States = {}
    for draft in drafts:
        changes = [change(*name, states.get(name), new) for name, new in sorted(draft.items())]
        states = {name: new for name, new in (states | draft).items() if new is not None}
        assert whole_tree(states) == replay.apply(changes)


def test_without_a_record_the_tree_is_empty_again() -> None:
    replay = Replay()
    replay.apply([change("key", "k1", None, 1)])
    assert tree.EMPTY.hex() == replay.apply([change("key", "k1", 1, None)])


@pytest.mark.parametrize(
    "wrong",
    [
        change("key", "k1", None, 2),
        change("key", "k1", 2, 3),
        change("key", "k2", 1, 2),
        change("key", "k2", 1, None),
        RecordChange(kind="key", id="k1", old="0" * 63 + "A", new=None),
    ],
)
def test_a_change_of_what_was_not_so_is_refused(wrong: RecordChange) -> None:
    replay = Replay()
    replay.apply([change("key", "k1", None, 1)])
    with pytest.raises(errors.AuditTamperedError):
        replay.apply([wrong])


def test_the_log_of_a_vault_leads_to_the_tree_that_its_head_signs(home: Home) -> None:
    key = home.create_key(Alias="alias/a")
    home.perform("RotateKeyOnDemand", KeyId=key)
    home.perform("DeleteAlias", AliasName="alias/a")
    replay = Replay()
    lines = [auditline.decode(line) for line in home.raw_lines()]
    roots = [replay.apply(line.change) for line in lines if line.change]
    with home.context.session.read() as snapshot:
        assert snapshot.head.root == roots[-1]
        assert snapshot.head.generation == len(roots)
