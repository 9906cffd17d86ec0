"""The few byte-level habits that every format here shares.

Implements docs/spec/vault.md, "Notation". Every hash and every associated data of kms begins with a label of its own,
so that bytes made for one purpose never mean anything in another.
"""

LABEL = b"kms/v1/"


def prefixed(*parts: bytes) -> bytes:
    """Each part behind its u32 big-endian length: no two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def label(purpose: str, *parts: bytes) -> bytes:
    """`kms/v1/PURPOSE`, a zero byte, then the prefixed parts: a context that means one thing only."""
    return LABEL + purpose.encode() + b"\0" + prefixed(*parts)


def sha256(data: bytes) -> bytes:
    """SHA-256: 32 bytes."""
    from hashlib import sha256 as function  # loads OpenSSL, for which help and TAB do not pay

    return function(data).digest()


def digest(purpose: str, *parts: bytes) -> bytes:
    """SHA-256 over `label(purpose, *parts)`: 32 bytes."""
    return sha256(label(purpose, *parts))
