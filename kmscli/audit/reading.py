"""Reading a log: all of it for a verification, its end, or the stretch of time that somebody asks for.

Implements docs/spec/audit.md, "Files". What is read for people is not verified, and a line that is still being written
is left out.
"""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path

from kmscli.audit.replay import Replay
from kmscli.audit.signatures import checks_for
from kmscli.audit.verify import Verifier, check_files
from kmscli.formats import auditline
from kmscli.model import limits
from kmscli.storage import segments
from kmscli.storage.segments import Entry


@contextmanager
def verified(
    folder: Path, entries: Sequence[Entry], fingerprint: bytes, *, full: bool, watch: Container[int] = ()
) -> Iterator[Verifier]:
    """A verifier that has taken every line of a log.

    Args:
        folder: Where the log lies.
        entries: What lay in it: nothing that was appended later is read.
        fingerprint: Of the first set of roots, 32 bytes.
        full: Whether to replay the changes.
        watch: Numbers of the lines whose digests the report is to hold.

    Raises:
        AuditTamperedError: Names the first fault.
        AuditUnavailableError: It cannot be read.
    """
    sizes = check_files(entries)
    with checks_for(sum(size for _, size in sizes)) as checks:
        verifier = Verifier(fingerprint, checks, replay=Replay() if full else None, watch=watch)
        for number, size in sizes:
            path = segments.segment_path(folder, number)
            for line in segments.read_lines(path, line_max=limits.AUDIT_LINE_MAX, size=size):
                verifier.take(number, line)
        yield verifier


def last_lines(folder: Path, count: int) -> list[bytes]:
    """The last `count` whole lines, oldest first, without their newlines; only the end of the log is read.

    Raises:
        AuditUnavailableError: It cannot be read.
        AuditTamperedError: A line is longer than a line can be.
    """
    return list(islice(_backwards(folder), count))[::-1]


def _backwards(folder: Path) -> Iterator[bytes]:
    for number in reversed(segments.segment_numbers(folder)):
        path = segments.segment_path(folder, number)
        yield from segments.read_backwards(path, line_max=limits.AUDIT_LINE_MAX)


def lines_from(folder: Path, since: datetime | None) -> Iterator[bytes]:
    """The whole lines, oldest first, without their newlines; segments that end before `since` are left out.

    Raises:
        AuditUnavailableError: It cannot be read.
        AuditTamperedError: What begins a segment is no audit line.
    """
    numbers = segments.segment_numbers(folder)
    for number in numbers[_first_needed(folder, numbers, since) :]:
        path = segments.segment_path(folder, number)
        for line in segments.read_lines(path, line_max=limits.AUDIT_LINE_MAX):
            if line.endswith(b"\n"):
                yield line[:-1]


def _first_needed(folder: Path, numbers: Sequence[int], since: datetime | None) -> int:
    """Index of the last segment that begins before `since`: times never go back, so no earlier one is needed."""
    if since is None:
        return 0
    for index in range(len(numbers) - 1, 0, -1):
        path = segments.segment_path(folder, numbers[index])
        first = next(segments.read_lines(path, line_max=limits.AUDIT_LINE_MAX), b"")
        if auditline.decode(first.removesuffix(b"\n")).eventTime < since:
            return index
    return 0
