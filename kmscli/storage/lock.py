"""The vault's lock: one writer at a time, with a bounded wait; and the queue of costly derivations.

The kernel drops both locks with the process, so a crash leaves nothing behind. flock is what the vault is locked with;
derivations queue on a record lock of the same file, which is independent of it: Argon2id never runs under the vault's
lock. Order of locks: flock, then SQLite.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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


class Queue:
    """Lets processes of one server come to the vault's lock one after the other, woken by the kernel.

    Who waits for the vault's lock itself asks again and again, so that the wait is bounded; between a few processes
    that come a thousand times a second, that would leave the lock free most of the time. Made before the processes
    are, and entered by each through a descriptor of its own; the kernel lets go with the process.
    """

    def __init__(self) -> None:
        """Nobody waits; where the system has no such files, nobody ever will."""
        self._file = os.memfd_create("kms-queue", os.MFD_CLOEXEC) if hasattr(os, "memfd_create") else -1

    @contextmanager
    def entered(self) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """In one process, or in one thread of it: gives what waits for its turn, and holds it for a `with` block."""
        if self._file < 0:
            yield nullcontext
            return
        fd = os.open(f"/proc/self/fd/{self._file}", os.O_RDWR | os.O_CLOEXEC)
        try:
            yield lambda: _turn(fd)
        finally:
            os.close(fd)


@contextmanager
def _turn(fd: int) -> Iterator[None]:
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


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


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    with io_errors(path):
        try:
            check_private(path, path.lstat())
            # A pipe that took its place meanwhile keeps nobody waiting.
            fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            # Never made anew: who still holds the old one would be a second holder.
            raise errors.VaultTamperedError(what=f"{path} is missing", hint=_MISSING.format(path=path)) from error
    try:
        check_private(path, os.fstat(fd))
        yield fd
    finally:
        os.close(fd)


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
