"""THE table of key specs and of algorithms: everything the program knows about a kind of key, as data.

A further spec of a known family is one row here and its vectors. Nothing elsewhere compares a spec's name.
Source: AWS KMS API reference, CreateKey (KeySpec, KeyUsage), and AWS KMS developer guide, "Key spec reference".
"""

import msgspec

ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"
SIGN_VERIFY = "SIGN_VERIFY"
GENERATE_VERIFY_MAC = "GENERATE_VERIFY_MAC"
KEY_AGREEMENT = "KEY_AGREEMENT"
ENCAPSULATE_DECAPSULATE = "ENCAPSULATE_DECAPSULATE"

SYMMETRIC = "SYMMETRIC_DEFAULT"
"""The name of the default spec, and of its one algorithm."""


class KeySpec(msgspec.Struct, frozen=True):
    """One kind of key.

    Attributes:
        family: Module of `kmscli.crypto` that works with it.
        parameter: What the family is told: modulus bits, a curve, a parameter set, or bytes of material.
        usages: KeyUsage values that CreateKey accepts -> the algorithms of each, in the order of the API's answers.
        asymmetric: Whether it is a key pair; if not, the material is `parameter` random bytes.
        has_default_usage: Whether CreateKey may leave KeyUsage out.
        old_name: Whether CustomerMasterKeySpec, the member's old name, has the value too.
        rotates: Whether material can be rotated with the key id kept.
        imports: Whether the material of a key with Origin EXTERNAL can be of this spec.
        pairs: Whether GenerateDataKeyPair makes it.
    """

    family: str
    parameter: int | str
    usages: dict[str, tuple[str, ...]]
    asymmetric: bool = True
    has_default_usage: bool = False
    old_name: bool = True
    rotates: bool = False
    imports: bool = True
    pairs: bool = True


_OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_RSA_SIGNATURES = (
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
)
_RSA = {ENCRYPT_DECRYPT: _OAEP, SIGN_VERIFY: _RSA_SIGNATURES}
_ECDH = ("ECDH",)


def _nist(hash_bits: int) -> dict[str, tuple[str, ...]]:
    return {SIGN_VERIFY: (f"ECDSA_SHA_{hash_bits}",), KEY_AGREEMENT: _ECDH}


