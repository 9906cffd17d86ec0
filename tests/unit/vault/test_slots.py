"""Slots: what opens them, what they are bound to, and what a forger can put into one."""

import os
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto import identity, kdf
from kmscli.crypto.identity import Identity
from kmscli.formats import slot as formats
from kmscli.formats.slot import Kdf, Slot
from kmscli.vault import slots
from kmscli.vault.secrets import Secret
from kmscli.vault.slots import Opened

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OPENED = Opened(Identity(b"i" * 32), "00112233445566778899aabbccddeeff", b"f" * 32)
KEYFILE, PASSPHRASE = Secret("keyfile", b"s" * 32), Secret.passphrase(b"hunter2")


def make(secret: Secret, **members: Any) -> Slot:
    asked: dict[str, Any] = {"principal": "admin", "name": "first", "memory_mib": 8, "now": NOW} | members
    return slots.make(os.urandom, OPENED, secret, **asked)


BY_KEYFILE, BY_PASSPHRASE = make(KEYFILE), make(PASSPHRASE)


@pytest.mark.parametrize(("slot", "secret"), [(BY_KEYFILE, KEYFILE), (BY_PASSPHRASE, PASSPHRASE)])
def test_a_slot_opens_to_what_was_put_into_it(slot: Slot, secret: Secret) -> None:
    opened = slots.open_slot(formats.decode(formats.encode(slot)), secret)
    assert opened is not None
    assert opened.identity.seed == OPENED.identity.seed
    assert (opened.vault_id, opened.fingerprint) == (OPENED.vault_id, OPENED.fingerprint)


def test_only_a_passphrase_costs_a_derivation() -> None:
    assert BY_KEYFILE.kdf is None
    assert BY_PASSPHRASE.kdf == Kdf(memory_kib=8192, passes=3, lanes=4)


@pytest.mark.parametrize(
    ("slot", "secret"),
    [
        (BY_KEYFILE, Secret("keyfile", b"t" * 32)),
        (BY_KEYFILE, PASSPHRASE),
        (BY_KEYFILE, Secret.passphrase(KEYFILE.value)),
        (BY_PASSPHRASE, Secret.passphrase(b"hunter3")),
        (BY_PASSPHRASE, Secret.passphrase(b"")),
        (BY_PASSPHRASE, KEYFILE),
        (BY_PASSPHRASE, Secret("keyfile", PASSPHRASE.value)),
    ],
)
def test_any_other_secret_is_the_wrong_one(slot: Slot, secret: Secret) -> None:
    assert slots.open_slot(slot, secret) is None


def test_two_slots_of_one_secret_have_nothing_in_common() -> None:
    other = make(KEYFILE)
    members = ("slot_id", "salt", "public", "anchor", "seed")
    assert [name for name in members if getattr(other, name) == getattr(BY_KEYFILE, name)] == []


@pytest.mark.parametrize("member", ["slot_id", "principal", "salt", "anchor"])
def test_what_the_anchor_is_bound_to_cannot_be_exchanged(member: str) -> None:
    other = make(KEYFILE, principal="bob")
    mixed = msgspec.structs.replace(BY_KEYFILE, **{member: getattr(other, member)})
    assert slots.open_slot(mixed, KEYFILE) is None


def test_a_changed_label_or_date_opens_all_the_same() -> None:
    # They are for people; nothing depends on them.
    changed = msgspec.structs.replace(BY_KEYFILE, label="other", created=datetime(2000, 1, 1, tzinfo=UTC))
    assert slots.open_slot(changed, KEYFILE) is not None


def test_a_seed_of_another_slot_does_not_open_here() -> None:
    mixed = msgspec.structs.replace(BY_KEYFILE, seed=make(KEYFILE).seed)
    with pytest.raises(errors.VaultTamperedError):
        slots.open_slot(mixed, KEYFILE)


def test_whoever_has_the_public_key_can_put_a_seed_there_but_no_other_vault() -> None:
    # Renewal of an identity needs no secret of a slot; the anchor, which does, still names the true vault.
    context = formats.seed_context(BY_KEYFILE.slot_id, "admin", OPENED.vault_id)
    renewed = identity.seal_to(BY_KEYFILE.public, b"n" * 32, context=context)
    opened = slots.open_slot(msgspec.structs.replace(BY_KEYFILE, seed=renewed), KEYFILE)
    assert opened is not None
    assert (opened.identity.seed, opened.fingerprint) == (b"n" * 32, OPENED.fingerprint)


@pytest.mark.parametrize(
    "changes",
    [
        {"kdf": Kdf(memory_kib=2**40, passes=3, lanes=4)},
        {"kdf": Kdf(memory_kib=1, passes=3, lanes=4)},
        {"kdf": Kdf(memory_kib=8192, passes=10**9, lanes=4)},
        {"salt": b""},
        {"salt": bytes(17)},
    ],
)
def test_a_forged_cost_is_refused_before_it_is_paid(changes: dict[str, Any]) -> None:
    with pytest.raises(errors.VaultTamperedError):
        slots.open_slot(msgspec.structs.replace(BY_PASSPHRASE, **changes), PASSPHRASE)


def test_a_passphrase_slot_without_a_cost_does_not_open_by_the_bare_passphrase() -> None:
    forged = msgspec.structs.replace(BY_PASSPHRASE, kdf=None)
    try:
        assert slots.open_slot(forged, PASSPHRASE) is None
    except errors.VaultTamperedError:
        return


def test_costs_of_new_slots_have_a_floor() -> None:
    assert kdf.MIN_MEMORY_MIB == 8
