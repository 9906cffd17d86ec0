"""Which version of a key is the current one, as files are judged by it; keys are looked up when they are first met.

Nothing is unlocked and nothing is written down. What was looked up is kept, so that a run over many files judges all of
them by the same versions; no state of the vault is held open between two keys.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

import msgspec

from kmscli import errors
from kmscli.model import ids
from kmscli.service import asking, lifecycle
from kmscli.service.context import Context
from kmscli.vault.folder import Vault
from kmscli.vault.records import Records


class Standing(msgspec.Struct, frozen=True):
    """A key of this vault.

    Attributes:
        arn: Its ARN.
        version: Number of its current version.
    """

    arn: str
    version: int


class Keyring:
    """The keys of a vault, by id and by name."""

    def __init__(self, read: Callable[[], AbstractContextManager[Records]], clock: Callable[[], datetime]) -> None:
        """Ask `read` for a state of the vault whenever a key is met for the first time."""
        self._read = read
        self._clock = clock
        self._known: dict[str, Standing | None] = {}

    def find(self, key_id: str) -> Standing | None:
        """The key with this id, None if it is not in this vault or its deletion date is past."""
        if key_id not in self._known:
            with self._read() as records:
                key = records.key(key_id)
                gone = key is None or lifecycle.is_gone(key, self._clock())
                self._known[key_id] = None if key is None or gone else Standing(key.arn, key.record.current)
        return self._known[key_id]

    def named(self, named: str) -> str:
        """The id of the key that a KeyId stands for.

        Raises:
            KmsError: NotFoundException or InvalidArnException.
        """
        with self._read() as records:
            key_id = asking.key_of(records, named)[0].record.key_id
        if self.find(key_id) is None:
            raise errors.KeyNotFoundError(arn=named)
        return key_id

    def loosely_named(self, named: str) -> str:
        """The same for a key that may be elsewhere: an id or an ARN of no key here stands for itself, by its id."""
        try:
            return self.named(named)
        except errors.KeyNotFoundError:
            tail = named.rpartition("/")[2]
            if not ids.is_key_id(tail):
                raise
            return tail


def of_vault(vault: Vault) -> Keyring:
    """The keys of a vault that nobody unlocked; it is believed as `kms status` believes it."""
    return Keyring(lambda: asking.proved(vault), vault.clock)


def of_session(context: Context) -> Keyring:
    """The keys of the vault in which somebody acts."""
    return Keyring(context.session.read, context.session.vault.clock)
