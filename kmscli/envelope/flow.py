"""Units of a long stream through a few threads: read in order, worked on side by side, written in order or in place.

Each worker owns one room, with the buffers of one unit, and takes units one after the other. So memory is bounded by
the number of workers, and a slow reader or writer holds all of them back without a queue. A source that is read from
and a sink that is written to in order let one worker at a time do it; a regular file, which has places, lets all.

What goes wrong in one worker ends all of them, and is raised where the flow was started. Ctrl-C too: the caller's own
thread is one of the workers. A helper that hangs in a system call then is left behind and does nothing any more.
"""

import mmap
import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from kmscli import errors

UNIT = 1 << 20
"""Bytes of plaintext in one unit, roughly: enough to make a system call and a switch of threads cheap."""

MEMORY = 24 << 20
"""What the rooms of a flow may take together, if a single one does not take more."""

_WAIT_FOR_HELPERS = 1.0
"""Seconds for all of them together."""


class Source(Protocol):
    """What is read in order: any binary file that blocks."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the start of `buffer`; 0 at the end."""


class Sink(Protocol):
    """What is written in order."""

    def write(self, data: memoryview, /) -> int | None:
        """Write from the start of `data`; how much, or None for all."""


@runtime_checkable
class SourceAt(Protocol):
    """A regular file that is read at any place; the message or plaintext begins at its place 0."""

    @property
    def size(self) -> int:
        """Bytes in it, when it was opened."""

    def pread(self, buffer: memoryview, offset: int, /) -> int:
        """Fill the start of `buffer` from `offset` on; 0 at the end."""


@runtime_checkable
class SinkAt(Protocol):
    """A regular file that is written at any place, in any order."""

    def pwrite(self, data: memoryview, offset: int, /) -> int:
        """Write from the start of `data` at `offset`; how much."""


Progress = Callable[[int], None]
"""Told how many bytes of plaintext are done since it was told last; from any thread, one call at a time."""


Read = Callable[[memoryview, int], int]
"""Fills the start of a buffer; told how much of the unit is there already. 0 at the end."""


_APART = mmap.PAGESIZE // 2


class Buffer:
    """Bytes whose first one lies at a chosen place of a page of memory.

    A copy between two pages is slower if its source and its destination lie near each other in their pages, and up to
    four times slower if the destination is a few bytes ahead (AMD EPYC: 2.4 instead of 9 GiB/s): the processor takes a
    store for one that the next load has to wait for. So a buffer begins half a page away from where its bytes begin in
    the page of their file.
    """

    __slots__ = ("_map", "_start")

    def __init__(self, size: int, *, offset: int) -> None:
        self._map = mmap.mmap(-1, size + mmap.PAGESIZE)
        self.place(offset)

    def place(self, offset: int) -> None:
        """Be for bytes at `offset` of a file. What was in the buffer is lost."""
        self._start = (offset + _APART) % mmap.PAGESIZE

    def __len__(self) -> int:
        return len(self._map) - mmap.PAGESIZE

    def view(self, start: int, end: int) -> memoryview:
        """These bytes. A view must be gone when the buffer grows."""
        return memoryview(self._map)[self._start + start : self._start + end]

    def grow(self, size: int) -> None:
        """Have room for `size` bytes; what was in the buffer stays."""
        if size > len(self):
            larger = mmap.mmap(-1, size + mmap.PAGESIZE)
            with memoryview(self._map) as old:
                larger[: len(old)] = old
            self._map = larger


class Room:
    """The buffers of one worker, and what is in them.

    Attributes:
        given: What was read; `filled` bytes of it count, and `covered` of them are frames.
        made: What will be written; `done` bytes of it count.
        frames: How many there are.
        last: Whether it is the last unit.
    """

    __slots__ = ("covered", "done", "filled", "frames", "given", "last", "made")

    def __init__(self, size: int) -> None:
        self.given = Buffer(size, offset=0)
        # Away from what it is made from, too.
        self.made = Buffer(0, offset=_APART)
        self.filled = self.covered = self.done = self.frames = 0
        self.last = False

    def fill(self, read: Read, size: int) -> bool:
        """Fill `given` up to `size` bytes; say whether the end came before.

        The buffer grows with what really comes, so that a number in a header alone takes no memory.
        """
        while self.filled < size:
            if self.filled == len(self.given):
                self.given.grow(min(size, self.filled + max(self.filled, UNIT)))
            with self.given.view(self.filled, min(size, len(self.given))) as rest:
                count = read(rest, self.filled)
            if count == 0:
                return True
            self.filled += count
        return False


