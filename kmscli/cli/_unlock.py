"""Where the secret that unlocks comes from, and the secret of a new slot.

The first that applies: an option (one at most; --keyfile several times for shares of custodians), KMS_KEYFILE (their
paths joined by :), KMS_PASSPHRASE_FILE, KMS_PASSPHRASE_COMMAND,
KMS_PASSPHRASE, a question on the terminal. One trailing newline is taken off. Standard input is data and is never read.
A new secret has sources of its own, so that no variable meant for unlocking can set one.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from kmscli import errors
from kmscli.cli import _io
from kmscli.cli._settings import UNLOCKING, Settings
from kmscli.storage import files
from kmscli.vault.secrets import Secret, Unlocking, from_files


class New(msgspec.Struct, frozen=True):
    """The options of a verb that makes a slot."""

    passphrase_fd: str | None
    passphrase_file: str | None
    passphrase_command: str | None
    keyfile: str | None

    def passphrases(self) -> dict[str, str]:
        """The options for a passphrase that are given."""
        values = (self.passphrase_fd, self.passphrase_file, self.passphrase_command)
        named = zip(_NEW_PASSPHRASES, values, strict=True)
        return {name: value for name, value in named if value is not None}

    @property
    def options(self) -> list[str]:
        """The options that are given."""
        return [*self.passphrases(), *(["--new-keyfile"] if self.keyfile is not None else [])]

    @property
    def keyfile_path(self) -> Path | None:
        """Where a keyfile is to be made."""
        return Path(self.keyfile) if self.keyfile is not None else None


def new_options(fd: str | None, file: str | None, command: str | None, keyfile: str | None) -> New:
    """The options of a verb that makes a slot.

    Raises:
        UsageError: More than one of them is given.
    """
    new = New(fd, file, command, keyfile)
    refuse_several(new.options)
    return new


def refuse_several(given: Collection[str]) -> None:
    """Refuse options of which one at most may be given.

    Raises:
        UsageError: There are more.
    """
    if len(given) > 1:
        raise errors.UsageError(problem=f"{' and '.join(given)} exclude each other", hint="give one of them")


_NEW_PASSPHRASES = ("--new-passphrase-fd", "--new-passphrase-file", "--new-passphrase-command")
_NEW_HINT = "give one with --new-passphrase-file, --new-passphrase-fd, --new-passphrase-command or --new-keyfile"


def secret(settings: Settings, principal: str) -> Unlocking:
    """What unlocks a principal: a secret, or the shares of custodians.

    Raises:
        LockedError: No source, and nobody to ask.
        KmsError: The source cannot be read.
    """
    given = {name: settings.given[name] for name in UNLOCKING if name in settings.given}
    refuse_several(given)
    if "--keyfile" in given:
        return _from_keyfiles(given["--keyfile"])
    for name, value in given.items():
        return _SOURCES[name](value, name)
    if value := settings.environ.get("KMS_KEYFILE"):
        return _from_keyfiles(_paths(value))
    for name in ("--passphrase-file", "--passphrase-command"):
        if value := settings.text(name):
            return _SOURCES[name](value, name)
    if value := settings.environ.get("KMS_PASSPHRASE"):
        _warn_of_variable("KMS_PASSPHRASE", settings)
        return Secret.passphrase(_whole(value.encode(errors="surrogateescape"), "KMS_PASSPHRASE"))
    from kmscli.cli import _prompt  # a run that asks nobody does not load it

    if not _prompt.can_ask(settings):
        raise errors.LockedError(problem=f"a passphrase or keyfile for {principal} is needed, and nobody can be asked")
    return Secret.passphrase(_prompt.passphrase(f"Passphrase of {_io.safe(principal)}"))


def new_secret(settings: Settings, new: New, whose: str) -> Secret | Path:
    """The secret of a new slot, or the path of the keyfile to make.

    Args:
        settings: The settings of this run.
        new: What the verb was given.
        whose: For the question, such as `the new vault's admin`.

    Raises:
        LockedError: No source, and nobody to ask.
        KmsError: The source cannot be read.
    """
    if new.keyfile_path is not None:
        return new.keyfile_path
    for name, value in new.passphrases().items():
        return _SOURCES[name.replace("--new-", "--")](value, name)
    if (found := _new_from_environment(settings)) is not None:
        return found
    from kmscli.cli import _prompt

    if not _prompt.can_ask(settings):
        raise errors.LockedError(problem="a new passphrase is needed, and nobody can be asked", hint=_NEW_HINT)
    return Secret.passphrase(_prompt.new_passphrase(f"New passphrase for {_io.safe(whose)}"))


def _new_from_environment(settings: Settings) -> Secret | None:
    environ = settings.environ
    if value := environ.get("KMS_NEW_PASSPHRASE_FILE"):
        return _from_file(value, "KMS_NEW_PASSPHRASE_FILE")
    if value := environ.get("KMS_NEW_PASSPHRASE_COMMAND"):
        return _from_command(value, "KMS_NEW_PASSPHRASE_COMMAND")
    if value := environ.get("KMS_NEW_PASSPHRASE"):
        _warn_of_variable("KMS_NEW_PASSPHRASE", settings)
        return Secret.passphrase(_whole(value.encode(errors="surrogateescape"), "KMS_NEW_PASSPHRASE"))
    return None


def _warn_of_variable(name: str, settings: Settings) -> None:
    if not settings.flag("--quiet"):
        text = f"{name} can be read by every process of this user: a file, a command or a keyfile is safer"
        _io.note(text, kind="warning")


def _whole(content: bytes, source: str) -> bytes:
    passphrase = content.removesuffix(b"\n")
    if not passphrase:
        raise errors.LockedError(problem=f"{source} gives an empty passphrase", hint="")
    return passphrase


def _from_keyfiles(paths: Sequence[str]) -> Unlocking:
    return from_files([(path, files.read_secret(Path(path))) for path in paths])


def _paths(value: str) -> list[str]:
    # One keyfile, as ever, whatever its name; several shares are joined as in PATH.
    return [value] if os.path.lexists(value) else [path for path in value.split(":") if path]


def _from_file(path: str, _option: str) -> Secret:
    return Secret.passphrase(_whole(files.read_secret(Path(path)), path))


def _from_descriptor(text: str, option: str) -> Secret:
    if not text.isascii() or not text.isdecimal() or int(text) == _io.STDIN:
        raise errors.UsageError(
            problem=f"{option} takes the number of a descriptor, not {text!r}",
            hint="standard input, 0, is data and is never read for a passphrase",
        )
    return Secret.passphrase(_whole(files.read_descriptor(int(text)), f"file descriptor {text}"))


def _from_command(command: str, option: str) -> Secret:
    import shlex
    import subprocess

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise errors.UsageError(problem=f"{option} cannot be split: {error}") from error
    if not words:
        raise errors.UsageError(problem=f"{option} is empty")
    try:
        ended = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)  # noqa: S603
    except OSError as error:
        raise errors.LockedError(problem=f"{words[0]} cannot be run: {error.strerror}", hint="") from error
    if ended.returncode != 0:
        raise errors.LockedError(problem=f"{words[0]} ended with {ended.returncode}", hint="")
    return Secret.passphrase(_whole(ended.stdout, words[0]))


_SOURCES: Mapping[str, Callable[[str, str], Secret]] = {
    "--passphrase-fd": _from_descriptor,
    "--passphrase-file": _from_file,
    "--passphrase-command": _from_command,
}
