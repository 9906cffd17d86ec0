"""The chain of root sets: who is in force follows from one fingerprint and signatures alone."""

from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.audit import roots
from kmscli.crypto.identity import Identity
from kmscli.formats import head, record
from kmscli.formats.record import RootKey, RootSet

ALICE, BOB, EVE = (Identity(bytes([number]) * 32) for number in (1, 2, 3))
VAULT_ID = "00" * 16


def key(name: str, who: Identity) -> RootKey:
    return RootKey(principal=name, sign=who.sign_public, seal=who.seal_public)


FIRST = record.encode(RootSet(vault_id=VAULT_ID, number=1, roots=(key("alice", ALICE),)))
FINGERPRINT = roots.fingerprint(FIRST)


def following(number: int, keys: list[RootKey], *, signer: str, by: Identity, **members: Any) -> bytes:
    values: dict[str, Any] = {"vault_id": VAULT_ID, "number": number, "roots": tuple(keys), "signer": signer} | members
    unsigned = RootSet(**values)
    signature = by.sign(head.root_set_bytes(record.encode(unsigned)))
    return record.encode(msgspec.structs.replace(unsigned, signature=signature))


SECOND = following(2, [key("alice", ALICE), key("bob", BOB)], signer="alice", by=ALICE)
THIRD = following(3, [key("bob", BOB)], signer="bob", by=BOB)


def test_the_first_set_is_in_force_alone() -> None:
    assert roots.check_chain([FIRST], FINGERPRINT).roots == (key("alice", ALICE),)


def test_the_last_set_of_a_chain_is_in_force() -> None:
    assert roots.check_chain([FIRST, SECOND], FINGERPRINT).number == 2
    assert roots.check_chain([FIRST, SECOND, THIRD], FINGERPRINT).roots == (key("bob", BOB),)


def test_without_a_fingerprint_the_first_set_is_taken_as_it_is() -> None:
    assert roots.check_chain([FIRST, SECOND], None).number == 2


def test_a_root_that_was_removed_signs_no_more() -> None:
    fourth = following(4, [key("alice", ALICE)], signer="alice", by=ALICE)
    with pytest.raises(errors.VaultTamperedError, match="alice signed, but is no root"):
        roots.check_chain([FIRST, SECOND, THIRD, fourth], FINGERPRINT)


@pytest.mark.parametrize(
    "chain",
    {
        "no set": [],
        "another first set": [record.encode(RootSet(vault_id=VAULT_ID, number=1, roots=(key("eve", EVE),)))],
        "the first set missing": [SECOND],
        "a set missing": [FIRST, THIRD],
        "a set twice": [FIRST, SECOND, SECOND],
        "sets swapped": [SECOND, FIRST],
        "signed by nobody": [FIRST, following(2, [key("eve", EVE)], signer="", by=EVE)],
        "signed by a stranger": [FIRST, following(2, [key("eve", EVE)], signer="eve", by=EVE)],
        "signed by a stranger in a root's name": [FIRST, following(2, [key("eve", EVE)], signer="alice", by=EVE)],
        "signed by one whom the set itself makes a root": [
            FIRST,
            following(2, [key("bob", BOB)], signer="bob", by=BOB),
        ],
        "another number": [FIRST, following(3, [key("alice", ALICE)], signer="alice", by=ALICE)],
        "the number before": [FIRST, following(1, [key("alice", ALICE)], signer="alice", by=ALICE)],
        "another vault": [FIRST, following(2, [key("alice", ALICE)], signer="alice", by=ALICE, vault_id="11" * 16)],
        "a changed key": [FIRST, SECOND.replace(b'"bob"', b'"eve"')],
        "another encoding": [FIRST, SECOND + b"\n"],
        "no set at all": [FIRST, b"{}"],
    }.items(),
    ids=lambda named: named[0],
)
def test_any_other_chain_is_refused(chain: tuple[str, list[bytes]]) -> None:
    with pytest.raises(errors.VaultTamperedError) as caught:
        roots.check_chain(chain[1], FINGERPRINT)
    assert caught.value.exit_code == 50


@pytest.mark.parametrize("members", [{"signer": "alice"}, {"signature": b"x"}, {"number": 2}])
def test_a_first_set_is_unsigned_and_has_the_number_1(members: dict[str, Any]) -> None:
    values: dict[str, Any] = {"vault_id": VAULT_ID, "number": 1, "roots": (key("alice", ALICE),)} | members
    body = record.encode(RootSet(**values))
    with pytest.raises(errors.VaultTamperedError, match="not a first one"):
        roots.check_chain([body], roots.fingerprint(body))


def test_another_fingerprint_is_told() -> None:
    with pytest.raises(errors.VaultTamperedError, match=f"its root fingerprint is {FINGERPRINT.hex()}"):
        roots.check_chain([FIRST], bytes(32))


def test_a_head_s_signature_is_no_signature_of_a_root_set() -> None:
    unsigned = RootSet(vault_id=VAULT_ID, number=2, roots=(key("eve", EVE),), signer="alice")
    signature = ALICE.sign(head.signed_bytes(record.encode(unsigned)))
    forged = record.encode(msgspec.structs.replace(unsigned, signature=signature))
    with pytest.raises(errors.SignatureBrokenError):
        roots.check_chain([FIRST, forged], FINGERPRINT)
