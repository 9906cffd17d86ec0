"""Which files need which keys, and by which versions: found by looking through folders, without a secret.

Only the start of each file is read. What was found is remembered (docs/spec/inventory.md), all of it, whatever part of
it was asked for: the next ScheduleKeyDeletion tells of the files that it makes unreadable.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from kmscli import errors
from kmscli.service import asking, keyring, needs
from kmscli.service.files import Format
from kmscli.service.inspecting import InspectedKey, inspected_key
from kmscli.service.keyring import Keyring
from kmscli.service.needs import Sight, State
from kmscli.service.shapes import Response
from kmscli.storage import streams, walking
from kmscli.vault import inventory
from kmscli.vault.folder import Vault


class InventoryFile(Response, frozen=True, kw_only=True):
    """One encrypted file.

    Attributes:
        state: Whether it is encrypted with current versions of the keys that are in this vault, if any is.
        error: Why it cannot be said what it needs.
    """

    file: str
    format: Format | None = None
    keys: tuple[InspectedKey, ...] | None = None
    state: State | None = None
    error: errors.KmsError | None = None


def take(vault: Vault, paths: Iterable[Path]) -> Iterator[InventoryFile]:
    """Look through files and folders; all that is encrypted, in a steady order, and then it is remembered.

    Raises:
        KmsError: The vault is damaged or was tampered with.
    """
    ring = keyring.of_vault(vault)
    found = []
    for path in paths:
        place = _Place(path)
        yield from place.look(ring)
        found.append(place)
    with asking.proved(vault) as records:
        vault_id = records.vault.vault_id
    time = vault.clock()
    try:
        # A path that is not there, a disk that is not mounted, takes nothing away from what was known of it.
        inventory.remember(vault_id, [place.kept(time) for place in found if place.exists])
    except OSError as error:
        vault.warn(f"the inventory is not remembered, so no deletion of a key will warn: {error.strerror}")


def chooser(vault: Vault, *, stale: bool, key_id: str | None) -> Callable[[InventoryFile], bool]:
    """Which of the files are asked for; those that could not be read always are.

    Args:
        vault: The vault.
        stale: Only those that are not at the current version of their keys.
        key_id: Only those that need this key, by its id, ARN or alias; it may be elsewhere.

    Raises:
        KmsError: NotFoundException, InvalidArnException.
    """
    wanted = None if key_id is None else keyring.of_vault(vault).loosely_named(key_id)

    def chosen(one: InventoryFile) -> bool:
        needed = wanted is None or any(key.key_id == wanted for key in one.keys or ())
        return one.error is not None or (needed and (one.state == "stale" or not stale))

    return chosen


class _Place:
    """One path that is looked through, and how many of the files there need which keys of this vault."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = 0
        self._holdings: dict[str, tuple[int, Path]] = {}

    def look(self, ring: Keyring) -> Iterator[InventoryFile]:
        """The encrypted files, and those that cannot be read."""
        for path in walking.files_below(self._path) if self._path.is_dir() else [self._path]:
            try:
                with streams.reading(path) as source:
                    sight = needs.see(source, legacy=True)
            except errors.KmsError as error:
                yield InventoryFile(file=walking.text_of(path), error=error)
                continue
            if sight is not None:
                self._count(sight, path, ring)
                yield _told(path, sight, ring)

    def _count(self, sight: Sight, path: Path, ring: Keyring) -> None:
        self._files += 1
        for key_id in {need.key_id for need in sight.needs if need.version and ring.find(need.key_id)}:
            count, example = self._holdings.get(key_id, (0, Path(os.path.realpath(path))))
            self._holdings[key_id] = (count + 1, example)

    @property
    def exists(self) -> bool:
        """Whether there was anything to look at."""
        return self._path.exists()

    def kept(self, time: datetime) -> inventory.Place:
        """What is remembered."""
        return inventory.place(Path(os.path.realpath(self._path)), time, self._files, self._holdings)


def _told(path: Path, sight: Sight, ring: Keyring) -> InventoryFile:
    return InventoryFile(
        file=walking.text_of(path),
        format="blob" if sight.header is None else "message",
        keys=tuple(inspected_key(need, ring) for need in sight.needs),
        state=needs.state_of(sight.needs, ring),
    )
