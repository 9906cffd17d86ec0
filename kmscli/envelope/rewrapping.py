"""A message made anew from an old one in one stream: other data key, other message id, and the plaintext nowhere.

Implements docs/spec/message.md, "A header is never tagged twice". Where the frames of both messages are of one length,
each unit is decrypted and encrypted anew by the same worker. Else decryption and encryption run side by side; what one
releases the other takes over in memory, piece by piece, and neither runs ahead of the other.
"""

import threading
from collections.abc import Sequence

from kmscli import errors
from kmscli.envelope import decrypting, encrypting, flow
from kmscli.envelope.decrypting import Decryption
from kmscli.envelope.encrypting import FRAME_LENGTH, THREADS, Draft, Encryption, Written
from kmscli.envelope.flow import Flow, Progress, Room, Sink, Source
from kmscli.formats.message import EncryptedDataKey, Header

_WAIT_FOR_HELPER = 1.0


def rewrap(
    source: Source,
    sink: Sink,
    header: Header,
    data_key: bytes,
    draft: Draft,
    *,
    data_keys: Sequence[EncryptedDataKey],
    threads: int = THREADS,
    progress: Progress | None = None,
) -> Written:
    """Read the body of a message to the end of `source`, and write a new message of the same plaintext to `sink`.

    The caller keeps what is in `sink` from everybody until this returns, and drops it if this raises: a signed message
    is verified only at its end.

    Args:
        source: Stands behind the header.
        sink: Where the new message goes.
        header: Of the old message, from `open_header` of the same source.
        data_key: Of the old message.
        draft: Of the new message; used up.
        data_keys: The draft's data key under each key.
        threads: How many each half has, at most.
        progress: Told of bytes of plaintext.

    Raises:
        KmsError: As `decrypting.decrypt` and `encrypting.encrypt`.
        OSError: From source and sink, as they raise it.
    """
    if header.frame_length == FRAME_LENGTH:
        opening = decrypting.begin(source, _Nowhere(), header, data_key)
        sealing = encrypting.begin(_Nothing(), sink, draft, data_keys=data_keys, frame_length=FRAME_LENGTH)
        stages = _Both(opening, sealing)
        sealing.start()
        Flow(stages, last=opening.last, progress=progress).run(flow.workers(threads, stages.room_bytes))
        return sealing.finish()
    pipe = _Pipe()

    def pour() -> None:
        try:
            decrypting.decrypt(source, pipe, header, data_key, held=True, threads=threads)
        except BaseException as error:  # noqa: BLE001 - it is raised where the plaintext is read
            pipe.fail(error)
        else:
            # The end is told only now, when all is verified: the new message cannot be whole before.
            pipe.end()

    helper = threading.Thread(target=pour, daemon=True)
    helper.start()
    try:
        return encrypting.encrypt(pipe, sink, draft, data_keys=data_keys, threads=threads, progress=progress)
    except BaseException as error:
        pipe.fail(error)
        raise
    finally:
        helper.join(_WAIT_FOR_HELPER)


class _Nothing:
    """The source of an encryption whose plaintext comes unit by unit from a decryption."""

    def read(self, _size: int, /) -> bytes:
        return b""

    def readinto(self, _buffer: memoryview, /) -> int:
        return 0


class _Nowhere:
    """The sink of a decryption whose plaintext is taken from its rooms."""

    def write(self, data: memoryview, /) -> int:
        return len(data)


class _Pair(Room):
    """The buffers of a worker that decrypts and encrypts: those of the new message stand in `anew`."""

    __slots__ = ("anew",)

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.anew = Room(0)
        # What one makes the other is given.
        self.anew.given = self.made


class _Both:
    """The stages of decryption and encryption one after the other; units of one number hold the same plaintext."""

    def __init__(self, opening: Decryption, sealing: Encryption) -> None:
        self._opening = opening
        self._sealing = sealing
        self.reads_in_order = opening.reads_in_order
        # Signatures are checked, and made, over bytes in their order.
        self.writes_in_order = opening.verifies or sealing.writes_in_order

    @property
    def room_bytes(self) -> int:
        return self._opening.room_bytes + self._sealing.room_bytes

    def room(self) -> _Pair:
        return _Pair(self._opening.room_size)

    def read(self, unit: int, room: Room) -> bool:
        return self._opening.read(unit, room)

    def work(self, unit: int, room: Room) -> None:
        self._opening.work(unit, room)
        anew = _anew(room)
        anew.filled, anew.last = room.done, room.last
        self._sealing.work(unit, anew)

    def write(self, unit: int, room: Room) -> int:
        # The last unit verifies the old message before the new one is whole.
        self._opening.write(unit, room)
        return self._sealing.write(unit, _anew(room))


def _anew(room: Room) -> Room:
    if not isinstance(room, _Pair):
        raise errors.InternalError(what="a room without one for the new message")
    return room.anew


class _Pipe:
    """Hands bytes from a writer to a reader: a write ends when all of it was read, so nothing is held between them."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._given: memoryview | None = None
        self._read = 0
        self._ended = False
        self._failure: BaseException | None = None

    def write(self, data: memoryview, /) -> int:
        """Give all of `data`, and wait until it was read."""
        with self._turn:
            self._given, self._read = data, 0
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._given is None or self._failure is not None)
            # The writer's buffer is its own again.
            self._given = None
            if self._failure is not None:
                raise self._failure
        return len(data)

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the start of `buffer`; 0 at the end."""
        with self._turn:
            self._turn.wait_for(lambda: self._given is not None or self._ended or self._failure is not None)
            if self._failure is not None:
                raise self._failure
            if self._given is None:
                return 0
            count = min(len(buffer), len(self._given) - self._read)
            buffer[:count] = self._given[self._read : self._read + count]
            self._read += count
            if self._read == len(self._given):
                self._given = None
                self._turn.notify_all()
            return count

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        buffer = bytearray(size)
        with memoryview(buffer) as view:
            count = self.readinto(view)
        return bytes(buffer[:count])

    def end(self) -> None:
        """Say that all was written."""
        with self._turn:
            self._ended = True
            self._turn.notify_all()

    def fail(self, error: BaseException) -> None:
        """Wake both sides; each of them ends with `error`, the first one that is told."""
        with self._turn:
            self._failure = self._failure or error
            self._turn.notify_all()
