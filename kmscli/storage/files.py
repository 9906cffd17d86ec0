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
_DESCRIPTORS = ("/dev/", "/proc/self/")
_DESCRIPTOR = r"(?:/dev/|/proc/self/)(stdout|stderr|fd/[0-9]{1,9})"


class io_errors:  # noqa: N801 - it reads as a function; a class is a fifth of a generator's time, in every small read
    """Turn what the operating system refuses into an error that names the file."""

    __slots__ = ("_path",)

    def __init__(self, path: os.PathLike[str] | str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise InputOutputError from an OSError."""
        if isinstance(error, OSError):
            raise errors.InputOutputError(path=os.fspath(self._path), reason=error.strerror or str(error)) from error


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
    temporary: Path, data: bytes, *, mode: int, durable: bool, owner: tuple[int, int] | None = None
) -> Iterator[None]:
    # Beside the target, so that one rename or link brings it into place; gone afterwards, whatever happened.
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        try:
            _fill(fd, data, mode=mode, durable=durable, owner=owner)
        finally:
            os.close(fd)
        yield
    finally:
        temporary.unlink(missing_ok=True)


def _fill(fd: int, data: bytes, *, mode: int, durable: bool, owner: tuple[int, int] | None = None) -> None:
    # The bits asked for, whatever the umask; a new owner first, because a change of owner may clear some.
    if owner is not None:
        os.fchown(fd, *owner)
    os.fchmod(fd, mode)
    write_all(fd, data)
    if durable:
        os.fsync(fd)


def new_name(path: Path) -> Path:
    """A name beside `path` for a file that will be renamed to it."""
    # The number is random: a process id comes again, and what a crash left must be in nobody's way. 50 characters of
    # the name take at most 200 bytes, so this name fits wherever the other one does.
    return path.with_name(f".{path.name[:50]}.{int.from_bytes(os.urandom(8))}.tmp")


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
    temporary = new_name(path)
    with _temporary(temporary, data, mode=mode, durable=durable, owner=owner):
        os.replace(temporary, path)
    if durable:
        sync_folder(path.parent)


def replace_locked(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Put `data` at `path`, as `replace_file`, where a lock leaves one process at a time to do so.

    The temporary file has one name, so what a crash leaves is gone with the next write and never adds up.

    Raises:
        OSError: As for `replace_file`.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    with _temporary(temporary, data, mode=PRIVATE, durable=durable):
        os.replace(temporary, path)
    if durable:
        sync_folder(path.parent)


def create_note(path: Path) -> None:
    """An empty file whose name is durable: that it is there is what it says. One that is there already stays.

    Raises:
        InputOutputError: It cannot be made.
    """
    with io_errors(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE))
        sync_folder(path.parent)


def create_private(path: Path, data: bytes) -> None:
    """A new file for this user alone, whole and durable, or nothing.

    Raises:
        FileExistsAlreadyError: Something has that name: it is never overwritten.
        InputOutputError: It cannot be written.
    """
    with io_errors(path):
        try:
            if not _link_unnamed(path, data):
                temporary = new_name(path)
                with _temporary(temporary, data, mode=PRIVATE, durable=True):
                    os.link(temporary, path)
        except FileExistsError as error:
            raise errors.FileExistsAlreadyError(path=path) from error
        try:
            sync_folder(path.parent)
        except OSError:
            path.unlink(missing_ok=True)
            raise


def identity(found: os.stat_result) -> tuple[int, int]:
    """What tells a file from all others, as long as somebody has it open."""
    return found.st_dev, found.st_ino


def remove_made(path: Path, made: tuple[int, int]) -> None:
    """Remove a file that this process made, if it is still the one at `path`.

    Args:
        path: Where it was made.
        made: Its `identity`.

    Raises:
        OSError: It cannot be seen or removed.
    """
    # Both steps are in one folder, whatever its path comes to mean between them.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if identity(os.stat(path.name, dir_fd=folder, follow_symlinks=False)) == made:
            os.unlink(path.name, dir_fd=folder)
    finally:
        os.close(folder)


def _link_unnamed(path: Path, data: bytes) -> bool:
    """Make a file without a name and then give it one: a crash leaves no second copy of a secret.

    Returns:
        False where the system or the file system cannot do that (open(2), O_TMPFILE); then nothing was made.
    """
    try:
        fd = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, PRIVATE)
    except (AttributeError, OSError):
        return False
    try:
        _fill(fd, data, mode=PRIVATE, durable=True)
        # A folder's descriptor makes Python call linkat, which alone can follow the name of a descriptor.
        os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
    except FileNotFoundError:
        return False
    finally:
        os.close(fd)
    return True


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
        if (number := descriptor(path)) is not None:
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


def descriptor(path: Path) -> int | None:
    """The number of an open descriptor that a name such as /dev/stdout means, or None."""
    name = os.fspath(path)
    match = re.fullmatch(_DESCRIPTOR, name) if name.startswith(_DESCRIPTORS) else None
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


def read_own(path: Path, *, limit: int) -> bytes | None:
    """The first `limit` bytes of a file of kms's own; None if there is none.

    Raises:
        UnsafeVaultError: It is not this user's alone, or no regular file; a pipe in its place keeps nobody waiting.
        InputOutputError: It cannot be read.
    """
    with io_errors(path):
        try:
            check_private(path, path.lstat())
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            check_private(path, os.fstat(fd))
            return read_some(fd, limit)
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
