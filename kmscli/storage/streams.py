"""A user's files of any size: read at places or in order, and outputs that appear whole or not at all.

A regular output is written beside its place and renamed when it is whole and on the disk (`publishing`). What cannot be
renamed into place (a pipe, a device, an open descriptor) is written through, in order.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from kmscli import errors
from kmscli.storage import files, pipes
from kmscli.storage.files import PRIVATE, io_errors
from kmscli.storage.memfd import MemoryFile

STDIN, STDOUT = 0, 1


class Stream:
    """An input that is read in order: a pipe, a terminal, a device, standard input.

    Attributes:
        name: For people.
    """

    def __init__(self, fd: int, name: str, *, close: bool = False) -> None:
        self.name = name
        self._fd = fd
        self._close = close
        self._given = b""
        # A terminal says once that its input ends, and goes on if it is asked again.
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        if self._given or self._ended:
            part, self._given = self._given[:size], self._given[size:]
            return part
        part = self._take(size)
        self._ended = not part
        return part

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the start of `buffer`; 0 at the end."""
        if self._given or self._ended:
            part = self.read(len(buffer))
            buffer[: len(part)] = part
            return len(part)
        count = self._take_into(buffer)
        self._ended = not count
        return count

    def peek(self, size: int) -> bytes:
        """The first `size` bytes of what is left, or all of it; they are read again afterwards."""
        while len(self._given) < size and not self._ended:
            part = self._take(max(size - len(self._given), 1 << 16))
            self._ended = not part
            self._given += part
        return self._given[:size]

    def _take(self, size: int) -> bytes:
        with io_errors(self.name):
            return os.read(self._fd, size)

    def _take_into(self, buffer: memoryview) -> int:
        with io_errors(self.name):
            return os.readv(self._fd, [buffer])

    def check_unchanged(self) -> None:
        """Nothing can be said of what flows."""

    def close(self) -> None:
        """Read no more."""
        if self._close:
            self._close = False
            os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class File(Stream):
    """An input that is a regular file: it has a size, and can be read at any place.

    Attributes:
        found: What it was when it was opened.
        size: Its bytes then.
    """

    def __init__(self, fd: int, name: str, found: os.stat_result) -> None:
        super().__init__(fd, name, close=True)
        self.found = found
        self.size = found.st_size

    def pread(self, buffer: memoryview, offset: int, /) -> int:
        """Fill the start of `buffer` from `offset` on; 0 at the end."""
        with io_errors(self.name):
            return os.preadv(self._fd, [buffer], offset)

    def peek(self, size: int) -> bytes:
        """The first `size` bytes of the file."""
        with io_errors(self.name):
            return os.pread(self._fd, size, 0)

    def check_unchanged(self) -> None:
        """Refuse what somebody wrote into while it was read: what was read may be of no one time.

        Raises:
            InputOutputError: Its size or its time of change is another.
        """
        now = os.fstat(self._fd)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.found.st_mtime_ns):
            raise errors.InputOutputError(path=self.name, reason="it changed while it was read")


def reading(path: Path | None) -> Stream:
    """Open a user's input; None is standard input. It is closed at the end of its block, or before.

    Raises:
        InputOutputError: It cannot be read, or is a folder.
    """
    if path is None:
        found = os.fstat(STDIN)
        # A regular file as standard input may stand anywhere and be shared: it is read in order like all others.
        if stat.S_ISDIR(found.st_mode):
            raise errors.InputOutputError(path="standard input", reason="is a directory")
        pipes.widen(STDIN)
        return Stream(STDIN, "standard input")
    with io_errors(path):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        return _opened(fd, os.fspath(path))
    except BaseException:
        os.close(fd)
        raise


def _opened(fd: int, name: str) -> Stream:
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode):
        return File(fd, name, found)
    if stat.S_ISDIR(found.st_mode):
        raise errors.InputOutputError(path=name, reason="is a directory")
    pipes.widen(fd)
    return Stream(fd, name, close=True)


class Look(msgspec.Struct, frozen=True):
    """Mode and owner of an output: those of another file, or bits alone.

    Attributes:
        mode: Permission bits.
        owner: Uid and gid, where they are another's and this process may give files away; None = this process's.
    """

    mode: int = PRIVATE
    owner: tuple[int, int] | None = None


def look_of(found: os.stat_result, *, but: int = 0) -> Look:
    """Mode and owner of a file, without the bits `but`."""
    mine = (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())
    owner = None if mine or os.geteuid() else (found.st_uid, found.st_gid)
    return Look(stat.S_IMODE(found.st_mode) & 0o777 & ~but, owner)


