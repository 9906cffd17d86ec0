"""Which files need which keys, what is remembered of it, and the warning before a deletion."""

import os
from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.service import files, inventory, sealing
from kmscli.service.files import Job
from kmscli.service.inventory import InventoryFile
from kmscli.storage.paths import inventory_file
from kmscli.vault import inventory as remembered
from kmscli.vault.inventory import Holding, Inventory, Place
from tests.helpers import START, Home

PLAIN = b"to be kept\n"


class Shelf:
    """Folders of a user of a vault."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self.key = home.create_key(Alias="alias/app")
        self.other = home.create_key(Alias="alias/other")
        self.vault_id = home.made.vault_id
        for name in ("a/one", "a/deep/two", "b/three"):
            self.encrypt(name)
        (folder / "a/plain").write_bytes(PLAIN)

    def encrypt(self, name: str, keys: tuple[str, ...] = ("alias/app",), **more: Any) -> Path:
        """A file encrypted in its place."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PLAIN)
        make = sealing.sealer(self.home.context, sealing.Plan(keys=keys, **more))
        (result,) = files.run(self.home.context, [Job(path, path, in_place=True)], make)
        assert "done" == result.status, result.error
        return path

    def take(self, *names: str) -> list[InventoryFile]:
        """Look through folders."""
        with self.home.open() as vault:
            return list(inventory.take(vault, [self.folder / name for name in names]))

    def chosen(self, *names: str, stale: bool = False, key_id: str | None = None) -> list[str]:
        """Names of the files that are asked for."""
        with self.home.open() as vault:
            chooser = inventory.chooser(vault, stale=stale, key_id=key_id)
            found = inventory.take(vault, [self.folder / name for name in names])
            return [str(Path(one.file).relative_to(self.folder)) for one in found if chooser(one)]

    def known(self, key_id: str) -> list[tuple[str, int, str]]:
        """Folder, number of files and example of what is remembered of a key."""
        found = remembered.of_key(self.vault_id, key_id)
        return [
            (
                str(Path(place.path).relative_to(self.folder)),
                holding.files,
                str(Path(holding.example).relative_to(self.folder)),
            )
            for place, holding in found
        ]

    def delete(self, key_id: str) -> list[str]:
        """The warnings of a deletion."""
        self.home.warnings.clear()
        self.home.perform("ScheduleKeyDeletion", KeyId=key_id)
        return self.home.warnings


@pytest.fixture
def shelf(home: Home, tmp_path: Path) -> Shelf:
    return Shelf(home, tmp_path / "files")


def test_folders_are_gone_through_in_order_and_only_what_is_encrypted_is_told(shelf: Shelf) -> None:
    assert ["a/one", "a/deep/two", "b/three"] == shelf.chosen("a", "b")
    (one,) = shelf.take("a/one")
    assert ("blob", "current") == (one.format, one.state)
    assert one.keys is not None
    assert (shelf.key, 1, 1) == (one.keys[0].key_id, one.keys[0].version, one.keys[0].current_version)


def test_links_and_temporary_files_are_left_out(shelf: Shelf) -> None:
    (shelf.folder / "b/link").symlink_to(shelf.folder / "a/one")
    (shelf.folder / "b/folder").symlink_to(shelf.folder / "a")
    shelf.encrypt("b/.three.1.tmp")
    assert ["b/three"] == shelf.chosen("b")


def test_stale_files_are_those_of_an_old_version(shelf: Shelf) -> None:
    assert [] == shelf.chosen(".", stale=True)
    shelf.home.perform("RotateKeyOnDemand", KeyId=shelf.key)
    shelf.encrypt("c/four")
    assert ["a/one", "a/deep/two", "b/three"] == shelf.chosen(".", stale=True)


def test_files_of_one_key_are_found_by_any_name_of_it(shelf: Shelf) -> None:
    shelf.encrypt("both", keys=("alias/app", "alias/other"))
    for name in ("alias/other", shelf.other, shelf.home.arn(shelf.other)):
        assert ["both"] == shelf.chosen(".", key_id=name)
    assert [] == shelf.chosen(".", key_id="11111111-2222-3333-4444-555555555555")
    with pytest.raises(errors.AliasNotFoundError):
        shelf.chosen(".", key_id="alias/none")


def test_what_is_damaged_is_told_with_its_error(shelf: Shelf) -> None:
    (shelf.folder / "a/one").write_bytes(b"\x02\x04\x78cut")
    one, two = shelf.take("a")
    assert isinstance(one.error, errors.MalformedMessageError)
    assert two.error is None


