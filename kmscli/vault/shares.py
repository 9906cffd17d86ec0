"""Key material: sealed under the key's own key-encryption key (KEK), which is shared with those who may use the key.

Implements docs/spec/vault.md, "Key material". Who can use a key is therefore decided by who can open a share, not by a
rule that somebody could skip.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal

from kmscli import errors
from kmscli.crypto import identity, kdf, seal
from kmscli.formats.record import KeyRecord, PrincipalRecord, RootKey, ShareRecord, VaultSecretRecord, VersionRecord
from kmscli.formats.wire import label
from kmscli.vault.records import KeyGroup


def new_kek(rng: Callable[[int], bytes]) -> bytes:
    """A fresh key-encryption key."""
    return rng(seal.KEY_BYTES)


def share(
    kek: bytes, key: KeyRecord, holders: Iterable[RootKey | PrincipalRecord], *, vault_id: str
) -> list[ShareRecord]:
    """The KEK of `key`, sealed to each holder."""
    shares = []
    for holder in holders:
        name = holder.name if isinstance(holder, PrincipalRecord) else holder.principal
        sealed = identity.seal_to(holder.seal, kek, context=_share_context(vault_id, key.key_id, name, key.kek))
        shares.append(ShareRecord(key_id=key.key_id, principal=name, kek=key.kek, sealed=sealed))
    return shares


def open_share(key: KeyGroup, principal: str, who: identity.Identity, *, vault_id: str) -> bytes | None:
    """The KEK of `key` by the share of `principal`, or None if it has none.

    Raises:
        VaultTamperedError: The share is there and does not open.
    """
    found = key.shares.get(principal)
    if found is None or found.kek != key.record.kek:
        return None
    return who.open(found.sealed, context=_share_context(vault_id, found.key_id, principal, found.kek))


def seal_material(
    kek: bytes,
    material: bytes,
    key: KeyRecord,
    *,
    number: int,
    vault_id: str,
    vault_secret: bytes,
    rotation: Literal["ON_DEMAND"] | None,
    now: datetime,
) -> VersionRecord:
    """Version `number` of a key, with its material sealed.

    Args:
        kek: The key's KEK.
        material: The bytes to seal.
        key: The key.
        number: 1 for the first version.
        vault_id: 32 hex digits.
        vault_secret: Names the material (KeyMaterialId) without telling anything about it.
        rotation: What brought the version.
        now: Its creation date.
    """
    return VersionRecord(
        key_id=key.key_id,
        number=number,
        created=now,
        rotation=rotation,
        material_id=kdf.keyed_name(vault_secret, label("material-id", key.key_id.encode(), material)),
        sealed=seal.seal(kek, material, context=_material_context(vault_id, key.key_id, number, key.kek)),
    )


def open_material(kek: bytes, key: KeyGroup, number: int, *, vault_id: str) -> bytes:
    """The material of one version.

    Raises:
        InvalidCiphertextError: The key never had that version.
        VaultTamperedError: It is there and does not open.
    """
    version = key.versions.get(number)
    if version is None:
        raise errors.InvalidCiphertextError
    context = _material_context(vault_id, key.record.key_id, number, key.record.kek)
    return seal.unseal(kek, version.sealed, context=context)


def seal_vault_secret(secret: bytes, root: RootKey, *, vault_id: str) -> VaultSecretRecord:
    """The vault's secret, sealed to one root."""
    context = label("vault-secret", vault_id.encode(), root.principal.encode())
    return VaultSecretRecord(principal=root.principal, sealed=identity.seal_to(root.seal, secret, context=context))


def open_vault_secret(found: VaultSecretRecord, who: identity.Identity, *, vault_id: str) -> bytes:
    """The vault's secret, by a root.

    Raises:
        SealBrokenError: It was not sealed to this identity.
    """
    return who.open(found.sealed, context=label("vault-secret", vault_id.encode(), found.principal.encode()))


def _share_context(vault_id: str, key_id: str, principal: str, kek: int) -> bytes:
    return label("share", vault_id.encode(), key_id.encode(), principal.encode(), kek.to_bytes(4, "big"))


def _material_context(vault_id: str, key_id: str, number: int, kek: int) -> bytes:
    return label("material", vault_id.encode(), key_id.encode(), number.to_bytes(4, "big"), kek.to_bytes(4, "big"))
