"""What the fuzzer feeds: each target takes one input, and raises what is a finding.

A finding is whatever is no `KmsError`, more than a second of work or 64 MiB of memory for one input, and an answer that
contradicts another one. Nothing here needs atheris, so the tests hold the targets to what the code is called today.
"""

import contextlib
import ctypes
import io
import json
import resource
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec

from kmscli import errors
from kmscli.crypto.message import Cipher
from kmscli.envelope import decrypting, flow
from kmscli.formats import armor, blob, message
from kmscli.formats import frames as formats
from kmscli.formats.message import Header
from kmscli.service import needs

VECTORS = Path(__file__).parents[1] / "vectors" / "data"
SECONDS = 1.0
EXTRA_BYTES = 64 << 20
SMALL_UNIT = 128
"""Bytes of a unit for the second reading, so that a short input has several of them."""
THREADS = 3

FRAME_LENGTHS = (1, 16, 100, 4096, 3 << 20, 64 << 20, 0xFFFFFFFF)

_DATA_KEY = bytes(32)
_M_ARENA_MAX = -8
"""Of mallopt(3)."""


class Finding(Exception):  # noqa: N818 - not every one is a fault of the code
    """What must not be, though nothing has raised it."""


class AnyCipher(Cipher):
    """Takes every tag: no fuzzer finds one, and what stands behind it is to be reached."""

    def open_into(self, iv: bytes, sealed: memoryview, associated_data: bytes, out: memoryview) -> None:
        """Give the ciphertext for the plaintext."""
        del iv, associated_data
        if len(sealed) != len(out) + message.TAG_BYTES:
            raise Finding(f"{len(sealed)} bytes to be opened into {len(out)}")
        out[:] = sealed[: len(out)]


class AnySignature:
    """Takes every signature."""

    def update(self, data: bytes | memoryview) -> None:
        """Covers nothing."""

    def check(self, signature: bytes) -> None:
        """Holds always."""


class Placed(io.BytesIO):
    """An input or an output that has places, as a regular file has."""

    @property
    def size(self) -> int:
        """Bytes in it."""
        return len(self.getvalue())

    def pread(self, buffer: memoryview, offset: int, /) -> int:
        """Fill the start of `buffer` from `offset` on."""
        part = self.getbuffer()[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def pwrite(self, data: memoryview, offset: int, /) -> int:
        """Write `data` at `offset`."""
        self.seek(offset)
        return super().write(data)


class Peeking(io.BytesIO):
    """An input whose start can be looked at, as one of `storage.streams`."""

    def peek(self, size: int) -> bytes:
        """The first `size` bytes of what is left."""
        at = self.tell()
        found = self.read(size)
        self.seek(at)
        return found


# -- messages ----------------------------------------------------------------------------------------------------------


def messages(data: bytes) -> None:
    """Read one input as a message: as it is, and then, in several ways, as if every tag and signature held."""
    for legacy in (False, True):
        source = io.BytesIO(data)
        try:
            header = decrypting.open_header(source, legacy=legacy)
        except errors.KmsError:
            continue
        if source.tell() != header.length:
            raise Finding(f"a header of {header.length} bytes for which {source.tell()} were read")
        check_one_form(header)
        with contextlib.suppress(errors.KmsError):
            decrypting.decrypt(source, io.BytesIO(), header, _DATA_KEY[: header.suite.key_bytes], held=True, threads=1)
            raise Finding("a data key that nobody used opens it")
        with every_tag_holds():
            compare_readings(data, header)


def check_one_form(header: Header) -> None:
    """What a header says is written in one way alone, by version 2."""
    if not header.suite.commits or header.frame_length > message.FRAME_LENGTH_MAX:
        return
    written = message.encode_body(
        header.suite,
        message_id=header.message_id,
        encryption_context=header.encryption_context,
        data_keys=header.data_keys,
        frame_length=header.frame_length,
        commitment=header.commitment,
    )
    if written != header.body:
        raise Finding("two headers that say the same")


@contextlib.contextmanager
def every_tag_holds() -> Iterator[None]:
    """Reading in which commitment, tags and signatures hold whatever they are."""

    def check_header(header: Header, data_key: bytes) -> AnyCipher:
        del header
        return AnyCipher(data_key)

    def verifier(header: Header) -> AnySignature | None:
        return AnySignature() if header.signed else None

    with (
        mock.patch.object(decrypting, "check_header", check_header),
        mock.patch.object(decrypting, "_verifier", verifier),
    ):
        yield


def compare_readings(data: bytes, header: Header) -> None:
    """From a pipe or a file, in one unit or several, by one thread or several: the answer is the same."""
    answers = {
        "from a pipe": read(io.BytesIO(data), io.BytesIO(), header),
        "from a file": read(Placed(data), Placed(), header),
    }
    with mock.patch.object(flow, "UNIT", SMALL_UNIT):
        answers["from a pipe, in units"] = read(io.BytesIO(data), io.BytesIO(), header)
        answers["from a file, in units"] = read(Placed(data), Placed(), header)
        answers["from a file, by threads"] = read(Placed(data), Placed(), header, threads=THREADS)
    if len(set(answers.values())) > 1:
        raise Finding(f"readings that differ: {answers}")


def read(source: io.BytesIO, sink: io.BytesIO, header: Header, *, threads: int = 1) -> bytes | None:
    """The plaintext, None if the message is refused."""
    source.seek(header.length)
    try:
        opened = decrypting.decrypt(source, sink, header, _DATA_KEY, held=True, threads=threads)
    except errors.KmsError:
        return None
    if opened.plaintext != len(sink.getvalue()):
        raise Finding(f"{opened.plaintext} bytes reported, {len(sink.getvalue())} written")
    return sink.getvalue()


@cache
def headers() -> list[Header]:
    """Headers of each suite, with frames of many lengths."""
    found: dict[tuple[int, bool], Header] = {}
    for one in vectors("message"):
        header = decrypting.open_header(io.BytesIO(bytes.fromhex(one["message"])), legacy=True)
        found.setdefault((header.suite.number, header.frame_length > 0), header)
    return [
        msgspec.structs.replace(header, frame_length=length)
        for _, header in sorted(found.items())
        for length in (FRAME_LENGTHS if header.frame_length else (0,))
    ]


def frames(data: bytes) -> None:
    """Read one input as what follows a header that is good, of a kind that the first byte names."""
    if data:
        header = headers()[data[0] % len(headers())]
        with every_tag_holds():
            compare_readings(bytes(header.length) + data[1:], header)


# -- texts and blobs ---------------------------------------------------------------------------------------------------


def texts(data: bytes) -> None:
    """Look at one input as `kms inspect` does, and read it as text and as a blob."""
    for legacy in (False, True):
        with contextlib.suppress(errors.KmsError):
            needs.see(Peeking(data), legacy=legacy)  # type: ignore[arg-type]  # a stream of no descriptor
    with contextlib.suppress(errors.KmsError):
        check_text(data)
    with contextlib.suppress(errors.KmsError):
        found = blob.parse(data)
        if blob.header(found.key_id, found.version) + found.sealed != data:
            raise Finding("two blobs that say the same")


def check_text(data: bytes) -> None:
    """What a text holds has one text, whatever pieces it is read in."""
    reader = armor.Reader(io.BytesIO(data))
    found = b"".join(iter(lambda: reader.read(50), b""))
    with mock.patch.object(armor, "_PIECE", 7):
        pieces = armor.Reader(io.BytesIO(data))
        if found != b"".join(iter(lambda: pieces.read(3), b"")):
            raise Finding("a text that reads otherwise in pieces")
    first, newline, rest = data.replace(b"\r\n", b"\n").strip().partition(b"\n")
    if first.rstrip() + newline + rest + b"\n" != text_of(found):
        raise Finding("two texts of the same bytes")


def text_of(data: bytes) -> bytes:
    """The text of these bytes."""
    sink = io.BytesIO()
    writer = armor.Writer(sink)
    writer.write(data)
    writer.finish()
    return sink.getvalue()


# -- seeds and limits --------------------------------------------------------------------------------------------------

TARGETS: dict[str, Callable[[bytes], None]] = {"messages": messages, "frames": frames, "texts": texts}


def vectors(name: str) -> list[dict[str, Any]]:
    """The vectors of a file."""
    found: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text())["vectors"]
    return found


