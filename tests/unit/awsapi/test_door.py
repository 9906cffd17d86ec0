"""The doors of workers that share one socket: who takes which connection, and what is counted."""

import asyncio
import errno
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from kmscli.awsapi import door
from kmscli.awsapi.door import Door, Load, Loads
from kmscli.awsapi.worker import new_loop

HELLO = b"hello"


class Guests(asyncio.Protocol):
    """What a worker serves: each gets a greeting, and is counted off at its end."""

    def __init__(self, inside: "set[Guests]", load: Load) -> None:
        self.inside = inside
        self.load = load
        self.transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.inside.add(self)
        transport.write(HELLO)  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.inside.discard(self)
        self.load.tell()


class House:
    """Some workers in one process, each with a door of its own at the same socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, workers: int) -> None:
        self.loop = loop
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.sockets = [self.listening, *(self.listening.dup() for _ in range(1, workers))]
        self.loads = Loads(workers)
        self.inside: list[set[Guests]] = [set() for _ in range(workers)]
        self.doors: list[Door] = []
        self.stack = ExitStack()
        self.faults: list[object] = []
        loop.set_exception_handler(lambda _, what: self.faults.append(what))

    def open(self, worker: int, *, tls: ssl.SSLContext | None = None, at: socket.socket | None = None) -> Load:
        inside = self.inside[worker]
        load = self.loads.of(worker, lambda: len(inside))
        where = at or self.sockets[worker]
        self.doors.append(Door(self.loop, where, lambda: Guests(inside, load), load=load, tls=tls))
        return load

    def idle(self, worker: int) -> Load:
        """A worker that has none."""
        return self.loads.of(worker, lambda: 0)

    def connect(self, count: int = 1) -> list[socket.socket]:
        made = [socket.create_connection(self.listening.getsockname()) for _ in range(count)]
        for each in made:
            each.setblocking(False)  # noqa: FBT003 - the name of its parameter is its own
            self.stack.enter_context(each)
        return made

    @property
    def counts(self) -> list[int]:
        return [len(each) for each in self.inside]

    def run(self, act: Awaitable[object]) -> None:
        async def within() -> None:
            await asyncio.wait_for(act, 10)

        self.loop.run_until_complete(within())

    def until(self, what: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not what():  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.001)

        self.run(wait())

    def let_pass(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    def close(self) -> None:
        for each in self.doors:
            each.close()
        self.stack.close()
        self.until(lambda: not sum(self.counts))
        for each in self.sockets:
            each.close()
        assert not self.faults


@pytest.fixture(params=[new_loop, asyncio.SelectorEventLoop], ids=["the loop of a worker", "asyncio's"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made = request.param()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()


@pytest.fixture
def house(loop: asyncio.AbstractEventLoop) -> Iterator[House]:
    made = House(loop, workers=2)
    yield made
    made.close()


def test_workers_have_as_many_connections_as_each_other(house: House) -> None:
    for worker in (0, 1):
        house.open(worker)
    for sofar in (4, 8, 16, 40):
        house.connect(sofar - sum(house.counts))
        house.until(lambda sofar=sofar: sum(house.counts) == sofar)  # type: ignore[misc]
        assert max(house.counts) - min(house.counts) <= 2 + sofar // 16


def test_what_one_does_not_take_another_does(house: House) -> None:
    load = house.open(0)
    house.idle(1)  # at work, and takes none
    house.connect(20)
    house.until(lambda: house.counts == [20, 0])
    assert load.is_ahead


def test_who_has_more_leaves_what_comes_to_the_other(house: House) -> None:
    first = house.open(0)
    house.connect(10)
    house.until(lambda: house.counts == [10, 0])
    second = house.open(1)
    house.connect(6)
    house.until(lambda: sum(house.counts) == 16)
    assert house.counts == [10, 6]
    assert first.is_ahead
    assert not second.is_ahead


def test_who_is_gone_weighs_nothing(house: House) -> None:
    load = house.open(0)
    house.idle(1)
    guests = house.connect(5)
    house.until(lambda: house.counts == [5, 0])
    for guest in guests:
        guest.close()
    house.until(lambda: not load.is_ahead)
    assert house.counts == [0, 0]


def test_a_worker_that_follows_another_begins_with_none(house: House) -> None:
    house.open(0)
    house.idle(1)
    house.connect(3)
    house.until(lambda: house.counts[0] == 3)
    assert not house.idle(0).is_ahead


def test_who_comes_is_greeted(house: House) -> None:
    house.open(0)
    (guest,) = house.connect()
    house.until(lambda: house.counts[0] == 1)
    guest.setblocking(True)  # noqa: FBT003 - the name of its parameter is its own
    assert guest.recv(len(HELLO)) == HELLO


def test_a_closed_door_leaves_who_waits_to_another(house: House) -> None:
    house.open(0)
    house.let_pass(0.01)
    house.doors[0].close()
    house.doors[0].close()
    house.connect(2)
    house.let_pass(0.02)
    assert house.counts == [0, 0]
    house.open(1)
    house.until(lambda: house.counts == [0, 2])


def test_a_door_that_is_closed_while_it_lets_others_come_first_stays_closed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PATIENCE_SECONDS", 0.05)
    house.open(0)
    house.idle(1)
    house.connect(1)
    house.until(lambda: house.counts[0] == 1)
    house.connect(1)
    house.let_pass(0.02)  # it is ahead now, and waits
    assert house.counts == [1, 0]
    house.doors[0].close()
    house.let_pass(0.1)
    assert house.counts == [1, 0]


class Full(socket.socket):
    """A socket of a system that has no room for one more connection, for a while."""

    refusals = 3

    def accept(self) -> tuple[socket.socket, object]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


def test_where_the_system_has_no_room_the_door_opens_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "FULL_SECONDS", 0.01)
    full = Full(fileno=house.listening.dup().detach())
    house.stack.enter_context(full)
    house.open(0, at=full)
    house.connect(1)
    house.until(lambda: house.counts[0] == 1)
    assert full.refusals == 0


def test_who_speaks_no_tls_is_counted_off(house: House) -> None:
    load = house.open(0, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    house.idle(1)
    (guest,) = house.connect(1)
    house.until(lambda: load.is_ahead)
    guest.send(b"POST / HTTP/1.1\r\n\r\n" * 10)
    house.until(lambda: not load.is_ahead)
    assert house.counts == [0, 0]


def test_who_goes_before_it_is_served_is_counted_off(house: House) -> None:
    load = house.open(0, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    house.idle(1)
    (guest,) = house.connect(1)
    house.until(lambda: load.is_ahead)
    guest.close()
    house.until(lambda: not load.is_ahead)


def test_slow_handshakes_end_where_there_are_too_many(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "COMING_MAX", 3)
    monkeypatch.setattr(door, "SLOW_SECONDS", 0.05)
    load = house.open(0, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    house.idle(1)
    guests = house.connect(5)
    for guest in guests[:3]:
        house.run(_end(house.loop, guest))
    house.let_pass(0.2)
    for guest in guests[3:]:  # nobody waits behind them, so they have all of their time
        with pytest.raises(BlockingIOError):
            guest.recv(1)
        guest.close()
    house.until(lambda: not load.is_ahead)


def test_who_is_not_slow_is_served_however_many_come(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "COMING_MAX", 2)
    house.open(0)
    guests = house.connect(30)
    house.until(lambda: house.counts == [30, 0])
    for guest in guests:
        assert guest.recv(len(HELLO)) == HELLO


async def _end(loop: asyncio.AbstractEventLoop, guest: socket.socket) -> None:
    with suppress(ConnectionResetError):
        assert await loop.sock_recv(guest, 1) == b""


def test_many_who_come_at_once_do_not_wait_for_each_other(loop: asyncio.AbstractEventLoop) -> None:
    house = House(loop, workers=1)
    house.open(0)
    turns = 0

    def work() -> None:
        nonlocal turns
        turns += 1
        time.sleep(0.002)  # as much as a batch takes
        if house.counts != [30]:
            loop.call_soon(work)

    house.connect(30)
    loop.call_soon(work)
    house.until(lambda: house.counts == [30])
    house.close()
    assert turns < 25


@pytest.mark.parametrize("turns", range(6))
def test_a_door_may_close_while_somebody_comes_in(house: House, turns: int) -> None:
    load = house.open(0)
    house.idle(1)
    house.connect(10)
    house.let_pass(0.001)
    for _ in range(turns):
        house.let_pass(0)
    house.doors[0].close()
    house.let_pass(0.01)
    house.stack.close()
    house.until(lambda: not load.is_ahead)
    assert house.counts == [0, 0]
