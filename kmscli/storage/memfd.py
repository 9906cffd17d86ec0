"""Files in memory: plaintext under the name of a file, on no disk, for a program that is about to be run.

Such a file (memfd_create(2)) has no name for others and cannot be changed when it is whole; it is there for as long as
the program, or whoever inherits from it, holds it open. Its memory can be swapped out, as all memory can.
"""

import fcntl
import os

from kmscli import errors
from kmscli.storage.files import io_errors

_READ_ONLY = 0o400


class MemoryFile:
    """An output in memory.

    Attributes:
        held: Nobody sees it before it is inherited.
    """

    held = True

    def __init__(self, name: str) -> None:
        """Make an empty one; `name` is for people who list open files.

        Raises:
            UnsupportedOperationError: The system has none.
        """
        self.name = name
        try:
            self._fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except (AttributeError, OSError) as error:
            raise errors.UnsupportedOperationError(problem="this system has no files in memory") from error

    def write(self, data: memoryview | bytes, /) -> int:
        """Write from the start of `data` behind what was written."""
        with io_errors(self.name):
            return os.write(self._fd, data)

    def pwrite(self, data: memoryview, offset: int, /) -> int:
        """Write from the start of `data` at `offset`."""
        with io_errors(self.name):
            return os.pwrite(self._fd, data, offset)

    def publish(self) -> None:
        """Let nobody change it any more; who reads it by its name needs the mode of a private key (ssh)."""
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        with io_errors(self.name):
            fcntl.fcntl(self._fd, fcntl.F_ADD_SEALS, seals)
            os.fchmod(self._fd, _READ_ONLY)
            os.lseek(self._fd, 0, os.SEEK_SET)

    def drop(self) -> None:
        """Give its memory back."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def inherit(self) -> str:
        """Leave it open for the program that takes the place of this one; the name under which it opens it."""
        os.set_inheritable(self._fd, True)  # noqa: FBT003 - it takes no keyword
        return f"/proc/self/fd/{self._fd}"
