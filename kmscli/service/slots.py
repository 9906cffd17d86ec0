"""Slots of a principal: listed by anybody, changed by the principal itself, always with a line in the audit log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from kmscli import errors
from kmscli.formats import slot as formats
from kmscli.formats.slot import Slot
from kmscli.model import limits
from kmscli.service import events, newslots
from kmscli.service.context import Context
from kmscli.service.dispatch import Recorded
from kmscli.service.newslots import NewSecret
from kmscli.service.shapes import Response
from kmscli.service.vaults import check_label
from kmscli.vault.folder import Vault
from kmscli.vault.secrets import Unlocking
from kmscli.vault.unlock import choose_principal, find_slot


class SlotEntry(Response, frozen=True, kw_only=True):
    """One slot, without anything secret."""

    slot_id: str
    principal: str
    label: str
    kind: str
    creation_date: datetime
    kdf_memory_mib: int | None = None
    threshold: int | None = None
    custodians: list[str] | None = None


class SlotList(Response, frozen=True, kw_only=True):
    """All slots of a vault; damaged ones are only counted."""

    slots: list[SlotEntry]
    damaged_slots: int


class SlotResponse(Response, frozen=True, kw_only=True):
    """The slot that was made, changed, removed or found."""

    slot: SlotEntry


def list_slots(vault: Vault) -> SlotList:
    """The slots of every principal, oldest first."""
    good, damaged = vault.slots()
    good.sort(key=lambda slot: (slot.principal, slot.created))
    return SlotList(slots=[_entry(slot) for slot in good], damaged_slots=len(damaged))


def test_slot(vault: Vault, principal: str | None, ask: Callable[[str], Unlocking]) -> SlotResponse:
    """Which slot opens with the secret that `ask` gives.

    Raises:
        KmsError: As unlocking does.
    """
    name = choose_principal(vault, principal)
    return SlotResponse(slot=_entry(find_slot(vault, name, ask(name))))


def add_slot(context: Context, new: NewSecret, label: str) -> SlotResponse:
    """Give the acting principal one more way to unlock.

    Raises:
        KmsError: SlotRuleError for a label in use or too many slots, FileExistsAlreadyError for a keyfile or a share,
            ValidationError for a label or custodians that cannot be.
    """

    def check() -> None:
        mine = _mine(context)
        if any(slot.label == label for slot in mine):
            raise errors.SlotRuleError(problem=f"a slot labelled {label} exists", hint="choose another label")
        if len(mine) >= limits.SLOTS_PER_PRINCIPAL:
            raise errors.SlotRuleError(
                problem=f"a principal has at most {limits.SLOTS_PER_PRINCIPAL} slots", hint="remove one first"
            )

    with _recorded(context, "AddSlot", label):
        check_label(label)
        newslots.check(new)
        check()
        made, files = newslots.make(context, new, label)
        with newslots.written(files), context.session.edit_slots(_event(context, "AddSlot", made)):
            check()
            context.session.vault.store.put_slot(made.slot_id, formats.encode(made))
    return SlotResponse(slot=_entry(made))


def change_slot(context: Context, named: str | None, new: NewSecret) -> SlotResponse:
    """Give a slot another secret; its label stays. It does not make old copies of the vault forget the old one.

    Args:
        context: Who acts.
        named: The slot's id or label; None = the only slot.
        new: The new secret.

    Raises:
        KmsError: SlotNotFoundError, SlotRuleError when several slots could be meant, or when it is of custodians.
    """
    store = context.session.vault.store
    with _recorded(context, "ChangeSlot", named):
        old = _changeable(context, named)
        made, files = newslots.make(context, new, old.label)
        with newslots.written(files), context.session.edit_slots(_event(context, "ChangeSlot", made)):
            _find(context, old.slot_id)
            store.delete_slot(old.slot_id)
            store.put_slot(made.slot_id, formats.encode(made))
    return SlotResponse(slot=_entry(made))


def remove_slot(context: Context, named: str) -> SlotResponse:
    """Remove a slot of the acting principal; the last one stays.

    Raises:
        KmsError: SlotNotFoundError, SlotRuleError for the last slot.
    """
    with _recorded(context, "RemoveSlot", named):
        old = _find(context, named)
        with context.session.edit_slots(_event(context, "RemoveSlot", old)):
            _find(context, old.slot_id)
            if len(_mine(context)) == 1:
                raise errors.SlotRuleError(
                    problem="the last slot of a principal cannot be removed", hint="add another slot first"
                )
            context.session.vault.store.delete_slot(old.slot_id)
    return SlotResponse(slot=_entry(old))


def find(context: Context, named: str | None) -> SlotEntry:
    """The slot of the acting principal that is meant, before anything is asked or done; errors as `change_slot`."""
    return _entry(_find(context, named))


def find_changeable(context: Context, named: str | None) -> SlotEntry:
    """The slot that is to get another secret, before one is asked for; errors as `change_slot`."""
    return _entry(_changeable(context, named))


def _mine(context: Context) -> list[Slot]:
    good, _ = context.session.vault.slots()
    return [slot for slot in good if slot.principal == context.session.principal]


def _find(context: Context, named: str | None) -> Slot:
    mine = _mine(context)
    if named is None and len(mine) > 1:
        raise errors.SlotRuleError(
            problem=f"{context.session.principal} has {len(mine)} slots", hint="name one by its id or label"
        )
    found = [slot for slot in mine if named in (None, slot.slot_id, slot.label)]
    if not found:
        raise errors.SlotNotFoundError(slot=named)
    return found[0]


def _changeable(context: Context, named: str | None) -> Slot:
    slot = _find(context, named)
    if slot.quorum:
        # One secret in the place of several custodians, under the label they know, is no change that goes unnoticed.
        raise errors.SlotRuleError(
            problem=f"slot {slot.label} opens with {slot.quorum.threshold} of the custodians "
            f"{', '.join(slot.quorum.names)}, and is not changed",
            hint="new shares need a new slot: `kms slot add --custodians`, then `kms slot remove`",
        )
    return slot


@contextmanager
def _recorded(context: Context, name: str, named: str | None) -> Iterator[None]:
    # Rules are checked before anything is derived, and again under the lock, where they count.
    with Recorded(context, name, read_only=False) as recorded:
        recorded.parameters = lambda: {"slot": named}
        yield


def _event(context: Context, name: str, slot: Slot) -> dict[str, Any]:
    session = context.session
    with session.read() as snapshot:
        place = snapshot.place
    parameters: dict[str, Any] = {"slotId": slot.slot_id, "label": slot.label, "kind": slot.kind}
    if slot.quorum:
        parameters |= {"threshold": slot.quorum.threshold, "custodians": list(slot.quorum.names)}
    outcome = events.Outcome(parameters)
    return events.event(name, context.caller, place, context.rng, read_only=False, outcome=outcome)


def _entry(slot: Slot) -> SlotEntry:
    return SlotEntry(
        slot_id=slot.slot_id,
        principal=slot.principal,
        label=slot.label,
        kind=slot.kind,
        creation_date=slot.created,
        kdf_memory_mib=slot.kdf.memory_kib // 1024 if slot.kdf else None,
        threshold=slot.quorum.threshold if slot.quorum else None,
        custodians=list(slot.quorum.names) if slot.quorum else None,
    )
