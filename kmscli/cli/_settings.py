"""The options of the whole tool: accepted before and after the verb, each once but for --keyfile, and the environment.

A row of `ROWS` is one option. An option on the command line always wins over a variable. Rows of AWS's own command line
that mean nothing here are taken with one notice. Nothing is read from a file here but the vault's own `config.toml`,
which the vault reads.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from kmscli import errors

OUTPUTS = ("json", "text", "table", "raw")
DEFAULT_LOCK_TIMEOUT = 30.0
COMPLETE_VARIABLE = "_KMS_COMPLETE"
"""Set by the completion script of a shell: what it asks for."""


class Row(msgspec.Struct, frozen=True):
    """One option of the whole tool.

    Attributes:
        name: The option, with its dashes.
        metavar: Name of its value; "" for a flag.
        summary: What it does.
        variable: The environment variable behind it.
        choices: The values it takes.
        ignored: Whether it is AWS's and means nothing here.
        several: Whether it may be given more than once.
    """

    name: str
    metavar: str
    summary: str
    variable: str = ""
    choices: tuple[str, ...] = ()
    ignored: bool = False
    several: bool = False


ROWS = (
    Row("--vault", "DIR", "The vault's folder.", "KMS_VAULT"),
    Row("--principal", "NAME", "Who acts; needed when the vault has several principals.", "KMS_PRINCIPAL"),
    Row("--output", "FORMAT", "Form of the answer; with json, errors are JSON too.", choices=OUTPUTS),
    Row("--query", "JMESPATH", "Show only this part of the answer."),
    Row("--no-input", "", "Never ask; end with 13 where a question would be needed.", "KMS_NO_INPUT"),
    Row("--yes", "", "Answer yes to every confirmation."),
    Row("--quiet", "", "No notes and warnings."),
    Row("--debug", "", "Show where an error came from; secrets are never shown."),
    Row("--lock-timeout", "SECONDS", "How long to wait for other processes (30)."),
    Row(
        "--keyfile",
        "FILE",
        "Unlock with this keyfile, or with the share of a custodian; several shares, each by an option of its own.",
        "KMS_KEYFILE",
        several=True,
    ),
    Row("--passphrase-fd", "N", "Unlock with the passphrase read from this file descriptor."),
    Row("--passphrase-file", "FILE", "Unlock with the passphrase in this file.", "KMS_PASSPHRASE_FILE"),
    Row("--passphrase-command", "CMD", "Unlock with what this command prints.", "KMS_PASSPHRASE_COMMAND"),
    Row("--region", "NAME", "Must be the vault's Region; `kms init` sets it."),
    Row("--profile", "NAME", "AWS's; means nothing here.", ignored=True),
    Row("--endpoint-url", "URL", "AWS's; means nothing here.", ignored=True),
    Row("--no-cli-pager", "", "AWS's; means nothing here.", ignored=True),
    Row("--color", "WHEN", "AWS's; means nothing here.", choices=("on", "off", "auto"), ignored=True),
)

UNLOCKING = ("--keyfile", "--passphrase-fd", "--passphrase-file", "--passphrase-command")


def one_of(choices: tuple[str, ...]) -> str:
    """The choices in a sentence: `a, b or c`."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _row(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


class Settings:
    """What the command line and the environment say about how to work, whatever the verb.

    Attributes:
        environ: The environment.
        given: Option -> value, as the command line gave them; a list of values if there may be several.
        umask: The caller's; None = as it is.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, *, umask: int | None = None) -> None:
        """Start with nothing given."""
        self.environ = environ
        self.umask = umask
        self.given: dict[str, Any] = {}

    def take(self, name: str, value: object) -> None:
        """Keep what the command line gave for an option: a tuple where there may be several.

        Raises:
            UsageError: It was given before, on the other side of the verb.
        """
        if isinstance(value, tuple):
            self.given.setdefault(name, []).extend(value)
        elif name in self.given:
            raise errors.UsageError(problem=f"{name} is given twice")
        else:
            self.given[name] = value

    def text(self, name: str) -> str | None:
        """The value of an option, else of its variable; an empty one counts as absent."""
        row = _row(name)
        value: str | None = self.given.get(name) or self.environ.get(row.variable) or None
        if value and row.choices and value not in row.choices:
            raise errors.UsageError(problem=f"{name} takes {one_of(row.choices)}, not {value!r}")
        return value

    def flag(self, name: str) -> bool:
        """Whether a flag is set; its variable sets it unless it is empty or 0."""
        row = _row(name)
        return name in self.given or self.environ.get(row.variable, "") not in {"", "0"}

    @property
    def vault(self) -> Path:
        """The vault's folder."""
        named = self.text("--vault")
        if named is not None:
            return Path(named)
        from kmscli.storage.paths import default_vault

        return default_vault()

    @property
    def lock_timeout(self) -> float:
        """Seconds to wait for other processes."""
        text = self.text("--lock-timeout")
        if text is None:
            return DEFAULT_LOCK_TIMEOUT
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1
        if not 0 <= seconds <= 1e6:  # noqa: PLR2004 - a bound against nan and inf, of no other meaning
            raise errors.UsageError(problem=f"--lock-timeout takes a number of seconds, not {text!r}")
        return seconds

    def ignored(self) -> list[str]:
        """The given options that mean nothing here."""
        return [row.name for row in ROWS if row.ignored and row.name in self.given]
