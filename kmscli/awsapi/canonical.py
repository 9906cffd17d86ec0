"""The canonical form of a request: the bytes that a Signature Version 4 signs (docs/spec/endpoint.md, "Signature").

Decides nothing. Two requests with one canonical form are one request to the server: what is folded here (runs of
spaces, the order of a query, dot segments of a path) must mean nothing further on.

Source: AWS IAM User Guide, "Create a signed AWS API request", as for every service but S3: the path is normalised, and
encoded once more than it is on the wire.
"""

from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

_UNRESERVED = "-_.~"  # beside letters and digits, which quote never encodes


@lru_cache(maxsize=1024)
def folded(value: bytes) -> bytes:
    """A header's value without blanks around it, and with one space for each run of blanks inside."""
    return b" ".join(value.split())


def merged(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Map each header's name to its value; the values of one that came several times, folded and joined by commas."""
    values = dict(headers)
    if len(values) == len(headers):
        return values
    several: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        several.setdefault(name, []).append(folded(value))
    return {name: b",".join(found) for name, found in several.items()}


def canonical_path(path: str) -> str:
    """The path without empty and dot segments, percent-encoded as it stands: `%` becomes `%25`.

    Args:
        path: As on the wire; bytes that are not UTF-8 as surrogate escapes.
    """
    if path in {"/", ""}:
        return "/"
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    slash = "/" if kept and path.endswith("/") else ""
    return "/" + quote("/".join(kept), safe="/" + _UNRESERVED, errors="surrogateescape") + slash


def query_pairs(query: str) -> list[tuple[bytes, bytes]]:
    """Split a query into names and values, percent-decoded; a plus is a plus, as AWS writes a space as `%20` only."""
    if not query:
        return []
    raw = query.encode("utf-8", "surrogateescape")
    split = (pair.partition(b"=") for pair in raw.split(b"&"))
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in split]


def canonical_query(pairs: list[tuple[bytes, bytes]]) -> str:
    """The pairs percent-encoded, sorted by name and then by value."""
    encoded = sorted((quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