def _hmac(bits: int) -> KeySpec:
    return KeySpec("mac", bits // 8, {GENERATE_VERIFY_MAC: (f"HMAC_SHA_{bits}",)}, asymmetric=False, pairs=False)


def _ml_dsa(number: int) -> KeySpec:
    # AWS lists no way to import a lattice key, and CustomerMasterKeySpec was retired before they came.
    usages: dict[str, tuple[str, ...]] = {SIGN_VERIFY: ("ML_DSA_SHAKE_256",)}
    return KeySpec("mldsa", number, usages, old_name=False, imports=False, pairs=False)


def _ml_kem(number: int) -> KeySpec:
    return KeySpec("mlkem", number, {ENCAPSULATE_DECAPSULATE: ("ML_KEM",)}, old_name=False, imports=False)


KEY_SPECS: dict[str, KeySpec] = {
    "RSA_2048": KeySpec("rsa", 2048, _RSA),
    "RSA_3072": KeySpec("rsa", 3072, _RSA),
    "RSA_4096": KeySpec("rsa", 4096, _RSA),
    "ECC_NIST_P256": KeySpec("ecc", "secp256r1", _nist(256)),
    "ECC_NIST_P384": KeySpec("ecc", "secp384r1", _nist(384)),
    "ECC_NIST_P521": KeySpec("ecc", "secp521r1", _nist(512)),
    "ECC_SECG_P256K1": KeySpec("ecc", "secp256k1", {SIGN_VERIFY: ("ECDSA_SHA_256",)}),
    SYMMETRIC: KeySpec(
        "seal",
        32,
        {ENCRYPT_DECRYPT: (SYMMETRIC,)},
        asymmetric=False,
        has_default_usage=True,
        rotates=True,
        pairs=False,
    ),
    "HMAC_224": _hmac(224),
    "HMAC_256": _hmac(256),
    "HMAC_384": _hmac(384),
    "HMAC_512": _hmac(512),
    "ML_DSA_44": _ml_dsa(44),
    "ML_DSA_65": _ml_dsa(65),
    "ML_DSA_87": _ml_dsa(87),
    "ECC_NIST_EDWARDS25519": KeySpec("eddsa", "ed25519", {SIGN_VERIFY: ("ED25519_SHA_512",)}, old_name=False),
    "ML_KEM_768": _ml_kem(768),
    "ML_KEM_1024": _ml_kem(1024),
}
"""KeySpec -> what it is, in the order in which AWS lists them."""

UNSUPPORTED: dict[str, str] = {
    "SM2": "AWS offers SM2 in China Regions alone, and no library that kms builds on has it",
    "SM2DSA": "AWS offers SM2 in China Regions alone, and no library that kms builds on has it",
    "SM2PKE": "AWS offers SM2 in China Regions alone, and no library that kms builds on has it",
    "ML_KEM_512": "the cryptographic library has ML-KEM in the sizes 768 and 1024",
    "ED25519_PH_SHA_512": "the cryptographic library has Ed25519 without prehash: sign with ED25519_SHA_512",
    "RSAES_PKCS1_V1_5": "AWS retired it as a wrapping algorithm in October 2023",
}
"""Values that AWS's enums have and kms refuses -> why."""


class SigningAlgorithm(msgspec.Struct, frozen=True):
    """One SigningAlgorithm.

    Attributes:
        scheme: `pss`, `pkcs1v15`, `ecdsa`, `eddsa` or `mldsa`.
        hash: Name of the hash in `hashlib`, "" where the scheme has its own.
        messages: MessageType -> exact length of Message in bytes, None where the API's bounds alone hold.
    """

    scheme: str
    hash: str
    messages: dict[str, int | None]


def _hashed(scheme: str, bits: int) -> SigningAlgorithm:
    return SigningAlgorithm(scheme, f"sha{bits}", {"RAW": None, "DIGEST": bits // 8})


SIGNING_ALGORITHMS: dict[str, SigningAlgorithm] = {
    "RSASSA_PSS_SHA_256": _hashed("pss", 256),
    "RSASSA_PSS_SHA_384": _hashed("pss", 384),
    "RSASSA_PSS_SHA_512": _hashed("pss", 512),
    "RSASSA_PKCS1_V1_5_SHA_256": _hashed("pkcs1v15", 256),
    "RSASSA_PKCS1_V1_5_SHA_384": _hashed("pkcs1v15", 384),
    "RSASSA_PKCS1_V1_5_SHA_512": _hashed("pkcs1v15", 512),
    "ECDSA_SHA_256": _hashed("ecdsa", 256),
    "ECDSA_SHA_384": _hashed("ecdsa", 384),
    "ECDSA_SHA_512": _hashed("ecdsa", 512),
    "ML_DSA_SHAKE_256": SigningAlgorithm("mldsa", "", {"RAW": None, "EXTERNAL_MU": 64}),
    "ED25519_SHA_512": SigningAlgorithm("eddsa", "", {"RAW": None}),
}

OAEP_HASHES: dict[str, str] = {"RSAES_OAEP_SHA_1": "sha1", "RSAES_OAEP_SHA_256": "sha256"}
"""EncryptionAlgorithm of RSA keys -> hash of OAEP and of its MGF1."""

MAC_HASHES: dict[str, str] = {f"HMAC_SHA_{bits}": f"sha{bits}" for bits in (224, 256, 384, 512)}
"""MacAlgorithm -> hash."""


class Wrapping(msgspec.Struct, frozen=True):
    """One WrappingAlgorithm of GetParametersForImport.

    Attributes:
        hash: Hash of OAEP and of its MGF1.
        two_steps: Whether RSA wraps an AES-256 key, and that one the material (AES key wrap with padding, RFC 5649).
    """

    hash: str
    two_steps: bool


WRAPPING_ALGORITHMS: dict[str, Wrapping] = {
    "RSAES_OAEP_SHA_1": Wrapping("sha1", two_steps=False),
    "RSAES_OAEP_SHA_256": Wrapping("sha256", two_steps=False),
    "RSA_AES_KEY_WRAP_SHA_1": Wrapping("sha1", two_steps=True),
    "RSA_AES_KEY_WRAP_SHA_256": Wrapping("sha256", two_steps=True),
}
WRAPPING_KEY_BITS: dict[str, int] = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}

DATA_KEY_BYTES: dict[str, int] = {"AES_256": 32, "AES_128": 16}
"""KeySpec of GenerateDataKey -> length in bytes, in the order in which AWS lists them."""
