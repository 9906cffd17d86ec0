"""The store: rows as they were written, one atomic commit, and every fault of SQLite under a name of ours."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.storage.sqlite import APPLICATION_ID, FORMAT, SCHEMA, Row, Store

ROW = Row("key", "k", b"{}", b"\1" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = Store.create(tmp_path / "vault.db")
    store.put_head(b"head", b"signature")
    store.put_latest_line(b"line")
    store.commit()
    store.close()
    return tmp_path / "vault.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store.open(path, lock_timeout=0.1)
    yield opened
    opened.close()


def run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def test_a_new_database_is_this_user_s_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_database_is_never_created_over_another(path: Path) -> None:
    with pytest.raises(errors.InputOutputError, match="File exists"):
        Store.create(path)


def test_a_database_is_set_up_to_be_durable_and_to_forget(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert database.execute("PRAGMA user_version").fetchone() == (FORMAT,)
        assert {sql for (sql,) in database.execute("SELECT sql FROM sqlite_schema")} == set(SCHEMA)
    store = Store.open(path, lock_timeout=0)
    asked = {name: store._rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "secure_delete")}
    store.close()
    assert asked == {"journal_mode": "truncate", "synchronous": 2, "secure_delete": 1}


def test_what_is_committed_is_read_back(store: Store, path: Path) -> None:
    with store.change():
        store.put("key/k", ROW)
        store.put_group(7, "key/k", b"\2" * 32)
        store.put_node(64, b"children")
        store.put_slot("aa", b"slot a")
        store.put_slot("00", b"slot 0")
        store.put_head(b"head 2", b"signature 2")
        store.put_latest_line(b"line 2")
    again = Store.open(path, lock_timeout=0.1)
    assert again.group("key/k") == [ROW]
    assert again.bucket(7) == [("key/k", b"\2" * 32)]
    assert again.node(64) == b"children"
    assert again.slots() == [("00", b"slot 0"), ("aa", b"slot a")]
    assert again.head() == (b"head 2", b"signature 2")
    assert again.latest_line() == b"line 2"
    again.close()


def test_what_is_not_there_is_empty(store: Store) -> None:
    assert store.group("key/none") == []
    assert store.bucket(7) == []
    assert store.node(0) is None
    assert store.slots() == []


def test_an_exception_takes_a_change_back(store: Store) -> None:
    def change_and_fail() -> None:
        with store.change():
            store.put("key/k", ROW)
            raise KeyError

    with pytest.raises(KeyError):
        change_and_fail()
    assert store.group("key/k") == []
    with store.change():
        store.put("key/k", ROW)
    assert store.group("key/k") == [ROW]


def test_rows_are_replaced_and_deleted(store: Store) -> None:
    with store.change():
        store.put("key/k", ROW)
        store.put("key/k", ROW._replace(body=b"new"))
        store.put_group(7, "key/k", b"\2" * 32)
        store.put_slot("aa", b"slot")
    assert store.group("key/k") == [ROW._replace(body=b"new")]
    with store.change():
        store.delete("key/k", "key", "k")
        store.put_group(7, "key/k", None)
        store.delete_slot("aa")
    assert (store.group("key/k"), store.bucket(7), store.slots()) == ([], [], [])


def test_a_group_is_sorted_by_kind_and_id(store: Store) -> None:
    rows = [Row("share", "b", b"", b""), Row("key", "z", b"", b""), Row("share", "a", b"", b"")]
    with store.change():
        for row in rows:
            store.put("key/k", row)
    assert [row[:2] for row in store.group("key/k")] == [("key", "z"), ("share", "a"), ("share", "b")]


def test_a_deleted_secret_is_in_no_byte_of_the_file(store: Store, path: Path) -> None:
    needle = b"needle-in-the-database"
    with store.change():
        store.put("key/k", ROW._replace(body=needle * 1000))
    assert needle in path.read_bytes()
    with store.change():
        store.delete("key/k", "key", "k")
    left = [file.name for file in path.parent.iterdir() if needle in file.read_bytes()]
    assert left == []


def test_all_reads_of_a_snapshot_see_one_state(store: Store, path: Path) -> None:
    other = Store.open(path, lock_timeout=0)
    with store.snapshot():
        assert store.head() == (b"head", b"signature")
        with pytest.raises(errors.LockTimeoutError), other.change():
            other.put_head(b"new", b"new")
        assert store.head() == (b"head", b"signature")
    with other.change():
        other.put_head(b"new", b"new")
    assert store.head() == (b"new", b"new")
    other.close()


def test_a_snapshot_inside_a_change_is_that_of_the_change(store: Store) -> None:
    with store.change():
        store.put_head(b"new", b"new")
        with store.snapshot(), store.snapshot():
            assert store.head() == (b"new", b"new")


def test_a_writer_that_waits_too_long_says_how_long(store: Store, path: Path) -> None:
    other = Store.open(path, lock_timeout=0.1)
    with store.change(), pytest.raises(errors.LockTimeoutError, match=r"for 0\.1 seconds"), other.change():
        pass
    with other.change():
        pass
    other.close()


def test_a_reader_goes_on_while_a_writer_prepares(store: Store, path: Path) -> None:
    other = Store.open(path, lock_timeout=0)
    with store.change():
        store.put_head(b"new", b"new")
        assert other.head() == (b"head", b"signature")
    assert other.head() == (b"new", b"new")
    other.close()


def test_a_missing_head_or_line_is_tampering(path: Path) -> None:
    run(path, "DELETE FROM head", "DELETE FROM latest")
    store = Store.open(path, lock_timeout=0)
    with pytest.raises(errors.VaultTamperedError, match="the head is missing"):
        store.head()
    with pytest.raises(errors.VaultTamperedError, match="the newest line is missing"):
        store.latest_line()
    store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE head SET body = 'text'",
        "UPDATE head SET signature = 5",
        "UPDATE latest SET line = 'text'",
        "UPDATE record SET body = 'text'",
        "UPDATE record SET digest = 1.5",
        "UPDATE record SET kind = x'ff'",
        "UPDATE record SET id = CAST(x'ff' AS TEXT)",
        "UPDATE bucket SET digest = 'text'",
        "UPDATE bucket SET grp = x'00'",
        "UPDATE node SET children = 'text'",
        "UPDATE slot SET body = 'text'",
    ],
)
def test_a_column_of_another_type_is_tampering(store: Store, path: Path, statement: str) -> None:
    with store.change():
        store.put("key/k", ROW)
        store.put_group(7, "key/k", b"")
        store.put_node(64, b"")
        store.put_slot("aa", b"")
    run(path, statement)
    with pytest.raises(errors.VaultTamperedError):
        read_all(store)


def read_all(store: Store) -> None:
    store.head()
    store.latest_line()
    store.group("key/k")
    store.bucket(7)
    store.node(64)
    store.slots()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE other (x)",
        "DROP TABLE slot",
        "CREATE INDEX own ON record (body)",
        "CREATE VIEW other AS SELECT 1",
        "CREATE TRIGGER own AFTER UPDATE ON head BEGIN DELETE FROM slot; END",
        "ALTER TABLE slot ADD COLUMN more",
    ],
)
def test_another_schema_is_tampering(path: Path, statement: str) -> None:
    run(path, statement)
    with pytest.raises(errors.VaultTamperedError, match="other tables"):
        Store.open(path, lock_timeout=0)


def test_a_newer_format_is_told_from_damage(path: Path) -> None:
    run(path, "PRAGMA user_version = 2")
    with pytest.raises(errors.UnsupportedFormatError) as caught:
        Store.open(path, lock_timeout=0)
    assert caught.value.message == "the vault has format 2; this kms reads format 1"


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 5000, bytes(8192)])
def test_other_bytes_are_no_vault(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises((errors.VaultTamperedError, errors.UnsupportedFormatError)):
        Store.open(path, lock_timeout=0)


def test_an_empty_file_is_no_vault(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises((errors.VaultTamperedError, errors.UnsupportedFormatError)):
        Store.open(path, lock_timeout=0)


@pytest.mark.parametrize("bits", [0o640, 0o604])
def test_a_database_that_others_can_reach_is_refused(path: Path, bits: int) -> None:
    path.chmod(bits)
    with pytest.raises(errors.UnsafeVaultError):
        Store.open(path, lock_timeout=0)


def test_a_link_to_a_database_is_refused(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    with pytest.raises(errors.UnsafeVaultError):
        Store.open(path, lock_timeout=0)


def test_a_database_that_is_not_there_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(errors.InputOutputError):
        Store.open(tmp_path / "vault.db", lock_timeout=0)
    assert list(tmp_path.iterdir()) == []
