"""Units through several threads: in order, bounded, and ended by the first error."""

import mmap
import threading
import time

import pytest

from kmscli import errors
from kmscli.envelope import flow
from kmscli.envelope.flow import Buffer, Flow, Room


class Counting:
    """Stages that count, in any mix of orders."""

    def __init__(self, units: int, *, reads_in_order: bool, writes_in_order: bool) -> None:
        self.units = units
        self.reads_in_order = reads_in_order
        self.writes_in_order = writes_in_order
        self.read_units: list[int] = []
        self.written: list[int] = []
        self.rooms = 0
        self.fails_at: dict[str, int] = {}
        self.working = self.most = 0
        self._lock = threading.Lock()

    def room(self) -> Room:
        self.rooms += 1
        return Room(8)

    def _fail(self, where: str, unit: int) -> None:
        if self.fails_at.get(where) == unit:
            raise errors.InternalError(what=where)

    def read(self, unit: int, _: Room, /) -> bool:
        self._fail("read", unit)
        with self._lock:
            self.read_units.append(unit)
        return unit == self.units - 1

    def work(self, unit: int, _: Room, /) -> None:
        with self._lock:
            self.working += 1
            self.most = max(self.most, self.working)
        time.sleep(0.002 if unit % 3 == 0 else 0)
        with self._lock:
            self.working -= 1
        self._fail("work", unit)

    def write(self, unit: int, _: Room, /) -> int:
        self._fail("write", unit)
        with self._lock:
            self.written.append(unit)
        return 1


ORDERS = pytest.mark.parametrize(("reads", "writes"), [(r, w) for r in (True, False) for w in (True, False)])


def flow_of(stages: Counting) -> Flow:
    return Flow(stages, last=None if stages.reads_in_order else stages.units - 1)


@ORDERS
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("units", [1, 2, 40])
def test_every_unit_is_done_once(units: int, threads: int, *, reads: bool, writes: bool) -> None:
    stages = Counting(units, reads_in_order=reads, writes_in_order=writes)
    flow_of(stages).run(threads)
    assert list(range(units)) == sorted(stages.read_units) == sorted(stages.written)
    if reads:
        assert stages.read_units == sorted(stages.read_units)
    if writes:
        assert stages.written == sorted(stages.written)


def test_no_more_work_side_by_side_than_threads() -> None:
    stages = Counting(60, reads_in_order=True, writes_in_order=True)
    flow_of(stages).run(3)
    assert 2 <= stages.most <= 3
    assert stages.rooms <= 3


def test_a_single_unit_starts_no_thread() -> None:
    stages = Counting(1, reads_in_order=True, writes_in_order=True)
    flow_of(stages).run(8)
    assert stages.rooms == 1


@ORDERS
@pytest.mark.parametrize("where", ["read", "work", "write"])
@pytest.mark.parametrize("unit", [0, 1, 20])
@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_ends_the_flow_and_is_raised(
    threads: int, unit: int, where: str, *, reads: bool, writes: bool
) -> None:
    stages = Counting(40, reads_in_order=reads, writes_in_order=writes)
    stages.fails_at = {where: unit}
    with pytest.raises(errors.InternalError, match=where):
        flow_of(stages).run(threads)
    assert unit not in stages.written
    assert len(stages.written) < 40
    if writes:
        assert stages.written == list(range(len(stages.written)))


def test_workers_are_bounded_by_memory() -> None:
    assert flow.workers(4, 1 << 20) == 4
    assert flow.workers(400, 1 << 20) == 24
    assert flow.workers(4, 1 << 30) == 1
    with pytest.raises(errors.InternalError):
        flow.workers(0, 1)


def test_a_buffer_begins_where_it_is_placed_and_keeps_its_bytes_when_it_grows() -> None:
    buffer = Buffer(10, offset=0)
    buffer.place(mmap.PAGESIZE + 5)
    with buffer.view(0, 10) as view:
        view[:] = b"0123456789"
    buffer.grow(5)
    buffer.grow(100_000)
    assert (100_000, b"3456") == (len(buffer), bytes(buffer.view(3, 7)))
    assert len(buffer.view(0, 100_000)) == 100_000


def test_a_room_grows_with_what_comes() -> None:
    room, given = Room(4), [b"abc", b"defgh", b"", b"never"]

    def read(buffer: memoryview, _: int) -> int:
        part = given[0][: len(buffer)]
        given[0] = given[0][len(part) :]
        if not given[0]:
            given.pop(0)
        buffer[: len(part)] = part
        return len(part)

    assert room.fill(read, 1 << 40)
    assert b"abcdefgh" == bytes(room.given.view(0, room.filled))
    assert len(room.given) < 2 * flow.UNIT
