"""Ed25519 (RFC 8032): signatures over the message itself, deterministic, without a prehash.

Not for identities, which have their own keys and labels (`kmscli.crypto.identity`): this one signs what it is given.
"""

from typing import TYPE_CHECKING

from kmscli import errors
from kmscli.crypto import digests
from kmscli.crypto.keypair import Handle, Pair, encode, imported, own_private, own_public
from kmscli.model.specs import SigningAlgorithm

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_SCHEMES = frozenset({"eddsa"})


def generate(_curve: str) -> Pair:
    """A new key; there is one curve."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return encode(Ed25519PrivateKey.generate())


def read_private(_curve: str, der: bytes) -> Pair:
    """A key that somebody brings, in the encoding that `generate` gives.

    Raises:
        IncorrectKeyMaterialError: No Ed25519 key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return encode(imported(der, Ed25519PrivateKey, "an Ed25519 key"))


class PrivateKey(Handle):
    """A private key in use."""

    def __init__(self, key: "Ed25519PrivateKey") -> None:
        self._key = key

    def sign(self, message: bytes, algorithm: SigningAlgorithm, message_type: str) -> bytes:
        """A signature, 64 bytes.

        Args:
            message: The message.
            algorithm: Row of `SIGNING_ALGORITHMS`.
            message_type: RAW.

        Raises:
            ValidationError: Another algorithm or message type.
        """
        digests.check_message(message, algorithm, message_type, schemes=_SCHEMES)
        return self._key.sign(message)


class PublicKey(Handle):
    """A public key in use."""

    def __init__(self, key: "Ed25519PublicKey") -> None:
        self._key = key

    def verify(self, message: bytes, signature: bytes, algorithm: SigningAlgorithm, message_type: str) -> None:
        """Check a signature; the arguments are those of `sign`.

        Raises:
            InvalidSignatureError: It does not hold.
            ValidationError: Another algorithm or message type.
        """
        from cryptography.exceptions import InvalidSignature

        digests.check_message(message, algorithm, message_type, schemes=_SCHEMES)
        try:
            self._key.verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise errors.InvalidSignatureError from error


def private_key(_curve: str, der: bytes) -> PrivateKey:
    """A handle of a private key that this module encoded.

    Raises:
        VaultTamperedError: It is none.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return PrivateKey(own_private(der, Ed25519PrivateKey))


def public_key(_curve: str, der: bytes) -> PublicKey:
    """A handle of a public key that this module encoded.

    Raises:
        VaultTamperedError: It is none.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return PublicKey(own_public(der, Ed25519PublicKey))
