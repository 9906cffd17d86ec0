"""Vaults for measuring: made through the product's own code, many keys in one change."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from kmscli.service.context import Change, Context
from kmscli.service.keys import CreateKeyRequest, create_key
from kmscli.service.vaults import InitRequest, init_vault
from kmscli.vault.folder import Vault
from kmscli.vault.secrets import Secret
from kmscli.vault.session import Evaluated
from kmscli.vault.unlock import unlock

KEYS_PER_CHANGE = 2000

T = TypeVar("T")


def now() -> datetime:
    """The clock of a vault that is measured."""
    return datetime.now(UTC)


@contextmanager
def workplace() -> Iterator[Path]:
    """A temporary folder below the current one's file system, with the user's state inside it."""
    with tempfile.TemporaryDirectory(prefix="kms-bench-") as name:
        os.environ["XDG_STATE_HOME"] = f"{name}/state"
        yield Path(name)


def make(folder: Path, keys: int) -> None:
    """A vault at `folder` with `keys` keys, each with an alias; its keyfile is `folder`.key."""
    keyfile = folder.with_name(folder.name + ".key")
    init_vault(InitRequest(folder, None, keyfile), clock=now, rng=os.urandom)
    with opened(folder) as context:
        for first in range(0, keys, KEYS_PER_CHANGE):
            _fill(context, range(first, min(keys, first + KEYS_PER_CHANGE)))


def _fill(context: Context, numbers: range) -> None:
    with context.session.edit() as draft:
        change = Change(context, "CreateKey", draft)
        for number in numbers:
            create_key(change, CreateKeyRequest(alias=f"alias/bench-{number}"))
        draft.event = {"eventName": "CreateKey"}


@contextmanager
def opened(folder: Path, *, audited: bool = True) -> Iterator[Context]:
    """The vault at `folder`, unlocked by its keyfile; its uses can go unaudited here, and nowhere else."""
    keyfile = folder.with_name(folder.name + ".key")
    with Vault(folder, clock=now, rng=os.urandom, lock_timeout=30, warn=print) as vault:
        session = unlock(vault, None, lambda _: Secret.keyfile(keyfile.read_bytes(), path=str(keyfile)))
        if not audited:
            session._write_down = _release  # type: ignore[method-assign,assignment]  # noqa: SLF001 - for this alone
        yield Context(session)


def _release(_evaluate: object, _signed: object, found: Sequence[Evaluated[T]]) -> list[T]:
    return [each.result for each in found]
