"""Which files a run reads and writes: inputs, their outputs, folders walked through."""

import os
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
            if text == "-":
                yield self._from_stdin()
            elif self._recursive and Path(text).is_dir():
                yield from map(self._job, self._walk(Path(text)))
            else:
                yield self._job(Path(text))

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
        """The regular files below a folder that are meant; links are not followed, nor are temporary files."""
        for path, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                found = Path(path) / name
                if found.is_symlink() or not found.is_file() or _is_temporary(name):
                    continue
                if self.in_place or name.endswith(self._suffix) != self._encrypts:
                    yield found


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(".tmp")