def test_a_deletion_warns_of_the_files_that_need_the_key(shelf: Shelf) -> None:
    shelf.encrypt("a/both", keys=("alias/app", "alias/other"))
    shelf.take("a", "b")
    before = "the inventory of 2026-03-01 12:00 UTC knew"
    assert [
        f"{before} 1 file that needs this key, such as {shelf.folder}/b/three",
        f"{before} 3 files that need this key, such as {shelf.folder}/a/both",
    ] == shelf.delete(shelf.key)


def test_a_deletion_warns_of_nothing_that_is_not_known(shelf: Shelf) -> None:
    assert [] == shelf.delete(shelf.other)
    shelf.take("a")
    shelf.home.perform("CancelKeyDeletion", KeyId=shelf.other)
    assert [] == shelf.delete(shelf.other)


def test_a_later_look_replaces_what_was_known_of_the_same_place(shelf: Shelf) -> None:
    shelf.take("a", "b")
    (shelf.folder / "a/one").unlink()
    shelf.take("a")
    assert [("a", 1, "a/deep/two"), ("b", 1, "b/three")] == shelf.known(shelf.key)
    shelf.take(".")
    assert [(".", 2, "a/deep/two")] == shelf.known(shelf.key)


def test_what_is_asked_for_does_not_narrow_what_is_remembered(shelf: Shelf) -> None:
    shelf.chosen("a", stale=True, key_id="alias/other")
    assert [("a", 2, "a/one")] == shelf.known(shelf.key)


def test_a_place_that_is_not_there_takes_nothing_away(shelf: Shelf) -> None:
    shelf.take("a")
    (shelf.folder / "a").rename(shelf.folder / "moved")
    assert isinstance(shelf.take("a")[0].error, errors.InputOutputError)
    assert [("a", 2, "a/one")] == shelf.known(shelf.key)


def test_a_name_that_is_no_text_is_told_and_remembered(shelf: Shelf) -> None:
    folder = os.fsencode(shelf.folder / "odd")
    os.mkdir(folder)  # noqa: PTH102 - a name in bytes
    shelf.encrypt(os.fsdecode(b"odd/\xff"))
    assert rf"{shelf.folder}/odd/\xff" == shelf.take("odd")[0].file
    assert [("odd", 1, r"odd/\xff")] == shelf.known(shelf.key)


def test_the_inventory_is_this_users_alone(shelf: Shelf) -> None:
    shelf.take("a")
    assert 0o600 == inventory_file(shelf.vault_id).stat().st_mode & 0o777


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"format":2}', b"[" * 100_000])
def test_what_is_no_inventory_is_as_none(shelf: Shelf, content: bytes) -> None:
    shelf.take("a")
    inventory_file(shelf.vault_id).write_bytes(content)
    assert [] == shelf.delete(shelf.key)
    shelf.take("a")
    assert [("a", 2, "a/one")] == shelf.known(shelf.key)


def test_an_inventory_of_another_vault_is_as_none(shelf: Shelf) -> None:
    shelf.take("a")
    inventory_file(shelf.vault_id).rename(inventory_file("0" * 32))
    assert Inventory(vault_id="0" * 32, places=()) == remembered.load("0" * 32)


def test_without_a_folder_of_states_there_is_a_warning(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.home.warnings.clear()
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    assert 2 == len(shelf.take("a"))
    assert 1 == sum("not remembered" in warning for warning in shelf.home.warnings)


def holding(number: int, *, count: int = 1, example: str = "x") -> Holding:
    return Holding(key_id=f"{number:032x}", files=count, example=example)


def test_at_most_so_many_places_are_kept(home: Home) -> None:
    for number in range(remembered.PLACES_MAX + 5):
        place = Place(path=f"/{number}", time=START, files=1, keys=(holding(number),))
        remembered.remember(home.made.vault_id, [place])
    kept = remembered.load(home.made.vault_id).places
    assert [f"/{number}" for number in range(5, remembered.PLACES_MAX + 5)] == [place.path for place in kept]


def test_what_is_too_much_loses_the_oldest_places_and_the_keys_of_the_fewest_files(home: Home) -> None:
    many = {f"{number:032x}": (number, Path("/" + "x" * 900)) for number in range(10_000)}
    for path in ("/old", "/new"):
        remembered.remember(home.made.vault_id, [remembered.place(Path(path), START, 1, many)])
    (kept,) = remembered.load(home.made.vault_id).places
    assert "/new" == kept.path
    assert [f"{9_999 - n:032x}" for n in range(len(kept.keys))] == [key.key_id for key in kept.keys]
    assert 2_000 < len(kept.keys) < 10_000
    assert inventory_file(home.made.vault_id).stat().st_size <= remembered.LENGTH_MAX
