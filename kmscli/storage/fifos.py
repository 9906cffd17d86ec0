"""Plaintext under the name of a file, on no disk, where the system has no files in memory: FIFOs in a private folder.

A process of its own writes each plaintext once. It ends, and the folder with it, when all is read or the program that
was to read has ended.
"""

import os
import select
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from kmscli.storage.files import PRIVATE, io_errors

_POLL = 0.05
_PIECE = 1 << 16


def offer(contents: Mapping[str, bytes]) -> dict[str, str]:
    """Offer plaintexts through FIFOs, each of which can be read once, for as long as this process lives.

    What takes the place of this process by exec is the same process. No other thread may run, and no vault be open.

    Args:
        contents: Name and plaintext.

    Returns:
        Name and path.

    Raises:
        InputOutputError: They cannot be made.
    """
    root = Path(os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - see mkdtemp
    with io_errors(root):
        folder = Path(tempfile.mkdtemp(prefix="kms-", dir=root))  # a random name, for this user alone
        for name in contents:
            os.mkfifo(folder / name, PRIVATE)
        # Its end tells that the program has ended, and whoever inherited from it.
        life, held = os.pipe()
        if not (middle := os.fork()):
            # A child of a child is nobody's to wait for: the program does not hear of its end.
            if os.fork():
                os._exit(0)
            _serve(folder, {folder / name: data for name, data in contents.items()}, life)
        os.waitpid(middle, 0)
        os.close(life)
        os.set_inheritable(held, True)  # noqa: FBT003 - it takes no keyword
    return {name: os.fspath(folder / name) for name in contents}


def _serve(folder: Path, contents: dict[Path, bytes], life: int) -> NoReturn:
    try:
        _detach(life)
        _write_all(contents, life)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)


def _detach(life: int) -> None:
    """Keep nothing of the program's open, and hear nothing of its terminal."""
    os.setsid()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.closerange(3, life)
    os.closerange(life + 1, os.sysconf("SC_OPEN_MAX"))


def _write_all(left: dict[Path, bytes], life: int) -> None:
    writing: dict[int, memoryview] = {}
    while left or writing:
        for path in list(left):
            # Refused as long as nobody has opened it for reading.
            with suppress(OSError):
                fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                path.unlink()
                writing[fd] = memoryview(left.pop(path))
        ended, ready, _ = select.select([life], list(writing), [], _POLL if left else None)
        if ended:
            return
        for fd in ready:
            writing[fd] = _write_some(fd, writing[fd])
            if not writing[fd]:
                del writing[fd]
                os.close(fd)


def _write_some(fd: int, data: memoryview) -> memoryview:
    try:
        return data[os.write(fd, data[:_PIECE]) :]
    except BlockingIOError:
        return data
    except OSError:
        return data[:0]  # its reader has gone
