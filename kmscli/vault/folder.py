"""A vault's folder, opened: its files checked, its store and log at hand, nothing unlocked.

Implements docs/spec/vault.md, "Opening".
"""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Self

from kmscli import errors
from kmscli.audit.log import AuditLog
from kmscli.formats import slot as slots
from kmscli.formats.slot import Slot
from kmscli.storage import files, segments
from kmscli.storage.paths import VaultPaths
from kmscli.storage.places import refuse_network
from kmscli.storage.sqlite import Store
from kmscli.vault import config


class Vault:
    """An open vault.

    Attributes:
        paths: Its files.
        store: Its rows.
        log: Its audit log.
        config: Its owner's preferences.
        clock: Gives the time, UTC.
        rng: Gives random bytes.
        lock_timeout: Seconds to wait for other processes.
        warn: Takes a sentence for the user.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], datetime],
        rng: Callable[[int], bytes],
        lock_timeout: float,
        warn: Callable[[str], None],
    ) -> None:
        """Open the vault in a folder.

        Args:
            folder: The folder; a link to it is followed, links inside it are not.
            clock: Gives the time, UTC.
            rng: Gives random bytes, such as os.urandom.
            lock_timeout: Seconds to wait for other processes.
            warn: Takes a sentence for the user.

        Raises:
            VaultNotFoundError: There is none.
            UnsafeVaultError: It is not this user's alone.
            UnsupportedOperationError: It lies on a network file system.
            AuditUnavailableError: It has no folder for its log.
        """
        self.paths = VaultPaths(Path(os.path.realpath(folder)))
        if not os.path.lexists(self.paths.database):
            raise errors.VaultNotFoundError(path=folder)
        with files.io_errors(folder):
            files.check_private(self.paths.folder, self.paths.folder.lstat(), folder=True)
            refuse_network(self.paths.folder)
        segments.check_folder(self.paths.audit)
        self.clock = clock
        self.rng = rng
        self.lock_timeout = lock_timeout
        self.warn = warn
        self.config = _config(self.paths.config)
        self.log = AuditLog(self.paths.audit, segment_bytes=self.config.segment_bytes)
        self.store = Store.open(self.paths.database, lock_timeout=lock_timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Keep nothing open."""
        self.store.close()
        self.log.close()

    def slots(self) -> tuple[list[Slot], list[errors.KmsError]]:
        """The slots that can be read, and one error for each that cannot."""
        good: list[Slot] = []
        bad: list[errors.KmsError] = []
        for slot_id, body in self.store.slots():
            try:
                good.append(_slot(slot_id, body))
            except errors.VaultTamperedError as error:
                bad.append(error)
        return good, bad


def _slot(slot_id: str, body: bytes) -> Slot:
    slot = slots.decode(body)
    # A slot kept under a second id would outlive its own removal.
    if slot.slot_id != slot_id:
        raise errors.VaultTamperedError(what=f"slot {slot.slot_id} is kept under another id")
    return slot


def _config(path: Path) -> config.Config:
    content = files.read_own(path, limit=config.LENGTH_MAX + 1) or b""
    return config.parse(content, path=str(path))
