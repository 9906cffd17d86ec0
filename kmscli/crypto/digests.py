"""Hashes by their names in the tables, and what a signing algorithm takes as its message.

The tables are those of `kmscli.model.specs`. The API's lengths are checked before anything comes here; the check is
repeated where the library would otherwise fail in ways of its own.
"""

from functools import cache
from typing import TYPE_CHECKING

from kmscli import errors
from kmscli.model.specs import SigningAlgorithm

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import HashAlgorithm


@cache
def named(name: str) -> "HashAlgorithm":
    """The hash that `hashlib` calls `name`: sha1, sha224, sha256, sha384 or sha512."""
    from cryptography.hazmat.primitives import hashes

    algorithm: HashAlgorithm = getattr(hashes, name.upper())()
    return algorithm


def check_message(message: bytes, algorithm: SigningAlgorithm, message_type: str, *, schemes: frozenset[str]) -> None:
    """Check that a key of these `schemes` can sign `message` with `algorithm` as a `message_type`.

    Raises:
        ValidationError: Another scheme, a message type that the algorithm does not have, or a wrong length.
    """
    if algorithm.scheme not in schemes or message_type not in algorithm.messages:
        raise errors.ValidationError(
            problem=f"the signing algorithm does not fit the key or MessageType {message_type}"
        )
    length = algorithm.messages[message_type]
    if length is not None and len(message) != length:
        raise errors.ValidationError(
            problem=f"with MessageType {message_type}, this algorithm takes {length} bytes, not {len(message)}"
        )


@cache
def of_message(hash_name: str, message_type: str) -> "HashAlgorithm | Prehashed":
    """How the library is to get the digest: by hashing (RAW), or as the message itself (DIGEST)."""
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    chosen = named(hash_name)
    return Prehashed(chosen) if message_type == "DIGEST" else chosen
