"""Messages made anew from old ones, unit by unit or through a pipe, whatever their frames are."""

import io
import os
import threading
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.envelope import decrypting, encrypting, rewrapping
from kmscli.envelope.encrypting import FRAME_LENGTH, Written
from tests import messages
from tests.messages import DATA_KEYS, Regular
from tests.vectors.made import fixed
from tests.vectors.messages import Message

PLAINTEXT = os.urandom(5 * FRAME_LENGTH + 17)
SIZES = [0, 1, FRAME_LENGTH - 1, FRAME_LENGTH, 3 * FRAME_LENGTH, 4 * FRAME_LENGTH, 5 * FRAME_LENGTH + 17]
LENGTHS = [FRAME_LENGTH, FRAME_LENGTH // 2, 1000, 3 * FRAME_LENGTH]


def old(size: int, *, signed: bool, frame_length: int = FRAME_LENGTH) -> tuple[bytes, bytes]:
    """A message and its data key."""
    draft, sink = messages.draft({"a": "b"}, signed=signed), io.BytesIO()
    encrypting.encrypt(io.BytesIO(PLAINTEXT[:size]), sink, draft, data_keys=DATA_KEYS, frame_length=frame_length)
    return sink.getvalue(), draft.data_key


def rewrap(message: bytes, data_key: bytes, folder: Path, *, regular: bool, legacy: bool = False) -> bytes:
    """The plaintext of the new message, which is another one."""
    source = Regular(folder / "old", message) if regular else io.BytesIO(message)
    target = Regular(folder / "new", b"") if regular else io.BytesIO()
    header = decrypting.open_header(source, legacy=legacy)
    draft = messages.draft({"a": "b"}, signed=header.signed)
    written = rewrapping.rewrap(source, target, header, data_key, draft, data_keys=DATA_KEYS)
    made = (folder / "new").read_bytes() if regular else target.getvalue()  # type: ignore[union-attr]
    return opened(made, draft.data_key, written)


def opened(message: bytes, data_key: bytes, written: Written) -> bytes:
    """The plaintext of a message that was written; what was told of it must be so."""
    source, sink = io.BytesIO(message), io.BytesIO()
    header = decrypting.open_header(source)
    found = decrypting.decrypt(source, sink, header, data_key, held=True)
    assert (written.plaintext, written.frames, written.length) == (found.plaintext, found.frames, len(message))
    assert (written.message_id, FRAME_LENGTH) == (header.message_id, header.frame_length)
    return sink.getvalue()


@pytest.mark.parametrize("regular", [False, True], ids=["streams", "regular files"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("frame_length", LENGTHS)
@pytest.mark.parametrize("size", SIZES)
def test_the_plaintext_stays(tmp_path: Path, size: int, frame_length: int, *, signed: bool, regular: bool) -> None:
    message, key = old(size, signed=signed, frame_length=frame_length)
    assert PLAINTEXT[:size] == rewrap(message, key, tmp_path, regular=regular)


@pytest.mark.parametrize("regular", [False, True], ids=["streams", "regular files"])
@pytest.mark.parametrize("frames", [1, 4, 5])
def test_a_final_frame_that_is_full_is_taken(tmp_path: Path, frames: int, *, regular: bool) -> None:
    plaintext = PLAINTEXT[: frames * FRAME_LENGTH]
    message = Message(0x0478, plaintext, FRAME_LENGTH)
    whole = message.header() + b"".join(
        message.frame(n + 1, plaintext[n * FRAME_LENGTH :][:FRAME_LENGTH], final=n + 1 == frames) for n in range(frames)
    )
    assert plaintext == rewrap(whole, message.data_key, tmp_path, regular=regular)


@pytest.mark.parametrize("frame_length", [0, 16, FRAME_LENGTH])
def test_an_old_message_gets_the_new_form(tmp_path: Path, frame_length: int) -> None:
    plaintext = fixed("old plaintext", 900)
    message = Message(0x0178, plaintext, frame_length)
    assert plaintext == rewrap(message.bytes, message.data_key, tmp_path, regular=True, legacy=True)


@pytest.mark.parametrize("regular", [False, True], ids=["streams", "regular files"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("frame_length", LENGTHS)
@pytest.mark.parametrize("place", [100, 500_000, -1])
def test_a_changed_message_gives_no_new_one(
    tmp_path: Path, place: int, frame_length: int, *, signed: bool, regular: bool
) -> None:
    message, key = old(5 * FRAME_LENGTH, signed=signed, frame_length=frame_length)
    changed = bytearray(message)
    changed[place] ^= 1
    with pytest.raises(errors.InvalidCiphertextError):
        rewrap(bytes(changed), key, tmp_path, regular=regular)
    with pytest.raises(errors.InvalidCiphertextError):
        rewrap(message[:-3], key, tmp_path, regular=regular)


class Full(io.BytesIO):
    """A sink that takes some bytes and then no more."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def write(self, data: memoryview, /) -> int:  # type: ignore[override]
        if self.tell() > 500_000:
            raise self.error
        return super().write(data)


@pytest.mark.parametrize("frame_length", LENGTHS)
@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt()], ids=["full disk", "Ctrl-C"])
def test_what_goes_wrong_with_the_output_ends_both_halves(error: BaseException, frame_length: int) -> None:
    message, key = old(5 * FRAME_LENGTH, signed=False, frame_length=frame_length)
    source = io.BytesIO(message)
    header = decrypting.open_header(source)
    before = threading.active_count()
    with pytest.raises(type(error)):
        rewrapping.rewrap(source, Full(error), header, key, messages.draft(), data_keys=DATA_KEYS)
    assert before == threading.active_count()
