"""AWS Signature Version 4: whether a request was signed with a secret access key, for this service, here and now.

Implements docs/spec/endpoint.md, "Signature". In two steps, because who signed is known only from the request: `parse`
checks all that needs no secret and names the access key; `Claim.verify` takes the key derived from its secret. Nothing
of a request may be believed between the two. Looks up no key, reads no clock, and gives out no session tokens, so a
request with one is refused.

Source: AWS IAM User Guide, "Create a signed AWS API request" and "Troubleshoot Signature Version 4 signing".
"""

import hmac
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

import msgspec

from kmscli import errors
from kmscli.awsapi import authorization, canonical

SERVICE = "kms"
SKEW = 5 * 60
"""Seconds by which the clocks of client and server may differ."""

_TERMINATOR = "aws4_request"
_SCOPE_PARTS = 5
_STAMP = "%Y%m%dT%H%M%SZ"
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S"
_ZONES = {"GMT", "-0000", "+0000"}  # botocore writes the second
_STAMP_LENGTH = len("20150830T123600Z")


class Request(msgspec.Struct, frozen=True):
    """A request as it came.

    Attributes:
        method: The method.
        path: The path, still percent-encoded; bytes that are not UTF-8 as surrogate escapes.
        query: What stands after the first `?`, likewise; "" where there is none.
        headers: Names in lower case, and values as received, in their order.
    """

    method: str
    path: str
    query: str
    headers: list[tuple[bytes, bytes]]


class Claim(msgspec.Struct, frozen=True):
    """What a request claims: to be signed with this access key. Not proved before `verify` has returned.

    Attributes:
        access_key_id: Whose secret the signing key is to be derived from.
        date: The day of the signing key, YYYYMMDD.
        region: The Region of the signing key: the one that `parse` was given.
        presigned: Whether the signature stands in the query.
        signed_at: The time of the signature, as signed.
        seconds: The same, in seconds since the epoch.
        expires: For how many seconds a presigned request holds; None otherwise.
        scope: The credential scope.
        canonical: The canonical request up to the hash of the body.
        content_sha256: What the header x-amz-content-sha256 says, if it is there.
        signature: What the request offers, unchecked.
    """

    access_key_id: str
    date: str
    region: str
    presigned: bool
    signed_at: str
    seconds: float
    expires: int | None
    scope: str
    canonical: bytes
    content_sha256: bytes | None
    signature: bytes

    def string_to_sign(self, body_sha256: str) -> bytes:
        """The bytes that the signature is a MAC of.

        Args:
            body_sha256: SHA-256 of the body as received, in lower-case hex.
        """
        request = sha256(self.canonical + body_sha256.encode()).hexdigest()
        return f"AWS4-HMAC-SHA256\n{self.signed_at}\n{self.scope}\n{request}".encode()

    def verify(self, signing_key: bytes, body_sha256: str, now: float) -> None:
        """Return only if the holder of the secret signed this request, with this body, for this time.

        Args:
            signing_key: `signing_key(secret, claim.date, claim.region)`.
            body_sha256: SHA-256 of the body as received, in lower-case hex.
            now: Seconds since the epoch.

        Raises:
            SignatureExpiredError: It is too old, or a presigned request is over.
            SignatureNotYetCurrentError: It is of the future.
            RequestSignatureError: The signature is another, or x-amz-content-sha256 is not that of the body.
        """
        self._check_time(now)
        # The hash of the body is always computed, never taken from the request: so UNSIGNED-PAYLOAD is refused too.
        if self.content_sha256 is not None and self.content_sha256 != body_sha256.encode():
            raise errors.RequestSignatureError
        expected = hmac.digest(signing_key, self.string_to_sign(body_sha256), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), self.signature):
            raise errors.RequestSignatureError

    def _check_time(self, now: float) -> None:
        if self.seconds > now + SKEW:
            raise errors.SignatureNotYetCurrentError(
                signed=self.signed_at, limit=_stamp(now + SKEW), margin=f" ({_stamp(now)} + 5 min.)"
            )
        if self.expires is not None:
            end = self.seconds + self.expires
            if now > end:
                raise errors.SignatureExpiredError(signed=_stamp(end), limit=_stamp(now), margin="")
        elif self.seconds < now - SKEW:
            raise errors.SignatureExpiredError(
                signed=self.signed_at, limit=_stamp(now - SKEW), margin=f" ({_stamp(now)} - 5 min.)"
            )


