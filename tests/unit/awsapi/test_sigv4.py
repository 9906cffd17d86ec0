"""Which signed requests are refused, and with which words of AWS."""

from base64 import b64encode
from hashlib import sha256

import msgspec
import pytest

from kmscli import errors
from kmscli.awsapi.sigv4 import Request, parse, signing_key
from tests.signing import (
    ACCESS_KEY_ID,
    BODY,
    HEADERS,
    REGION,
    SECRET,
    presigned,
    signed,
    verify,
)

DAY = b"20150830"
SCOPE = b"AKIDEXAMPLE/20150830/eu-west-1/kms/aws4_request"
AUTHORIZATION = b"AWS4-HMAC-SHA256 Credential=" + SCOPE + b", SignedHeaders=host;x-amz-date, Signature=00"
MISMATCH = "The request signature we calculated does not match the signature you provided. "


def with_header(request: Request, name: bytes, value: bytes | None) -> Request:
    headers = [header for header in request.headers if header[0] != name]
    if value is not None:
        headers.append((name, value))
    return msgspec.structs.replace(request, headers=headers)


def header_of(request: Request, name: bytes) -> bytes:
    return dict(request.headers)[name]


def with_authorization(old: bytes, new: bytes, request: Request | None = None) -> Request:
    request = request or plain()
    return with_header(request, b"authorization", header_of(request, b"authorization").replace(old, new))


def with_query(old: str, new: str) -> Request:
    request = presigned()
    assert old in request.query
    return msgspec.structs.replace(request, query=request.query.replace(old, new))


def plain(authorization: bytes = AUTHORIZATION, date: bytes = b"20150830T123600Z") -> Request:
    headers = [(b"host", b"h"), (b"x-amz-date", date), (b"authorization", authorization)]
    return Request("POST", "/", "", headers)


def refusal(request: Request) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        parse(request, region=REGION)
    assert caught.value.http_status == 400
    return caught.value


def said(request: Request) -> tuple[str, str]:
    error = refusal(request)
    return error.code, error.message


def mismatch(request: Request, body: bytes = BODY) -> None:
    with pytest.raises(errors.RequestSignatureError, match=MISMATCH):
        verify(request, body)


# -- what is taken -----------------------------------------------------------------------------------------------------


def test_a_claim_names_the_key_and_the_scope_of_its_signing_key() -> None:
    claim = parse(plain(), region=REGION)
    assert (ACCESS_KEY_ID, "20150830", REGION, False) == (
        claim.access_key_id,
        claim.date,
        claim.region,
        claim.presigned,
    )


@pytest.mark.parametrize("separator", [b",", b" ", b" , ", b",   ", b", "])
def test_parameters_are_separated_by_commas_or_spaces(separator: bytes) -> None:
    verify(with_authorization(b", ", separator, signed()))


def test_the_order_of_the_parameters_does_not_matter() -> None:
    request = signed()
    algorithm, parameters = header_of(request, b"authorization").split(b" ", 1)
    turned = b",".join(reversed(parameters.split(b", ")))
    verify(with_header(request, b"authorization", algorithm + b" " + turned))


def test_blanks_around_a_header_do_not_matter() -> None:
    request = signed()
    blanks = [(name, b"\t " + value + b"  ") for name, value in request.headers]
    verify(msgspec.structs.replace(request, headers=blanks))


def test_headers_that_are_not_signed_may_come() -> None:
    request = signed()
    verify(
        msgspec.structs.replace(request, headers=[*request.headers, (b"user-agent", b"x"), (b"x-amzn-trace-id", b"y")])
    )


def test_an_http_date_is_taken_where_there_is_no_other() -> None:
    request = signed(headers=[*HEADERS, ("Date", "Thu, 01 Jan 1970 00:00:00 GMT")])  # botocore sets it to now
    assert b"x-amz-date" not in dict(request.headers)
    verify(request)


def test_x_amz_date_comes_before_date() -> None:
    request = with_header(plain(), b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")
    assert parse(request, region=REGION).signed_at == "20150830T123600Z"


# -- not signed, or not wholly -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [None, b"", b"Bearer AWS4-HMAC-SHA256", b"AWS AKID:sig", b"Basic x", b"aws4-hmac-sha256 x"]
)
def test_a_request_without_a_signature_is_refused(value: bytes | None) -> None:
    expected = ("MissingAuthenticationTokenException", "Missing Authentication Token")
    assert said(with_header(plain(), b"authorization", value)) == expected


