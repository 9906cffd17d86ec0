"""The streaming engine as a program of its own, for bulk.py: `_engine.py ACT IN OUT [FRAME [THREADS]]`.

ACT is encrypt, decrypt or rewrap; IN and OUT are files, or `-`. The data key is fixed, so no vault is needed; what a
vault adds to a run is measured elsewhere.

`bare-encrypt` and `bare-decrypt` are the physical limit of it: the same start, the same buffers, and then nothing but
read, AES-GCM and write, by two threads for a file and by one for a pipe. What they make is no message.
"""

import os
import stat
import sys
import threading
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscli.envelope import decrypting, encrypting, flow, rewrapping
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


PIECE, TAG = flow.UNIT, 16


def bare(act: str, source: Ordered, sink: Ordered) -> None:
    """Read, AES-GCM and write of one piece after the other; the IV is the number of the piece."""
    cipher = AESGCM(DATA_KEY)
    work = cipher.encrypt_into if act == "bare-encrypt" else cipher.decrypt_into
    taken, more = (PIECE, TAG) if act == "bare-encrypt" else (PIECE + TAG, -TAG)
    threads = 2 if isinstance(source, Placed) else 1

    def run(number: int) -> None:
        room, last = flow.Room(taken), False
        room.made.grow(taken + TAG)
        while not last:
            room.filled, place = 0, number * (taken + more)
            read = flow.at_place(source, number * taken, room) if isinstance(source, Placed) else flow.in_order(source)
            last = room.fill(read, taken)
            room.made.place(place)
            if room.filled:
                made = room.made.view(0, room.filled + more)
                work(number.to_bytes(12, "big"), room.given.view(0, room.filled), None, made)
                flow.put(sink, sink if isinstance(sink, Placed) else None, made, place)
            number += threads

    helpers = [threading.Thread(target=run, args=(number,)) for number in range(1, threads)]
    for helper in helpers:
        helper.start()
    run(0)
    for helper in helpers:
        helper.join()


def main() -> None:
    act, given, made, *rest = sys.argv[1:]
    frame_length = int(rest[0]) if rest else encrypting.FRAME_LENGTH
    threads = int(rest[1]) if len(rest) > 1 else encrypting.THREADS
    source, sink = opened(given, 0, os.O_RDONLY), opened(made, 1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    if act.startswith("bare"):
        bare(act, source, sink)
        return
    draft = encrypting.prepare({}, rng=os.urandom, data_key=DATA_KEY)
    if act == "encrypt":
        encrypting.encrypt(source, sink, draft, data_keys=DATA_KEYS, frame_length=frame_length, threads=threads)
        return
    header = decrypting.open_header(source)
    if act == "decrypt":
        decrypting.decrypt(source, sink, header, DATA_KEY, threads=threads)
    else:
        rewrapping.rewrap(source, sink, header, DATA_KEY, draft, data_keys=DATA_KEYS, threads=threads)


def tell_memory() -> None:
    """Write the most memory that was held, in KiB, to standard error."""
    status = Path("/proc/self/status").read_text()
    print(status.split("VmHWM:")[1].split()[0], file=sys.stderr)


if __name__ == "__main__":
    main()
    if "ENGINE_TELLS_MEMORY" in os.environ:
        tell_memory()
