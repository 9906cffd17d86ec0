"""An output that is only compared with an input: nothing of it is kept."""

from kmscli.storage.streams import File, Memory


class DiffersError(Exception):
    """The output is another one."""


class Same(Memory):
    """Takes what ought to be the same as an input, at any place and in any order."""

    def __init__(self, expected: File | bytes) -> None:
        """Compare with a file, or with bytes."""
        super().__init__(0)
        self.name = "the comparison"
        self._expected = expected
        self._place = 0

    def write(self, data: memoryview | bytes, /) -> int:
        """Compare all of `data`, behind what came before.

        Raises:
            DiffersError: It is not the same.
        """
        with memoryview(data) as view:
            self.pwrite(view, self._place)
        self._place += len(data)
        return len(data)

    def pwrite(self, data: memoryview, offset: int, /) -> int:
        """Compare all of `data`, which belongs to `offset`; errors as `write`."""
        there = self._there(offset, len(data))
        if len(there) < len(data) or not there.startswith(data):
            raise DiffersError
        return len(data)

    def _there(self, offset: int, size: int) -> bytes | bytearray:
        if isinstance(self._expected, bytes):
            return self._expected[offset : offset + size]
        found, filled = bytearray(size), 0
        with memoryview(found) as view:
            while filled < size and (count := self._expected.pread(view[filled:], offset + filled)):
                filled += count
        return found[:filled]

    def check_size(self, size: int) -> None:
        """Refuse an output that is shorter, though all of it is the same.

        Raises:
            DiffersError: The input goes on.
        """
        if self._there(size, 1):
            raise DiffersError
