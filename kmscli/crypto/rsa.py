"""RSA: signatures by PSS and PKCS #1 v1.5, encryption by OAEP (RFC 8017).

As in AWS, a PSS salt is as long as the digest, MGF1 has the hash of the scheme, and the label of OAEP is empty. There
is no decryption by PKCS #1 v1.5. The library draws salts and seeds, and blinds private operations.
"""

from functools import cache
from typing import TYPE_CHECKING

from kmscli import errors
from kmscli.crypto import digests
from kmscli.crypto.keypair import Handle, Pair, broken, encode, imported, misfit, own_private, own_public
from kmscli.model.specs import SigningAlgorithm

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import OAEP, AsymmetricPadding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

_EXPONENT = 65537
_EXPONENT_BITS = 64
_SCHEMES = frozenset({"pss", "pkcs1v15"})


def generate(bits: int) -> Pair:
    """A new key with the public exponent 65537 (FIPS 186-5 appendix A.1)."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return encode(rsa.generate_private_key(_EXPONENT, bits))


def read_private(bits: int, der: bytes) -> Pair:
    """A key that somebody brings, in the encoding that `generate` gives.

    FIPS 186-5 asks for an odd public exponent from 65537 on. Above 64 bits the library refuses to use it with a large
    modulus, so such a key is refused here, before anything depends on it.

    Raises:
        IncorrectKeyMaterialError: No consistent RSA key of `bits` bits.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    wanted = f"an RSA key of {bits} bits"
    key = imported(der, RSAPrivateKey, wanted)
    if key.key_size != bits:
        raise misfit(wanted)
    if not _EXPONENT <= key.public_key().public_numbers().e < 1 << _EXPONENT_BITS:
        raise misfit(f"an RSA key with a public exponent from {_EXPONENT} on and below 2^{_EXPONENT_BITS}")
    return encode(_canonical(key))


def _canonical(key: "RSAPrivateKey") -> "RSAPrivateKey":
    """The same key with the larger prime first and the smallest private exponent.

    PKCS #1 leaves both open, and the same key must give the same bytes each time it is imported. Modulus and primes are
    those that were checked, and the rest is computed from them, so a second check would find nothing. This runs once
    in the life of a key, so its timing is no oracle.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa

    numbers = key.private_numbers()
    p, q = max(numbers.p, numbers.q), min(numbers.p, numbers.q)
    d = rsa.rsa_recover_private_exponent(numbers.public_numbers.e, p, q)
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    same = rsa.RSAPrivateNumbers(p, q, d, *crt, numbers.public_numbers)
    return same.private_key(unsafe_skip_rsa_key_validation=True)


def max_plaintext(bits: int, hash_name: str) -> int:
    """Bytes that OAEP takes at most (RFC 8017 section 7.1.1)."""
    return bits // 8 - 2 * digests.named(hash_name).digest_size - 2


@cache
def _oaep(hash_name: str) -> "OAEP":
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP

    return OAEP(MGF1(digests.named(hash_name)), digests.named(hash_name), None)


@cache
def _padding(scheme: str, hash_name: str) -> "AsymmetricPadding":
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15

    if scheme == "pss":
        return PSS(MGF1(digests.named(hash_name)), PSS.DIGEST_LENGTH)
    return PKCS1v15()


def _scheme(algorithm: SigningAlgorithm, message_type: str) -> "tuple[AsymmetricPadding, HashAlgorithm | Prehashed]":
    return _padding(algorithm.scheme, algorithm.hash), digests.of_message(algorithm.hash, message_type)


class PrivateKey(Handle):
    """A private key in use."""

    def __init__(self, key: "RSAPrivateKey") -> None:
        self._key = key
        self.bits = key.key_size

    def sign(self, message: bytes, algorithm: SigningAlgorithm, message_type: str) -> bytes:
        """A signature, as long as the modulus.

        Args:
            message: The message, or its digest.
            algorithm: Row of `SIGNING_ALGORITHMS`.
            message_type: RAW or DIGEST.

        Raises:
            ValidationError: `message` is not such as the algorithm takes.
        """
        digests.check_message(message, algorithm, message_type, schemes=_SCHEMES)
        return self._key.sign(message, *_scheme(algorithm, message_type))

    def decrypt(self, ciphertext: bytes, hash_name: str) -> bytes:
        """What was encrypted by OAEP.

        Raises:
            InvalidCiphertextError: It does not decrypt. Why, is not said, nor kept as a cause: to tell a wrong first
                byte from the rest is Manger's attack. The library takes the same time for all of it.
        """
        try:
            return self._key.decrypt(ciphertext, _oaep(hash_name))
        except ValueError:
            raise errors.AsymmetricCiphertextError from None


class PublicKey(Handle):
    """A public key in use."""

    def __init__(self, key: "RSAPublicKey") -> None:
        self._key = key
        self.bits = key.key_size

    def verify(self, message: bytes, signature: bytes, algorithm: SigningAlgorithm, message_type: str) -> None:
        """Check a signature; the arguments are those of `sign`.

        Raises:
            InvalidSignatureError: It does not hold.
            ValidationError: `message` is not such as the algorithm takes.
        """
        from cryptography.exceptions import InvalidSignature

        digests.check_message(message, algorithm, message_type, schemes=_SCHEMES)
        try:
            self._key.verify(signature, message, *_scheme(algorithm, message_type))
        except (InvalidSignature, ValueError) as error:
            raise errors.InvalidSignatureError from error

    def encrypt(self, plaintext: bytes, hash_name: str) -> bytes:
        """Encrypt by OAEP; the result is as long as the modulus.

        Raises:
            ValidationError: `plaintext` is longer than `max_plaintext` tells.
        """
        limit = max_plaintext(self.bits, hash_name)
        if len(plaintext) > limit:
            raise errors.ValidationError(
                problem=f"this key and algorithm encrypt at most {limit} bytes, not {len(plaintext)}"
            )
        return self._key.encrypt(plaintext, _oaep(hash_name))


def private_key(bits: int, der: bytes) -> PrivateKey:
    """A handle of a private key that this module encoded.

    Raises:
        VaultTamperedError: It is none.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    key = own_private(der, RSAPrivateKey)
    if key.key_size != bits:
        raise broken()
    return PrivateKey(key)


def public_key(bits: int, der: bytes) -> PublicKey:
    """A handle of a public key that this module encoded.

    Raises:
        VaultTamperedError: It is none.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    key = own_public(der, RSAPublicKey)
    if key.key_size != bits:
        raise broken()
    return PublicKey(key)
