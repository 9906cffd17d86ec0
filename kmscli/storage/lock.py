"""The vault's lock: one writer at a time, with a bounded wait; and the queue of costly derivations.

The kernel drops both locks with the process, so a crash leaves nothing behind. flock is what the vault is locked with;
derivations queue on a record lock of the same file, which is independent of it: Argon2id never runs under the vault's
lock. Order of locks: flock, then SQLite.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kmscli import errors
from kmscli.storage.files import check_private, io_errors

_FIRST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.005
"""Short, for who waits long must not lose each time to who comes anew: of 32 processes nobody waited for 1.5 s."""

_MISSING = "when no kms is at work: touch {path} && chmod 600 {path}"


@contextmanager
def vault_lock(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold the vault's lock.

    Args:
        path: The lock file of the vault.
        timeout: Seconds to wait at most.

    Raises:
        LockTimeoutError: Somebody else held it all that time.
    """
    with _opened(path, os.O_RDONLY) as fd:
        _wait(lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB), timeout)
        yield


@contextmanager
def folder_lock(folder: Path, *, timeout: float) -> Iterator[None]:
    """Hold a lock of a folder itself: who makes a vault in it is alone there.

    Raises:
        LockTimeoutError: Somebody else held it all that time.
        InputOutputError: The folder cannot be read.
    """
    with io_errors(folder):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _wait(lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB), timeout)
        yield
    finally:
        os.close(fd)


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock at `path`, or there is none."""
    try:
        with vault_lock(path, timeout=0):
            return True
    except errors.LockTimeoutError:
        return False
    except (errors.InputOutputError, errors.VaultTamperedError):
        return True


@contextmanager
def derivation_queue(path: Path, *, timeout: float) -> Iterator[None]:
    """Let one process at a time derive a key from a passphrase: thirty-two at once would take 2 GiB.

    Raises:
        LockTimeoutError: The queue did not move for all that time.
    """
    if not os.access(path, os.W_OK):
        # A vault on a read-only disk has nothing to queue on; what follows will be refused for want of a log.
        yield
        return
    with _opened(path, os.O_RDWR) as fd:
        _wait(lambda: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1), timeout)
        yield


class _opened:  # noqa: N801 - it reads as a function; a class is a fifth of a generator's time
    __slots__ = ("_fd", "_flags", "_path")

    def __init__(self, path: Path, flags: int) -> None:
        self._path, self._flags, self._fd = path, flags, -1

    def __enter__(self) -> int:
        path = self._path
        with io_errors(path):
            try:
                # A pipe in its place keeps nobody waiting.
                self._fd = os.open(path, self._flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError as error:
                # Never made anew: who still holds the old one would be a second holder.
                raise errors.VaultTamperedError(what=f"{path} is missing", hint=_MISSING.format(path=path)) from error
            except OSError:
                check_private(path, path.lstat())  # says what lies there, if that is why
                raise
        try:
            check_private(path, os.fstat(self._fd))
        except BaseException:
            os.close(self._fd)
            raise
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _wait(take: Callable[[], None], timeout: float) -> None:
    # A random pause spreads the waiters, so that none of many starves.
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        try:
            take()
        except (BlockingIOError, PermissionError) as error:
            if time.monotonic() >= deadline:
                raise errors.LockTimeoutError(seconds=timeout) from error
        else:
            return
        time.sleep(pause * (0.5 + os.urandom(1)[0] / 256))
        pause = min(pause * 2, _LONGEST_PAUSE)
