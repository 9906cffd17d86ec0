"""Versions of key material: made, sealed, opened, and turned into what a family of primitives works with."""

from datetime import datetime
from typing import Any

from kmscli import errors
from kmscli.crypto import registry
from kmscli.crypto.keypair import Pair
from kmscli.formats.record import KeyRecord, Rotation, VersionRecord
from kmscli.model.specs import KEY_SPECS
from kmscli.service import lifecycle
from kmscli.service.context import Call, Change
from kmscli.vault import shares
from kmscli.vault.records import KeyGroup


def generate(change: Change, spec: str) -> Pair:
    """Fresh material for a key of a spec; `public` is empty where there is no public key."""
    row = KEY_SPECS[spec]
    return registry.generate(spec) if row.asymmetric else Pair(change.rng(int(row.parameter)), b"")


def vault_secret(call: Call) -> bytes:
    """The secret that names material and seals import tokens; roots have it.

    Raises:
        AccessDeniedError: Who acts is no root.
    """
    session = call.context.session
    if not call.context.is_root:
        raise call.roots_only()
    found = call.records.vault_secret(session.principal)
    vault_id = call.records.vault.vault_id
    return session.unsealed.get(
        ("vault-secret", found.sealed), lambda: shares.open_vault_secret(found, session.identity, vault_id=vault_id)
    )


def identify(change: Change, key: KeyRecord, material: bytes) -> str:
    """KeyMaterialId of some material of a key."""
    return shares.material_id(vault_secret(change), key.key_id, material)


def put_version(
    change: Change,
    key: KeyRecord,
    kek: bytes,
    material: Pair,
    *,
    number: int,
    rotation: Rotation | None = None,
    valid_to: datetime | None = None,
    description: str = "",
) -> VersionRecord:
    """Write a new version of `key`.

    Args:
        change: The change.
        key: The key.
        kek: Its KEK.
        material: What to seal, and the public key that goes with it.
        number: The version.
        rotation: What makes it the current version now.
        valid_to: When it expires.
        description: KeyMaterialDescription.
    """
    version = VersionRecord(
        key_id=key.key_id,
        number=number,
        created=change.now,
        material_id=identify(change, key, material.private),
        sealed=seal_version(change, key, kek, material.private, number),
        public=material.public,
        rotation=rotation,
        rotated=change.now if rotation else None,
        description=description,
        valid_to=valid_to,
    )
    write(change, version)
    return version


def write(change: Change, version: VersionRecord) -> None:
    """Write the record of a version."""
    change.draft.put("version", record_id(version), version)


def record_id(version: VersionRecord) -> str:
    """The id of a version's record."""
    return f"{version.key_id}/{version.number:08d}"


def seal_version(change: Change, key: KeyRecord, kek: bytes, material: bytes, number: int) -> bytes:
    """The sealed material of a version."""
    return shares.seal_material(kek, material, key, number=number, vault_id=change.records.vault.vault_id)


def current(key: KeyGroup) -> VersionRecord:
    """The version that is used.

    Raises:
        InternalError: There is none, though the key's state said otherwise.
    """
    if key.current is None:
        raise errors.InternalError(what="a key that can be used has no material")
    return key.current


def version_of(key: KeyGroup, number: int) -> VersionRecord:
    """One version.

    Raises:
        InvalidCiphertextError: The key never had it.
    """
    version = key.versions.get(number)
    if version is None or number > key.record.current:
        raise errors.InvalidCiphertextError
    return version


def open_version(call: Call, key: KeyGroup, version: VersionRecord) -> bytes:
    """The material of a version, by the share of who acts.

    Raises:
        AccessDeniedError: Who acts has no share.
        KeyStateError: Its material is not there any more.
    """
    if not lifecycle.has_material(version, call.now):
        raise errors.KeyStateError(arn=key.arn, state="pending import")
    kek = call.kek(key)
    vault_id = call.records.vault.vault_id
    return call.context.session.unsealed.get(
        ("material", version.key_id, version.number, key.record.kek, version.sealed),
        lambda: shares.open_material(kek, key.record, version, vault_id=vault_id),
    )


def private_key(call: Call, key: KeyGroup) -> Any:  # noqa: ANN401 - each family has a class of its own
    """The private key of an asymmetric key, ready for use.

    Raises:
        AccessDeniedError: Who acts has no share.
    """
    version = current(key)
    material = open_version(call, key, version)
    return call.context.session.unsealed.get(
        ("private", version.key_id, version.number, key.record.kek, version.sealed),
        lambda: registry.private_key(key.record.key_spec, material),
    )


def public_key(call: Call, key: KeyGroup) -> Any:  # noqa: ANN401 - each family has a class of its own
    """The public key of an asymmetric key, ready for use. It is no secret and needs no share."""
    version = current(key)
    spec = key.record.key_spec
    return call.context.session.unsealed.get(
        ("public", spec, version.public), lambda: registry.public_key(spec, version.public)
    )
