"""Turns the members of a request into its struct, or says in AWS's words all that is wrong with them.

Every constraint is checked before anything is refused, as the service does it, so one error names them all. Bytes never
appear in a text, and long values are cut. Source of the texts: answers of the service ("1 validation error detected:
Value ... at ... failed to satisfy constraint: ...").
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar

import msgspec

from kmscli import errors
from kmscli.formats.wire import from_base64
from kmscli.service.members import Kind, Member, Shape, members
from kmscli.service.plainly import holder
from kmscli.service.shapes import Request

R = TypeVar("R", bound=Request)

_SHOWN_MAX = 256
_ORDERS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"): (
        *("HMAC_SHA_384", "HMAC_SHA_256"),
        *("HMAC_SHA_224", "HMAC_SHA_512"),
    )
}
"""Values of an enum in the order of the model -> in that of the service's answers, where it is known."""
_PYTHON: dict[Kind, tuple[type, ...]] = {
    "string": (str,),
    "enum": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "blob": (bytes, str),
    "timestamp": (datetime, int, float, str),
    "list": (list, tuple),
    "map": (Mapping,),
    "structure": (Mapping,),
}
_ARTICLES: dict[Kind, str] = {kind: f"{'an' if kind[0] in 'aei' else 'a'} {kind}" for kind in _PYTHON}


def decode(shape: type[R], values: Mapping[str, object]) -> R:
    """The request that the members make.

    Args:
        shape: The struct of the request.
        values: Its members under AWS's names; a blob is bytes, or text in base64.

    Raises:
        ValidationError: One or more constraints do not hold; the text names each.
    """
    check = _Check()
    clean = check.structure(shape, values, "")
    if check.faults:
        count = len(check.faults)
        found = "1 validation error detected" if count == 1 else f"{count} validation errors detected"
        raise errors.ValidationError(problem=f"{found}: {'; '.join(check.faults)}", hint=check.hint)
    if check.missing:
        raise errors.ValidationError(problem=check.missing)
    return msgspec.convert(clean, shape, builtin_types=(bytes, datetime))


def failed(value: str, path: str, constraint: str) -> str:
    """AWS's sentence for one broken constraint; "" for a value that is not shown."""
    return f"Value {value}{' ' if value else ''}at '{path}' failed to satisfy constraint: {constraint}"


def missing(path: str) -> errors.ValidationError:
    """The error for a member that must be there in this case, though its shape does not say so."""
    return errors.ValidationError(
        problem=f"1 validation error detected: {failed('null', path, 'Member must not be null')}"
    )


@cache
def _known(struct: type[msgspec.Struct]) -> tuple[tuple[Member, Callable[[Any], bool]], ...]:
    return tuple((member, holder(member.shape)) for member in members(struct))


