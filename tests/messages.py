"""Messages for tests: made and opened through the engine, from pipes and from regular files."""

import io
import os
from collections.abc import Mapping
from pathlib import Path

from kmscli.envelope import decrypting, encrypting
from kmscli.envelope.encrypting import Draft
from kmscli.formats.message import EncryptedDataKey

DATA_KEYS = [EncryptedDataKey("aws-kms", b"arn:aws:kms:local:000000000000:key/1", b"encrypted")]


class Regular:
    """A regular file that is read and written at places, and read in order."""

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        if content is not None:
            path.write_bytes(content)
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.size = os.fstat(self._fd).st_size

    def __del__(self) -> None:
        os.close(self._fd)

    def read(self, size: int, /) -> bytes:
        return os.read(self._fd, size)

    def readinto(self, buffer: memoryview, /) -> int:
        return os.readv(self._fd, [buffer])

    def write(self, _: memoryview, /) -> int:
        raise AssertionError("a file with places is written at them")

    def pread(self, buffer: memoryview, offset: int, /) -> int:
        return os.preadv(self._fd, [buffer], offset)

    def pwrite(self, data: memoryview, offset: int, /) -> int:
        return os.pwrite(self._fd, data, offset)


class Dribble(io.BytesIO):
    """A source that gives, and a sink that takes, at most three bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 3, 3))

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        return super().readinto(buffer[:3])

    def write(self, data: memoryview, /) -> int:  # type: ignore[override]
        return super().write(data[:3])


def draft(context: Mapping[str, str] | None = None, *, signed: bool = False) -> Draft:
    """A draft of random secrets."""
    return encrypting.prepare(context, signed=signed, rng=os.urandom)


def made(plaintext: bytes, frame_length: int = 16, *, signed: bool = False) -> tuple[bytes, bytes]:
    """A message, and its data key."""
    sink, new = io.BytesIO(), draft({"name": "value"}, signed=signed)
    encrypting.encrypt(io.BytesIO(plaintext), sink, new, data_keys=DATA_KEYS, frame_length=frame_length)
    return sink.getvalue(), new.data_key


def opened(message: bytes, data_key: bytes, *, threads: int = 1) -> bytes:
    """What is in a message."""
    source, sink = io.BytesIO(message), io.BytesIO()
    header = decrypting.open_header(source)
    decrypting.decrypt(source, sink, header, data_key, held=True, threads=threads)
    return sink.getvalue()
