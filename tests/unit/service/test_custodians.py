"""Slots of custodians in a vault: made with a file for each, opened together, and what is left when that fails."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats import custodianshare
from kmscli.formats import slot as formats
from kmscli.service import slots
from kmscli.service.newslots import Custodians
from kmscli.storage import segments
from kmscli.storage.lock import vault_lock
from kmscli.vault.secrets import Secret, Unlocking, from_files
from kmscli.vault.slots import renewed
from kmscli.vault.unlock import unlock
from tests.helpers import Home, named

NAMES = ("alice", "bob", "carol")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where shares are made."""
    made = tmp_path / "shares"
    made.mkdir()
    return made


def board(folder: Path, names: tuple[str, ...] = NAMES, threshold: int = 2) -> Custodians:
    return Custodians(names, threshold, folder)


def from_shares(folder: Path, *names: str) -> Unlocking:
    paths = [folder / f"{name}.share" for name in names]
    return from_files([(path.name, path.read_bytes()) for path in paths])


def unlocked(home: Home, secret: Unlocking) -> str:
    vault = home.open()
    try:
        return unlock(vault, None, lambda _: secret).identity.seed.hex()
    finally:
        vault.store.close()


def refused(call: Callable[[], object]) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        call()
    return caught.value


def test_custodians_open_the_same_identity(home: Home, folder: Path) -> None:
    added = named(slots.add_slot(home.context, board(folder), "board"))["Slot"]
    assert (added["Kind"], added["Threshold"], added["Custodians"]) == ("custodians", 2, list(NAMES))
    assert "KdfMemoryMib" not in added
    expected = unlocked(home, home.secret())
    for given in (("alice", "bob"), ("carol", "alice"), NAMES):
        assert unlocked(home, from_shares(folder, *given)) == expected


def test_each_custodian_gets_a_private_file(home: Home, folder: Path) -> None:
    added = slots.add_slot(home.context, board(folder), "board").slot
    assert sorted(path.name for path in folder.iterdir()) == ["alice.share", "bob.share", "carol.share"]
    for name in NAMES:
        path = folder / f"{name}.share"
        assert path.stat().st_mode & 0o777 == 0o600
        share = custodianshare.decode(path.read_bytes(), path=path.name)
        assert (share.name, share.slot_id) == (name, added.slot_id)


def test_one_share_is_not_enough(home: Home, folder: Path) -> None:
    slots.add_slot(home.context, board(folder), "board")
    error = refused(lambda: unlocked(home, from_shares(folder, "bob")))
    assert (error.code, error.exit_code) == ("Locked", 13)
    assert segments.failures(home.folder / "audit" / "unlock-failures") == 0


def test_a_wrong_share_is_named_and_counted(home: Home, folder: Path) -> None:
    slots.add_slot(home.context, board(folder), "board")
    slots.add_slot(home.context, board(folder / ".."), "other")
    wrong = from_files([(p.name, p.read_bytes()) for p in (folder / "alice.share", folder / ".." / "bob.share")])
    error = refused(lambda: unlocked(home, wrong))
    assert (error.code, error.exit_code) == ("WrongSecret", 12)
    assert error.message.startswith("bob.share: the share of bob is for slot ")
    assert segments.failures(home.folder / "audit" / "unlock-failures") == 1


def test_shares_may_outlive_their_slot(home: Home, folder: Path) -> None:
    slots.add_slot(home.context, board(folder), "board")
    slots.remove_slot(home.context, "board")
    error = refused(lambda: unlocked(home, from_shares(folder, "alice", "bob")))
    assert error.exit_code == 12
    assert error.message.endswith("which admin does not have")


def test_a_damaged_slot_of_custodians_is_told_from_a_wrong_share(home: Home, folder: Path) -> None:
    added = slots.add_slot(home.context, board(folder), "board").slot
    store = home.context.session.vault.store
    body = next(body for slot_id, body in store.slots() if slot_id == added.slot_id)
    with store.change():
        store.delete_slot(added.slot_id)
        store.put_slot(added.slot_id, body.replace(b'"threshold":2', b'"threshold":3'))
    home.close()
    assert refused(lambda: unlocked(home, from_shares(folder, "alice", "bob"))).exit_code == 50
    assert unlocked(home, home.secret())


def test_dual_control_is_all_there_is_when_the_other_slots_are_gone(home: Home, folder: Path) -> None:
    slots.add_slot(home.context, board(folder), "board")
    slots.remove_slot(home.context, "first")
    assert refused(lambda: unlocked(home, home.secret())).exit_code == 12
    assert refused(lambda: slots.remove_slot(home.context, "board")).code == "SlotRule"
    assert unlocked(home, from_shares(folder, "alice", "carol"))


