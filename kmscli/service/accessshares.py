"""The key-encryption key of all access keys: held by every root and by nobody else.

Implements docs/spec/vault.md, "Access keys". Whatever changes the set of roots calls `follow_roots` in the same change,
so that no state is ever signed in which a root cannot open a secret, or somebody can who is root no longer.
"""

from collections.abc import Iterable

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats.record import AccessKeyRecord, RootKey
from kmscli.service.context import Change
from kmscli.vault import accesskeys
from kmscli.vault.accesskeys import SecretAccessKey
from kmscli.vault.shares import new_kek


def put(change: Change, record: AccessKeyRecord, secret: SecretAccessKey) -> None:
    """Write a new access key with its secret; the first one of a vault makes the KEK."""
    number, kek = _current(change, change.context.session.identity) or _begin(change)
    vault_id = change.records.vault.vault_id
    _write(change, accesskeys.with_secret(record, secret, kek, number, vault_id=vault_id))


def forget(change: Change, access_key_ids: Iterable[str]) -> None:
    """Delete access keys; their sealed secrets leave the file, not only the tree."""
    for access_key_id in access_key_ids:
        change.draft.destroys = True
        change.draft.delete("access-key", access_key_id)


def follow_roots(change: Change, who: Identity, *, anew: str | None = None) -> None:
    """Have exactly the roots in force hold the KEK, after their set was written.

    Args:
        change: The change that wrote the set.
        who: The identity of the acting root that opens what is there: the old one, if he renews his.
        anew: A root who has another identity now.
    """
    current = _current(change, who)
    if current is None:
        return
    number, kek = current
    roots, held = _roots(change), change.records.access_key_shares.keys()
    names = {root.principal for root in roots}
    if held - names or anew in held:
        _renew(change, number, kek, roots)
    else:
        _share(change, kek, number, [root for root in roots if root.principal not in held])


def _roots(change: Change) -> tuple[RootKey, ...]:
    # Those of the draft: the session knows the roots of the state before.
    found = change.records.root_set
    if found is None:
        raise errors.InternalError(what="a vault without roots")
    return found.roots


def _current(change: Change, who: Identity) -> tuple[int, bytes] | None:
    """Number and bytes of the KEK; None before the first access key."""
    held = change.records.access_key_shares
    if not held:
        return None
    own = held.get(change.context.session.principal)
    if own is None:
        raise errors.InternalError(what="a root without a share of the access keys")
    return own.kek, accesskeys.open_share(own, who, vault_id=change.records.vault.vault_id)


def _begin(change: Change) -> tuple[int, bytes]:
    kek = new_kek(change.rng)
    _share(change, kek, 1, _roots(change))
    return 1, kek


def _renew(change: Change, number: int, old: bytes, roots: Iterable[RootKey]) -> None:
    """Seal every secret under a new KEK, which only these roots get."""
    vault_id, new = change.records.vault.vault_id, new_kek(change.rng)
    change.draft.destroys = True
    for name in change.records.roster:
        member = change.records.member(name)
        for access_key_id in member.record.access_keys if member else ():
            record = change.records.access_key(access_key_id)
            if record is None:
                raise errors.InternalError(what=f"access key {access_key_id} is not there")
            secret = accesskeys.open_secret(old, record, vault_id=vault_id)
            _write(change, accesskeys.with_secret(record, secret, new, number + 1, vault_id=vault_id))
    for name in change.records.access_key_shares:
        change.draft.delete("access-key-share", name)
    _share(change, new, number + 1, roots)


def _share(change: Change, kek: bytes, number: int, roots: Iterable[RootKey]) -> None:
    for made in accesskeys.share(kek, number, roots, vault_id=change.records.vault.vault_id):
        change.draft.put("access-key-share", made.principal, made)


def _write(change: Change, record: AccessKeyRecord) -> None:
    change.draft.put("access-key", record.access_key_id, record)
