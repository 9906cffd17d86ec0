"""The newest segment, kept open: it counts as it was only while nobody did anything to the log."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.storage import segments
from kmscli.storage.files import replace_file
from kmscli.storage.newest import Newest
from kmscli.storage.segments import Ending

OLD = 1_000_000_000 * 10**9
ENDING = Ending(1, 8, b"two", b"")


def write(folder: Path, content: bytes, number: int = 1) -> None:
    replace_file(segments.segment_path(folder, number), content)


def age(folder: Path) -> None:
    """Names in the folder changed long ago."""
    os.utime(folder, ns=(OLD, OLD))


@pytest.fixture
def newest(tmp_path: Path) -> Newest:
    """One that has appended `two` behind `one`."""
    write(tmp_path, b"one\n")
    age(tmp_path)
    found = Newest(tmp_path)
    found.append(found.read(line_max=100), b"two\n").finish()
    return found


def test_it_ends_with_what_was_appended(newest: Newest) -> None:
    assert newest.ends_with(ENDING)
    newest.append(ENDING, b"three\n").finish()
    assert newest.ends_with(Ending(1, 14, b"three", b""))
    assert not newest.ends_with(ENDING)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"three\n")


def write_over(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4)
        file.write(b"TWO")


def cut(path: Path) -> None:
    os.truncate(path, 4)


def lose_newline(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(7)
        file.write(b"!")


def put_in_its_place(path: Path) -> None:
    write(path.parent, b"one\ntwo\n")


def begin_another(path: Path) -> None:
    segments.begin(path.parent, 2, b"three\n")


def set_aside(path: Path) -> None:
    (path.parent / "torn-000000000003.unnoted").write_bytes(b"torn")


def rename_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.mkdir(mode=0o700)
    write(path.parent, b"one\ntwo\n")
    age(path.parent)


@pytest.mark.parametrize(
    "act", [append, write_over, cut, lose_newline, put_in_its_place, begin_another, set_aside, rename_folder]
)
def test_whatever_was_done_to_the_log_is_seen(newest: Newest, tmp_path: Path, act: Callable[[Path], None]) -> None:
    act(segments.segment_path(tmp_path, 1))
    assert not newest.ends_with(ENDING)


def test_a_segment_that_others_can_reach_is_refused(newest: Newest, tmp_path: Path) -> None:
    segments.segment_path(tmp_path, 1).chmod(0o640)
    with pytest.raises(errors.UnsafeVaultError):
        newest.ends_with(ENDING)


def test_a_torn_end_is_none_that_is_known(newest: Newest) -> None:
    assert not newest.ends_with(Ending(1, 8, b"two", b"torn"))


def test_a_folder_that_changed_just_now_says_nothing(tmp_path: Path) -> None:
    # Two changes within one step of the file system's clock have the same time.
    write(tmp_path, b"one\n")
    newest = Newest(tmp_path)
    newest.append(newest.read(line_max=100), b"two\n").finish()
    assert not newest.ends_with(ENDING)


def test_nothing_is_known_before_the_first_look_and_after_the_end(newest: Newest, tmp_path: Path) -> None:
    assert not Newest(tmp_path).ends_with(ENDING)
    newest.close()
    assert not newest.ends_with(ENDING)


def test_nothing_stays_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    write(tmp_path, b"one\n")
    newest = Newest(tmp_path)
    for _ in range(3):
        newest.append(newest.read(line_max=100), b"x\n").finish()
    del newest
    assert len(list(Path("/proc/self/fd").iterdir())) == before
