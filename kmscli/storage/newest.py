"""The newest segment of the audit log: its end, and what is appended there, again and again by one process.

Implements docs/spec/audit.md, "Appending". It moves bytes and makes them durable; what a line means is decided above.
All of it happens under the vault's lock.
"""

import os
import time
from pathlib import Path
from typing import Self

from kmscli import errors
from kmscli.storage import segments
from kmscli.storage.files import check_private, write_all
from kmscli.storage.segments import Ending, open_segment, segment_path, writing

_COARSE_NS = 2_000_000_000
"""A time of change that is younger is not relied on: a file system tells such times in steps, and two changes within
one step have the same."""


class Unsynced:
    """What was written to the newest segment, and may not be on the disk yet.

    It keeps a descriptor of the file that was written: a failure to bring the bytes to the disk is told to that one for
    certain, while one that is opened later may never hear of it.
    """

    def __init__(self, fd: int, path: Path) -> None:
        """Take over the descriptor."""
        self._fd = fd
        self._path = path

    def finish(self) -> None:
        """Wait until it is durable, and all that was written to the segment before; once, from any thread.

        Raises:
            AuditNotDurableError: It is not certain to be. That is final.
        """
        fd, self._fd = self._fd, -1
        try:
            with writing(self._path, errors.AuditNotDurableError):
                os.fdatasync(fd)
        finally:
            os.close(fd)


class Newest:
    """The newest segment of a log, as one process sees it."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read or opened yet."""
        self._folder = folder
        self._fd = -1
        self._segment = 0
        self._size = 0
        # Which folder it was and when names in it changed last, as of the last listing; None = that says nothing.
        self._listed: tuple[int, int, int] | None = None

    def read(self, *, line_max: int) -> Ending:
        """The end of the log, looked up in its folder; errors as `segments.read_ending`."""
        self.close()
        with segments.reading(self._folder):
            listed = self._stamp()
        self._listed = listed if listed[2] < time.time_ns() - _COARSE_NS else None
        return segments.read_ending(self._folder, line_max=line_max)

    def ends_with(self, ending: Ending) -> bool:
        """Whether the log still ends so, and no file came or went since `read`; False if that is not certain."""
        if self._listed is None or self._segment != ending.segment or ending.torn:
            return False
        try:
            found = os.fstat(self._fd)
            check_private(segment_path(self._folder, ending.segment), found)
            start = ending.offset - len(ending.last) - 1
            last = os.pread(self._fd, len(ending.last) + 1, start)
            # While the names in the folder are the same, the file that is open is still the one of that name.
            still = found.st_size == ending.offset and self._stamp() == self._listed
        except OSError:
            return False
        return still and last[:-1] == ending.last and last.endswith(b"\n")

    def _stamp(self) -> tuple[int, int, int]:
        found = os.stat(self._folder)
        return found.st_dev, found.st_ino, found.st_mtime_ns

    def append(self, ending: Ending, data: bytes) -> Unsynced:
        """Write `data` behind the last newline of the newest segment; the caller waits for the disk.

        What follows the last newline is overwritten: the caller has seen that it is worth nothing or part of `data`.

        Raises:
            AuditUnavailableError: It could not be written.
        """
        path = segment_path(self._folder, ending.segment)
        with writing(path):
            if self._segment != ending.segment:
                self._open(path, ending.segment)
            self._write_at(ending.offset, data)
            return Unsynced(os.dup(self._fd), path)

    def _open(self, path: Path, number: int) -> None:
        self._release()
        with open_segment(path, os.O_RDWR) as fd:
            found = os.fstat(fd)
            check_private(path, found)
            self._fd, self._segment, self._size = os.dup(fd), number, found.st_size

    def _write_at(self, offset: int, data: bytes) -> None:
        os.lseek(self._fd, offset, os.SEEK_SET)
        end = offset + len(data)
        try:
            write_all(self._fd, data)
            if self._size > end:
                os.ftruncate(self._fd, end)
        except OSError:
            # Take the part back, so that the next reader finds a whole log; if that fails, the part is torn and known.
            os.ftruncate(self._fd, offset)
            raise
        self._size = end

    def close(self) -> None:
        """Have nothing open; the next use opens again."""
        self._listed = None
        self._release()

    def _release(self) -> None:
        fd, self._fd, self._segment = self._fd, -1, 0
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
