"""The files of a log, read from either end."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.audit import reading
from kmscli.model import limits
from kmscli.storage import segments
from tests.unit.audit.logs import FINGERPRINT, START, Log, made


def write(folder: Path, log: Log) -> Path:
    """Write a log into a folder."""
    for number, line in log.lines:
        with (folder / f"{number:08d}.jsonl").open("ab") as file:
            file.write(line)
    return folder


def three_segments() -> Log:
    """Nine lines, a second apart, three in each segment."""
    log = made().use().use().begin_segment().use().use().use().begin_segment()
    return log.use().use().use()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The log of three segments."""
    return write(tmp_path, three_segments())


def body(number: int) -> bytes:
    return three_segments().numbered(number)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 8, 9, 10, 1000])
def test_the_last_lines_come_oldest_first_from_as_many_segments_as_needed(folder: Path, count: int) -> None:
    expected = [body(number) for number in range(1, 10)][max(0, 9 - count) :]
    assert expected == reading.last_lines(folder, count)


def test_of_the_last_lines_a_torn_end_is_left_out(folder: Path) -> None:
    with (folder / "00000003.jsonl").open("ab") as file:
        file.write(b'{"eventTi')
    assert [body(9)] == reading.last_lines(folder, 1)


def test_lines_longer_than_what_is_read_at_once_are_read_backwards(tmp_path: Path) -> None:
    log = made().use(requestParameters={"a": "x" * 200_000}).use(requestParameters={"a": "y" * 65_536}).use()
    write(tmp_path, log)
    assert [log.numbered(number) for number in (1, 2, 3, 4)] == reading.last_lines(tmp_path, 9)


def test_the_end_of_a_large_log_is_read_without_the_rest(tmp_path: Path) -> None:
    write(tmp_path, made().use())
    # A hole of a terabyte in a segment before: who reads it does not come back.
    with (tmp_path / "00000002.jsonl").open("wb") as file:
        file.write(b"\n")
        os.truncate(file.fileno(), 1 << 40)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + body(2) + b"\n" + body(3) + b"\n")
    assert [body(2), body(3)] == reading.last_lines(tmp_path, 2)


def test_a_line_without_end_is_not_read_backwards_for_ever(tmp_path: Path) -> None:
    with (tmp_path / "00000001.jsonl").open("wb") as file:
        os.truncate(file.fileno(), 1 << 40)
    with pytest.raises(errors.AuditTamperedError, match="longer than a line can be"):
        reading.last_lines(tmp_path, 1)


def test_a_log_without_a_segment_has_no_last_line(tmp_path: Path) -> None:
    assert [] == reading.last_lines(tmp_path, 5)


def test_a_folder_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(errors.AuditUnavailableError):
        reading.last_lines(tmp_path / "none", 1)


@pytest.mark.parametrize(
    ("seconds", "first"), [(-5, 1), (0, 1), (1, 1), (3, 1), (4, 4), (5, 4), (6, 4), (7, 7), (99, 7)]
)
def test_segments_that_end_before_a_time_are_not_read(folder: Path, seconds: int, first: int) -> None:
    found = list(reading.lines_from(folder, START + timedelta(seconds=seconds)))
    assert [body(number) for number in range(first, 10)] == found


def test_without_a_time_every_whole_line_is_read(folder: Path) -> None:
    with (folder / "00000003.jsonl").open("ab") as file:
        file.write(b"torn")
    assert [body(number) for number in range(1, 10)] == list(reading.lines_from(folder, None))


def test_an_empty_segment_is_an_error_of_a_search_by_time(folder: Path) -> None:
    (folder / "00000003.jsonl").write_bytes(b"")
    with pytest.raises(errors.AuditTamperedError):
        list(reading.lines_from(folder, START))


def test_what_is_appended_later_is_not_verified(folder: Path) -> None:
    entries = segments.entries(folder)
    with (folder / "00000003.jsonl").open("ab") as file:
        file.write(b"not yet\n")
    (folder / "00000004.jsonl").write_bytes(b"not yet\n")
    with reading.verified(folder, entries, FINGERPRINT, full=True) as verifier:
        assert (9, 0) == (verifier.report().lines, verifier.report().torn)


def test_a_line_is_not_read_further_than_a_line_can_be_long(tmp_path: Path) -> None:
    write(tmp_path, made())
    with (tmp_path / "00000001.jsonl").open("ab") as file:
        os.truncate(file.fileno(), 1 << 40)
    with (
        pytest.raises(errors.AuditTamperedError, match=r"line 2 \(seq 2\): it is longer"),
        reading.verified(tmp_path, segments.entries(tmp_path), FINGERPRINT, full=False),
    ):
        pass


def test_the_longest_line_that_can_be_written_can_be_read(tmp_path: Path) -> None:
    log = made()
    room = limits.AUDIT_LINE_MAX - len(made().use(requestParameters={"a": ""}).numbered(2))
    write(tmp_path, log.use(requestParameters={"a": "x" * room}).use())
    assert limits.AUDIT_LINE_MAX == len(log.numbered(2))
    with reading.verified(tmp_path, segments.entries(tmp_path), FINGERPRINT, full=True) as verifier:
        assert 3 == verifier.report().lines
    assert [log.numbered(2), log.numbered(3)] == reading.last_lines(tmp_path, 2)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("00000002.jsonl")])
def test_what_is_no_file_in_the_place_of_a_segment_keeps_nobody_waiting(
    folder: Path, make: Callable[[Path], None]
) -> None:
    (folder / "00000001.jsonl").unlink()
    make(folder / "00000001.jsonl")
    with pytest.raises(errors.AuditTamperedError, match=r"00000001.jsonl is no file"):
        reading.verified(folder, segments.entries(folder), FINGERPRINT, full=False).__enter__()
    with pytest.raises(errors.AuditUnavailableError):
        list(reading.lines_from(folder, None))
