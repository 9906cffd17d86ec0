"""Files: opened without following links, written whole or not at all, read only when nobody else can read them.

Every file of kms, the user's included, is opened in this layer. A write appears by rename after fsync, the folder is
synced too, and what fails leaves neither a changed file nor a temporary one.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kmscli import errors

PRIVATE = 0o600
READ_ONLY_HINT = "a vault on a read-only disk can be looked at (`kms status`, `kms audit verify`), not used"
_OTHERS = 0o077
_SECRET_MAX = 64 * 1024
_DESCRIPTOR = re.compile(r"(?:/dev/|/proc/self/)(stdout|stderr|fd/[0-9]{1,9})")


@contextmanager
def io_errors(path: os.PathLike[str] | str) -> Iterator[None]:
    """Turn what the operating system refuses into an error that names the file."""
    try:
        yield
    except OSError as error:
        raise errors.InputOutputError(path=os.fspath(path), reason=error.strerror or str(error)) from error


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; a short write goes on."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _temporary(
    path: Path, data: bytes, *, mode: int, durable: bool, owner: tuple[int, int] | None = None
) -> Iterator[Path]:
    # Beside the target, so that one rename or link brings it into place; gone afterwards, whatever happened.
    # The number is random: a process id comes again, and what a crash left must be in nobody's way. 50 characters of
    # the name take at most 200 bytes, so this name fits wherever the other one does.
    temporary = path.with_name(f".{path.name[:50]}.{int.from_bytes(os.urandom(8))}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        try:
            # The bits asked for, whatever the umask; a new owner first, because a change of owner may clear some.
            if owner is not None:
                os.fchown(fd, *owner)
            os.fchmod(fd, mode)
            write_all(fd, data)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def make_folders(path: Path) -> None:
    """Make a folder and those above it that are missing, for this user alone, durably.

    Raises:
        OSError: As the system says.
    """
    if path.is_dir():
        return
    make_folders(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_folder(path.parent)


def replace_file(
    path: Path, data: bytes, *, mode: int = PRIVATE, durable: bool = True, owner: tuple[int, int] | None = None
) -> None:
    """Put `data` at `path`, whole or not at all.

    Args:
        path: The file; an old one is replaced by rename.
        data: Its new content.
        mode: Its permission bits.
        durable: Whether file and name are synced; without it a crash may leave the old content, never a part.
        owner: Its uid and gid; None = this process's.

    Raises:
        OSError: As the system says; the old file is untouched and no temporary one is left.
    """
    with _temporary(path, data, mode=mode, durable=durable, owner=owner) as temporary:
        os.replace(temporary, path)
    if durable:
        sync_folder(path.parent)


def create_private(path: Path, data: bytes) -> None:
    """A new file for this user alone, whole and durable, or nothing.

    Raises:
        FileExistsAlreadyError: Something has that name: it is never overwritten.
        InputOutputError: It cannot be written.
    """
    with io_errors(path), _temporary(path, data, mode=PRIVATE, durable=True) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError as error:
            raise errors.FileExistsAlreadyError(path=path) from error
        sync_folder(path.parent)


def write_output(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a user's output file.

    A regular file appears by rename when whole; a link to one is followed; a device or FIFO is written through, and a
    name of an open descriptor (/dev/stdout, /dev/fd/3) means that descriptor, whatever it is open to.

    Args:
        path: Where.
        data: All of it.
        mode: Permission bits; None = bits and owner of an old file, where that is allowed, else 0600.

    Raises:
        InputOutputError: It cannot be written; an old file is untouched.
    """
    with io_errors(path):
        if (number := _descriptor(path)) is not None:
            write_all(number, data)
            return
        target = Path(os.path.realpath(path))
        try:
            found = target.stat()
        except FileNotFoundError:
            found = None
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise errors.InputOutputError(path=path, reason="is a directory")
        if found is not None and not stat.S_ISREG(found.st_mode):
            _write_through(target, data)
            return
        if mode is not None or found is None:
            replace_file(target, data, mode=PRIVATE if mode is None else mode)
            return
        kept = stat.S_IMODE(found.st_mode) & 0o777
        mine = (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())
        replace_file(target, data, mode=kept, owner=None if mine or os.geteuid() else (found.st_uid, found.st_gid))


def _descriptor(path: Path) -> int | None:
    match = _DESCRIPTOR.fullmatch(os.fspath(path))
    if match is None:
        return None
    return {"stdout": 1, "stderr": 2}.get(match[1]) or int(match[1].rpartition("/")[2])


def _write_through(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)


def read_input(path: Path, *, limit: int) -> bytes:
    """The first `limit` + 1 bytes of a user's input file: one more than allowed tells that it is too large.

    Raises:
        InputOutputError: It cannot be read.
    """
    with io_errors(path):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            return read_some(fd, limit + 1)
        finally:
            os.close(fd)


def read_some(fd: int, limit: int) -> bytes:
    """Up to `limit` bytes, to the end of the file if that comes first."""
    parts = []
    while limit > 0 and (part := os.read(fd, min(limit, 1 << 20))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def read_secret(path: Path) -> bytes:
    """A secret file: this user's (or root's) alone if it is a regular file; a FIFO or descriptor is read as it is.

    Raises:
        UnsafeFileError: Others can read it.
        InputOutputError: It cannot be read.
    """
    with io_errors(path):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            _check_secret(path, os.fstat(fd))
            return read_some(fd, _SECRET_MAX)
        finally:
            os.close(fd)


def _check_secret(path: Path, found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode) and found.st_mode & _OTHERS:
        raise errors.UnsafeFileError(path=path, problem="others can read it", hint=f"chmod 600 {path}")
    if stat.S_ISREG(found.st_mode) and found.st_uid not in (os.geteuid(), 0):
        raise errors.UnsafeFileError(path=path, problem="it belongs to somebody else")


def read_descriptor(number: int) -> bytes:
    """A secret that the caller passes on an open descriptor.

    Raises:
        InputOutputError: It is not open for reading.
    """
    with io_errors(f"file descriptor {number}"):
        return read_some(number, _SECRET_MAX)


def check_private(path: Path, found: os.stat_result, *, folder: bool = False) -> None:
    """Refuse a file or folder of a vault that is not this user's alone.

    Raises:
        UnsafeVaultError: A link, another type, another owner, or open to others.
    """
    kind = stat.S_ISDIR if folder else stat.S_ISREG
    if not kind(found.st_mode):
        raise errors.UnsafeVaultError(path=path, problem=f"is not a regular {'folder' if folder else 'file'}")
    if found.st_uid != os.geteuid():
        raise errors.UnsafeVaultError(path=path, problem="belongs to another user", hint="a vault belongs to one user")
    if found.st_mode & _OTHERS:
        raise errors.UnsafeVaultError(path=path, problem="is open to other users", hint=f"chmod -R go= {path}")
