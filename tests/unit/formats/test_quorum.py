"""The custodians of a slot: bounds, the order of the combinations, what each is bound to."""

from datetime import UTC, datetime
from math import comb
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.formats import quorum, slot
from kmscli.formats.quorum import Custodian, Quorum
from kmscli.formats.slot import Kdf, Slot


def names(count: int) -> tuple[str, ...]:
    return tuple(f"c{number}" for number in range(count))


def made(count: int = 3, threshold: int = 2, combinations: int | None = None) -> Quorum:
    ways = comb(count, threshold) if combinations is None else combinations
    return Quorum(
        threshold=threshold,
        custodians=tuple(Custodian(name=name, check=bytes(8)) for name in names(count)),
        combinations=(b"sealed",) * ways,
    )


SLOT = Slot(
    slot_id="00112233",
    principal="admin",
    label="board",
    kind="custodians",
    created=datetime(2026, 3, 1, tzinfo=UTC),
    kdf=None,
    salt=bytes(16),
    public=b"public",
    anchor=b"anchor",
    seed=b"seed",
    quorum=made(),
)


@pytest.mark.parametrize(("count", "threshold"), [(2, 2), (3, 2), (10, 5), (16, 2), (16, 14), (16, 16), (9, 4)])
def test_bounds_that_hold(count: int, threshold: int) -> None:
    quorum.check_bounds(names(count), threshold)


@pytest.mark.parametrize(
    ("count", "threshold"), [(0, 0), (1, 1), (2, 1), (2, 3), (3, 0), (3, -1), (17, 2), (17, 17), (3, 10**30)]
)
def test_too_few_or_too_many_are_refused(count: int, threshold: int) -> None:
    with pytest.raises(errors.ValidationError, match=f"cannot open with {threshold} of {count} custodians"):
        quorum.check_bounds(names(count), threshold)


@pytest.mark.parametrize(("count", "threshold", "ways"), [(16, 8, 12870), (11, 5, 462), (13, 3, 286), (16, 3, 560)])
def test_more_combinations_than_a_slot_holds_are_refused_with_their_number(
    count: int, threshold: int, ways: int
) -> None:
    with pytest.raises(errors.ValidationError, match=f"are {ways} combinations, and a slot holds at most 256"):
        quorum.check_bounds(names(count), threshold)


@pytest.mark.parametrize("bad", ["", "a b", "x" * 65, "../x", "a\n", "\u00e4"])
def test_a_custodian_has_a_name_like_a_principal(bad: str) -> None:
    with pytest.raises(errors.ValidationError, match="cannot name a principal"):
        quorum.check_bounds(("alice", bad), 2)


def test_a_custodian_is_named_once() -> None:
    with pytest.raises(errors.ValidationError, match="bob is named twice"):
        quorum.check_bounds(("bob", "alice", "bob"), 2)


def test_combinations_are_in_the_order_of_positions() -> None:
    found = ["".join(subset) for subset in quorum.subsets("CABD", 2)]
    assert found == ["CA", "CB", "CD", "AB", "AD", "BD"]


def test_what_a_combination_is_bound_to_tells_all_its_parts_apart() -> None:
    cases = [("s", "p", ["a", "b"]), ("s", "p", ["b", "a"]), ("s", "p", ["ab"]), ("s", "pa", ["b"]), ("p", "s", ["a"])]
    contexts = {quorum.combination_context(*case) for case in cases}
    labels = {quorum.combination_key_label(*case) for case in cases}
    assert len(contexts | labels) == 2 * len(cases)


def test_a_check_is_of_one_slot_one_custodian_and_one_share() -> None:
    cases = [("s", "a", b"1"), ("t", "a", b"1"), ("s", "b", b"1"), ("s", "a", b"2")]
    assert len({quorum.share_check(*case) for case in cases}) == len(cases)
    assert len(quorum.share_check("s", "a", b"1")) == 8


def test_a_slot_of_custodians_is_written_and_read() -> None:
    body = slot.encode(SLOT)
    found = slot.decode(body)
    assert found.quorum == SLOT.quorum
    assert slot.encode(found) == body


def test_a_slot_of_another_kind_says_nothing_of_custodians() -> None:
    plain = msgspec.structs.replace(SLOT, kind="keyfile", quorum=msgspec.UNSET)
    assert b"quorum" not in slot.encode(plain)
    assert slot.decode(slot.encode(plain)).quorum is msgspec.UNSET


@pytest.mark.parametrize(
    "changes",
    [
        {"quorum": msgspec.UNSET},
        {"kind": "keyfile"},
        {"kind": "passphrase", "kdf": Kdf(memory_kib=8192, passes=1, lanes=1)},
        {"kdf": Kdf(memory_kib=8192, passes=1, lanes=1)},
        {"quorum": made(combinations=2)},
        {"quorum": made(combinations=4)},
        {"quorum": made(3, 1, 3)},
        {"quorum": made(3, 4, 0)},
        {"quorum": made(16, 8, 1)},
        {"quorum": made(17, 17)},
        {"quorum": msgspec.structs.replace(made(), custodians=made().custodians[:1] * 3)},
    ],
)
def test_custodians_that_kms_never_makes_are_damage(changes: dict[str, Any]) -> None:
    with pytest.raises(errors.VaultTamperedError, match="is damaged"):
        slot.decode(slot.encode(msgspec.structs.replace(SLOT, **changes)))


def test_no_custodians_are_left_out_and_never_null() -> None:
    body = slot.encode(msgspec.structs.replace(SLOT, kind="keyfile", quorum=msgspec.UNSET))
    with pytest.raises(errors.VaultTamperedError):
        slot.decode(body.replace(b'"check":', b'"quorum":null,"check":'))
