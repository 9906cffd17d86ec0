"""What a vault and its user know of the audit log, held against the log.

Implements docs/spec/audit.md, "Verification", with the vault beside the log: the head's line is in it, the newest line
that the database keeps is in it or is its next one, it knows of no later generation, and what this user saw of it is
still there.
"""

from pathlib import Path

import msgspec

from kmscli import errors
from kmscli.audit.verify import Report, Verifier
from kmscli.formats import auditline, tree
from kmscli.formats.head import Head
from kmscli.storage import segments
from kmscli.storage.lock import vault_lock
from kmscli.storage.paths import pin_file
from kmscli.storage.segments import Entry
from kmscli.vault import pin
from kmscli.vault.folder import Vault
from kmscli.vault.journal import behind_its_log
from kmscli.vault.pin import Pin
from kmscli.vault.snapshot import Snapshot


class Witness(msgspec.Struct, frozen=True):
    """Vault and log at one moment at which nobody was writing.

    Attributes:
        seen: What this user saw of the vault before, read before the rest.
        pin_path: Where that is kept.
        fingerprint: Of the first set of roots, 32 bytes: the one that was seen, else what the vault says.
        head: The head, proved.
        latest: The newest line that the database keeps, without its newline; its number is `latest_seq`.
        entries: What lay in the folder of the log.
    """

    seen: Pin | None
    pin_path: Path
    fingerprint: bytes
    head: Head
    latest: bytes
    latest_seq: int
    entries: list[Entry]

    @property
    def watch(self) -> frozenset[int]:
        """Numbers of the lines whose digests `compare` needs."""
        return frozenset({self.head.seq, self.latest_seq})


def witness(vault: Vault) -> Witness:
    """Take vault and log as they are now; the lock is held for no longer than that.

    Raises:
        KmsError: The vault is damaged, was tampered with, or went back in time; LockTimeoutError.
    """
    with vault.store.snapshot():
        path = pin_file(Snapshot(vault.store, None).head.vault_id)
    seen = pin.load(path)
    with vault_lock(vault.paths.lock, timeout=vault.lock_timeout), vault.store.snapshot():
        snapshot = Snapshot(vault.store, None)
        if seen:
            pin.check_state(seen, path, snapshot)
        latest = vault.store.latest_line()
        entries = segments.entries(vault.paths.audit)
    return Witness(seen, path, snapshot.fingerprint, snapshot.head, latest, _seq(latest), entries)


def _seq(latest: bytes) -> int:
    try:
        return auditline.decode(latest).chain.seq
    except errors.AuditTamperedError as error:
        raise _lacking("the newest line that the database keeps is none") from error


def compare(vault: Vault, known: Witness, verifier: Verifier) -> bool:
    """Hold what is known against a log whose lines a verifier has taken.

    Returns:
        Whether the newest line that the database keeps has yet to be appended: a command was killed before it could.

    Raises:
        AuditTamperedError: The log lacks what is known of it.
        RollbackError: The log knows of a later generation than the database.
    """
    report = verifier.report()
    pending = known.latest_seq == report.lines + 1
    if pending:
        report = _with_pending(verifier, known)
    elif known.latest_seq > report.lines:
        raise _lacking(f"it ends at line {report.lines}, but the vault knows of line {known.latest_seq}")
    elif report.digests.get(known.latest_seq) != auditline.digest(known.latest):
        raise _lacking(f"line {known.latest_seq} is not the one that the database keeps")
    _check_head(known, report)
    if known.seen:
        pin.check_log(known.seen, vault.log.tail(), vault.log)
    return pending


def _with_pending(verifier: Verifier, known: Witness) -> Report:
    try:
        verifier.expect(known.latest)
        return verifier.report()
    except errors.AuditTamperedError as error:
        reason = error.data.get("reason", "")
        raise _lacking(f"the newest line that the database keeps cannot be its next one: {reason}") from error


def _check_head(known: Witness, report: Report) -> None:
    head = known.head
    if report.generation > head.generation:
        raise behind_its_log(head.generation, report.generation, known.pin_path)
    if report.digests.get(head.seq) != head.line:
        raise _lacking(f"it does not hold line {head.seq}, which the vault knows of")
    if (report.vault_id, report.generation, report.root) != (head.vault_id, head.generation, head.root):
        raise _lacking(f"it does not tell of generation {head.generation} as the vault is")


def _lacking(what: str) -> errors.AuditTamperedError:
    return errors.AuditTamperedError(what=what)


def prove_groups(vault: Vault, fingerprint: bytes) -> int:
    """Prove every group of records; returns how many there are.

    A branch of the tree at a time, each in the state that is newest then: so no writer waits for the whole.

    Args:
        vault: The vault.
        fingerprint: Of the first set of roots, 32 bytes.

    Raises:
        VaultTamperedError: A group is not the signed one.
    """
    return sum(_prove_branch(vault, fingerprint, branch) for branch in range(tree.FANOUT))


def _prove_branch(vault: Vault, fingerprint: bytes, branch: int) -> int:
    count = 0
    with vault.store.snapshot():
        snapshot = Snapshot(vault.store, fingerprint)
        for bucket, name in snapshot.group_names("", (branch * tree.FANOUT, "")):
            if bucket >= (branch + 1) * tree.FANOUT:
                break
            snapshot.group(name)
            count += 1
    return count
