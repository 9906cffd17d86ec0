"""Decryption of a message of any size, which releases nothing that was not verified.

Implements docs/spec/message.md for readers. Two steps, so that who holds the keys can act between them:

    header = open_header(source)
    ... decrypt one of header.data_keys, with header.encryption_context as its encryption context ...
    decrypt(source, sink, header, data_key)

A header that `open_header` gives has the right form and is not authentic: only `decrypt` or `check_header`, with the
data key, say so. Nothing is read after the header before the commitment and the header's tag hold; no byte of a frame
is written before its tag holds; nothing is reported as done before the final frame, the signature and the end of the
input were seen.
"""

import msgspec

from kmscli import errors
from kmscli.crypto.message import Cipher, MessageKeys, Verifier
from kmscli.envelope import flow
from kmscli.envelope.encrypting import THREADS
from kmscli.envelope.flow import Flow, Progress, Room, Sink, SinkAt, Source, SourceAt
from kmscli.formats import frames, message
from kmscli.formats.message import Header

_TAIL = frames.FINAL_OVERHEAD - frames.REGULAR_OVERHEAD + frames.FOOTER_MAX + 1
"""What may follow the place of a unit's last regular frame if it is the final one: the longer head, a footer, and one
byte more, by which bytes after the message are noticed."""


class Opened(msgspec.Struct, frozen=True):
    """A message that was decrypted and verified as a whole.

    Attributes:
        plaintext: Bytes that came out.
        frames: The final one included; an unframed body is one.
    """

    plaintext: int
    frames: int


def open_header(source: Source, *, legacy: bool = False, keys_max: int = message.KEYS_MAX) -> Header:
    """Take the header of a message; `source` stands at the body then. Arguments and errors: `message.read_header`."""
    return message.read_header(source, legacy=legacy, keys_max=keys_max)


def check_header(header: Header, data_key: bytes) -> Cipher:
    """Check that the header is authentic under `data_key`; the cipher of the frames.

    Raises:
        BrokenMessageError: It is not, or not under this key: which of them, nobody can tell.
    """
    keys = MessageKeys(header.suite, data_key, header.message_id)
    keys.check_commitment(header.commitment)
    keys.cipher.check_tag(header.iv, header.body, header.tag)
    return keys.cipher


def decrypt(
    source: Source,
    sink: Sink,
    header: Header,
    data_key: bytes,
    *,
    held: bool = False,
    threads: int = THREADS,
    progress: Progress | None = None,
) -> Opened:
    """Read the body of a message to the end of `source`, and write the plaintext to `sink`.

    A source that is a `SourceAt`, and a sink that is a `SinkAt` as well, are used at places by all threads at once; the
    message then begins at place 0 of the source, and the plaintext at place 0 of the sink.

    Args:
        source: Stands behind the header.
        sink: Where the plaintext goes, frame by frame.
        header: From `open_header` of the same source.
        data_key: What one of its encrypted data keys holds.
        held: Whether the caller keeps what is in `sink` from everybody until this returns, and drops it if this raises:
            a new file that is renamed later, or a spool. A signed message is decrypted in no other way.
        threads: How many, at most, the caller's included.
        progress: Told of bytes of plaintext.

    Raises:
        BrokenMessageError: Commitment, a tag or the signature does not hold.
        MalformedMessageError: The form is wrong, the message is cut short, or bytes follow it.
        MessageLimitError: A frame, or an unframed body, of more than 64 MiB.
        InternalError: A signed message, and not `held`.
        OSError: From the source and the sink, as they raise it.
    """
    if header.signed and not held:
        raise errors.InternalError(what="a signed message was to be released before its signature was checked")
    if not header.frame_length:
        return _decrypt_unframed(source, sink, header, data_key, progress)
    stages = begin(source, sink, header, data_key)
    Flow(stages, last=stages.last, progress=progress).run(flow.workers(threads, stages.room_bytes))
    return Opened(stages.plaintext, stages.frames)


def begin(source: Source, sink: Sink, header: Header, data_key: bytes) -> "Decryption":
    """The stages of the decryption of a framed message; arguments and errors as `decrypt`.

    What the stages write of a signed message is verified with the last unit only.
    """
    return Decryption(source, sink, header, check_header(header, data_key), _verifier(header))


def _verifier(header: Header) -> Verifier | None:
    if header.suite.signature is None:
        return None
    verifier = Verifier(header.suite.signature, header.encryption_context[message.PUBLIC_KEY_NAME])
    verifier.update(header.body)
    verifier.update(header.authentication)
    return verifier


