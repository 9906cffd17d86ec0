"""Versions of key material: made, sealed and opened."""

from typing import Literal

from kmscli.formats.record import KeyRecord, VersionRecord
from kmscli.model.specs import KEY_SPECS
from kmscli.service.context import Call, Change
from kmscli.vault import shares
from kmscli.vault.records import KeyGroup


def put_version(
    change: Change, key: KeyRecord, kek: bytes, *, number: int, rotation: Literal["ON_DEMAND"] | None
) -> VersionRecord:
    """Write a new version of `key` with fresh material."""
    vault_id = change.records.vault.vault_id
    session = change.context.session
    secret = change.records.vault_secret(session.principal)
    version = shares.seal_material(
        kek,
        change.rng(KEY_SPECS[key.key_spec].material_bytes),
        key,
        number=number,
        vault_id=vault_id,
        vault_secret=shares.open_vault_secret(secret, session.identity, vault_id=vault_id),
        rotation=rotation,
        now=change.now,
    )
    change.draft.put("version", f"{key.key_id}/{number:08d}", version)
    return version


def open_version(call: Call, key: KeyGroup, number: int) -> bytes:
    """The material of one version, by the share of who acts.

    Raises:
        AccessDeniedError: Who acts has no share.
        InvalidCiphertextError: The key never had that version.
    """
    return shares.open_material(call.kek(key), key, number, vault_id=call.records.vault.vault_id)
