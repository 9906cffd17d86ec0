"""Unlocking: from a secret to the identity of a principal.

Implements docs/spec/vault.md, "Slots". The secret is asked for once, outside every lock; derivations queue.
"""

from collections.abc import Callable

from kmscli import errors
from kmscli.formats.slot import Slot
from kmscli.model import limits
from kmscli.storage import segments
from kmscli.storage.lock import derivation_queue
from kmscli.vault.folder import Vault
from kmscli.vault.secrets import Secret, Shares, Unlocking
from kmscli.vault.session import Session
from kmscli.vault.slots import Opened, open_slot


def unlock(vault: Vault, name: str | None, ask: Callable[[str], Unlocking]) -> Session:
    """Unlock the identity of a principal.

    Args:
        vault: The vault.
        name: The principal; None = the only one.
        ask: Gives the secret for a principal's name; called once, outside every lock.

    Raises:
        LockedError: There are several principals, and none was named.
        PrincipalNotFoundError: The principal has no slot here.
        WrongSecretError: No slot opens with the secret; WrongShareError if it was the share of a custodian.
        LockedError: The shares of more custodians are needed.
        VaultTamperedError: A slot that might have opened is damaged, or opens to another vault.
    """
    principal = choose_principal(vault, name)
    secret = ask(principal)
    return Session(vault, principal, _open_any(vault, principal, secret)[1])


def find_slot(vault: Vault, principal: str, secret: Unlocking) -> Slot:
    """The slot of `principal` that opens with `secret`; errors as for `unlock`."""
    return _open_any(vault, principal, secret)[0]


def choose_principal(vault: Vault, name: str | None) -> str:
    """Who acts: `name`, or the only principal that has a slot; errors as for `unlock`."""
    found, damaged = vault.slots()
    names = sorted({slot.principal for slot in found})
    if name in names:
        return name
    if name is None and len(names) == 1:
        # A damaged slot may have been another principal's; if it was, the secret will not open, and then it is told.
        return names[0]
    if damaged:
        raise damaged[0]
    if name is not None:
        raise errors.PrincipalNotFoundError(principal=name)
    if not names:
        raise errors.VaultTamperedError(what="it has no slot")
    raise errors.LockedError(
        problem=f"this vault has {len(names)} principals, and none was chosen",
        hint="choose who acts with --principal or KMS_PRINCIPAL",
    )


def _open_any(vault: Vault, principal: str, secret: Unlocking) -> tuple[Slot, Opened]:
    found, damaged = vault.slots()
    mine = [slot for slot in found if slot.principal == principal]
    if len(mine) > limits.SLOTS_PER_PRINCIPAL:
        # Each costs a derivation: slots that somebody added must not keep the holder waiting for ever.
        raise errors.VaultTamperedError(what=f"{principal} has more slots than kms makes")
    if isinstance(secret, Shares):
        return _open_together(vault, mine, damaged, secret, principal)
    for slot in mine:
        if opened := _open(vault, slot, secret):
            return slot, opened
    if damaged:
        raise damaged[0]
    segments.count_failure(vault.paths.unlock_failures)
    hint = None if any(slot.kind == secret.kind for slot in mine) else f"{principal} has no {secret.kind} slot"
    raise errors.WrongSecretError(kind=secret.kind, principal=principal, hint=hint)


def _open_together(
    vault: Vault, mine: list[Slot], damaged: list[errors.KmsError], shares: Shares, principal: str
) -> tuple[Slot, Opened]:
    from kmscli.vault import custodians  # whoever unlocks alone does not load it

    if damaged and custodians.slot_of(mine, shares) is None:
        raise damaged[0]
    try:
        slot, secret = custodians.combine(mine, shares, principal)
    except errors.WrongShareError:
        segments.count_failure(vault.paths.unlock_failures)
        raise
    if (opened := open_slot(slot, secret)) is None:
        raise errors.VaultTamperedError(what=f"slot {slot.slot_id} does not open with what its custodians hold")
    return slot, opened


def _open(vault: Vault, slot: Slot, secret: Secret) -> Opened | None:
    if slot.kind != secret.kind or slot.kdf is None:
        return open_slot(slot, secret)
    with derivation_queue(vault.paths.lock, timeout=vault.lock_timeout):
        return open_slot(slot, secret)
