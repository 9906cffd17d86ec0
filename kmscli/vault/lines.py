"""Whose signature a line of the audit log must have, by what one state of the vault says of its principals."""

from kmscli import errors
from kmscli.crypto import identity
from kmscli.formats import auditline
from kmscli.formats.auditline import Line
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
    known = {key.principal: key.sign for key in snapshot.roots.roots}
    signer = line.signature.signer
    if signer not in known and (found := snapshot.principal(signer)):
        known[signer] = found.sign
    if line.vault.id != snapshot.head.vault_id or signer not in known:
        raise errors.AuditTamperedError(what=f"line {line.chain.seq} was signed by nobody of this vault")
    try:
        message = auditline.signed_bytes(line.vault.id, auditline.signed_part(data))
        identity.verify(known[signer], message, line.signature.value)
    except errors.SignatureBrokenError as error:
        raise errors.AuditTamperedError(what=f"the signature of line {line.chain.seq} does not hold") from error
