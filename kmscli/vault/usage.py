"""When a key or an access key of a vault was last used, as its audit log tells.

Implements docs/spec/audit.md, "Usage summaries". Neither the vault's lock nor a read transaction is held while the log
is read. The end of the log is held against head and pin when the line of who asks is appended, before he is answered.
"""

from collections.abc import Mapping
from datetime import datetime

from kmscli.audit import usage
from kmscli.audit.usage import Reader, Use
from kmscli.formats.auditline import Line
from kmscli.vault.lines import check_line
from kmscli.vault.session import Session


def last_use(session: Session, key_id: str, *, not_before: datetime) -> Use | None:
    """The last successful cryptographic use of a key; None if there was none.

    The first call after a segment was completed reads that segment whole, a second for some hundred megabytes: do not
    call it while a read of the session is open, or writers wait for it.

    Args:
        session: Who asks.
        key_id: The key's id.
        not_before: When the key was made.

    Raises:
        AuditTamperedError: What was read of the log is not what was signed.
        AuditUnavailableError: It cannot be read.
        KmsError: As `Session.read`.
    """
    return last_uses(session, {key_id: not_before}).get(key_id)


def last_uses(session: Session, wanted: Mapping[str, datetime]) -> dict[str, Use]:
    """The last use of each of some keys and access keys, found in one walk; without those that have none.

    Args:
        session: Who asks; as for `last_use`.
        wanted: Their ids, and when each was made.

    Raises:
        KmsError: As `last_use`.
    """

    def check(line: Line, data: bytes) -> None:
        with session.read() as snapshot:
            check_line(snapshot, line, data)

    with session.read() as snapshot:
        vault_id = snapshot.head.vault_id
    roots = {key.principal: key.sign for key in session.roots}
    trusted = roots | {session.principal: session.identity.sign_public}
    reader = Reader(vault_id, session.principal, session.identity.sign, trusted, check, frozenset(roots))
    return usage.last_uses(session.vault.paths.audit, wanted, reader)
