"""The cryptography of messages: message keys and commitments, frames, and signatures.

Sources: docs/spec/message.md, "Keys" and "Footer"; RFC 5869 (HKDF), NIST SP 800-38D (AES-GCM), FIPS 186-5 (ECDSA).
No caller gives a nonce that could repeat: a message key follows from a data key and a message id that are both drawn
for one message, and under it every frame has its own number, and the header 0.
"""

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

from kmscli import errors
from kmscli.model.suites import Signature, Suite

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurve, EllipticCurvePrivateKey

_KEY_LABEL = b"DERIVEKEY"
_COMMITMENT_LABEL = b"COMMITKEY"
_COMMITMENT_BYTES = 32


class MessageKeys:
    """What a data key gives for one message: the cipher of its header and frames, and the commitment."""

    __slots__ = ("cipher", "commitment")

    def __init__(self, suite: Suite, data_key: bytes, message_id: bytes) -> None:
        """Derive both.

        Raises:
            BrokenMessageError: A data key of another length than the suite's.
        """
        if len(data_key) != suite.key_bytes:
            raise errors.BrokenMessageError
        number = suite.number.to_bytes(2, "big")
        if suite.commits:
            key = _hkdf(suite, data_key, salt=message_id, info=number + _KEY_LABEL, length=suite.key_bytes)
            self.commitment = _hkdf(suite, data_key, salt=message_id, info=_COMMITMENT_LABEL, length=_COMMITMENT_BYTES)
        else:
            key = data_key
            if suite.kdf:
                key = _hkdf(suite, data_key, salt=None, info=number + message_id, length=suite.key_bytes)
            self.commitment = b""
        self.cipher = Cipher(key)

    def check_commitment(self, commitment: bytes) -> None:
        """Check that a header commits to this data key, in constant time.

        Raises:
            BrokenMessageError: It does not.
        """
        if not hmac.compare_digest(self.commitment, commitment):
            raise errors.BrokenMessageError


def _hkdf(suite: Suite, data_key: bytes, *, salt: bytes | None, info: bytes, length: int) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    algorithm: hashes.HashAlgorithm = getattr(hashes, suite.kdf.upper())()
    return HKDF(algorithm, length, salt, info).derive(data_key)


class Cipher:
    """AES-GCM under a message key. The work on whole frames releases the interpreter's lock."""

    __slots__ = ("_gcm",)

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._gcm = AESGCM(key)

    def seal_into(self, iv: bytes, plaintext: memoryview, associated_data: bytes, out: memoryview) -> None:
        """Write ciphertext and tag to `out`, which is 16 bytes longer than `plaintext`."""
        self._gcm.encrypt_into(iv, plaintext, associated_data, out)

    def open_into(self, iv: bytes, sealed: memoryview, associated_data: bytes, out: memoryview) -> None:
        """Write the plaintext of ciphertext and tag to `out`, which is 16 bytes shorter than `sealed`.

        Raises:
            BrokenMessageError: The tag does not hold. What is in `out` then is nobody's to see.
        """
        from cryptography.exceptions import InvalidTag

        try:
            self._gcm.decrypt_into(iv, sealed, associated_data, out)
        except InvalidTag as error:
            raise errors.BrokenMessageError from error

    def tag(self, iv: bytes, associated_data: bytes) -> bytes:
        """The tag over no plaintext: 16 bytes."""
        return self._gcm.encrypt(iv, b"", associated_data)

    def check_tag(self, iv: bytes, associated_data: bytes, tag: bytes) -> None:
        """Check a tag over no plaintext.

        Raises:
            BrokenMessageError: It does not hold.
        """
        from cryptography.exceptions import InvalidTag

        try:
            self._gcm.decrypt(iv, tag, associated_data)
        except InvalidTag as error:
            raise errors.BrokenMessageError from error


class Signer:
    """A key pair for one message, made when it is asked for, and the running hash of what it will sign."""

    def __init__(self, signature: Signature) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._signature = signature
        self._key: EllipticCurvePrivateKey = ec.generate_private_key(_curve(signature))
        # hashlib, since it hashes outside of the interpreter's lock.
        self._hash = hashlib.new(signature.hash)
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.public_key = base64.b64encode(point).decode()

    def update(self, data: bytes | memoryview) -> None:
        """Sign these bytes too."""
        self._hash.update(data)

    def finish(self) -> bytes:
        """The signature in DER."""
        return self._key.sign(self._hash.digest(), _prehashed(self._signature))

    def __repr__(self) -> str:
        return "Signer(...)"

    def __reduce__(self) -> str:
        raise TypeError("a private key is not pickled")


class Verifier:
    """The public key of a signed message, and the running hash of what its signature covers."""

    def __init__(self, signature: Signature, public_key: str) -> None:
        """Read the key.

        Args:
            signature: Of the suite.
            public_key: Base64 of a compressed point.

        Raises:
            BrokenMessageError: It is none. It comes from a header that was authenticated, so its maker broke it.
        """
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

        self._signature = signature
        self._hash = hashlib.new(signature.hash)
        try:
            point = base64.b64decode(public_key, validate=True)
            self._key = EllipticCurvePublicKey.from_encoded_point(_curve(signature), point)
        except (binascii.Error, ValueError) as error:
            raise errors.BrokenMessageError from error

    def update(self, data: bytes | memoryview) -> None:
        """The signature covers these bytes too."""
        self._hash.update(data)

    def check(self, signature: bytes) -> None:
        """Check the signature over all bytes so far.

        Raises:
            BrokenMessageError: It does not hold, or is no DER.
        """
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, self._hash.digest(), _prehashed(self._signature))
        except (InvalidSignature, ValueError) as error:
            raise errors.BrokenMessageError from error


def _curve(signature: Signature) -> "EllipticCurve":
    from cryptography.hazmat.primitives.asymmetric import ec

    curve: EllipticCurve = getattr(ec, signature.curve.upper())()
    return curve


def _prehashed(signature: Signature) -> "ECDSA":
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    algorithm: hashes.HashAlgorithm = getattr(hashes, signature.hash.upper())()
    return ECDSA(Prehashed(algorithm))
