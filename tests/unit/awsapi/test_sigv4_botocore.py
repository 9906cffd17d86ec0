"""Properties of requests that botocore signed: each is taken, and none that differs from it; nothing else is raised."""

from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscli import errors
from kmscli.awsapi import canonical
from kmscli.awsapi.sigv4 import Request, parse
from tests.signing import BODY, HEADERS, REGION, presigned, signed, verify

NAMES = st.from_regex(r"\Ax-(amz-meta-)?[a-z0-9]{1,8}\Z").filter(lambda name: name != "x-amz-date")
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.just("\t"), max_size=30)
MORE_HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=5)
SEGMENTS = st.text("aB9-_.~%!$&'()*+,=:@ é", max_size=6) | st.sampled_from(["", ".", ".."])
PATHS = st.lists(SEGMENTS.map(lambda segment: quote(segment, safe="!$&'()*+,=:@")), max_size=5).map(
    lambda segments: "/" + "/".join(segments)
)
# A name that begins with a letter: none is a parameter of a signature, and "" and "=" are left to a test of their own.
PAIRS = st.lists(st.tuples(st.from_regex(r"\A[a-w][^\s]{0,5}\Z"), st.text(max_size=5)), max_size=5)
QUERIES = PAIRS.map(
    lambda pairs: "&".join(
        f"{quote(name, safe='-_.~', errors='replace')}={quote(value, safe='-_.~', errors='replace')}"
        for name, value in pairs
    )
)
TARGETS = st.tuples(PATHS, QUERIES).map(lambda parts: "?".join(filter(None, parts)))


@given(target=TARGETS, headers=MORE_HEADERS, body=st.binary(max_size=50), method=st.sampled_from(["POST", "GET"]))
def test_what_botocore_signs_is_taken(target: str, headers: list[tuple[str, str]], body: bytes, method: str) -> None:
    verify(signed(target, method=method, headers=[*HEADERS, *headers], body=body), body)


@given(target=TARGETS, headers=MORE_HEADERS, expires=st.integers(1, 604800))
def test_what_botocore_presigns_is_taken(target: str, headers: list[tuple[str, str]], expires: int) -> None:
    verify(presigned(target, headers=[*HEADERS, *headers], expires=expires), b"", after=expires)


@given(target=TARGETS, data=st.data())
def test_a_query_may_come_in_another_order_and_spelling(target: str, data: st.DataObject) -> None:
    request = signed(target)
    pairs = data.draw(st.permutations(request.query.split("&")))
    spelled = "&".join(pairs).replace("%7E", "~").replace("a", "%61")
    verify(msgspec.structs.replace(request, query=spelled))


def test_names_and_values_are_not_mixed_up() -> None:
    assert canonical.canonical_query(canonical.query_pairs("b&a=%3D&a=&a%3D=&a%26")) == "a=&a=%3D&a%26=&a%3D=&b="


def test_bytes_that_are_no_utf8_are_encoded_as_they_are() -> None:
    raw = b"\xff=\xfe".decode("utf-8", "surrogateescape")
    assert canonical.canonical_path("/" + raw) == "/%FF%3D%FE"
    assert canonical.canonical_query(canonical.query_pairs(raw)) == "%FF=%FE"


@given(st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), min_size=1, max_size=4))
def test_a_canonical_query_reads_back_as_the_pairs_that_went_in(pairs: list[tuple[bytes, bytes]]) -> None:
    assert sorted(canonical.query_pairs(canonical.canonical_query(pairs))) == sorted(pairs)


@given(PATHS)
def test_a_canonical_path_has_no_segment_that_climbs(path: str) -> None:
    found = canonical.canonical_path(path)
    assert found.startswith("/")
    assert not {"", ".", ".."} & set(found.removeprefix("/").removesuffix("/").split("/")) or found == "/"


@given(st.data())
def test_a_changed_byte_of_what_is_signed_is_refused(data: st.DataObject) -> None:
    request = signed("/a/b?c=d", headers=[*HEADERS, ("x-amz-meta-a", "1  2")])
    index = data.draw(st.integers(0, len(request.headers) - 1))
    name, value = request.headers[index]
    where = data.draw(st.integers(0, len(value) - 1))
    byte = data.draw(st.integers(0x21, 0x7E).filter(lambda byte: byte != value[where]))
    changed = value[:where] + bytes([byte]) + value[where + 1 :]
    headers = [*request.headers[:index], (name, changed), *request.headers[index + 1 :]]
    other = msgspec.structs.replace(request, headers=headers)
    if name == b"authorization" and same_parameters(value, changed):
        return  # a comma for a space, or the other way round
    if canonical.folded(value) == canonical.folded(changed):
        return
    with pytest.raises(errors.KmsError) as caught:
        verify(other)
    assert caught.value.exit_code == 30


def same_parameters(one: bytes, other: bytes) -> bool:
    return one.replace(b",", b" ").split() == other.replace(b",", b" ").split()


@given(body=st.binary(max_size=60))
def test_no_other_body_is_taken(body: bytes) -> None:
    if body == BODY:
        return
    with pytest.raises(errors.RequestSignatureError):
        verify(signed(), body)


TOKENS = st.sampled_from(
    [
        b"AWS4-HMAC-SHA256", b" ", b",", b"=", b"/", b";", b"Credential", b"SignedHeaders", b"Signature", b"host",
        b"AKID/20150830/eu-west-1/kms/aws4_request", b"x-amz-date", b"00", b"\xff", b"%", b"&", b"+",
        b"X-Amz-Algorithm", b"X-Amz-Credential", b"X-Amz-Date", b"X-Amz-Expires", b"X-Amz-SignedHeaders",
        b"X-Amz-Signature", b"20150830T123600Z", b"9", b"",
    ]
)  # fmt: skip
SOUP = (st.lists(TOKENS | st.binary(max_size=3), max_size=25)).map(b"".join)
RAW_NAMES = st.sampled_from([b"host", b"authorization", b"x-amz-date", b"date", b"x-amz-content-sha256", b"other"])


@given(
    path=SOUP,
    query=SOUP,
    headers=st.lists(st.tuples(RAW_NAMES, SOUP), max_size=6),
    authorization=SOUP.map(lambda soup: b"AWS4-HMAC-SHA256 " + soup) | st.none(),
)
def test_anything_else_is_refused_by_name(
    path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], authorization: bytes | None
) -> None:
    if authorization is not None:
        headers = [*headers, (b"authorization", authorization)]
    target, asked = (part.decode("utf-8", "surrogateescape") for part in (path, query))
    try:
        claim = parse(Request("POST", target, asked, headers), region=REGION)
        claim.verify(bytes(32), "00" * 32, 1440938160.0)
    except errors.KmsError as error:
        assert error.http_status == 400  # noqa: PT017
    else:
        pytest.fail("a request was taken that nobody signed")
