"""What all families of key pairs share: the two encodings, reading them strictly, and handles that do not leak.

A private key is PKCS #8 (RFC 5958) and a public key SubjectPublicKeyInfo (RFC 5280), both DER, as in AWS's answers.
There are two ways in. `imported` takes bytes from outside and believes nothing. `own_private` and `own_public` take
bytes that this program encoded and authenticated before; a fault there is one of the vault, not of the caller.
"""

from typing import TYPE_CHECKING, NoReturn, TypeVar

import msgspec

from kmscli import errors

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

K = TypeVar("K")

_SEQUENCE = 0x30
_VERSION_BYTES = 3


class Pair(msgspec.Struct, frozen=True):
    """A key pair, encoded.

    Attributes:
        private: PKCS #8 DER, not encrypted; secret, so it is not shown and not pickled.
        public: SubjectPublicKeyInfo DER.
    """

    private: bytes
    public: bytes

    def __repr__(self) -> str:
        return f"<Pair with a public key of {len(self.public)} bytes>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key pair is not pickled")


class Handle:
    """Base of the handles that the families give out: they show nothing of the key and are not pickled."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {type(self).__module__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the handle of a key is not pickled")


def encode(key: "PrivateKeyTypes") -> Pair:
    """The one encoding that is kept of a key; the library writes lattice keys as their seeds, and AWS does too."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    return Pair(
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def imported(der: bytes, kind: type[K], name: str) -> K:
    """A key that somebody brings, read with all checks of its consistency.

    Args:
        der: PKCS #8 DER.
        kind: The library's class of the keys that are wanted.
        name: The same in words, such as "an Ed25519 key".

    Raises:
        IncorrectKeyMaterialError: No valid key in PKCS #8 DER (why, is not said), or one of another kind.
    """
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        key = load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        # InternalError is what the library makes of an Ed25519, Ed448, X25519 or X448 key of a wrong length.
        key = None
    if key is None or not _is_pkcs8(der):
        raise errors.IncorrectKeyMaterialError(
            problem="the key material is no valid private key in PKCS #8 DER, unencrypted",
            hint="`openssl pkcs8 -topk8 -nocrypt -outform DER` converts other encodings of a key",
        )
    if not isinstance(key, kind):
        raise misfit(name)
    return key


def _is_pkcs8(der: bytes) -> bool:
    """Whether a key that the library could read is in PKCS #8, which is all that AWS imports.

    The library reads the older encodings too, such as `openssl genpkey -outform DER` writes. All three are a SEQUENCE
    that begins with a version; then PKCS #8 has a SEQUENCE, PKCS #1 an INTEGER, and SEC 1 an OCTET STRING. The bytes
    are well-formed DER by now.
    """
    short_form = 0x80
    header = 2 if der[1] < short_form else 2 + der[1] - short_form
    return der[header + _VERSION_BYTES] == _SEQUENCE


def misfit(kind: str) -> errors.IncorrectKeyMaterialError:
    """The refusal of imported material that is a valid key, but not of the kind that is wanted."""
    return errors.IncorrectKeyMaterialError(problem=f"the key material is a valid private key, but not {kind}")


def own_private(der: bytes, kind: type[K]) -> K:
    """A private key that `encode` wrote; `kind` is the library's class of it.

    The check that an RSA key is consistent takes as long as making one, and is left out. That is safe: `encode` only
    ever saw keys that the library made or checked, and whoever calls this opened an authenticated seal before, so the
    bytes are those. An inconsistent key would be harmful, as a signature with it can give away a factor.

    Raises:
        VaultTamperedError: No such key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise broken() from None
    if not isinstance(key, kind):
        raise broken()
    return key


def own_public(der: bytes, kind: type[K]) -> K:
    """A public key that `encode` wrote; `kind` is the library's class of it.

    Raises:
        VaultTamperedError: No such key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise broken() from error
    if not isinstance(key, kind):
        raise broken()
    return key


def broken() -> errors.VaultTamperedError:
    """The refusal of an own key that is none of its spec."""
    return errors.VaultTamperedError(what="key material in it does not fit its key spec")
