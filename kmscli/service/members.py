"""What the members of a request are: read from the annotations of its struct, and from nowhere else.

`validate` checks by it, the command line builds its options from it. It knows the types that requests use and refuses
every other when the struct is read, so that a new type cannot slip through unchecked. A pattern stands in `extra`, for
msgspec would compile it when its module loads, at every start.
"""

import types
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta

Kind = Literal["string", "integer", "boolean", "blob", "enum", "timestamp", "list", "map", "structure"]
_SCALARS: dict[object, Kind] = {str: "string", int: "integer", bool: "boolean", bytes: "blob", datetime: "timestamp"}


class Shape(msgspec.Struct, frozen=True):
    """A type with its bounds.

    Attributes:
        kind: Which of AWS's kinds of shape it is.
        min_length: Least length in characters, bytes or items.
        max_length: Greatest length.
        pattern: Regular expression for the whole of a string.
        minimum: Least value of a number.
        maximum: Greatest value.
        choices: Values of an enum, in AWS's order.
        item: Shape of a list's items, or of a map's values.
        struct: The struct of a structure.
        secret: Whether no part of a value may be shown.
    """

    kind: Kind
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    item: "Shape | None" = None
    struct: type[msgspec.Struct] | None = None
    secret: bool = False


class Member(msgspec.Struct, frozen=True):
    """One member of a structure.

    Attributes:
        name: AWS's name of it; `path` is the same as constraint texts spell it.
        shape: Its type.
        required: Whether it must be there.
        description: One sentence for people; "" where none is written.
        own: Whether AWS does not have it.
        missing: AWS's text if it is not there, where that is not the one of all members; else "".
    """

    name: str
    path: str
    shape: Shape
    required: bool
    description: str
    own: bool
    missing: str = ""


@cache
def members(struct: type[msgspec.Struct]) -> tuple[Member, ...]:
    """The members of a request or of a structure in one, in the order in which they are declared."""
    return tuple(_member(field) for field in msgspec.structs.fields(struct))


def _member(field: msgspec.structs.FieldInfo) -> Member:
    metas, _ = _unfold(field.type)
    return Member(
        name=field.encode_name,
        path=field.encode_name[:1].lower() + field.encode_name[1:],
        shape=_shape(field.type),
        required=field.required,
        description=_last(metas, "description") or "",
        own=_extra(metas, "own") is not None,
        missing=_extra(metas, "missing") or "",
    )


def _unfold(hint: Any) -> tuple[list[Meta], Any]:  # noqa: ANN401 - annotations have no common type
    """Take `Annotated` and `| None` off a type: its Metas, outermost last, and what is left."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        metas, bare = _unfold(inner)
        return metas + [mark for mark in marks if isinstance(mark, Meta)], bare
    if get_origin(hint) in {Union, types.UnionType}:
        kinds = [part for part in get_args(hint) if part is not types.NoneType]
        if len(kinds) == 1:
            return _unfold(kinds[0])
    return [], hint


def _last(metas: list[Meta], name: str) -> Any:  # noqa: ANN401 - a bound is a number or a text
    return next((value for meta in reversed(metas) if (value := getattr(meta, name)) is not None), None)


def _extra(metas: list[Meta], name: str) -> Any:  # noqa: ANN401 - what an annotation says beside msgspec's own bounds
    return next((value for meta in reversed(metas) if (value := (meta.extra or {}).get(name)) is not None), None)


def _shape(hint: Any) -> Shape:  # noqa: ANN401 - annotations have no common type
    metas, bare = _unfold(hint)
    bounded = Shape(
        _kind(bare),
        min_length=_last(metas, "min_length"),
        max_length=_last(metas, "max_length"),
        pattern=_extra(metas, "pattern"),
        minimum=_last(metas, "ge"),
        maximum=_last(metas, "le"),
        secret=_extra(metas, "secret") is not None,
    )
    if bounded.kind == "enum":
        return msgspec.structs.replace(bounded, choices=get_args(bare))
    if bounded.kind == "structure":
        return msgspec.structs.replace(bounded, struct=bare)
    if bounded.kind in {"list", "map"}:
        return msgspec.structs.replace(bounded, item=_shape(get_args(bare)[-1]))
    return bounded


def _kind(bare: Any) -> Kind:  # noqa: ANN401 - annotations have no common type
    if bare in _SCALARS:
        return _SCALARS[bare]
    origin = get_origin(bare)
    if origin is Literal:
        return "enum"
    if origin is list:
        return "list"
    if origin is dict and get_args(bare)[0] is str:
        return "map"
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return "structure"
    raise TypeError(f"{bare} cannot be the type of a member of a request")
