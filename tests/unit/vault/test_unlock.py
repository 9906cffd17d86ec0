"""Unlocking: who acts, with which secret, and what is told when it does not open."""

from contextlib import closing
from sqlite3 import connect

import pytest

from kmscli import errors
from kmscli.service import slots
from kmscli.storage import segments
from kmscli.storage.lock import is_free
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import choose_principal, unlock
from tests.helpers import Home

WRONG = Secret("keyfile", b"w" * 32)


def failed(home: Home, name: str | None, secret: Secret) -> errors.KmsError:
    vault = home.open()
    with pytest.raises(errors.KmsError) as caught:
        unlock(vault, name, lambda _: secret)
    vault.store.close()
    return caught.value


def test_the_only_principal_need_not_be_named(home: Home) -> None:
    asked: list[str] = []

    def ask(name: str) -> Secret:
        asked.append(name)
        return home.secret()

    vault = home.open()
    assert unlock(vault, None, ask).principal == "admin"
    assert unlock(vault, "admin", ask).principal == "admin"
    assert asked == ["admin", "admin"]
    vault.store.close()


def test_nothing_is_locked_while_a_secret_is_asked_for(home: Home) -> None:
    def ask(_: str) -> Secret:
        assert is_free(home.folder / "lock")
        other = home.unlocked()
        other.session.note({"eventName": "Other"})
        other.session.vault.store.close()
        return home.secret()

    vault = home.open()
    unlock(vault, None, ask)
    vault.store.close()


def test_a_principal_that_is_not_there_is_named_before_anything_is_asked(home: Home) -> None:
    vault = home.open()
    with pytest.raises(errors.PrincipalNotFoundError) as caught:
        unlock(vault, "bob", lambda _: pytest.fail("asked"))
    assert (caught.value.exit_code, caught.value.message) == (20, "no principal bob in this vault")
    vault.store.close()


def test_a_wrong_secret_is_told_without_saying_which_slot(home: Home) -> None:
    error = failed(home, None, WRONG)
    assert (error.exit_code, error.message) == (12, "wrong keyfile for principal admin")


def test_a_secret_of_a_kind_for_which_there_is_no_slot_is_told_as_that(home: Home) -> None:
    error = failed(home, None, Secret.passphrase(b"x"))
    assert (error.message, error.hint) == ("wrong passphrase for principal admin", "admin has no passphrase slot")


def test_failed_unlocks_are_counted_into_the_next_line(home: Home) -> None:
    failed(home, None, WRONG)
    failed(home, None, WRONG)
    assert segments.failures(home.folder / "audit" / "unlock-failures") == 2
    home.perform("ListKeys")
    home.perform("ListKeys")
    assert [line.get("failedUnlocks") for line in home.lines()] == [None, 2, None]
    assert segments.failures(home.folder / "audit" / "unlock-failures") == 0


def damage(home: Home, slot_id: str) -> None:
    with closing(connect(home.folder / "vault.db")) as database, database:
        ((body,),) = database.execute("SELECT body FROM slot WHERE id = ?", [slot_id]).fetchall()
        changed = body.replace(b'"label":', b'"Label":')
        database.execute("UPDATE slot SET body = ? WHERE id = ?", [changed, slot_id])


def test_a_damaged_slot_is_told_from_a_wrong_secret(home: Home) -> None:
    home.close()
    vault = home.open()
    (slot,) = slots.list_slots(vault).slots
    vault.store.close()
    damage(home, slot.slot_id)
    error = failed(home, None, home.secret())
    assert error.exit_code == 50
    assert segments.failures(home.folder / "audit" / "unlock-failures") == 0


def test_a_damaged_slot_does_not_keep_another_from_opening(home: Home) -> None:
    added = slots.add_slot(home.context, home.folder.parent / "second.key", "second").slot
    home.close()
    damage(home, added.slot_id)
    vault = home.open()
    assert unlock(vault, None, lambda _: home.secret()).principal == "admin"
    assert slots.list_slots(vault).damaged_slots == 1
    vault.store.close()


def test_a_vault_without_slots_is_damaged(home: Home) -> None:
    with closing(connect(home.folder / "vault.db")) as database, database:
        database.execute("DELETE FROM slot")
    vault = home.open()
    with pytest.raises(errors.VaultTamperedError):
        choose_principal(vault, None)
    vault.store.close()
