"""Reading the audit log: its end, a search through it, and the proof that it is the log that was signed.

Implements docs/spec/audit.md, "Verification". None of it needs a secret, and none of it writes a line.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from kmscli import errors
from kmscli.audit import reading
from kmscli.audit.search import Key, Outcome, Wanted, fits, look
from kmscli.audit.verify import Report
from kmscli.formats import auditline
from kmscli.model import ids
from kmscli.service.shapes import Response
from kmscli.storage import segments
from kmscli.vault.folder import Vault
from kmscli.vault.snapshot import Snapshot
from kmscli.vault.witness import compare, prove_groups, witness

Event = dict[str, Any]
"""The members of one line under the names they have in it, chain and signature included."""

_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class AuditQuery(msgspec.Struct, frozen=True):
    """Which lines a search wants: those that fit every member that is set.

    Attributes:
        principal: Who acted: user name or ARN.
        key_id: The key: its id, ARN, alias name or alias ARN, or any text that a request gave as a key.
        operation: AWS's name or the verb (`CreateKey`, `create-key`).
        since: From this time on.
        until: Before this time.
        outcome: `denied` is AccessDeniedException, `failed` any other error; a dry run that succeeded is `ok`.
    """

    principal: str | None = None
    key_id: str | None = None
    operation: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    outcome: Outcome | None = None


class VerifyResponse(Response, frozen=True, kw_only=True):
    """A log that is whole.

    Attributes:
        log: Its folder.
        root_fingerprint: What the signatures were traced back to.
        trusted_by: Who vouched for the fingerprint: `pin` (this user saw it before), `vault` (nobody but the vault
            itself: compare it with what `kms init` printed) or `argument`.
        full: Whether each change was replayed.
        lines: How many there are; `last_seq` is the number of the last one, `last_line` its SHA-256.
        generation: Of the vault after the last line.
        torn_bytes: Bytes of a line that was not written to its end; the next operation completes it or sets it aside.
        pending_lines: 1 if a command was killed after its change and before its line; the next operation appends it.
        groups: How many groups of records of the database were proved too.
    """

    log: str
    vault_id: str
    root_fingerprint: str
    trusted_by: Literal["pin", "vault", "argument"]
    full: bool
    lines: int
    segments: int
    first_time: datetime
    last_time: datetime
    last_seq: int
    last_line: str
    generation: int
    torn_bytes: int
    pending_lines: int
    groups: int | None = None


def tail(vault: Vault, *, lines: int) -> list[Event]:
    """The last lines of the log, oldest first; what they claim is not verified.

    Args:
        vault: The vault.
        lines: How many at most.

    Raises:
        AuditUnavailableError: The log cannot be read.
        AuditTamperedError: What was read is no audit line.
    """
    return [auditline.members(line) for line in reading.last_lines(vault.paths.audit, max(0, lines))]


def search(vault: Vault, query: AuditQuery) -> Iterator[Event]:
    """The lines that fit a query, oldest first, read as they are asked for; what they claim is not verified.

    Raises:
        KmsError: As `tail`; VaultTampered when an alias must be looked up in a vault that is damaged.
    """
    wanted = Wanted(
        principal=query.principal,
        key=None if query.key_id is None else _key(vault, query.key_id),
        operation=query.operation,
        since=query.since,
        until=query.until,
        outcome=query.outcome,
    )
    return _found(vault.paths.audit, wanted)


def _found(folder: Path, wanted: Wanted) -> Iterator[Event]:
    for line in reading.lines_from(folder, wanted.since):
        seen = look(line)
        if wanted.until is not None and seen.eventTime >= wanted.until:
            return
        if fits(seen, wanted):
            yield auditline.members(line)


def _key(vault: Vault, text: str) -> Key:
    """What a request may have called the key that a person names so."""
    if ids.is_key_id(text):
        return Key(text, frozenset({text}))
    with vault.store.snapshot():
        snapshot = Snapshot(vault.store, None)
        try:
            ref = ids.parse_key_ref(text, snapshot.place)
        except errors.KmsError:
            # No name of a key here; but requests that failed for just that reason can be looked for.
            return Key(None, frozenset({text}))
        if ref.alias is None:
            return Key(ref.key_id, frozenset({text, str(ref.key_id)}))
        found = snapshot.alias(ref.alias)
        spellings = {text, ref.alias, ids.alias_arn(snapshot.place, ref.alias)}
        if found:
            spellings |= {found.key_id, ids.key_arn(snapshot.place, found.key_id)}
        return Key(found.key_id if found else None, frozenset(spellings))


def parse_time(text: str, now: datetime) -> datetime:
    """A time as a person names it: `30d`, `12h`, `45m` ago, an ISO date, or an ISO time (UTC where it names no zone).

    Raises:
        ValidationError: It is none of these.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise errors.ValidationError(
            problem=f"{text!r} is no time", hint="such as 30d, 12h, 45m, 2026-01-31 or 2026-01-31T18:30:00Z"
        ) from error


def parse_fingerprint(text: str) -> bytes:
    """A root fingerprint as `kms init` prints it: 64 hex digits.

    Raises:
        ValidationError: It is not one.
    """
    if not _FINGERPRINT.fullmatch(text.lower()):
        raise errors.ValidationError(
            problem=f"{text!r} is no root fingerprint", hint="64 hex digits, as `kms init` and `kms status` print them"
        )
    return bytes.fromhex(text)


def verify(vault: Vault, *, full: bool = False) -> VerifyResponse:
    """Prove the vault's own log, and that it and the database tell of the same vault.

    Args:
        vault: The vault.
        full: Also replay every change, and prove every record of the database.

    Raises:
        AuditTamperedError: Names the first bad line.
        AuditUnavailableError: The log cannot be read.
        RollbackError: The database is older than the log, or the vault older than this user saw it.
        VaultTamperedError: The database is not the signed one.
        LockTimeoutError: Others kept the vault locked.
    """
    known = witness(vault)
    folder = vault.paths.audit
    with reading.verified(folder, known.entries, known.fingerprint, full=full, watch=known.watch) as verifier:
        report = verifier.report()
        pending = compare(vault, known, verifier)
    proved = _response(folder, report, known.fingerprint, full=full, trusted_by="pin" if known.seen else "vault")
    groups = prove_groups(vault, known.fingerprint) if full else None
    return msgspec.structs.replace(proved, pending_lines=int(pending), groups=groups)


def verify_log(folder: Path, fingerprint: bytes, *, full: bool = False) -> VerifyResponse:
    """Prove a log by itself, as a third party can who has no vault.

    Args:
        folder: The folder of segments.
        fingerprint: The root fingerprint, 32 bytes.
        full: Also replay every change.

    Raises:
        AuditTamperedError: Names the first bad line.
        AuditUnavailableError: The log cannot be read.
    """
    with reading.verified(folder, segments.entries(folder), fingerprint, full=full) as verifier:
        return _response(folder, verifier.report(), fingerprint, full=full, trusted_by="argument")


def _response(
    folder: Path, report: Report, fingerprint: bytes, *, full: bool, trusted_by: Literal["pin", "vault", "argument"]
) -> VerifyResponse:
    return VerifyResponse(
        log=str(folder),
        vault_id=report.vault_id,
        root_fingerprint=fingerprint.hex(),
        trusted_by=trusted_by,
        full=full,
        lines=report.lines,
        segments=report.segments,
        first_time=report.first_time,
        last_time=report.last_time,
        last_seq=report.lines,
        last_line=report.last_line,
        generation=report.generation,
        torn_bytes=report.torn,
        pending_lines=0,
    )
