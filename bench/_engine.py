"""The streaming engine as a program of its own, for bulk.py: `_engine.py ACT IN OUT [FRAME [THREADS]]`.

ACT is encrypt, decrypt or rewrap; IN and OUT are files, or `-`. The data key is fixed, so no vault is needed; what a
vault adds to a run is measured elsewhere.
"""

import os
import stat
import sys

from kmscli.envelope import decrypting, encrypting, rewrapping
from kmscli.formats.message import EncryptedDataKey
from kmscli.storage import pipes

DATA_KEY = bytes(range(32))
DATA_KEYS = [EncryptedDataKey("aws-kms", b"arn:aws:kms:local:000000000000:key/bench", bytes(130))]


class Ordered:
    """A descriptor that is read or written from front to back."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        pipes.widen(fd)

    def read(self, size: int, /) -> bytes:
        return os.read(self.fd, size)

    def readinto(self, buffer: memoryview, /) -> int:
        return os.readv(self.fd, [buffer])

    def write(self, data: memoryview, /) -> int:
        return os.write(self.fd, data)


class Placed(Ordered):
    """A regular file."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self.size = os.fstat(fd).st_size

    def pread(self, buffer: memoryview, offset: int, /) -> int:
        return os.preadv(self.fd, [buffer], offset)

    def pwrite(self, data: memoryview, offset: int, /) -> int:
        return os.pwrite(self.fd, data, offset)


def opened(name: str, standard: int, flags: int) -> Ordered:
    fd = standard if name == "-" else os.open(name, flags, 0o600)
    return Placed(fd) if stat.S_ISREG(os.fstat(fd).st_mode) else Ordered(fd)


def main() -> None:
    act, given, made, *rest = sys.argv[1:]
    frame_length = int(rest[0]) if rest else encrypting.FRAME_LENGTH
    threads = int(rest[1]) if len(rest) > 1 else encrypting.THREADS
    source, sink = opened(given, 0, os.O_RDONLY), opened(made, 1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    draft = encrypting.prepare({}, rng=os.urandom, data_key=DATA_KEY)
    if act == "encrypt":
        encrypting.encrypt(source, sink, draft, data_keys=DATA_KEYS, frame_length=frame_length, threads=threads)
        return
    header = decrypting.open_header(source)
    if act == "decrypt":
        decrypting.decrypt(source, sink, header, DATA_KEY, threads=threads)
    else:
        rewrapping.rewrap(source, sink, header, DATA_KEY, draft, data_keys=DATA_KEYS, threads=threads)


if __name__ == "__main__":
    main()