def test_a_part_without_an_equal_sign_is_refused_without_showing_it() -> None:
    authorization = AUTHORIZATION.replace(b"Credential=", b"Credential= ")
    shown = b64encode(sha256(authorization).digest()).decode()
    assert said(plain(authorization)) == (
        "IncompleteSignatureException",
        (
            "Invalid key=value pair (missing equal-sign) in Authorization header "
            f"(hashed with SHA-256 and encoded with Base64): '{shown}'."
        ),
    )


def test_all_that_is_missing_is_said_at_once() -> None:
    request = with_header(plain(b"AWS4-HMAC-SHA256"), b"x-amz-date", None)
    shown = b64encode(sha256(b"AWS4-HMAC-SHA256").digest()).decode()
    assert said(request) == (
        "IncompleteSignatureException",
        (
            "Authorization header requires 'Credential' parameter. "
            "Authorization header requires 'Signature' parameter. "
            "Authorization header requires 'SignedHeaders' parameter. "
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
            f"(Hashed with SHA-256 and encoded with Base64) Authorization={shown}"
        ),
    )


@pytest.mark.parametrize(
    ("name", "value"), [("Credential", SCOPE), ("Signature", b"00"), ("SignedHeaders", b"host;x-amz-date")]
)
def test_an_empty_parameter_is_a_missing_one(name: str, value: bytes) -> None:
    code, message = said(with_authorization(name.encode() + b"=" + value, name.encode() + b"="))
    assert code == "IncompleteSignatureException"
    assert message.startswith(f"Authorization header requires '{name}' parameter. (Hashed")


@pytest.mark.parametrize("name", [b"Credential", b"Signature", b"SignedHeaders", b"Other"])
def test_a_parameter_given_twice_is_refused(name: bytes) -> None:
    error = refusal(plain(AUTHORIZATION + b", " + name + b"=a, " + name + b"=b"))
    assert error.code == "IncompleteSignatureException"
    assert error.message == f"Authorization header has more than one '{name.decode()}' parameter."


def test_two_authorization_headers_are_refused() -> None:
    request = plain()
    doubled = msgspec.structs.replace(request, headers=[*request.headers, (b"authorization", AUTHORIZATION)])
    assert refusal(doubled).code == "IncompleteSignatureException"


@pytest.mark.parametrize(
    "date",
    [
        b"201",
        b"20150830T123600",
        b"20150830 123600Z",
        b"20150830T123600z",
        b"20151330T123600Z",
        b"20150230T123600Z",
        b"20150830T240000Z",
        b"20150830T123660Z",
        b"2015W351T123600Z",
        b"2015-08-30T12:36Z",
        b"00000830T123600Z",
        b"+0150830T123600Z",
        "２０150830T123600Z".encode(),
        b"20150830T123600Z,20150830T123600Z",
        b"Sun, 30 Aug 2015 12:36:00",
        b"Sun, 30 Aug 2015 12:36:00 CET",
    ],
)
def test_a_malformed_date_is_refused(date: bytes) -> None:
    shown = date.decode("ascii", "backslashreplace")
    assert said(plain(date=date)) == (
        "IncompleteSignatureException",
        f"Date must be in ISO-8601 'basic format'. Got '{shown}'. See http://en.wikipedia.org/wiki/ISO_8601",
    )


@pytest.mark.parametrize("algorithm", ["AWS4-HMAC-SHA25", "AWS4-ECDSA-P256-SHA256", "AWS4-HMAC-SHA256,"])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    assert said(with_authorization(b"AWS4-HMAC-SHA256", algorithm.encode())) == (
        "IncompleteSignatureException",
        f"Unsupported AWS 'algorithm': '{algorithm}' (only AWS4-HMAC-SHA256 for now). ",
    )


@pytest.mark.parametrize(
    "credential", ["a/b/c/d", "a", "AKID/EXAMPLE/20150830/eu-west-1/kms/aws4_request", "a/b/c/d/e/"]
)
def test_a_credential_has_five_parts(credential: str) -> None:
    assert said(with_authorization(SCOPE, credential.encode())) == (
        "IncompleteSignatureException",
        (
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'"
        ),
    )


# -- another scope -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"eu-west-1", b"eu-west-2", "Credential should be scoped to a valid region, not 'eu-west-2'. "),
        (b"eu-west-1", b"eu-west", "Credential should be scoped to a valid region, not 'eu-west'. "),
        (b"/kms/", b"/s3/", "Credential should be scoped to correct service: 'kms'. "),
        (b"/kms/", b"/KMS/", "Credential should be scoped to correct service: 'kms'. "),
        (
            b"aws4_request",
            b"aws5_request",
            "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. ",
        ),
        (
            b"/20150830/",
            b"/20150831/",
            (
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                "'20150831' != '20150830', from '20150830T123600Z'."
            ),
        ),
        (
            SCOPE,
            b"a/b/c/d/e",
            (
                "Credential should be scoped to a valid region, not 'c'. "
                "Credential should be scoped to correct service: 'kms'. "
                "Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. "
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                "'b' != '20150830', from '20150830T123600Z'."
            ),
        ),
    ],
)
def test_a_signature_for_another_scope_is_refused(old: bytes, new: bytes, message: str) -> None:
    assert said(with_authorization(old, new)) == ("InvalidSignatureException", message)


