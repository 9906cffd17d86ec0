"""What a user gives a process: its standard streams, the terminal that controls it, and files read line by line."""

import os
from collections.abc import Iterator
from pathlib import Path

from kmscli.storage.files import io_errors

_STREAMS = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_RDONLY}
"""Standard stream -> a way of opening /dev/null in which its use still fails."""


def hold_standard_streams() -> None:
    """Fill the places of standard streams that the caller closed.

    Otherwise the next file to be opened, such as the audit log, would take the number, and what is meant for stderr
    would be written into it. Reading or writing such a stream fails as before.
    """
    for number, flags in _STREAMS.items():
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one, since those below are open by now.
            os.open(os.devnull, flags)


def open_terminal() -> int | None:
    """A descriptor of the controlling terminal, for reading and writing; None if the process has none."""
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


def read_lines(source: Path | int, *, limit: int) -> Iterator[bytes]:
    """The lines of an input without their newlines, read as they are asked for.

    Of a line of more than `limit` bytes, the first `limit` + 1 are given and the rest is passed over.

    Args:
        source: A file, or the number of an open descriptor, which stays open.
        limit: The most bytes of a line.

    Raises:
        InputOutputError: It cannot be read.
    """
    name = source if isinstance(source, Path) else "standard input"
    with io_errors(name):
        fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY) if isinstance(source, Path) else source
        with os.fdopen(fd, "rb", closefd=isinstance(source, Path)) as file:
            while line := file.readline(limit + 1):
                yield line.removesuffix(b"\n")
                while line and not line.endswith(b"\n"):
                    line = file.readline(limit + 1)
