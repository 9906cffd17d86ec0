"""Unwrapping of the key material that ImportKeyMaterial brings, under an RSA key that the vault made for it.

Source: AWS KMS developer guide, "Select a wrapping algorithm". With RSAES_OAEP the material itself is encrypted to the
RSA key. With RSA_AES_KEY_WRAP the first bytes, as many as the modulus has, hold an AES-256 key so encrypted, and the
rest is the material under AES key wrap with padding (RFC 5649): PKCS #11 calls the whole CKM_RSA_AES_KEY_WRAP.
"""

from kmscli import errors
from kmscli.crypto import rsa
from kmscli.crypto.keypair import Pair, own_private
from kmscli.model.specs import Wrapping

_AES_KEY_BYTES = 32


def new_wrapping_key(bits: int) -> Pair:
    """A new RSA key for one import."""
    return rsa.generate(bits)


def unwrap(private_der: bytes, wrapped: bytes, wrapping: Wrapping) -> bytes:
    """The key material.

    Args:
        private_der: Private key of `new_wrapping_key`.
        wrapped: EncryptedKeyMaterial.
        wrapping: Row of `WRAPPING_ALGORITHMS`.

    Raises:
        WrappedMaterialError: It does not unwrap. All failures look alike. Their timing tells whether OAEP or the AES
            key wrap refused, and that gives nothing away: OAEP refuses everything that was not encrypted to this key
            on purpose, and how it comes to refuse takes the same time.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    handle = rsa.PrivateKey(own_private(private_der, RSAPrivateKey))
    try:
        if not wrapping.two_steps:
            return handle.decrypt(wrapped, wrapping.hash)
        split = handle.bits // 8
        return _unwrap_with_padding(handle.decrypt(wrapped[:split], wrapping.hash), wrapped[split:])
    except errors.InvalidCiphertextError:
        raise errors.WrappedMaterialError from None


def _unwrap_with_padding(key: bytes, wrapped: bytes) -> bytes:
    """AES key unwrap with padding (RFC 5649 section 4.2), under an AES-256 key and no shorter one."""
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

    if len(key) != _AES_KEY_BYTES:
        raise errors.InvalidCiphertextError
    try:
        return aes_key_unwrap_with_padding(key, wrapped)
    except InvalidUnwrap:
        raise errors.InvalidCiphertextError from None
