"""A slot: how one secret of a principal opens its identity.

Implements docs/spec/vault.md, "Slots". Slots lie outside the signed records because each proves itself; the checksum
is no security, it tells a damaged slot from a wrong passphrase.
"""

from datetime import datetime
from typing import Literal

import msgspec

from kmscli import errors
from kmscli.formats import quorum, record
from kmscli.formats.quorum import Quorum
from kmscli.formats.wire import digest, label

VAULT_ID_BYTES = 16
ANCHOR_BYTES = VAULT_ID_BYTES + 32


class Kdf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cost of an Argon2id derivation (RFC 9106): memory in KiB, passes, lanes."""

    memory_kib: int
    passes: int
    lanes: int


class Slot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One slot.

    Attributes:
        slot_id: 8 hex digits.
        kdf: Cost for a passphrase, None for the other kinds.
        salt: 16 random bytes, for every kind.
        public: The slot's own sealing key, so that an identity is renewed without the slot's secret; 1216 bytes.
        anchor: Vault id and root fingerprint, sealed under a key that only the slot's secret gives.
        seed: The identity's seed, sealed to `public`.
        quorum: Who opens a slot of custodians; left out of every other one.
        proof: Ed25519 of the identity over `public`, so that a renewed seed is sealed to no other key; 64 bytes. Slots
            that were made before there was one lack it.
        check: First 8 bytes of a digest of the slot with an empty check.
    """

    slot_id: str
    principal: str
    label: str
    kind: Literal["passphrase", "keyfile", "custodians"]
    created: datetime
    kdf: Kdf | None
    salt: bytes
    public: bytes
    anchor: bytes
    seed: bytes
    quorum: Quorum | msgspec.UnsetType = msgspec.UNSET
    proof: bytes | msgspec.UnsetType = msgspec.UNSET
    check: bytes = b""


def encode(slot: Slot) -> bytes:
    """The slot's bytes, its checksum set."""
    return record.encode(msgspec.structs.replace(slot, check=_check(slot)))


def decode(body: bytes) -> Slot:
    """The slot in `body`.

    Raises:
        VaultTamperedError: Not a slot, its checksum is wrong, or its custodians are such as kms never makes: damage,
            whatever the secret.
    """
    slot = record.decode(body, Slot)
    damaged = errors.VaultTamperedError(
        what=f"slot {slot.slot_id} is damaged", hint="open the vault with another slot, or restore a backup"
    )
    if slot.check != _check(slot) or (slot.kind == "custodians") != bool(slot.quorum):
        raise damaged
    if slot.quorum:
        if slot.kdf:  # what custodians hold is random, and is never stretched
            raise damaged
        try:
            quorum.check(slot.quorum)
        except errors.ValidationError as error:
            raise damaged from error
    return slot


def proof_bytes(slot: Slot, vault_id: str) -> bytes:
    """What the proof of a slot covers."""
    return label("slot-proof", slot.slot_id.encode(), slot.principal.encode(), vault_id.encode(), slot.public)


def _check(slot: Slot) -> bytes:
    return digest("slot-check", record.encode(msgspec.structs.replace(slot, check=b"")))[:8]


def anchor_context(slot_id: str, principal: str) -> bytes:
    """What the anchor is bound to."""
    return label("slot-anchor", slot_id.encode(), principal.encode())


def seed_context(slot_id: str, principal: str, vault_id: str) -> bytes:
    """What the sealed seed is bound to."""
    return label("slot-seed", slot_id.encode(), principal.encode(), vault_id.encode())
