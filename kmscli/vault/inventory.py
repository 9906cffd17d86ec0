"""What this user last found of files that need keys of a vault, kept outside it: whoever deletes a key is warned.

Implements docs/spec/inventory.md. It is no secret and no proof.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from kmscli import errors
from kmscli.formats import record
from kmscli.storage import files
from kmscli.storage.paths import inventory_file
from kmscli.storage.walking import text_of

LENGTH_MAX = 4 << 20
PLACES_MAX = 64
EXAMPLE_MAX = 1024

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Holding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many files need a key.

    Attributes:
        example: The path of one of them.
    """

    key_id: str
    files: _Count
    example: str


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found at or below a path.

    Attributes:
        files: How many encrypted files there were.
    """

    path: str
    time: datetime
    files: _Count
    keys: tuple[Holding, ...]


class Inventory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is remembered of a vault's files."""

    format: Literal[1] = 1
    vault_id: str
    places: tuple[Place, ...]


def load(vault_id: str) -> Inventory:
    """What is remembered; nothing if there is no inventory, or what is there is none."""
    nothing = Inventory(vault_id=vault_id, places=())
    try:
        found = record.decode(files.read_own(inventory_file(vault_id), limit=LENGTH_MAX + 1) or b"", Inventory)
    except errors.KmsError:
        return nothing
    return found if found.vault_id == vault_id else nothing


def place(path: Path, time: datetime, found: int, holdings: Mapping[str, tuple[int, Path]]) -> Place:
    """What was found at a path: key id -> how many files need it, and one of them."""
    keys = [
        Holding(key_id=key_id, files=count, example=text_of(example)[:EXAMPLE_MAX])
        for key_id, (count, example) in holdings.items()
    ]
    keys.sort(key=lambda key: (-key.files, key.key_id))
    return Place(path=text_of(path), time=time, files=found, keys=tuple(keys))


def remember(vault_id: str, found: Iterable[Place]) -> None:
    """Take in what was found now.

    Raises:
        OSError: The folder of states cannot be written.
    """
    new = list(found)
    old = [each for each in load(vault_id).places if not any(_covers(one, each) for one in new)]
    path = inventory_file(vault_id)
    files.make_folders(path.parent)
    files.replace_file(path, _encoded(vault_id, [*old, *new][-PLACES_MAX:]), durable=False)


def _covers(above: Place, below: Place) -> bool:
    return Path(below.path).is_relative_to(above.path)


def _encoded(vault_id: str, places: list[Place]) -> bytes:
    """The bytes of what fits: the newest places, and of a single one the keys of the most files."""
    while True:
        body = record.encode(Inventory(vault_id=vault_id, places=tuple(places)))
        if len(body) <= LENGTH_MAX:
            return body
        if len(places) > 1:
            places = places[1:]
        else:
            (only,) = places
            places = [msgspec.structs.replace(only, keys=only.keys[: len(only.keys) // 2])]


def of_key(vault_id: str, key_id: str) -> list[tuple[Place, Holding]]:
    """Where files were found that need a key, the newest first."""
    places = reversed(load(vault_id).places)
    return [(each, holding) for each in places for holding in each.keys if holding.key_id == key_id]
