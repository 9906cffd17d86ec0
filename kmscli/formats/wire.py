"""The few byte-level habits that every format here shares.

Implements docs/spec/vault.md, "Notation". Every hash and every associated data of kms begins with a label of its own,
so that bytes made for one purpose never mean anything in another.
"""

import binascii
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Protocol

import msgspec

from kmscli import errors

LABEL = b"kms/v1/"


class _Hash(Protocol):
    def digest(self) -> bytes: ...


def prefixed(*parts: bytes) -> bytes:
    """Each part behind its u32 big-endian length: no two lists of parts give the same bytes."""
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def label(purpose: str, *parts: bytes) -> bytes:
    """`kms/v1/PURPOSE`, a zero byte, then the prefixed parts: a context that means one thing only."""
    return b"%b%b\0%b" % (LABEL, purpose.encode(), prefixed(*parts))


def from_base64(text: str) -> bytes | None:
    """The bytes of a base64 text, None if it is not the one that they have: padded, no bit too many, no blanks."""
    try:
        found = msgspec.convert(text, bytes)  # in a quarter of binascii's time, and as strict up to the last bits
    except (msgspec.ValidationError, UnicodeEncodeError):  # the second for what is no Unicode
        return None
    stray = len(found) % 3
    if stray and binascii.b2a_base64(found[-stray:], newline=False).decode() != text[-4:]:
        return None
    return found


class _Hasher:
    """SHA-256 by the interpreter's own code at first, where it has some, and by OpenSSL's after a MiB.

    OpenSSL's is four times as fast, and loading hashlib for it takes as long as a MiB does without.
    """

    def __init__(self) -> None:
        self._left = _FIRST_BYTES
        self._hash: Callable[[bytes], _Hash] | None = None

    def digest(self, data: bytes) -> bytes:
        if self._left > 0:
            self._left -= len(data)
            if self._hash is None or self._left <= 0:
                self._hash = self._found()
        return self._hash(data).digest()  # type: ignore[misc]  # set by the first call

    def _found(self) -> Callable[[bytes], _Hash]:
        for module in ("_sha2", "_sha256", "hashlib")[2 if self._left <= 0 else 0 :]:  # Python 3.12 on, 3.11, any
            with suppress(ImportError, AttributeError):
                found: Callable[[bytes], _Hash] = import_module(module).sha256
                return found
        raise errors.InternalError(what="this Python has no SHA-256")


_FIRST_BYTES = 1 << 20
_HASHER = _Hasher()


def sha256(data: bytes) -> bytes:
    """SHA-256: 32 bytes."""
    return _HASHER.digest(data)


def digest(purpose: str, *parts: bytes) -> bytes:
    """SHA-256 over `label(purpose, *parts)`: 32 bytes."""
    return sha256(label(purpose, *parts))