class _Check:
    """One walk through a request.

    Attributes:
        faults: A sentence for each broken constraint, in the order of the members.
        missing: What AWS says of a member that is not there, where the service sees to it, not the check of shapes.
        hint: What the first fault that knows one would have the user do.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.missing = ""
        self.hint = ""

    def structure(self, struct: type[msgspec.Struct], values: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Check the members of a structure; what comes back is whole only if no fault was found."""
        clean = {}
        known = _known(struct)
        for member, holds in known:
            value = values.get(member.name)
            if value is not None:
                clean[member.name] = value if holds(value) else self.value(member.shape, value, path + member.path)
            elif member.missing:
                self.missing = self.missing or member.missing
            elif member.required:
                self._fault("null", path + member.path, "Member must not be null")
        if len(clean) < len(values):
            self._find_unknown([member.name for member, _ in known], values, path)
        return clean

    def _find_unknown(self, known: list[str], values: Mapping[str, Any], path: str) -> None:
        for name in values:
            if name not in known:
                self._unknown(str(name), known, path)

    def _unknown(self, name: str, known: list[str], path: str) -> None:
        self.faults.append(f"Member '{path}{_cut(name)}' is not one of: [{', '.join(known)}]")
        close = get_close_matches(name, known, n=1)
        self.hint = self.hint or (f"did you mean {close[0]}?" if close else "")

    def value(self, shape: Shape, value: Any, path: str) -> Any:  # noqa: ANN401 - the values of a request
        """Check one value and what is in it."""
        if not _is_of(shape.kind, value):
            self._fault(_shown(shape.kind, value), path, f"Member must be {_ARTICLES[shape.kind]}")
            return value
        if shape.kind == "blob" and isinstance(value, str):
            value = self._decoded(value, path)
        if shape.kind == "timestamp":
            return self._time(value, path)
        for constraint in _broken(shape, value):
            # Of what is secret AWS shows nothing.
            self._fault("" if shape.secret else _shown(shape.kind, value), path, constraint)
        return self._inner(shape, value, path)

    def _time(self, value: Any, path: str) -> Any:  # noqa: ANN401 - the values of a request
        try:
            return _instant(value)
        except (ValueError, OverflowError, OSError):
            self._fault(_shown("timestamp", value), path, "Member must be a timestamp")
            self.hint = self.hint or "such as 2027-01-31T18:30:00Z, or seconds since 1970"
            return value

    def _decoded(self, text: str, path: str) -> bytes:
        blob = from_base64(text)
        if blob is None:
            self._fault("", path, "Member must be base64")
            self.hint = self.hint or "give base64, or name a file of bytes with fileb://"
            return b"?"
        return blob

    def _inner(self, shape: Shape, value: Any, path: str) -> Any:  # noqa: ANN401 - the values of a request
        if shape.kind == "structure" and shape.struct is not None:
            return self.structure(shape.struct, value, f"{path}.")
        if shape.item is None:
            return value
        if shape.kind == "map":
            return {self._map_key(name, path): self.value(shape.item, inner, path) for name, inner in value.items()}
        if shape.item.kind == "structure":
            return [self.value(shape.item, inner, f"{path}.{n}.member") for n, inner in enumerate(value, 1)]
        return self._items(shape.item, value, path)

    def _map_key(self, name: object, path: str) -> object:
        if not _is_of("string", name):
            self._fault(_shown("map", name), path, "Map keys must satisfy constraint: [Member must be a string]")
        return name

    def _items(self, item: Shape, values: list[Any], path: str) -> list[Any]:
        inner = _Check()
        clean = [inner.value(item, value, path) for value in values]
        marks = dict.fromkeys(fault.split("constraint: ", 1)[1] for fault in inner.faults)
        if marks:
            self._fault(_shown("list", values), path, f"Member must satisfy constraint: [{', '.join(marks)}]")
        return clean

    def _fault(self, value: str, path: str, constraint: str) -> None:
        self.faults.append(failed(value, path, constraint))


def _instant(value: datetime | float | str) -> datetime:
    """A time as the API takes it: seconds since 1970, or ISO 8601 (UTC where it names no zone).

    It is cut to whole milliseconds, as every time of an answer is.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = datetime.fromisoformat(str(value))
    if not isinstance(value, datetime):
        value = datetime.fromtimestamp(value, UTC)
    found = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def _is_of(kind: Kind, value: object) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, str) and not _is_unicode(value):
        return False
    return isinstance(value, _PYTHON[kind])


def _is_unicode(text: str) -> bool:
    # A lone surrogate is no character: it comes from bytes of a command line, or from \ud800 in JSON.
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _broken(shape: Shape, value: Any) -> Iterator[str]:  # noqa: ANN401 - the values of a request
    size = len(value) if hasattr(value, "__len__") else 0
    if shape.min_length is not None and size < shape.min_length:
        yield f"Member must have length greater than or equal to {shape.min_length}"
    if shape.max_length is not None and size > shape.max_length:
        yield f"Member must have length less than or equal to {shape.max_length}"
    if shape.pattern is not None and re.fullmatch(shape.pattern, value, re.ASCII) is None:
        yield f"Member must satisfy regular expression pattern: {shape.pattern}"
    if shape.minimum is not None and value < shape.minimum:
        yield f"Member must have value greater than or equal to {shape.minimum}"
    if shape.maximum is not None and value > shape.maximum:
        yield f"Member must have value less than or equal to {shape.maximum}"
    if shape.choices and value not in shape.choices:
        yield f"Member must satisfy enum value set: [{', '.join(_ORDERS.get(shape.choices, shape.choices))}]"


def _shown(kind: Kind, value: object) -> str:
    if isinstance(value, bytes):
        return f"'java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]'"
    if kind == "blob":
        return ""
    if isinstance(value, list | tuple):
        return f"'[{_cut(', '.join(_plain(item) for item in value))}]'"
    return f"'{_cut(_plain(value))}'"


def _plain(value: object) -> str:
    if isinstance(value, bytes | Mapping | list | tuple):
        return f"<{type(value).__name__}>"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _cut(text: str) -> str:
    text = text.encode(errors="backslashreplace").decode()  # the text goes into an audit line, which is UTF-8
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
