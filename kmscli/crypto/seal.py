"""Sealing of every small secret: C2SP chunked-encryption with AES-256-GCM and SHA-512.

The one authenticated encryption of kms (docs/adr/0003). It commits to key and context, so a ciphertext opens under one
key and one context only; it draws its own salt, so no caller supplies a nonce; the algorithm follows from the format
number of what it is part of. Specification: C2SP chunked-encryption.md, instantiation Cobblestone-256. The library is
imported where it is used, since help must not pay for it.
"""

from functools import cache
from typing import TYPE_CHECKING

from kmscli.errors import SealBrokenError

if TYPE_CHECKING:
    from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

KEY_BYTES = 32


def seal(key: bytes, plaintext: bytes, *, context: bytes) -> bytes:
    """Seal `plaintext`.

    Args:
        key: 32 bytes, uniformly random or from a KDF.
        plaintext: Any length; the result is 72 bytes longer below 16 KiB.
        context: What the result is bound to; a label of its purpose first.
    """
    encryptor = _encryptor()(key, context)
    return encryptor.update(plaintext) + encryptor.finalize()


def unseal(key: bytes, sealed: bytes, *, context: bytes) -> bytes:
    """Open what `seal` made; nothing is returned before all of it is authenticated.

    Raises:
        SealBrokenError: Another key, another context, or changed bytes.
    """
    decryptor, invalid = _decryptor()
    try:
        opened = decryptor(key, context)
        return opened.update(sealed) + opened.finalize()
    except (invalid, ValueError) as error:
        raise SealBrokenError from error


@cache
def _encryptor() -> "type[Cobblestone256Encryptor]":
    from cryptography.cobblestone import Cobblestone256Encryptor

    return Cobblestone256Encryptor


@cache
def _decryptor() -> "tuple[type[Cobblestone256Decryptor], type[Exception]]":
    """The class, and what it raises beside ValueError."""
    from cryptography.cobblestone import Cobblestone256Decryptor
    from cryptography.exceptions import InvalidTag

    return Cobblestone256Decryptor, InvalidTag
