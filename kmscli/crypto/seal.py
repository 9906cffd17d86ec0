"""Sealing of every small secret: C2SP chunked-encryption with AES-256-GCM and SHA-512.

The one authenticated encryption of kms (docs/adr/0003). It commits to key and context, so a ciphertext opens under one
key and one context only; it draws its own salt, so no caller supplies a nonce; the algorithm follows from the format
number of what it is part of. Specification: C2SP chunked-encryption.md, instantiation Cobblestone-256. The library is
imported where it is used, since help must not pay for it.
"""

from kmscli.errors import SealBrokenError

KEY_BYTES = 32


def seal(key: bytes, plaintext: bytes, *, context: bytes) -> bytes:
    """Seal `plaintext`.

    Args:
        key: 32 bytes, uniformly random or from a KDF.
        plaintext: Any length; the result is 72 bytes longer below 16 KiB.
        context: What the result is bound to; a label of its purpose first.
    """
    from cryptography.cobblestone import Cobblestone256Encryptor

    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(plaintext) + encryptor.finalize()


def unseal(key: bytes, sealed: bytes, *, context: bytes) -> bytes:
    """Open what `seal` made; nothing is returned before all of it is authenticated.

    Raises:
        SealBrokenError: Another key, another context, or changed bytes.
    """
    from cryptography.cobblestone import Cobblestone256Decryptor
    from cryptography.exceptions import InvalidTag

    try:
        decryptor = Cobblestone256Decryptor(key, context)
        return decryptor.update(sealed) + decryptor.finalize()
    except (InvalidTag, ValueError) as error:
        raise SealBrokenError from error