class Stages(Protocol):
    """What a flow does with each unit. Units are numbered from 0."""

    reads_in_order: bool
    writes_in_order: bool

    def room(self) -> Room:
        """The buffers of one more worker."""

    def read(self, unit: int, room: Room, /) -> bool:
        """Read a unit into `room`; say whether it is the last."""

    def work(self, unit: int, room: Room, /) -> None:
        """Make what will be written. Runs beside others."""

    def write(self, unit: int, room: Room, /) -> int:
        """Write it; how many bytes of plaintext it was."""


def in_order(source: Source) -> Read:
    """How a room is filled from a source that has no places."""
    return lambda buffer, _: source.readinto(buffer) or 0


def at_place(source: SourceAt, start: int, room: Room) -> Read:
    """How a room, empty as yet, is filled from `start` on."""
    room.given.place(start)
    return lambda buffer, filled: source.pread(buffer, start + filled)


def put(sink: Sink, sink_at: SinkAt | None, data: memoryview, offset: int) -> None:
    """Write all of `data`: at `offset` of what has places, or after all that was written."""
    while data:
        count = sink.write(data) if sink_at is None else sink_at.pwrite(data, offset)
        written = len(data) if count is None else count
        data, offset = data[written:], offset + written


def frames_in_unit(sealed_frame: int) -> int:
    """How many frames of so many bytes are one unit: about 1 MiB of them, and at least one."""
    return max(1, (UNIT + UNIT // 64) // sealed_frame)


class Flow:
    """One run of `stages`.

    Args:
        last: The number of the last unit, if the source is read at places; None if reading will tell.
    """

    def __init__(self, stages: Stages, *, last: int | None, progress: Progress | None = None) -> None:
        self._stages = stages
        self._progress = progress
        self._reading = threading.Lock()
        self._turn = threading.Condition()
        self._next = 0
        self._last = last
        self._written = self._helping = 0
        self._failure: BaseException | None = None

    def run(self, threads: int) -> None:
        """Do all units, with at most so many threads; what fails in any of them is raised here."""
        helpers: list[threading.Thread] = []
        try:
            room = self._stages.room()
            # One unit alone first: most files are no longer, and a thread costs more than they do.
            if self._step(room):
                helpers = [threading.Thread(target=self._help, daemon=True) for _ in range(threads - 1)]
                for helper in helpers:
                    helper.start()
                while self._step(room):
                    pass
        except BaseException as error:
            self._fail(error)
            # Counted, not joined: Ctrl-C may have come while one was being started.
            with self._turn:
                self._turn.wait_for(lambda: not self._helping, _WAIT_FOR_HELPERS)
            raise
        for helper in helpers:
            helper.join()
        if self._failure is not None:
            raise self._failure

    def _help(self) -> None:
        with self._turn:
            self._helping += 1
        try:
            room = self._stages.room()
            while self._step(room):
                pass
        except BaseException as error:  # noqa: BLE001 - it is raised where the flow was started
            self._fail(error)
        finally:
            with self._turn:
                self._helping -= 1
                self._turn.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._turn:
            self._failure = self._failure or error
            self._turn.notify_all()

    def _step(self, room: Room) -> bool:
        """Do one unit; say whether there may be another."""
        unit = self._take(room)
        if unit is None:
            return False
        self._stages.work(unit, room)
        if self._stages.writes_in_order:
            with self._turn:
                self._turn.wait_for(lambda: self._written == unit or self._failure)
        if self._failure:
            return False
        done = self._stages.write(unit, room)
        with self._turn:
            self._written += 1
            if self._progress is not None:
                self._progress(done)
            self._turn.notify_all()
        return not room.last

    def _take(self, room: Room) -> int | None:
        stages = self._stages
        with self._reading:
            unit = self._next
            if self._failure or (self._last is not None and unit > self._last):
                return None
            self._next += 1
            room.filled = 0
            if stages.reads_in_order:
                room.last = stages.read(unit, room)
                if room.last:
                    self._last = unit
                return unit
        room.last = stages.read(unit, room)
        if not room.last and unit == self._last:
            # The file has grown since its size was asked for: what is new is read to its end as well.
            with self._reading:
                self._last = unit + 1
        return unit


def workers(threads: int, room_bytes: int) -> int:
    """How many workers may run: as many as are wanted, and as the memory allows.

    Raises:
        InternalError: None is wanted.
    """
    if threads < 1:
        raise errors.InternalError(what="a flow without a thread")
    return max(1, min(threads, MEMORY // room_bytes))
