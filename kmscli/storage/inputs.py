"""What a process was started with: its standard streams, and the terminal that controls it."""

import os

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
