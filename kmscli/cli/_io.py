"""The three standard streams: bytes in, bytes out, notes to people.

Every untrusted string that goes to a terminal or to stderr passes `safe`. Output is written at once and whole, so that
nothing is left for the interpreter to flush while it ends. A closed pipe is left to `_app`, which ends as SIGPIPE does.
"""

import os
from functools import cache

from kmscli import errors
from kmscli.storage import files

STDIN, STDOUT, STDERR = 0, 1, 2


@cache
def _escapes() -> dict[int, str]:
    unsafe = {
        *range(0x20),  # C0: cursor movement, escape sequences, bells
        *range(0x7F, 0xA0),  # DEL and C1: the 8-bit forms of escape sequences
        *range(0x200E, 0x2010),  # marks of writing direction, which can make one text look like another
        *range(0x2028, 0x202F),  # line and paragraph separators, embeddings and overrides of direction
        *range(0x2066, 0x206A),  # isolates of direction
        *range(0xD800, 0xE000),  # surrogates: bytes of an argument that are no UTF-8
        0x061C,
        0xFEFF,
    }
    return {code: f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" for code in unsafe}  # noqa: PLR2004 - a byte


def safe(text: str) -> str:
    """`text` with every character that could steer a terminal shown as an escape."""
    return text.translate(_escapes())


def safe_lines(text: str) -> str:
    """`safe` for text of several lines: line feeds and tabs stay."""
    return text.translate({**_escapes(), 0x0A: "\n", 0x09: "\t"})


def is_text(data: bytes) -> bool:
    """Whether bytes are plain text that a terminal may show: UTF-8 without anything that `safe` would escape."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return safe_lines(text) == text


def is_terminal(stream: int) -> bool:
    """Whether a standard stream is a terminal."""
    return os.isatty(stream)


def read_stdin(*, limit: int, quiet: bool) -> bytes:
    """The first `limit` + 1 bytes of standard input: one more than allowed tells that it is too large."""
    if is_terminal(STDIN) and not quiet:
        note("reading from the terminal; end with Ctrl-D")
    with files.io_errors("standard input"):
        return files.read_some(STDIN, limit + 1)


def write_stdout(data: bytes) -> None:
    """Write the result.

    Raises:
        BrokenPipeError: Nobody reads it any more.
        InputOutputError: It cannot be written.
    """
    try:
        files.write_all(STDOUT, data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise errors.InputOutputError(path="standard output", reason=error.strerror or str(error)) from error


def write_text(text: str) -> None:
    """Write text as the result; a terminal gets it without characters that steer it."""
    shown = safe_lines(text) if is_terminal(STDOUT) else text
    write_stdout(shown.encode(errors="backslashreplace"))


def write_stderr(text: str) -> None:
    """Write lines for people; that they cannot be written never changes what a command does."""
    try:
        files.write_all(STDERR, text.encode(errors="backslashreplace"))
    except OSError:
        return


def note(text: str, *, kind: str = "note") -> None:
    """Tell the user something beside the result."""
    write_stderr(f"kms: {kind}: {safe(text)}\n")
