"""Decryption of streams: what comes out is a prefix of what went in, frame by frame, or all of it."""

import io
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmscli import errors
from kmscli.envelope import decrypting, flow
from kmscli.formats import message
from tests.helpers import forked
from tests.messages import Dribble, Regular, made, opened

UNIT = 4096
TEXT = bytes(range(100))
FUZZ_MEMORY = 64 << 20
FUZZ_SECONDS = 1.0


@pytest.fixture
def _small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of 4 KiB, so that a few kilobytes are many of them."""
    monkeypatch.setattr(flow, "UNIT", UNIT)


def at_places(folder: Path, raw: bytes, data_key: bytes) -> bytes:
    """What is in a message that is a regular file, decrypted to another."""
    source, sink = Regular(folder / "in", raw), Regular(folder / "out", b"")
    header = decrypting.open_header(source)
    decrypting.decrypt(source, sink, header, data_key, held=True, threads=3)
    return sink.path.read_bytes()


def released(raw: bytes, data_key: bytes, threads: int = 1) -> tuple[bytes, type[BaseException] | None]:
    """What a pipe got, and the error at its end."""
    source, sink = io.BytesIO(raw), io.BytesIO()
    try:
        decrypting.decrypt(source, sink, decrypting.open_header(source), data_key, held=True, threads=threads)
    except errors.KmsError as error:
        return sink.getvalue(), type(error)
    return sink.getvalue(), None


@pytest.mark.usefixtures("_small_units")
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("size", [0, 1, 100, 3100, 3101, 31 * 100 + 60, 31 * 100 + 99, 5 * UNIT])
@pytest.mark.parametrize("frame_length", [1, 100, 3 * UNIT])
def test_a_regular_file_and_a_pipe_give_the_same(tmp_path: Path, frame_length: int, size: int, *, signed: bool) -> None:
    plaintext = os.urandom(size)
    raw, data_key = made(plaintext, frame_length, signed=signed)
    assert plaintext == opened(raw, data_key, threads=3) == at_places(tmp_path, raw, data_key)


def test_short_reads_and_writes_change_nothing() -> None:
    raw, data_key = made(TEXT)
    source, sink = Dribble(raw), Dribble()
    done = decrypting.decrypt(source, sink, decrypting.open_header(source), data_key)
    assert TEXT == sink.getvalue()
    assert (100, 7) == (done.plaintext, done.frames)


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_a_message_that_is_cut_anywhere_is_refused(tmp_path: Path, *, signed: bool) -> None:
    raw, data_key = made(TEXT[:40], signed=signed)
    for size in range(len(raw)):
        with pytest.raises(errors.MalformedMessageError):
            opened(raw[:size], data_key)
        with pytest.raises(errors.MalformedMessageError):
            at_places(tmp_path, raw[:size], data_key)


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_a_message_with_any_other_bit_is_refused(tmp_path: Path, *, signed: bool) -> None:
    raw, data_key = made(TEXT[:40], signed=signed)
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        with pytest.raises(errors.KmsError) as caught:
            opened(bytes(changed), data_key)
        assert caught.value.exit_code in {31, 40, 61}
        with pytest.raises(errors.KmsError):
            at_places(tmp_path, bytes(changed), data_key)


@pytest.mark.parametrize("extra", [b"\0", b"x" * 200, b"x" * (3 << 20)], ids=["one", "some", "many"])
def test_bytes_after_the_end_are_refused(tmp_path: Path, extra: bytes) -> None:
    for size in (0, 40, 48):
        raw, data_key = made(TEXT[:size])
        with pytest.raises(errors.MalformedMessageError):
            opened(raw + extra, data_key)
        with pytest.raises(errors.MalformedMessageError):
            at_places(tmp_path, raw + extra, data_key)


def test_a_message_after_a_message_is_refused() -> None:
    raw, data_key = made(TEXT)
    with pytest.raises(errors.MalformedMessageError):
        opened(raw + raw, data_key)


@pytest.mark.usefixtures("_small_units")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_pipe_gets_whole_verified_frames_before_the_bad_one_and_nothing_of_it(threads: int) -> None:
    plaintext = os.urandom(5 * UNIT)
    raw, data_key = made(plaintext, 100)
    start = decrypting.open_header(io.BytesIO(raw)).length
    for place in range(start, len(raw), 997):
        changed = bytearray(raw)
        changed[place] ^= 1
        found, error = released(bytes(changed), data_key, threads)
        assert error is not None
        assert plaintext.startswith(found)
        assert len(found) <= (place - start) // 132 * 100


def test_another_data_key_releases_nothing_and_reads_nothing() -> None:
    raw, _ = made(TEXT)
    source, sink = io.BytesIO(raw), io.BytesIO()
    header = decrypting.open_header(source)
    for data_key in (bytes(32), bytes(16), b""):
        with pytest.raises(errors.BrokenMessageError):
            decrypting.decrypt(source, sink, header, data_key)
    assert (header.length, 0) == (source.tell(), sink.tell())


def test_all_that_needs_the_key_fails_with_one_sentence() -> None:
    raw, data_key = made(TEXT[:40], signed=True)
    header = decrypting.open_header(io.BytesIO(raw))
    found = set()
    for place in (5, len(header.body) - 1, header.length - 1, header.length + 20, len(raw) - 1):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(errors.BrokenMessageError) as caught:
            opened(bytes(changed), data_key)
        found.add((caught.value.message, caught.value.hint, caught.value.exit_code, caught.value.code))
    assert len(found) == 1


def test_a_signed_message_is_released_to_no_pipe() -> None:
    raw, data_key = made(TEXT, signed=True)
    source, sink = io.BytesIO(raw), io.BytesIO()
    with pytest.raises(errors.InternalError):
        decrypting.decrypt(source, sink, decrypting.open_header(source), data_key)
    assert sink.tell() == 0


def test_a_header_can_be_checked_alone() -> None:
    raw, data_key = made(TEXT)
    header = decrypting.open_header(io.BytesIO(raw))
    decrypting.check_header(header, data_key)
    with pytest.raises(errors.BrokenMessageError):
        decrypting.check_header(header, bytes(32))


def test_progress_is_told_of_every_byte() -> None:
    raw, data_key = made(bytes(3 << 20), 1 << 16)
    told: list[int] = []
    source = io.BytesIO(raw)
    header = decrypting.open_header(source)
    decrypting.decrypt(source, io.BytesIO(), header, data_key, threads=2, progress=told.append)
    assert 3 << 20 == sum(told)


# -- hostile input -----------------------------------------------------------------------------------------------------


SIZES = st.sampled_from([0, 1, 16, 255, 1 << 16, 1 << 24, (1 << 32) - 1])


def hostile(raw: bytes, data_key: bytes) -> None:
    """Read bytes of any kind: an error of ours, or an answer, within a second."""
    start = time.monotonic()
    for legacy in (False, True):
        source = io.BytesIO(raw)
        try:
            header = decrypting.open_header(source, legacy=legacy)
            decrypting.decrypt(source, io.BytesIO(), header, data_key, held=True, threads=1)
        except errors.KmsError as error:
            assert error.exit_code in {31, 40, 61}  # noqa: PT017 - success is an answer too
    assert time.monotonic() - start < FUZZ_SECONDS


def bounded(work: object) -> None:
    """Run `work` in a process that can take 64 MiB more memory than it has, and no more."""

    def limited() -> None:
        import resource

        with open("/proc/self/statm") as statm:  # noqa: PTH123 - procfs
            now = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + FUZZ_MEMORY, now + FUZZ_MEMORY))
        work()  # type: ignore[operator]

    forked(limited).result()


def test_the_bound_of_memory_is_one() -> None:
    bounded(lambda: len(bytearray(FUZZ_MEMORY // 2)))
    with pytest.raises(pytest.fail.Exception, match="MemoryError"):
        bounded(lambda: len(bytearray(2 * FUZZ_MEMORY)))


def test_changed_messages_are_read_within_64_mib_and_a_second() -> None:
    raw, data_key = made(TEXT, signed=False)
    signed, signed_key = made(TEXT, signed=True)

    @settings(max_examples=300, deadline=None, database=None)
    @given(st.data())
    def changed(data: st.DataObject) -> None:
        start, key = data.draw(st.sampled_from([(raw, data_key), (signed, signed_key)]))
        found = bytearray(start)
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(found) - 1))
            width = data.draw(st.sampled_from([1, 2, 4, 8]))
            found[place : place + width] = (data.draw(SIZES) % (1 << 8 * width)).to_bytes(width, "big")
        hostile(bytes(found), key)

    bounded(changed)


def test_bytes_of_any_kind_are_read_within_64_mib_and_a_second() -> None:
    beginnings = [b"", b"\x02\x04\x78", b"\x02\x05\x78", b"\x01\x80\x01\x78", b"\x01\x80\x03\x78"]

    @settings(max_examples=300, deadline=None, database=None)
    @given(st.sampled_from(beginnings), st.binary(max_size=500))
    def any_bytes(start: bytes, rest: bytes) -> None:
        hostile(start + rest, bytes(32))

    bounded(any_bytes)


def authentic(frame_length: int, body: bytes, *, number: int = 0x0478) -> tuple[bytes, bytes]:
    """A message whose header is right, and whose body is what an attacker who knows the key writes."""
    from tests.vectors.messages import Message

    made_message = Message(number, b"", frame_length, body=lambda _: body)
    return made_message.bytes, made_message.data_key


@pytest.mark.parametrize(
    ("frame_length", "body"),
    [
        (2**32 - 1, b"\0\0\0\1" + bytes(11) + b"\1" + bytes(100)),
        (2**32 - 1, b"\xff\xff\xff\xff\0\0\0\1" + bytes(11) + b"\1" + b"\x04\0\0\1" + bytes(100)),
        (2**32 - 1, b"\xff\xff\xff\xff\0\0\0\1" + bytes(11) + b"\1" + b"\x04\0\0\0" + bytes(100)),
        (64 << 20, b"\0\0\0\1" + bytes(11) + b"\1" + bytes(100)),
        (1 << 20, b"\0\0\0\1" + bytes(11) + b"\1" + bytes(100)),
    ],
    ids=["huge regular", "huge final", "largest final", "largest regular", "a large one"],
)
def test_a_frame_that_speaks_of_more_than_comes_takes_no_memory(frame_length: int, body: bytes) -> None:
    raw, data_key = authentic(frame_length, body)
    bounded(lambda: hostile(raw, data_key))
    with pytest.raises((errors.MessageLimitError, errors.MalformedMessageError)):
        opened(raw, data_key)


def test_an_unframed_body_that_speaks_of_more_than_comes_takes_no_memory() -> None:
    raw, data_key = authentic(0, bytes(12) + message.FRAME_LENGTH_MAX.to_bytes(8, "big") + bytes(100), number=0x0178)
    bounded(lambda: hostile(raw, data_key))
