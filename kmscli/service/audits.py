"""Reading the audit log: its end, a search through it, and the proof that it is the log that was signed.

Implements docs/spec/audit.md, "Reading" and "Verifying". None of it needs a secret, and none of it writes a line.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kmscli.service.shapes import Response
from kmscli.vault.folder import Vault

Outcome = Literal["ok", "denied", "failed"]
Event = dict[str, Any]
"""The members of one line under the names they have in it, chain and signature included."""


class AuditQuery(NamedTuple):
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
    raise NotImplementedError


def search(vault: Vault, query: AuditQuery) -> Iterator[Event]:
    """The lines that fit a query, oldest first, read as they are asked for; what they claim is not verified.

    Raises:
        KmsError: As `tail`; VaultTampered when an alias must be looked up in a vault that is damaged.
    """
    raise NotImplementedError


def parse_time(text: str, now: datetime) -> datetime:
    """A time as a person names it: `30d`, `12h`, `45m` ago, an ISO date, or an ISO time (UTC where it names no zone).

    Raises:
        ValidationError: It is none of these.
    """
    raise NotImplementedError


def parse_fingerprint(text: str) -> bytes:
    """A root fingerprint as `kms init` prints it: 64 hex digits.

    Raises:
        ValidationError: It is not one.
    """
    raise NotImplementedError


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
    """
    raise NotImplementedError


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
    raise NotImplementedError
