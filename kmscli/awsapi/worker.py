"""One process of the endpoint: an event loop over the sockets that it was given.

It ends when it is told to (SIGTERM), when its supervisor is gone, or when a line of the log cannot be known to be on
the disk: then nothing more may be answered.
"""

import asyncio
import gc
import os
import resource
import signal
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from kmscli.awsapi.desk import Desk
from kmscli.awsapi.door import COMING_MAX, Door, Loads
from kmscli.awsapi.endpoint import Access, Admin, Endpoint
from kmscli.awsapi.http import Connections
from kmscli.awsapi.listening import Listening
from kmscli.awsapi.metrics import Metrics
from kmscli.storage.turns import Queue
from kmscli.vault.session import Session

GRACE_SECONDS = 10.0
"""How long requests that are under way may take after the server was told to end."""
LOG_FAILED = 52
"""Exit code of a worker that could not be sure of its log."""
OWN_FILES = 128 + COMING_MAX
"""Descriptors that are kept for the vault, its log and clients at a handshake; the others are for clients."""
_SWEEP_SECONDS = 1.0
_CLIENTS_MAX = 100_000
_ENCODER = msgspec.json.Encoder()
_COLLECTIONS = (20_000, 20, 50)


class Plan(msgspec.Struct, frozen=True):
    """What is served, and how.

    Attributes:
        listening: Where the API is served.
        admin: Where health and counts are.
        workers: How many processes.
        rate: Requests a second that each principal may make of all workers; None = any number.
        tls: The certificate and key of TCP; None = plain HTTP.
        open_session: Opens the vault once more, as a root.
        queue: Where the workers wait for their turn at the vault.
        counting: Where they wait for their turn at counting what each principal asks for.
        loads: How many connections each worker has.
        rng: Gives random bytes.
        debug: Whether a worker that ends by an error says where it came from.
        write_log: Takes the bytes of the access log; None = there is none.
    """

    listening: list[Listening]
    admin: list[Listening]
    workers: int
    rate: float | None
    tls: ssl.SSLContext | None
    open_session: Callable[[], Session]
    queue: Queue
    counting: Queue
    loads: Loads
    rng: Callable[[int], bytes]
    debug: bool
    write_log: Callable[[bytes], None] | None


def new_loop() -> asyncio.AbstractEventLoop:
    """Uvloop's where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def endings() -> list[signal.Signals]:
    """The signals that end a server: not those that whoever started it had it ignore, as `nohup` does."""
    named = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    return [each for each in named if signal.getsignal(each) is not signal.SIG_IGN]


def _room() -> int:
    """How many clients there is room for, once this process may open as many files as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # a system may bound it below what it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return _CLIENTS_MAX if soft == resource.RLIM_INFINITY else max(1, min(_CLIENTS_MAX, soft - OWN_FILES))


def keep_to_core(number: int, workers: int) -> None:
    """Where each worker has a core of its own, stay there: what a worker knows lies in the memory of that core."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if 1 < workers == len(cores):
        with suppress(OSError):  # speed alone
            os.sched_setaffinity(0, {cores[number]})


def run(plan: Plan, number: int, metrics: Metrics, *, ready: int, alive: int) -> int:
    """Serve until the end; the exit code.

    Args:
        plan: What and how.
        number: Of this worker, from 0.
        metrics: Where all workers count.
        ready: A descriptor that gets a byte once this one serves.
        alive: A descriptor that ends when the supervisor does.
    """
    # What was loaded stays; what a request makes is mostly gone before a collection could find it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
    keep_to_core(number, plan.workers)
    loop = new_loop()
    asyncio.set_event_loop(loop)
    return loop.run_until_complete(_Worker(plan, number, metrics, loop).serve(ready, alive))


class _Worker:
    def __init__(self, plan: Plan, number: int, metrics: Metrics, loop: asyncio.AbstractEventLoop) -> None:
        self._plan = plan
        self._loop = loop
        self._counts = metrics.of(number)
        self._ended = asyncio.Event()
        self._code = 0
        self._log: list[Access] = []
        self._desk = Desk(
            plan.open_session, loop, seconds=time.time, clock=time.monotonic, rate=plan.rate, broken=self._broken
        )
        api = Endpoint(
            self._desk,
            self._counts,
            rng=plan.rng,
            clock=time.monotonic,
            seconds=time.time,
            log=self._note if plan.write_log else None,
        )
        self._load = plan.loads.of(number, lambda: len(self._api.open))
        self._api = Connections(api, time.monotonic, most=_room(), soon=loop.call_soon, gone=self._load.tell)
        # Whoever asks for counts or health weighs nothing among those who work.
        self._unweighed = Loads(1).of(0, lambda: 0)
        self._admin = Connections(Admin(metrics, self._desk.check), time.monotonic, soon=loop.call_soon)

    async def serve(self, ready: int, alive: int) -> int:
        with self._plan.queue.entered() as turn, self._plan.counting.entered() as at_counting:
            self._desk.take_turns(turn, at_counting)
            return await self._serve(ready, alive)

    async def _serve(self, ready: int, alive: int) -> int:
        for name in endings():
            self._loop.add_signal_handler(name, self._ended.set)
        self._loop.add_reader(alive, self._ended.set)
        doors = [
            *(
                Door(self._loop, each.socket, self._api, load=self._load, tls=self._tls(each))
                for each in self._plan.listening
            ),
            *(Door(self._loop, each.socket, self._admin, load=self._unweighed, tls=None) for each in self._plan.admin),
        ]
        self._counts.started()
        os.write(ready, b".")
        sweeping = self._loop.create_task(self._sweep())
        await self._ended.wait()
        self._loop.remove_reader(alive)
        for door in doors:
            door.close()
        await self._drain()
        sweeping.cancel()
        self._write_log()
        self._desk.close()
        return self._code

    def _tls(self, where: Listening) -> ssl.SSLContext | None:
        return None if where.socket.family == socket.AF_UNIX else self._plan.tls

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._api.sweep()
            self._admin.sweep()
            self._counts.connections(len(self._api.open))

    async def _drain(self) -> None:
        """Let what is under way come to its answer."""
        self._api.drain()
        self._admin.drain()
        end = time.monotonic() + GRACE_SECONDS
        while (self._api.open or not self._desk.idle) and time.monotonic() < end and not self._code:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def _broken(self, _error: BaseException) -> None:
        self._code = LOG_FAILED
        self._ended.set()

    def _note(self, line: Access) -> None:
        if not self._log:
            self._loop.call_soon(self._write_log)
        self._log.append(line)

    def _write_log(self) -> None:
        if self._log and self._plan.write_log is not None:
            lines, self._log = self._log, []
            self._plan.write_log(_ENCODER.encode_lines(lines))
