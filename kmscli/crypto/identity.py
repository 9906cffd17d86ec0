"""The identity of a principal and the key pair of a slot: one seed, one hybrid sealing key, one signing key.

Implements docs/spec/vault.md, "Identities". Sealing to a public key is single-shot HPKE (RFC 9180) with the KEM that
combines ML-KEM-768 and X25519: it stays closed unless both are broken, so what is stolen today outlives a quantum
computer. Signatures are Ed25519 (RFC 8032). This module knows no names and no files. The library
is imported where it is used, since help must not pay for it.
"""

from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from kmscli.crypto.kdf import expand
from kmscli.errors import SealBrokenError, SignatureBrokenError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hpke import Suite

SEED_BYTES = 32
SIGNATURE_BYTES = 64
_MLKEM_PUBLIC_BYTES = 1184
SEAL_PUBLIC_BYTES = _MLKEM_PUBLIC_BYTES + 32


def _suite() -> "Suite":
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class SealingKey:
    """The private half of a hybrid sealing key: opens what `seal_to` sealed to its public half."""

    def __init__(self, secret: bytes, label: bytes) -> None:
        """Derive it.

        Args:
            secret: 32 uniformly random bytes.
            label: What it is for; the parts `/ml-kem-768` and `/x25519` are derived below it.
        """
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
        from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

        mlkem = MLKEM768PrivateKey.from_seed_bytes(expand(secret, label + b"/ml-kem-768", 64))
        x25519 = X25519PrivateKey.from_private_bytes(expand(secret, label + b"/x25519", 32))
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        self._private = MLKEM768X25519PrivateKey(mlkem, x25519)

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """What was sealed to this key.

        Raises:
            SealBrokenError: Sealed to another key, in another context, or changed.
        """
        from cryptography.exceptions import InvalidTag

        try:
            return _suite().decrypt(sealed, self._private, info=context)
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError from error

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sealing key is not pickled")


class Identity:
    """All that a principal can prove and open, from one 32-byte seed."""

    def __init__(self, seed: bytes) -> None:
        """Derive the key pairs of `seed` (32 bytes); the sealing pair only when it is first used."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.seed = seed
        self._signing = Ed25519PrivateKey.from_private_bytes(expand(seed, b"kms/v1/identity/ed25519", 32))
        self.sign_public = self._signing.public_key().public_bytes_raw()

    @cached_property
    def _sealing(self) -> SealingKey:
        return SealingKey(self.seed, b"kms/v1/identity")

    @property
    def seal_public(self) -> bytes:
        """Public sealing key, 1216 bytes."""
        return self._sealing.public

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """What was sealed to this identity.

        Raises:
            SealBrokenError: Sealed to another one, in another context, or changed.
        """
        return self._sealing.open(sealed, context=context)

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes. `message` starts with a label."""
        return self._signing.sign(message)

    def __repr__(self) -> str:
        return f"<Identity {self.sign_public.hex()[:16]}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an identity is not pickled")


def seal_to(public: bytes, plaintext: bytes, *, context: bytes) -> bytes:
    """Seal to a public sealing key; a fresh ephemeral key each time, so the nonce is never reused.

    Args:
        public: 1216 bytes, ML-KEM-768 encapsulation key then X25519 key.
        plaintext: Any length; the result is 1136 bytes longer.
        context: What it is bound to; a label of its purpose first.

    Raises:
        SealBrokenError: `public` is no public key.
    """
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey

    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_BYTES])
        x25519 = X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC_BYTES:])
        return _suite().encrypt(plaintext, MLKEM768X25519PublicKey(mlkem, x25519), info=context)
    except ValueError as error:
        raise SealBrokenError from error


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check an Ed25519 signature.

    Raises:
        SignatureBrokenError: It does not hold, or `public` is no key.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise SignatureBrokenError from error