def test_it_is_found_by_a_test_and_listed(home: Home, folder: Path) -> None:
    slots.add_slot(home.context, board(folder), "board")
    vault = home.context.session.vault
    assert slots.test_slot(vault, None, lambda _: from_shares(folder, "alice", "bob")).slot.label == "board"
    (_, listed) = sorted(named(slots.list_slots(vault))["Slots"], key=lambda slot: str(slot["Label"]) != "first")
    assert (listed["Label"], listed["Threshold"], listed["Custodians"]) == ("board", 2, list(NAMES))


def test_it_is_not_changed_into_one_that_opens_alone(home: Home, folder: Path) -> None:
    slots.add_slot(home.context, board(folder), "board")
    for call in (
        lambda: slots.change_slot(home.context, "board", Secret.passphrase(b"mine alone")),
        lambda: slots.find_changeable(home.context, "board"),
    ):
        error = refused(call)
        assert (error.code, error.exit_code) == ("SlotRule", 14)
        assert error.message == "slot board opens with 2 of the custodians alice, bob, carol, and is not changed"


@pytest.mark.parametrize(
    ("names", "threshold"),
    [(("alice", "alice"), 2), (("alice",), 1), (NAMES, 1), (NAMES, 4), (("a/b", "c"), 2)],
)
def test_custodians_that_cannot_be_are_refused_before_a_file_is_made(
    home: Home, folder: Path, names: tuple[str, ...], threshold: int
) -> None:
    error = refused(lambda: slots.add_slot(home.context, board(folder, names, threshold), "board"))
    assert (error.code, error.exit_code) == ("ValidationException", 2)
    assert list(folder.iterdir()) == []
    assert home.lines()[-1]["errorCode"] == "ValidationException"


def test_a_file_that_is_there_is_left_alone_and_the_others_are_taken_back(home: Home, folder: Path) -> None:
    (folder / "carol.share").write_bytes(b"precious")
    error = refused(lambda: slots.add_slot(home.context, board(folder), "board"))
    assert (error.code, error.exit_code) == ("FileExists", 21)
    assert [path.name for path in folder.iterdir()] == ["carol.share"]
    assert (folder / "carol.share").read_bytes() == b"precious"
    assert len(slots.list_slots(home.context.session.vault).slots) == 1


def test_shares_whose_folder_is_not_there_are_refused(home: Home, folder: Path) -> None:
    error = refused(lambda: slots.add_slot(home.context, board(folder / "nowhere"), "board"))
    assert (error.code, error.exit_code) == ("InputOutputError", 1)
    assert len(slots.list_slots(home.context.session.vault).slots) == 1


def test_shares_whose_slot_cannot_be_written_are_taken_back(home: Home, folder: Path) -> None:
    home.lock_timeout = 0.05
    context = home.context
    with vault_lock(home.folder / "lock", timeout=1):
        error = refused(lambda: slots.add_slot(context, board(folder), "board"))
    assert error.code == "LockTimeout"
    assert list(folder.iterdir()) == []


def test_the_line_names_the_custodians_and_holds_no_share(home: Home, folder: Path) -> None:
    slots.add_slot(home.context, board(folder), "board")
    parameters = home.lines()[-1]["requestParameters"]
    assert (parameters["kind"], parameters["threshold"], parameters["custodians"]) == ("custodians", 2, list(NAMES))
    written = b"".join(home.raw_lines()) + (home.folder / "vault.db").read_bytes()
    for name in NAMES:
        *_, text = (folder / f"{name}.share").read_text().split()
        share = custodianshare.decode((folder / f"{name}.share").read_bytes(), path=name)
        assert share.value not in written
        assert text.encode() not in written


def test_an_identity_is_renewed_without_a_share(home: Home, folder: Path) -> None:
    added = slots.add_slot(home.context, board(folder), "board").slot
    session = home.context.session
    store = session.vault.store
    slot = next(slot for slot in session.vault.slots()[0] if slot.slot_id == added.slot_id)
    after = renewed(slot, session.identity, Identity(b"n" * 32), vault_id=session.opened.vault_id)
    with store.change():
        store.delete_slot(slot.slot_id)
        store.put_slot(slot.slot_id, formats.encode(after))
    home.close()
    assert unlocked(home, from_shares(folder, "bob", "carol")) == (b"n" * 32).hex()
