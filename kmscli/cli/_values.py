"""From the words after an option to the value of a member: JSON, AWS's shorthand, files, base64.

Follows AWS's command line: `file://F` is the text of F and `fileb://F` its bytes; a structure is JSON when it begins
with a brace, else shorthand; a blob is base64 unless `--cli-binary-format raw-in-base64-out` takes the text as it is.
JSON is strict: no name twice, no NaN. Whether a value fits its member is not decided here but in `service.validate`.
"""

import os
import re
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from kmscli import errors
from kmscli.cli import _shorthand
from kmscli.service.members import Shape
from kmscli.storage import files

BINARY_FORMATS = ("base64", "raw-in-base64-out")
FILE_MAX = 1024 * 1024

_SHOWN_MAX = 64
_AHEAD = r"([0-9]{1,9})([smhdw])"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TEXT_FILE, _BYTES_FILE = "file://", "fileb://"


class Source(msgspec.Struct, frozen=True):
    """Where words come from.

    Attributes:
        option: The option, for errors.
        raw: Whether text for a blob is taken as it is.
    """

    option: str
    raw: bool = False


def value(shape: Shape, words: list[str], source: Source) -> Any:  # noqa: ANN401 - the value of a member
    """The value that the words after an option give a member.

    Args:
        shape: The member's type.
        words: One word, or several for a list.
        source: Where they come from.

    Raises:
        UsageError: They cannot be read; InputOutputError if a file cannot.
    """
    if shape.kind == "list" and shape.item is not None:
        first = text_of(words[0], source.option)
        if len(words) == 1 and first.lstrip().startswith("["):
            return json(first, source.option)
        return [_one(shape.item, word, source) for word in words]
    return _one(shape, words[0], source)


def _one(shape: Shape, word: str, source: Source) -> Any:  # noqa: ANN401 - the value of a member
    if shape.kind == "blob":
        return _blob(word, source)
    text = text_of(word, source.option)
    if shape.kind in {"structure", "map", "list"}:
        if text.lstrip().startswith(("{", "[")):
            return json(text, source.option)
        return fit(shape, _shorthand.parse(text, source.option), source.option)
    return _scalar(shape, text, source.option)


def _scalar(shape: Shape, text: str, option: str) -> Any:  # noqa: ANN401 - the value of a member
    if shape.kind == "integer":
        return number(text, option)
    if shape.kind == "boolean" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if shape.kind == "timestamp":
        return _from_now(text)
    return text


def _from_now(text: str) -> str:
    """A time as a request gives it; `7d` and the like are counted from now on."""
    found = re.fullmatch(_AHEAD, text)
    if found is None:
        return text
    from datetime import timedelta

    from kmscli.cli._work import now

    try:
        return (now() + timedelta(**{_UNITS[found[2]]: int(found[1])})).isoformat()
    except OverflowError:
        return text


def number(text: str, option: str) -> int:
    """A whole number.

    Raises:
        UsageError: Not one.
    """
    digits = text.strip()
    if not digits.removeprefix("-").isdecimal() or not digits.isascii() or len(digits) > len(str(-(2**63))):
        raise errors.UsageError(problem=f"{option} takes a whole number, not {_short(text)!r}")
    return int(digits)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def fit(shape: Shape, found: _shorthand.Value, option: str) -> Any:  # noqa: ANN401 - the value of a member
    """Shorthand, in which all is text, fitted to the types of a member."""
    if shape.kind == "structure" and isinstance(found, dict) and shape.struct is not None:
        from kmscli.service.members import members

        shapes = {member.name: member.shape for member in members(shape.struct)}
        return {name: fit(shapes[name], inner, option) if name in shapes else inner for name, inner in found.items()}
    if shape.kind == "map" and isinstance(found, dict) and shape.item is not None:
        return {name: fit(shape.item, inner, option) for name, inner in found.items()}
    if shape.kind == "list" and shape.item is not None:
        items = found if isinstance(found, list) else [found]
        return [fit(shape.item, inner, option) for inner in items]
    return _scalar(shape, found, option) if isinstance(found, str) else found


def _blob(word: str, source: Source) -> bytes | str:
    if word.startswith(_BYTES_FILE):
        return _read(word.removeprefix(_BYTES_FILE))
    text = text_of(word, source.option)
    if source.raw:
        return text.encode("utf-8", "surrogateescape")
    return "".join(text.split())  # tools that make base64 break lines


def text_of(word: str, option: str) -> str:
    """A word, or the text of the file that it names with file://.

    Raises:
        UsageError: The file holds no text, or bytes are given where text belongs.
    """
    if word.startswith(_BYTES_FILE):
        raise errors.UsageError(problem=f"{option} takes text", hint=f"use {_TEXT_FILE} for a file of text")
    if not word.startswith(_TEXT_FILE):
        return word
    try:
        return _read(word.removeprefix(_TEXT_FILE)).decode()
    except UnicodeDecodeError as error:
        hint = f"use {_BYTES_FILE} for a file of bytes"
        raise errors.UsageError(problem=f"{option}: {word} is not text in UTF-8", hint=hint) from error


def _read(path: str) -> bytes:
    named = Path(os.path.expandvars(path)).expanduser()
    data = files.read_input(named, limit=FILE_MAX)
    if len(data) > FILE_MAX:
        raise errors.UsageError(problem=f"{path} is larger than {FILE_MAX} bytes")
    return data


def json(text: str, option: str) -> Any:  # noqa: ANN401 - any JSON
    """What JSON says, strictly.

    Raises:
        UsageError: Not JSON, a name given twice, or NaN.
    """
    from json import loads

    try:
        return loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise errors.UsageError(problem=f"{option}: not JSON: {reason}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def json_object(word: str, option: str) -> dict[str, Any]:
    """The object that --cli-input-json gives, as text or with file://.

    Raises:
        UsageError: It gives none.
    """
    found = json(text_of(word, option), option)
    if not isinstance(found, dict):
        raise errors.UsageError(problem=f"{option} takes a JSON object of members")
    return found


def context_pairs(words: list[str]) -> dict[str, str]:
    """The encryption context that `-c NAME=VALUE` options give, each split at its first `=`, verbatim.

    Raises:
        UsageError: No `=`, or a name given twice.
    """
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise errors.UsageError(problem=f"-c takes NAME=VALUE, not {word!r}")
        if name in pairs:
            raise errors.UsageError(problem=f"-c gives {name} twice")
        pairs[name] = text
    return pairs
