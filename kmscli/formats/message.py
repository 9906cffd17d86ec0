"""The header of a message, and the frames of its body, as bytes: the AWS Encryption SDK's message format.

Implements docs/spec/message.md, "Header", "Body" and "Footer". A header is taken apart here and believed nowhere: who
has the data key checks commitment and tag (`kmscli.envelope`). Everything is bounded before it is read.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from kmscli import errors
from kmscli.model.suites import SUITES, Suite

PUBLIC_KEY_NAME = "aws-crypto-public-key"
"""The name in the encryption context that holds the public key of a signed message."""

RESERVED_PREFIX = "aws-crypto-"
"""Names that begin so belong to AWS; users may give none."""

HEADER_MAX = 1 << 20
KEYS_MAX = 64
FRAME_LENGTH_MAX = 64 << 20
"""Bytes of plaintext that a reader holds before it can release any: of one frame, or of an unframed body."""

IV_BYTES = 12
TAG_BYTES = 16
COMMITMENT_BYTES = 32
NO_IV = bytes(IV_BYTES)
_TYPE = 0x80
_UNFRAMED, _FRAMED = 1, 2
_RESERVED = bytes(4)
_U16_MAX = 0xFFFF
_U32_MAX = 0xFFFFFFFF


class Readable(Protocol):
    """What a header is read from: any binary file."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""


class EncryptedDataKey(msgspec.Struct, frozen=True):
    """The data key of a message, encrypted by one provider.

    Attributes:
        provider_id: `aws-kms` for a key of this vault or of AWS KMS.
        provider_info: The key's ARN, for `aws-kms`.
        ciphertext: What the provider decrypts, with the encryption context of the header.
    """

    provider_id: str
    provider_info: bytes
    ciphertext: bytes


class Header(msgspec.Struct, frozen=True):
    """A header, taken apart. Nothing in it is authentic before `kmscli.envelope.decrypting` has checked it.

    Attributes:
        suite: Row of `SUITES`.
        message_id: 32 bytes, or 16 in version 1.
        encryption_context: Name -> value, the public key of a signed message included.
        data_keys: In their order.
        frame_length: Bytes of plaintext in a regular frame; 0 = unframed.
        commitment: 32 bytes, or none.
        body: The bytes that the tag authenticates.
        iv: Of the tag.
        tag: 16 bytes.
    """

    suite: Suite
    message_id: bytes
    encryption_context: dict[str, str]
    data_keys: tuple[EncryptedDataKey, ...]
    frame_length: int
    commitment: bytes
    body: bytes
    iv: bytes
    tag: bytes

    @property
    def signed(self) -> bool:
        """Whether a footer with a signature follows the body."""
        return self.suite.signature is not None

    @property
    def authentication(self) -> bytes:
        """What follows the body of the header: IV, which version 2 does not write, and tag."""
        return self.tag if self.suite.version > 1 else self.iv + self.tag

    @property
    def length(self) -> int:
        """Bytes from the start of the message to its first frame."""
        return len(self.body) + len(self.authentication)


def malformed(problem: str) -> errors.MalformedMessageError:
    """The error for a message whose form is wrong."""
    return errors.MalformedMessageError(problem=problem)


def looks_like(start: bytes) -> bool:
    """Say whether a file that begins with these (at least 4) bytes is a message of any version, and no blob or text."""
    return (start[:1] == b"\x02" and start[1:3] in _V2_IDS) or (start[:2] == b"\x01\x80" and start[2:4] in _V1_IDS)


_V1_IDS, _V2_IDS = (
    frozenset(suite.number.to_bytes(2, "big") for suite in SUITES.values() if suite.version == version)
    for version in (1, 2)
)


# -- writing -----------------------------------------------------------------------------------------------------------


def encode_context(context: Mapping[str, str]) -> bytes:
    """The encryption context as it stands in a header, without the length before it.

    Raises:
        ValidationError: A lone surrogate, or more than a header has room for.
    """
    if not context:
        return b""
    try:
        pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    except UnicodeEncodeError as error:
        raise errors.ValidationError(
            problem="the encryption context is not valid Unicode", hint="names and values must be UTF-8 text"
        ) from error
    if max(len(part) for pair in pairs for part in pair) <= _U16_MAX:
        encoded = len(pairs).to_bytes(4, "big")[2:] + b"".join(_short(part) for pair in pairs for part in pair)
        if len(encoded) <= _U16_MAX:
            return encoded
    raise errors.ValidationError(
        problem=f"the encryption context takes more than the {_U16_MAX} bytes that a message has for it",
        hint="put a name for the data there, not the data",
    )


def encode_body(
    suite: Suite,
    *,
    message_id: bytes,
    encryption_context: Mapping[str, str],
    data_keys: Sequence[EncryptedDataKey],
    frame_length: int,
    commitment: bytes,
) -> bytes:
    """The body of a framed header of version 2: what its tag authenticates.

    Raises:
        InternalError: A suite that is never written, or lengths that are not its own.
        ValidationError: No or too many data keys, a frame length outside its bounds, or too much context.
    """
    if not suite.commits or len(message_id) != suite.message_id_bytes or len(commitment) != COMMITMENT_BYTES:
        raise errors.InternalError(what=f"a header of suite {suite.name} that is never written")
    if not 1 <= len(data_keys) <= KEYS_MAX:
        raise errors.ValidationError(problem=f"a message has 1 to {KEYS_MAX} keys, not {len(data_keys)}")
    if not 1 <= frame_length <= FRAME_LENGTH_MAX:
        raise errors.ValidationError(problem=f"a frame has 1 to {FRAME_LENGTH_MAX} bytes, not {frame_length}")
    body = b"".join(
        (
            suite.version.to_bytes(1, "big"),
            suite.number.to_bytes(2, "big"),
            message_id,
            _short(encode_context(encryption_context)),
            len(data_keys).to_bytes(2, "big"),
            *(_encode_key(key) for key in data_keys),
            bytes((_FRAMED,)),
            frame_length.to_bytes(4, "big"),
            commitment,
        )
    )
    if len(body) + TAG_BYTES > HEADER_MAX:
        raise errors.ValidationError(problem=f"the header takes {len(body)} bytes; at most {HEADER_MAX} are read")
    return body


