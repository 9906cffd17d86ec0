"""Whether a log is the one that was signed: every line, in its place, by who it says.

Implements docs/spec/audit.md, "Verification". It decides over lines that it is given and opens nothing; all it trusts
is the fingerprint of the first set of roots. The first fault, in the order of the log, is raised with its place. A torn
end is no fault, and truncation at the end of a line is not seen here: only somebody who knows of a later line sees it.
"""

import re
from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from itertools import pairwise

import msgspec

from kmscli import errors
from kmscli.audit.faults import Place, fault
from kmscli.audit.replay import Replay
from kmscli.audit.signatures import Checks, Job
from kmscli.audit.signers import Signers
from kmscli.formats import auditline, tree
from kmscli.formats.auditline import Line, RecordChange, Segment
from kmscli.model import limits
from kmscli.storage.segments import Entry, segment_number

_DIGEST = re.compile(r"[0-9a-f]{64}")
_OURS = re.compile(
    r"unlock-failures|torn-[0-9]{12}(\.unnoted)?|(?!0{8})[0-9]{8}\.usage"
    r"|\.([0-9]{8}\.jsonl|[0-9]{8}\.usage|torn-[0-9]{12}\.unnoted)\.tmp"
)
"""What else lies in the folder of a log: a count, torn ends, summaries, and what a crash left of a file on its way to
its name."""


class Report(msgspec.Struct, frozen=True):
    """A log without a fault.

    Attributes:
        lines: How many, which is the number of the last one.
        first_time: eventTime of the first line; `last_time` of the last.
        last_line: SHA-256 of the last line, 64 hex digits.
        generation: Of the vault after the last line; `root` is its trunk digest then.
        torn: Bytes after the last newline.
        digests: SHA-256 of the lines that were watched for, by number.
    """

    vault_id: str
    lines: int
    segments: int
    first_time: datetime
    last_time: datetime
    last_line: str
    generation: int
    root: str
    torn: int
    digests: dict[int, str]


def check_files(entries: Iterable[Entry]) -> list[tuple[int, int]]:
    """The (number, bytes) of each segment in the folder of a log, in order.

    Raises:
        AuditTamperedError: One is missing, empty or no file, or something foreign lies between them.
    """
    sizes: dict[int, int] = {}
    for name, size in entries:
        number = segment_number(name)
        if number:
            sizes[number] = size
        elif size < 0 or not _OURS.fullmatch(name):
            raise errors.AuditTamperedError(
                what=f"{name!r} does not belong into its folder",
                hint="move it elsewhere if you know where it comes from",
            )
    for number in range(1, max(sizes, default=1) + 1):
        if sizes.get(number, 0) <= 0:
            state = "is missing" if number not in sizes else "is empty" if not sizes[number] else "is no file"
            raise errors.AuditTamperedError(what=f"{number:08d}.jsonl {state}")
    return sorted(sizes.items())


