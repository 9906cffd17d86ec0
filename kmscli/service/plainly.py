"""Whether a member plainly holds: the quick yes before the check that words what is wrong.

A request is nearly always right, and in its plain form: text in ASCII, bytes as bytes. One call answers for it.
Whatever is not plain (text outside ASCII, base64, times, lists, structures) or not right gets no yes here and goes
through the whole check of `validate`, which alone says no.
"""

import re
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from kmscli.service.members import Shape

Holds = Callable[[Any], bool]


def holder(shape: Shape) -> Holds:
    """A function that says yes only to values that hold, and need no other form."""
    low = shape.min_length or 0
    high = sys.maxsize if shape.max_length is None else shape.max_length
    if shape.kind == "string":
        return _text(low, high, shape.pattern)
    if shape.kind == "blob":
        return lambda value: type(value) is bytes and low <= len(value) <= high
    if shape.kind == "enum":
        choices = frozenset(shape.choices)
        return lambda value: type(value) is str and value in choices
    if shape.kind == "map" and shape.item == Shape("string"):
        return _texts(low, high)
    return lambda _value: False


def _text(low: int, high: int, pattern: str | None) -> Holds:
    if pattern is None:
        return lambda value: type(value) is str and value.isascii() and low <= len(value) <= high
    # Compiled when the first text is given: most members of a request are absent.
    compiled = cache(lambda: re.compile(pattern))
    return lambda value: (
        type(value) is str and value.isascii() and low <= len(value) <= high and compiled().fullmatch(value) is not None
    )


def _texts(low: int, high: int) -> Holds:
    return lambda value: (
        type(value) is dict
        and low <= len(value) <= high
        and all(
            type(name) is str and type(text) is str and name.isascii() and text.isascii()
            for name, text in value.items()
        )
    )
