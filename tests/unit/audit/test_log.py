"""The end of the log: what an interrupted append leaves, and how the next command brings it to a whole state."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.formats import auditline
from kmscli.service import audits, slots
from kmscli.storage import segments
from kmscli.storage.paths import pin_file
from kmscli.vault.secrets import Secret
from tests.helpers import Home


@pytest.fixture
def log(home: Home) -> Path:
    """The only segment of a vault that has seen a change and a use."""
    home.create_key(Alias="alias/app")
    home.perform("ListKeys")
    return home.folder / "audit" / "00000001.jsonl"


def cut(log: Path, home: Home, count: int) -> bytes:
    """Take bytes from the end of the log, with the memory of who has seen them; returns them."""
    content = log.read_bytes()
    os.truncate(log, len(content) - count)
    forget(home)
    return content[len(content) - count :]


def forget(home: Home) -> None:
    home.close()
    pin_file(home.made.vault_id).unlink(missing_ok=True)


def add(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


def names(home: Home) -> list[str]:
    return [line["eventName"] for line in home.lines()]


def whole(home: Home) -> int:
    """The number of lines of a log that is proved and has nothing left to mend."""
    with home.open() as vault:
        proved = audits.verify(vault, full=True)
    assert (0, 0) == (proved.torn_bytes, proved.pending_lines)
    return proved.lines


@pytest.mark.parametrize("torn", [b"x", b'{"eventVersion":"1.11","even', b"\0" * 5000, b"\xff\xfe", b"{}"])
def test_a_torn_end_is_set_aside_and_a_signed_line_tells_of_it(home: Home, log: Path, torn: bytes) -> None:
    add(log, torn)
    with home.open() as vault:
        assert len(torn) == audits.verify(vault).torn_bytes
    home.perform("ListKeys")
    assert ["CreateVault", "CreateKey", "ListKeys", "AuditRecovered", "ListKeys"] == names(home)
    assert {"tornEnd": "torn-000000000004"} == home.lines()[3]["requestParameters"]
    assert torn == (log.parent / "torn-000000000004").read_bytes()
    assert 5 == whole(home)
    assert 5 == audits.verify_log(log.parent, bytes.fromhex(home.made.root_fingerprint), full=True).lines


def test_a_second_torn_end_gets_a_name_of_its_own(home: Home, log: Path) -> None:
    add(log, b"first")
    home.perform("ListKeys")
    add(log, b"second")
    home.perform("ListKeys")
    assert b"first" == (log.parent / "torn-000000000004").read_bytes()
    assert b"second" == (log.parent / "torn-000000000006").read_bytes()
    assert 7 == whole(home)


def test_a_crash_before_the_torn_end_was_cut_sets_it_aside_once(home: Home, log: Path) -> None:
    add(log, b"torn")
    (log.parent / "torn-000000000004.unnoted").write_bytes(b"torn")
    home.perform("ListKeys")
    assert 1 == names(home).count("AuditRecovered")
    assert 5 == whole(home)


def test_a_crash_between_setting_aside_and_the_line_leaves_the_line_to_the_next_command(home: Home, log: Path) -> None:
    add(log, b"torn")
    home.close()
    segments.set_aside(log.parent, segments.read_ending(log.parent, line_max=1 << 20), seq=4)
    assert 3 == whole(home)
    home.perform("ListKeys")
    assert ["AuditRecovered", "ListKeys"] == names(home)[3:]
    assert b"torn" == (log.parent / "torn-000000000004").read_bytes()
    assert 5 == whole(home)


def test_a_crash_between_the_line_and_the_new_name_tells_of_it_twice(home: Home, log: Path) -> None:
    add(log, b"torn")
    home.perform("ListKeys")
    (log.parent / "torn-000000000004").rename(log.parent / "torn-000000000004.unnoted")
    home.perform("ListKeys")
    assert 2 == names(home).count("AuditRecovered")
    assert 7 == whole(home)


@pytest.mark.parametrize(
    "act",
    [
        lambda folder: segments.begin(folder, 2, b"{}\n"),
        lambda folder: segments.set_aside(folder, segments.read_ending(folder, line_max=1 << 20), seq=4),
    ],
)
def test_what_a_crash_leaves_of_a_file_on_its_way_to_its_name_disturbs_nobody(
    home: Home, log: Path, act: Callable[[Path], object]
) -> None:
    before = set(log.parent.iterdir())
    home.close()
    killed_before_the_new_name(lambda: act(log.parent))
    assert 1 == len(set(log.parent.iterdir()) - before)
    assert 3 == whole(home)
    home.perform("ListKeys")
    assert 4 == whole(home)


def killed_before_the_new_name(act: Callable[[], object]) -> None:
    """Run `act` in a process that dies where a file would get its name."""
    child = os.fork()
    if not child:
        try:
            os.replace = lambda *_: os._exit(9)  # type: ignore[assignment]
            act()
        finally:
            os._exit(1)
    assert 9 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_line_that_lacks_only_its_newline_is_completed(home: Home, log: Path) -> None:
    before = log.read_bytes()
    cut(log, home, 1)
    home.perform("ListKeys")
    assert log.read_bytes().startswith(before)
    assert ["CreateVault", "CreateKey", "ListKeys", "ListKeys"] == names(home)
    assert 4 == whole(home)


@pytest.mark.parametrize("left", [0, 1, 700, -1])
def test_the_line_of_a_change_that_was_cut_off_is_written_again(home: Home, left: int) -> None:
    home.create_key()
    log = home.folder / "audit" / "00000001.jsonl"
    before = log.read_bytes()
    length = len(before.splitlines(keepends=True)[-1])
    cut(log, home, length - left if left >= 0 else 1)
    with home.open() as vault:
        assert 1 == audits.verify(vault, full=True).pending_lines
    home.perform("ListKeys")
    assert log.read_bytes().startswith(before)
    assert ["CreateVault", "CreateKey", "ListKeys"] == names(home)
    assert 3 == whole(home)


def test_the_line_of_a_change_of_slots_is_written_again_too(home: Home, log: Path) -> None:
    slots.add_slot(home.context, Secret.passphrase(b"another"), "second")
    line = home.raw_lines()[-1]
    assert line + b"\n" == cut(log, home, len(line) + 1)
    with home.open() as vault:
        assert 1 == audits.verify(vault, full=True).pending_lines
    home.perform("ListKeys")
    assert ["AddSlot", "ListKeys"] == names(home)[3:]
    assert 5 == whole(home)


def test_the_line_of_a_change_that_begins_a_segment_is_written_again(home: Home) -> None:
    home.close()
    (home.folder / "config.toml").write_text("[audit]\nsegment_bytes = 4096\n")
    while len(segments.segment_numbers(home.folder / "audit")) < 2:
        home.create_key()
    last = home.raw_lines()[-1]
    (home.folder / "audit" / "00000002.jsonl").unlink()
    forget(home)
    with home.open() as vault:
        assert 1 == audits.verify(vault, full=True).pending_lines
    home.perform("ListKeys")
    assert last == (home.folder / "audit" / "00000002.jsonl").read_bytes().splitlines()[0]
    whole(home)


def test_a_log_that_lacks_more_than_the_newest_change_is_refused(home: Home, log: Path) -> None:
    home.create_key()
    lines = log.read_bytes().splitlines(keepends=True)
    cut(log, home, len(lines[-1]) + len(lines[-2]))
    with home.open() as vault, pytest.raises(errors.AuditTamperedError, match="ends at line 2, but the vault knows"):
        audits.verify(vault)
    with pytest.raises(errors.AuditTamperedError):
        home.perform("ListKeys")


def test_a_complete_line_that_is_wrong_is_never_repaired(home: Home, log: Path) -> None:
    wrong = home.raw_lines()[-1].replace(b'"seq":3', b'"seq":4')
    add(log, wrong + b"\n")
    before = log.read_bytes()
    with pytest.raises(errors.AuditTamperedError):
        home.perform("ListKeys")
    assert before == log.read_bytes()


def test_a_log_ahead_of_its_database_is_a_rollback(home: Home, log: Path) -> None:
    database = home.folder / "vault.db"
    home.close()
    shutil.copy(database, home.folder.parent / "older.db")
    home.create_key()
    forget(home)
    shutil.copy(home.folder.parent / "older.db", database)
    with home.open() as vault, pytest.raises(errors.RollbackError) as caught:
        audits.verify(vault)
    assert 53 == caught.value.exit_code
    assert "restore the newer vault.db" == caught.value.hint


def test_lines_that_only_this_user_saw_are_missed_by_this_user(home: Home, log: Path) -> None:
    home.close()
    os.truncate(log, len(log.read_bytes()) - len(log.read_bytes().splitlines(keepends=True)[-1]))
    with home.open() as vault, pytest.raises(errors.AuditTamperedError, match="ends at line 2, and line 3 was seen"):
        audits.verify(vault)
    forget(home)
    assert 2 == whole(home)


def test_a_segment_rolls_when_it_has_reached_its_size(home: Home) -> None:
    home.close()
    (home.folder / "config.toml").write_text("[audit]\nsegment_bytes = 4096\n")
    for _ in range(20):
        home.perform("ListKeys")
    paths = sorted((home.folder / "audit").glob("*.jsonl"))
    assert len(paths) > 3
    assert all(4096 <= path.stat().st_size < 3 * 4096 for path in paths[:-1])
    for number, path in enumerate(paths, 1):
        first, *others = [auditline.decode(line) for line in path.read_bytes().splitlines()]
        assert first.segment is not None
        assert number == first.segment.number
        assert [None] * len(others) == [line.segment for line in others]
    assert 21 == whole(home)
