"""What a request says about its own signature: in the Authorization header, or in the query of a presigned one.

Reads the form only, and believes nothing of it. Implements docs/spec/endpoint.md, "Where a signature stands". The
texts are those that AWS answers with; AWS shows an Authorization header that it cannot read as a hash.
"""

import re
from base64 import b64encode
from hashlib import sha256

import msgspec

from kmscli import errors

ALGORITHM = b"AWS4-HMAC-SHA256"
QUERY_ALGORITHM = b"X-Amz-Algorithm"
QUERY_SIGNATURE = b"X-Amz-Signature"
QUERY_TOKEN = b"X-Amz-Security-Token"

_FAMILY = b"AWS4-"
_PARAMETERS = (b"Credential", b"Signature", b"SignedHeaders")
_QUERY_PARAMETERS = (
    QUERY_ALGORITHM,
    b"X-Amz-Credential",
    QUERY_SIGNATURE,
    b"X-Amz-SignedHeaders",
    b"X-Amz-Date",
    b"X-Amz-Expires",
)
_USUAL = re.compile(rb"AWS4-HMAC-SHA256 Credential=([^\s,=]+), ?SignedHeaders=([^\s,=]+), ?Signature=([^\s,=]+)")
"""As all clients of AWS write an Authorization header; the same in other forms is read piece by piece."""
_LONGEST = 7 * 24 * 60 * 60
"""Seconds: AWS lets a presigned request hold for a week at most."""


class Stated(msgspec.Struct, frozen=True):
    """What a request says: `expires` in seconds, None in a request that is not presigned."""

    algorithm: bytes
    credential: bytes
    signed_headers: bytes
    signature: bytes
    date: bytes
    expires: int | None


def _hashed(authorization: bytes) -> str:
    return b64encode(sha256(authorization).digest()).decode()


def from_header(authorization: bytes, date: bytes | None) -> Stated:
    """Read an Authorization header.

    Args:
        authorization: Its value.
        date: The value of `x-amz-date`, or of `date` where there is none of it.

    Raises:
        MissingAuthenticationTokenError: It is of another scheme.
        IncompleteSignatureError: A parameter or the date is missing, or stands twice.
    """
    usual = _USUAL.fullmatch(authorization)
    if usual is not None and date:
        credential, signed, signature = usual.groups()
        return Stated(ALGORITHM, credential, signed, signature, date, None)
    algorithm, _, rest = authorization.strip().partition(b" ")
    if not algorithm.startswith(_FAMILY):
        raise errors.MissingAuthenticationTokenError
    given: dict[bytes, bytes] = {}
    for part in rest.replace(b",", b" ").split():
        name, equals, value = part.partition(b"=")
        if not equals:
            problem = (
                "Invalid key=value pair (missing equal-sign) in Authorization header "
                f"(hashed with SHA-256 and encoded with Base64): '{_hashed(authorization)}'."
            )
            raise errors.IncompleteSignatureError(problem=problem)
        if name in given:
            problem = f"Authorization header has more than one '{name.decode(errors='backslashreplace')}' parameter."
            raise errors.IncompleteSignatureError(problem=problem)
        given[name] = value
    credential, signature, signed = map(given.get, _PARAMETERS)
    if not (credential and signature and signed and date):
        raise _lacking(authorization, given, date)
    return Stated(algorithm, credential, signed, signature, date, None)


def _lacking(authorization: bytes, given: dict[bytes, bytes], date: bytes | None) -> errors.IncompleteSignatureError:
    missing = [
        f"Authorization header requires '{name.decode()}' parameter." for name in _PARAMETERS if not given.get(name)
    ]
    if not date:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    missing.append(f"(Hashed with SHA-256 and encoded with Base64) Authorization={_hashed(authorization)}")
    return errors.IncompleteSignatureError(problem=" ".join(missing))


def from_query(pairs: list[tuple[bytes, bytes]]) -> Stated:
    """Read the query of a presigned request.

    Args:
        pairs: Its decoded names and values.

    Raises:
        IncompleteSignatureError: A parameter is missing, stands twice, or is no number of seconds up to a week.
    """
    given = dict(pairs)
    names = [name for name, _ in pairs]
    missing = [name.decode() for name in _QUERY_PARAMETERS if not given.get(name)]
    if missing:
        sentences = [f"AWS query-string parameters must include '{name}'." for name in missing]
        problem = " ".join([*sentences, "Re-examine the query-string parameters."])
        raise errors.IncompleteSignatureError(problem=problem)
    algorithm, credential, signature, signed, date, expires = (given[name] for name in _QUERY_PARAMETERS)
    for name in _QUERY_PARAMETERS:
        if names.count(name) > 1:
            problem = f"AWS query-string parameters must include '{name.decode()}' only once."
            raise errors.IncompleteSignatureError(problem=problem)
    # The length first: Python reads a number of thousands of digits in quadratic time.
    if not expires.isdigit() or len(expires) > len(str(_LONGEST)) or not 1 <= int(expires) <= _LONGEST:
        problem = f"X-Amz-Expires must be a number of seconds from 1 to {_LONGEST}"
        raise errors.IncompleteSignatureError(problem=problem)
    return Stated(algorithm, credential, signed, signature, date, int(expires))
