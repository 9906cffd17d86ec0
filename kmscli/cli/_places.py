"""Which files a run reads and writes: inputs, their outputs, folders walked through.

What a vault consists of is never among the files of a folder: a run over a home does not touch the vault in it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kmscli import errors
from kmscli.cli import _io
from kmscli.cli._bytes import SUFFIX
from kmscli.cli._settings import Settings
from kmscli.service.files import Job

_SHOWN_MAX = 1 << 20
"""Bytes that a terminal is shown at most."""


class Places:
    """The files of one run.

    Attributes:
        several: Whether it is a run over many: one that failed does not end it.
        in_place: Whether outputs take the place of inputs.
        to_terminal: Whether the result goes to a terminal by itself.
    """

    def __init__(self, operation: str, given: dict[str, Any], settings: Settings) -> None:
        """Take the places from the options.

        Raises:
            UsageError: They do not fit each other.
        """
        self._encrypts = operation == "Encrypt"
        self._inputs: tuple[str, ...] = tuple(given.get("files", ())) or ("-",)
        self._out: str | None = given.get("out")
        self._suffix: str = given.get("suffix", SUFFIX)
        self._recursive = bool(given.get("recursive"))
        self.in_place = bool(given.get("in_place"))
        self.several = len(self._inputs) > 1 or self._recursive
        self._check()
        to_stdout = not self.several and not self.in_place and self._out is None
        self.to_terminal = to_stdout and _io.is_terminal(_io.STDOUT)
        self._quiet = settings.flag("--quiet")
        self._vault = settings.vault

    def _check(self) -> None:
        if not self._suffix or "/" in self._suffix:
            raise errors.UsageError(problem=f"--suffix takes the end of a file's name, not {self._suffix!r}")
        if self._out is not None and (self.several or self.in_place):
            raise errors.UsageError(
                problem="-o names one output: it does not fit several inputs, --recursive or --in-place",
                hint=f"outputs of several inputs stand beside them, with {self._suffix} at the end of the name",
            )
        if "-" in self._inputs and (self.several or self.in_place):
            raise errors.UsageError(problem="standard input cannot be one of several, nor be replaced")

    def jobs(self) -> Iterator[Job]:
        """Each input with its output, in a steady order, found as they are asked for.

        Raises:
            UsageError: A folder without --recursive, or a name that says no output.
        """
        for text in self._inputs:
            if self.several and not self.in_place and not self._is_folder(text):
                self._beside(Path(text))  # before anything is done to others
        for text in self._inputs:
            if text == "-":
                yield self._from_stdin()
            elif self._is_folder(text):
                yield from map(self._job, self._walk(Path(text)))
            else:
                yield self._job(Path(text))

    def _is_folder(self, text: str) -> bool:
        return self._recursive and Path(text).is_dir()

    def _from_stdin(self) -> Job:
        if _io.is_terminal(_io.STDIN) and not self._quiet:
            _io.note("reading from the terminal; end with Ctrl-D")
        target = None if self._out in (None, "-") else Path(str(self._out))
        return Job(None, target, kept=_SHOWN_MAX if self.to_terminal and not self._encrypts else 0)

    def _job(self, source: Path) -> Job:
        if self.in_place:
            return Job(source, source, in_place=True)
        if not self.several:
            target = None if self._out in (None, "-") else Path(str(self._out))
            return Job(source, target, kept=_SHOWN_MAX if self.to_terminal and not self._encrypts else 0)
        return Job(source, self._beside(source))

    def _beside(self, source: Path) -> Path:
        if self._encrypts:
            return source.with_name(source.name + self._suffix)
        name = source.name.removesuffix(self._suffix)
        if name in ("", source.name):
            raise errors.UsageError(
                problem=f"{source} does not end with {self._suffix}, so that its output has no name",
                hint="--suffix names another end, -o the output of a single input",
            )
        return source.with_name(name)

    def _walk(self, folder: Path) -> Iterator[Path]:
        """The files below a folder that are meant, those of the vault left out.

        Raises:
            UsageError: The folder is the vault, or lies in it.
        """
        real, vault = folder.resolve(), self._vault.resolve()
        if real.is_relative_to(vault):
            raise errors.UsageError(problem=f"{folder} is the vault itself, or a part of it")
        kept = folder / vault.relative_to(real) if vault.is_relative_to(real) else None
        from kmscli.storage.walking import files_below  # only who goes through folders loads it

        for found in files_below(folder):
            if kept is not None and found.is_relative_to(kept):
                continue
            if self.in_place or found.name.endswith(self._suffix) != self._encrypts:
                yield found
