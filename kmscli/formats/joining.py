"""The requests by which somebody joins a vault, or gets a new identity in it: made by the holder, granted by a root.

Implements docs/spec/vault.md, "Joining". A request is a record's body in its one encoding and a newline. It holds
public keys and sealed bytes, no secret in clear. What a root must check of it beside its form is decided above.
"""

from datetime import datetime
from typing import Literal, TypeVar

import msgspec

from kmscli import errors
from kmscli.formats import record
from kmscli.formats.record import Record
from kmscli.formats.wire import digest, label

LENGTH_MAX = 4 << 20
"""Bytes of a request: what is read before anything in it is believed. Enough for 16 slots of any kind."""


R = TypeVar("R", bound=Record)


class Join(Record, frozen=True, kw_only=True):
    """Somebody asks to become a principal.

    Attributes:
        fingerprint: Of the first set of roots, 64 hex digits.
        sign: Ed25519 public key, 32 bytes; `seal` is the sealing one, 1216 bytes.
        slot: The encoded slot that opens the identity.
        signature: Ed25519 of the new identity over the rest; 64 bytes.
    """

    format: Literal["kms-join-1"]
    name: str
    vault_id: str
    fingerprint: str
    sign: bytes
    seal: bytes
    slot: bytes
    created: datetime
    signature: bytes = b""


class Renewal(Record, frozen=True, kw_only=True):
    """A principal asks for a new identity.

    Attributes:
        old: Ed25519 public key of the identity in force, 32 bytes.
        slots: All slots of the principal, in the order of their ids, each with the new seed.
        approval: Ed25519 of the old identity over the rest; `signature` is that of the new one, over approval too.
    """

    format: Literal["kms-renew-1"]
    name: str
    vault_id: str
    fingerprint: str
    old: bytes
    sign: bytes
    seal: bytes
    slots: tuple[bytes, ...]
    created: datetime
    approval: bytes = b""
    signature: bytes = b""


def encode(request: Join | Renewal) -> bytes:
    """The bytes of a request's file."""
    return record.encode(request) + b"\n"


def decode_join(content: bytes, *, path: str) -> Join:
    """The request to join in a file.

    Raises:
        JoinRequestError: It is none, or not in its one encoding.
    """
    return _decode(content, Join, path, "to join")


def decode_renewal(content: bytes, *, path: str) -> Renewal:
    """The request for a new identity in a file; errors as `decode_join`."""
    return _decode(content, Renewal, path, "for a new identity")


def _decode(content: bytes, shape: type[R], path: str, what: str) -> R:
    if len(content) > LENGTH_MAX:
        raise errors.JoinRequestError(path=path, problem=f"more than {LENGTH_MAX} bytes are no request")
    if not content.endswith(b"\n"):
        raise errors.JoinRequestError(path=path, problem="it has no end")
    try:
        return record.decode(content[:-1], shape)
    except errors.VaultTamperedError as error:
        raise errors.JoinRequestError(path=path, problem=f"it is no request {what}") from error


def join_bytes(request: Join) -> bytes:
    """What the signature of a request to join covers."""
    return label("join", record.encode(msgspec.structs.replace(request, signature=b"")))


def approval_bytes(request: Renewal) -> bytes:
    """What the old identity signs of a request for a new one."""
    return label("renew-approval", record.encode(msgspec.structs.replace(request, approval=b"", signature=b"")))


def renewal_bytes(request: Renewal) -> bytes:
    """What the new identity signs of it."""
    return label("renew", record.encode(msgspec.structs.replace(request, signature=b"")))


def key_fingerprint(sign: bytes, seal: bytes) -> str:
    """What names an identity by its public keys: holder and root compare it; 64 hex digits."""
    return digest("identity", sign, seal).hex()