class Through:
    """An output that gets each byte at once: what was written cannot be taken back.

    Attributes:
        held: Whether nobody sees it before it is published.
    """

    held = False

    def __init__(self, fd: int, name: str, *, close: bool) -> None:
        self.name = name
        self._fd = fd
        self._close = close
        if fd >= 0:  # a file of a program has none
            pipes.widen(fd)

    def write(self, data: memoryview | bytes, /) -> int:
        """Write from the start of `data`.

        Raises:
            BrokenPipeError: Nobody reads it any more.
        """
        try:
            return os.write(self._fd, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise errors.InputOutputError(path=self.name, reason=error.strerror or str(error)) from error

    def drop(self) -> None:
        """Write no more."""
        if self._close:
            self._close = False
            os.close(self._fd)

    publish = drop


class New:
    """An output that is a regular file, and has no name that anybody looks for before it is published."""

    held = True

    def __init__(self, target: Path, look: Look, *, name: str | None = None, watch: "Watch | None" = None) -> None:
        self.name = os.fspath(target) if name is None else name
        self.target = target
        self._temporary = files.new_name(target)
        self._named = False
        self._fd = -1
        # Before there is a file: Ctrl-C may come between any two steps.
        if watch is not None:
            watch(self)
        try:
            with io_errors(self.name):
                self._fd = os.open(
                    self._temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE
                )
                # The owner first, because a change of it may clear bits; what nobody else may read is never open.
                if look.owner is not None:
                    os.fchown(self._fd, *look.owner)
                os.fchmod(self._fd, look.mode)
        except BaseException:
            self.drop()
            raise

    def write(self, data: memoryview | bytes, /) -> int:
        """Write from the start of `data` behind what was written."""
        with io_errors(self.name):
            return os.write(self._fd, data)

    def pwrite(self, data: memoryview, offset: int, /) -> int:
        """Write from the start of `data` at `offset`."""
        with io_errors(self.name):
            return os.pwrite(self._fd, data, offset)

    def fileno(self) -> int:
        """The descriptor that stands for it."""
        return self._fd

    def publish(self) -> None:
        """Give it its name; an old file of that name is gone.

        Raises:
            InputOutputError: A folder has the name.
        """
        try:
            with io_errors(self.name):
                os.replace(self._temporary, self.target)
            self._named = True
        finally:
            self.drop()

    def drop(self) -> None:
        """Have it leave no trace."""
        # Once: by then the number may be another file's.
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        if not self._named:
            with suppress(OSError):
                self._temporary.unlink(missing_ok=True)


Watch = Callable[[New], object]
"""Told of a new file before it is there."""


class Memory:
    """An output that is kept, for who decides afterwards whether it can be shown.

    Attributes:
        data: What was written.
    """

    held = True

    def __init__(self, limit: int) -> None:
        self.name = "the terminal"
        self.data = b""
        self._limit = limit

    def write(self, data: memoryview | bytes, /) -> int:
        """Keep all of `data`.

        Raises:
            MessageLimitError: It is more than is kept.
        """
        self.data += data
        if len(self.data) > self._limit:
            raise errors.MessageLimitError(what="the plaintext", found="longer", limit=f"{self._limit} bytes here")
        return len(data)

    def drop(self) -> None:
        """Nothing is left to be done."""

    publish = drop


Output = Through | New | Memory | MemoryFile


def writing(path: Path | None, look: Look | None = None, *, watch: "Watch | None" = None) -> Output:
    """Open a user's output; None is standard output.

    Args:
        path: Where; a link is followed, a name of an open descriptor (/dev/stdout, /dev/fd/3) means that one.
        look: Mode and owner; None = those of an old file, else 0600.
        watch: Told of a new file before it is there.

    Raises:
        InputOutputError: It cannot be written, or is a folder.
    """
    if path is None:
        return Through(STDOUT, "standard output", close=False)
    if (number := files.descriptor(path)) is not None:
        return Through(number, os.fspath(path), close=False)
    with io_errors(path):
        target = path
        try:
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                target = Path(os.path.realpath(path))
                found = target.stat()
        except FileNotFoundError:
            return New(target, look or Look(), name=os.fspath(path), watch=watch)
        if stat.S_ISDIR(found.st_mode):
            raise errors.InputOutputError(path=path, reason="is a directory")
        if stat.S_ISREG(found.st_mode):
            return New(target, look or look_of(found), name=os.fspath(path), watch=watch)
        return Through(os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY), os.fspath(path), close=True)


def spool() -> New:
    """An unpublished file for what must not be seen yet, in the folder of temporary files; `drop` removes it."""
    folder = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - its name is random and it is this user's alone
    return New(Path(folder) / "kms-spool", Look())


def copy(spooled: New, sink: Through, *, piece: int = 1 << 20) -> None:
    """Write all of a spooled file through."""
    buffer, at = memoryview(bytearray(piece)), 0
    with io_errors(spooled.name):
        while got := os.preadv(spooled._fd, [buffer], at):  # noqa: SLF001 - of this module
            at += got
            done = 0
            while done < got:
                done += sink.write(buffer[done:got])
