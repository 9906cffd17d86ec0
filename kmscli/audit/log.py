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
from kmscli.storage.newest import Newest, Unsynced

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
    """The log of one vault.

    Attributes:
        quiet: Whether nobody did anything to it between the last two times that it was settled here.
    """

    def __init__(self, folder: Path, *, segment_bytes: int) -> None:
        """The log in `folder`; a segment that has reached `segment_bytes` is followed by a new one."""
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._newest = Newest(folder)
        self._held = b""
        self.quiet = False

    def close(self) -> None:
        """Keep nothing open."""
        self._newest.close()

    def tail(self) -> Tail:
        """The end of the log as it lies on disk.

        Raises:
            AuditTamperedError: The last whole line is no audit line.
            AuditUnavailableError: The log cannot be read.
        """
        return _tail(segments.read_ending(self._folder, line_max=limits.AUDIT_LINE_MAX))

    def settle(self, latest: bytes, check: CheckSignature, known: Tail | None = None) -> Tail:
        """Bring the log to a whole state that holds the newest change; hold the vault's lock.

        Args:
            latest: The newest line that the database keeps, b"" before the first.
            check: Checks the signature of a line before it is believed.
            known: A tail that the caller has seen or written; the same bytes in the same place are not checked again.

        Returns:
            The tail after which the next line goes; `known` itself if nothing was done to the log since.

        Raises:
            AuditTamperedError: The log lacks more than the newest change, or what it has is not what was signed.
        """
        self.quiet = known is not None and latest == self._held and self._newest.ends_with(known.ending)
        if known is not None and self.quiet:
            return known
        ending = self._newest.read(line_max=limits.AUDIT_LINE_MAX)
        tail = known if known is not None and known.ending == ending else _tail(ending)
        if tail.seq and tail is not known:
            check(auditline.decode(tail.ending.last), tail.ending.last)
        if tail.ending.torn:
            tail = self._mend(tail, latest, check)
        tail = self._complete(tail, latest, check) if latest else tail
        self._held = latest
        return tail

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
    def after(tail: Tail, line: bytes, *, generation: int, time: datetime, segment: int | None) -> Tail:
        """The tail that the log will have once a line that was just made is written behind `tail`.

        Args:
            tail: The end of the log before it.
            line: The line.
            generation: What it says of the vault.
            time: What it says of the time.
            segment: The number of the segment that it begins, None if it begins none.
        """
        start = tail.ending.offset if segment is None else 0
        ending = segments.Ending(tail.ending.segment if segment is None else segment, start + len(line) + 1, line, b"")
        return Tail(tail.seq + 1, auditline.digest(line), generation, time.replace(microsecond=0), ending)

    def append(self, tail: Tail, line: bytes) -> Tail:
        """Write a signed line behind `tail` and make it durable; the tail that the log has then.

        Raises:
            AuditUnavailableError: It is not certain to be there.
        """
        parsed = auditline.decode(line)
        number = parsed.segment.number if parsed.segment else None
        end = self.after(tail, line, generation=parsed.vault.generation, time=parsed.eventTime, segment=number)
        if (left := self.write(tail, end, line)) is not None:
            left.finish()
        return end

    def write(self, tail: Tail, end: Tail, *lines: bytes) -> Unsynced | None:
        """Write signed lines behind `tail`.

        Args:
            tail: The end of the log.
            end: What it is after them.
            lines: Each follows the one before; only the first may begin a segment.

        Returns:
            What is still to be brought to the disk; None if all is there.

        Raises:
            AuditUnavailableError: They are not there.
        """
        data = b"".join(line + b"\n" for line in lines)
        if end.ending.segment == tail.ending.segment:
            return self._newest.append(tail.ending, data)
        if tail.ending.segment:
            # What others wrote to the segment before may not be durable yet; no later line may outlive it.
            segments.sync(self._folder, tail.ending.segment)
        self._newest.close()
        segments.begin(self._folder, end.ending.segment, data)
        return None

    def sync(self, tail: Tail) -> None:
        """Have on the disk what others wrote and may still wait for.

        Raises:
            AuditUnavailableError: It is not certain to be there.
        """
        if tail.ending.segment:
            segments.sync(self._folder, tail.ending.segment)

    def unnoted(self) -> list[str]:
        """Names of torn ends that were set aside and are not yet told of by a line."""
        if self.quiet:
            return []
        if found := segments.unnoted(self._folder):
            self._newest.close()  # whoever settles it next looks again
        return found

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
