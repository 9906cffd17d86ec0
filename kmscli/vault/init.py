"""Creating a vault: built whole in a folder beside its place, then renamed into it.

Implements docs/spec/vault.md, "Creating". An interrupted init leaves at most such a folder, and the next init removes
it together with the keyfile that only it would have opened.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from glob import escape
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from kmscli import errors
from kmscli.audit import roots
from kmscli.audit.log import EMPTY_LOG, AuditLog
from kmscli.crypto import identity
from kmscli.formats import auditline, keyfile, record, slot, tree
from kmscli.formats.head import Head
from kmscli.formats.record import PrincipalRecord, RootKey, RootSet, VaultRecord
from kmscli.model.ids import Place
from kmscli.storage import files
from kmscli.storage.lock import folder_lock, is_free, vault_lock
from kmscli.storage.paths import VaultPaths
from kmscli.storage.places import refuse_network
from kmscli.storage.sqlite import Store
from kmscli.vault import config, shares, slots
from kmscli.vault.draft import Draft
from kmscli.vault.journal import Actor, State, Written, compose
from kmscli.vault.journal import Place as LinePlace
from kmscli.vault.secrets import Secret

_WAIT_SECONDS = 30


class Plan(msgspec.Struct, frozen=True):
    """What `kms init` was asked for.

    Attributes:
        principal: Name of the first root.
        place: Account and Region of its ARNs.
        kdf_memory_mib: Argon2id memory of passphrase slots, now and at least.
        secret: The first slot's secret; None makes a keyfile at `keyfile`.
        label: The first slot's label.
    """

    folder: Path
    principal: str
    place: Place
    kdf_memory_mib: int
    secret: Secret | None
    keyfile: Path | None
    label: str


class Made(msgspec.Struct, frozen=True):
    """What init made."""

    vault_id: str
    fingerprint: bytes


def init(plan: Plan, event: dict[str, Any], *, clock: Callable[[], datetime], rng: Callable[[int], bytes]) -> Made:
    """Create a vault.

    Args:
        plan: What was asked for.
        event: What the first audit line says.
        clock: Gives the time, UTC.
        rng: Gives random bytes.

    Raises:
        VaultExistsError: Something is in its place already.
        FileExistsAlreadyError: The keyfile exists.
        InputOutputError: It cannot be written; nothing is left.
        LockTimeoutError: Another init in the same folder did not end.
    """
    check(plan)
    target = Path(os.path.realpath(plan.folder))
    with files.io_errors(plan.folder):
        files.make_folders(target.parent)
        refuse_network(target.parent)
    # Alone in the folder: what lies there unfinished is dead, even if it has not come so far as to have a lock.
    with folder_lock(target.parent, timeout=_WAIT_SECONDS):
        check(plan)
        with files.io_errors(plan.folder):
            for stale in _unfinished(target):
                _sweep(stale)
            building = target.parent / f".{target.name}.init-{secrets.token_hex(4)}"
            building.mkdir(mode=0o700)
        return _build(plan, event, building, target, clock=clock, rng=rng)


def check(plan: Plan) -> None:
    """Refuse what is there already.

    Raises:
        VaultExistsError: Something is in the vault's place.
        FileExistsAlreadyError: The keyfile exists, and no interrupted init made it.
    """
    target = Path(os.path.realpath(plan.folder))
    if os.path.lexists(VaultPaths(target).database):
        raise errors.VaultExistsError(path=plan.folder, what=" and is a vault")
    if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
        raise errors.VaultExistsError(path=plan.folder, what=" and is not empty")
    made = (_made_keyfile(folder, plan.keyfile) for folder in _unfinished(target) if plan.keyfile)
    if plan.keyfile and os.path.lexists(plan.keyfile) and not any(made):
        raise errors.FileExistsAlreadyError(path=plan.keyfile)


def _unfinished(target: Path) -> list[Path]:
    return list(target.parent.glob(f".{escape(target.name)}.init-*"))


def _build(
    plan: Plan,
    event: dict[str, Any],
    building: Path,
    target: Path,
    *,
    clock: Callable[[], datetime],
    rng: Callable[[int], bytes],
) -> Made:
    lock = VaultPaths(building).lock
    made_keyfile = False
    place = building
    try:
        with files.io_errors(plan.folder):
            files.replace_locked(lock, b"")
        with vault_lock(lock, timeout=0), files.io_errors(plan.folder):
            secret, content = _first_secret(plan, building, rng)
            made = _fill(plan, event, VaultPaths(building), secret, clock=clock, rng=rng)
            if plan.keyfile:
                files.create_private(plan.keyfile, content)
                made_keyfile = True
            _move_into_place(plan, building, target)
            place = target
            # Only now is the vault certain to be there; without that, what was moved goes again.
            files.sync_folder(target.parent)
    except BaseException:
        if made_keyfile and plan.keyfile:
            with suppress(OSError):
                plan.keyfile.unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        raise
    with suppress(OSError):
        VaultPaths(target).init_note.unlink(missing_ok=True)
    return made


def _move_into_place(plan: Plan, building: Path, target: Path) -> None:
    files.sync_folder(building)
    try:
        building.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise errors.VaultExistsError(path=plan.folder, what="") from error
        raise


def _first_secret(plan: Plan, building: Path, rng: Callable[[int], bytes]) -> tuple[Secret, bytes]:
    if plan.secret:
        return plan.secret, b""
    raw = rng(keyfile.SECRET_BYTES)
    content = keyfile.encode(raw)
    # If this init dies between keyfile and vault, the next one knows by this note that the keyfile opens nothing.
    note = f"{os.path.realpath(plan.keyfile or '')}\n{sha256(content).hexdigest()}"
    files.replace_locked(VaultPaths(building).init_note, note.encode())
    return Secret("keyfile", raw), content


def _made_keyfile(building: Path, path: Path) -> bool:
    """Whether an interrupted init in `building` made the keyfile at `path`, and nothing else can need it."""
    if not is_free(VaultPaths(building).lock):
        return False
    with suppress(OSError, errors.KmsError, ValueError):
        name, digest = files.read_input(VaultPaths(building).init_note, limit=8192).decode().split("\n")
        content = files.read_input(path, limit=8192)
        return name == os.path.realpath(path) and sha256(content).hexdigest() == digest
    return False


def _sweep(building: Path) -> None:
    """Remove what an interrupted init left; one that is still at work keeps its lock and is left alone."""
    if not is_free(VaultPaths(building).lock):
        return
    with suppress(OSError, errors.KmsError, ValueError):
        path = Path(files.read_input(VaultPaths(building).init_note, limit=8192).decode().split("\n")[0])
        if _made_keyfile(building, path):
            path.unlink()
    shutil.rmtree(building, ignore_errors=True)


def _fill(
    plan: Plan,
    event: dict[str, Any],
    paths: VaultPaths,
    secret: Secret,
    *,
    clock: Callable[[], datetime],
    rng: Callable[[int], bytes],
) -> Made:
    now = clock()
    vault_id = rng(slot.VAULT_ID_BYTES).hex()
    who = identity.Identity(rng(identity.SEED_BYTES))
    root = RootKey(principal=plan.principal, sign=who.sign_public, seal=who.seal_public)
    root_set = RootSet(vault_id=vault_id, number=1, roots=(root,))
    body = record.encode(root_set)
    opened = slots.Opened(who, vault_id, roots.fingerprint(body))
    first_slot = slots.make(
        rng,
        opened,
        secret,
        principal=plan.principal,
        name=plan.label,
        memory_mib=plan.kdf_memory_mib,
        now=now,
    )
    paths.audit.mkdir(mode=0o700)
    files.replace_locked(paths.config, config.template())
    store = Store.create(paths.database)
    try:
        draft = Draft(store, tree.EMPTY.hex(), now=now, keys=0)
        _first_records(draft, plan, root_set, who, vault_secret=rng(32))
        line = _first_line(draft, plan, event, opened, body)
        store.put_slot(first_slot.slot_id, slot.encode(first_slot))
        store.commit()
    finally:
        store.close()
    log = AuditLog(paths.audit, segment_bytes=config.SEGMENT_BYTES)
    log.append(EMPTY_LOG, line)
    return Made(vault_id, opened.fingerprint)


def _first_records(draft: Draft, plan: Plan, root_set: RootSet, who: identity.Identity, *, vault_secret: bytes) -> None:
    (root,) = root_set.roots
    vault_id = root_set.vault_id
    vault = VaultRecord(
        vault_id=vault_id,
        account=plan.place.account,
        region=plan.place.region,
        created=draft.now,
        kdf_memory_mib=plan.kdf_memory_mib,
    )
    principal = PrincipalRecord(
        name=plan.principal,
        kind="user",
        root=True,
        state="enabled",
        created=draft.now,
        sign=who.sign_public,
        seal=who.seal_public,
    )
    draft.put("vault", "", vault)
    draft.put("roots", "1", root_set)
    draft.put("vault-secret", plan.principal, shares.seal_vault_secret(vault_secret, root, vault_id=vault_id))
    draft.put("principal", plan.principal, principal)


def _first_line(draft: Draft, plan: Plan, event: dict[str, Any], opened: slots.Opened, root_body: bytes) -> bytes:
    trunk, changes = draft.seal()
    state = State(opened.vault_id, 1, trunk)
    line = compose(
        event,
        Actor(plan.principal, opened.identity),
        now=draft.now,
        state=state,
        place=LinePlace(1, auditline.FIRST_PREV, (1, (root_body,))),
        written=Written(changes),
    )
    first = Head(
        vault_id=opened.vault_id,
        generation=1,
        root=trunk,
        seq=1,
        line=auditline.digest(line),
        author=plan.principal,
        roots=1,
        keys=0,
    )
    draft.conclude(first, opened.identity, line)
    return line
