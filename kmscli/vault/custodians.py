"""Slots that open with any M of N custodians' shares.

Implements docs/spec/vault.md, "Slots of custodians". The slot's secret is sealed once for each M custodians, under a
key from all their shares; nothing is interpolated, so there is no arithmetic that could go wrong. What comes out of
here is a slot's secret like another, and `slots` does the rest.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

import msgspec

from kmscli import errors
from kmscli.crypto import kdf, seal
from kmscli.formats import quorum
from kmscli.formats.custodianshare import SHARE_BYTES, CustodianShare
from kmscli.formats.quorum import Custodian, Quorum
from kmscli.formats.slot import Slot
from kmscli.vault.secrets import Secret, Shares


def entrust(
    rng: Callable[[int], bytes], slot: Slot, secret: Secret, *, names: Sequence[str], threshold: int
) -> tuple[Slot, list[CustodianShare]]:
    """Give a slot's secret to custodians.

    Args:
        rng: Random bytes.
        slot: A slot of kind `custodians` that opens with `secret`, a random one.
        secret: What any `threshold` of them will open.
        names: The custodians.
        threshold: How many are needed.

    Returns:
        The slot with its quorum, and the share of each custodian.

    Raises:
        ValidationError: The custodians are out of bounds.
    """
    quorum.check_bounds(names, threshold)
    shares = {name: CustodianShare(slot.slot_id, name, rng(SHARE_BYTES)) for name in names}
    combinations = (
        seal.seal(
            _key(slot, [shares[name] for name in subset]),
            secret.value,
            context=quorum.combination_context(slot.slot_id, slot.principal, subset),
        )
        for subset in quorum.subsets(names, threshold)
    )
    custodians = (
        Custodian(name=name, check=quorum.share_check(slot.slot_id, name, share.value))
        for name, share in shares.items()
    )
    made = Quorum(threshold=threshold, custodians=tuple(custodians), combinations=tuple(combinations))
    return msgspec.structs.replace(slot, quorum=made), list(shares.values())


def slot_of(slots: Sequence[Slot], shares: Shares) -> Slot | None:
    """The slot that is meant: the one of `slots` that most of the shares are for; None if none is for any."""
    known = {slot.slot_id: slot for slot in slots if slot.quorum}
    found = Counter(share.slot_id for _, share in shares.given if share.slot_id in known)
    return known[found.most_common(1)[0][0]] if found else None


def combine(slots: Sequence[Slot], shares: Shares, principal: str) -> tuple[Slot, Secret]:
    """The slot that is meant, and its secret from the shares of its custodians.

    Args:
        slots: The slots of who acts.
        shares: What was given.
        principal: Who acts, for an error.

    Raises:
        WrongShareError: A share does not fit; it is named.
        LockedError: All fit, and there are too few.
        VaultTamperedError: Their combination does not open, and yet the slot says that they are the right ones.
    """
    slot = slot_of(slots, shares)
    if slot is None or not slot.quorum:
        path, share = shares.given[0]
        problem = f"is for slot {share.slot_id}, which {principal} does not have"
        raise errors.WrongShareError(path=path, custodian=share.name, problem=problem)
    good: dict[str, CustodianShare] = {}
    for path, share in shares.given:
        fault = _fault(slot, slot.quorum, share)
        if fault or share.name in good:
            raise errors.WrongShareError(path=path, custodian=share.name, problem=fault or "is given twice")
        good[share.name] = share
    chosen = [good[name] for name in slot.quorum.names if name in good][: slot.quorum.threshold]
    if len(chosen) < slot.quorum.threshold:
        raise _too_few(slot, slot.quorum, good)
    return slot, Secret("custodians", _open(slot, slot.quorum, chosen))


def _too_few(slot: Slot, custody: Quorum, good: Collection[str]) -> errors.LockedError:
    more = custody.threshold - len(good)
    missing = ", ".join(name for name in custody.names if name not in good)
    return errors.LockedError(
        problem=f"slot {slot.label} opens with the shares of {custody.threshold} custodians: {more} more "
        f"{'is' if more == 1 else 'are'} needed, of {missing}",
        hint="give each share with a --keyfile of its own",
    )


def _fault(slot: Slot, custody: Quorum, share: CustodianShare) -> str | None:
    """What is wrong with a share, as the end of a sentence."""
    if share.slot_id != slot.slot_id:
        return f"is for slot {share.slot_id}, the others are for {slot.slot_id}"
    checks = {custodian.name: custodian.check for custodian in custody.custodians}
    if share.name not in checks:
        return f"is of no custodian of slot {slot.label}"
    # Compared as it comes: the slot, with its checks, can be read by whoever can time this.
    if checks[share.name] != quorum.share_check(share.slot_id, share.name, share.value):
        return f"is wrong for slot {slot.label}"
    return None


def _open(slot: Slot, custody: Quorum, chosen: Sequence[CustodianShare]) -> bytes:
    subset = tuple(share.name for share in chosen)
    place = list(quorum.subsets(custody.names, custody.threshold)).index(subset)
    context = quorum.combination_context(slot.slot_id, slot.principal, subset)
    try:
        return seal.unseal(_key(slot, chosen), custody.combinations[place], context=context)
    except errors.SealBrokenError as error:
        raise errors.VaultTamperedError(
            what=f"slot {slot.slot_id} does not open with the shares that it says are right"
        ) from error


def _key(slot: Slot, shares: Sequence[CustodianShare]) -> bytes:
    # Who lacks one share lacks 256 random bits of the key of HMAC, which is what `expand` takes. Each combination has a
    # label of its own, so its key seals one thing only.
    names = [share.name for share in shares]
    info = quorum.combination_key_label(slot.slot_id, slot.principal, names)
    return kdf.expand(b"".join(share.value for share in shares), info, seal.KEY_BYTES)
