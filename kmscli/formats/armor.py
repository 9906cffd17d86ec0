"""A blob or message as text: base64 between two lines, for mail, tickets and version control.

Implements docs/spec/message.md, "Text". The form is strict, so that a text stands for one sequence of bytes: full lines
of 64 characters, one shorter line at the end, nothing but white space around. Lines may end in CR LF.

Blocks of a thousand lines are taken at once by functions in C, since a gigabyte has twenty million lines.
"""

import binascii
import struct
from typing import Protocol

import msgspec

from kmscli import errors

BEGIN = b"-----BEGIN KMS ENCRYPTED FILE-----"
END = b"-----END KMS ENCRYPTED FILE-----"
_COLUMNS = 64
_LINE = 48
"""Bytes in a full line."""
_PIECE = 1 << 16
"""Bytes of text that are read at once: small enough to stay in the caches of a processor from step to step."""
_PAD = b"="

_ROWS = 1024
"""Lines that are written at once."""
_BLOCK = _ROWS * _LINE
_NEWLINES = b"\n" * _ROWS
_UNPACK = struct.Struct(f"{_COLUMNS}s" * _ROWS).unpack
_PACK_INTO = struct.Struct(f"{_COLUMNS}sx" * _ROWS).pack_into

_of_json = msgspec.json.Decoder(bytes).decode
_to_json = msgspec.json.Encoder().encode
"""Letters of base64 between quotation marks: those of `binascii`, and nearly three times as fast to read."""


class Source(Protocol):
    """What text is read from."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""


class Sink(Protocol):
    """What text is written to."""

    def write(self, data: memoryview | bytes, /) -> int | None:
        """Write from the start of `data`; how much, or None for all."""


def looks_like(start: bytes) -> bool:
    """Whether a file that begins so is such a text; white space may stand before it."""
    return start.lstrip().startswith(BEGIN[:20])


def _fault(problem: str) -> errors.MalformedMessageError:
    return errors.MalformedMessageError(problem=f"its text form has {problem}")


class Writer:
    """Takes bytes and writes text."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._left = b""
        self._rows = bytearray(_ROWS * (_COLUMNS + 1))
        self._put(BEGIN + b"\n")

    def write(self, data: memoryview | bytes, /) -> int:
        """Write all of `data`."""
        with memoryview(data) as given:
            self._take(given)
        return len(data)

    def _take(self, given: memoryview) -> None:
        begun = -len(self._left) % _LINE
        lines = [self._left + given[:begun]]
        at = min(begun, len(given))
        if len(given) - at >= _BLOCK:
            self._put(_lines(lines))
            lines = []
            while len(given) - at >= _BLOCK:
                self._put_block(given[at : at + _BLOCK])
                at += _BLOCK
        lines += [bytes(given[start : start + _LINE]) for start in range(at, len(given), _LINE)]
        self._left = lines.pop() if lines and len(lines[-1]) < _LINE else b""
        self._put(_lines(lines))

    def finish(self) -> None:
        """Write what is left, and the last line."""
        self._put(_lines([self._left]) + END + b"\n")

    def _put_block(self, data: memoryview) -> None:
        # Packing leaves a place behind each line, where its line feed goes.
        _PACK_INTO(self._rows, 0, *_UNPACK(_to_json(data)[1:-1]))
        self._rows[_COLUMNS :: _COLUMNS + 1] = _NEWLINES
        with memoryview(self._rows) as rows:
            self._put(rows)

    def _put(self, text: memoryview | bytes) -> None:
        while text:
            done = self._sink.write(text)
            text = b"" if done is None else text[done:]


def _lines(given: list[bytes]) -> bytes:
    return b"".join([binascii.b2a_base64(line) for line in given if line])


class Reader:
    """Reads text and gives the bytes in it.

    Raises:
        MalformedMessageError: From each method: the text is not in its one form, or has no end.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = b""
        self._bytes = b""
        self._at = 0
        self._begun = self._short = self._ended = False

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        while self._at == len(self._bytes) and not self._ended:
            self._fill()
        part = self._bytes[self._at : self._at + size]
        self._at += len(part)
        return part

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the start of `buffer`; 0 at the end."""
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def peek(self, size: int) -> bytes:
        """The first `size` bytes of what is left, or all of it; they are read again afterwards."""
        while len(self._bytes) - self._at < size and not self._ended:
            self._fill()
        return self._bytes[self._at : self._at + size]

    def _fill(self) -> None:
        piece = self._source.read(_PIECE) or b""
        self._text += piece
        if not self._begun:
            self._begin()
        if self._begun:
            self._take()
        if not (piece or self._ended):
            raise _fault("no last line")

    def _begin(self) -> None:
        """Take the first line, when it is there."""
        self._text = self._text.lstrip()
        line, newline, rest = self._text.partition(b"\n")
        if newline and line.rstrip() == BEGIN:
            self._begun, self._text = True, rest
        elif newline or not BEGIN.startswith(line[: len(BEGIN)]) or line[len(BEGIN) :].strip():
            raise _fault("something before its first line")
        elif len(line) > len(BEGIN):
            self._text = BEGIN  # white space may stand behind it, as much as there is

    def _take(self) -> None:
        """Take the lines that are there as a whole, and the end."""
        # No letter of base64: where it begins a line, that is the last one.
        end = self._text.find(b"-")
        whole = self._text.rfind(b"\n", 0, end if end >= 0 else None) + 1
        lines, self._text = self._text[:whole], self._text[whole:]
        found = self._decoded(lines) if lines else b""
        if end == whole:
            self._finish()
        elif end >= 0:
            raise _fault("something that is no base64")
        elif len(self._text) > _COLUMNS + len(BEGIN):
            raise _fault("a line that is too long")
        self._bytes, self._at = self._bytes[self._at :] + found, 0

    def _decoded(self, lines: bytes) -> bytes:
        """What stands in whole lines."""
        if b"\r" in lines:
            lines = lines.replace(b"\r\n", b"\n")
        full, rest = divmod(len(lines), _COLUMNS + 1)
        text = lines.replace(b"\n", b"")
        # A line feed behind each full line, one at the end, and no other: so all lines but the last one are full.
        feeds = full + bool(rest)
        if self._short or rest == 1 or len(text) + feeds != len(lines) or lines[_COLUMNS :: _COLUMNS + 1].strip(b"\n"):
            raise _fault("lines of a wrong length")
        self._short = bool(rest) or text.endswith(_PAD)
        found = _with_padding(text) if _PAD in text else _without_padding(text)
        if found is None:
            raise _fault("something that is no base64")
        return found

    def _finish(self) -> None:
        rest = self._text
        while len(rest) < len(END) and (piece := self._source.read(_PIECE)):
            rest += piece
        if not rest.startswith(END):
            raise _fault("something after its bytes")
        rest = rest[len(END) :]
        while not rest.strip():
            rest = self._source.read(_PIECE) or b""
            if not rest:
                self._text = b""
                self._ended = True
                return
        raise _fault("something after its bytes")


def _without_padding(text: bytes) -> bytes | None:
    """The bytes of letters without padding, which have no spare bits: each text stands for bytes of its own."""
    try:
        found = _of_json(b'"%b"' % text)
    except msgspec.DecodeError:
        return None
    # JSON would take an escape for the letter it stands for; then fewer bytes come out.
    return found if len(found) * 4 == len(text) * 3 else None


def _with_padding(text: bytes) -> bytes | None:
    try:
        found = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None
    # Other spare bits would be another text of the same bytes.
    return found if binascii.b2a_base64(found, newline=False) == text else None
