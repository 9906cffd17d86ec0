"""Somebody who has a principal's seed, all keyfiles of it and every copy of the vault, and tries all of it on all.

Whatever opens is tried on everything else: as the seed of an identity, as a key, as what a slot gives. The labels are
those of docs/spec/vault.md, for every principal, key and number that there could be.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from kmscli import errors
from kmscli.crypto import seal
from kmscli.crypto.identity import SEED_BYTES, Identity, SealingKey
from kmscli.formats import record, slot
from kmscli.formats.record import ShareRecord, VersionRecord
from kmscli.formats.slot import Slot
from kmscli.formats.wire import label
from tests.faults.attacker import rows_of

Materials = dict[tuple[str, int], bytes]
"""Key id and number of a version -> its material."""


class Files:
    """The records and slots of one copy of a vault, believed as they lie there."""

    def __init__(self, folder: Path) -> None:
        self.rows = [(kind, record_id, body) for _, kind, record_id, body, _ in rows_of(folder, "record")]
        self.slots = [slot.decode(body) for _, body in rows_of(folder, "slot")]

    def of(self, kind: str) -> list[Any]:
        return [record.decode(body, record.KINDS[kind]) for found, _, body in self.rows if found == kind]

    @property
    def vault_id(self) -> str:
        return str(self.of("vault")[0].vault_id)

    def sealed(self, *key_ids: str) -> list[bytes]:
        """The shares and sealed versions of keys."""
        found = [each for kind in ("share", "version") for each in self.of(kind) if each.key_id in key_ids]
        return [each.sealed for each in found if each.sealed]


class Robber:
    """What can be opened with a seed and what else is given, in some copies of a vault.

    Attributes:
        keys: All that opened and is as long as a key.
        materials: The material that opened.
    """

    def __init__(self, seed: bytes, copies: Iterable[Files], *, keyfiles: Iterable[bytes] = ()) -> None:
        self.copies = list(copies)
        self.keys: set[bytes] = set()
        self.materials: Materials = {}
        self._openers: dict[bytes, list[Callable[..., bytes]]] = {}
        self._tried: set[tuple[bytes, bytes]] = set()
        self._names = {each.name for files in self.copies for each in files.of("principal")}
        for secret in (seed, *keyfiles):
            self._learn(secret)
        while self._round():
            pass

    def _learn(self, secret: bytes) -> None:
        if len(secret) == SEED_BYTES and secret not in self.keys:
            self.keys.add(secret)
            slots = [found for files in self.copies for found in files.slots]
            self._openers[secret] = [Identity(secret).open]
            self._openers[secret] += [SealingKey(secret, label("slot-seal", found.salt)).open for found in slots]

    def _round(self) -> bool:
        """Try all that is known on all that was not yet tried with it; whether anything new opened."""
        before = len(self.keys), len(self.materials)
        for files in self.copies:
            for sealed, contexts in self._sealed_to(files):
                self._try(sealed, contexts)
            for version in files.of("version"):
                self._try_version(version, files.vault_id)
        return before != (len(self.keys), len(self.materials))

    def _sealed_to(self, files: Files) -> Iterator[tuple[bytes, list[bytes]]]:
        """What is sealed to a public key, with the contexts that might be its own."""
        vault_id = files.vault_id.encode()
        for share in files.of("share"):
            yield share.sealed, [share_context(files.vault_id, share, name) for name in sorted(self._names)]
        for kind, purpose, member in (("vault-secret", "vault-secret", "sealed"), ("sharing", "old-identity", "old")):
            for found in files.of(kind):
                contexts = [label(purpose, vault_id, name.encode()) for name in sorted(self._names)]
                yield getattr(found, member), contexts
        for found in files.slots:
            yield found.seed, [slot.seed_context(found.slot_id, found.principal, files.vault_id)]

    def _try(self, sealed: bytes, contexts: list[bytes]) -> None:
        for secret in sorted(self.keys):
            if sealed and (secret, sealed) not in self._tried:
                self._tried.add((secret, sealed))
                for opener, context in product(self._openers[secret], contexts):
                    with suppress(errors.SealBrokenError):
                        self._learn(opener(sealed, context=context))

    def _try_version(self, version: VersionRecord, vault_id: str) -> None:
        for secret in sorted(self.keys):
            if version.sealed and (secret, version.sealed) not in self._tried:
                self._tried.add((secret, version.sealed))
                material = opened_version(secret, version, vault_id)
                if material is not None:
                    self.materials[version.key_id, version.number] = material

    def opens(self, files: Files) -> Materials:
        """The material in a copy that opens with all that was learnt from others."""
        found = {}
        for version, secret in product(files.of("version"), self.keys):
            if version.sealed and (material := opened_version(secret, version, files.vault_id)) is not None:
                found[version.key_id, version.number] = material
        return found


KEKS = range(1, 9)
"""More numbers of KEKs than the tests come to."""


def share_context(vault_id: str, share: ShareRecord, principal: str) -> bytes:
    number = share.kek.to_bytes(4, "big")
    return label("share", vault_id.encode(), share.key_id.encode(), principal.encode(), number)


def opened_version(key: bytes, version: VersionRecord, vault_id: str) -> bytes | None:
    """The material of a version by a key, whatever number the key may have."""
    for kek in KEKS:
        numbers = version.number.to_bytes(4, "big"), kek.to_bytes(4, "big")
        with suppress(errors.SealBrokenError):
            return seal.unseal(
                key, version.sealed, context=label("material", vault_id.encode(), version.key_id.encode(), *numbers)
            )
    return None


def of_keys(materials: Mapping[tuple[str, int], bytes], *key_ids: str) -> Materials:
    """Those of some keys."""
    return {place: material for place, material in materials.items() if place[0] in key_ids}


def traces(folder: Path, secrets: Iterable[bytes]) -> list[bytes]:
    """The secrets of which some part lies in the files of a folder, as bytes or as base64."""
    files = b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    return [secret for secret in secrets if any(part in files for part in _parts(secret))]


def _parts(secret: bytes) -> Iterator[bytes]:
    text = base64.b64encode(secret)
    yield from (text[at : at + 32] for at in range(0, len(text) - 32, 32))
    yield from (secret[at : at + 24] for at in range(0, len(secret) - 24, 24))


def slot_named(files: Files, principal: str) -> Slot:
    """The slot of a principal."""
    return next(found for found in files.slots if found.principal == principal)


def changed(struct: Any, **members: object) -> Any:
    """A record with other members."""
    return msgspec.structs.replace(struct, **members)
