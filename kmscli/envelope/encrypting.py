"""Encryption of a stream of any size into a message.

Implements docs/spec/message.md for writers. Two steps, so that who holds the keys can act between them:

    draft = prepare({"name": "value"}, signed=False, rng=os.urandom)
    ... encrypt draft.data_key under each key, with draft.encryption_context as its encryption context ...
    encrypt(source, sink, draft, data_keys=[EncryptedDataKey("aws-kms", arn, blob), ...])

Message id and data key of a draft serve one message: a second `encrypt` of one draft is refused, since it would use
nonces a second time. Whoever gets the data key from elsewhere (GenerateDataKey) gives it to `prepare`.
"""

import os
from collections.abc import Callable, Mapping, Sequence

import msgspec

from kmscli import errors
from kmscli.crypto.message import Cipher, MessageKeys, Signer
from kmscli.envelope import flow
from kmscli.envelope.flow import Flow, Progress, Room, Sink, SinkAt, Source, SourceAt
from kmscli.formats import frames, message
from kmscli.formats.message import EncryptedDataKey
from kmscli.model.suites import COMMITTING, SIGNED, Suite

FRAME_LENGTH = 256 << 10
THREADS = max(2, min(4, len(os.sched_getaffinity(0)))) if hasattr(os, "sched_getaffinity") else 2


class Draft:
    """A message to be: its secrets, and the context that its data key must be encrypted with.

    Attributes:
        suite: 0x0478, or 0x0578 if it is signed.
        message_id: 32 bytes, drawn for it.
        data_key: 32 bytes, to be encrypted under each key.
        encryption_context: The caller's, and the public key of a signed message.
    """

    def __init__(
        self, suite: Suite, message_id: bytes, data_key: bytes, context: dict[str, str], signer: Signer | None
    ) -> None:
        self.suite = suite
        self.message_id = message_id
        self.data_key = data_key
        self.encryption_context = context
        self._signer = signer
        self._used = False

    def take(self) -> Signer | None:
        """Use the draft up; its signer.

        Raises:
            InternalError: It was used before.
        """
        if self._used:
            raise errors.InternalError(what="a message id was to be used twice")
        self._used = True
        return self._signer

    def __repr__(self) -> str:
        return f"Draft({self.suite.name}, ...)"

    def __reduce__(self) -> str:
        raise TypeError("a data key is not pickled")


class Written(msgspec.Struct, frozen=True):
    """A message that was written.

    Attributes:
        suite: Its suite.
        message_id: 32 bytes.
        plaintext: Bytes that went in.
        length: Bytes that came out.
        frames: The final one included.
    """

    suite: Suite
    message_id: bytes
    plaintext: int
    length: int
    frames: int


def prepare(
    encryption_context: Mapping[str, str] | None,
    *,
    signed: bool = False,
    rng: Callable[[int], bytes],
    data_key: bytes | None = None,
) -> Draft:
    """Draw what is secret and unique in a new message.

    Args:
        encryption_context: Of the user.
        signed: Whether it gets a signature, of a key pair that is made here for it.
        rng: Draws bytes.
        data_key: 32 bytes, drawn at random; the keys of each of its messages follow from it and from the message's id.
            None = drawn here.

    Raises:
        ValidationError: A name that begins with `aws-crypto-`, or a context that no header has room for.
    """
    context = dict(encryption_context or {})
    for name in context:
        if name.startswith(message.RESERVED_PREFIX):
            raise errors.ValidationError(
                problem=f"the encryption context name {name} begins with {message.RESERVED_PREFIX}",
                hint="AWS keeps these names for itself: choose another one",
            )
    suite = SIGNED if signed else COMMITTING
    signer = None if suite.signature is None else Signer(suite.signature)
    if signer is not None:
        context[message.PUBLIC_KEY_NAME] = signer.public_key
    message.encode_context(context)
    drawn = rng(suite.key_bytes) if data_key is None else data_key
    return Draft(suite, rng(suite.message_id_bytes), drawn, context, signer)


def encrypt(
    source: Source,
    sink: Sink,
    draft: Draft,
    *,
    data_keys: Sequence[EncryptedDataKey],
    frame_length: int = FRAME_LENGTH,
    threads: int = THREADS,
    progress: Progress | None = None,
) -> Written:
    """Read `source` to its end and write the message to `sink`.

    A source that is a `SourceAt`, and a sink that is a `SinkAt` as well, are used at places by all threads at once. The
    sink of a `SinkAt` is written from place 0, and its `write` is not used.

    Args:
        source: The plaintext.
        sink: Where the message goes. After an error it holds a part of a message, which no reader takes for a whole.
        draft: From `prepare`; used up.
        data_keys: The draft's data key under each key; 1 to 64.
        frame_length: Bytes of plaintext in a frame.
        threads: How many, at most, the caller's included.
        progress: Told of bytes of plaintext.

    Raises:
        ValidationError: Data keys or frame length outside their bounds.
        MessageLimitError: More frames than a message can have.
        InputOutputError: A regular file became shorter while it was read.
        OSError: From the source and the sink, as they raise it.
    """
    stages = begin(source, sink, draft, data_keys=data_keys, frame_length=frame_length)
    stages.start()
    Flow(stages, last=stages.last, progress=progress).run(flow.workers(threads, stages.room_bytes))
    return stages.finish()


