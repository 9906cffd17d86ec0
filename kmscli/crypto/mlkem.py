"""ML-KEM (FIPS 203): agreeing on a secret so that a quantum computer learns nothing from what was sent.

A ciphertext of the right length always gives a secret: a forged one gives another, unpredictable secret ("implicit
rejection", algorithm 18), so whoever uses it must authenticate. A private key is kept as its seed of 64 bytes, d ‖ z.
"""

from typing import TYPE_CHECKING

from kmscli import errors
from kmscli.crypto.keypair import Handle, Pair, encode, imported, own_private, own_public

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import mlkem

    _Private = mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey
    _Public = mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey


def _private_class(number: int) -> "type[_Private]":
    from cryptography.hazmat.primitives.asymmetric import mlkem

    chosen: type[_Private] = getattr(mlkem, f"MLKEM{number}PrivateKey")
    return chosen


def _public_class(number: int) -> "type[_Public]":
    from cryptography.hazmat.primitives.asymmetric import mlkem

    chosen: type[_Public] = getattr(mlkem, f"MLKEM{number}PublicKey")
    return chosen


def generate(number: int) -> Pair:
    """A new key of the parameter set ML-KEM-`number`."""
    return encode(_private_class(number).generate())


def read_private(number: int, der: bytes) -> Pair:
    """A key that somebody brings, in the encoding that `generate` gives: it must hold the seed.

    Raises:
        IncorrectKeyMaterialError: No key of the parameter set ML-KEM-`number` with its seed.
    """
    return encode(imported(der, _private_class(number), f"an ML-KEM-{number} key"))


class PrivateKey(Handle):
    """A private key in use."""

    def __init__(self, key: "_Private") -> None:
        self._key = key

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret, 32 bytes; of a forged ciphertext, a secret that nobody else has.

        Raises:
            InvalidCiphertextError: The length is wrong.
        """
        try:
            return self._key.decapsulate(ciphertext)
        except ValueError:
            raise errors.AsymmetricCiphertextError from None


class PublicKey(Handle):
    """A public key in use."""

    def __init__(self, key: "_Public") -> None:
        self._key = key

    def encapsulate(self) -> tuple[bytes, bytes]:
        """A new shared secret of 32 bytes, and the ciphertext that gives it to the holder of the private key."""
        return self._key.encapsulate()


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
