"""HMAC (RFC 2104, FIPS 198-1) of messages that users bring, with the hashes of SHA-2.

A MAC is as long as its hash; a shorter one is refused, as in AWS. The material is random or imported, and of the length
that the key's spec tells.
"""

from kmscli import errors


def generate(material: bytes, message: bytes, hash_name: str) -> bytes:
    """The MAC of `message`.

    Args:
        material: The secret.
        message: Any length.
        hash_name: Value of `MAC_HASHES`.
    """
    import hmac

    return hmac.digest(material, message, hash_name)


def verify(material: bytes, message: bytes, mac: bytes, hash_name: str) -> None:
    """Check a MAC in a time that does not tell how much of it is right.

    Raises:
        InvalidMacError: It does not hold.
    """
    import hmac

    if not hmac.compare_digest(generate(material, message, hash_name), mac):
        raise errors.InvalidMacError
