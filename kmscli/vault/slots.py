"""Slots: from a passphrase or keyfile to the identity of a principal, and to the vault it trusts.

Implements docs/spec/vault.md, "Slots". A slot's secret opens two things: the anchor (vault id and root fingerprint),
sealed symmetrically so that nobody without the secret can put another vault in its place; and the identity's seed,
sealed to the slot's public key so that it can be renewed without the secret.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from kmscli import errors
from kmscli.crypto import identity, kdf, seal
from kmscli.formats import slot as slots
from kmscli.formats.slot import Kdf, Slot
from kmscli.formats.wire import label
from kmscli.vault.secrets import Secret


class Opened(msgspec.Struct, frozen=True):
    """What a slot gave."""

    identity: identity.Identity
    vault_id: str
    fingerprint: bytes


class _Keys(msgspec.Struct, frozen=True):
    """The two keys that a slot's secret gives."""

    anchor: bytes
    sealing: identity.SealingKey


def make(
    rng: Callable[[int], bytes],
    opened: Opened,
    secret: Secret,
    *,
    principal: str,
    name: str,
    memory_mib: int,
    now: datetime,
) -> Slot:
    """A new slot that opens `opened` with `secret`.

    Args:
        rng: Random bytes.
        opened: The identity, and the vault it is for.
        secret: A new passphrase, keyfile, or what custodians will hold together.
        principal: Whose identity it is.
        name: The slot's label.
        memory_mib: Argon2id memory for a passphrase.
        now: Its creation date.
    """
    slot_id, salt = rng(4).hex(), rng(kdf.SALT_BYTES)
    cost = kdf.cost(memory_mib) if secret.kind == "passphrase" else None
    keys = _keys(secret, salt, cost)
    anchor = bytes.fromhex(opened.vault_id) + opened.fingerprint
    made = Slot(
        slot_id=slot_id,
        principal=principal,
        label=name,
        kind=secret.kind,
        created=now,
        kdf=Kdf(**msgspec.structs.asdict(cost)) if cost else None,
        salt=salt,
        public=keys.sealing.public,
        anchor=seal.seal(keys.anchor, anchor, context=slots.anchor_context(slot_id, principal)),
        seed=identity.seal_to(
            keys.sealing.public,
            opened.identity.seed,
            context=slots.seed_context(slot_id, principal, opened.vault_id),
        ),
    )
    return msgspec.structs.replace(made, proof=opened.identity.sign(slots.proof_bytes(made, opened.vault_id)))


def check_proof(slot: Slot, sign: bytes, *, vault_id: str) -> None:
    """Check that a slot's public key is the one that its holder made, whose Ed25519 public key is `sign`.

    Raises:
        SlotRuleError: It was made by a version that proved nothing.
        VaultTamperedError: It is another one.
    """
    if slot.proof is msgspec.UNSET:
        raise errors.SlotRuleError(
            problem=f"slot {slot.label} does not prove its public key, so no new identity is sealed to it",
            hint="make it anew with `kms slot change`, or remove it",
        )
    try:
        identity.verify(sign, slots.proof_bytes(slot, vault_id), slot.proof)
    except errors.SignatureBrokenError as error:
        raise errors.VaultTamperedError(what=f"slot {slot.slot_id} names a public key that is not its own") from error


def renewed(slot: Slot, old: identity.Identity, new: identity.Identity, *, vault_id: str) -> Slot:
    """The slot with the seed of a new identity in the place of the old one's; its secret stays and is not needed.

    Raises:
        KmsError: As `check_proof`; and SealBrokenError if its public key is none.
    """
    check_proof(slot, old.sign_public, vault_id=vault_id)
    context = slots.seed_context(slot.slot_id, slot.principal, vault_id)
    return msgspec.structs.replace(
        slot,
        seed=identity.seal_to(slot.public, new.seed, context=context),
        proof=new.sign(slots.proof_bytes(slot, vault_id)),
    )


def open_slot(slot: Slot, secret: Secret) -> Opened | None:
    """What is in a slot, or None if `secret` is not its secret.

    Raises:
        VaultTamperedError: The secret is right, and yet the seed does not open, or the public key is another one.
    """
    if slot.kind != secret.kind:
        return None
    keys = _keys(
        secret, slot.salt, kdf.Cost(slot.kdf.memory_kib, slot.kdf.passes, slot.kdf.lanes) if slot.kdf else None
    )
    try:
        anchor = seal.unseal(keys.anchor, slot.anchor, context=slots.anchor_context(slot.slot_id, slot.principal))
    except errors.SealBrokenError:
        return None
    if slot.public != keys.sealing.public:
        # Whoever renewed the identity would seal its seed to whom that key belongs.
        raise errors.VaultTamperedError(what=f"slot {slot.slot_id} names a public key that is not its own")
    vault_id = anchor[: slots.VAULT_ID_BYTES].hex()
    seed = keys.sealing.open(slot.seed, context=slots.seed_context(slot.slot_id, slot.principal, vault_id))
    return Opened(identity.Identity(seed), vault_id, anchor[slots.VAULT_ID_BYTES :])


def _keys(secret: Secret, salt: bytes, cost: kdf.Cost | None) -> _Keys:
    base = kdf.stretch(secret.value, salt=salt, cost=cost) if cost else secret.value
    sealing = identity.SealingKey(base, label("slot-seal", salt))
    return _Keys(kdf.expand(base, label("slot-anchor-key", salt), seal.KEY_BYTES), sealing)