def signing_key(secret: str, date: str, region: str, service: str = SERVICE) -> bytes:
    """Derive the key that signs for one day, Region and service: 32 bytes, which a caller may keep for that day.

    Args:
        secret: The secret access key.
        date: YYYYMMDD.
        region: The Region.
        service: The service.
    """
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, _TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def parse(request: Request, *, region: str, service: str = SERVICE) -> Claim:
    """Check all of a signature that needs no secret.

    Args:
        request: The request.
        region: The Region that this endpoint answers for.
        service: The service that the credential must be scoped to.

    Raises:
        MissingAuthenticationTokenError: The request is not signed.
        IncompleteSignatureError: The signature is malformed, or of an unknown algorithm.
        SignatureScopeError: It is for another day, Region or service.
        UnsignedHeaderError: `host`, or an x-amz-* header that is there, is not signed.
        UnrecognizedClientError: It comes with a session token.
        RequestSignatureError: The list of signed headers is not in order, or names one that is not there.
    """
    headers = canonical.merged(request.headers)
    pairs = canonical.query_pairs(request.query)
    asked = {name for name, _ in pairs}
    stated = _stated(headers, pairs, presigned=authorization.QUERY_ALGORITHM in asked)
    if stated.expires is not None:
        pairs = [pair for pair in pairs if pair[0] != authorization.QUERY_SIGNATURE]
    signed_at, seconds = _instant(stated.date)
    lines = _signed_lines(headers, stated.signed_headers)
    if stated.algorithm != authorization.ALGORITHM:
        problem = f"Unsupported AWS 'algorithm': '{_text(stated.algorithm)}' (only AWS4-HMAC-SHA256 for now). "
        raise errors.IncompleteSignatureError(problem=problem)
    access_key_id, date, scope = _scoped(_text(stated.credential), signed_at[:8], signed_at, region, service)
    if b"x-amz-security-token" in headers or authorization.QUERY_TOKEN in asked:
        raise errors.UnrecognizedClientError
    path = canonical.canonical_path(request.path)
    query = canonical.canonical_query(pairs) if pairs else ""
    start = f"{request.method}\n{path}\n{query}".encode()
    return Claim(
        access_key_id=access_key_id,
        date=date,
        region=region,
        presigned=stated.expires is not None,
        signed_at=signed_at,
        seconds=seconds,
        expires=stated.expires,
        scope=scope,
        canonical=b"%b\n%b\n%b\n" % (start, lines, stated.signed_headers),
        content_sha256=headers.get(b"x-amz-content-sha256"),
        signature=stated.signature,
    )


def _stated(headers: dict[bytes, bytes], pairs: list[tuple[bytes, bytes]], *, presigned: bool) -> authorization.Stated:
    header = headers.get(b"authorization")
    if header is None and not presigned:
        raise errors.MissingAuthenticationTokenError
    if header is None:
        return authorization.from_query(pairs)
    if presigned:
        raise errors.SignatureScopeError(
            problem="Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
        )
    return authorization.from_header(header, headers.get(b"x-amz-date") or headers.get(b"date"))


def _signed_lines(headers: dict[bytes, bytes], signed_headers: bytes) -> bytes:
    """The headers that are signed, in canonical form."""
    names, signed = _names(signed_headers)
    if b"host" not in signed:
        raise errors.UnsignedHeaderError(header="'Host' or ':authority'")
    unsigned = [name for name in headers if name.startswith(b"x-amz-") and name not in signed]
    if unsigned:
        raise errors.UnsignedHeaderError(header=f"'{_text(min(unsigned))}'")
    if not names:
        raise errors.RequestSignatureError
    try:
        return b"".join([b"%b:%b\n" % (name, canonical.folded(headers[name])) for name in names])
    except KeyError:
        raise errors.RequestSignatureError from None


@lru_cache(maxsize=256)
def _names(signed_headers: bytes) -> tuple[tuple[bytes, ...], frozenset[bytes]]:
    """The names in a list of signed headers, none where they are not in their order; and those that it names."""
    names = signed_headers.split(b";")
    signed = frozenset(names)
    return tuple(names) if names == sorted(signed) else (), signed


@lru_cache(maxsize=256)
def _instant(date: bytes) -> tuple[str, float]:
    text = _text(date.strip())
    try:
        if len(text) == _STAMP_LENGTH and text[8] == "T" and text[15] == "Z" and (text[:8] + text[9:15]).isdigit():
            return text, datetime.fromisoformat(text).timestamp()
        clock, _, zone = text.rpartition(" ")
        if zone in _ZONES:
            seconds = datetime.strptime(clock, _HTTP_DATE).replace(tzinfo=UTC).timestamp()
            return _stamp(seconds), seconds
    except ValueError:
        pass
    raise errors.IncompleteSignatureError(
        problem=f"Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
    )


@lru_cache(maxsize=256)
def _scoped(credential: str, day: str, signed_at: str, region: str, service: str) -> tuple[str, str, str]:
    """Access key id, date and credential scope, if the scope is the one of this service on that day."""
    parts = credential.split("/")
    if len(parts) != _SCOPE_PARTS:
        raise errors.IncompleteSignatureError(
            problem="Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'"
        )
    access_key_id, date, asked, named, terminator = parts
    problems = ""
    if asked != region:
        problems += f"Credential should be scoped to a valid region, not '{asked}'. "
    if named != service:
        problems += f"Credential should be scoped to correct service: '{service}'. "
    if terminator != _TERMINATOR:
        problems += f"Credential should be scoped with a valid terminator: '{_TERMINATOR}', not '{terminator}'. "
    if date != day:
        problems += (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{date}' != '{day}', from '{signed_at}'."
        )
    if problems:
        raise errors.SignatureScopeError(problem=problems)
    return access_key_id, date, "/".join(parts[1:])


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_STAMP)


def _text(value: bytes) -> str:
    return value.decode("ascii", "backslashreplace")