def begin(
    source: Source, sink: Sink, draft: Draft, *, data_keys: Sequence[EncryptedDataKey], frame_length: int
) -> "Encryption":
    """The stages of an encryption; arguments and errors as `encrypt`."""
    signer = draft.take()
    keys = MessageKeys(draft.suite, draft.data_key, draft.message_id)
    body = message.encode_body(
        draft.suite,
        message_id=draft.message_id,
        encryption_context=draft.encryption_context,
        data_keys=data_keys,
        frame_length=frame_length,
        commitment=keys.commitment,
    )
    # The one tag of the one header under this key.
    header = body + keys.cipher.tag(message.NO_IV, body)
    return Encryption(source, sink, keys.cipher, draft, header, frame_length, signer)


class Encryption:
    """The stages of `encrypt`: a unit is some whole frames; the one that is not full is the last."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        cipher: Cipher,
        draft: Draft,
        header: bytes,
        frame_length: int,
        signer: Signer | None,
    ) -> None:
        self._source = source
        self._source_at = source if isinstance(source, SourceAt) else None
        self._sink = sink
        # A signature needs the bytes in their order, so they may as well be written in it.
        self._sink_at = sink if isinstance(sink, SinkAt) else None
        self._cipher = cipher
        self._suite = draft.suite
        self._message_id = draft.message_id
        self._header = header
        self._signer = signer
        self._frame_length = frame_length
        self._unit_frames = flow.frames_in_unit(frame_length + frames.REGULAR_OVERHEAD)
        self._unit = self._unit_frames * frame_length
        self._sealed_unit = self._unit_frames * (frame_length + frames.REGULAR_OVERHEAD)
        self.reads_in_order = self._source_at is None
        self.writes_in_order = self._sink_at is None or signer is not None
        self.last = None if self._source_at is None else self._source_at.size // self._unit
        self.plaintext = self.frames = self._end = 0

    @property
    def room_bytes(self) -> int:
        """Bytes that the buffers of one worker take."""
        return self._unit + self._sealed_unit + frames.FINAL_OVERHEAD

    def start(self) -> None:
        """Write the header."""
        self._put(memoryview(self._header), 0)

    def room(self) -> Room:
        """The buffers of one more worker."""
        return Room(self._unit if self._source_at is None else min(self._unit, self._source_at.size + 1))

    def read(self, unit: int, room: Room) -> bool:
        """Read a unit; say whether it is the last."""
        if self._source_at is None:
            return room.fill(flow.in_order(self._source), self._unit)
        short = room.fill(flow.at_place(self._source_at, unit * self._unit, room), self._unit)
        if short and self.last is not None and unit < self.last:
            raise errors.InputOutputError(path="the input", reason="it became shorter while it was read")
        return short

    def work(self, unit: int, room: Room) -> None:
        """Seal the frames of a unit."""
        whole = room.filled // self._frame_length
        size = room.filled + whole * frames.REGULAR_OVERHEAD + frames.FINAL_OVERHEAD
        room.made.grow(size)
        if self._sink_at is not None:
            room.made.place(self._offset(unit))
        number = unit * self._unit_frames + 1
        place = read = 0
        with room.given.view(0, room.filled) as given, room.made.view(0, size) as made:
            for _ in range(whole):
                place = self._frame(given[read : read + self._frame_length], made, place, number)
                read, number = read + self._frame_length, number + 1
            if room.last:
                # Shorter than a frame, and empty if the plaintext ends with one: no writer has to look ahead.
                place = self._frame(given[read : room.filled], made, place, number, final=True)
        room.done = place

    def _frame(self, plaintext: memoryview, made: memoryview, place: int, number: int, *, final: bool = False) -> int:
        length = len(plaintext)
        if final:
            head = frames.final_head(number, length)
            bound = frames.final_data(self._message_id, number, length)
        else:
            head = frames.regular_head(number)
            bound = frames.regular_data(self._message_id, number, length)
        start = place + len(head)
        end = start + length + message.TAG_BYTES
        made[place:start] = head
        self._cipher.seal_into(frames.iv_of(number), plaintext, bound, made[start:end])
        return end

    def write(self, unit: int, room: Room) -> int:
        """Write the frames of a unit. Gives the bytes of plaintext."""
        offset = self._offset(unit)
        with room.made.view(0, room.done) as made:
            self._put(made, offset)
        if room.last:
            self.plaintext = unit * self._unit + room.filled
            self.frames = unit * self._unit_frames + room.filled // self._frame_length + 1
            self._end = offset + room.done
        return room.filled

    def _offset(self, unit: int) -> int:
        return len(self._header) + unit * self._sealed_unit

    def finish(self) -> Written:
        """Write the footer, if there is one; what was written."""
        length = self._end
        if self._signer is not None:
            footer = memoryview(frames.footer(self._signer.finish()))
            flow.put(self._sink, self._sink_at, footer, length)
            length += len(footer)
        return Written(self._suite, self._message_id, self.plaintext, length, self.frames)

    def _put(self, data: memoryview, offset: int) -> None:
        if self._signer is not None:
            self._signer.update(data)
        flow.put(self._sink, self._sink_at, data, offset)
