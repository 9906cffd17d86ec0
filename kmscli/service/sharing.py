"""Who holds a share of a key: whoever policies and grants let use its material, and every root.

Shares follow what gives or takes access, in the same change. Where it is one principal that gained or lost, the walk
over the keys goes on in changes of its own after the first thousand; a `sharing` record says how far it has come.
Taking a share away renews the KEK and seals the material anew: who kept the old KEK opens nothing that is written from
then on. What he decrypted or copied before is his; `NOT_UNDONE` says so.
"""

from collections.abc import Collection, Iterable
from itertools import islice

import msgspec

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats.record import GrantRecord, PrincipalRecord, SharingRecord
from kmscli.formats.wire import label
from kmscli.service import authority, events, materials
from kmscli.service.context import Change, Context
from kmscli.vault import shares
from kmscli.vault.records import KeyGroup, Member, Records

AT_ONCE = 1000
"""Keys that one change looks at for a principal."""
NOT_UNDONE = (
    "ciphertext made before stays readable to whoever kept the old material: "
    "`kms rotate-key-on-demand` makes new, `kms rewrap` brings ciphertext to it"
)
"""What taking a share away does not do."""


def may_use(
    records: Records, member: Member, key: KeyGroup, change: Change, grants: Iterable[GrantRecord] | None = None
) -> bool:
    """Whether a principal is to hold a share of a key.

    Args:
        records: The state.
        member: The principal.
        key: The key.
        change: For the time.
        grants: The grants on the key; None = those in the state.
    """
    if member.record.state != "enabled":
        return False
    if member.record.root:
        return True
    from kmscli.model import reach  # a vault of roots alone asks nobody

    known = records.grants(key.record.key_id).values() if grants is None else grants
    policies = authority.policies(records, member, key, (each for each in known if _concerns(each, member, records)))
    return reach.holds_share(
        member.arn,
        key.arn,
        key_usage=key.record.key_usage,
        key_spec=key.record.key_spec,
        policies=policies,
        now=change.now,
    )


def _concerns(grant: GrantRecord, member: Member, records: Records) -> bool:
    return grant.grantee in (member.arn, f"arn:aws:iam::{records.place.account}:root")


# -- one key -----------------------------------------------------------------------------------------------------------


def follow_key(change: Change, key_id: str) -> None:
    """Give shares of a key to whoever is to hold one now, and take them from all others."""
    key = change.records.key(key_id)
    if key is None:
        raise errors.InternalError(what="shares of a key that is not there")
    wanted = [member for member in authority.enabled(change.records) if may_use(change.records, member, key, change)]
    if lost := _bring(change, key, wanted):
        _warn(change, ", ".join(sorted(lost)), key.arn)


def _warn(change: Change, who: str, what: str) -> None:
    change.context.warn_once(f"{who} can no longer use {what}; {NOT_UNDONE}")


def _bring(change: Change, key: KeyGroup, wanted: Collection[Member], *, anew: str | None = None) -> set[str]:
    """Have exactly the `wanted` hold a share, `anew` one that is made again; returns who lost one."""
    if not {root.principal for root in change.roots()} <= {member.record.name for member in wanted}:
        # Without this a fault elsewhere could leave a key that nobody can open any more.
        raise errors.InternalError(what=f"a root was to lose {key.arn}")
    held = {name for name, share in key.shares.items() if share.kek == key.record.kek}
    lost = key.shares.keys() - {member.record.name for member in wanted}
    if lost or anew in held:
        _renew(change, key, wanted)
    elif new := [member.record for member in wanted if member.record.name not in held]:
        _put(change, key, _kek(change, key), new)
    return lost


def _renew(change: Change, key: KeyGroup, wanted: Iterable[Member]) -> None:
    """Seal the material under a new KEK, which only the `wanted` get."""
    vault_id = change.records.vault.vault_id
    old, new = _kek(change, key), shares.new_kek(change.rng)
    # The sealed bytes that the old KEK opens leave the file, not only the tree.
    change.draft.destroys = True
    renewed = change.update(key, kek=key.record.kek + 1)
    for version in key.versions.values():
        if version.sealed:
            material = shares.open_material(old, key.record, version, vault_id=vault_id)
            sealed = materials.seal_version(change, renewed.record, new, material, version.number)
            materials.write(change, msgspec.structs.replace(version, sealed=sealed))
    for name in key.shares:
        change.draft.delete("share", f"{key.record.key_id}/{name}")
    _put(change, renewed, new, [member.record for member in wanted])


