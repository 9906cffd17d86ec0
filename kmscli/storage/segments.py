"""The files of the audit log: numbered segments, summaries of them, and what was set aside.

Implements docs/spec/audit.md, "Files". It moves bytes and makes them durable; what a line means is decided above.
"""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from kmscli import errors
from kmscli.storage.files import PRIVATE, READ_ONLY_HINT, check_private, io_errors, replace_locked, write_all

_NAME = r"([0-9]{8})\.jsonl"
_CHUNK = 64 * 1024
_PLAIN = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""No link is followed, and a pipe in the place of a file keeps nobody waiting."""
_UNNOTED = ".unnoted"


class Ending(msgspec.Struct, frozen=True):
    """The end of the newest segment.

    Attributes:
        segment: Its number, 0 while there is none.
        offset: Bytes up to and with the last newline.
        last: The last whole line, without its newline; b"" if there is none.
        torn: What follows the last newline.
    """

    segment: int
    offset: int
    last: bytes
    torn: bytes


class Entry(NamedTuple):
    """A name in the folder of the log, and the file's bytes; -1 if it is no regular file."""

    name: str
    size: int


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not this user's alone.

    Raises:
        UnsafeVaultError: It is not.
        AuditUnavailableError: There is none.
    """
    with reading(folder):
        check_private(folder, folder.lstat(), folder=True)


@lru_cache(maxsize=64)
def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment."""
    return folder / f"{number:08d}.jsonl"


def summary_path(folder: Path, number: int) -> Path:
    """The file of the summary of a segment."""
    return folder / f"{number:08d}.usage"


def segment_number(name: str) -> int | None:
    """The number of the segment whose file has this name; None if it is no segment's."""
    match = re.fullmatch(_NAME, name)
    return int(match[1]) if match else None


def segment_numbers(folder: Path) -> list[int]:
    """Numbers of the segments in a folder, ascending.

    Raises:
        AuditUnavailableError: The folder cannot be read.
    """
    with reading(folder):
        numbers = map(segment_number, os.listdir(folder))
        return sorted(number for number in numbers if number is not None)


def entries(folder: Path) -> list[Entry]:
    """All that lies in the folder of a log, by name.

    Raises:
        AuditUnavailableError: The folder cannot be read.
    """
    with reading(folder), os.scandir(folder) as found:
        return sorted(Entry(entry.name, _size(entry.stat(follow_symlinks=False))) for entry in found)


def _size(found: os.stat_result) -> int:
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def size_of(path: Path) -> int:
    """Bytes of a file; -1 if there is none or it is no regular one."""
    try:
        return _size(path.lstat())
    except OSError:
        return -1


class reading:  # noqa: N801 - it reads as a function; a class is a fifth of a generator's time
    """Turn what the operating system refuses to have read into AuditUnavailableError."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise it from an OSError."""
        if isinstance(error, OSError):
            reason = f"{self._path}: {error.strerror}"
            raise errors.AuditUnavailableError(action="read", reason=reason, hint="") from error


