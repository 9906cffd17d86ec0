"""Elliptic curves of NIST and secp256k1: ECDSA (FIPS 186-5) and ECDH (SP 800-56A, section 5.7.1.2).

A signature is the DER of ANSI X9.62, as in AWS. The library draws the nonce of each signature, truncates a digest that
is longer than the order, and refuses points that are not on the curve. Curves are known by their SEC 2 names.
"""

from functools import cache
from typing import TYPE_CHECKING

from kmscli import errors
from kmscli.crypto import digests
from kmscli.crypto.keypair import Handle, Pair, broken, encode, imported, misfit, own_private, own_public
from kmscli.model.specs import SigningAlgorithm

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDSA,
        EllipticCurve,
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )

_SCHEMES = frozenset({"ecdsa"})


def generate(curve: str) -> Pair:
    """A new key on `curve`."""
    from cryptography.hazmat.primitives.asymmetric import ec

    chosen: EllipticCurve = getattr(ec, curve.upper())()
    return encode(ec.generate_private_key(chosen))


def read_private(curve: str, der: bytes) -> Pair:
    """A key that somebody brings, in the encoding that `generate` gives.

    The public point may be absent, compressed, or not; the library refuses one that is not that of the private key.

    Raises:
        IncorrectKeyMaterialError: No consistent key on `curve`.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    wanted = f"an elliptic curve key on {curve}"
    key = imported(der, ec.EllipticCurvePrivateKey, wanted)
    if key.curve.name != curve:
        raise misfit(wanted)
    return encode(ec.derive_private_key(key.private_numbers().private_value, key.curve))


@cache
def _ecdsa(hash_name: str, message_type: str) -> "ECDSA":
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    return ECDSA(digests.of_message(hash_name, message_type))


class PrivateKey(Handle):
    """A private key in use."""

    def __init__(self, key: "EllipticCurvePrivateKey") -> None:
        self._key = key

    def sign(self, message: bytes, algorithm: SigningAlgorithm, message_type: str) -> bytes:
        """A signature, in DER.

        Args:
            message: The message, or its digest.
            algorithm: Row of `SIGNING_ALGORITHMS`.
            message_type: RAW or DIGEST.

        Raises:
            ValidationError: `message` is not such as the algorithm takes.
        """
        digests.check_message(message, algorithm, message_type, schemes=_SCHEMES)
        return self._key.sign(message, _ecdsa(algorithm.hash, message_type))

    def derive(self, peer_public_der: bytes) -> bytes:
        """The raw shared secret of ECDH: the x coordinate, as long as an element of the field, leading zeros kept.

        Args:
            peer_public_der: SubjectPublicKeyInfo of the other party.

        Raises:
            ValidationError: That is no public key, its point is not on the curve, or the curve is another one.
        """
        from cryptography.hazmat.primitives.asymmetric import ec

        peer = _peer(peer_public_der)
        if peer.curve.name != self._key.curve.name:
            raise errors.ValidationError(
                problem=f"PublicKey is on the curve {peer.curve.name}, and the KMS key on {self._key.curve.name}",
                hint="both parties need keys on one curve",
            )
        return self._key.exchange(ec.ECDH(), peer)


def _peer(der: bytes) -> "EllipticCurvePublicKey":
    """The public key of another party: nothing in it is secret, so the refusal may say what is wrong."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise errors.ValidationError(
            problem="PublicKey is no valid public key in SubjectPublicKeyInfo DER, or its point is not on its curve"
        ) from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise errors.ValidationError(problem="PublicKey is no public key of an elliptic curve of NIST")
    return key


class PublicKey(Handle):
    """A public key in use."""

    def __init__(self, key: "EllipticCurvePublicKey") -> None:
        self._key = key

    def verify(self, message: bytes, signature: bytes, algorithm: SigningAlgorithm, message_type: str) -> None:
        """Check a signature; the arguments are those of `sign`.

        Raises:
            InvalidSignatureError: It does not hold, or is no DER.
            ValidationError: `message` is not such as the algorithm takes.
        """
        from cryptography.exceptions import InvalidSignature

        digests.check_message(message, algorithm, message_type, schemes=_SCHEMES)
        try:
            self._key.verify(signature, message, _ecdsa(algorithm.hash, message_type))
        except (InvalidSignature, ValueError) as error:
            raise errors.InvalidSignatureError from error


def private_key(curve: str, der: bytes) -> PrivateKey:
    """A handle of a private key that this module encoded.

    Raises:
        VaultTamperedError: It is none.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    key = own_private(der, EllipticCurvePrivateKey)
    if key.curve.name != curve:
        raise broken()
    return PrivateKey(key)


def public_key(curve: str, der: bytes) -> PublicKey:
    """A handle of a public key that this module encoded.

    Raises:
        VaultTamperedError: It is none.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    key = own_public(der, EllipticCurvePublicKey)
    if key.curve.name != curve:
        raise broken()
    return PublicKey(key)
