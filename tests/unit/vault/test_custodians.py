"""Custodians: who opens a slot together, whose share is wrong, and what a forger can put into such a slot."""

import os
from datetime import UTC, datetime
from itertools import combinations, permutations
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto import seal
from kmscli.crypto.identity import Identity
from kmscli.formats import quorum
from kmscli.formats import slot as formats
from kmscli.formats.custodianshare import CustodianShare
from kmscli.formats.quorum import Quorum
from kmscli.formats.slot import Slot
from kmscli.vault import custodians, slots
from kmscli.vault.secrets import Secret, Shares
from kmscli.vault.slots import Opened

OPENED = Opened(Identity(b"i" * 32), "00112233445566778899aabbccddeeff", b"f" * 32)
HELD = Secret("custodians", b"s" * 32)
NAMES = ("alice", "bob", "carol", "dave")


def entrusted(names: tuple[str, ...] = NAMES, threshold: int = 2) -> tuple[Slot, dict[str, CustodianShare]]:
    """A slot of admin, and the share of each custodian."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    bare = slots.make(os.urandom, OPENED, HELD, principal="admin", name="board", memory_mib=8, now=now)
    slot, shares = custodians.entrust(os.urandom, bare, HELD, names=names, threshold=threshold)
    return formats.decode(formats.encode(slot)), {share.name: share for share in shares}


SLOT, SHARES = entrusted()
CUSTODY = SLOT.quorum or pytest.fail("a slot of custodians has a quorum")


def given(*shares: CustodianShare) -> Shares:
    return Shares([(f"{share.name}.share", share) for share in shares])


def combine(*shares: CustodianShare, slot: Slot = SLOT) -> Secret:
    return custodians.combine([slot], given(*shares), "admin")[1]


def refusal(*shares: CustodianShare, slots: tuple[Slot, ...] = (SLOT,)) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        custodians.combine(slots, given(*shares), "admin")
    return caught.value


def forged(**members: Any) -> Slot:
    return msgspec.structs.replace(SLOT, quorum=msgspec.structs.replace(CUSTODY, **members))


@pytest.mark.parametrize("pair", list(permutations(NAMES, 2)))
def test_any_two_of_four_open_the_slot_in_any_order(pair: tuple[str, str]) -> None:
    opened = slots.open_slot(SLOT, combine(*(SHARES[name] for name in pair)))
    assert opened is not None
    assert opened.identity.seed == OPENED.identity.seed
    assert (opened.vault_id, opened.fingerprint) == (OPENED.vault_id, OPENED.fingerprint)


def test_more_shares_than_needed_are_fine() -> None:
    assert combine(*SHARES.values()).value == HELD.value


def test_too_few_are_told_how_many_more_and_of_whom() -> None:
    error = refusal(SHARES["carol"])
    assert (error.exit_code, error.code) == (13, "Locked")
    assert error.message == ("slot board opens with the shares of 2 custodians: 1 more is needed, of alice, bob, dave")
    slot, shares = entrusted(threshold=4)
    assert "3 more are needed, of bob, carol, dave" in refusal(shares["alice"], slots=(slot,)).message


def test_a_wrong_share_is_named_wherever_it_stands() -> None:
    wrong = CustodianShare(SLOT.slot_id, "bob", os.urandom(32))
    for shares in ((SHARES["alice"], wrong), (wrong, SHARES["alice"]), (*SHARES.values(), wrong), (wrong,)):
        error = refusal(*(share for share in shares if share.name != "bob" or share is wrong))
        assert (error.exit_code, error.code) == (12, "WrongSecret")
        assert error.message == "bob.share: the share of bob is wrong for slot board"


def test_the_share_of_one_custodian_under_the_name_of_another_is_wrong() -> None:
    borrowed = CustodianShare(SLOT.slot_id, "bob", SHARES["alice"].value)
    assert refusal(SHARES["alice"], borrowed).message == "bob.share: the share of bob is wrong for slot board"


def test_a_share_that_is_given_twice_is_named() -> None:
    error = refusal(SHARES["alice"], SHARES["alice"])
    assert (error.exit_code, error.message) == (12, "alice.share: the share of alice is given twice")


def test_who_is_no_custodian_is_named() -> None:
    eve = CustodianShare(SLOT.slot_id, "eve", os.urandom(32))
    assert refusal(SHARES["alice"], eve).message == "eve.share: the share of eve is of no custodian of slot board"


def test_a_share_of_another_slot_is_named_wherever_it_stands() -> None:
    other, others = entrusted()
    text = f"dave.share: the share of dave is for slot {other.slot_id}, the others are for {SLOT.slot_id}"
    for both in ((SLOT, other), (other, SLOT), (SLOT,)):
        assert refusal(others["dave"], SHARES["alice"], SHARES["bob"], slots=both).message == text
        assert refusal(SHARES["alice"], SHARES["bob"], others["dave"], slots=both).message == text


def test_a_share_of_a_slot_that_is_not_there_is_named() -> None:
    keyfile = msgspec.structs.replace(SLOT, kind="keyfile", quorum=msgspec.UNSET)
    text = f"alice.share: the share of alice is for slot {SLOT.slot_id}, which admin does not have"
    assert refusal(SHARES["alice"], SHARES["bob"], slots=()).message == text
    assert refusal(SHARES["alice"], SHARES["bob"], slots=(keyfile,)).message == text


def test_the_slot_that_most_shares_are_for_is_meant() -> None:
    other, others = entrusted()
    assert custodians.slot_of([SLOT, other], given(others["alice"], SHARES["bob"], SHARES["alice"])) == SLOT
    assert custodians.slot_of([SLOT], given(others["alice"])) is None


def test_no_combination_opens_without_one_of_its_shares() -> None:
    # Whoever holds all but one share, and the slot, tries that one as anything he can think of.
    slot, shares = entrusted(("alice", "bob", "carol"), 3)
    custody = slot.quorum or pytest.fail("a slot of custodians has a quorum")
    others = [shares["alice"], shares["bob"]]
    for guess in (b"", bytes(32), shares["alice"].value, custody.custodians[2].check, os.urandom(32)):
        tried = [*others, CustodianShare(slot.slot_id, "carol", guess)]
        with pytest.raises(errors.VaultTamperedError):
            custodians._open(slot, custody, tried)
    for fewer in (others, others[:1], []):
        key = custodians._key(slot, fewer)
        context = quorum.combination_context(slot.slot_id, slot.principal, custody.names)
        with pytest.raises(errors.SealBrokenError):
            seal.unseal(key, custody.combinations[0], context=context)


def test_no_two_things_of_a_slot_are_sealed_under_one_key() -> None:
    keys = {custodians._key(SLOT, [SHARES[name] for name in pair]) for pair in combinations(NAMES, 2)}
    assert len(keys) == len(CUSTODY.combinations) == 6


@pytest.mark.parametrize(
    "members",
    [
        {"combinations": CUSTODY.combinations[::-1]},
        {"combinations": (CUSTODY.combinations[0][:-1] + b"\0", *CUSTODY.combinations[1:])},
        {"combinations": entrusted()[0].quorum.combinations},  # type: ignore[union-attr]
        {"custodians": (*CUSTODY.custodians[2:], *CUSTODY.custodians[:2])},
    ],
)
def test_a_changed_combination_is_told_from_a_wrong_share(members: dict[str, Any]) -> None:
    with pytest.raises(errors.VaultTamperedError, match="does not open with the shares that it says are right"):
        combine(SHARES["alice"], SHARES["bob"], slot=forged(**members))


def test_a_combination_is_bound_to_slot_and_principal() -> None:
    with pytest.raises(errors.VaultTamperedError):
        combine(SHARES["alice"], SHARES["bob"], slot=msgspec.structs.replace(SLOT, principal="bob"))


def test_a_forged_check_lets_no_forged_share_open() -> None:
    # Whoever can write the file can say that a share of his own is right; the combination says otherwise.
    fake = CustodianShare(SLOT.slot_id, "bob", os.urandom(32))
    changed = [
        msgspec.structs.replace(one, check=quorum.share_check(SLOT.slot_id, "bob", fake.value))
        if one.name == "bob"
        else one
        for one in CUSTODY.custodians
    ]
    with pytest.raises(errors.VaultTamperedError):
        combine(SHARES["alice"], fake, slot=forged(custodians=tuple(changed)))


def test_combinations_of_another_secret_open_no_anchor() -> None:
    # Forged as a whole, with shares of the forger: the anchor stays that of the true secret.
    other, shares = custodians.entrust(
        os.urandom, SLOT, Secret("custodians", b"t" * 32), names=("eve", "mallory"), threshold=2
    )
    assert slots.open_slot(other, combine(*shares, slot=other)) is None


def test_custodians_out_of_bounds_are_refused_before_anything_is_made() -> None:
    with pytest.raises(errors.ValidationError):
        custodians.entrust(lambda _: pytest.fail("drew"), SLOT, HELD, names=NAMES, threshold=5)


def test_shares_are_random_and_each_is_another() -> None:
    again = entrusted()[1]
    values = {share.value for share in (*SHARES.values(), *again.values())}
    assert len(values) == 8
    assert {len(value) for value in values} == {32}


def test_a_slot_holds_no_share_and_no_secret() -> None:
    body = formats.encode(SLOT)
    raw = b"".join(CUSTODY.combinations) + body
    assert [name for name, share in SHARES.items() if share.value in raw] == []
    assert HELD.value not in raw


def test_the_largest_slot_stays_small() -> None:
    slot, shares = entrusted(tuple(f"custodian-{number:02}" for number in range(16)), 14)
    assert isinstance(slot.quorum, Quorum)
    assert len(slot.quorum.combinations) == 120
    assert len(formats.encode(slot)) < 64 * 1024
    assert combine(*list(shares.values())[2:], slot=slot).value == HELD.value
