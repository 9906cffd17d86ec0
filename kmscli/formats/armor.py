"""A blob or message as text: base64 between two lines, for mail, tickets and version control.

Implements docs/spec/message.md, "Text". The form is strict, so that a text stands for one sequence of bytes: full lines
of 64 characters, one shorter line at the end, nothing but white space around. Lines may end in CR LF.
"""

import binascii
from typing import Protocol

from kmscli import errors

BEGIN = b"-----BEGIN KMS ENCRYPTED FILE-----"
END = b"-----END KMS ENCRYPTED FILE-----"
_COLUMNS = 64
_LINE = 48
"""Bytes in a full line."""
_PIECE = 1 << 16
_PAD = b"="


class Source(Protocol):
    """What text is read from."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""


class Sink(Protocol):
    """What text is written to."""

    def write(self, data: bytes, /) -> int | None:
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
        self._put(BEGIN + b"\n")

    def write(self, data: memoryview | bytes, /) -> int:
        """Write all of `data`."""
        given = self._left + bytes(data)
        whole = len(given) // _LINE * _LINE
        self._left = given[whole:]
        self._put(b"".join(binascii.b2a_base64(given[at : at + _LINE]) for at in range(0, whole, _LINE)))
        return len(data)

    def finish(self) -> None:
        """Write what is left, and the last line."""
        rest = binascii.b2a_base64(self._left) if self._left else b""
        self._put(rest + END + b"\n")

    def _put(self, text: bytes) -> None:
        while text:
            done = self._sink.write(text)
            text = b"" if done is None else text[done:]


class Reader:
    """Reads text and gives the bytes in it.

    Raises:
        MalformedMessageError: From each method: the text is not in its one form, or has no end.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = b""
        self._bytes = b""
        self._begun = self._short = self._ended = False

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        while not self._bytes and not self._ended:
            self._fill()
        part, self._bytes = self._bytes[:size], self._bytes[size:]
        return part

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the start of `buffer`; 0 at the end."""
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def peek(self, size: int) -> bytes:
        """The first `size` bytes of what is left, or all of it; they are read again afterwards."""
        while len(self._bytes) < size and not self._ended:
            self._fill()
        return self._bytes[:size]

    def _fill(self) -> None:
        piece = self._source.read(_PIECE) or b""
        *lines, self._text = (self._text + piece).split(b"\n")
        if not piece and self._text:
            lines.append(self._text)  # a last line without a newline
            self._text = b""
        elif len(self._text) > _COLUMNS + len(BEGIN):
            raise _fault("a line that is too long")
        self._take([line.removesuffix(b"\r") for line in lines], last=not piece)

    def _take(self, lines: list[bytes], *, last: bool) -> None:
        while not self._begun and lines:
            line = lines.pop(0)
            if line.strip() == BEGIN:
                self._begun = True
            elif line.strip():
                raise _fault("something before its first line")
        end = next((index for index, line in enumerate(lines) if line.startswith(b"-")), len(lines))
        self._bytes += self._decoded(lines[:end])
        if end < len(lines):
            self._finish(lines[end:])
        elif last:
            raise _fault("no last line")

    def _decoded(self, lines: list[bytes]) -> bytes:
        if not lines:
            return b""
        if self._short or any(len(line) != _COLUMNS for line in lines[:-1]) or not 0 < len(lines[-1]) <= _COLUMNS:
            raise _fault("lines of a wrong length")
        self._short = len(lines[-1]) < _COLUMNS or lines[-1].endswith(_PAD)
        text = b"".join(lines)
        try:
            found = binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error:
            raise _fault("something that is no base64") from None
        if binascii.b2a_base64(found, newline=False) != text:
            # Other spare bits would be another text of the same bytes.
            raise _fault("something that is no base64")
        return found

    def _finish(self, rest: list[bytes]) -> None:
        first, *others = rest
        if first.rstrip() != END or any(line.strip() for line in others) or self._text.strip():
            raise _fault("something after its bytes")
        while piece := self._source.read(_PIECE):
            if piece.strip():
                raise _fault("something after its bytes")
        self._text = b""
        self._ended = True