class Decryption:
    """The stages of `decrypt`: a unit is some whole frames, and the last one has the final frame and the footer."""

    def __init__(self, source: Source, sink: Sink, header: Header, cipher: Cipher, verifier: Verifier | None) -> None:
        self._source = source
        # The length of a signature is known only when it is there, so a signed message is read from front to back.
        self._source_at = source if isinstance(source, SourceAt) and verifier is None else None
        self._sink = sink
        self._sink_at = sink if isinstance(sink, SinkAt) else None
        self._header = header
        self._cipher = cipher
        self._verifier = verifier
        self._sealed_frame = header.frame_length + frames.REGULAR_OVERHEAD
        self._unit_frames = flow.frames_in_unit(self._sealed_frame)
        self._unit = self._unit_frames * header.frame_length
        self._sealed_unit = self._unit_frames * self._sealed_frame
        self.reads_in_order = self._source_at is None
        self.writes_in_order = self._sink_at is None or verifier is not None
        self.last: int | None = None
        if self._source_at is not None:
            body = self._source_at.size - header.length
            self.last = max(0, body - frames.FINAL_OVERHEAD) // self._sealed_unit
        self.plaintext = self.frames = 0

    @property
    def room_bytes(self) -> int:
        """Bytes that the buffers of one worker take."""
        # A header may speak of larger frames than are ever read.
        return 2 * min(self._sealed_unit, message.FRAME_LENGTH_MAX)

    @property
    def room_size(self) -> int:
        """Bytes of the buffer that a unit is read into."""
        size = min(self._sealed_unit, flow.UNIT) + _TAIL
        return size if self._source_at is None else min(size, self._source_at.size)

    @property
    def verifies(self) -> bool:
        """Whether units must be written in their order, because a signature is over all of them."""
        return self._verifier is not None

    def room(self) -> Room:
        """The buffers of one more worker."""
        return Room(self.room_size)

    def read(self, unit: int, room: Room) -> bool:
        """Read a unit; say whether it is the last."""
        read = flow.in_order(self._source)
        if self._source_at is not None:
            read = flow.at_place(self._source_at, self._header.length + unit * self._sealed_unit, room)
        last = self._read_large(read, room) if self._sealed_unit > 2 * flow.UNIT else self._read_some(read, room)
        if self.last is not None and last != (unit == self.last):
            # By the size of the file, the final frame belongs elsewhere.
            raise frames.trailing() if room.filled >= self._sealed_unit and last else frames.cut_short()
        return last

    def _read_some(self, read: flow.Read, room: Room) -> bool:
        """Read a unit of frames that are held in any case; say whether the final one is there, or ought to be."""
        if room.fill(read, self._sealed_unit):
            return True
        places = range(0, self._sealed_unit, self._sealed_frame)
        with room.given.view(0, room.filled) as data:
            if all(data[place : place + 4] != frames.END for place in places):
                return False
        room.fill(read, self._sealed_unit + _TAIL)
        return True

    def _read_large(self, read: flow.Read, room: Room) -> bool:
        """The same for a frame so large that what it says of itself is looked at first."""
        room.fill(read, frames.FINAL_HEAD)
        head = bytes(room.given.view(0, room.filled))
        if room.filled < frames.FINAL_HEAD:
            return True
        if head[:4] != frames.END:
            frames.check_length(self._header.frame_length)
            return room.fill(read, self._sealed_frame)
        length = int.from_bytes(head[-4:], "big")
        frames.check_length(length)
        room.fill(read, length + frames.FINAL_OVERHEAD + frames.FOOTER_MAX + 1)
        return True

    def work(self, unit: int, room: Room) -> None:
        """Open the frames of a unit."""
        size = min(self._unit, room.filled)
        room.made.grow(size)
        if self._sink_at is not None:
            room.made.place(unit * self._unit)
        number = unit * self._unit_frames + 1
        place = out = 0
        final = False
        with room.given.view(0, room.filled) as data, room.made.view(0, size) as made:
            while room.last or place < self._sealed_unit:
                frame = frames.parse_frame(self._header, data, place, number)
                if frame.final and not room.last:
                    raise frames.trailing()
                end = out + frame.end - frame.start - message.TAG_BYTES
                self._cipher.open_into(frame.iv, data[frame.start : frame.end], frame.associated_data, made[out:end])
                place, out, number = frame.end, end, number + 1
                final = frame.final
                if final:
                    break
        room.covered, room.done, room.frames = place, out, number - unit * self._unit_frames - 1
        if final and self._verifier is None and room.covered < room.filled:
            raise frames.trailing()

    def write(self, unit: int, room: Room) -> int:
        """Write the plaintext of a unit, after its part of the signature was checked. Gives the bytes of plaintext."""
        if self._verifier is not None:
            with room.given.view(0, room.filled) as data:
                self._verifier.update(data[: room.covered])
                if room.last:
                    self._verifier.check(frames.parse_footer(data[room.covered :]))
        with room.made.view(0, room.done) as made:
            flow.put(self._sink, self._sink_at, made, unit * self._unit)
        if room.last:
            self.plaintext = unit * self._unit + room.done
            self.frames = unit * self._unit_frames + room.frames
        return room.done


def _decrypt_unframed(source: Source, sink: Sink, header: Header, data_key: bytes, progress: Progress | None) -> Opened:
    """The one block of an old message. It is held as a whole, since its tag is at its end."""
    cipher, verifier = check_header(header, data_key), _verifier(header)
    read, room = flow.in_order(source), Room(frames.UNFRAMED_HEAD)
    room.fill(read, frames.UNFRAMED_HEAD)
    frame = frames.parse_unframed(header, bytes(room.given.view(0, room.filled)))
    room.fill(read, frame.end + frames.FOOTER_MAX + 1)
    if room.filled < frame.end:
        raise frames.cut_short()
    size = frame.end - frame.start - message.TAG_BYTES
    room.made.grow(size)
    with room.given.view(0, room.filled) as data, room.made.view(0, size) as made:
        cipher.open_into(frame.iv, data[frame.start : frame.end], frame.associated_data, made)
        if verifier is not None:
            verifier.update(data[: frame.end])
            verifier.check(frames.parse_footer(data[frame.end :]))
        elif room.filled > frame.end:
            raise frames.trailing()
        flow.put(sink, sink if isinstance(sink, SinkAt) else None, made, 0)
    if progress is not None:
        progress(size)
    return Opened(size, 1)
