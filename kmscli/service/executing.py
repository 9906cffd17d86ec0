"""What a program is to be run with: files, decrypted into variables of its environment or into files of its own.

All are decrypted in one run, with their audit lines, and all or none: a program never starts with a part of what it
was to have. No plaintext is written to a disk.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from kmscli import errors
from kmscli.service import files, opening
from kmscli.service.context import Context
from kmscli.service.files import Job, Progress
from kmscli.storage import fifos
from kmscli.storage.memfd import MemoryFile

VARIABLE_MAX = (128 << 10) - 1
"""Bytes of a variable of the environment, name and value (execve(2), MAX_ARG_STRLEN, with a NUL at its end)."""
_INSTEAD = "give it with --file"
_FIFO_MAX = 64 << 20
"""Bytes of a plaintext that is kept to be written into a FIFO."""


class Wish(msgspec.Struct, frozen=True):
    """One file that the program is to have.

    Attributes:
        name: Of the variable: it holds the plaintext, or the path under which the plaintext can be read.
        source: The encrypted file.
        as_file: Whether the plaintext is to be a file.
    """

    name: str
    source: Path
    as_file: bool = False


Value = bytes | MemoryFile


def decrypt(
    context: Context, wishes: Sequence[Wish], plan: opening.Plan, *, progress: Progress | None = None
) -> list[Value]:
    """The plaintexts, each as bytes or in memory.

    Raises:
        ExecFailedError: One cannot be decrypted, or does not fit into a variable.
    """
    sinks = [_memory_file(wish) for wish in wishes]
    jobs = [
        Job(wish.source, None, kept=_FIFO_MAX if wish.as_file else VARIABLE_MAX, sink=sink)
        for wish, sink in zip(wishes, sinks, strict=True)
    ]
    found: list[Value] = []
    results = files.run(context, jobs, opening.opener(plan), progress=progress)
    for wish, sink, result in zip(wishes, sinks, results, strict=True):
        if (error := result.error) is not None:
            hint = _INSTEAD if isinstance(error, errors.MessageLimitError) and not wish.as_file else error.hint
            raise errors.ExecFailedError(what=f"{wish.source}: {error.code}: {error.message}", hint=hint)
        found.append(sink if sink is not None else _checked(wish, result.data or b""))
    return found


def _memory_file(wish: Wish) -> MemoryFile | None:
    if not wish.as_file:
        return None
    try:
        return MemoryFile(wish.name)
    except errors.UnsupportedOperationError:
        return None


def _checked(wish: Wish, data: bytes) -> bytes:
    """The value of a variable: the plaintext without one newline at its end, as `$(...)` of a shell would give it."""
    if wish.as_file:
        return data
    value = data.removesuffix(b"\n")
    for problem, found in (
        ("holds a NUL byte, which no variable can", b"\0" in value),
        ("is too long for a variable", len(wish.name.encode()) + 1 + len(value) > VARIABLE_MAX),
    ):
        if found:
            raise errors.ExecFailedError(what=f"{wish.source}: the plaintext {problem}", hint=_INSTEAD)
    return value


def hand_over(wishes: Sequence[Wish], values: Sequence[Value]) -> dict[bytes, bytes]:
    """The variables of the program that takes the place of this process. No vault may be open any more.

    Raises:
        InputOutputError: A file cannot be handed over.
    """
    pairs = list(zip(wishes, values, strict=True))
    offered = {wish.name: value for wish, value in pairs if wish.as_file and isinstance(value, bytes)}
    paths = fifos.offer(offered) if offered else {}
    variables: dict[bytes, bytes] = {}
    for wish, value in pairs:
        if wish.name in paths:
            found = paths[wish.name].encode(errors="surrogateescape")
        else:
            found = value.inherit().encode() if isinstance(value, MemoryFile) else value
        variables[wish.name.encode()] = found
    return variables
