"""Many files reach the disk by one call where it promises as much, else each alone; errors are those of each file."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kmscli.storage import places, syncing


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def files(folder: Path, count: int, held: ExitStack) -> list[int]:
    return [held.enter_context((folder / f"{number}").open("wb", buffering=0)).fileno() for number in range(count)]


def pipe(held: ExitStack) -> int:
    """What cannot be synced."""
    ends = os.pipe()
    for end in ends:
        held.callback(os.close, end)
    return ends[1]


@pytest.mark.parametrize("count", [0, 1, 2, syncing.TOGETHER - 1, syncing.TOGETHER, 100])
def test_files_are_synced_without_an_error(tmp_path: Path, held: ExitStack, count: int) -> None:
    assert syncing.sync_all(files(tmp_path, count, held)) == [None] * count


@pytest.mark.parametrize("count", [0, 1, 3, syncing.TOGETHER, 100])
@pytest.mark.parametrize("one_call", [True, False])
def test_an_error_is_that_of_its_file(
    tmp_path: Path, held: ExitStack, monkeypatch: pytest.MonkeyPatch, *, count: int, one_call: bool
) -> None:
    kinds = {places.file_system_type(tmp_path)} if one_call else set()
    monkeypatch.setattr(syncing, "_KINDS", frozenset(kinds))
    fds = files(tmp_path, count, held)
    fds.insert(count // 2, pipe(held))
    found = syncing.sync_all(fds)
    assert [None if error is None else error.errno for error in found] == [
        errno.EINVAL if index == count // 2 else None for index in range(count + 1)
    ]


def test_what_one_call_refuses_is_tried_one_by_one(
    tmp_path: Path, held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "_KINDS", frozenset({places.file_system_type(tmp_path)}))
    closed = os.open(tmp_path / "closed", os.O_WRONLY | os.O_CREAT)
    fds = files(tmp_path, syncing.TOGETHER, held)
    os.close(closed)
    # Nobody passes a closed file, but it is an error that the call really gives.
    device = tmp_path.stat().st_dev
    assert not syncing._synced_together(device, [closed, *fds])
    assert syncing.sync_all(fds) == [None] * len(fds)


@pytest.mark.parametrize(
    ("system", "release", "expected"),
    [
        ("Linux", "6.18.44-fc", True),
        ("Linux", "5.10.0-8-amd64", True),
        ("Linux", "5.8", True),
        ("Linux", "5.7.19", False),
        ("Linux", "4.4.0", False),
        ("Linux", "unknown", False),
        ("Darwin", "24.1.0", False),
    ],
)
def test_only_systems_that_tell_errors_are_asked(
    system: str, release: str, monkeypatch: pytest.MonkeyPatch, *, expected: bool
) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((system, "host", release, "#1", "x86_64")))
    assert syncing._tells_errors() is expected
