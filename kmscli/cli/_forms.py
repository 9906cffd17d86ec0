"""The forms of an answer: JSON and text as AWS's command line prints them, tables and columns for people.

JSON: four spaces, times in ISO 8601 with their offset, bytes in base64. Text: the scalars of a structure in the order
of their names, tab-separated; lists under the upper-case name of their member. What an answer holds is never trusted:
control characters are escaped in JSON and in tables, and `_io` escapes them in text that goes to a terminal.
"""

import binascii
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from kmscli.cli import _io
from kmscli.service.shapes import members_of

if TYPE_CHECKING:
    from rich.table import Table

Data = Any
"""What JSON can hold, and bytes until they are printed."""


def plain(value: Any) -> Data:  # noqa: ANN401 - the members of any answer
    """An answer as dicts, lists, text, numbers and bytes."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(inner) for name, inner in members_of(value).items()}  # type: ignore[arg-type]
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def with_base64(data: Data) -> Data:
    """The same with bytes in base64."""
    if isinstance(data, dict):
        return {name: with_base64(inner) for name, inner in data.items()}
    if isinstance(data, list):
        return [with_base64(inner) for inner in data]
    if isinstance(data, bytes):
        return binascii.b2a_base64(data, newline=False).decode()
    return data


# -- JSON and text -----------------------------------------------------------------------------------------------------


def json_text(data: Data) -> str:
    """JSON as AWS's command line prints it, with the control characters that JSON lets through escaped."""
    text = msgspec.json.format(msgspec.json.encode(data), indent=4).decode()
    return text.translate({code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}) + "\n"


def text(data: Data) -> str:
    """AWS's text form: scalars of a structure by name on one line, lists under the upper-case name of their member."""
    return "".join("\t".join(line) + "\n" for line in _text(data, None, None))


def _text(data: Data, label: str | None, names: list[str] | None) -> Iterator[list[str]]:
    if isinstance(data, dict):
        yield from _text_structure(data, label, names)
    elif isinstance(data, list):
        yield from _text_list(data, label)
    else:
        yield [str(data)]


def _text_structure(data: dict[str, Data], label: str | None, names: list[str] | None) -> Iterator[list[str]]:
    scalars = sorted(name for name, value in data.items() if _is_scalar(value)) if names is None else names
    if scalars:
        yield [*_heading(label), *(str(data.get(name, "")) for name in scalars)]
    for name in sorted(data.keys() - set(scalars)):
        yield from _text(data[name], name, None)


def _text_list(data: list[Data], label: str | None) -> Iterator[list[str]]:
    if any(isinstance(item, dict) for item in data):
        dicts = [item for item in data if isinstance(item, dict)]
        names = sorted({name for item in dicts for name, value in item.items() if _is_scalar(value)})
        for item in data:
            yield from _text(item, label, names)
        return
    scalars = [str(item) for item in data if _is_scalar(item)]
    if scalars and label is not None:
        yield from ([*_heading(label), item] for item in scalars)
    elif scalars:
        yield scalars
    for item in data:
        if not _is_scalar(item):
            yield from _text(item, label, None)


def _is_scalar(value: Data) -> bool:
    return not isinstance(value, dict | list)


def _heading(label: str | None) -> list[str]:
    return [] if label is None else [label.upper()]


# -- for people --------------------------------------------------------------------------------------------------------


def aligned(rows: list[list[str]]) -> list[str]:
    """Rows as lines with their columns aligned."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def labelled(answer: msgspec.Struct) -> list[str]:
    """The members of an answer as lines: `root fingerprint  1a2b...`."""
    return aligned([[_words(name), _cell(value)] for name, value in plain(answer).items()])


def columns(answers: Sequence[msgspec.Struct]) -> list[str]:
    """Answers of one kind as lines under a heading; nothing if there are none."""
    rows = [plain(answer) for answer in answers]
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name, "")) for name in names] for row in rows]
    return aligned([[_words(name).upper() for name in names], *cells]) if rows else []


def events(found: list[dict[str, Any]]) -> list[str]:
    """Lines of the audit log as lines for people: number, time, who, what, how it ended, which keys."""
    return aligned([_event(event) for event in found]) if found else []


def _event(event: dict[str, Any]) -> list[str]:
    keys = [str(resource.get("ARN", "")).rpartition("/")[2] for resource in event.get("resources") or ()]
    return [
        str(event.get("chain", {}).get("seq", "")),
        str(event.get("eventTime", "")),
        str(event.get("userIdentity", {}).get("userName", "")),
        str(event.get("eventName", "")),
        str(event.get("errorCode", "ok")),
        " ".join(keys),
    ]


def _words(name: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()


def table(data: Data) -> str:
    """Tables: one for the scalars of a structure, one for each list of structures in it."""
    from rich.console import Console

    terminal = _io.is_terminal(_io.STDOUT)
    console = Console(width=None if terminal else 10_000, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        for one in _tables(data, "", ascii_only=not terminal or console.is_dumb_terminal):
            console.print(one)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _tables(data: Data, title: str, *, ascii_only: bool) -> "Iterator[Table]":
    structures = _structures(data)
    if structures is not None:
        names = list(dict.fromkeys(name for item in structures for name in item))
        rows = [[item.get(name, "") for name in names] for item in structures]
        yield _table(title, names, rows, ascii_only=ascii_only)
    elif isinstance(data, dict):
        nested = {name: value for name, value in data.items() if isinstance(value, dict) or _structures(value)}
        if scalars := [[name, value] for name, value in data.items() if name not in nested]:
            yield _table(title, ["Name", "Value"], scalars, ascii_only=ascii_only)
        for name, value in nested.items():
            yield from _tables(value, name, ascii_only=ascii_only)
    else:
        items = data if isinstance(data, list) else [data]
        yield _table(title, ["Value"], [[item] for item in items], ascii_only=ascii_only)


def _structures(data: Data) -> list[dict[str, Data]] | None:
    if isinstance(data, list) and data and all(isinstance(item, dict) for item in data):
        return data
    return None


def _table(title: str, names: list[str], rows: list[list[Data]], *, ascii_only: bool) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, title_justify="left", box=box.ASCII if ascii_only else box.ROUNDED)
    for name in names:
        made.add_column(Text(name), overflow="fold")
    for row in rows:
        made.add_row(*(Text(_io.safe(_cell(value))) for value in row))
    return made


def _cell(value: Data) -> str:
    if isinstance(value, list) and all(_is_scalar(item) for item in value):
        return ", ".join(str(item) for item in value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


FORMS: dict[str, Callable[[Data], str]] = {"json": json_text, "text": text, "table": table}
