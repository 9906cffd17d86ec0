"""The form of a message's body, looked at without its data key: where its frames are, and how much is in them.

Implements what docs/spec/message.md, "Body" and "Footer", lets anybody check. Nothing here is proved by it: who can
write a file can write one of a right form.
"""

import msgspec

from kmscli.envelope.flow import Source, SourceAt
from kmscli.formats import frames, message
from kmscli.formats.message import Header
from kmscli.formats.wire import sha256

_PIECE = 1 << 16


class Measured(msgspec.Struct, frozen=True):
    """A body of a right form.

    Attributes:
        plaintext: Bytes that decryption would give.
        frames: The final one included; an unframed body is one.
        trace: 32 bytes that stand for header and all tags: the same for copies of a message, and another one for
            every other message of the same id.
    """

    plaintext: int
    frames: int
    trace: bytes


def measure(source: Source, header: Header) -> Measured:
    """Look at the body of a message, to the end of `source`; its ciphertext is passed over where there are places.

    Args:
        source: Stands behind the header; of a `SourceAt` the message begins at place 0.
        header: From `open_header` of the same source.

    Raises:
        MalformedMessageError: The form is wrong, the message is cut short, or bytes follow it.
        MessageLimitError: A frame, or an unframed body, of more than 64 MiB.
        OSError: From the source, as it raises it.
    """
    cursor = _Cursor(source, header.length)
    trace = sha256(header.body + header.authentication)
    plaintext = number = 0
    final = False
    while not final:
        number += 1
        length, final = _next(header, cursor, number)
        cursor.skip(length)
        tag = cursor.take(message.TAG_BYTES)
        if len(tag) < message.TAG_BYTES:
            raise frames.cut_short()
        plaintext += length
        trace = sha256(trace + tag)
    if header.signed:
        frames.parse_footer(cursor.take(frames.FOOTER_MAX + 1))
    elif cursor.take(1):
        raise frames.trailing()
    return Measured(plaintext, number, trace)


def _next(header: Header, cursor: "_Cursor", number: int) -> tuple[int, bool]:
    """Take what stands before a ciphertext; its length, and whether it is the last."""
    if not header.frame_length:
        block = frames.parse_unframed(header, cursor.take(frames.UNFRAMED_HEAD))
        return block.end - block.start - message.TAG_BYTES, True
    start = cursor.take(len(frames.END))
    rest = frames.FINAL_HEAD if start == frames.END else frames.REGULAR_HEAD
    head = frames.parse_head(header, start + cursor.take(rest - len(start)), number)
    return head.length, head.final


class _Cursor:
    """Reads on, or passes over, whatever the source can."""

    def __init__(self, source: Source, place: int) -> None:
        self._source = source
        self._source_at = source if isinstance(source, SourceAt) else None
        self._place = place
        self._piece = bytearray(_PIECE)
        self._used = self._filled = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end."""
        taken = b""
        while len(taken) < size and self._fill():
            part = bytes(self._piece[self._used : min(self._filled, self._used + size - len(taken))])
            self._used += len(part)
            taken += part
        return taken

    def skip(self, size: int) -> None:
        """Pass over `size` bytes, whether they are there or not."""
        left = size - (self._filled - self._used)
        if left <= 0:
            self._used += size
        elif self._source_at is not None:
            self._used = self._filled
            self._place += left
        else:
            while size > 0 and self._fill():
                step = min(size, self._filled - self._used)
                self._used += step
                size -= step

    def _fill(self) -> bool:
        """Have something in the piece; False at the end."""
        if self._used == self._filled:
            self._used = 0
            with memoryview(self._piece) as piece:
                if self._source_at is not None:
                    self._filled = self._source_at.pread(piece, self._place)
                else:
                    self._filled = self._source.readinto(piece) or 0
            self._place += self._filled
        return self._filled > 0
