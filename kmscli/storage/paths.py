"""Where things lie: the files of a vault, and the folder in which this user remembers what it saw."""

import os
from pathlib import Path
from typing import NamedTuple


class VaultPaths(NamedTuple):
    """The files of one vault (docs/spec/vault.md, "Files")."""

    folder: Path

    @property
    def config(self) -> Path:
        """Preferences."""
        return self.folder / "config.toml"

    @property
    def database(self) -> Path:
        """The key store."""
        return self.folder / "vault.db"

    @property
    def audit(self) -> Path:
        """Folder of the signed log."""
        return self.folder / "audit"

    @property
    def lock(self) -> Path:
        """Target of flock; never renamed."""
        return self.folder / "lock"

    @property
    def init_note(self) -> Path:
        """Which keyfile a `kms init` that is at work made; gone when it is done."""
        return self.folder / "init-keyfile"

    @property
    def shred_note(self) -> Path:
        """There while the database may still hold, between its records, bytes of what was destroyed; empty."""
        return self.folder / "shred-pending"

    @property
    def unlock_failures(self) -> Path:
        """One byte for each failed unlock since the last signed line."""
        return self.folder / "audit" / "unlock-failures"


def default_vault() -> Path:
    """The vault of a user who named none: `kms/default` in the platform's folder of user data."""
    from platformdirs import user_data_path

    return user_data_path("kms", appauthor=False) / "default"


def pin_file(vault_id: str) -> Path:
    """Where this user remembers what it last saw of a vault."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):
        return Path(state) / "kms" / f"{vault_id}.pin"
    from platformdirs import user_state_path

    return user_state_path("kms", appauthor=False) / f"{vault_id}.pin"
