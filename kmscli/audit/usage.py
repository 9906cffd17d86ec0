"""When a key or an access key was last used: found in the log without reading all of it.

Implements docs/spec/audit.md, "Usage summaries". The newest segment is read backwards; of each older one a summary
says where to look, and where there is none that is believed, the segment is read once and one is made. Every answer is
a line of the log. From the newest line, whose signature is checked, digest by digest to that line, nothing is taken on
trust but the word of a root, or one's own, that a segment was read in this way before.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

from kmscli import errors
from kmscli.audit.faults import Place, fault
from kmscli.audit.log import CheckSignature
from kmscli.crypto import identity
from kmscli.formats import auditline, usage
from kmscli.formats.usage import Spot, Summary
from kmscli.model import ids, limits
from kmscli.storage import segments

USES = frozenset(
    {
        "Decapsulate",
        "Decrypt",
        "DeriveSharedSecret",
        "Encapsulate",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "ReEncrypt",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
"""The operations that use a key, where they succeed (AWS KMS API reference, GetKeyLastUsage)."""

_HEADER_USUAL = 1 << 16
_NAMES_FEW = 4
_Part = Callable[[int, int], bytes]
"""Gives the bytes of a summary from a first one on, as many as there are up to a number."""


class Use(NamedTuple):
    """A use, as its line tells of it.

    Attributes:
        operation: AWS's name.
        time: UTC, whole seconds.
        region: The Region that was asked.
    """

    operation: str
    time: datetime
    event_id: str
    request_id: str
    region: str = ""


class Reader(NamedTuple):
    """Who asks, and what he believes.

    Attributes:
        vault_id: 32 hex digits.
        principal: His name; `sign` gives his Ed25519 signature.
        trusted: Public keys of those whose summaries are believed, by name: the roots and himself.
        check: Checks the signature of a line.
        roots: Names of the roots, who alone tell of uses of access keys.
    """

    vault_id: str
    principal: str
    sign: Callable[[bytes], bytes]
    trusted: Mapping[str, bytes]
    check: CheckSignature
    roots: frozenset[str] = frozenset()


class _Resource(msgspec.Struct, frozen=True):
    ARN: str | None = None


class _Who(msgspec.Struct, frozen=True):
    accessKeyId: str | None = None  # noqa: N815 - CloudTrail's names, here and below


class _Signature(msgspec.Struct, frozen=True):
    signer: str = ""


_NOBODY, _UNSIGNED = _Who(), _Signature()


class _Chain(msgspec.Struct, frozen=True):
    seq: int
    prev: str


class _Link(msgspec.Struct, frozen=True):
    chain: _Chain


class _Seen(_Link, frozen=True):
    """What is read of a line here; its bytes are proved by the line after it."""

    eventName: str = ""  # noqa: N815
    eventID: str = ""  # noqa: N815
    requestID: str = ""  # noqa: N815
    errorCode: str | None = None  # noqa: N815
    awsRegion: str = ""  # noqa: N815
    userIdentity: _Who = _NOBODY  # noqa: N815
    resources: tuple[_Resource, ...] = ()
    signature: _Signature = _UNSIGNED


class _Edge(NamedTuple):
    """Where a segment begins: the time of its first line, and the digest of the line before."""

    began: datetime
    prev: str


_SEEN = msgspec.json.Decoder(_Seen)
_LINK = msgspec.json.Decoder(_Link)
_NO_LINE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def _look(line: bytes) -> _Seen:
    try:
        return _SEEN.decode(line)
    except _NO_LINE:
        # Only the signer answers for the other members: a line that is no use for their type is a line all the same.
        return _Seen(chain=_chain(line))


def _chain(line: bytes) -> _Chain:
    try:
        return _LINK.decode(line).chain
    except _NO_LINE as error:
        raise errors.AuditTamperedError(what="a line is not an audit line") from error


def _used(seen: _Seen, roots: Collection[str]) -> list[str]:
    """Ids of the keys and of the access key that a line tells a use of."""
    # Whatever the request came to, it was signed; only the endpoint, which is a root, saw that it was.
    signed_with = seen.userIdentity.accessKeyId
    if signed_with is None or seen.signature.signer not in roots or not ids.is_access_key_id(signed_with):
        return _keys_used(seen)
    return [*_keys_used(seen), signed_with]


def _keys_used(seen: _Seen) -> list[str]:
    """Ids of the keys that a line tells a use of: a refusal, a failure and a dry run are none."""
    if seen.eventName not in USES or seen.errorCode is not None:
        return []
    named = [(resource.ARN or "").rpartition(":key/")[2] for resource in seen.resources]
    return [key_id for key_id in named if ids.is_key_id(key_id)]


def last_use(folder: Path, key_id: str, reader: Reader, *, not_before: datetime) -> Use | None:
    """The last successful use of a key; None if there was none.

    Summaries that are missing are made and kept on the way; where they cannot be kept, that only costs time.

    Args:
        folder: Of the log.
        key_id: The key.
        reader: Who asks.
        not_before: When the key was made: what was complete before then is not opened.

    Raises:
        AuditTamperedError: What was read of the log is not what was signed.
        AuditUnavailableError: It cannot be read.
    """
    return last_uses(folder, {key_id: not_before}, reader).get(key_id)


def last_uses(folder: Path, wanted: Mapping[str, datetime], reader: Reader) -> dict[str, Use]:
    """The last use of each of some keys and access keys, found in one walk; without those that have none.

    Args:
        folder: Of the log.
        wanted: Their ids, and when each was made.
        reader: Who asks.

    Raises:
        AuditTamperedError: What was read of the log is not what was signed.
        AuditUnavailableError: It cannot be read.
    """
    named = {name: made for name, made in wanted.items() if ids.is_key_id(name) or ids.is_access_key_id(name)}
    return _Search(folder, named, reader).run() if named else {}


class _Search:
    """Some keys and access keys looked for in one log."""

    def __init__(self, folder: Path, wanted: Mapping[str, datetime], reader: Reader) -> None:
        self._folder = folder
        self._reader = reader
        # Whole seconds, as lines have.
        self._wanted = {name: made.replace(microsecond=0) for name, made in wanted.items()}
        self._found: dict[str, Use] = {}

    def run(self) -> dict[str, Use]:
        """Look from the newest segment back to the first that began before all that is still looked for was made."""
        numbers = segments.segment_numbers(self._folder)
        if not numbers:
            return {}
        number, known = numbers[-1], frozenset(numbers)
        edge = self._in_newest(number)
        while edge is not None and self._is_sought_before(edge.began) and number > 1:
            number -= 1
            if number not in known:
                raise errors.AuditTamperedError(what=f"{segments.segment_path(self._folder, number).name} is missing")
            edge = self._in_complete(number, edge.prev)
        if edge is not None and number == 1 and edge.prev != auditline.FIRST_PREV:
            raise fault(Place(1, 1, 1), "it is not the first one")
        return self._found

    def _is_sought_before(self, began: datetime) -> bool:
        self._wanted = {name: made for name, made in self._wanted.items() if made <= began}
        return bool(self._wanted)

    def _take(self, line: bytes, names: Collection[str]) -> None:
        """Note a line as the last use of what it tells of."""
        # Its signature is left alone: the line hangs by digests from the last one, and its signer may have renewed his
        # key since, or be gone.
        parsed, seen = auditline.decode(line), _look(line)
        use = Use(parsed.eventName, parsed.eventTime, seen.eventID, seen.requestID, seen.awsRegion)
        for name in names:
            self._found[name] = use
            del self._wanted[name]

    def _in_newest(self, number: int) -> _Edge | None:
        """Look into the newest segment; None if nothing more is looked for."""
        path = segments.segment_path(self._folder, number)
        line, following = b"", None
        for line in segments.read_backwards(path, line_max=limits.AUDIT_LINE_MAX):
            if following is None:
                # Everything before it is bound to this one line, for each line has the digest of the one before it.
                self._reader.check(auditline.decode(line), line)
            elif auditline.digest(line) != following:
                raise errors.AuditTamperedError(what=f"{path.name}: a line does not follow the line before it")
            if self._may_tell(line) and (names := self._wanted.keys() & _used(_look(line), self._reader.roots)):
                self._take(line, names)
                if not self._wanted:
                    return None
            following = _chain(line).prev
        if following is None:
            raise errors.AuditTamperedError(what=f"segment {number} has no whole line")
        return _edge(number, line)

    def _may_tell(self, line: bytes) -> bool:
        # One name is found in less time than a line is parsed; many are not.
        return len(self._wanted) > _NAMES_FEW or any(name.encode() in line for name in self._wanted)

    def _in_complete(self, number: int, last: str) -> _Edge | None:
        """Look into a segment that can change no more; None if nothing more is looked for.

        Args:
            number: Of the segment.
            last: SHA-256 of its last line, as the line after it tells.
        """
        try:
            return self._told(number, last, partial(segments.read_summary, self._folder, number))
        except (errors.VaultTamperedError, errors.AuditTamperedError):
            # Missing, damaged, of another log, or by somebody who is not believed: all the same.
            made = self._make(number, last)
        segments.keep_summary(self._folder, number, made)
        return self._told(number, last, lambda start, length: made[start : start + length])

    def _told(self, number: int, last: str, part: _Part) -> _Edge | None:
        """Take what a summary tells, proved by the lines to which it points.

        Raises:
            VaultTamperedError: It is not to be believed, or does not fit.
            AuditTamperedError: The line is not as it says.
        """
        header = _header(part)
        summary = usage.decode(header)
        self._check_summary(number, last, summary)
        pages = len(header) + 1
        if part(pages + usage.length(summary), 1):
            raise errors.VaultTamperedError(what="a summary is longer than it says")
        told = {}
        for name in self._wanted:
            if extent := usage.page_of(summary, name):
                page = part(pages + extent.start, extent.length)
                if spot := usage.find(summary, extent.number, page, name):
                    told[name] = self._at(number, spot, name)
        # Not before all of it was found to be right: a summary that is not is as good as none.
        for name, line in told.items():
            self._take(line, [name])
        return _Edge(summary.began, summary.prev) if self._wanted else None

    def _check_summary(self, number: int, last: str, summary: Summary) -> None:
        size = segments.size_of(segments.segment_path(self._folder, number))
        made_from = (summary.vault_id, summary.segment, summary.size, summary.last)
        if made_from != (self._reader.vault_id, number, size, last):
            raise errors.VaultTamperedError(what="a summary does not fit its segment")
        signer = self._reader.trusted.get(summary.signer, b"")
        identity.verify(signer, usage.signed_bytes(summary), summary.signature)

    def _at(self, number: int, spot: Spot, name: str) -> bytes:
        line = segments.read_part(self._folder, number, spot.offset, spot.length)
        if sha256(line).digest() != spot.digest or name not in _used(_look(line), self._reader.roots):
            raise errors.AuditTamperedError(what=f"segment {number} is not the one that was summarised")
        auditline.decode(line)
        return line

    def _make(self, number: int, last: str) -> bytes:
        """Read a segment once, each line held against the one after it; the summary, signed.

        Raises:
            AuditTamperedError: It is not the segment whose last line has the digest `last`.
        """
        path = segments.segment_path(self._folder, number)
        walk = _Walk(number, self._reader.roots)
        for data in segments.read_lines(path, line_max=limits.AUDIT_LINE_MAX):
            walk.take(data)
        if walk.edge is None or walk.digest != last:
            raise fault(walk.at, "the line after it does not follow it")
        summary = Summary(
            vault_id=self._reader.vault_id,
            segment=number,
            size=walk.size,
            began=walk.edge.began,
            prev=walk.edge.prev,
            last=last,
            keys=0,
            pages=(),
            signer=self._reader.principal,
        )
        return usage.encode(summary, walk.uses, self._reader.sign)


class _Walk:
    """A segment, read line by line from its beginning.

    Attributes:
        uses: The last use of each key and access key so far.
        size: Bytes of the lines so far.
        digest: SHA-256 of the line taken last, 64 hex digits.
        edge: Where the segment begins; None before the first line.
    """

    def __init__(self, number: int, roots: Collection[str]) -> None:
        self._roots = roots
        self.uses: dict[str, Spot] = {}
        self.size = 0
        self.digest = ""
        self.edge: _Edge | None = None
        self._segment = number
        self._line = 0
        self._seq = 0

    @property
    def at(self) -> Place:
        """The line taken last."""
        return Place(self._segment, self._line, self._seq)

    def take(self, data: bytes) -> None:
        """Take the next line, with its newline.

        Raises:
            AuditTamperedError: It has none, is no line, or does not follow the one before it.
        """
        self._line += 1
        self._seq += 1
        line = data.removesuffix(b"\n")
        if len(line) == len(data):
            raise fault(self.at, "it has no end")
        try:
            seen = _look(line)
        except errors.AuditTamperedError as error:
            raise fault(self.at, str(error.data["what"])) from error
        self._seq = seen.chain.seq
        if self.edge is None:
            self.edge = _edge(self._segment, line)
        elif seen.chain.prev != self.digest:
            raise fault(self.at, "it does not follow the line before it")
        digest = sha256(line)
        for name in _used(seen, self._roots):
            self.uses[name] = Spot(self.size, len(line), digest.digest())
        self.digest = digest.hexdigest()
        self.size += len(data)


def _edge(number: int, first: bytes) -> _Edge:
    line = auditline.decode(first)
    if line.segment is None or line.segment.number != number:
        raise fault(Place(number, 1, line.chain.seq), f"it does not begin segment {number}")
    return _Edge(line.eventTime.astimezone(UTC), line.chain.prev)


def _header(part: _Part) -> bytes:
    for most in (_HEADER_USUAL, usage.HEADER_MAX):
        header, newline, _ = part(0, most).partition(b"\n")
        if newline:
            return header
    raise errors.VaultTamperedError(what="a summary has no header")
