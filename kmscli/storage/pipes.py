"""Pipes that hold as much as is read or written at once, so that two programs change places less often.

A pipe of Linux holds 64 KiB unless somebody asks for more (fcntl(2), F_SETPIPE_SZ), and anybody may ask for 1 MiB of it
until the pipes of a user are too many (pipe(7)). It is a matter of speed alone: what is refused stays as it is.
"""

import fcntl
import sys
from contextlib import suppress

ROOM = 1 << 20
"""Bytes: the most that the system gives without being told otherwise, and what a file is read by."""


def widen(fd: int) -> None:
    """Let a pipe hold `ROOM`, if it is one, holds less, and may."""
    if sys.platform != "linux":
        return
    # A descriptor of something else refuses, and a pipe never gets smaller.
    with suppress(OSError):
        if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < ROOM:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, ROOM)
