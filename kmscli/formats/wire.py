"""The few byte-level habits that every format here shares.

Implements docs/spec/vault.md, "Notation". Every hash and every associated data of kms begins with a label of its own,
so that bytes made for one purpose never mean anything in another.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Protocol

from kmscli import errors

LABEL = b"kms/v1/"


class _Hash(Protocol):
    def digest(self) -> bytes: ...


def prefixed(*parts: bytes) -> bytes:
    """Each part behind its u32 big-endian length: no two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def label(purpose: str, *parts: bytes) -> bytes:
    """`kms/v1/PURPOSE`, a zero byte, then the prefixed parts: a context that means one thing only."""
    return LABEL + purpose.encode() + b"\0" + prefixed(*parts)


@cache
def _sha256() -> Callable[[bytes], _Hash]:
    # The interpreter's own SHA-256, where it has one by itself: hashlib loads OpenSSL's, which is faster from some
    # thousand digests on, and takes a third of a bare start of Python before the first.
    for module in ("_sha2", "_sha256", "hashlib"):  # Python 3.12 and later, 3.11, any
        with suppress(ImportError, AttributeError):
            found: Callable[[bytes], _Hash] = import_module(module).sha256
            return found
    raise errors.InternalError(what="this Python has no SHA-256")


def sha256(data: bytes) -> bytes:
    """SHA-256: 32 bytes."""
    return _sha256()(data).digest()


def digest(purpose: str, *parts: bytes) -> bytes:
    """SHA-256 over `label(purpose, *parts)`: 32 bytes."""
    return sha256(label(purpose, *parts))
