"""The end of the audit log: where the next line goes, and how an interrupted append is brought to its end.

Implements docs/spec/audit.md, "Appending" and "Recovery". All of it happens under the vault's lock. The signer is
injected; a complete line is never repaired, only believed or refused.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from kmscli import errors
from kmscli.formats import auditline
from kmscli.model import limits
from kmscli.storage import segments

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

CheckSignature = Callable[[auditline.Line, bytes], None]
"""Raises AuditTamperedError unless the line (parsed, and its bytes) is signed by who it says."""


class Tail(msgspec.Struct, frozen=True):
    """The last line of the log, and where it ends.

    Attributes:
        seq: Its number, 0 if the log is empty.
        digest: SHA-256 of it, what the next line's `prev` must say.
        generation: Of the vault, as the line saw it.
        time: Its eventTime.
        ending: Where it ends.
    """

    seq: int
    digest: str
    generation: int
    time: datetime
    ending: segments.Ending


class AuditLog:
    """The log of one vault."""

    def __init__(self, folder: Path, *, segment_bytes: int) -> None:
        """The log in `folder`; a segment that has reached `segment_bytes` is followed by a new one."""
        self._folder = folder
        self._segment_bytes = segment_bytes

    def tail(self) -> Tail:
        """The end of the log as it lies on disk.

        Raises:
            AuditTamperedError: The last whole line is no audit line.
            AuditUnavailableError: The log cannot be read.
        """
        return _tail(segments.read_ending(self._folder, line_max=limits.AUDIT_LINE_MAX))

    def settle(self, latest: bytes, check: CheckSignature) -> Tail:
        """Bring the log to a whole state that holds the newest change; hold the vault's lock.

        Args:
            latest: The newest line that the database keeps, b"" before the first.
            check: Checks the signature of a line before it is believed.

        Returns:
            The tail after which the next line goes.

        Raises:
            AuditTamperedError: The log lacks more than the newest change, or what it has is not what was signed.
        """
        tail = self.tail()
        if tail.seq:
            check(auditline.decode(tail.ending.last), tail.ending.last)
        if tail.ending.torn:
            tail = self._mend(tail, latest, check)
        return self._complete(tail, latest, check) if latest else tail

    def _mend(self, tail: Tail, latest: bytes, check: CheckSignature) -> Tail:
        torn = tail.ending.torn
        if latest.startswith(torn) and self._follows(tail, latest, check):
            return msgspec.structs.replace(tail, ending=msgspec.structs.replace(tail.ending, torn=b""))
        if self._follows(tail, torn, check):
            return self.append(tail, torn)
        segments.set_aside(self._folder, tail.ending, seq=tail.seq + 1)
        return msgspec.structs.replace(tail, ending=msgspec.structs.replace(tail.ending, torn=b""))

    def _complete(self, tail: Tail, latest: bytes, check: CheckSignature) -> Tail:
        # Nearly always the log has it: a change of a thousand keys has a line of megabytes, which is not read for that.
        if auditline.seq_of(latest) <= tail.seq:
            return tail
        newest = auditline.decode(latest)
        if newest.chain.seq > tail.seq + 1 or not self._follows(tail, latest, check):
            raise errors.AuditTamperedError(
                what=f"it ends at line {tail.seq}, but the vault knows of line {newest.chain.seq}"
            )
        return self.append(tail, latest)

    @staticmethod
    def _follows(tail: Tail, line: bytes, check: CheckSignature) -> bool:
        try:
            parsed = auditline.decode(line)
            check(parsed, line)
        except errors.AuditTamperedError:
            return False
        return (parsed.chain.seq, parsed.chain.prev) == (tail.seq + 1, tail.digest)

    def next_segment(self, tail: Tail) -> int | None:
        """Number of the segment that the next line begins, or None if it goes where the last one is."""
        ending = tail.ending
        return ending.segment + 1 if not ending.segment or ending.offset >= self._segment_bytes else None

    @staticmethod
    def after(tail: Tail, line: bytes) -> Tail:
        """The tail that the log will have once `line` is written behind `tail`."""
        parsed = auditline.decode(line)
        start = 0 if parsed.segment else tail.ending.offset
        number = parsed.segment.number if parsed.segment else tail.ending.segment
        return _tail_at(parsed, segments.Ending(number, start + len(line) + 1, line, b""))

    def append(self, tail: Tail, *lines: bytes) -> Tail:
        """Write signed lines behind `tail` and make them durable, with one sync for all of them.

        Args:
            tail: The end of the log.
            lines: Each follows the one before; only the first may begin a segment.

        Raises:
            AuditUnavailableError: They are not certain to be there.
        """
        end = tail
        for line in lines:
            end = self.after(end, line)
        data = b"".join(line + b"\n" for line in lines)
        if end.ending.segment == tail.ending.segment:
            segments.append(self._folder, tail.ending, data)
        else:
            segments.begin(self._folder, end.ending.segment, data)
        return end

    def unnoted(self) -> list[str]:
        """Names of torn ends that were set aside and are not yet told of by a line."""
        return segments.unnoted(self._folder)

    def mark_noted(self, name: str) -> None:
        """A line tells of this torn end now."""
        segments.mark_noted(self._folder, name)

    def line_at(self, segment: int, end: int, length: int) -> bytes:
        """The `length` bytes of a segment that end before its byte `end`; shorter where there are fewer."""
        return segments.read_part(self._folder, segment, max(0, end - length), length)


def _tail(ending: segments.Ending) -> Tail:
    if not ending.last:
        return Tail(0, auditline.FIRST_PREV, 0, _BEGINNING, ending)
    return _tail_at(auditline.decode(ending.last), ending)


def _tail_at(line: auditline.Line, ending: segments.Ending) -> Tail:
    return Tail(line.chain.seq, auditline.digest(ending.last), line.vault.generation, line.eventTime, ending)


EMPTY_LOG = _tail(segments.Ending(0, 0, b"", b""))
"""The tail before the first line."""
