"""AWS's own test suite of Signature Version 4: canonical request, string to sign and signature of each request."""

from hashlib import sha256
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.awsapi.sigv4 import Claim, Request, parse, signing_key

VECTORS = Path(__file__).parents[2] / "vectors" / "sigv4"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = 1440938160.0  # 20150830T123600Z
KEY = signing_key(SECRET, "20150830", "us-east-1", "service")

WITH_SESSION_TOKEN = {"get-vanilla-with-session-token", "post-sts-header-before", "post-sts-header-after"}
FOLDERS = {file.parent.name: file.parent for file in sorted(VECTORS.rglob("*.sreq"))}
SIGNED = [name for name in FOLDERS if name not in WITH_SESSION_TOKEN]


def read(name: str, kind: str) -> bytes:
    return (FOLDERS[name] / f"{name}.{kind}").read_bytes()


def received(name: str) -> tuple[Request, str]:
    """Read a signed request as a server would; the suite has raw spaces and UTF-8 in targets, and folded lines."""
    head, _, body = read(name, "sreq").partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.removesuffix(b" HTTP/1.1").partition(b" ")
    path, _, query = target.decode("utf-8", "surrogateescape").partition("?")
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        if line[:1] in b" \t":
            label, value = headers.pop()
            headers.append((label, value + b"\r\n" + line))
        else:
            label, _, value = line.partition(b":")
            headers.append((label.lower(), value))
    return Request(method.decode(), path, query, headers), sha256(body).hexdigest()


def claimed(name: str) -> tuple[Claim, str]:
    request, body = received(name)
    return parse(request, region="us-east-1", service="service"), body


@pytest.mark.parametrize("name", SIGNED)
def test_the_canonical_request_is_that_of_the_suite(name: str) -> None:
    claim, body = claimed(name)
    assert read(name, "creq") == claim.canonical + body.encode()


@pytest.mark.parametrize("name", SIGNED)
def test_the_string_to_sign_is_that_of_the_suite(name: str) -> None:
    claim, body = claimed(name)
    assert read(name, "sts") == claim.string_to_sign(body)


@pytest.mark.parametrize("name", SIGNED)
def test_the_signature_holds(name: str) -> None:
    claim, body = claimed(name)
    claim.verify(KEY, body, NOW)


@pytest.mark.parametrize("name", SIGNED)
def test_another_secret_is_refused(name: str) -> None:
    claim, body = claimed(name)
    other = signing_key(SECRET + "x", "20150830", "us-east-1", "service")
    with pytest.raises(errors.RequestSignatureError):
        claim.verify(other, body, NOW)


@pytest.mark.parametrize("name", ["get-vanilla-with-session-token", "post-sts-header-before"])
def test_a_session_token_is_refused(name: str) -> None:
    request, _ = received(name)
    authorization = read(name, "authz")  # that of the first is not the one in its signed request
    headers = [(label, value) for label, value in request.headers if label != b"authorization"]
    signed = Request(request.method, request.path, request.query, [*headers, (b"authorization", authorization)])
    with pytest.raises(errors.UnrecognizedClientError):
        parse(signed, region="us-east-1", service="service")


def test_a_session_token_that_is_not_signed_is_refused() -> None:
    request, _ = received("post-sts-header-after")
    with pytest.raises(errors.UnsignedHeaderError, match="'x-amz-security-token' must be a 'SignedHeader'"):
        parse(request, region="us-east-1", service="service")


def test_the_whole_suite_is_there() -> None:
    assert len(FOLDERS) == 34
