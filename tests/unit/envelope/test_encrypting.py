"""Encryption of streams: every kind of source and sink gives one message, and no draft gives two."""

import io
import os
import pickle
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.envelope import decrypting, encrypting, flow
from kmscli.model.suites import COMMITTING, SIGNED
from tests.messages import DATA_KEYS, Dribble, Regular, draft, opened

UNIT = 4096
SIZES = [0, 1, 99, 100, 101, UNIT - 1, UNIT, 31 * 100, 31 * 100 + 1, 5 * UNIT + 17]


@pytest.fixture(autouse=True)
def _small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of 4 KiB, so that a few kilobytes are many of them."""
    monkeypatch.setattr(flow, "UNIT", UNIT)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("places", ["none", "source", "sink", "both"])
def test_what_is_encrypted_is_decrypted(tmp_path: Path, places: str, size: int, *, signed: bool) -> None:
    plaintext, new = os.urandom(size), draft({"a": "b"}, signed=signed)
    source = Regular(tmp_path / "in", plaintext) if places in {"source", "both"} else io.BytesIO(plaintext)
    sink = Regular(tmp_path / "out") if places in {"sink", "both"} else io.BytesIO()
    done = encrypting.encrypt(source, sink, new, data_keys=DATA_KEYS, frame_length=100, threads=3)
    message = sink.getvalue() if isinstance(sink, io.BytesIO) else sink.path.read_bytes()
    assert plaintext == opened(message, new.data_key, threads=3)
    assert (size, len(message), size // 100 + 1) == (done.plaintext, done.length, done.frames)
    assert (SIGNED if signed else COMMITTING, new.message_id) == (done.suite, done.message_id)


def test_every_kind_of_source_and_sink_gives_the_same_message(tmp_path: Path) -> None:
    plaintext, drawn, found = os.urandom(3 * UNIT + 5), os.urandom(32), set()
    for number, source in enumerate([io.BytesIO(plaintext), Dribble(plaintext), Regular(tmp_path / "in", plaintext)]):
        for sink in (io.BytesIO(), Dribble(), Regular(tmp_path / f"out{number}")):
            source.seek(0) if isinstance(source, io.BytesIO) else None
            new = encrypting.prepare({}, rng=lambda _: drawn)
            encrypting.encrypt(source, sink, new, data_keys=DATA_KEYS, frame_length=100, threads=3)
            found.add(sink.getvalue() if isinstance(sink, io.BytesIO) else sink.path.read_bytes())
    assert len(found) == 1


@pytest.mark.parametrize("frame_length", [1, 7, UNIT, 3 * UNIT, 1 << 20])
def test_frames_may_be_smaller_and_larger_than_a_unit(frame_length: int) -> None:
    plaintext, new, sink = os.urandom(5 * UNIT), draft(), io.BytesIO()
    encrypting.encrypt(io.BytesIO(plaintext), sink, new, data_keys=DATA_KEYS, frame_length=frame_length)
    assert plaintext == opened(sink.getvalue(), new.data_key)


def test_a_draft_serves_one_message() -> None:
    new = draft()
    encrypting.encrypt(io.BytesIO(b"x"), io.BytesIO(), new, data_keys=DATA_KEYS)
    with pytest.raises(errors.InternalError):
        encrypting.encrypt(io.BytesIO(b"x"), io.BytesIO(), new, data_keys=DATA_KEYS)


def test_a_draft_is_used_up_by_a_failure_too() -> None:
    new = draft()
    with pytest.raises(errors.ValidationError):
        encrypting.encrypt(io.BytesIO(b"x"), io.BytesIO(), new, data_keys=[])
    with pytest.raises(errors.InternalError):
        encrypting.encrypt(io.BytesIO(b"x"), io.BytesIO(), new, data_keys=DATA_KEYS)


def test_no_two_messages_share_an_id_a_key_or_a_commitment() -> None:
    headers = []
    for _ in range(50):
        sink, new = io.BytesIO(), draft()
        encrypting.encrypt(io.BytesIO(b"the same"), sink, new, data_keys=DATA_KEYS)
        headers.append((decrypting.open_header(io.BytesIO(sink.getvalue())), new.data_key))
    assert len({header.message_id for header, _ in headers}) == 50
    assert len({header.commitment for header, _ in headers}) == 50
    assert len({data_key for _, data_key in headers}) == 50


def test_one_data_key_for_two_messages_gives_two_message_keys() -> None:
    data_key, found = os.urandom(32), []
    for _ in range(2):
        sink = io.BytesIO()
        new = encrypting.prepare({}, rng=os.urandom, data_key=data_key)
        encrypting.encrypt(io.BytesIO(bytes(1000)), sink, new, data_keys=DATA_KEYS)
        found.append(sink.getvalue()[-1000:])
    assert found[0] != found[1]


@pytest.mark.parametrize("name", ["aws-crypto-", "aws-crypto-public-key", "aws-crypto-x"])
def test_names_that_aws_keeps_for_itself_are_refused(name: str) -> None:
    with pytest.raises(errors.ValidationError, match="aws-crypto-"):
        draft({name: "value"})


def test_the_context_of_a_signed_draft_has_its_public_key() -> None:
    found = draft({"a": "b"}, signed=True).encryption_context
    assert set(found) == {"a", "aws-crypto-public-key"}
    assert draft({"a": "b"}).encryption_context == {"a": "b"}


def test_a_context_without_room_is_refused_before_a_data_key_is_encrypted() -> None:
    with pytest.raises(errors.ValidationError):
        draft({"a": "x" * 70_000})


def test_a_draft_shows_and_gives_away_nothing() -> None:
    new = draft(signed=True)
    assert new.data_key.hex() not in repr(new)
    with pytest.raises(TypeError):
        pickle.dumps(new)


def test_a_file_that_became_shorter_is_refused(tmp_path: Path) -> None:
    source = Regular(tmp_path / "in", bytes(10 * UNIT))
    os.truncate(source.path, 5 * UNIT + 1)
    with pytest.raises(errors.InputOutputError, match="shorter"):
        encrypting.encrypt(source, io.BytesIO(), draft(), data_keys=DATA_KEYS, frame_length=100)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("new_size", [10 * UNIT + 1, 11 * UNIT, 30 * UNIT])
@pytest.mark.parametrize("old_size", [0, 10 * UNIT])
def test_a_file_that_grows_is_read_to_its_end(tmp_path: Path, old_size: int, new_size: int, threads: int) -> None:
    source, sink, new = Regular(tmp_path / "in", os.urandom(old_size)), Regular(tmp_path / "out"), draft()
    with source.path.open("ab") as more:
        more.write(os.urandom(new_size - old_size))
    encrypting.encrypt(source, sink, new, data_keys=DATA_KEYS, frame_length=100, threads=threads)
    assert source.path.read_bytes() == opened(sink.path.read_bytes(), new.data_key)


def test_a_sparse_file_is_encrypted_as_what_it_reads_as(tmp_path: Path) -> None:
    source, sink, new = Regular(tmp_path / "in", b""), io.BytesIO(), draft()
    os.truncate(source.path, 5 * UNIT)
    encrypting.encrypt(source, sink, new, data_keys=DATA_KEYS, frame_length=100)
    assert bytes(5 * UNIT) == opened(sink.getvalue(), new.data_key)


def test_progress_is_told_of_every_byte(tmp_path: Path) -> None:
    told: list[int] = []
    source = Regular(tmp_path / "in", bytes(9 * UNIT + 3))
    encrypting.encrypt(
        source, Regular(tmp_path / "out"), draft(), data_keys=DATA_KEYS, frame_length=100, progress=told.append
    )
    assert 9 * UNIT + 3 == sum(told)
    assert len(told) > 9
