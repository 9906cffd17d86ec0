"""The terminal that controls this process: a device of its own, whatever standard input and output are."""

import os


def open_terminal() -> int | None:
    """A descriptor of the controlling terminal, for reading and writing; None if the process has none."""
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