class writing:  # noqa: N801 - as above
    """Turn what the operating system refuses to have written into AuditUnavailableError, or a class of it."""

    __slots__ = ("_error", "_path")

    def __init__(self, path: Path, error: type[errors.AuditUnavailableError] = errors.AuditUnavailableError) -> None:
        self._path = path
        self._error = error

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise it from an OSError."""
        if isinstance(error, OSError):
            hint = READ_ONLY_HINT if error.errno == errno.EROFS else None
            reason = f"{self._path}: {error.strerror}"
            raise self._error(action="written", reason=reason, hint=hint) from error


def read_ending(folder: Path, *, line_max: int) -> Ending:
    """The end of the log, read backwards from the end of the newest segment.

    Raises:
        AuditUnavailableError: It cannot be read.
        AuditTamperedError: What should be its last line is longer than a line can be.
    """
    numbers = segment_numbers(folder)
    if not numbers:
        return Ending(0, 0, b"", b"")
    path = segment_path(folder, numbers[-1])
    with reading(path), open_segment(path, os.O_RDONLY) as fd:
        return _ending(fd, numbers[-1], line_max)


def _ending(fd: int, segment: int, line_max: int) -> Ending:
    size = os.fstat(fd).st_size
    data = b""
    # A whole last line is known by the newline before it and the one behind it.
    while len(data) < size and data.find(b"\n") == data.rfind(b"\n"):
        if len(data) > 2 * line_max:
            raise errors.AuditTamperedError(what="its last line is longer than a line can be")
        start = max(0, size - len(data) - _CHUNK)
        data = os.pread(fd, size - len(data) - start, start) + data
    whole, newline, torn = data.rpartition(b"\n")
    if not newline:
        raise errors.AuditTamperedError(what=f"segment {segment} has no whole line")
    return Ending(segment, size - len(torn), whole.rpartition(b"\n")[2], torn)


@contextmanager
def open_segment(path: Path, flags: int) -> Iterator[int]:
    """A descriptor of an existing file of the log; os.O_* `flags` beside NOFOLLOW and CLOEXEC.

    Raises:
        OSError: As the system says, and for what is no regular file: a pipe in its place must not keep anybody waiting.
    """
    fd = os.open(path, flags | _PLAIN)
    try:
        if _size(os.fstat(fd)) < 0:
            raise OSError(errno.EINVAL, "is no regular file")
        yield fd
    finally:
        os.close(fd)


def read_part(folder: Path, number: int, start: int, length: int) -> bytes:
    """Up to `length` bytes of a segment from byte `start`; fewer at its end, none if it is not there."""
    return _part(segment_path(folder, number), start, length)


def read_summary(folder: Path, number: int, start: int, length: int) -> bytes:
    """Up to `length` bytes of the summary of a segment; as `read_part`."""
    return _part(summary_path(folder, number), start, length)


def _part(path: Path, start: int, length: int) -> bytes:
    try:
        with open_segment(path, os.O_RDONLY) as fd:
            return os.pread(fd, length, start)
    except OSError:
        return b""


def keep_summary(folder: Path, number: int, data: bytes) -> None:
    """Keep the summary of a segment, whole or not at all; where it cannot be written, nothing is kept.

    No lock of the vault is held here. The temporary file has one name, so that nothing adds up, and a lock of its own:
    who finds another process at work on it leaves it alone. It is not synced: what a crash leaves is seen to be none.
    """
    path = summary_path(folder, number)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | _PLAIN, PRIVATE)
    except OSError:
        return
    try:
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it before may have brought this very file to its name by now.
            if os.path.samestat(os.fstat(fd), temporary.lstat()):
                _replace_by(fd, temporary, path, data)
    finally:
        os.close(fd)


def _replace_by(fd: int, temporary: Path, path: Path, data: bytes) -> None:
    try:
        os.fchmod(fd, PRIVATE)
        os.ftruncate(fd, 0)
        write_all(fd, data)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink()
        raise


def sync(folder: Path, number: int) -> None:
    """Make durable what anybody wrote to a segment.

    Raises:
        AuditUnavailableError: It is not there.
        AuditNotDurableError: It is not certain to be.
    """
    path = segment_path(folder, number)
    with writing(path), open_segment(path, os.O_WRONLY) as fd, writing(path, errors.AuditNotDurableError):
        os.fdatasync(fd)


def begin(folder: Path, number: int, data: bytes) -> None:
    """A new segment that starts with the line `data`: it appears with that line, whole and durable.

    Raises:
        AuditUnavailableError: It could not be written for certain.
    """
    path = segment_path(folder, number)
    with writing(path):
        replace_locked(path, data)


def set_aside(folder: Path, ending: Ending, *, seq: int) -> str:
    """Keep torn bytes in a file of their own and cut them from the log; returns the file's final name.

    The file is named as not yet noted in the log until `mark_noted`.
    """
    name = f"torn-{seq:012d}"
    path = segment_path(folder, ending.segment)
    with writing(path):
        replace_locked(folder / (name + _UNNOTED), ending.torn)
        with open_segment(path, os.O_WRONLY) as fd:
            os.ftruncate(fd, ending.offset)
            os.fdatasync(fd)
    return name


def unnoted(folder: Path) -> list[str]:
    """Final names of files set aside that no line of the log tells of yet."""
    with reading(folder):
        return sorted(name.removesuffix(_UNNOTED) for name in os.listdir(folder) if name.endswith(_UNNOTED))


def mark_noted(folder: Path, name: str) -> None:
    """Give a file that was set aside its final name."""
    with io_errors(folder / name):
        os.replace(folder / (name + _UNNOTED), folder / name)


def count_failure(path: Path) -> None:
    """Count one failed unlock: a byte at the end of a file. Where it cannot be written, nothing is counted."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _PLAIN, PRIVATE)
    except OSError:
        return
    try:
        os.write(fd, b".")
    except OSError:
        return
    finally:
        os.close(fd)


def failures(path: Path) -> int:
    """How many failed unlocks were counted since the last signed line."""
    return max(0, size_of(path))


def forget_failures(path: Path, count: int) -> None:
    """Start the count anew after `count` of them were written to the log; later ones stay counted."""
    with suppress(OSError), open_segment(path, os.O_WRONLY) as fd:
        os.ftruncate(fd, max(0, os.fstat(fd).st_size - count))


def read_lines(path: Path, *, line_max: int, size: int | None = None) -> Iterator[bytes]:
    """The lines of a segment, each with its newline; a last one without it is torn.

    A line of more than `line_max` bytes comes in pieces, the first one `line_max` + 2 bytes long and without newline.

    Args:
        path: Its file.
        line_max: The most bytes of a line, without its newline.
        size: How many bytes of it to read; None = all.

    Raises:
        AuditUnavailableError: It cannot be read.
    """
    with reading(path), open_segment(path, os.O_RDONLY) as fd:
        left = os.fstat(fd).st_size if size is None else size
        with os.fdopen(fd, "rb", buffering=1 << 20, closefd=False) as file:
            while line := file.readline(min(left, line_max + 2)):
                left -= len(line)
                yield line


def read_backwards(path: Path, *, line_max: int) -> Iterator[bytes]:
    """The whole lines of a segment without their newlines, the last one first; a torn end is left out.

    Raises:
        AuditUnavailableError: It cannot be read.
        AuditTamperedError: A line is longer than `line_max` bytes.
    """
    with reading(path), open_segment(path, os.O_RDONLY) as fd:
        pieces = _pieces_backwards(fd, path, line_max)
        next(pieces)
        yield from pieces


def _pieces_backwards(fd: int, path: Path, line_max: int) -> Iterator[bytes]:
    """What lies between newlines, the last piece first: the torn end, or b"" where there is none."""
    parts: list[bytes] = []
    for block in _blocks_backwards(fd):
        *before, last = block.split(b"\n")
        parts.append(last)
        for piece in reversed(before):
            yield b"".join(reversed(parts))
            parts = [piece]
        if sum(map(len, parts)) > line_max:
            raise errors.AuditTamperedError(what=f"{path.name}: a line is longer than a line can be")
    yield b"".join(reversed(parts))


def _blocks_backwards(fd: int) -> Iterator[bytes]:
    offset = os.fstat(fd).st_size
    while offset:
        start = max(0, offset - _CHUNK)
        yield os.pread(fd, offset - start, start)
        offset = start