def _short(part: bytes) -> bytes:
    if len(part) > _U16_MAX:
        raise errors.ValidationError(problem=f"{len(part)} bytes where a header has room for {_U16_MAX}")
    return len(part).to_bytes(2, "big") + part


def _encode_key(key: EncryptedDataKey) -> bytes:
    return _short(key.provider_id.encode()) + _short(key.provider_info) + _short(key.ciphertext)


# -- reading -----------------------------------------------------------------------------------------------------------


class _Taker:
    """Takes exact numbers of bytes, keeps them all, and stops where a header may be no longer."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.taken = bytearray()

    def take(self, size: int) -> bytes:
        start = len(self.taken)
        if start + size > HEADER_MAX:
            raise errors.MessageLimitError(what="the header", found="longer", limit=f"{HEADER_MAX} bytes")
        while len(self.taken) < start + size:
            more = self._source.read(start + size - len(self.taken))
            if not more:
                raise malformed("it ends within its header")
            self.taken += more
        return bytes(self.taken[start:])

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def short(self) -> bytes:
        return self.take(self.number(2))


def read_header(source: Readable, *, legacy: bool = False, keys_max: int = KEYS_MAX) -> Header:
    """Take the header of a message from where `source` stands, and not a byte more.

    Args:
        source: Any binary file.
        legacy: Whether version 1, which does not commit to its key, is wanted.
        keys_max: How many encrypted data keys the caller is ready to look at.

    Raises:
        MalformedMessageError: It is none, is cut short, or not in its one form.
        UnsupportedFormatError: Another version or an unknown suite.
        LegacyMessageError: Version 1, and not wanted.
        MessageLimitError: A header that is too long, or has too many keys.
    """
    taker = _Taker(source)
    suite = _read_suite(taker, legacy=legacy)
    message_id = taker.take(suite.message_id_bytes)
    context = _read_context(taker.short(), in_order=suite.version > 1)
    if (PUBLIC_KEY_NAME in context) != (suite.signature is not None):
        raise malformed("it has a public key but no signature, or the other way round")
    count = taker.number(2)
    if count > keys_max:
        raise errors.MessageLimitError(what="the number of keys", found=count, limit=keys_max)
    if not count:
        raise malformed("it has no encrypted data key")
    data_keys = tuple(_read_key(taker) for _ in range(count))
    frame_length = _read_content(taker, suite)
    commitment = taker.take(COMMITMENT_BYTES) if suite.commits else b""
    body = bytes(taker.taken)
    iv = taker.take(IV_BYTES) if suite.version == 1 else NO_IV
    return Header(suite, message_id, context, data_keys, frame_length, commitment, body, iv, taker.take(TAG_BYTES))


def _read_suite(taker: _Taker, *, legacy: bool) -> Suite:
    version = taker.number(1)
    if version not in {1, 2}:
        raise errors.UnsupportedFormatError(what="the message", found=version, known="2, and 1 with --allow-legacy")
    if version == 1 and taker.number(1) != _TYPE:
        raise malformed("it has an unknown type")
    number = taker.number(2)
    suite = SUITES.get(number)
    if suite is None or suite.version != version:
        raise errors.UnsupportedFormatError(
            what="the message", found=f"{version} with suite 0x{number:04x}", known="2 with suite 0x0478 or 0x0578"
        )
    if not suite.commits and not legacy:
        raise errors.LegacyMessageError(suite=suite.name)
    return suite


def _read_context(encoded: bytes, *, in_order: bool) -> dict[str, str]:
    if not encoded:
        return {}
    place, pairs = 2, []
    for _ in range(int.from_bytes(encoded[:2], "big")):
        pair = []
        for _ in range(2):
            end = place + 2 + int.from_bytes(encoded[place : place + 2], "big")
            if end > len(encoded) or place + 2 > len(encoded):
                raise malformed("its encryption context is cut short")
            pair.append(encoded[place + 2 : end])
            place = end
        pairs.append((pair[0], pair[1]))
    names = [name for name, _ in pairs]
    if not pairs or place != len(encoded):
        raise malformed("its encryption context has another length than it says")
    if len(set(names)) != len(names) or (in_order and names != sorted(names)):
        raise malformed("the names in its encryption context are not in order, or come twice")
    return {_text(name): _text(value) for name, value in pairs}


def _read_key(taker: _Taker) -> EncryptedDataKey:
    return EncryptedDataKey(_text(taker.short()), taker.short(), taker.short())


def _read_content(taker: _Taker, suite: Suite) -> int:
    content = taker.number(1)
    if suite.version == 1 and (taker.take(len(_RESERVED)) != _RESERVED or taker.number(1) != IV_BYTES):
        raise malformed("the lengths in its header are not those of its suite")
    frame_length = taker.number(4)
    if content not in {_FRAMED, _UNFRAMED} or (content == _FRAMED) != (frame_length > 0):
        raise malformed("its content is neither framed nor unframed")
    if content == _UNFRAMED and suite.version > 1:
        raise malformed("it is not framed, which no message of version 2 is")
    return frame_length


def _text(encoded: bytes) -> str:
    try:
        return encoded.decode()
    except UnicodeDecodeError as error:
        raise malformed("a text in its header is not UTF-8") from error
