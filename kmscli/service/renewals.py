"""A new identity for a principal: of a root at once, of everybody else by a request that a root grants.

Implements docs/spec/vault.md, "Joining" and "Roots". Slots keep their secrets: the new seed is sealed to the public key
that each proves. What the old identity opened before stays open to whoever has it and old copies of the vault.
"""

from pathlib import Path

import msgspec

from kmscli import errors
from kmscli.crypto.identity import SEED_BYTES, Identity
from kmscli.formats import head, joining, record
from kmscli.formats import slot as formats
from kmscli.formats.joining import Renewal
from kmscli.formats.record import PrincipalRecord, RootKey, RootSet
from kmscli.formats.slot import Slot
from kmscli.service import accessshares, joins, principals, sharing
from kmscli.service.context import Change, Context
from kmscli.service.joins import Requested, RequestResponse
from kmscli.service.principals import PrincipalResponse, changed, find
from kmscli.storage import files
from kmscli.vault import shares, slots

OPERATION = "RotateIdentity"


def request(context: Context, out: Path | None) -> Requested:
    """The request of who acts for a new identity; what unlocks stays the same once a root has granted it.

    Args:
        context: Who acts; no root.
        out: Where the request is written; None leaves that to the caller.

    Raises:
        KmsError: UsageError for a root, SlotRule for a slot that proves nothing.
    """
    session = context.session
    with session.read() as records:
        if context.is_root:
            raise errors.UsageError(
                problem=f"{session.principal} is a root, who renews the identity without a request",
                hint="leave -o out",
            )
        member, vault_id = find(records, session.principal), records.vault.vault_id
    old, new = session.identity, Identity(context.rng(SEED_BYTES))
    unsigned = Renewal(
        format="kms-renew-1",
        name=session.principal,
        vault_id=vault_id,
        fingerprint=session.opened.fingerprint.hex(),
        old=member.record.sign,
        sign=new.sign_public,
        seal=new.seal_public,
        slots=tuple(formats.encode(each) for each in _renewed(context, old, new)),
        created=session.vault.clock(),
    )
    approved = msgspec.structs.replace(unsigned, approval=old.sign(joining.approval_bytes(unsigned)))
    made = msgspec.structs.replace(approved, signature=new.sign(joining.renewal_bytes(approved)))
    content = joining.encode(made)
    if out is not None:
        files.write_output(out, content, mode=files.PRIVATE)
    shown = RequestResponse(
        name=made.name,
        vault_id=vault_id,
        root_fingerprint=made.fingerprint,
        key_fingerprint=joining.key_fingerprint(made.sign, made.seal),
    )
    return Requested(content, shown)


def _of(context: Context, name: str) -> list[Slot]:
    """The slots of a principal, in the order of their ids."""
    return [slot for slot in context.session.vault.slots()[0] if slot.principal == name]


def _renewed(context: Context, old: Identity, new: Identity) -> list[Slot]:
    session = context.session
    mine = _of(context, session.principal)
    return [slots.renewed(slot, old, new, vault_id=session.opened.vault_id) for slot in mine]


# -- granted by a root -------------------------------------------------------------------------------------------------


def grant(context: Context, name: str, content: bytes, *, path: str) -> PrincipalResponse:
    """Give a principal the identity that he asks for; its slots and shares follow.

    Args:
        context: Who acts: a root.
        name: The principal.
        content: The request.
        path: Its file, for errors.

    Raises:
        KmsError: InvalidRequest, NoSuchEntity, UnmodifiableEntity for a root, AccessDeniedException.
    """

    def act(change: Change) -> PrincipalResponse:
        member = find(change.records, name)
        if member.record.root:
            raise joins.refusal(path, f"{name} is a root, who renews the identity himself")
        found, renewed = _checked(change, member.record, content, path)
        # The sealed old seeds leave the file, not only the tree.
        change.draft.destroys = True
        change.draft.put("principal", name, msgspec.structs.replace(member.record, sign=found.sign, seal=found.seal))
        for slot in renewed:
            change.draft.put_slot(slot)
        pending = sharing.follow_principal(change, name, anew=True)
        return principals.answer(find(change.records, name), pending=pending)

    return changed(context, OPERATION, principals.named(context, name, "{}")[1], act)


