"""Where the connections of a socket come in, which all workers share: to whom has the fewest.

Clients keep few connections for long, so a worker that has most of them would keep most of the work, while another
waits. Who has more than another leaves what comes to that one for a moment; what nobody takes by then, it takes itself.
"""

import asyncio
import mmap
import socket
import ssl
from collections.abc import Callable
from functools import partial

AT_ONCE = 32
"""Connections that are taken before what else is on the loop has its turn."""
PATIENCE_SECONDS = 0.002
"""How long a worker with more connections than another lets that one come first: a few times what a batch takes."""
FULL_SECONDS = 0.5
"""How long none is taken after the system had no room for one more."""
HANDSHAKE_SECONDS = 20.0
COMING_MAX = 256
"""Connections at a handshake; where there are so many, those that are slow end, and others wait until then."""
SLOW_SECONDS = 1.0
CROWDED_SECONDS = 0.01
"""How long none is taken where there are too many at a handshake."""


class Loads:
    """How many connections each worker has, in memory that all of them share; made before they are.

    Each writes its own number alone, so nothing is locked; what it reads of the others may be a moment old.
    """

    def __init__(self, workers: int) -> None:
        """None has any."""
        self._cells = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")[:workers]

    def of(self, worker: int, inside: Callable[[], int]) -> "Load":
        """That of a worker, numbered from 0, which begins without any; `inside` says how many it serves."""
        return Load(self._cells, worker, inside)


class Load:
    """That of one worker among the others'.

    Attributes:
        coming: How many are in none of its connections yet, because they are at a handshake.
    """

    def __init__(self, cells: memoryview, place: int, inside: Callable[[], int]) -> None:
        """Begin with none."""
        self._cells = cells
        self._place = place
        self._inside = inside
        self.coming = 0
        self._cells[place] = 0

    def tell(self) -> None:
        """Tell the others how many there are now."""
        self._cells[self._place] = self._inside() + self.coming

    @property
    def slack(self) -> int:
        """By how many workers may differ: an eighth of what this one has."""
        return self._cells[self._place] // 8

    @property
    def is_ahead(self) -> bool:
        """Whether another worker has fewer, by more than that."""
        return self._cells[self._place] - self.slack > min(self._cells)


class Door:
    """One socket, as one worker takes connections from it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listening: socket.socket,
        handler: Callable[[], asyncio.Protocol],
        load: Load,
        tls: ssl.SSLContext | None,
    ) -> None:
        """Open it.

        Args:
            loop: Where connections are served.
            listening: The socket, which stays the caller's.
            handler: Makes what serves a connection.
            load: Where what comes in here is counted.
            tls: What TLS connections are made with; None = they are plain.
        """
        self._loop = loop
        self._listening = listening
        self._handler = handler
        self._tls = tls
        self._load = load
        self._is_open = True
        # Who is at a handshake, since when, in their order.
        self._coming: dict[asyncio.Task[None], float] = {}
        listening.setblocking(False)  # noqa: FBT003 - the name of its parameter is its own
        self._watch(self._knocked)

    def close(self) -> None:
        """Take no more; what waits at the socket stays there."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listening)
            for each in list(self._coming):
                each.cancel()

    def _watch(self, then: Callable[[], None]) -> None:
        if self._is_open:
            self._loop.add_reader(self._listening, then)

    def _rest(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._listening)
        self._loop.call_later(seconds, self._watch, then)

    def _knocked(self) -> None:
        if self._load.is_ahead:
            self._rest(PATIENCE_SECONDS, self._waited)
        else:
            self._take(0)

    def _waited(self) -> None:
        self._watch(self._knocked)
        self._take(max(1, self._load.slack))

    def _take(self, least: int) -> None:
        """Take so many of those who wait, and more while it is this worker's turn."""
        for number in range(AT_ONCE):
            if number >= least and self._load.is_ahead:
                return
            if len(self._coming) >= COMING_MAX:
                self._end_slow()
                self._rest(CROWDED_SECONDS, self._knocked)
                return
            try:
                found, _address = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return  # others took them, or they have gone
            except OSError:
                self._rest(FULL_SECONDS, self._knocked)
                return
            self._admit(found)

    def _end_slow(self) -> None:
        """Whoever speaks TLS is through in a moment."""
        began = self._loop.time() - SLOW_SECONDS
        for each in [task for task, since in self._coming.items() if since < began]:
            each.cancel()

    def _admit(self, found: socket.socket) -> None:
        self._load.coming += 1
        self._load.tell()
        task = self._loop.create_task(self._enter(found))
        self._coming[task] = self._loop.time()
        task.add_done_callback(partial(self._entered, found))

    async def _enter(self, found: socket.socket) -> None:
        if found.family != socket.AF_UNIX:
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        timeout = HANDSHAKE_SECONDS if self._tls else None
        await self._loop.connect_accepted_socket(self._handler, found, ssl=self._tls, ssl_handshake_timeout=timeout)

    def _entered(self, found: socket.socket, task: "asyncio.Task[None]") -> None:
        del self._coming[task]
        if task.cancelled() or task.exception() is not None:
            found.close()  # what fails here is the client's: it is gone, or speaks no TLS
        self._load.coming -= 1
        self._load.tell()
