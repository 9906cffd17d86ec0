"""Grants: which operations and constraints fit a key, and grant tokens.

That a request falls under a grant is decided elsewhere. Source: AWS KMS API reference, CreateGrant and
GrantConstraints; AWS KMS developer guide, "Grants in AWS KMS" and "Key type reference".
"""

import binascii
import re
from collections.abc import Iterable, Mapping

import msgspec

from kmscli import errors
from kmscli.model import ids, limits
from kmscli.model.specs import (
    ENCAPSULATE_DECAPSULATE,
    ENCRYPT_DECRYPT,
    GENERATE_VERIFY_MAC,
    KEY_AGREEMENT,
    SIGN_VERIFY,
    SYMMETRIC,
)


class Fit(msgspec.Struct, frozen=True):
    """The keys that support an operation.

    Attributes:
        usages: KeyUsage values of these keys.
        symmetric: Whether they are of SYMMETRIC_DEFAULT (True), of another spec (False), or of either (None).
    """

    usages: tuple[str, ...]
    symmetric: bool | None = None


_PUBLIC = (ENCRYPT_DECRYPT, SIGN_VERIFY, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE)
_EVERY_KEY = Fit((*_PUBLIC, GENERATE_VERIFY_MAC))
_CIPHER = Fit((ENCRYPT_DECRYPT,))
_DATA_KEY = Fit((ENCRYPT_DECRYPT,), symmetric=True)
_SIGNATURE = Fit((SIGN_VERIFY,))
_MAC = Fit((GENERATE_VERIFY_MAC,))
_KEM = Fit((ENCAPSULATE_DECAPSULATE,))

GRANT_OPERATIONS: dict[str, Fit] = {
    "Decrypt": _CIPHER,
    "Encrypt": _CIPHER,
    "GenerateDataKey": _DATA_KEY,
    "GenerateDataKeyWithoutPlaintext": _DATA_KEY,
    "ReEncryptFrom": _CIPHER,
    "ReEncryptTo": _CIPHER,
    "Sign": _SIGNATURE,
    "Verify": _SIGNATURE,
    "GetPublicKey": Fit(_PUBLIC, symmetric=False),
    "CreateGrant": _EVERY_KEY,
    "RetireGrant": _EVERY_KEY,
    "DescribeKey": _EVERY_KEY,
    "GenerateDataKeyPair": _DATA_KEY,
    "GenerateDataKeyPairWithoutPlaintext": _DATA_KEY,
    "GenerateMac": _MAC,
    "VerifyMac": _MAC,
    "DeriveSharedSecret": Fit((KEY_AGREEMENT,)),
    "Encapsulate": _KEM,
    "Decapsulate": _KEM,
}
"""GrantOperation -> the keys whose grants may name it, in the order in which AWS lists them."""


def fits(operation: str, *, key_spec: str, key_usage: str) -> bool:
    """Whether a grant on such a key may name `operation`, a row of GRANT_OPERATIONS."""
    fit = GRANT_OPERATIONS[operation]
    return key_usage in fit.usages and fit.symmetric in (None, key_spec == SYMMETRIC)


def check_operations(operations: Iterable[str], *, key_spec: str, key_usage: str) -> None:
    """Refuse a grant that names an operation which no grant, or not this key, supports.

    Raises:
        ValidationError: It does, or it names none.
    """
    named = tuple(operations)
    if not named:
        raise errors.ValidationError(problem="A grant must name at least one operation", hint="see --operations")
    supported = [name for name in GRANT_OPERATIONS if fits(name, key_spec=key_spec, key_usage=key_usage)]
    for name in named:
        if name not in supported:
            raise errors.ValidationError(
                problem=f"Grant operation {name} is not supported on a key with KeySpec {key_spec} "
                f"and KeyUsage {key_usage}",
                hint=f"a grant on this key may name {', '.join(supported)}",
            )


