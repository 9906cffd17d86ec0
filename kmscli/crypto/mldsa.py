"""ML-DSA (FIPS 204): signatures that outlive a quantum computer.

Pure ML-DSA with an empty context (section 5.2), hedged by the library's randomness. With EXTERNAL_MU the message is mu,
the 64 bytes of algorithm 7, step 6, which the caller computed from public key and message. A private key is kept as its
seed of 32 bytes (RFC 9881, section 6).
"""

from typing import TYPE_CHECKING

from kmscli import errors
from kmscli.crypto import digests
from kmscli.crypto.keypair import Handle, Pair, encode, imported, own_private, own_public
from kmscli.model.specs import SigningAlgorithm

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import mldsa

    _Private = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
    _Public = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey

_SCHEMES = frozenset({"mldsa"})
_MU = "EXTERNAL_MU"


def _private_class(number: int) -> "type[_Private]":
    from cryptography.hazmat.primitives.asymmetric import mldsa

    chosen: type[_Private] = getattr(mldsa, f"MLDSA{number}PrivateKey")
    return chosen


def _public_class(number: int) -> "type[_Public]":
    from cryptography.hazmat.primitives.asymmetric import mldsa

    chosen: type[_Public] = getattr(mldsa, f"MLDSA{number}PublicKey")
    return chosen


def generate(number: int) -> Pair:
    """A new key of the parameter set ML-DSA-`number`."""
    return encode(_private_class(number).generate())


def read_private(number: int, der: bytes) -> Pair:
    """A key that somebody brings, in the encoding that `generate` gives: it must hold the seed.

    Raises:
        IncorrectKeyMaterialError: No key of the parameter set ML-DSA-`number` with its seed.
    """
    return encode(imported(der, _private_class(number), f"an ML-DSA-{number} key"))


class PrivateKey(Handle):
    """A private key in use."""

    def __init__(self, key: "_Private") -> None:
        self._key = key

    def sign(self, message: bytes, algorithm: SigningAlgorithm, message_type: str) -> bytes:
        """A signature: 2420, 3309 or 4627 bytes.

        Args:
            message: The message, or mu.
            algorithm: Row of `SIGNING_ALGORITHMS`.
            message_type: RAW or EXTERNAL_MU.

        Raises:
            ValidationError: `message` is not such as the algorithm takes.
        """
        digests.check_message(message, algorithm, message_type, schemes=_SCHEMES)
        return self._key.sign_mu(message) if message_type == _MU else self._key.sign(message)


class PublicKey(Handle):
    """A public key in use."""

    def __init__(self, key: "_Public") -> None:
        self._key = key

    def verify(self, message: bytes, signature: bytes, algorithm: SigningAlgorithm, message_type: str) -> None:
        """Check a signature; the arguments are those of `sign`.

        Raises:
            InvalidSignatureError: It does not hold.
            ValidationError: `message` is not such as the algorithm takes.
        """
        from cryptography.exceptions import InvalidSignature

        digests.check_message(message, algorithm, message_type, schemes=_SCHEMES)
        check = self._key.verify_mu if message_type == _MU else self._key.verify
        try:
            check(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise errors.InvalidSignatureError from error


def private_key(number: int, der: bytes) -> PrivateKey:
    """A handle of a private key that this module encoded.

    Raises:
        VaultTamperedError: It is none.
    """
    return PrivateKey(own_private(der, _private_class(number)))


def public_key(number: int, der: bytes) -> PublicKey:
    """A handle of a public key that this module encoded.

    Raises:
        VaultTamperedError: It is none.
    """
    return PublicKey(own_public(der, _public_class(number)))
