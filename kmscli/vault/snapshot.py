"""One proved state of the vault: its head, signed by a root, and the records below it.

Implements docs/spec/vault.md, "Head" and "Roots". The head's signature is checked once for each state.
"""

from kmscli import errors
from kmscli.audit import roots
from kmscli.crypto import identity
from kmscli.formats import head as heads
from kmscli.formats import record
from kmscli.formats.head import Head
from kmscli.storage.sqlite import Store
from kmscli.vault.records import Records


class Snapshot(Records):
    """A state of the vault; use within `Store.snapshot()` or a change.

    Attributes:
        head: The head's members; `head_body` are its bytes, and `signed` those and their signature.
        root_bodies: The chain of root sets; `roots` is the one in force.
        fingerprint: Of the first root set, 32 bytes.
    """

    def __init__(self, store: Store, trusted: bytes | None) -> None:
        """Check head and roots.

        Args:
            store: The rows.
            trusted: The root fingerprint; None takes the vault's own word (`kms status`).

        Raises:
            VaultTamperedError: The head, or what it stands on, is not signed by a root of this vault.
        """
        self.signed = store.head()
        self.head_body, signature = self.signed
        self.head = record.decode(self.head_body, Head)
        # The roots are read before they are proved, because they prove the head; `self.vault` proves their group.
        rows = [row for row in store.group("vault") if row.kind == "roots"]
        self.root_bodies = tuple(row.body for row in sorted(rows, key=lambda row: (len(row.id), row.id)))
        self.roots = roots.check_chain(self.root_bodies, trusted)
        self.fingerprint = roots.fingerprint(self.root_bodies[0])
        author = roots.root_key(self.roots, self.head.author)
        identity.verify(author.sign, heads.signed_bytes(self.head_body), signature)
        super().__init__(store, self.head.root)
        vault_ids = {self.head.vault_id, self.roots.vault_id, self.vault.vault_id}
        if len(vault_ids) != 1 or self.head.roots != self.roots.number:
            raise errors.VaultTamperedError(what="head, roots and records belong to different vaults")


def sign_head(head: Head, who: identity.Identity) -> tuple[bytes, bytes]:
    """Body and signature of a new head."""
    body = record.encode(head)
    return body, who.sign(heads.signed_bytes(body))
