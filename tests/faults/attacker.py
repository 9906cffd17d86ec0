"""Somebody who can write the vault's database and compute every hash in it, but holds no identity of its roots."""

# ruff: noqa: S608 - names of tables and columns stand in this file; an attacker would write what he likes anyway

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from kmscli.crypto.identity import Identity
from kmscli.formats import record, tree
from kmscli.formats.head import Head
from kmscli.vault.snapshot import sign_head

Values = tuple[Any, ...]
KEYS = {"record": 3, "bucket": 2, "node": 1, "head": 1, "latest": 1, "slot": 1}
"""How many of a table's first columns are its primary key."""


class Attacker:
    """A writer of one database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def rows(self, table: str) -> list[Values]:
        return self._database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()

    def meaning(self, table: str) -> list[Values]:
        """The rows, less those nodes of which the trunk knows nothing: they stand in nobody's way."""
        rows = self.rows(table)
        if table != "node":
            return rows
        trunk = next((children for number, children in rows if number == tree.TRUNK), tree.EMPTY_NODE)
        filled = [number for number in range(tree.FANOUT) if tree.child(trunk, number) != tree.EMPTY]
        return [row for row in rows if row[0] in (*filled, tree.TRUNK)]

    def delete(self, table: str, row: Values) -> None:
        columns = self._columns(table)[: KEYS[table]]
        condition = " AND ".join(f"{name} = ?" for name in columns)
        self._database.execute(f"DELETE FROM {table} WHERE {condition}", row[: KEYS[table]])

    def insert(self, table: str, row: Values) -> None:
        self._database.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)

    def replace(self, table: str, old: Values, new: Values) -> None:
        self.delete(table, old)
        self.insert(table, new)

    def _columns(self, table: str) -> list[str]:
        return [row[1] for row in self._database.execute(f"PRAGMA table_info({table})")]

    def repair(self) -> str:
        """Make every digest fit the records, up to the trunk; returns its digest, which only the head is missing."""
        groups: dict[str, list[tuple[str, str, bytes]]] = defaultdict(list)
        for row in self.rows("record"):
            _, kind, record_id, body, _ = row
            digest = record.record_digest(kind, record_id, body)
            group = record.group_of(kind, record_id)
            self.replace("record", row, (group, kind, record_id, body, digest))
            groups[group].append((kind, record_id, digest))
        buckets: dict[int, list[tuple[str, bytes]]] = defaultdict(list)
        for group, records in groups.items():
            buckets[tree.bucket_of(group)].append((group, tree.group_digest(group, records)))
        return self._rebuild(buckets)

    def _rebuild(self, buckets: dict[int, list[tuple[str, bytes]]]) -> str:
        for table in ("bucket", "node"):
            self._database.execute(f"DELETE FROM {table}")
        nodes: dict[int, bytes] = defaultdict(lambda: tree.EMPTY_NODE)
        for number, groups in buckets.items():
            for name, digest in groups:
                self.insert("bucket", (number, name, digest))
            branch, index = divmod(number, tree.FANOUT)
            nodes[branch] = tree.with_child(nodes[branch], index, tree.bucket_digest(number, groups))
        for branch in list(nodes):
            digest = tree.node_digest(branch, nodes[branch])
            nodes[tree.TRUNK] = tree.with_child(nodes[tree.TRUNK], branch, digest)
        for number, children in nodes.items():
            self.insert("node", (number, children))
        return tree.node_digest(tree.TRUNK, nodes[tree.TRUNK]).hex()

    def head(self) -> Head:
        ((_, body, _),) = self.rows("head")
        return record.decode(body, Head)

    def sign(self, head: Head, who: Identity) -> None:
        """Put a head in place, signed by somebody."""
        self.insert("head", (1, *sign_head(head, who)))


@contextmanager
def attacking(folder: Path) -> Iterator[Attacker]:
    """Somebody at work on the database in `folder`; what he did is written at the end."""
    database = sqlite3.connect(folder / "vault.db")
    try:
        yield Attacker(database)
        database.commit()
    finally:
        database.close()


def rows_of(folder: Path, table: str) -> list[Values]:
    """The rows of a table, read only."""
    with attacking(folder) as attacker:
        return attacker.rows(table)


def row_of(who: Attacker, kind: str, record_id: str) -> Values:
    """The row of a record."""
    return next(row for row in who.rows("record") if row[1:3] == (kind, record_id))


def write(who: Attacker, kind: str, record_id: str, body: record.Record) -> str:
    """Put a record in place with its digest; returns its group."""
    encoded, group = record.encode(body), record.group_of(kind, record_id)
    digest = record.record_digest(kind, record_id, encoded)
    who.insert("record", (group, kind, record_id, encoded, digest))
    return group


def rewrite(who: Attacker, kind: str, record_id: str, **members: object) -> str:
    """Put a record in place with some members replaced; returns its group."""
    body = record.decode(row_of(who, kind, record_id)[3], record.KINDS[kind])
    return write(who, kind, record_id, msgspec.structs.replace(body, **members))
