"""The head: one signed statement about the whole vault.

Implements docs/spec/vault.md, "Head". Bytes to struct and back; checking its signature is the vault's work.
"""

import msgspec

from kmscli.formats.wire import label


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a root signs with every change.

    Attributes:
        vault_id: 32 hex digits.
        generation: Number of this change; init is 1.
        root: Digest of the tree's trunk, 64 hex digits.
        seq: Number of the change's audit line.
        line: SHA-256 of that line, 64 hex digits.
        author: The root principal who made the change.
        roots: Number of the root set in force.
        keys: How many keys there are, so that a quota is checked without counting them.
    """

    vault_id: str
    generation: int
    root: str
    seq: int
    line: str
    author: str
    roots: int
    keys: int


def signed_bytes(body: bytes) -> bytes:
    """What the author's Ed25519 signature covers."""
    return label("head", body)


def root_set_bytes(unsigned_body: bytes) -> bytes:
    """What the signature of a later root set covers."""
    return label("roots", unsigned_body)
