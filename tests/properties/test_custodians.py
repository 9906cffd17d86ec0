"""Custodians of any number: whoever are enough open the slot, and whoever are too few do not, whatever they hold."""

import os
from datetime import UTC, datetime
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats import custodianshare
from kmscli.formats import slot as formats
from kmscli.formats.custodianshare import CustodianShare
from kmscli.formats.slot import Slot
from kmscli.vault import custodians, slots
from kmscli.vault.secrets import Secret, Shares, from_files
from kmscli.vault.slots import Opened

QUICK = settings(max_examples=60, deadline=None, database=None)
OPENED = Opened(Identity(b"i" * 32), "00112233445566778899aabbccddeeff", b"f" * 32)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HELD = Secret("custodians", os.urandom(32))
BARE = slots.make(os.urandom, OPENED, HELD, principal="admin", name="board", memory_mib=8, now=NOW)
names = st.text("abcXYZ019+=,.@_-", min_size=1, max_size=64)


@st.composite
def boards(draw: st.DrawFn) -> tuple[Slot, list[CustodianShare]]:
    """A slot of custodians, and their shares in any order."""
    who = draw(st.lists(names, min_size=2, max_size=16, unique=True))
    threshold = draw(st.sampled_from([m for m in range(2, len(who) + 1) if comb(len(who), m) <= 256]))
    slot, shares = custodians.entrust(os.urandom, BARE, HELD, names=who, threshold=threshold)
    return formats.decode(formats.encode(slot)), draw(st.permutations(shares))


def threshold_of(slot: Slot) -> int:
    return slot.quorum.threshold if slot.quorum else 0


def through_files(shares: list[CustodianShare]) -> Shares:
    found = from_files([(share.name, custodianshare.encode(share)) for share in shares])
    assert isinstance(found, Shares)
    return found


@QUICK
@given(boards(), st.data())
def test_enough_custodians_open_it_and_fewer_are_told_so(
    board: tuple[Slot, list[CustodianShare]], data: st.DataObject
) -> None:
    slot, shares = board
    count = data.draw(st.integers(1, len(shares)))
    if count >= threshold_of(slot):
        _, secret = custodians.combine([slot], through_files(shares[:count]), "admin")
        assert secret.value == HELD.value
        opened = slots.open_slot(slot, secret)
        assert opened is not None
        assert opened.identity.seed == OPENED.identity.seed
    else:
        with pytest.raises(errors.LockedError, match=f"{threshold_of(slot) - count} more"):
            custodians.combine([slot], through_files(shares[:count]), "admin")


@QUICK
@given(boards(), st.data())
def test_a_wrong_share_is_named_whatever_it_is_and_wherever_it_stands(
    board: tuple[Slot, list[CustodianShare]], data: st.DataObject
) -> None:
    slot, shares = board
    place = data.draw(st.integers(0, len(shares) - 1))
    true = shares[place]
    changed = bytearray(true.value)
    changed[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    shares[place] = CustodianShare(true.slot_id, true.name, bytes(changed))
    with pytest.raises(errors.WrongShareError) as caught:
        custodians.combine([slot], through_files(shares), "admin")
    assert caught.value.data["custodian"] == true.name
