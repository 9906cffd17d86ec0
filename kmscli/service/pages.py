"""Pages of long lists: which items, and where the next page starts.

A marker names the last item given, so it survives changes, and it can name nothing but a place in the same list: one
that was made up starts elsewhere in that list and shows no more than the list does.
"""

import base64
import binascii
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from kmscli import errors
from kmscli.formats.tree import bucket_of


class Page(NamedTuple):
    """One page: the names in it, and the marker of the next, if there is one."""

    names: list[str]
    next_marker: str | None


def after(operation: str, marker: str | None) -> tuple[int, str]:
    """The place in the tree that a marker names: (bucket, group name).

    Raises:
        InvalidMarkerError: Not a marker of this operation.
    """
    if marker is None:
        return (0, "")
    try:
        kind, name = base64.b64decode(marker, altchars=b"-_", validate=True).decode().split(":", 1)
    except (binascii.Error, ValueError) as error:
        raise errors.InvalidMarkerError from error
    if kind != operation:
        raise errors.InvalidMarkerError
    return (bucket_of(name), name)


def page(operation: str, names: Iterable[str], limit: int) -> Page:
    """The first `limit` of `names`, which start behind the marker."""
    taken = list(islice(names, limit + 1))
    if len(taken) <= limit:
        return Page(taken, None)
    marker = base64.urlsafe_b64encode(f"{operation}:{taken[limit - 1]}".encode()).decode()
    return Page(taken[:limit], marker)
