"""Slots: added, changed, removed and tested, each with a line; rules hold under the lock."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.service import slots
from kmscli.service.context import Context
from kmscli.service.dispatch import perform
from kmscli.storage.lock import derivation_queue, vault_lock
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock
from tests.helpers import Home, forked, named

PASSPHRASE = Secret.passphrase(b"correct horse")


def labels(home: Home) -> list[str]:
    return sorted(slot.label for slot in slots.list_slots(home.context.session.vault).slots)


def opens(home: Home, secret: Secret) -> bool:
    vault = home.open()
    try:
        unlock(vault, None, lambda _: secret)
    except errors.WrongSecretError:
        return False
    finally:
        vault.store.close()
    return True


def refused(call: Callable[[], object]) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        call()
    return caught.value


def test_a_new_vault_has_one_slot(home: Home) -> None:
    listed = named(slots.list_slots(home.context.session.vault))
    (slot,) = listed["Slots"]
    assert (slot["Principal"], slot["Label"], slot["Kind"]) == ("admin", "first", "keyfile")
    assert listed["DamagedSlots"] == 0


def test_a_passphrase_slot_opens_the_same_identity(home: Home) -> None:
    added = named(slots.add_slot(home.context, PASSPHRASE, "second"))["Slot"]
    assert (added["Label"], added["Kind"], added["KdfMemoryMib"]) == ("second", "passphrase", 8)
    assert opens(home, PASSPHRASE)
    assert opens(home, home.secret())
    assert not opens(home, Secret.passphrase(b"Correct horse"))


def test_a_keyfile_is_made_with_its_slot(home: Home, tmp_path: Path) -> None:
    slots.add_slot(home.context, tmp_path / "ci.key", "ci")
    assert (tmp_path / "ci.key").stat().st_mode & 0o777 == 0o600
    assert opens(home, Secret.keyfile((tmp_path / "ci.key").read_bytes(), path=""))


def test_a_keyfile_that_exists_is_left_alone_and_no_slot_is_made(home: Home, tmp_path: Path) -> None:
    (tmp_path / "ci.key").write_bytes(b"precious")
    error = refused(lambda: slots.add_slot(home.context, tmp_path / "ci.key", "ci"))
    assert (error.code, error.exit_code) == ("FileExists", 21)
    assert (tmp_path / "ci.key").read_bytes() == b"precious"
    assert labels(home) == ["first"]


@pytest.mark.parametrize("label", ["", "x" * 65, "a\nb", "\x1b[31m"])
def test_a_label_is_1_to_64_printable_characters(home: Home, label: str) -> None:
    assert refused(lambda: slots.add_slot(home.context, PASSPHRASE, label)).code == "ValidationException"


def test_a_label_names_one_slot(home: Home) -> None:
    error = refused(lambda: slots.add_slot(home.context, PASSPHRASE, "first"))
    assert (error.code, error.exit_code) == ("SlotRule", 14)


def test_a_principal_has_at_most_16_slots(home: Home, tmp_path: Path) -> None:
    for number in range(15):
        slots.add_slot(home.context, tmp_path / f"{number}.key", f"slot {number}")
    error = refused(lambda: slots.add_slot(home.context, tmp_path / "more.key", "more"))
    assert (error.code, error.exit_code) == ("SlotRule", 14)
    assert not (tmp_path / "more.key").exists()
    assert len(labels(home)) == 16


def test_a_changed_slot_opens_with_the_new_secret_only(home: Home) -> None:
    old = home.secret()
    changed = slots.change_slot(home.context, None, PASSPHRASE).slot
    assert (changed.label, changed.kind) == ("first", "passphrase")
    assert opens(home, PASSPHRASE)
    assert not opens(home, old)
    assert labels(home) == ["first"]


@pytest.mark.parametrize("by", ["id", "label"])
def test_a_slot_is_named_by_id_or_label(home: Home, by: str) -> None:
    added = slots.add_slot(home.context, PASSPHRASE, "second").slot
    name = added.slot_id if by == "id" else "second"
    assert slots.find(home.context, name).slot_id == added.slot_id
    slots.remove_slot(home.context, name)
    assert labels(home) == ["first"]
    assert not opens(home, PASSPHRASE)


def test_several_slots_must_be_told_apart(home: Home) -> None:
    slots.add_slot(home.context, PASSPHRASE, "second")
    assert refused(lambda: slots.change_slot(home.context, None, PASSPHRASE)).code == "SlotRule"


@pytest.mark.parametrize("named_slot", ["none", "", "00000000"])
def test_a_slot_that_is_not_there_is_not_found(home: Home, named_slot: str) -> None:
    error = refused(lambda: slots.remove_slot(home.context, named_slot))
    assert (error.code, error.exit_code) == ("SlotNotFound", 20)


def test_the_last_slot_stays(home: Home) -> None:
    error = refused(lambda: slots.remove_slot(home.context, "first"))
    assert (error.code, error.exit_code) == ("SlotRule", 14)
    assert labels(home) == ["first"]


def test_a_slot_is_tested_without_a_line(home: Home) -> None:
    vault = home.context.session.vault
    assert slots.test_slot(vault, None, lambda _: home.secret()).slot.label == "first"
    assert refused(lambda: slots.test_slot(vault, None, lambda _: PASSPHRASE)).exit_code == 12
    assert refused(lambda: slots.test_slot(vault, "bob", lambda _: PASSPHRASE)).code == "PrincipalNotFound"
    assert len(home.lines()) == 1


def test_each_change_of_slots_is_a_line(home: Home, tmp_path: Path) -> None:
    slots.add_slot(home.context, PASSPHRASE, "second")
    slots.change_slot(home.context, "second", tmp_path / "new.key")
    slots.remove_slot(home.context, "second")
    lines = home.lines()[1:]
    assert [line["eventName"] for line in lines] == ["AddSlot", "ChangeSlot", "RemoveSlot"]
    assert [line["requestParameters"]["label"] for line in lines] == ["second"] * 3
    assert {line["vault"]["generation"] for line in lines} == {1}
    assert b"correct horse" not in b"".join(home.raw_lines())


def test_each_refusal_is_a_line_too(home: Home, tmp_path: Path) -> None:
    refused(lambda: slots.add_slot(home.context, PASSPHRASE, "first"))
    refused(lambda: slots.add_slot(home.context, PASSPHRASE, ""))
    refused(lambda: slots.change_slot(home.context, "none", PASSPHRASE))
    refused(lambda: slots.remove_slot(home.context, "first"))
    assert [(line["eventName"], line["errorCode"]) for line in home.lines()[1:]] == [
        ("AddSlot", "SlotRule"),
        ("AddSlot", "ValidationException"),
        ("ChangeSlot", "SlotNotFound"),
        ("RemoveSlot", "SlotRule"),
    ]


def test_new_slots_cost_at_least_what_the_vault_and_its_owner_ask(home: Home) -> None:
    config = home.folder / "config.toml"
    config.write_text("[slots]\nkdf_memory_mib = 9\n")
    assert slots.add_slot(home.context, PASSPHRASE, "second").slot.kdf_memory_mib == 9


# -- many at once ------------------------------------------------------------------------------------------------------


def test_a_keyfile_whose_slot_cannot_be_written_is_taken_back(home: Home, tmp_path: Path) -> None:
    home.lock_timeout = 0.05
    context = home.context
    with vault_lock(home.folder / "lock", timeout=1):
        error = refused(lambda: slots.add_slot(context, tmp_path / "ci.key", "ci"))
    assert error.code == "LockTimeout"
    assert not (tmp_path / "ci.key").exists()


def run_many(home: Home, works: list[Callable[[Context], Any]]) -> list[tuple[str, Any]]:
    home.close()
    children = [forked(lambda work=work: work(home.unlocked())) for work in works]  # type: ignore[misc]
    return [child.outcome() for child in children]


def test_of_many_who_want_one_label_one_gets_it(home: Home, tmp_path: Path) -> None:
    def add(number: int) -> Callable[[Context], str]:
        return lambda context: slots.add_slot(context, tmp_path / f"{number}.key", "wanted").slot.slot_id

    outcomes = run_many(home, [add(number) for number in range(6)])
    assert [kind for kind, _ in outcomes].count("value") == 1
    assert labels(home) == ["first", "wanted"]
    assert len(list(tmp_path.glob("*.key"))) == 2


def test_of_many_who_change_one_slot_one_does(home: Home, tmp_path: Path) -> None:
    def change(number: int) -> Callable[[Context], str]:
        return lambda context: slots.change_slot(context, "first", tmp_path / f"{number}.key").slot.slot_id

    secret = home.secret()
    outcomes = run_many(home, [change(number) for number in range(6)])
    done = [number for number, (kind, _) in enumerate(outcomes) if kind == "value"]
    # Whoever came later found the slot of somebody before, or that the one it had seen is gone.
    assert len(done) >= 1
    vault = home.open()
    assert [slot.label for slot in slots.list_slots(vault).slots] == ["first"]
    vault.store.close()
    assert not opens(home, secret)
    assert [number for number in done if opens(home, keyfile(tmp_path / f"{number}.key"))] != []


def keyfile(path: Path) -> Secret:
    return Secret.keyfile(path.read_bytes(), path=str(path))


def test_derivations_queue_when_slots_are_made(home: Home) -> None:
    home.lock_timeout = 0.05

    def add() -> str:
        return slots.add_slot(home.unlocked(), PASSPHRASE, "second").slot.label

    with derivation_queue(home.folder / "lock", timeout=1):
        kind, text = forked(add).outcome()
    assert (kind, text.partition(":")[0]) == ("error", "LockTimeout")
    assert forked(add).result() == "second"


def test_derivations_queue_when_slots_are_opened(home: Home) -> None:
    slots.add_slot(home.context, PASSPHRASE, "second")
    home.close()
    home.lock_timeout = 0.05

    def open_it() -> str:
        return unlock(home.open(), None, lambda _: PASSPHRASE).principal

    with derivation_queue(home.folder / "lock", timeout=1):
        kind, text = forked(open_it).outcome()
    assert (kind, text.partition(":")[0]) == ("error", "LockTimeout")
    assert forked(open_it).result() == "admin"


def test_a_vault_still_works_for_whoever_unlocked_before_a_slot_was_removed(home: Home) -> None:
    context = home.context
    slots.add_slot(context, PASSPHRASE, "second")
    slots.remove_slot(context, "first")
    perform(context, "ListKeys", {})
    assert not opens(home, home.secret())