class Verifier:
    """Takes a log line by line; each is signed by who the lines before it say can sign."""

    def __init__(
        self, fingerprint: bytes, checks: Checks, *, replay: Replay | None = None, watch: Container[int] = ()
    ) -> None:
        """Begin before the first line.

        Args:
            fingerprint: Of the first set of roots, 32 bytes: the one thing that is trusted.
            checks: Checks the signatures.
            replay: Plays the changes again; None leaves that out.
            watch: Numbers of the lines whose digests the report is to hold.
        """
        self._signers = Signers(fingerprint)
        self._checks = checks
        self._replay = replay
        self._watch = watch
        self._at = Place(0, 0, 0)
        self._torn = 0
        self._digest = auditline.FIRST_PREV
        self._generation = 0
        self._root = tree.EMPTY.hex()
        self._times: tuple[datetime, datetime] | None = None
        self._digests: dict[int, str] = {}

    def take(self, segment: int, data: bytes) -> None:
        """Take the next line.

        Args:
            segment: Number of its segment.
            data: The line with its newline; without one it is the torn end, after which nothing may come.

        Raises:
            AuditTamperedError: It, or a line before it, is not what it must be.
        """
        try:
            self._take(segment, data)
        except errors.AuditTamperedError:
            # A signature that was not checked yet may be broken in an earlier line.
            self._checks.finish()
            raise

    def expect(self, line: bytes) -> None:
        """Take a line that is to be appended next, without its newline; errors as for `take`."""
        torn, self._torn = self._torn, 0
        begun = auditline.decode(line).segment
        self.take(begun.number if begun else self._at.segment, line + b"\n")
        self._torn = torn

    def report(self) -> Report:
        """What was found, after the last line.

        Raises:
            AuditTamperedError: There was no line, or a signature is broken.
        """
        self._checks.finish()
        if self._times is None:
            raise errors.AuditTamperedError(what="it has no line")
        return Report(
            vault_id=self._signers.vault_id,
            lines=self._at.seq,
            segments=self._at.segment,
            first_time=self._times[0],
            last_time=self._times[1],
            last_line=self._digest,
            generation=self._generation,
            root=self._root,
            torn=self._torn,
            digests=self._digests,
        )

    def _take(self, segment: int, data: bytes) -> None:
        before = self._at
        if self._torn:
            raise fault(msgspec.structs.replace(before, line=before.line + 1, seq=before.seq + 1), "it has no end")
        place = Place(segment, before.line + 1 if segment == before.segment else 1, before.seq + 1)
        line = data.removesuffix(b"\n")
        if len(line) > limits.AUDIT_LINE_MAX:
            raise fault(place, "it is longer than a line can be")
        if len(line) == len(data):
            if place.line == 1:
                raise fault(place, "its segment has no whole line")
            self._torn = len(data)
            return
        try:
            job = self._check(place, line, auditline.decode(line))
        except errors.AuditTamperedError as error:
            raise fault(place, str(error.data["what"])) from error
        self._checks.add(place, job)
        self._at = place
        self._digest = auditline.digest(line)
        if place.seq in self._watch:
            self._digests[place.seq] = self._digest

    def _check(self, place: Place, data: bytes, line: Line) -> Job:
        """Check everything about a line but its signature, which is returned as what is left to do."""
        if place.segment != self._at.segment:
            self._enter(place.segment, line.segment)
        elif line.segment:
            raise _wrong("it has the member segment, but begins none")
        self._check_chain(place, line)
        self._check_state(place, line)
        # By what was known before the line: what it tells of keys counts from the next line on.
        key = self._signers.key_of(line)
        self._signers.learn(line)
        message = auditline.signed_bytes(self._signers.vault_id, auditline.signed_part(data))
        return Job(key, message, line.signature.value)

    def _enter(self, number: int, segment: Segment | None) -> None:
        if number != self._at.segment + 1:
            raise _wrong(f"segment {self._at.segment + 1} is missing before it")
        if segment is None:
            raise _wrong("it begins a segment, but lacks the member segment")
        if segment.number != number:
            raise _wrong(f"it does not begin segment {number}")
        self._signers.enter(segment)

    def _check_chain(self, place: Place, line: Line) -> None:
        if line.vault.id != self._signers.vault_id:
            raise _wrong("it belongs to another vault")
        if line.chain.seq != place.seq:
            raise _wrong("it has another number")
        if line.chain.prev != self._digest:
            raise _wrong("it does not follow the line before it")
        first, last = self._times or (line.eventTime, line.eventTime)
        if line.eventTime < last:
            raise _wrong("its time is before that of the line before it")
        self._times = (first, line.eventTime)

    def _check_state(self, place: Place, line: Line) -> None:
        state = line.vault
        if line.change is None:
            if place.seq == 1:
                raise _wrong("it does not make a vault")
            if (state.generation, state.root) != (self._generation, self._root):
                raise _wrong("it changes nothing, but tells of another state than the line before it")
            return
        if state.generation != self._generation + 1:
            raise _wrong(f"it does not make generation {self._generation + 1}")
        _check_listed(line.change)
        if self._replay and self._replay.apply(line.change) != state.root:
            raise _wrong("its changes do not lead to the state that it tells of")
        self._generation, self._root = state.generation, state.root


def _check_listed(changes: Sequence[RecordChange]) -> None:
    names = [(change.kind, change.id) for change in changes]
    if not names or any(name >= following for name, following in pairwise(names)):
        raise _wrong("its changes are not listed in order")
    for change in changes:
        digests = {change.old, change.new}
        if len(digests) == 1 or not all(digest is None or _DIGEST.fullmatch(digest) for digest in digests):
            raise _wrong("its changes are no changes")


def _wrong(what: str) -> errors.AuditTamperedError:
    return errors.AuditTamperedError(what=what)
