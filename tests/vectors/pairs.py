"""The one encoding of a key pair once more, written from docs/spec/vault.md, "Key material", and the RFCs it names.

DER is made by hand here, so an encoding is what the standards say and not what a library writes. Libraries give only
the arithmetic: a public key from a private one.
"""

from math import gcd
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem

Oid = tuple[int, ...]


class Encoded(NamedTuple):
    """A key pair: its one encoding, and others of the same private key that an owner may bring."""

    private: bytes
    public: bytes
    others: dict[str, bytes]


# -- DER: X.690 --------------------------------------------------------------------------------------------------------


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def sequence(*parts: bytes) -> bytes:
    return der(0x30, b"".join(parts))


def integer(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(content: bytes) -> bytes:
    return der(0x04, content)


def bits(content: bytes) -> bytes:
    return der(0x03, b"\x00" + content)


def oid(numbers: Oid) -> bytes:
    first, second, *rest = numbers
    return der(0x06, b"".join(_base_128(number) for number in (40 * first + second, *rest)))


def _base_128(number: int) -> bytes:
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.insert(0, 0x80 | number & 0x7F)
    return bytes(groups)


NULL = der(0x05, b"")


def pkcs8(algorithm: bytes, private: bytes) -> bytes:
    """RFC 5958, version 0."""
    return sequence(integer(0), algorithm, octets(private))


def spki(algorithm: bytes, public: bytes) -> bytes:
    """RFC 5280, section 4.1."""
    return sequence(algorithm, bits(public))


# -- RSA: RFC 8017, appendix A.1 ---------------------------------------------------------------------------------------

_RSA = sequence(oid((1, 2, 840, 113549, 1, 1, 1)), NULL)


def _rsa_private(n: int, e: int, d: int, p: int, q: int) -> bytes:
    numbers = (0, n, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    return pkcs8(_RSA, sequence(*(integer(number) for number in numbers)))


def rsa(first: int, second: int, e: int = 65537) -> Encoded:
    """The key of two primes."""
    p, q = max(first, second), min(first, second)
    phi = (p - 1) * (q - 1)
    d = pow(e, -1, phi // gcd(p - 1, q - 1))
    return Encoded(
        _rsa_private(p * q, e, d, p, q),
        spki(_RSA, sequence(integer(p * q), integer(e))),
        {
            "the smaller prime first": _rsa_private(p * q, e, d, q, p),
            "the exponent modulo (p-1)(q-1)": _rsa_private(p * q, e, pow(e, -1, phi), p, q),
        },
    )


# -- elliptic curves: RFC 5915, RFC 5480, RFC 8410 ---------------------------------------------------------------------

_CURVES: dict[str, tuple[ec.EllipticCurve, Oid, int]] = {
    "ECC_NIST_P256": (ec.SECP256R1(), (1, 2, 840, 10045, 3, 1, 7), 32),
    "ECC_NIST_P384": (ec.SECP384R1(), (1, 3, 132, 0, 34), 48),
    "ECC_NIST_P521": (ec.SECP521R1(), (1, 3, 132, 0, 35), 66),
    "ECC_SECG_P256K1": (ec.SECP256K1(), (1, 3, 132, 0, 10), 32),
}


def curve(spec: str, scalar: int) -> Encoded:
    """The key of a private scalar on a named curve."""
    found, named, size = _CURVES[spec]
    numbers = ec.derive_private_key(scalar, found).public_key().public_numbers()
    x, y = numbers.x.to_bytes(size, "big"), numbers.y.to_bytes(size, "big")
    algorithm = sequence(oid((1, 2, 840, 10045, 2, 1)), oid(named))

    def private(point: bytes, *, parameters: bytes = b"") -> bytes:
        public = der(0xA1, bits(point)) if point else b""
        return pkcs8(algorithm, sequence(integer(1), octets(scalar.to_bytes(size, "big")), parameters, public))

    point = b"\x04" + x + y
    return Encoded(
        private(point),
        spki(algorithm, point),
        {
            "no point": private(b""),
            "a compressed point": private(bytes([2 + (y[-1] & 1)]) + x),
            "the curve in the key too": private(point, parameters=der(0xA0, oid(named))),
        },
    )


def edwards(private: bytes) -> Encoded:
    """The key of 32 bytes on edwards25519."""
    algorithm = sequence(oid((1, 3, 101, 112)))
    public = ed25519.Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    return Encoded(pkcs8(algorithm, octets(private)), spki(algorithm, public), {})


# -- lattices: RFC 9881, RFC 9935; the seed is `[0] OCTET STRING`, implicit --------------------------------------------

_ML_DSA = {
    "ML_DSA_44": (mldsa.MLDSA44PrivateKey, 17),
    "ML_DSA_65": (mldsa.MLDSA65PrivateKey, 18),
    "ML_DSA_87": (mldsa.MLDSA87PrivateKey, 19),
}
_ML_KEM = {
    "ML_KEM_768": (mlkem.MLKEM768PrivateKey, 2),
    "ML_KEM_1024": (mlkem.MLKEM1024PrivateKey, 3),
}


def lattice(spec: str, seed: bytes) -> Encoded:
    """The key of a seed, of 32 bytes for ML-DSA and of 64 for ML-KEM."""
    kind, number = _ML_DSA[spec] if spec in _ML_DSA else _ML_KEM[spec]
    family = 3 if spec in _ML_DSA else 4
    algorithm = sequence(oid((2, 16, 840, 1, 101, 3, 4, family, number)))
    public = kind.from_seed_bytes(seed).public_key().public_bytes_raw()
    return Encoded(pkcs8(algorithm, der(0x80, seed)), spki(algorithm, public), {})
