"""A bar on the terminal for what takes longer than a second; none in pipes, and none with --quiet."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kmscli.cli import _io
from kmscli.cli._settings import Settings

_PATIENCE = 1.0


@contextmanager
def shown(settings: Settings) -> Iterator[Callable[[int], None] | None]:
    """What is to be told of bytes, or None where nobody would see it."""
    if settings.flag("--quiet") or not _io.is_terminal(_io.STDERR):
        yield None
        return
    bar = _Bar()
    try:
        yield bar.add
    finally:
        bar.end()


class _Bar:
    """Bytes done, and how fast; drawn by rich, which is loaded when there is something to be drawn."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._done = 0
        self._drawn: Any = None
        self._task: Any = None

    def add(self, count: int) -> None:
        """Some more bytes are done."""
        self._done += count
        if self._drawn is not None:
            self._drawn.update(self._task, completed=self._done)
        elif time.monotonic() - self._since > _PATIENCE:
            self._draw()

    def _draw(self) -> None:
        from rich.console import Console
        from rich.progress import DownloadColumn, Progress, SpinnerColumn, TimeElapsedColumn, TransferSpeedColumn

        columns = SpinnerColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeElapsedColumn()
        self._drawn = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._drawn.add_task("", total=None, completed=self._done)
        self._drawn.start()

    def end(self) -> None:
        """Leave no trace."""
        if self._drawn is not None:
            self._drawn.stop()
