"""The request by which somebody joins a vault: made by the holder, who unlocks nothing, and checked by a root.

Implements docs/spec/vault.md, "Joining". The holder alone ever has the seed and what opens its slot.
"""

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import msgspec

from kmscli import errors
from kmscli.audit import roots
from kmscli.crypto import identity
from kmscli.crypto.identity import SEED_BYTES, Identity
from kmscli.formats import joining, keyfile
from kmscli.formats import slot as formats
from kmscli.formats.joining import Join
from kmscli.formats.slot import Slot
from kmscli.formats.wire import label
from kmscli.model import ids
from kmscli.service.asking import proved
from kmscli.service.shapes import Response
from kmscli.service.vaults import check_label
from kmscli.storage import files
from kmscli.storage.lock import derivation_queue
from kmscli.storage.paths import pin_file
from kmscli.vault import pin, slots
from kmscli.vault.folder import Vault
from kmscli.vault.records import Records
from kmscli.vault.secrets import Secret
from kmscli.vault.slots import Opened

_SIGN_BYTES = 32


class RequestResponse(Response, frozen=True, kw_only=True):
    """A request that was made.

    Attributes:
        root_fingerprint: Of the vault's roots, whom the holder trusts from now on: to be compared with theirs.
        key_fingerprint: Of the new identity: to be told to the root who grants the request.
        seen_before: Whether this user used the vault and found the same roots then.
    """

    name: str
    vault_id: str
    root_fingerprint: str
    key_fingerprint: str
    seen_before: bool | None = None


class Requested(msgspec.Struct, frozen=True):
    """The content of a request's file, and what to show of it."""

    content: bytes
    shown: RequestResponse


class Known(msgspec.Struct, frozen=True):
    """What somebody who is no principal yet sees of a vault."""

    vault_id: str
    fingerprint: bytes
    seen_before: bool
    kdf_memory_mib: int


def look(vault: Vault, name: str) -> Known:
    """What is needed to ask for a place in a vault.

    Raises:
        KmsError: EntityAlreadyExists, ValidationException for what is no name; the vault is damaged or went back.
    """
    ids.check_principal_name(name)
    with proved(vault) as snapshot:
        seen = pin.load(pin_file(snapshot.head.vault_id))
        if (found := snapshot.principal(name)) is not None:
            raise errors.EntityExistsError(what=f"{found.kind.capitalize()} with name {name}")
        memory = max(snapshot.vault.kdf_memory_mib, vault.config.kdf_memory_mib)
        return Known(snapshot.head.vault_id, snapshot.fingerprint, seen is not None, memory)


def request(vault: Vault, name: str, new: Secret | Path, slot_label: str, out: Path | None) -> Requested:
    """Make an identity, the slot that opens it, and the request that brings both into a vault.

    Args:
        vault: The vault; nothing is written into it.
        name: The name that the holder wants.
        new: What is to open the slot: a secret, or the path of a keyfile to make.
        slot_label: The slot's label.
        out: Where the request is written; None leaves that to the caller.

    Raises:
        KmsError: As `look`; FileExists for a keyfile; LockTimeoutError.
    """
    check_label(slot_label)
    known = look(vault, name)
    if isinstance(new, Path) and os.path.lexists(new):
        raise errors.FileExistsAlreadyError(path=new)
    raw = vault.rng(keyfile.SECRET_BYTES)
    secret = new if isinstance(new, Secret) else Secret("keyfile", raw)
    who = Identity(vault.rng(SEED_BYTES))
    now = vault.clock()
    with _queue(vault, secret):
        slot = slots.make(
            vault.rng,
            Opened(who, known.vault_id, known.fingerprint),
            secret,
            principal=name,
            name=slot_label,
            memory_mib=known.kdf_memory_mib,
            now=now,
        )
    unsigned = Join(
        format="kms-join-1",
        name=name,
        vault_id=known.vault_id,
        fingerprint=known.fingerprint.hex(),
        sign=who.sign_public,
        seal=who.seal_public,
        slot=formats.encode(slot),
        created=now,
    )
    made = msgspec.structs.replace(unsigned, signature=who.sign(joining.join_bytes(unsigned)))
    shown = RequestResponse(
        name=name,
        vault_id=known.vault_id,
        root_fingerprint=made.fingerprint,
        key_fingerprint=joining.key_fingerprint(made.sign, made.seal),
        seen_before=known.seen_before,
    )
    content = joining.encode(made)
    if out is not None:
        # Before the keyfile, which nothing could replace: a request without its keyfile is made again.
        files.write_output(out, content, mode=files.PRIVATE)
    if isinstance(new, Path):
        files.create_private(new, keyfile.encode(raw))
    return Requested(content, shown)


