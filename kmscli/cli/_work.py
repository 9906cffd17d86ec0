"""From settings to a vault at work: opened for what needs no secret, unlocked for what does.

Clock and randomness enter the program here.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from kmscli import errors
from kmscli.cli import _io, _unlock
from kmscli.cli._settings import Settings
from kmscli.service.context import Context
from kmscli.vault.folder import Vault
from kmscli.vault.unlock import unlock


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


rng = os.urandom


@contextmanager
def opened(settings: Settings) -> Iterator[Vault]:
    """The vault, nothing unlocked."""

    def warn(text: str) -> None:
        if not settings.flag("--quiet"):
            _io.note(text, kind="warning")

    with Vault(settings.vault, clock=now, rng=rng, lock_timeout=settings.lock_timeout, warn=warn) as vault:
        yield vault


@contextmanager
def unlocked(settings: Settings) -> Iterator[Context]:
    """The vault, unlocked by who acts.

    Raises:
        UsageError: --region names another Region than the vault's.
    """
    with opened(settings) as vault:
        session = unlock(vault, settings.text("--principal"), partial(_unlock.secret, settings))
        if region := settings.text("--region"):
            with session.read() as records:
                own = records.place.region
            if region != own:
                raise errors.UsageError(problem=f"this vault's Region is {own}, not {region}")
        yield Context(session)
