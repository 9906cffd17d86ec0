"""Key material brought as its owner brings it: wrapped with `cryptography`, by nothing of the product."""

import os
from functools import cache
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from kmscli.crypto import wrap
from kmscli.crypto.keypair import Pair
from tests.helpers import Home

OAEP = "RSAES_OAEP_SHA_256"
FOR_EVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
_CURVES: dict[str, ec.EllipticCurve] = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}


class Owned(NamedTuple):
    """Material that its owner made: for a KeySpec and a KeyUsage; `public` as in GetPublicKey, b"" without one."""

    spec: str
    usage: str
    material: bytes
    public: bytes = b""


def symmetric() -> Owned:
    return Owned("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", os.urandom(32))


def hmac(bits: int) -> Owned:
    return Owned(f"HMAC_{bits}", "GENERATE_VERIFY_MAC", os.urandom(bits // 8))


def curve(spec: str) -> Owned:
    return _pair(spec, ec.generate_private_key(_CURVES[spec]))


def edwards() -> Owned:
    return _pair("ECC_NIST_EDWARDS25519", ed25519.Ed25519PrivateKey.generate())


@cache
def rsa_2048() -> Owned:
    return _pair("RSA_2048", rsa.generate_private_key(65537, 2048))


def _pair(spec: str, key: PrivateKeyTypes) -> Owned:
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Owned(spec, "SIGN_VERIFY", private, public)


def wrapped(public: bytes, material: bytes, algorithm: str) -> bytes:
    """EncryptedKeyMaterial, as AWS's guide says to make it.

    Raises:
        ValueError: The material does not fit.
    """
    key = load_der_public_key(public)
    assert isinstance(key, rsa.RSAPublicKey)
    digest: hashes.HashAlgorithm = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()  # noqa: S303
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    if algorithm.startswith("RSAES_OAEP"):
        return key.encrypt(material, oaep)
    between = os.urandom(32)
    return key.encrypt(between, oaep) + aes_key_wrap_with_padding(between, material)


def prepared(
    home: Home, key_id: str, material: bytes, *, algorithm: str = OAEP, spec: str = "RSA_2048"
) -> dict[str, Any]:
    """The members of an ImportKeyMaterial, after the GetParametersForImport that it needs."""
    found = home.perform("GetParametersForImport", KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    encrypted = wrapped(found.public_key, material, algorithm)
    return {"KeyId": key_id, "ImportToken": found.import_token, "EncryptedKeyMaterial": encrypted}


def bring(home: Home, key_id: str, material: bytes, **members: Any) -> dict[str, Any]:
    """The answer of an ImportKeyMaterial; of material that does not expire, if the members do not say otherwise."""
    given = members if "ValidTo" in members or "ExpirationModel" in members else FOR_EVER | members
    return home.answer("ImportKeyMaterial", **prepared(home, key_id, material), **given)


def external(home: Home, owned: Owned | None = None, **members: Any) -> str:
    """The id of a new key of origin EXTERNAL, which waits for its material."""
    spec, usage = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT") if owned is None else (owned.spec, owned.usage)
    return home.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage, **members)


_new_wrapping_key = wrap.new_wrapping_key


@cache
def _wrapping_key(bits: int) -> Pair:
    return _new_wrapping_key(bits)


def reuse_wrapping_keys(patch: pytest.MonkeyPatch) -> None:
    """Have GetParametersForImport give the same wrapping key of a size each time: making one is what takes the time."""
    patch.setattr(wrap, "new_wrapping_key", _wrapping_key)
