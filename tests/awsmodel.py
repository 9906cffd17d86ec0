"""AWS's model of the API as botocore ships it, and what is wrong with a value by one of its shapes."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

import botocore.loaders  # type: ignore[import-untyped]
from botocore import xform_name

LOADER = botocore.loaders.Loader()
MODEL = cast("dict[str, Any]", LOADER.load_service_model("kms", "service-2"))
OPERATIONS: dict[str, dict[str, Any]] = MODEL["operations"]
SHAPES: dict[str, dict[str, Any]] = MODEL["shapes"]

_PYTHON: dict[str, type | tuple[type, ...]] = {
    "structure": Mapping,
    "list": (list, tuple),
    "map": Mapping,
    "string": str,
    "integer": int,
    "boolean": bool,
    "blob": bytes,
    "timestamp": datetime,
}


def input_shape(operation: str) -> str:
    """The name of the shape of an operation's request."""
    return str(OPERATIONS[operation]["input"]["shape"])


def output_shape(operation: str) -> str | None:
    """The name of the shape of its answer; None if there is none, which is then an empty one."""
    return cast("str | None", OPERATIONS[operation].get("output", {}).get("shape"))


def members(shape: str) -> dict[str, str]:
    """The members of a structure -> the names of their shapes."""
    return {name: member["shape"] for name, member in SHAPES[shape]["members"].items()}


def errors(operation: str) -> set[str]:
    """The errors that the model names for an operation."""
    return {error["shape"] for error in OPERATIONS[operation].get("errors", [])}


def inner(shape: str) -> str | None:
    """The shape of a list's items or of a map's values."""
    found = SHAPES[shape].get("member") or SHAPES[shape].get("value")
    return None if found is None else str(found["shape"])


def option(member: str) -> str:
    """The option of a member, as AWS's command line names it."""
    return f"--{xform_name(member, '-')}"


def faults(shape: str, value: object, path: str = "") -> Iterator[str]:
    """What is wrong with a value: `path: what, by which shape`.

    Args:
        shape: Name of the shape.
        value: Bytes as bytes, times as times.
        path: Where it stands.
    """
    row = SHAPES[shape]
    kind = row["type"]
    if not isinstance(value, _PYTHON[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{path}: {type(value).__name__} where {shape} is a {kind}"
        return
    yield from (f"{path}: {fault}, by {shape}" for fault in _broken(row, value))
    if kind == "structure":
        yield from _structure(shape, cast("Mapping[str, Any]", value), path)
    elif kind in {"list", "map"}:
        values = value.values() if isinstance(value, Mapping) else cast("list[Any]", value)
        for item in values:
            yield from faults(str(inner(shape)), item, f"{path}[]")


def _structure(shape: str, value: Mapping[str, Any], path: str) -> Iterator[str]:
    known = members(shape)
    yield from (f"{path}: {name} is no member of {shape}" for name in value.keys() - known.keys())
    for name in SHAPES[shape].get("required", []):
        if name not in value:
            yield f"{path}: {shape} has no {name}"
    for name, given in value.items():
        if name in known:
            yield from faults(known[name], given, f"{path}.{name}")


def _broken(row: dict[str, Any], value: Any) -> Iterator[str]:
    size = value if row["type"] == "integer" else len(value) if hasattr(value, "__len__") else 0
    if size < row.get("min", size) or size > row.get("max", size):
        yield f"{size} is out of bounds"
    if "enum" in row and value not in row["enum"]:
        yield f"{value!r} is no value"
    if "pattern" in row and re.search(f"^(?:{row['pattern']})$", value, re.ASCII) is None:
        yield f"{value!r} does not match"


def seen(shape: str, value: object) -> Iterator[tuple[str, str]]:
    """The members and the enum values that a value has: (shape, member) and (shape, value)."""
    row = SHAPES[shape]
    if row["type"] == "structure":
        for name, given in cast("Mapping[str, Any]", value).items():
            if name in members(shape):
                yield shape, name
                yield from seen(members(shape)[name], given)
    elif row["type"] in {"list", "map"}:
        values = value.values() if isinstance(value, Mapping) else cast("list[Any]", value)
        for item in values:
            yield from seen(str(inner(shape)), item)
    elif "enum" in row:
        yield shape, str(value)


def taking(member: str) -> list[str]:
    """The operations whose requests have a member."""
    return sorted(name for name in OPERATIONS if "input" in OPERATIONS[name] and member in members(input_shape(name)))


def answered(operation: str) -> set[str]:
    """The members that an answer may have, without those that only an enclave gets."""
    shape = output_shape(operation)
    return set(members(shape)) - {"CiphertextForRecipient"} if shape else set()


def reachable(shape: str) -> Iterator[str]:
    """A shape and all that it is made of."""
    found: dict[str, None] = {}
    pending = [shape]
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = None
            row = SHAPES[name]
            pending += members(name).values() if row["type"] == "structure" else filter(None, [inner(name)])
    yield from found
