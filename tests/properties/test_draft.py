"""The tree that drafts keep in step against one that is computed from all records anew."""

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from kmscli import errors
from kmscli.formats import record, tree
from kmscli.formats.record import AliasRecord, GrantRecord, KeyRecord, PolicyRecord, Record, ShareRecord
from kmscli.storage.sqlite import Store
from kmscli.vault.draft import Draft
from kmscli.vault.records import Records

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def colliding(count: int) -> list[str]:
    """Names of which several fall into one bucket, and several buckets into one branch."""
    found = [f"alias/{number}" for number in range(40_000)]
    return [name for name in found if tree.bucket_of(name) in {5, 6, 64, 4095}][:count]


ALIASES = colliding(14)
SHARES = [("share", f"key{n}/{who}") for n in range(2) for who in ("a", "b")]
KEYS = [(kind, f"key{n}") for n in range(2) for kind in ("key", "policy")]
GRANTS = [("grant", f"key{n}/{grant}") for n in range(2) for grant in ("a", "b")]
RECORDS = [*(("alias", name) for name in ALIASES), *SHARES, *KEYS, *GRANTS]
NAMES = {record.group_of(kind, record_id) for kind, record_id in RECORDS}


def body(kind: str, record_id: str, content: int) -> Record:
    if kind == "alias":
        return AliasRecord(name=record_id, key_id=str(content), created=NOW, updated=NOW)
    if kind == "key":
        return KeyRecord(
            key_id=record_id,
            created=NOW,
            key_spec="SYMMETRIC_DEFAULT",
            key_usage="ENCRYPT_DECRYPT",
            origin="AWS_KMS",
            manager="CUSTOMER",
            state="Enabled",
            current=1,
            kek=content,
        )
    if kind == "policy":
        return PolicyRecord(key_id=record_id, document=str(content))
    if kind == "grant":
        return GrantRecord(key_id="", grant_id=record_id, created=NOW, grantee=str(content), operations=())
    return ShareRecord(key_id=record_id, principal=str(content), kek=1, sealed=b"")


def trunk(records: dict[tuple[str, str], int]) -> str:
    """The digest of the trunk over all records, by the definitions of the specification alone."""
    groups: dict[str, list[tuple[str, str, bytes]]] = {}
    for (kind, record_id), content in records.items():
        encoded = record.encode(body(kind, record_id, content))
        entry = (kind, record_id, record.record_digest(kind, record_id, encoded))
        groups.setdefault(record.group_of(kind, record_id), []).append(entry)
    buckets: dict[int, list[tuple[str, bytes]]] = {}
    for name, entries in groups.items():
        buckets.setdefault(tree.bucket_of(name), []).append((name, tree.group_digest(name, entries)))
    leaves = [tree.bucket_digest(number, buckets.get(number, [])) for number in range(4096)]
    branches = [tree.node_digest(number, b"".join(leaves[number * 64 : number * 64 + 64])) for number in range(64)]
    return tree.node_digest(64, b"".join(branches)).hex()


def keys_in(records: Iterable[tuple[str, str]]) -> int:
    """How many of the records are keys."""
    return sum(kind == "key" for kind, _ in records)


class Drafts(RuleBasedStateMachine):
    """One store, changed by one draft after another; some of them are given up."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="kms-drafts-"))
        self.store = Store.create(self.folder / "vault.db")
        self.store.commit()
        self.records: dict[tuple[str, str], int] = {}
        self.root = tree.EMPTY.hex()

    def teardown(self) -> None:
        """Throw the store away."""
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(
        steps=st.lists(st.tuples(st.sampled_from(RECORDS), st.none() | st.integers(0, 2)), max_size=6),
        given_up=st.booleans(),
    )
    def change(self, steps: list[tuple[tuple[str, str], int | None]], *, given_up: bool) -> None:
        after = dict(self.records)
        with suppress(InterruptedError), self.store.change():
            draft = Draft(self.store, self.root, now=NOW, keys=keys_in(self.records))
            self.apply(draft, after, steps)
            root = self.sealed(draft, after)
            if given_up:
                raise InterruptedError
            self.records, self.root = after, root

    def sealed(self, draft: Draft, after: dict[tuple[str, str], int]) -> str:
        root, changes = draft.seal()
        assert root == trunk(after)
        assert draft.keys == keys_in(after)
        assert [(change.kind, change.id) for change in changes] == sorted(self.differing(after))
        for change in changes:
            where = (change.kind, change.id)
            assert (change.old is None, change.new is None) == (where not in self.records, where not in after)
        return root

    def apply(
        self, draft: Draft, after: dict[tuple[str, str], int], steps: Iterable[tuple[tuple[str, str], int | None]]
    ) -> None:
        for (kind, record_id), content in steps:
            if content is not None:
                draft.put(kind, record_id, body(kind, record_id, content))
                after[kind, record_id] = content
            elif (kind, record_id) in after:
                draft.delete(kind, record_id)
                del after[kind, record_id]
            else:
                with pytest.raises(errors.InternalError):
                    draft.delete(kind, record_id)
            self.check(draft, after)

    def differing(self, after: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
        both = self.records.keys() | after.keys()
        return [where for where in both if self.records.get(where) != after.get(where)]

    def check(self, records: Records, expected: dict[tuple[str, str], int]) -> None:
        for name in NAMES:
            found = records.group(name)
            wanted = {where: content for where, content in expected.items() if record.group_of(*where) == name}
            assert found.keys() == wanted.keys()
            for where, content in wanted.items():
                assert found[where].body == record.encode(body(*where, content))

    @invariant()
    def all_that_is_there_is_proved(self) -> None:
        with self.store.snapshot():
            records = Records(self.store, self.root)
            self.check(records, self.records)
            groups = [name for _, name in records.group_names("", (0, ""))]
            assert sorted(groups) == sorted({record.group_of(*where) for where in self.records})
            assert [tree.bucket_of(name) for name in groups] == sorted(tree.bucket_of(name) for name in groups)

    @invariant()
    def nothing_that_is_there_is_proved_under_another_root(self) -> None:
        other = trunk({**self.records, RECORDS[0]: 99})
        with self.store.snapshot(), pytest.raises(errors.VaultTamperedError):
            Records(self.store, other).group(RECORDS[0][1])


def test_the_tree_of_a_draft_is_that_of_all_its_records() -> None:
    profile = settings(
        max_examples=15, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(Drafts, settings=profile)


def test_the_tree_after_all_was_deleted_is_the_empty_one() -> None:
    assert trunk({}) == tree.EMPTY.hex()


def test_names_that_collide_were_found() -> None:
    buckets = [tree.bucket_of(name) for name in ALIASES]
    assert len(set(buckets)) < len(buckets)
    assert len({number // 64 for number in buckets}) < len(set(buckets))
