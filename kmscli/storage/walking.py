"""The files below a folder that are meant when somebody names the folder."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, in a steady order; links are not followed, temporary files are left out.

    A folder that cannot be listed stands for itself, so that whoever opens what is given finds out why: nothing is
    passed over in silence.
    """
    unlisted: list[Path] = []
    for path, folders, names in os.walk(folder, onerror=lambda error: unlisted.append(Path(error.filename))):
        yield from unlisted
        unlisted.clear()
        folders.sort()
        for name in sorted(names):
            if _is_regular(os.path.join(path, name)) and not is_temporary(name):
                yield Path(path, name)
    yield from unlisted


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False  # it was there when the folder was listed
    except OSError:
        return True  # whoever opens it finds out why


def is_temporary(name: str) -> bool:
    """Whether a name is one that kms gives to a file that has no name of its own yet."""
    return name.startswith(".") and name.endswith(".tmp")


def text_of(path: Path) -> str:
    """A path as text that can be written anywhere: bytes that are not UTF-8 stand as a backslash, x and two digits."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")
