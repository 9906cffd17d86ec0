"""The form of a message as it is seen without its data key, beside what decryption finds."""

import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscli import errors
from kmscli.envelope import decrypting
from kmscli.envelope.measuring import Measured, measure
from tests.messages import Dribble, Regular
from tests.vectors.messages import SUITES, Message

SIZES = [0, 1, 15, 16, 17, 160, 161]


def measured(message: bytes) -> Measured:
    """What a message is, from a stream."""
    source = io.BytesIO(message)
    return measure(source, decrypting.open_header(source, legacy=True))


@pytest.mark.parametrize("number", SUITES)
@pytest.mark.parametrize("size", SIZES)
def test_a_message_is_as_long_as_decryption_finds(tmp_path: Path, size: int, number: int) -> None:
    message = Message(number, bytes(size))
    found = measured(message.bytes)
    source = io.BytesIO(message.bytes)
    header = decrypting.open_header(source, legacy=True)
    opened = decrypting.decrypt(source, io.BytesIO(), header, message.data_key, held=True)
    assert (opened.plaintext, opened.frames) == (found.plaintext, found.frames)
    for other in (Dribble(message.bytes), Regular(tmp_path / "a", message.bytes)):
        assert found == measure(other, decrypting.open_header(other, legacy=True))


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_it_refuses_decryption_refuses_and_what_it_takes_has_a_right_form(data: st.DataObject) -> None:
    message = Message(data.draw(st.sampled_from([0x0178, 0x0478, 0x0578])), bytes(data.draw(st.integers(0, 70))))
    header = decrypting.open_header(io.BytesIO(message.bytes), legacy=True)
    changed = bytearray(message.bytes)
    kind = data.draw(st.sampled_from(["cut", "more", "change", "swap"]))
    place = data.draw(st.integers(header.length, len(changed) - 1))
    if kind == "cut":
        del changed[place:]
    elif kind == "more":
        changed += data.draw(st.binary(min_size=1, max_size=40))
    elif kind == "change":
        changed[place] = data.draw(st.integers(0, 255))
    else:
        del changed[place : place + data.draw(st.integers(1, 48))]

    def decryption() -> None:
        source = io.BytesIO(changed)
        found = decrypting.open_header(source, legacy=True)
        decrypting.decrypt(source, io.BytesIO(), found, message.data_key, held=True)

    try:
        found = measured(bytes(changed))
    except errors.MalformedMessageError:
        with pytest.raises(errors.InvalidCiphertextError):
            decryption()
        return
    try:
        decryption()
    except errors.MalformedMessageError as error:
        # Some form is seen only behind a tag that holds: the length of what a signature is.
        raise AssertionError(found) from error
    except errors.BrokenMessageError:
        return
    assert bytes(changed) == message.bytes


def test_a_trace_tells_copies_from_other_messages_of_one_id() -> None:
    one = Message(0x0478, bytes(40)).bytes
    other = bytearray(one)
    other[-1] ^= 1
    assert measured(one).trace == measured(one).trace != measured(bytes(other)).trace