def _checked(change: Change, known: PrincipalRecord, content: bytes, path: str) -> tuple[Renewal, list[Slot]]:
    found = joining.decode_renewal(content, path=path)
    joins.check_vault(change.records, found.vault_id, found.fingerprint, path)
    if found.name != known.name:
        raise joins.refusal(path, f"it is of {found.name[:64]!r}, not of {known.name}")
    if found.old != known.sign:
        raise joins.refusal(path, f"{known.name} has another identity by now than it renews")
    joins.check_keys(found.sign, found.seal, path)
    joins.check_signature(known.sign, joining.approval_bytes(found), found.approval, path)
    joins.check_signature(found.sign, joining.renewal_bytes(found), found.signature, path)
    renewed = [joins.decode_slot(body, path) for body in found.slots]
    for slot in renewed:
        joins.check_slot(change.records, slot, name=known.name, sign=found.sign, path=path)
    now = _of(change.context, known.name)
    if [_lasting(slot) for slot in renewed] != [_lasting(slot) for slot in now]:
        raise joins.refusal(path, f"the slots of {known.name} are others by now than it renews")
    return found, renewed


def _lasting(slot: Slot) -> Slot:
    """A slot but for what another identity changes of it."""
    return msgspec.structs.replace(slot, seed=b"", proof=msgspec.UNSET, check=b"")


# -- of a root ---------------------------------------------------------------------------------------------------------


def rotate_own(context: Context) -> PrincipalResponse:
    """Give the acting root a new identity: a set of roots signed by the old one, its slots, its shares.

    Raises:
        KmsError: AccessDeniedException for who is no root, SlotRule for a slot that proves nothing.
    """
    session = context.session
    name = session.principal

    def act(change: Change) -> PrincipalResponse:
        old, new = session.identity, Identity(context.rng(SEED_BYTES))
        # The sealed old seeds and the shares of the old identity leave the file, not only the tree.
        change.draft.destroys = True
        for slot in _renewed(context, old, new):
            change.draft.put_slot(slot)
        _put_root(change, name, old, new)
        sealed = sharing.seal_old(change, name, old, new.seal_public)
        accessshares.follow_roots(change, old, anew=name)
        session.become(new)
        pending = sharing.follow_principal(change, name, anew=True, old=sealed)
        return principals.answer(find(change.records, name), pending=pending)

    return changed(context, OPERATION, principals.named(context, name, "{}")[1], act)


def _put_root(change: Change, name: str, old: Identity, new: Identity) -> None:
    """Write the records that say who a root is: principal, set of roots, the vault's secret."""
    records, draft = change.records, change.draft
    vault_id = records.vault.vault_id
    member = find(records, name)
    keys = RootKey(principal=name, sign=new.sign_public, seal=new.seal_public)
    secret = shares.open_vault_secret(records.vault_secret(name), old, vault_id=vault_id)
    if records.root_set is None:
        raise errors.InternalError(what="a vault without roots")
    following = _next_set(records.root_set, keys, signer=name, who=old)
    draft.put("principal", name, msgspec.structs.replace(member.record, sign=keys.sign, seal=keys.seal))
    draft.put("roots", str(following.number), following)
    draft.put("vault-secret", name, shares.seal_vault_secret(secret, keys, vault_id=vault_id))


def _next_set(current: RootSet, renewed: RootKey, *, signer: str, who: Identity) -> RootSet:
    keys = [renewed if key.principal == renewed.principal else key for key in current.roots]
    unsigned = RootSet(vault_id=current.vault_id, number=current.number + 1, roots=tuple(keys), signer=signer)
    return msgspec.structs.replace(unsigned, signature=who.sign(head.root_set_bytes(record.encode(unsigned))))
