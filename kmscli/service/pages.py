"""Pages of long lists: which items, and where the next page starts.

A marker names the last item given, so it survives changes, and it can name nothing but a place in the same list: one
that was made up starts elsewhere in that list and shows no more than the list does.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Generic, TypeVar

import msgspec

from kmscli import errors
from kmscli.formats.tree import bucket_of

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page: the items in it, and the marker of the next, if there is one."""

    items: list[T]
    next_marker: str | None


def name_after(operation: str, marker: str | None) -> str:
    """The name of the last item of the page before, "" for the first page.

    Raises:
        InvalidMarkerError: Not a marker of this operation.
    """
    if marker is None:
        return ""
    import base64

    try:
        kind, name = base64.urlsafe_b64decode(marker).decode().split(":", 1)
    except ValueError as error:  # binascii.Error, and text that is not ASCII or not UTF-8
        raise errors.InvalidMarkerError from error
    # Python's decoder passes over what is not base64, so a marker counts only as it was given out.
    if kind != operation or not name or marker != _marker(operation, name):
        raise errors.InvalidMarkerError
    return name


def _marker(operation: str, name: str) -> str:
    import base64

    return base64.urlsafe_b64encode(f"{operation}:{name}".encode()).decode()


def place_after(operation: str, marker: str | None) -> tuple[int, str]:
    """The place in the tree that a marker names: (bucket, group name); errors as for `name_after`."""
    name = name_after(operation, marker)
    return (bucket_of(name), name) if name else (0, "")


def page(operation: str, items: Iterable[T], limit: int, name_of: Callable[[T], str] = str) -> Page[T]:
    """The first `limit` of `items`, which start behind the marker.

    Args:
        operation: Whose list it is.
        items: What is left of the list, in its order.
        limit: The most items of the page.
        name_of: Gives the name of an item.
    """
    taken = list(islice(items, limit + 1))
    if len(taken) <= limit:
        return Page(taken, None)
    return Page(taken[:limit], _marker(operation, name_of(taken[limit - 1])))
