"""Binary files of a program that uses kms as a library: read and written in order, never closed."""

from typing import Protocol

from kmscli.storage.streams import Stream, Through

_NO_DESCRIPTOR = -1


class Readable(Protocol):
    """What is read from: any binary file that blocks."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


class Writable(Protocol):
    """What is written to: any binary file that blocks."""

    def write(self, data: bytes, /) -> int | None:
        """Write from the start of `data`; how much, or None for all."""


class LentInput(Stream):
    """An input that somebody else opened."""

    def __init__(self, file: Readable) -> None:
        super().__init__(_NO_DESCRIPTOR, "the source")
        self._file = file

    def _take(self, size: int) -> bytes:
        return self._file.read(size) or b""

    def _take_into(self, buffer: memoryview) -> int:
        part = self._take(len(buffer))
        buffer[: len(part)] = part
        return len(part)


class LentOutput(Through):
    """An output that somebody else opened: what was written to it cannot be taken back."""

    def __init__(self, file: Writable) -> None:
        super().__init__(_NO_DESCRIPTOR, "the sink", close=False)
        self._file = file

    def write(self, data: memoryview | bytes, /) -> int:
        """Write from the start of `data`; errors as the file raises them."""
        # A copy: the buffer behind a view is used again, and a file may keep what it was given.
        count = self._file.write(bytes(data))
        return len(data) if count is None else count
