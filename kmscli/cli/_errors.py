"""How a command ends when it does not end well: two lines or one JSON object on stderr, and the exit code.

Errors of Typer and of Python become errors of our own tree first. What is not foreseen is an InternalError that names
the exception's class and place and never its text, which may hold a secret.
"""

import os
import re
import signal
import traceback
from collections.abc import Iterator
from itertools import pairwise

import msgspec
from typer import Abort, Exit, TyperException

from kmscli import errors
from kmscli.cli import _io
from kmscli.cli._settings import Settings


def finish(error: BaseException, words: list[str], settings: Settings) -> int:
    """Tell the user what ended the command.

    Args:
        error: What ended it.
        words: The command line, for --output where parsing did not come that far.
        settings: The settings of this run.

    Returns:
        The exit code.
    """
    if isinstance(error, Exit):
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return _die_of_closed_pipe()
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    known = translate(error)
    if "--debug" in settings.given or "--debug" in words:
        _io.write_stderr(_trace(error))
    show(known, as_json=_wants_json(words))
    return known.exit_code


def translate(error: BaseException) -> errors.KmsError:
    """The error of our own tree that says the same."""
    if isinstance(error, errors.KmsError):
        return error
    if isinstance(error, KeyboardInterrupt | Abort):
        return errors.InterruptedByUserError()
    if isinstance(error, TyperException):
        return _usage(error)
    if isinstance(error, OSError):
        path = error.filename if isinstance(error.filename, str) else "input or output"
        return errors.InputOutputError(path=path, reason=error.strerror or type(error).__name__)
    return errors.InternalError(what=f"{type(error).__name__} in {_place(error)}")


def _usage(error: TyperException) -> errors.UsageError:
    message = getattr(error, "format_message", lambda: str(error))().rstrip(".")
    message = re.sub(r"a valid int(eger)?( range)?$", "a whole number", message)
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "kms"
    return errors.UsageError(problem=message[:1].lower() + message[1:], hint=f"see `{path} --help`")


def show(error: errors.KmsError, *, as_json: bool) -> None:
    """Write an error to stderr in one of its two forms."""
    if as_json:
        body = {"__type": error.code, "message": error.message, "hint": error.hint, "exit_code": error.exit_code}
        text = msgspec.json.encode({name: _escaped(value) for name, value in body.items()}).decode()
        _io.write_stderr(text + "\n")
        return
    lines = [f"kms: error: {error.code}: {_io.safe(error.message)}\n"]
    if error.hint:
        lines.append(f"kms: hint: {_io.safe(error.hint)}\n")
    _io.write_stderr("".join(lines))


def _escaped(value: object) -> object:
    return _io.safe(value) if isinstance(value, str) else value


def _wants_json(words: list[str]) -> bool:
    # Read from the words, not from the settings: an error of parsing may come before the option does.
    options = words[: words.index("--")] if "--" in words else words
    return "--output=json" in options or ("--output", "json") in pairwise(options)


def _die_of_closed_pipe() -> int:
    """End as a program does that never heard of SIGPIPE: silently, by the signal."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    return 128 + signal.SIGPIPE


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "an unknown place"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _trace(error: BaseException) -> str:
    """Where an error came from: files, lines and classes, no values and no texts but those of our own errors."""
    lines: list[str] = []
    for link in _chain(error):
        frames = traceback.extract_tb(link.__traceback__)
        lines.extend(f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
        text = f": {link.message}" if isinstance(link, errors.KmsError) else ""
        lines.append(f"{type(link).__name__}{_io.safe(text)}")
    return "".join(f"kms: debug: {line}\n" for line in lines)
