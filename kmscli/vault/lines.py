"""Whose signature the newest line of the audit log must have, by what one state of the vault says of its principals.

Implements docs/spec/audit.md, "Who signs", for the one line that is not held against the lines before it.
"""

from kmscli import errors
from kmscli.audit import roots
from kmscli.crypto import identity
from kmscli.formats import auditline
from kmscli.formats.auditline import Line, Signer
from kmscli.formats.record import RootSet
from kmscli.vault.snapshot import Snapshot


def check_line(snapshot: Snapshot, line: Line, data: bytes) -> None:
    """Check that a line is of this vault and signed by who it says.

    Args:
        snapshot: The state that names the principals.
        line: The line.
        data: Its bytes, without a newline.

    Raises:
        AuditTamperedError: It is not.
    """
    key = _key_of(snapshot, line)
    if line.vault.id != snapshot.head.vault_id or key is None:
        raise errors.AuditTamperedError(what=f"line {line.chain.seq} was signed by nobody of this vault")
    if line.change is None:
        _check_told(snapshot, line)
    try:
        message = auditline.signed_bytes(line.vault.id, auditline.signed_part(data))
        identity.verify(key, message, line.signature.value)
    except errors.SignatureBrokenError as error:
        raise errors.AuditTamperedError(what=f"the signature of line {line.chain.seq} does not hold") from error


def _check_told(snapshot: Snapshot, line: Line) -> None:
    """Refuse a line that changes nothing, and yet tells of other principals than there are."""
    segment = line.segment
    chain = tuple(body.decode() for body in snapshot.root_bodies)
    if line.roots or line.principals or (segment and (segment.roots, segment.principals) != (chain, others(snapshot))):
        raise errors.AuditTamperedError(what=f"line {line.chain.seq} tells of principals who are none")


def _key_of(snapshot: Snapshot, line: Line) -> bytes | None:
    """The key with which the line must be signed; None if who it names cannot sign it."""
    signer = line.signature.signer
    keys = {key.principal: key.sign for key in _set_before(snapshot, line).roots}
    if signer in keys or line.change is not None or line.speaks_for_another:
        return keys.get(signer)
    found = snapshot.principal(signer)
    return found.sign if found is not None and found.state == "enabled" else None


def _set_before(snapshot: Snapshot, line: Line) -> RootSet:
    """The set of roots before the line: a change of the roots is signed by one of those who were."""
    written = [each.id for each in line.change or () if each.kind == "roots"]
    before = len(snapshot.root_bodies) - len(written)
    if not written or before < 1:  # the first line makes the first set, and signs by it
        return snapshot.roots
    return roots.check_chain(snapshot.root_bodies[:before], snapshot.fingerprint)


def others(snapshot: Snapshot) -> tuple[Signer, ...]:
    """The principals who are no roots, as the first line of a segment repeats them."""
    found = (snapshot.principal(name) for name in snapshot.roster)
    return tuple(
        Signer(name=each.name, state=each.state, sign=each.sign) for each in found if each is not None and not each.root
    )
