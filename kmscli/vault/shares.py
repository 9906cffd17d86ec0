"""Key material: sealed under the key's own key-encryption key (KEK), which is shared with those who may use the key.

Implements docs/spec/vault.md, "Key material". Who can use a key is therefore decided by who can open a share, not by a
rule that somebody could skip.
"""

from collections.abc import Callable, Iterable

from kmscli.crypto import identity, kdf, seal
from kmscli.formats.record import KeyRecord, PrincipalRecord, RootKey, ShareRecord, VaultSecretRecord, VersionRecord
from kmscli.formats.wire import label


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


def open_share(share: ShareRecord, who: identity.Identity, *, vault_id: str) -> bytes:
    """The KEK in a share, by the identity of its principal.

    Raises:
        VaultTamperedError: It does not open.
    """
    return who.open(share.sealed, context=_share_context(vault_id, share.key_id, share.principal, share.kek))


def material_id(vault_secret: bytes, key_id: str, material: bytes) -> str:
    """KeyMaterialId: names the material without telling anything about it, 64 hex digits."""
    return kdf.keyed_name(vault_secret, label("material-id", key_id.encode(), material))


def seal_material(kek: bytes, material: bytes, key: KeyRecord, *, number: int, vault_id: str) -> bytes:
    """The material of version `number` of a key, sealed under its KEK.

    Args:
        kek: The key's KEK.
        material: The bytes to seal.
        key: The key.
        number: 1 for the first version.
        vault_id: 32 hex digits.
    """
    return seal.seal(kek, material, context=_material_context(vault_id, key.key_id, number, key.kek))


def open_material(kek: bytes, key: KeyRecord, version: VersionRecord, *, vault_id: str) -> bytes:
    """The material of one version.

    Raises:
        VaultTamperedError: It does not open.
    """
    return seal.unseal(kek, version.sealed, context=_material_context(vault_id, key.key_id, version.number, key.kek))


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
