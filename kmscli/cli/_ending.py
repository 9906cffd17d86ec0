"""A request to end while files are worked on: what is not whole is taken away first, as after Ctrl-C.

Python ends at once on SIGTERM and SIGHUP, and would leave the temporary files.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_REQUESTS = (signal.SIGTERM, signal.SIGHUP)


class _EndingError(BaseException):
    """Passes where KeyboardInterrupt passes."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextmanager
def tidied() -> Iterator[None]:
    """Let such a signal end the block as an exception does, and the process by that signal."""
    # What the caller ignores, as nohup does, stays ignored.
    held = [number for number in _REQUESTS if signal.getsignal(number) is signal.SIG_DFL]

    def let_go() -> None:
        for number in held:
            signal.signal(number, signal.SIG_DFL)

    def end(number: int, _frame: FrameType | None) -> None:
        let_go()  # who asks twice does not wait
        raise _EndingError(number)

    for number in held:
        signal.signal(number, end)
    try:
        yield
    except _EndingError as ending:
        os.kill(os.getpid(), ending.number)
        raise
    finally:
        let_go()
