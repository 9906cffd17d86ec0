"""Questions to the person at the terminal: on the terminal device, never on standard input, whose bytes are data.

A passphrase is read without echo, as the bytes that were typed. Echo comes back whatever ends the question: an answer,
Ctrl-C, or a signal that would end the process.
"""

import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from kmscli import errors
from kmscli.cli import _io
from kmscli.cli._settings import Settings
from kmscli.storage import files
from kmscli.storage.inputs import open_terminal

TRIES = 3
_LINE_MAX = 4096
"""Bytes of a line: what a terminal passes on at once (MAX_CANON)."""
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def can_ask(settings: Settings) -> bool:
    """Whether there is anybody to ask."""
    if settings.flag("--no-input"):
        return False
    terminal = open_terminal()
    if terminal is None:
        return False
    os.close(terminal)
    return True


def passphrase(question: str) -> bytes:
    """Ask for a passphrase that exists."""
    with _terminal() as terminal, _without_echo(terminal):
        return _ask(terminal, f"{question}: ", echo=False)


def new_passphrase(question: str) -> bytes:
    """Ask for a new passphrase, twice; an empty one, or two that differ, are asked for again.

    Raises:
        LockedError: No agreement after three tries.
    """
    with _terminal() as terminal, _without_echo(terminal):
        for _ in range(TRIES):
            first = _ask(terminal, f"{question}: ", echo=False)
            if not first:
                files.write_all(terminal, b"An empty passphrase protects nothing.\n")
            elif first == _ask(terminal, "The same again: ", echo=False):
                return first
            else:
                files.write_all(terminal, b"The two differ.\n")
    raise errors.LockedError(problem=f"no new passphrase after {TRIES} tries", hint="")


def confirm(question: str, settings: Settings) -> None:
    """Go on only if the user says yes.

    Args:
        question: What is about to happen, as a question.
        settings: --yes and --no-input.

    Raises:
        LockedError: Nobody can be asked.
        DeclinedError: The answer is not yes.
    """
    if settings.flag("--yes"):
        return
    if not can_ask(settings):
        raise errors.LockedError(problem=f"cannot ask: {question}", hint="--yes answers it")
    with _terminal() as terminal:
        answer = _ask(terminal, f"{_io.safe(question)} [y/N] ", echo=True)
    if answer.strip().lower() not in {b"y", b"yes"}:
        raise errors.DeclinedError


@contextmanager
def _terminal() -> Iterator[int]:
    terminal = open_terminal()
    if terminal is None:
        raise errors.LockedError(problem="there is no terminal to ask on")
    try:
        yield terminal
    finally:
        os.close(terminal)


def _ask(terminal: int, question: str, *, echo: bool) -> bytes:
    files.write_all(terminal, question.encode(errors="backslashreplace"))
    line = os.read(terminal, _LINE_MAX)
    if not echo:
        files.write_all(terminal, b"\n")
    if not line:
        raise errors.LockedError(problem="the terminal gave no answer")
    return line.removesuffix(b"\n")


@contextmanager
def _without_echo(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    quiet = list(before)
    quiet[3] &= ~(termios.ECHO | termios.ECHONL)

    def restore() -> None:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)

    with _restored_on_signals(restore):
        # Flushing drops what was typed before the question stood there: it was not meant for it.
        termios.tcsetattr(terminal, termios.TCSAFLUSH, quiet)
        try:
            yield
        finally:
            restore()


@contextmanager
def _restored_on_signals(restore: Any) -> Iterator[None]:  # noqa: ANN401 - a callable without arguments
    def end(number: int, _frame: FrameType | None) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = {number: signal.signal(number, end) for number in _ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
