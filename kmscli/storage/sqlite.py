"""The record store on SQLite: rows in, rows out, one atomic commit.

Implements docs/spec/vault.md, "Store". It keeps bytes and proves nothing: every digest and signature is checked by
`kmscli.vault`. The calls are few so that another engine could take SQLite's place (docs/adr/0001): read a group, scan
group names, read a bucket or node, put, delete, commit.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from kmscli import errors
from kmscli.storage.files import PRIVATE, READ_ONLY_HINT, check_private, io_errors

FORMAT = 1
APPLICATION_ID = 0x4B4D5356
_PAGE_BYTES = 8192
"""A share of 1.8 kB fits a page of this size without an overflow page: a vault of many keys takes half the space."""
_TABLES = {
    "record": (
        "grp TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL, digest BLOB NOT NULL, "
        "PRIMARY KEY (grp, kind, id)"
    ),
    "bucket": "number INTEGER NOT NULL, grp TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (number, grp)",
    "node": "number INTEGER NOT NULL PRIMARY KEY, children BLOB NOT NULL",
    "head": "id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL, signature BLOB NOT NULL",
    "latest": "id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), line BLOB NOT NULL",
    "slot": "id TEXT NOT NULL PRIMARY KEY, body BLOB NOT NULL",
}
_BESIDE = ("-journal", "-wal", "-shm")
"""What SQLite reads beside a database, whichever of it this vault uses."""
SCHEMA = tuple(f"CREATE TABLE {name} ({columns}) WITHOUT ROWID" for name, columns in _TABLES.items())


class Row(NamedTuple):
    """One record as stored."""

    kind: str
    id: str
    body: bytes
    digest: bytes


class _Mapped:
    """Turns errors of SQLite into ours; one for all statements of a store, each of which runs in it."""

    __slots__ = ("_lock_timeout", "_path")

    def __init__(self, path: Path, lock_timeout: float) -> None:
        self._path = path
        self._lock_timeout = lock_timeout

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise self._refusal(error) from error
        if isinstance(error, UnicodeDecodeError | MemoryError):
            # SQLite quotes a damaged schema in its messages; and what it believes may ask for any amount of memory.
            raise errors.VaultTamperedError(what="the database cannot be read") from error

    def _refusal(self, error: sqlite3.Error) -> errors.KmsError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return errors.LockTimeoutError(seconds=self._lock_timeout)
        if code == sqlite3.SQLITE_READONLY:
            return errors.AuditUnavailableError(action="written", reason="the vault is read-only", hint=READ_ONLY_HINT)
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            return errors.InputOutputError(path=self._path, reason=str(error))
        return errors.VaultTamperedError(what=f"the database cannot be read ({error})")


class Store:
    """An open database of one vault. Not shared between threads, never carried across a fork."""

    def __init__(self, path: Path, *, lock_timeout: float) -> None:
        """Connect to the database at `path`; use `create` or `open`."""
        self._changes = 0
        try:
            self._db = sqlite3.connect(path, timeout=lock_timeout, isolation_level=None)
        except sqlite3.Error as error:
            raise errors.InputOutputError(path=path, reason=str(error)) from error
        self._mapped = _Mapped(path, lock_timeout)

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty database, in a transaction that the caller commits.

        Raises:
            InputOutputError: It cannot be written.
        """
        with io_errors(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
        store = cls(path, lock_timeout=0.0)
        store._set_up(f"page_size = {_PAGE_BYTES}", f"application_id = {APPLICATION_ID}", f"user_version = {FORMAT}")
        store._write("BEGIN IMMEDIATE")
        for statement in SCHEMA:
            store._write(statement)
        return store

    @classmethod
    def open(cls, path: Path, *, lock_timeout: float) -> Self:
        """The database of an existing vault.

        Raises:
            UnsafeVaultError: The file is not this user's alone.
            UnsupportedFormatError: A vault of another format.
            VaultTamperedError: Not a database, or its tables are not ours.
        """
        with io_errors(path):
            check_private(path, path.lstat())
            for beside in _BESIDE:
                with suppress(FileNotFoundError):
                    check_private(path.with_name(path.name + beside), os.lstat(f"{path}{beside}"))
        store = cls(path, lock_timeout=lock_timeout)
        try:
            store._set_up()
            store._check_schema()
        except BaseException:
            store.close()
            raise
        return store

    def _set_up(self, *pragmas: str) -> None:
        # trusted_schema: a changed schema must not run code of its own. The order of the others does not matter.
        durable = ("synchronous = FULL", "secure_delete = ON", "journal_mode = TRUNCATE")
        for pragma in ("trusted_schema = OFF", *pragmas, *durable):
            self._rows(f"PRAGMA {pragma}")

    def _check_schema(self) -> None:
        ((found,),) = self._rows("PRAGMA user_version")
        if found != FORMAT:
            raise errors.UnsupportedFormatError(what="the vault", found=found, known=FORMAT)
        if {sql for (sql,) in self._rows("SELECT sql FROM sqlite_schema")} != set(SCHEMA):
            raise errors.VaultTamperedError(what="the database has other tables than a vault")

    def close(self) -> None:
        """Close the database; an open transaction is rolled back."""
        self._db.close()

    # -- reading -------------------------------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One state of the vault for all reads within; inside another snapshot or a change, that one's."""
        if self._db.in_transaction:
            yield
            return
        with self._mapped:
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            with self._mapped:
                self._db.execute("ROLLBACK")

    def version(self) -> tuple[object, int]:
        """What is another one after each change, whoever made it; it means something to this object alone."""
        # SQLite's own number tells of the changes of others only (sqlite.org/pragma.html, data_version).
        ((others,),) = self._rows("PRAGMA data_version")
        return others, self._changes

    def _rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._mapped:
            return self._db.execute(query, values).fetchall()

    def head(self) -> tuple[bytes, bytes]:
        """Body and signature of the head."""
        return self._pair("SELECT body, signature FROM head WHERE id = 1", "head")

    def latest_line(self) -> bytes:
        """The audit line of the newest change, without its newline."""
        return self._pair("SELECT line, line FROM latest WHERE id = 1", "newest line")[0]

    def _pair(self, query: str, what: str) -> tuple[bytes, bytes]:
        rows = self._rows(query)
        if len(rows) != 1:
            raise errors.VaultTamperedError(what=f"the {what} is missing")
        first, second = rows[0]
        return self._bytes(first), self._bytes(second)

    def group(self, name: str) -> list[Row]:
        """All records of a group, sorted by kind and id; empty if there is no such group."""
        rows = self._rows("SELECT kind, id, body, digest FROM record WHERE grp = ? ORDER BY kind, id", name)
        return [Row(self._text(k), self._text(i), self._bytes(b), self._bytes(d)) for k, i, b, d in rows]

    def bucket(self, number: int) -> list[tuple[str, bytes]]:
        """(group name, group digest) of a bucket, sorted by name."""
        rows = self._rows("SELECT grp, digest FROM bucket WHERE number = ? ORDER BY grp", number)
        return [(self._text(name), self._bytes(value)) for name, value in rows]

    def node(self, number: int) -> bytes | None:
        """The 64 digests of a node, 2048 bytes, or None while all its children are empty."""
        rows = self._rows("SELECT children FROM node WHERE number = ?", number)
        return self._bytes(rows[0][0]) if rows else None

    def slots(self) -> list[tuple[str, bytes]]:
        """(id, body) of all slots, in the order of their ids."""
        rows = self._rows("SELECT id, body FROM slot ORDER BY id")
        return [(self._text(slot_id), self._bytes(body)) for slot_id, body in rows]

    @staticmethod
    def _bytes(value: object) -> bytes:
        if not isinstance(value, bytes):
            raise errors.VaultTamperedError(what="a column has another type than it was written with")
        return value

    @staticmethod
    def _text(value: object) -> str:
        if not isinstance(value, str):
            raise errors.VaultTamperedError(what="a column has another type than it was written with")
        return value

    # -- changing ------------------------------------------------------------------------------------------------------

    @contextmanager
    def change(self) -> Iterator[None]:
        """A write transaction, committed at the end, rolled back by an exception. Hold the vault's lock."""
        with self._mapped:
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.commit()
        except BaseException:
            # The first error counts: after it, a rollback that fails too is left to who opens the database next.
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def commit(self) -> None:
        """Make the open transaction durable."""
        self._changes += 1
        with self._mapped:
            self._db.execute("COMMIT")

    def rewrite(self) -> None:
        """Write the whole database anew, so that no place keeps bytes of what was deleted. Hold the vault's lock.

        secure_delete overwrites a record where it lies; but the pages between which SQLite moved it before may keep
        it in their free space, and nothing overwrites that (balancing of a b-tree, rebuildPage in SQLite's btree.c).
        """
        self._changes += 1
        # In memory, so that no copy of the vault lies outside its folder meanwhile.
        self._rows("PRAGMA temp_store = MEMORY")
        self._rows("VACUUM")

    def _write(self, statement: str, *values: object) -> None:
        with self._mapped:
            self._db.execute(statement, values)

    def put(self, group: str, row: Row) -> None:
        """Write one record, over an old one of the same kind and id."""
        self._write("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)", group, *row)

    def delete(self, group: str, kind: str, record_id: str) -> None:
        """Delete one record; secure_delete overwrites its bytes, `rewrite` those of places where it lay before."""
        self._write("DELETE FROM record WHERE grp = ? AND kind = ? AND id = ?", group, kind, record_id)

    def put_group(self, bucket: int, group: str, value: bytes | None) -> None:
        """Write a group's digest into its bucket; None removes it."""
        if value is None:
            self._write("DELETE FROM bucket WHERE number = ? AND grp = ?", bucket, group)
        else:
            self._write("INSERT OR REPLACE INTO bucket VALUES (?, ?, ?)", bucket, group, value)

    def put_node(self, number: int, children: bytes) -> None:
        """Write the digests of a node."""
        self._write("INSERT OR REPLACE INTO node VALUES (?, ?)", number, children)

    def put_head(self, body: bytes, signature: bytes) -> None:
        """Replace the head."""
        self._write("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", body, signature)

    def put_latest_line(self, line: bytes) -> None:
        """Keep the audit line of this change, until the log has it for certain."""
        self._write("INSERT OR REPLACE INTO latest VALUES (1, ?)", line)

    def put_slot(self, slot_id: str, body: bytes) -> None:
        """Write one slot."""
        self._write("INSERT OR REPLACE INTO slot VALUES (?, ?)", slot_id, body)

    def delete_slot(self, slot_id: str) -> None:
        """Delete one slot."""
        self._write("DELETE FROM slot WHERE id = ?", slot_id)