def test_a_scope_that_is_rightly_signed_for_another_region_or_service_is_refused() -> None:
    assert "not 'us-east-1'" in refusal(signed(region="us-east-1")).message
    assert "correct service: 'kms'" in refusal(signed(service="sts")).message


def test_a_session_token_is_refused() -> None:
    expected = ("UnrecognizedClientException", "The security token included in the request is invalid.")
    assert said(signed(token="t")) == expected
    assert said(presigned(token="t")) == expected
    assert said(msgspec.structs.replace(signed(), query="X-Amz-Security-Token=t")) == expected


def test_a_signature_in_both_places_is_refused() -> None:
    request = presigned()
    both = with_header(request, b"authorization", AUTHORIZATION)
    assert said(both) == (
        "InvalidSignatureException",
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    )


# -- signed headers ----------------------------------------------------------------------------------------------------


def test_host_must_be_signed() -> None:
    assert said(with_authorization(b"host;x-amz-date", b"x-amz-date")) == (
        "InvalidSignatureException",
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    )


@pytest.mark.parametrize("name", ["x-amz-target", "x-amz-date", "x-amz-content-sha256", "x-amz-"])
def test_every_amz_header_must_be_signed(name: str) -> None:
    request = with_header(with_authorization(b"host;x-amz-date", b"host"), name.encode(), b"20150830T123600Z")
    if name != "x-amz-date":
        request = with_header(with_header(request, b"x-amz-date", None), b"date", b"20150830T123600Z")
    assert said(request) == (
        "InvalidSignatureException",
        f"'{name}' must be a 'SignedHeader' in the AWS Authorization.",
    )


@pytest.mark.parametrize(
    "names",
    [
        b"x-amz-date;host",
        b"host;host;x-amz-date",
        b"host;x-amz-date;",
        b";host;x-amz-date",
        b"host;x-amz-date;x-gone",
        b"Host;host;x-amz-date",
    ],
)
def test_signed_headers_are_in_order_and_there(names: bytes) -> None:
    code, message = said(with_authorization(b"host;x-amz-date", names))
    assert code == "InvalidSignatureException"
    assert message.startswith(MISMATCH)


# -- what does not fit the signature -----------------------------------------------------------------------------------


def test_another_body_is_refused() -> None:
    mismatch(signed(), BODY + b" ")
    mismatch(signed(), b"")


def test_a_hash_in_the_header_is_that_of_the_body() -> None:
    right = [*HEADERS, ("X-Amz-Content-SHA256", sha256(BODY).hexdigest())]
    verify(signed(headers=right))
    mismatch(signed(headers=right), BODY + b" ")


@pytest.mark.parametrize(
    "stated", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", sha256(b"other").hexdigest(), "x"]
)
def test_an_unsigned_or_another_payload_is_refused(stated: str) -> None:
    mismatch(signed(headers=[*HEADERS, ("X-Amz-Content-SHA256", stated)]))


def test_a_second_hash_in_the_header_is_refused() -> None:
    right = ("X-Amz-Content-SHA256", sha256(BODY).hexdigest())
    mismatch(signed(headers=[*HEADERS, right, right]))


def test_another_operation_is_refused() -> None:
    mismatch(with_header(signed(), b"x-amz-target", b"TrentService.Decrypt"))


def test_a_header_that_is_repeated_after_signing_is_refused() -> None:
    request = signed()
    mismatch(msgspec.structs.replace(request, headers=[*request.headers, (b"x-amz-target", b"TrentService.Encrypt")]))


@pytest.mark.parametrize(
    "change",
    [{"method": "GET"}, {"path": "/x"}, {"query": "a"}, {"query": "X-Amz-Signature=00"}],
)
def test_another_request_line_is_refused(change: dict[str, str]) -> None:
    mismatch(msgspec.structs.replace(signed(), **change))


def test_another_secret_is_refused() -> None:
    with pytest.raises(errors.RequestSignatureError):
        verify(signed(), secret=SECRET[:-1])


@pytest.mark.parametrize("end", [b"", b"0", b"\xff", b"=", b"G" * 63])
def test_a_signature_of_another_form_is_refused(end: bytes) -> None:
    request = signed()
    start = header_of(request, b"authorization").rpartition(b"=")[0]
    mismatch(with_header(request, b"authorization", start + b"=0" + end))