def seeds(target: str) -> Iterator[bytes]:
    """The inputs that a target begins with."""
    made = [bytes.fromhex(one["message"]) for name in ("message", "rejected-message") for one in vectors(name)]
    if target == "messages":
        yield from made
        return
    if target == "frames":
        for number, header in enumerate(headers()):
            yield from (bytes([number]) + body for body in bodies(header))
        return
    made += [bytes.fromhex(one["blob"]) for name in ("blob", "rejected-blob") for one in vectors(name)]
    for one in made:
        yield from (one, text_of(one), text_of(one).replace(b"\n", b"\r\n"))


def bodies(header: Header) -> Iterator[bytes]:
    """What may follow a header, with tags and signatures of zeros: of no byte, of a few, and of three whole frames."""
    tag = bytes(message.TAG_BYTES)
    footer = formats.footer(bytes(8)) if header.signed else b""
    if not header.frame_length:
        yield formats.iv_of(1) + (40).to_bytes(8, "big") + bytes(40) + tag + footer
        return
    few = min(header.frame_length, 5)
    for size in (0, few):
        yield formats.final_head(1, size) + bytes(size) + tag + footer
    if header.frame_length <= FRAME_LENGTHS[2]:
        whole = b"".join(formats.regular_head(n) + bytes(header.frame_length) + tag for n in (1, 2, 3))
        yield whole + formats.final_head(4, few) + bytes(few) + tag + footer


def within_limits(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The target, which is given a second of a core and 64 MiB, whether or not it touches them."""
    # Else the allocator sets aside 64 MiB of addresses for each new thread.
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)

    def limited(data: bytes) -> None:
        start = time.process_time()
        with memory_limit():
            target(data)
        taken = time.process_time() - start
        if taken > SECONDS:
            raise Finding(f"{taken:.1f} s for one input")

    return limited


@contextlib.contextmanager
def memory_limit() -> Iterator[None]:
    """No more than 64 MiB above what the process has now; beyond it, allocations fail."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    # All of the addresses: the buffers of the engine are maps, which no other limit counts.
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + EXTRA_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
