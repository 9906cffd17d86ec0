"""What this user last saw of a vault, kept outside it: the alarm against a vault put back in time.

Implements docs/spec/vault.md, "Pin". Read before a state is read, written under the vault's lock, so it only grows. It
is no secret and no proof for others.
"""

from pathlib import Path
from typing import Annotated

import msgspec

from kmscli import errors
from kmscli.audit.log import AuditLog, Tail
from kmscli.formats import auditline, record
from kmscli.formats.wire import sha256
from kmscli.model import limits
from kmscli.storage import files
from kmscli.vault.snapshot import Snapshot

_Number = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Pin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The newest state and the newest audit line that this user saw.

    Attributes:
        head: SHA-256 of the head's body, 64 hex digits.
        seq: Number of the line, whose last byte stands before byte `offset` - 1 of `segment`.
        line: SHA-256 of the line; `length` are its bytes.
    """

    fingerprint: str
    generation: _Number
    head: str
    seq: _Number
    line: str
    segment: _Number
    offset: _Number
    length: Annotated[int, msgspec.Meta(ge=0, le=limits.AUDIT_LINE_MAX)]


def of(snapshot: Snapshot, tail: Tail) -> Pin:
    """The pin for what was just seen."""
    return Pin(
        fingerprint=snapshot.fingerprint.hex(),
        generation=snapshot.head.generation,
        head=sha256(snapshot.head_body).hex(),
        seq=tail.seq,
        line=tail.digest,
        segment=tail.ending.segment,
        offset=tail.ending.offset,
        length=len(tail.ending.last),
    )


def load(path: Path) -> Pin | None:
    """The pin at `path`; None if there is none or it is no pin (then the next use writes a new one)."""
    try:
        return record.decode(files.read_own(path, limit=4096) or b"", Pin)
    except errors.KmsError:
        return None


def save(path: Path, pin: Pin) -> None:
    """Keep a pin.

    Raises:
        OSError: The folder of states cannot be written.
    """
    files.make_folders(path.parent)
    files.replace_locked(path, record.encode(pin), durable=False)


def check_state(pin: Pin, path: Path, snapshot: Snapshot) -> None:
    """Refuse a state older than the one seen.

    Raises:
        RollbackError: It is older, or another one of the same age.
    """
    if snapshot.fingerprint.hex() != pin.fingerprint:
        raise errors.RollbackError(what="it has other roots than before", pin=path)
    found = snapshot.head.generation
    if found < pin.generation:
        raise errors.RollbackError(what=f"generation {found}, and {pin.generation} was seen before", pin=path)
    if found == pin.generation and sha256(snapshot.head_body).hex() != pin.head:
        raise errors.RollbackError(what=f"its generation {found} is not the one seen before", pin=path)


def check_log(pin: Pin, tail: Tail, log: AuditLog) -> None:
    """Refuse a log that lost what was seen of it.

    Raises:
        AuditTamperedError: It is shorter, or the line seen before is another one.
    """
    if tail.seq < pin.seq:
        raise errors.AuditTamperedError(what=f"it ends at line {tail.seq}, and line {pin.seq} was seen before")
    line = log.line_at(pin.segment, pin.offset - 1, pin.length)
    if auditline.digest(line) != pin.line:
        raise errors.AuditTamperedError(what=f"line {pin.seq} is not the one seen before")
