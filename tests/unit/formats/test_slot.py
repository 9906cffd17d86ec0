"""Slots: one encoding, and a checksum that tells damage from a wrong passphrase."""

from datetime import UTC, datetime

import msgspec
import pytest

from kmscli import errors
from kmscli.formats import record, slot
from kmscli.formats.slot import Kdf, Slot

SLOT = Slot(
    slot_id="00112233",
    principal="admin",
    label="first",
    kind="passphrase",
    created=datetime(2026, 3, 1, tzinfo=UTC),
    kdf=Kdf(memory_kib=65536, passes=3, lanes=4),
    salt=bytes(16),
    public=b"public",
    anchor=b"anchor",
    seed=b"seed",
)
BODY = slot.encode(SLOT)


def test_what_is_encoded_is_decoded_with_its_checksum() -> None:
    decoded = slot.decode(BODY)
    assert msgspec.structs.replace(decoded, check=b"") == SLOT
    assert len(decoded.check) == 8
    assert slot.encode(decoded) == BODY


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("slot_id", "00112234"),
        ("principal", "bob"),
        ("label", "other"),
        ("kind", "keyfile"),
        ("kdf", None),
        ("kdf", Kdf(memory_kib=65536, passes=3, lanes=1)),
        ("salt", bytes(15) + b"\1"),
        ("public", b"x"),
        ("anchor", b"x"),
        ("seed", b"x"),
        ("check", bytes(8)),
        ("check", b""),
    ],
)
def test_a_damaged_member_is_told_whatever_the_passphrase(member: str, value: object) -> None:
    damaged = msgspec.structs.replace(slot.decode(BODY), **{member: value})
    with pytest.raises(errors.VaultTamperedError) as caught:
        slot.decode(record.encode(damaged))
    assert "is damaged" in caught.value.message
    assert caught.value.hint == "open the vault with another slot, or restore a backup"


@pytest.mark.parametrize("body", [b"", b"{}", BODY + b" ", BODY[:-1], BODY.replace(b'"lanes":4', b'"lanes":4.0')])
def test_what_is_no_slot_is_refused(body: bytes) -> None:
    with pytest.raises(errors.VaultTamperedError):
        slot.decode(body)


def test_anchor_and_seed_are_bound_to_slot_and_principal() -> None:
    contexts = {
        slot.anchor_context("a", "b"),
        slot.anchor_context("b", "a"),
        slot.anchor_context("ab", ""),
        slot.seed_context("a", "b", "c"),
        slot.seed_context("a", "c", "b"),
        slot.seed_context("b", "a", "c"),
    }
    assert len(contexts) == 6