def _put(change: Change, key: KeyGroup, kek: bytes, holders: Iterable[PrincipalRecord]) -> None:
    for share in shares.share(kek, key.record, holders, vault_id=change.records.vault.vault_id):
        change.draft.put("share", f"{key.record.key_id}/{share.principal}", share)


def _kek(change: Change, key: KeyGroup) -> bytes:
    """The KEK of a key; also by the identity that the acting root had before, while its shares are made anew."""
    name = change.context.session.principal
    walk = change.records.sharing(name)
    if walk is None or not walk.old:
        return change.kek(key)
    share = key.shares.get(name)
    vault_id = change.records.vault.vault_id
    before = _old_identity(change, walk)
    if share is not None:
        try:
            return shares.open_share(share, before, vault_id=vault_id)
        except errors.SealBrokenError:
            pass  # this one was made anew already
    return change.kek(key)


def _old_identity(change: Change, walk: SharingRecord) -> Identity:
    session = change.context.session
    return Identity(session.identity.open(walk.old, context=_old_context(change, walk.principal)))


def _old_context(change: Change, name: str) -> bytes:
    return label("old-identity", change.records.vault.vault_id.encode(), name.encode())


# -- one principal -----------------------------------------------------------------------------------------------------


def follow_principal(change: Change, name: str, *, anew: bool = False, old: bytes = b"") -> bool:
    """Have the shares of a principal follow what it may use now: of all keys, a thousand in this change.

    Args:
        change: The change that gave or took access.
        name: The principal; one that is gone or disabled loses all.
        anew: Whether its identity is another, so that each share is made again.
        old: Of a root with another identity: the seed of the one before, sealed to the new one (`seal_old`).

    Returns:
        Whether keys are left, which `proceed` brings to an end.
    """
    start = SharingRecord(principal=name, bucket=0, group="", renews="identity" if anew else None, old=old)
    return _walk(change, start)


def seal_old(change: Change, name: str, old: Identity, seal_public: bytes) -> bytes:
    """The seed of an identity, sealed to the one that follows it, for as long as shares are made anew."""
    from kmscli.crypto.identity import seal_to

    return seal_to(seal_public, old.seed, context=_old_context(change, name))


def _walk(change: Change, walk: SharingRecord) -> bool:
    records, name = change.records, walk.principal
    place = (walk.bucket, walk.group)
    # Written first: what is done to a key may ask for it.
    change.draft.put("sharing", name, walk)
    names = list(islice(records.group_names("key/", place), AT_ONCE + 1))
    lost = sum(_follow(change, group.removeprefix("key/"), walk) for _, group in names[:AT_ONCE])
    if lost:
        _warn(change, name, f"{lost} key{'s' if lost > 1 else ''}")
    if len(names) > AT_ONCE:
        bucket, group = names[AT_ONCE - 1]
        change.draft.put("sharing", name, msgspec.structs.replace(walk, bucket=bucket, group=group))
        return True
    change.draft.delete("sharing", name)
    return False


def _follow(change: Change, key_id: str, walk: SharingRecord) -> bool:
    """Bring the share of one key to where it belongs; returns whether the principal lost it."""
    records = change.records
    key = records.key(key_id)
    if key is None:
        return False
    member = records.member(walk.principal)
    is_wanted = member is not None and may_use(records, member, key, change)
    is_held = walk.principal in key.shares
    if is_wanted == is_held and not (is_held and walk.renews):
        return False
    others = (records.member(name) for name in key.shares if name != walk.principal)
    wanted = [other for other in others if other is not None]
    if member is not None and is_wanted:
        wanted.append(member)
    return bool(_bring(change, key, wanted, anew=walk.principal if walk.renews else None))


def proceed(context: Context) -> int:
    """Bring every walk that was begun to its end, a change with a line of its own each; returns how many there were.

    Raises:
        KmsError: As changes do.
    """
    done = 0
    while (name := _first(context)) is not None:
        with context.session.edit() as draft:
            change = Change(context, "ShareKeys", draft)
            walk = draft.sharing(name)
            if walk is None:
                raise errors.InternalError(what="a walk over the keys ended by itself")
            left = _walk(change, walk)
            details = {"principal": name, "complete": not left}
            draft.event = events.service_event(
                "ShareKeys", context.session.principal, draft.place, context.rng, None, details
            )
        done += 1
    if done:
        context.session.shred()
    return done


def _first(context: Context) -> str | None:
    with context.session.read() as records:
        return next(iter(records.walks), None)
