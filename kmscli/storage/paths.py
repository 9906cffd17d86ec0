"""Where things lie: the files of a vault, and the folder in which this user remembers what it saw."""

import os
import sys
from functools import cached_property
from pathlib import Path

import msgspec

from kmscli import errors


class VaultPaths(msgspec.Struct, frozen=True, dict=True):
    """The files of one vault (docs/spec/vault.md, "Files")."""

    folder: Path

    @cached_property
    def config(self) -> Path:
        """Preferences."""
        return self.folder / "config.toml"

    @cached_property
    def database(self) -> Path:
        """The key store."""
        return self.folder / "vault.db"

    @cached_property
    def audit(self) -> Path:
        """Folder of the signed log."""
        return self.folder / "audit"

    @cached_property
    def lock(self) -> Path:
        """Target of flock; never renamed."""
        return self.folder / "lock"

    @cached_property
    def init_note(self) -> Path:
        """Which keyfile a `kms init` that is at work made; gone when it is done."""
        return self.folder / "init-keyfile"

    @cached_property
    def shred_note(self) -> Path:
        """There while the database may still hold, between its records, bytes of what was destroyed; empty."""
        return self.folder / "shred-pending"

    @cached_property
    def unlock_failures(self) -> Path:
        """One byte for each failed unlock since the last signed line."""
        return self.folder / "audit" / "unlock-failures"


def default_vault() -> Path:
    """The vault of a user who named none: `kms/default` in the platform's folder of user data."""
    return _user_folder("XDG_DATA_HOME", ".local/share") / "default"


def pin_file(vault_id: str) -> Path:
    """Where this user remembers what it last saw of a vault."""
    return _user_folder("XDG_STATE_HOME", ".local/state") / f"{vault_id}.pin"


def inventory_file(vault_id: str) -> Path:
    """Where this user remembers which files need the keys of a vault."""
    return _user_folder("XDG_STATE_HOME", ".local/state") / f"{vault_id}.inventory"


def _user_folder(variable: str, below_home: str) -> Path:
    """The folder of kms below a base folder of the XDG Base Directory Specification, or below macOS's one for all."""
    named = os.environ.get(variable, "")
    if named.startswith("/"):  # the specification has relative ones ignored
        return Path(named) / "kms"
    home = os.path.expanduser("~")
    if not home.startswith("/"):
        raise errors.UsageError(problem="this user has no home folder", hint=f"set {variable}, or name the vault")
    return Path(home) / ("Library/Application Support" if sys.platform == "darwin" else below_home) / "kms"
