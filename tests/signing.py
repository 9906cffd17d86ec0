"""Requests signed by botocore, as a server receives them."""

from hashlib import sha256
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]

from kmscli import errors
from kmscli.awsapi.sigv4 import Request, parse, signing_key

ACCESS_KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-west-1"
HOST = "127.0.0.1:8080"
BODY = b'{"KeyId": "alias/app", "Plaintext": "aGVsbG8="}'
HEADERS = [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", "TrentService.Encrypt")]

Headers = list[tuple[str, str]]


def _received(request: AWSRequest) -> Request:
    headers = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    url = urlsplit(request.url)
    return Request(request.method, url.path, url.query, [(b"host", url.netloc.encode()), *headers])


def _unsigned(method: str, target: str, headers: Headers, body: bytes, host: str = HOST) -> AWSRequest:
    request = AWSRequest(method, f"http://{host}{target}", data=body)
    for name, value in headers:
        request.headers.add_header(name, value)
    return request


def signed(  # noqa: PLR0913 - whatever a signature can differ in
    target: str = "/",
    *,
    method: str = "POST",
    headers: Headers = HEADERS,
    body: bytes = BODY,
    region: str = REGION,
    service: str = "kms",
    token: str | None = None,
    key: tuple[str, str] = (ACCESS_KEY_ID, SECRET),
    host: str = HOST,
) -> Request:
    """A request that botocore signed just now, in its Authorization header."""
    request = _unsigned(method, target, headers, body, host)
    SigV4Auth(Credentials(*key, token), service, region).add_auth(request)
    return _received(request)


def presigned(
    target: str = "/", *, headers: Headers = HEADERS, expires: int = 900, token: str | None = None
) -> Request:
    """A request without a body that botocore signed just now, in its query."""
    request = _unsigned("POST", target, headers, b"")
    SigV4QueryAuth(Credentials(ACCESS_KEY_ID, SECRET, token), "kms", REGION, expires).add_auth(request)
    return _received(request)


def verify(request: Request, body: bytes = BODY, *, secret: str = SECRET, after: float = 0) -> None:
    """Check a request as a server does, so many seconds after it was signed."""
    claim = parse(request, region=REGION)
    if claim.access_key_id != ACCESS_KEY_ID:
        raise errors.UnrecognizedClientError
    key = signing_key(secret, claim.date, claim.region)
    claim.verify(key, sha256(body).hexdigest(), claim.seconds + after)
