"""The files of the log: its end, what is appended, what is set aside."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.storage import segments
from kmscli.storage.files import replace_file
from kmscli.storage.newest import Newest
from kmscli.storage.segments import Ending

MAX = 100


def write(folder: Path, number: int, content: bytes) -> None:
    replace_file(segments.segment_path(folder, number), content)


def append(folder: Path, end: Ending, data: bytes) -> None:
    Newest(folder).append(end, data).finish()


def ending(folder: Path) -> Ending:
    return segments.read_ending(folder, line_max=MAX)


def test_segments_are_numbered_with_eight_digits(tmp_path: Path) -> None:
    assert segments.segment_path(tmp_path, 7) == tmp_path / "00000007.jsonl"


def test_only_names_of_segments_are_segments(tmp_path: Path) -> None:
    for name in (
        "00000002.jsonl",
        "00000001.jsonl",
        "1.jsonl",
        "00000003.json",
        "x00000004.jsonl",
        "torn-000000000001",
    ):
        (tmp_path / name).write_bytes(b"")
    assert segments.segment_numbers(tmp_path) == [1, 2]


def test_a_log_without_a_folder_is_not_available(tmp_path: Path) -> None:
    with pytest.raises(errors.AuditUnavailableError) as caught:
        ending(tmp_path / "nowhere")
    assert caught.value.exit_code == 52


def test_an_empty_log_ends_at_nothing(tmp_path: Path) -> None:
    assert ending(tmp_path) == Ending(0, 0, b"", b"")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"one\n", Ending(1, 4, b"one", b"")),
        (b"one\ntwo\n", Ending(1, 8, b"two", b"")),
        (b"one\ntwo\ntor", Ending(1, 8, b"two", b"tor")),
        (b"one\n{", Ending(1, 4, b"one", b"{")),
        (b"one\n\n", Ending(1, 5, b"", b"")),
    ],
)
def test_the_end_of_a_log_is_its_last_line_and_what_is_torn(tmp_path: Path, content: bytes, expected: Ending) -> None:
    write(tmp_path, 1, content)
    assert ending(tmp_path) == expected


def test_the_end_is_that_of_the_newest_segment(tmp_path: Path) -> None:
    write(tmp_path, 1, b"one\n")
    write(tmp_path, 2, b"two\n")
    assert ending(tmp_path) == Ending(2, 4, b"two", b"")


@pytest.mark.parametrize("content", [b"", b"no newline"])
def test_a_segment_without_a_whole_line_is_tampering(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, 1, content)
    with pytest.raises(errors.AuditTamperedError):
        ending(tmp_path)


@pytest.mark.parametrize("length", [10, 70_000, 131_072, 200_000])
def test_the_end_is_found_however_long_the_lines_are(tmp_path: Path, length: int) -> None:
    write(tmp_path, 1, b"a" * length + b"\n" + b"b" * length + b"\n" + b"torn")
    assert segments.read_ending(tmp_path, line_max=length) == Ending(1, 2 * length + 2, b"b" * length, b"torn")


def test_no_more_than_two_lines_are_read_before_a_line_that_is_too_long_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 1, b"a" * 10_000_000)
    with pytest.raises(errors.AuditTamperedError, match="longer than a line can be"):
        segments.read_ending(tmp_path, line_max=100_000)


def test_a_line_is_appended_behind_the_last_newline(tmp_path: Path) -> None:
    write(tmp_path, 1, b"one\n")
    append(tmp_path, ending(tmp_path), b"two\n")
    assert segments.segment_path(tmp_path, 1).read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("torn", [b"t", b"torn and longer than the line"])
def test_what_is_torn_is_written_over_whole(tmp_path: Path, torn: bytes) -> None:
    write(tmp_path, 1, b"one\n" + torn)
    append(tmp_path, ending(tmp_path), b"two\n")
    assert segments.segment_path(tmp_path, 1).read_bytes() == b"one\ntwo\n"


def test_a_new_segment_appears_with_its_line_for_this_user_alone(tmp_path: Path) -> None:
    segments.begin(tmp_path, 2, b"one\n")
    path = segments.segment_path(tmp_path, 2)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"one\n", 0o600)


def test_a_segment_that_others_can_reach_is_not_appended_to(tmp_path: Path) -> None:
    write(tmp_path, 1, b"one\n")
    end = ending(tmp_path)
    segments.segment_path(tmp_path, 1).chmod(0o644)
    with pytest.raises(errors.UnsafeVaultError):
        append(tmp_path, end, b"two\n")


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_is_no_segment(tmp_path: Path, kind: str) -> None:
    path = segments.segment_path(tmp_path, 1)
    if kind == "link":
        (tmp_path / "target").write_bytes(b"one\n")
        path.symlink_to("target")
    elif kind == "fifo":
        os.mkfifo(path, 0o600)
    else:
        path.mkdir()
    with pytest.raises(errors.AuditUnavailableError):
        ending(tmp_path)
    with pytest.raises(errors.AuditUnavailableError):
        append(tmp_path, Ending(1, 4, b"one", b""), b"two\n")


def test_a_log_that_cannot_be_written_is_not_available(tmp_path: Path) -> None:
    with pytest.raises(errors.AuditUnavailableError, match="could not be written"):
        append(tmp_path, Ending(1, 0, b"", b""), b"one\n")
    with pytest.raises(errors.AuditUnavailableError, match="could not be written"):
        segments.begin(tmp_path / "nowhere", 1, b"one\n")


def test_a_torn_end_is_set_aside_until_a_line_tells_of_it(tmp_path: Path) -> None:
    write(tmp_path, 1, b"one\ntorn")
    name = segments.set_aside(tmp_path, ending(tmp_path), seq=2)
    assert name == "torn-000000000002"
    assert segments.segment_path(tmp_path, 1).read_bytes() == b"one\n"
    assert (tmp_path / (name + ".unnoted")).read_bytes() == b"torn"
    assert segments.unnoted(tmp_path) == [name]
    segments.mark_noted(tmp_path, name)
    assert segments.unnoted(tmp_path) == []
    assert (tmp_path / name).read_bytes() == b"torn"


def test_a_part_of_a_segment_is_read_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    write(tmp_path, 1, b"one\ntwo\n")
    assert segments.read_part(tmp_path, 1, 4, 3) == b"two"
    assert segments.read_part(tmp_path, 1, 4, 100) == b"two\n"
    assert segments.read_part(tmp_path, 1, 100, 3) == b""
    assert segments.read_part(tmp_path, 2, 0, 3) == b""


def test_failed_unlocks_are_counted_until_a_line_tells_of_them(tmp_path: Path) -> None:
    path = tmp_path / "unlock-failures"
    assert segments.failures(path) == 0
    for _ in range(3):
        segments.count_failure(path)
    assert segments.failures(path) == 3
    segments.forget_failures(path, 2)
    assert segments.failures(path) == 1
    segments.forget_failures(path, 5)
    assert segments.failures(path) == 0


def test_failures_that_cannot_be_counted_stop_nobody(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    segments.count_failure(tmp_path / "link")
    segments.count_failure(tmp_path / "nowhere" / "failures")
    segments.forget_failures(tmp_path / "nowhere" / "failures", 1)
    assert not (tmp_path / "target").exists()


# -- summaries --


def temporary(folder: Path) -> Path:
    return folder / ".00000001.usage.tmp"


def test_a_summary_is_kept_and_read_in_parts(tmp_path: Path) -> None:
    segments.keep_summary(tmp_path, 1, b"0123456789")
    assert [tmp_path / "00000001.usage"] == list(tmp_path.iterdir())
    assert 0o600 == stat.S_IMODE(segments.summary_path(tmp_path, 1).stat().st_mode)
    assert b"345" == segments.read_summary(tmp_path, 1, 3, 3)
    assert b"89" == segments.read_summary(tmp_path, 1, 8, 100)
    assert b"" == segments.read_summary(tmp_path, 1, 10, 1)
    assert b"" == segments.read_summary(tmp_path, 2, 0, 1)


def test_a_summary_takes_the_place_of_the_one_before_and_of_what_a_crash_left(tmp_path: Path) -> None:
    segments.summary_path(tmp_path, 1).write_bytes(b"older")
    temporary(tmp_path).write_bytes(b"half of a longer one")
    temporary(tmp_path).chmod(0o644)
    segments.keep_summary(tmp_path, 1, b"new")
    assert b"new" == segments.read_summary(tmp_path, 1, 0, 100)
    assert [segments.summary_path(tmp_path, 1)] == list(tmp_path.iterdir())
    assert 0o600 == stat.S_IMODE(segments.summary_path(tmp_path, 1).stat().st_mode)


def test_a_summary_at_which_somebody_else_is_at_work_is_left_alone(tmp_path: Path) -> None:
    with temporary(tmp_path).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(b"half")
        other.flush()
        segments.keep_summary(tmp_path, 1, b"mine")
        assert b"half" == temporary(tmp_path).read_bytes()
    assert not segments.summary_path(tmp_path, 1).exists()


def test_a_summary_that_got_its_name_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locking(fd: int, operation: int) -> None:
        temporary(tmp_path).write_bytes(b"theirs")
        temporary(tmp_path).rename(segments.summary_path(tmp_path, 1))

    monkeypatch.setattr(fcntl, "flock", locking)
    segments.keep_summary(tmp_path, 1, b"mine")
    assert b"theirs" == segments.read_summary(tmp_path, 1, 0, 100)


def test_a_summary_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes) -> None:
        os.write(fd, data[:1])
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(segments, "write_all", full)
    segments.keep_summary(tmp_path, 1, b"mine")
    assert [] == list(tmp_path.iterdir())


def test_a_summary_for_which_there_is_no_folder_is_not_kept(tmp_path: Path) -> None:
    segments.keep_summary(tmp_path / "nowhere", 1, b"mine")
    assert [] == list(tmp_path.iterdir())


def test_the_size_is_that_of_a_file_and_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    names = ("file", "link", ".", "nothing")
    assert [3, -1, -1, -1] == [segments.size_of(tmp_path / name) for name in names]
