"""A message made anew from an old one in one stream: other data key, other message id, and the plaintext nowhere.

Implements docs/spec/message.md, "A header is never tagged twice". Decryption and encryption run side by side; what one
releases the other takes over in memory, piece by piece, and neither runs ahead of the other.
"""

import threading
from collections.abc import Sequence

from kmscli.envelope import decrypting, encrypting
from kmscli.envelope.encrypting import THREADS, Draft, Written
from kmscli.envelope.flow import Progress, Sink, Source
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
