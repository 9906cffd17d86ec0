"""The usage summary of a complete segment: which line of it used each key and each access key last.

Implements docs/spec/audit.md, "Usage summaries". A signed header names what it was made from and the digest of each
page; a page lists keys and access keys in the order of their ids. So the header and one page are all that is read for
one of them. Bytes to members and back; whose signature is believed, and whether a summary fits its segment, is decided
above.
"""

import struct
from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Annotated, NamedTuple

import msgspec

from kmscli import errors
from kmscli.formats import record
from kmscli.formats.wire import digest, label
from kmscli.model import ids

PAGE = 256
"""Keys of a page; the last one has what is left."""
HEADER_MAX = 1 << 24
"""Bytes of a header: what is read before anything in it is believed. Enough for 45 million keys."""
_ENTRY = struct.Struct(">36sQI32s")
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Spot(NamedTuple):
    """Where a line stands in its segment, without its newline, and its SHA-256."""

    offset: int
    length: int
    digest: bytes


class Page(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The first key of a page, and the page's digest."""

    first: str
    digest: bytes


class Summary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The header.

    Attributes:
        vault_id: 32 hex digits.
        segment: Number of the segment; `size` are its bytes.
        began: eventTime of its first line.
        prev: `chain.prev` of its first line; `last` is the SHA-256 of its last line. 64 hex digits each.
        keys: How many keys and access keys were used in it.
        signer: Who read the segment, its chain included, and signs this.
    """

    vault_id: str
    segment: _Number
    size: _Number
    began: datetime
    prev: str
    last: str
    keys: _Number
    pages: tuple[Page, ...]
    signer: str
    signature: bytes = b""


class Extent(NamedTuple):
    """The bytes of a page, counted from the end of the header and its newline; and which page it is."""

    number: int
    start: int
    length: int


def encode(summary: Summary, uses: Mapping[str, Spot], sign: Callable[[bytes], bytes]) -> bytes:
    """The bytes of a summary.

    Args:
        summary: The header; keys, pages and signature are set here.
        uses: The last use of each key and access key, by id.
        sign: Gives the Ed25519 signature of `summary.signer`.
    """
    rows = [(key_id, _ENTRY.pack(key_id.encode(), *spot)) for key_id, spot in sorted(uses.items())]
    parts = [rows[first : first + PAGE] for first in range(0, len(rows), PAGE)]
    pages = [b"".join(row for _, row in part) for part in parts]
    listed = tuple(Page(part[0][0], _digest(page)) for part, page in zip(parts, pages, strict=True))
    unsigned = msgspec.structs.replace(summary, keys=len(rows), pages=listed, signature=b"")
    header = record.encode(msgspec.structs.replace(unsigned, signature=sign(signed_bytes(unsigned))))
    return b"".join((header, b"\n", *pages))


def signed_bytes(summary: Summary) -> bytes:
    """What the signature covers."""
    # Under "usage" alone signed who did not look for access keys.
    return label("usage-2", record.encode(msgspec.structs.replace(summary, signature=b"")))


def decode(header: bytes) -> Summary:
    """The header, without its newline.

    Raises:
        VaultTamperedError: It is none, or not in its one encoding, or its pages do not follow each other.
    """
    summary = record.decode(header, Summary)
    firsts = [page.first for page in summary.pages]
    if len(firsts) != -(-summary.keys // PAGE) or any(first >= second for first, second in pairwise(firsts)):
        raise _unfit("its pages do not follow each other")
    return summary


def length(summary: Summary) -> int:
    """Bytes of all pages together."""
    return summary.keys * _ENTRY.size


def page_of(summary: Summary, key_id: str) -> Extent | None:
    """The one page that can list a key; None if none can."""
    number = bisect_right(summary.pages, key_id, key=lambda page: page.first) - 1
    if number < 0:
        return None
    keys = min(PAGE, summary.keys - number * PAGE)
    return Extent(number, number * PAGE * _ENTRY.size, keys * _ENTRY.size)


def find(summary: Summary, number: int, page: bytes, key_id: str) -> Spot | None:
    """Where a page of a signed summary says that a key was used last; None if it was not.

    Raises:
        VaultTamperedError: It is not the page that was signed, or lists no keys in order.
    """
    if _digest(page) != summary.pages[number].digest or len(page) % _ENTRY.size:
        raise _unfit("a page is not the signed one")
    rows = list(_ENTRY.iter_unpack(page))
    names = [row[0].rstrip(b"\0").decode("ascii", "replace") for row in rows]
    are_ids = all(ids.is_key_id(name) or ids.is_access_key_id(name) for name in names)
    if not are_ids or any(first >= second for first, second in pairwise(names)):
        raise _unfit("a page does not list keys in order")
    if names[:1] != [summary.pages[number].first]:
        raise _unfit("a page does not begin as it should")
    if key_id not in names:
        return None
    return Spot(*rows[names.index(key_id)][1:])


def _digest(page: bytes) -> bytes:
    return digest("usage-page", page)


def _unfit(what: str) -> errors.VaultTamperedError:
    return errors.VaultTamperedError(what=f"a summary of the audit log cannot be used: {what}")
