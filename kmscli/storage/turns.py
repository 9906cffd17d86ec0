"""Turns of the processes of one server, at the vault or at what they count, and what the one before left for the next.

Who waits for the vault's lock asks again and again, so that the wait is bounded; between a few processes that come a
thousand times a second, that would leave the lock free most of the time. Here the kernel wakes the next one. It adds to
the vault's lock and takes nothing from it.
"""

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LEFT_MAX = 64 << 10
_HEADER = 8


class Turn(Protocol):
    """One process's turn, held for a `with` block, again and again."""

    def __enter__(self) -> None:
        """Wait for it."""

    def __exit__(self, *_: object) -> None:
        """Let the next one."""

    def found(self) -> bytes:
        """What the one before left; b"" if nothing."""

    def leave(self, data: bytes) -> None:
        """Leave something for the next one; what is longer than LEFT_MAX is not left."""


class Alone:
    """The turn of a process that has no others beside it."""

    def __enter__(self) -> None:
        """It is its turn at once."""

    def __exit__(self, *_: object) -> None:
        """Nobody waits."""

    def found(self) -> bytes:
        """Nothing."""
        return b""

    def leave(self, data: bytes) -> None:
        """There is nobody for whom."""


class Queue:
    """Where the processes of one server wait, made before they are; the kernel lets go with a process.

    Its file has no name and belongs to these processes alone, so what one leaves there is as good as its own memory.
    """

    def __init__(self) -> None:
        """Nobody waits; where the system has no such files, nobody ever will."""
        self._file = os.memfd_create("kms-queue", os.MFD_CLOEXEC) if hasattr(os, "memfd_create") else -1

    @contextmanager
    def entered(self) -> Iterator[Turn]:
        """In one process, or in one thread of it: its turn, through a descriptor of its own."""
        if self._file < 0:
            yield Alone()
            return
        fd = os.open(f"/proc/self/fd/{self._file}", os.O_RDWR | os.O_CLOEXEC)
        try:
            yield _Shared(fd)
        finally:
            os.close(fd)


class _Shared:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def found(self) -> bytes:
        raw = os.pread(self._fd, _HEADER + LEFT_MAX, 0)
        size, check = int.from_bytes(raw[:4], "big"), int.from_bytes(raw[4:_HEADER], "big")
        data = raw[_HEADER : _HEADER + size]
        # Who was killed while it wrote left a part of two things.
        return data if len(data) == size and zlib.crc32(data) == check else b""

    def leave(self, data: bytes) -> None:
        data = data if len(data) <= LEFT_MAX else b""
        os.pwrite(self._fd, len(data).to_bytes(4, "big") + zlib.crc32(data).to_bytes(4, "big") + data, 0)
