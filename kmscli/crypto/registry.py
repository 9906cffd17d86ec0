"""From the name of a key spec to the family that works with it; a family is imported when it is first used.

The rows are `kmscli.model.specs.KEY_SPECS`. What a handle can do follows from the family: rsa signs and decrypts, ecc
signs and derives, eddsa and mldsa sign, mlkem decapsulates; the protocols below are for those who use them. `mac` and
`seal` work with bare material and have no handles.
"""

from types import ModuleType
from typing import Protocol, cast

from kmscli import errors
from kmscli.crypto.keypair import Pair
from kmscli.model.specs import KEY_SPECS, SigningAlgorithm

__all__ = [
    "Decapsulator",
    "Decryptor",
    "Deriver",
    "Encapsulator",
    "Encryptor",
    "Pair",
    "PairFamily",
    "Signer",
    "Verifier",
    "family",
    "generate",
    "private_key",
    "public_key",
    "read_private",
]


class PairFamily(Protocol):
    """A module of key pairs; `parameter` is that of the spec."""

    def generate(self, parameter: int | str, /) -> Pair:
        """A new pair."""

    def read_private(self, parameter: int | str, der: bytes, /) -> Pair:
        """An imported pair."""

    def private_key(self, parameter: int | str, der: bytes, /) -> object:
        """A handle of a private key."""

    def public_key(self, parameter: int | str, der: bytes, /) -> object:
        """A handle of a public key."""


class Signer(Protocol):
    """Private handle of rsa, ecc, eddsa, mldsa."""

    def sign(self, message: bytes, algorithm: SigningAlgorithm, message_type: str) -> bytes:
        """A signature."""


class Verifier(Protocol):
    """Public handle of rsa, ecc, eddsa, mldsa."""

    def verify(self, message: bytes, signature: bytes, algorithm: SigningAlgorithm, message_type: str) -> None:
        """Check a signature."""


class Decryptor(Protocol):
    """Private handle of rsa."""

    def decrypt(self, ciphertext: bytes, hash_name: str) -> bytes:
        """What was encrypted."""


class Encryptor(Protocol):
    """Public handle of rsa."""

    def encrypt(self, plaintext: bytes, hash_name: str) -> bytes:
        """A ciphertext."""


class Deriver(Protocol):
    """Private handle of ecc."""

    def derive(self, peer_public_der: bytes) -> bytes:
        """A shared secret."""


class Decapsulator(Protocol):
    """Private handle of mlkem."""

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """A shared secret."""


class Encapsulator(Protocol):
    """Public handle of mlkem."""

    def encapsulate(self) -> tuple[bytes, bytes]:
        """A shared secret and its ciphertext."""


def family(spec: str) -> ModuleType:
    """The module of `kmscli.crypto` that works with keys of `spec`, a name in `KEY_SPECS`."""
    from importlib import import_module

    return import_module(f"kmscli.crypto.{KEY_SPECS[spec].family}")


def _pair_family(spec: str) -> PairFamily:
    module = family(spec)
    if not hasattr(module, "read_private"):
        raise errors.InternalError(what=f"{spec} is no spec of key pairs")
    return cast("PairFamily", module)


def generate(spec: str) -> Pair:
    """A new key pair of `spec`."""
    return _pair_family(spec).generate(KEY_SPECS[spec].parameter)


def read_private(spec: str, der: bytes) -> Pair:
    """The pair of a private key that somebody brings, in our encoding: equal keys give equal bytes.

    Args:
        spec: What the key must be.
        der: PKCS #8 DER, not encrypted.

    Raises:
        IncorrectKeyMaterialError: No valid key, or of another spec.
    """
    return _pair_family(spec).read_private(KEY_SPECS[spec].parameter, der)


def private_key(spec: str, der: bytes) -> object:
    """A handle of a private key that `generate` or `read_private` encoded, and a seal kept; see `keypair.own_private`.

    Raises:
        VaultTamperedError: It is none of `spec`.
    """
    return _pair_family(spec).private_key(KEY_SPECS[spec].parameter, der)


def public_key(spec: str, der: bytes) -> object:
    """A handle of a public key that `generate` or `read_private` encoded.

    Raises:
        VaultTamperedError: It is none of `spec`.
    """
    return _pair_family(spec).public_key(KEY_SPECS[spec].parameter, der)
