"""Wrong requests over the wire: `__type`, status and text of each answer, as `errortable` says.

The requests are signed by botocore's signer alone: its client would refuse most of them before it sends them.
"""

import http.client
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from kmscli.awsapi.http import BODY_MAX
from kmscli.service import operations
from tests import signing
from tests.endpoint import REGION, Served, running
from tests.interop import errortable
from tests.interop.errortable import VALID, Row

KINDS = {
    "good": {},
    "other": {},
    "hmac": {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    "p256": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
    "agree": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"},
    "kem": {"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"},
    "rsa": {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
    "external": {"Origin": "EXTERNAL"},
}


class Wire:
    """A server, signed requests to it, and keys by name."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.host = urlsplit(served.url).netloc
        signs = served.place.access_key()
        self.key = (signs.access_key_id, signs.secret)
        self.names: dict[str, str] = {}
        self.connection = http.client.HTTPConnection(self.host, timeout=30)

    def signed(self, target: str | None, body: bytes, **signs: Any) -> dict[str, str]:
        """The headers of a signed request."""
        headers = [("Content-Type", "application/x-amz-json-1.1")]
        if target is not None:
            headers.append(("X-Amz-Target", target))
        given = {"region": REGION, "key": self.key, "host": self.host} | signs
        made = signing.signed(headers=headers, body=body, **given)
        return {name.decode(): value.decode() for name, value in made.headers}

    def send(self, headers: Mapping[str, str], body: bytes, method: str = "POST") -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        self.connection.request(method, "/", body, dict(headers))
        answer = self.connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def ask(self, operation: str, members: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer to an operation."""
        body = self.filled(json.dumps(members)).encode()
        status, headers, found = self.send(self.signed(f"TrentService.{operation}", body), body)
        assert headers["content-type"] == "application/x-amz-json-1.1"
        return status, json.loads(found or b"{}")

    def filled(self, text: str) -> str:
        """A text with what the names in it stand for."""
        return re.sub(r"<([\w.]+)>", lambda found: self.names[found[1]], text)

    def make(self) -> "Wire":
        """The keys."""
        for kind, members in KINDS.items():
            for state in ("", "Disabled", "Pending"):
                self._key(f"{kind}{state}", members)
        self.names["externalImport"] = self.names["external"]
        self.names["externalImport.arn"] = self.names["external.arn"]
        status, _ = self.ask("CreateAlias", {"AliasName": "alias/taken", "TargetKeyId": "<good>"})
        assert status == 200
        return self

    def _key(self, name: str, members: Mapping[str, str]) -> None:
        _, made = self.ask("CreateKey", members)
        self.names[name] = made["KeyMetadata"]["KeyId"]
        self.names[f"{name}.arn"] = made["KeyMetadata"]["Arn"]
        if not members:
            asked = VALID["Encrypt"] | {"KeyId": f"<{name}>"}
            self.names[f"{name}.blob"] = self.ask("Encrypt", asked)[1]["CiphertextBlob"]
        if name.endswith("Disabled") and "Origin" not in members:
            self.ask("DisableKey", {"KeyId": f"<{name}>"})
        if name.endswith("Pending"):
            self.ask("ScheduleKeyDeletion", {"KeyId": f"<{name}>"})


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with running("--quiet") as served:
        made = Wire(served)
        yield made.make()
        made.connection.close()


def rows(operation: str) -> list[Row]:
    return [*errortable.of_shapes(operation), *errortable.of_keys(operation), *errortable.of_itself(operation)]


def wrong(wire: Wire, row: Row) -> str:
    """What differs from the row, "" for nothing."""
    status, body = wire.ask(row.operation, row.members)
    expected: dict[str, Any] = {"__type": row.error}
    name = "Message" if row.error in ("SerializationException", "AccessDeniedException") else "message"
    if row.message is not None:
        text = wire.filled(row.message)
        given = body.get(name, "")
        partly = text.removeprefix("...").removesuffix("...")
        fits = (
            (text.startswith("...") and given.endswith(partly)) or (text.endswith("...") and given.startswith(partly))
        ) and given
        expected[name] = given if fits else text
    wanted = 412 if row.error == "DryRunOperationException" else 400
    if (status, body) == (wanted, expected):
        return ""
    return f"{row.operation} {json.dumps(row.members)[:200]} ({row.source}):\n  {status} {body}\n  {wanted} {expected}"


@pytest.mark.parametrize("operation", operations.OPERATIONS)
def test_a_wrong_request_is_answered_as_aws_answers_it(wire: Wire, operation: str) -> None:
    found = [wrong(wire, row) for row in rows(operation)]
    assert "\n".join(filter(None, found)) == ""


@pytest.mark.parametrize("operation", operations.OPERATIONS)
def test_every_operation_has_rows_of_shapes_and_of_its_own(operation: str) -> None:
    assert list(errortable.of_shapes(operation))
    assert list(errortable.of_itself(operation))


def test_operations_that_need_a_cloud_are_refused(wire: Wire) -> None:
    assert [wrong(wire, row) for row in errortable.refused()] == [""] * len(operations.REFUSED)


# -- below the operations ----------------------------------------------------------------------------------------------

BODY = b"{}"
LIST_KEYS = "TrentService.ListKeys"


def answered(wire: Wire, headers: Mapping[str, str], body: bytes = BODY, method: str = "POST") -> tuple[int, Any]:
    status, found, text = wire.send(headers, body, method)
    assert re.fullmatch("[0-9a-f-]{36}", found["x-amzn-requestid"])
    assert found["x-amz-crc32"] == str(zlib.crc32(text))
    return status, json.loads(text)


@pytest.mark.parametrize(
    "target", [None, "", "ListKeys", "TrentService.", "TrentService.Nothing", "DynamoDB_20120810.ListTables"]
)
def test_an_unknown_target_is_no_operation(wire: Wire, target: str | None) -> None:
    # Without a message, as services of the same protocol answer (kinesalite's recorded tests).
    assert (400, {"__type": "UnknownOperationException"}) == answered(wire, wire.signed(target, BODY))


@pytest.mark.parametrize(
    "body",
    [b"{", b"x", b"[]", b"null", b'"{}"', b"5", b"\xff", b'{"a": NaN}', b"[" * 10_000],
    ids=lambda body: body[:9],
)
def test_a_body_that_is_no_json_object_cannot_be_read(wire: Wire, body: bytes) -> None:
    # Without a message, as above.
    assert (400, {"__type": "SerializationException"}) == answered(wire, wire.signed(LIST_KEYS, body), body)


def test_members_that_aws_does_not_have_are_passed_over(wire: Wire) -> None:
    status, body = wire.ask("CreateKey", {"Alias": "alias/own", "Bogus": [1], "Description": None})
    assert (status, body["KeyMetadata"]["Description"]) == (200, "")
    assert wire.ask("DescribeKey", {"KeyId": "alias/own"})[1]["__type"] == "NotFoundException"


def test_a_large_body_is_refused_before_it_is_read(wire: Wire) -> None:
    headers = wire.signed(LIST_KEYS, BODY) | {"content-length": str(BODY_MAX + 1)}
    connection = http.client.HTTPConnection(wire.host, timeout=30)
    connection.putrequest("POST", "/", skip_host=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


UNRECOGNIZED = "The security token included in the request is invalid."
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
    "Key and signing method. Consult the service documentation for details."
)


@pytest.mark.parametrize(
    ("signs", "error", "message"),
    [
        ({"token": "x"}, "UnrecognizedClientException", UNRECOGNIZED),
        ({"key": ("AKIAIOSFODNN7EXAMPLE", "x")}, "UnrecognizedClientException", UNRECOGNIZED),
        ({"key": None}, "InvalidSignatureException", MISMATCH),
        (
            {"region": "eu-west-1"},
            "InvalidSignatureException",
            "Credential should be scoped to a valid region, not 'eu-west-1'. ",
        ),
        (
            {"service": "s3"},
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'kms'. ",
        ),
    ],
    ids=["session token", "unknown access key", "wrong secret", "wrong Region", "wrong service"],
)
def test_who_is_not_known_is_told_so(wire: Wire, signs: dict[str, Any], error: str, message: str) -> None:
    if "key" in signs and signs["key"] is None:
        signs = {"key": (wire.key[0], "x" * 40)}
    status, body = answered(wire, wire.signed(LIST_KEYS, BODY, **signs))
    assert (status, body["__type"], body["message"].strip()) == (400, error, message.strip())


def test_a_request_that_nobody_signed_is_refused(wire: Wire) -> None:
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": LIST_KEYS}
    expected = {"__type": "MissingAuthenticationTokenException", "message": "Missing Authentication Token"}
    assert (400, expected) == answered(wire, headers)


def test_a_body_that_is_not_the_signed_one_is_refused(wire: Wire) -> None:
    assert (400, {"__type": "InvalidSignatureException", "message": MISMATCH}) == answered(
        wire, wire.signed(LIST_KEYS, BODY), b"{ }"
    )


def test_who_may_not_is_told_so_in_message_with_a_capital(wire: Wire) -> None:
    wire.served.place.principal("alice")
    alice = wire.served.place.access_key("alice")
    status, body = answered(wire, wire.signed(LIST_KEYS, BODY, key=(alice.access_key_id, alice.secret)))
    assert (status, body) == (
        400,
        {
            "__type": "AccessDeniedException",
            "Message": (
                "User: arn:aws:iam::000000000000:user/alice is not authorized to perform: kms:ListKeys on resource: * "
                "because no identity-based policy allows the kms:ListKeys action"
            ),
        },
    )
