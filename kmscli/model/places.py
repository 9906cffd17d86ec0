"""Where in the text of a policy its parts stand, by the paths that its faults have.

The text has been read as JSON before, so that nothing is refused here: it is only walked along.
"""

import re
from json import JSONDecoder

from kmscli.model import policyjson as pj

_SPACE = re.compile(r"[ \t\n\r,:]*")
_DECODER = JSONDecoder()


def position(text: str, at: int) -> tuple[int, int]:
    """Line and column of a character, both from 1 on."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def find(text: str, path: str) -> tuple[int, int]:
    """Line and column of what stands at a path, such as `Statement[2].Effect`.

    Of a name that stands twice in an object it is the second place, since that one is too many. For what is not there
    at all, it is where the nearest thing around it begins.

    Args:
        text: JSON.
        path: As `policyjson.fault` names it; "" is the whole.
    """
    places: dict[str, int] = {}
    _walk(text, _skip(text, 0), "", places)
    while path not in places:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return position(text, places[path])


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _walk(text: str, at: int, path: str, places: dict[str, int]) -> int:
    """Note where the value at `at` and all in it stand; a member stands where its name does. Gives where it ends."""
    places.setdefault(path, at)
    if text[at] == "{":
        at = _skip(text, at + 1)
        while text[at] != "}":
            name, end = _DECODER.raw_decode(text, at)
            inner = f"{path}.{pj.shown(name)}" if path else pj.shown(name)
            places[inner] = at
            at = _skip(text, _walk(text, _skip(text, end), inner, places))
        return at + 1
    if text[at] == "[":
        at, index = _skip(text, at + 1), 0
        while text[at] != "]":
            at = _skip(text, _walk(text, at, f"{path}[{index}]", places))
            index += 1
        return at + 1
    _, end = _DECODER.raw_decode(text, at)
    return int(end)