def check_constraints(
    *,
    encryption_context_equals: Mapping[str, str] | None,
    encryption_context_subset: Mapping[str, str] | None,
    key_spec: str,
) -> None:
    """Refuse encryption context constraints that AWS refuses.

    An empty one counts as given: AWS says the same of `{}` beside another.

    Raises:
        ValidationError: Both are given, the key has no encryption context, or a bound is passed.
    """
    given = [context for context in (encryption_context_equals, encryption_context_subset) if context is not None]
    if len(given) > 1:
        raise errors.ValidationError(
            problem="More than one constraint supplied",
            hint="give EncryptionContextEquals or EncryptionContextSubset; the first asks for more",
        )
    if given and key_spec != SYMMETRIC:
        raise errors.ValidationError(
            problem=f"Encryption context constraints are not supported on a key with KeySpec {key_spec}",
            hint="only symmetric encryption keys have an encryption context",
        )
    for context in given:
        if len(context) > limits.GRANT_CONTEXT_PAIRS:
            raise errors.ValidationError(
                problem=f"A grant constraint has {len(context)} encryption context pairs; "
                f"at most {limits.GRANT_CONTEXT_PAIRS} are allowed"
            )
        for name, value in context.items():
            if len(value) > limits.GRANT_CONTEXT_VALUE_MAX:
                raise errors.ValidationError(
                    problem=f"The value of {name} in a grant constraint has {len(value)} characters; "
                    f"at most {limits.GRANT_CONTEXT_VALUE_MAX} are allowed"
                )


# A token is version, grant id, key id, nonce, checksum: 81 bytes, which base64 writes without padding or spare bits,
# so that one token has one spelling.
_VERSION = b"\x01"
GRANT_ID_BYTES = 32
_KEY_ID_BYTES = 36
NONCE_BYTES = 8
_CHECKSUM_BYTES = 4
_BODY_BYTES = len(_VERSION) + GRANT_ID_BYTES + _KEY_ID_BYTES + NONCE_BYTES
_TOKEN = rf"[A-Za-z0-9_-]{{{(_BODY_BYTES + _CHECKSUM_BYTES) // 3 * 4}}}"
_GRANT_ID = r"[0-9a-f]{64}"


class GrantRef(msgspec.Struct, frozen=True):
    """The grant that a token names; whether it exists is not known here."""

    key_id: str
    grant_id: str


def check_grant_id(text: str) -> str:
    """`text`, if it has the form of a grant id.

    Raises:
        InvalidGrantIdError: It has not.
    """
    if re.fullmatch(_GRANT_ID, text) is None:
        raise errors.InvalidGrantIdError(grant_id=text)
    return text


def grant_token(*, key_id: str, grant_id: str, nonce: bytes) -> str:
    """A token that names a grant.

    It is no secret and gives no right by itself. In AWS it carries a new grant over the minutes until all servers
    know of it; here a grant takes effect with the commit that makes it, so a token only has to name one, and whoever
    uses it must still be the grantee of a grant that is in the vault.

    Args:
        key_id: The bare key id.
        grant_id: 64 hex digits.
        nonce: 8 random bytes: each CreateGrant answers another token, for a grant that existed before too.

    Raises:
        InvalidGrantIdError: `grant_id` is none.
        InternalError: `key_id` or `nonce` has a wrong form.
    """
    if not ids.is_key_id(key_id) or len(nonce) != NONCE_BYTES:
        raise errors.InternalError(what="a grant token of something that is no key id, or with a wrong nonce")
    body = _VERSION + bytes.fromhex(check_grant_id(grant_id)) + key_id.encode() + nonce
    import base64

    return base64.urlsafe_b64encode(body + _checksum(body)).decode()


def parse_grant_token(text: str) -> GrantRef:
    """The grant that a token names.

    Raises:
        InvalidGrantTokenError: No token of `grant_token`, or mistyped.
    """
    if re.fullmatch(_TOKEN, text) is None:
        raise errors.InvalidGrantTokenError
    import base64

    raw = base64.urlsafe_b64decode(text)
    body, checksum = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
    if not body.startswith(_VERSION) or checksum != _checksum(body):
        raise errors.InvalidGrantTokenError
    grant_id, rest = body[len(_VERSION) :][:GRANT_ID_BYTES], body[len(_VERSION) + GRANT_ID_BYTES :]
    key_id = rest[:_KEY_ID_BYTES].decode("ascii", "replace")
    if not ids.is_key_id(key_id):
        raise errors.InvalidGrantTokenError
    return GrantRef(key_id, grant_id.hex())


def _checksum(body: bytes) -> bytes:
    """CRC-32, which finds every change within 32 neighbouring bits, thus every single mistyped character."""
    return binascii.crc32(body).to_bytes(_CHECKSUM_BYTES, "big")
