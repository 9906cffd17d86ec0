"""The files below a folder that are meant when somebody names the folder."""

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, in a steady order; links are not followed, temporary files are left out.

    What is listed says of itself what it is, so no file is asked for that.

    A folder that cannot be listed stands for itself, so that whoever opens what is given finds out why: nothing is
    passed over in silence.
    """
    left = [folder]  # no recursion: folders may lie deeper than Python's calls
    while left:
        folder = left.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            yield folder
            continue
        for entry in entries:
            if _is_regular(entry) and not is_temporary(entry.name):
                yield folder / entry.name
        left += [folder / entry.name for entry in reversed(entries) if _is_folder(entry)]


def _is_regular(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)  # False if it went away since the folder was listed
    except OSError:
        return True  # whoever opens it finds out why


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False  # it stood for a file already


def is_temporary(name: str) -> bool:
    """Whether a name is one that kms gives to a file that has no name of its own yet."""
    return name.startswith(".") and name.endswith(".tmp")


def text_of(path: Path) -> str:
    """A path as text that can be written anywhere: bytes that are not UTF-8 stand as a backslash, x and two digits."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")