def _queue(vault: Vault, secret: Secret) -> AbstractContextManager[None]:
    if secret.kind != "passphrase":
        return nullcontext()
    return derivation_queue(vault.paths.lock, timeout=vault.lock_timeout)


# -- what a root checks ------------------------------------------------------------------------------------------------


def checked(records: Records, name: str, content: bytes, *, taken: Iterable[Slot], path: str) -> tuple[Join, Slot]:
    """A request to join that may be granted, and its slot; whether the name is free is decided elsewhere.

    Args:
        records: The state of the vault.
        name: The name that it must ask for.
        content: The file's content.
        taken: The slots that are there.
        path: The file's name, for errors.

    Raises:
        JoinRequestError: It may not, and why.
    """
    found = joining.decode_join(content, path=path)
    if found.name != name:
        raise refusal(path, f"it asks for the name {found.name[:64]}, not {name}")
    check_vault(records, found.vault_id, found.fingerprint, path)
    check_keys(found.sign, found.seal, path)
    check_signature(found.sign, joining.join_bytes(found), found.signature, path)
    slot = decode_slot(found.slot, path)
    check_slot(records, slot, name=name, sign=found.sign, path=path)
    if slot.kind == "custodians":
        raise refusal(path, "a slot of custodians cannot be the first one")
    if any(slot.slot_id == other.slot_id for other in taken):
        raise refusal(path, f"there is a slot {slot.slot_id} already")
    return found, slot


def check_vault(records: Records, vault_id: str, fingerprint: str, path: str) -> None:
    """Refuse a request for another vault, or one that trusts other roots."""
    first = records.group("vault").get(("roots", "1"))
    if vault_id != records.vault.vault_id:
        raise refusal(path, "it is for another vault")
    if first is None or fingerprint != roots.fingerprint(first.body).hex():
        raise refusal(path, f"it trusts other roots than this vault has: {fingerprint[:64]!r}")


def check_keys(sign: bytes, seal: bytes, path: str) -> None:
    """Refuse what are no public keys, before anything is sealed to them."""
    try:
        identity.seal_to(seal, b"", context=label("try"))
    except errors.SealBrokenError as error:
        raise refusal(path, "its sealing key is none") from error
    if len(seal) != identity.SEAL_PUBLIC_BYTES or len(sign) != _SIGN_BYTES:
        raise refusal(path, "its keys are none")


def check_signature(sign: bytes, message: bytes, signature: bytes, path: str) -> None:
    """Refuse what was not signed by a key."""
    try:
        identity.verify(sign, message, signature)
    except errors.SignatureBrokenError as error:
        raise refusal(path, "a signature does not hold: it was changed") from error


def decode_slot(body: bytes, path: str) -> Slot:
    """The slot in a request."""
    try:
        return formats.decode(body)
    except errors.VaultTamperedError as error:
        raise refusal(path, "its slot is damaged") from error


def check_slot(records: Records, slot: Slot, *, name: str, sign: bytes, path: str) -> None:
    """Refuse a slot of somebody else, one that is cheaper than the vault demands, or one that proves nothing."""
    if slot.principal != name:
        raise refusal(path, f"its slot is one of {slot.principal[:64]!r}")
    cost = slot.kdf.memory_kib if slot.kdf else 0
    if slot.kind == "passphrase" and cost < records.vault.kdf_memory_mib * 1024:
        raise refusal(path, "its slot is cheaper to guess than the vault allows")
    try:
        check_label(slot.label)
        slots.check_proof(slot, sign, vault_id=records.vault.vault_id)
    except (errors.ValidationError, errors.SlotRuleError, errors.VaultTamperedError) as error:
        raise refusal(path, f"its slot cannot be taken: {error.message}") from error


def refusal(path: str, problem: str) -> errors.JoinRequestError:
    """The error for a request that is not granted."""
    return errors.JoinRequestError(path=path, problem=problem)
