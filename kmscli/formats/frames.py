"""The frames of a message's body, as bytes: what stands before and after each ciphertext, and what it is bound to.

Implements docs/spec/message.md, "Body" and "Footer". Nothing here encrypts.
"""

import msgspec

from kmscli import errors
from kmscli.formats.message import FRAME_LENGTH_MAX, IV_BYTES, TAG_BYTES, Header, malformed

END = b"\xff\xff\xff\xff"
NUMBER_MAX = 0xFFFFFFFF
REGULAR_HEAD = 4 + IV_BYTES
FINAL_HEAD = 4 + 4 + IV_BYTES + 4
REGULAR_OVERHEAD = REGULAR_HEAD + TAG_BYTES
FINAL_OVERHEAD = FINAL_HEAD + TAG_BYTES
UNFRAMED_HEAD = IV_BYTES + 8
SIGNATURE_MAX = 128
FOOTER_MAX = 2 + SIGNATURE_MAX

_REGULAR = b"AWSKMSEncryptionClient Frame"
_FINAL = b"AWSKMSEncryptionClient Final Frame"
_UNFRAMED = b"AWSKMSEncryptionClient Single Block"


class Frame(msgspec.Struct, frozen=True):
    """Where a frame's parts are, and what its tag is bound to.

    Attributes:
        iv: 12 bytes.
        associated_data: Of its ciphertext.
        start: Of the ciphertext in what was parsed.
        end: Of the tag, which follows the ciphertext.
        final: Whether no frame may follow.
    """

    iv: bytes
    associated_data: bytes
    start: int
    end: int
    final: bool = False


class Head(msgspec.Struct, frozen=True):
    """What stands before a frame's ciphertext.

    Attributes:
        iv: 12 bytes.
        start: Of the ciphertext, from the start of the frame.
        length: Of the ciphertext, without its tag.
        final: Whether no frame may follow.
    """

    iv: bytes
    start: int
    length: int
    final: bool


def iv_of(number: int) -> bytes:
    """The IV of frame `number`. The number is 0 for the header alone, so no two share one under a message's key."""
    return number.to_bytes(IV_BYTES, "big")


def regular_data(message_id: bytes, number: int, length: int) -> bytes:
    """Associated data of a regular frame."""
    return message_id + _REGULAR + number.to_bytes(4, "big") + length.to_bytes(8, "big")


def final_data(message_id: bytes, number: int, length: int) -> bytes:
    """Associated data of the final frame."""
    return message_id + _FINAL + number.to_bytes(4, "big") + length.to_bytes(8, "big")


def regular_head(number: int) -> bytes:
    """What stands before the ciphertext of a regular frame.

    Raises:
        MessageLimitError: A number that is the mark of the final frame, or follows it.
    """
    if number >= NUMBER_MAX:
        raise errors.MessageLimitError(what="the number of frames", found=number, limit=NUMBER_MAX - 1)
    return number.to_bytes(4, "big") + iv_of(number)


def final_head(number: int, length: int) -> bytes:
    """What stands before the ciphertext of the final frame."""
    return END + number.to_bytes(4, "big") + iv_of(number) + length.to_bytes(4, "big")


def footer(signature: bytes) -> bytes:
    """The footer of a signed message."""
    return len(signature).to_bytes(2, "big") + signature


def parse_head(header: Header, head: bytes | memoryview, number: int) -> Head:
    """What the first bytes of frame `number` say of it; `head` begins with the frame.

    Raises:
        MalformedMessageError: They are cut short, of another frame, or have another IV than its number gives.
        MessageLimitError: More bytes than are held.
    """
    final = head[:4] == END
    start = FINAL_HEAD if final else REGULAR_HEAD
    if start > len(head):
        raise cut_short()
    at = 4 if final else 0
    if int.from_bytes(head[at : at + 4], "big") != number:
        raise malformed(f"frame {number} is not where it belongs")
    iv = bytes(head[at + 4 : at + 4 + IV_BYTES])
    if iv != iv_of(number) and header.suite.version > 1:
        raise malformed(f"frame {number} has another IV than its number gives")
    length = int.from_bytes(head[start - 4 : start], "big") if final else header.frame_length
    if length > header.frame_length:
        raise malformed("its final frame is longer than a frame may be")
    check_length(length)
    return Head(iv, start, length, final)


def parse_frame(header: Header, data: memoryview, place: int, number: int) -> Frame:
    """Find frame `number`, which begins at `place`.

    Raises:
        MalformedMessageError: It is cut short, another frame, or has another IV than its number gives.
        MessageLimitError: More bytes than are held.
    """
    head = parse_head(header, data[place : place + FINAL_HEAD], number)
    start = place + head.start
    end = start + head.length + TAG_BYTES
    if end > len(data):
        raise cut_short()
    bound = (final_data if head.final else regular_data)(header.message_id, number, head.length)
    return Frame(head.iv, bound, start, end, head.final)


def parse_unframed(header: Header, head: bytes) -> Frame:
    """The one block of an unframed body, from the 20 bytes before its ciphertext; places are those in the body.

    Raises:
        MalformedMessageError: Less than 20 bytes.
        MessageLimitError: More bytes than are held.
    """
    if len(head) < UNFRAMED_HEAD:
        raise cut_short()
    length = int.from_bytes(head[IV_BYTES:], "big")
    check_length(length)
    bound = header.message_id + _UNFRAMED + (1).to_bytes(4, "big") + length.to_bytes(8, "big")
    return Frame(head[:IV_BYTES], bound, UNFRAMED_HEAD, UNFRAMED_HEAD + length + TAG_BYTES, final=True)


def parse_footer(data: bytes | memoryview) -> bytes:
    """The signature in a footer, which must be all of `data`.

    Raises:
        MalformedMessageError: It is not.
    """
    length = int.from_bytes(data[:2], "big")
    if length > SIGNATURE_MAX:
        raise malformed("its signature is longer than one can be")
    if len(data) < 2 + length:
        raise cut_short()
    if len(data) > 2 + length:
        raise trailing()
    return bytes(data[2:])


def check_length(length: int) -> None:
    """Check that a frame, or an unframed body, of so much plaintext may be held.

    Raises:
        MessageLimitError: It may not.
    """
    if length > FRAME_LENGTH_MAX:
        raise errors.MessageLimitError(what="a frame", found=f"{length} bytes long", limit=f"{FRAME_LENGTH_MAX} bytes")


def cut_short() -> errors.MalformedMessageError:
    """The error for a message that ends too early."""
    return malformed("it is cut short")


def trailing() -> errors.MalformedMessageError:
    """The error for bytes that follow a whole message."""
    return malformed("bytes follow its end")
