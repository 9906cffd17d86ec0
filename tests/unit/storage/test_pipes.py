"""Pipes that are read or written hold more; nothing else changes, and nothing fails."""

import fcntl
import os
import sys
from pathlib import Path

import pytest

from kmscli.storage import pipes, streams

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much a pipe holds")


def room(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)


def pipe(size: int) -> tuple[int, int]:
    ends = os.pipe()
    fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, size)
    return ends


def close(ends: tuple[int, int]) -> None:
    for fd in ends:
        os.close(fd)


def test_a_pipe_holds_a_mebibyte() -> None:
    ends = pipe(1 << 16)
    os.write(ends[1], b"what is in it stays")
    pipes.widen(ends[0])
    assert room(ends[1]) == pipes.ROOM
    assert os.read(ends[0], 100) == b"what is in it stays"
    close(ends)


def test_a_pipe_that_is_full_may_grow() -> None:
    ends = pipe(1 << 12)
    os.write(ends[1], bytes(1 << 12))
    pipes.widen(ends[1])
    assert os.write(ends[1], bytes(1 << 16)) == 1 << 16
    close(ends)


def test_a_pipe_that_holds_more_never_gets_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = pipe(1 << 18)
    monkeypatch.setattr(pipes, "ROOM", 1 << 16)
    pipes.widen(ends[0])
    assert room(ends[0]) == 1 << 18
    close(ends)


def test_a_pipe_that_may_not_hold_more_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = pipe(1 << 16)
    monkeypatch.setattr(pipes, "ROOM", 1 << 31)  # more than any pipe holds
    pipes.widen(ends[0])
    assert room(ends[0]) == 1 << 16
    close(ends)


def test_what_is_no_pipe_is_left_alone(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        pipes.widen(file.fileno())
    with Path(os.devnull).open("rb") as device:
        pipes.widen(device.fileno())


def test_inputs_and_outputs_that_flow_are_widened(tmp_path: Path) -> None:
    for name in ("in", "out"):
        os.mkfifo(tmp_path / name)
    # Opened for both, a FIFO of Linux waits for nobody.
    given, made = (os.open(tmp_path / name, os.O_RDWR) for name in ("in", "out"))
    with streams.reading(tmp_path / "in"):
        assert room(given) == pipes.ROOM
    streams.writing(tmp_path / "out").drop()
    assert room(made) == pipes.ROOM
    close((given, made))


@pytest.mark.parametrize("end", [0, 1])
def test_standard_input_and_output_are_widened(end: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = pipe(1 << 16)
    if end:
        monkeypatch.setattr(streams, "STDOUT", ends[1])
        streams.writing(None).drop()
    else:
        monkeypatch.setattr(streams, "STDIN", ends[0])
        with streams.reading(None):
            pass
    assert room(ends[1]) == pipes.ROOM
    close(ends)