def test_a_signature_in_capitals_is_refused() -> None:
    request = signed()
    start, equals, signature = header_of(request, b"authorization").rpartition(b"=")
    mismatch(with_header(request, b"authorization", start + equals + signature.upper()))


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [-300, -1, 0, 299.9, 300])
def test_clocks_may_differ_by_five_minutes(after: float) -> None:
    verify(signed(), after=after)


def test_an_old_signature_is_refused() -> None:
    claim = parse(plain(), region=REGION)
    with pytest.raises(errors.SignatureExpiredError) as caught:
        claim.verify(b"", "", claim.seconds + 301)
    assert (caught.value.code, caught.value.message) == (
        "InvalidSignatureException",
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)",
    )


def test_a_signature_of_the_future_is_refused() -> None:
    claim = parse(plain(), region=REGION)
    with pytest.raises(errors.SignatureNotYetCurrentError) as caught:
        claim.verify(b"", "", claim.seconds - 301)
    assert (caught.value.code, caught.value.message) == (
        "InvalidSignatureException",
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)",
    )


def test_the_first_instant_of_the_calendar_is_only_expired() -> None:
    request = plain(AUTHORIZATION.replace(b"/20150830/", b"/00010101/"), b"00010101T000000Z")
    claim = parse(request, region=REGION)
    with pytest.raises(errors.SignatureExpiredError):
        claim.verify(b"", "", 0.0)


def test_the_last_instant_of_the_calendar_is_only_of_the_future() -> None:
    request = plain(AUTHORIZATION.replace(b"/20150830/", b"/99991231/"), b"99991231T235959Z")
    claim = parse(request, region=REGION)
    with pytest.raises(errors.SignatureNotYetCurrentError):
        claim.verify(b"", "", 0.0)


# -- presigned ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("expires", "after"), [(1, 0), (1, 1), (900, 900), (604800, 604800), (1, -300)])
def test_a_presigned_request_holds_until_it_expires(expires: int, after: float) -> None:
    verify(presigned(expires=expires), b"", after=after)


def test_a_presigned_request_is_known_as_one() -> None:
    claim = parse(presigned(), region=REGION)
    assert claim.presigned
    assert claim.access_key_id == ACCESS_KEY_ID


def test_a_presigned_request_that_is_over_is_refused() -> None:
    request = presigned(expires=60)
    with pytest.raises(errors.SignatureExpiredError, match=r"Signature expired: \w+ is now earlier than \w+$"):
        verify(request, b"", after=60.5)


def test_a_presigned_request_of_the_future_is_refused() -> None:
    with pytest.raises(errors.SignatureNotYetCurrentError):
        verify(presigned(), b"", after=-301)


@pytest.mark.parametrize("expires", ["0", "-1", "604801", "9" * 5000, "1.5", "+1", "１", "x", "1e3"])
def test_a_presigned_request_holds_for_a_week_at_most(expires: str) -> None:
    code, message = said(with_query("X-Amz-Expires=900", f"X-Amz-Expires={expires}"))
    assert code == "IncompleteSignatureException"
    assert message == "X-Amz-Expires must be a number of seconds from 1 to 604800"


def test_a_longer_life_than_was_signed_is_refused() -> None:
    mismatch(with_query("X-Amz-Expires=900", "X-Amz-Expires=901"), b"")


@pytest.mark.parametrize(
    "name", ["X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date", "X-Amz-Expires"]
)
def test_each_parameter_of_a_presigned_request_is_needed_once(name: str) -> None:
    expected = f"AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
    assert said(with_query(f"{name}=", f"{name.lower()}=")) == ("IncompleteSignatureException", expected)
    code, message = said(with_query(f"{name}=", f"{name}=x&{name}="))
    assert (code, message) == (
        "IncompleteSignatureException",
        f"AWS query-string parameters must include '{name}' only once.",
    )


def test_a_presigned_request_without_its_algorithm_is_not_signed() -> None:
    request = with_query("X-Amz-Algorithm", "x-amz-algorithm")
    assert refusal(request).code == "MissingAuthenticationTokenException"


def test_a_presigned_request_with_another_algorithm_is_refused() -> None:
    assert "Unsupported AWS 'algorithm': 'AWS4'" in refusal(with_query("AWS4-HMAC-SHA256", "AWS4")).message


def test_a_presigned_request_signs_its_operation() -> None:
    request = with_header(presigned(headers=[]), b"x-amz-target", b"TrentService.Encrypt")
    assert refusal(request).message == "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."


# -- keys --------------------------------------------------------------------------------------------------------------


def test_a_signing_key_is_that_of_the_documentation() -> None:
    # AWS General Reference, "Examples of how to derive a signing key for Signature Version 4".
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam")
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
