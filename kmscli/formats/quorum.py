"""The part of a slot that makes it open with any M of N custodians' shares.

Implements docs/spec/vault.md, "Slots of custodians": who the custodians are, the bounds, the order of the combinations
and what each is bound to. The sealing itself is done where slots are opened; this module knows no keys.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb

import msgspec

from kmscli import errors
from kmscli.formats.wire import digest, label
from kmscli.model import ids, limits

_CHECK_BYTES = 8


class Custodian(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One custodian.

    Attributes:
        name: Unlike that of any other custodian of the slot.
        check: `share_check` of its share: says whose share is wrong, and proves nothing.
    """

    name: str
    check: bytes


class Quorum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The custodians of a slot.

    Attributes:
        threshold: How many of them open it.
        custodians: In an order that stays.
        combinations: The slot's secret, sealed once for each `threshold` of them, in the order of `subsets`.
    """

    threshold: int
    custodians: tuple[Custodian, ...]
    combinations: tuple[bytes, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the custodians, in their order."""
        return tuple(custodian.name for custodian in self.custodians)


def check_bounds(names: Sequence[str], threshold: int) -> None:
    """Refuse custodians that cannot have a slot.

    Raises:
        ValidationError: A name that is none or is there twice, too few or too many custodians, a threshold below two or
            above their number, or more combinations than a slot holds.
    """
    for place, name in enumerate(names):
        ids.check_principal_name(name)
        if name in names[:place]:
            raise errors.ValidationError(problem=f"{name} is named twice", hint="each custodian has one share")
    if not limits.CUSTODIANS_MIN <= threshold <= len(names) <= limits.CUSTODIANS_MAX:
        raise errors.ValidationError(
            problem=f"a slot cannot open with {threshold} of {len(names)} custodians",
            hint=f"2 to {limits.CUSTODIANS_MAX} custodians, and a threshold from 2 to their number",
        )
    if (count := comb(len(names), threshold)) > limits.COMBINATIONS_MAX:
        raise errors.ValidationError(
            problem=f"{threshold} of {len(names)} custodians are {count} combinations, and a slot holds at most "
            f"{limits.COMBINATIONS_MAX}",
            hint="fewer custodians, or a threshold nearer to 2 or to their number",
        )


def check(quorum: Quorum) -> None:
    """Refuse a quorum that kms never makes, before anything is done with it.

    Raises:
        ValidationError: Out of bounds, or not as many combinations as there are ways to choose.
    """
    check_bounds(quorum.names, quorum.threshold)
    if len(quorum.combinations) != comb(len(quorum.custodians), quorum.threshold):
        raise errors.ValidationError(problem="the combinations are not as many as the ways to choose")


def subsets(names: Sequence[str], threshold: int) -> Iterator[tuple[str, ...]]:
    """The custodians of each combination, lexicographic in their positions."""
    return combinations(names, threshold)


def share_check(slot_id: str, name: str, share: bytes) -> bytes:
    """What a slot says of a custodian's share; a share is 256 random bits, so this helps nobody to guess it."""
    return digest("custodian-check", slot_id.encode(), name.encode(), share)[:_CHECK_BYTES]


def combination_key_label(slot_id: str, principal: str, names: Sequence[str]) -> bytes:
    """What the key of a combination is expanded with."""
    return label("slot-combination-key", slot_id.encode(), principal.encode(), *(name.encode() for name in names))


def combination_context(slot_id: str, principal: str, names: Sequence[str]) -> bytes:
    """What a combination is bound to."""
    return label("slot-combination", slot_id.encode(), principal.encode(), *(name.encode() for name in names))
