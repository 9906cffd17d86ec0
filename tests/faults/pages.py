"""Which bytes of an SQLite database mean something, and which lie between pointers and cells of a page, unallocated.

Source: "Database File Format" of the SQLite documentation, sections 1.3 and 1.6.
"""

from collections.abc import Iterator

HEADER_BYTES = 100
FORMAT_NUMBER = range(60, 64)
"""Where `user_version` stands."""
_BTREE_HEADER = {2: 12, 5: 12, 10: 8, 13: 8}
_POINTER_BYTES = 2


def used(database: bytes) -> Iterator[int]:
    """Offsets of the bytes that are allocated."""
    size = int.from_bytes(database[16:18], "big")
    for start in range(0, len(database), size):
        gap = _gap(database, start, size)
        yield from (offset for offset in range(start, start + size) if offset not in gap)


def _gap(database: bytes, start: int, size: int) -> range:
    header = start + (0 if start else HEADER_BYTES)
    length = _BTREE_HEADER.get(database[header])
    if length is None:
        return range(0)
    cells = int.from_bytes(database[header + 3 : header + 5], "big")
    content = int.from_bytes(database[header + 5 : header + 7], "big") or size
    return range(header + length + _POINTER_BYTES * cells, start + content)
