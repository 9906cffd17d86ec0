"""What the model of AWS allows gets an answer or an error that it knows, and what it does not is refused by name.

Never an error of the server, never silence; and after it all the log holds.
"""

import json
import socket
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from kmscli.awsapi import wire
from kmscli.service import audits
from kmscli.service.operations import OPERATIONS, REFUSED
from tests import awsmodel
from tests.desk import Answer, AtDesk, at_desk, request
from tests.endpoint import REGION, children, running
from tests.faults import requests
from tests.faults.requests import HOSTILE, Known
from tests.principals import People, statement

ALWAYS = {"ValidationException", "AccessDeniedException"}
MALFORMED = {"ValidationException", "SerializationException"}
UNSUPPORTED = "UnsupportedOperationException"
"""What AWS has and a vault has not: service principals, stores of others."""
NAMES = sorted(OPERATIONS)

_BOUNDED = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    # A request is small as it is, and the vault is another one when it is tried again.
    phases=[Phase.explicit, Phase.generate],
)
quick = settings(_BOUNDED, max_examples=8)
thorough = settings(_BOUNDED, max_examples=150)


class Fuzzed:
    """A vault with something of everything, and what a request can be about."""

    def __init__(self, desk: AtDesk) -> None:
        self.desk = desk
        self.people = People(desk.home)
        self.people.add("alice", statement(Action=["kms:Encrypt", "kms:List*", "kms:Describe*"]))
        self.alice = desk.access_key("alice")
        self.known = self._known()

    def _known(self) -> Known:
        ask = self.ok
        made = [
            ask("CreateKey", **parameters)["KeyMetadata"]["KeyId"]
            for parameters in (
                {},
                {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
                {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
                {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
                {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"},
                {"Origin": "EXTERNAL"},
                {"MultiRegion": True},
            )
        ]
        ask("CreateAlias", AliasName="alias/app", TargetKeyId=made[0])
        sealed = ask("Encrypt", KeyId="alias/app", Plaintext="AAAA")["CiphertextBlob"]
        signature = ask("Sign", KeyId=made[2], Message="AAAA", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
        public = ask("GetPublicKey", KeyId=made[4])["PublicKey"]
        grant = ask("CreateGrant", KeyId=made[0], GranteePrincipal=self.arn("alice"), Operations=["Decrypt"])
        return Known(
            keys=[*made, self.desk.home.arn(made[0]), "alias/app", "alias/none"],
            aliases=["alias/app", "alias/new", "alias/other"],
            blobs=[b64decode(sealed), b64decode(signature), b64decode(public), b"\x00" * 32, b"\x00\x00\x00"],
            principals=[self.arn("admin"), self.arn("alice"), self.arn("nobody")],
            grants=[grant["GrantId"], grant["GrantToken"]],
        )

    @staticmethod
    def arn(name: str) -> str:
        return f"arn:aws:iam::000000000000:user/{name}"

    def ok(self, operation: str, **members: object) -> Any:
        answer = self.desk.call(operation, **members)
        assert 200 == answer.status, (operation, answer)
        return answer.members

    def check(self, operation: str, answer: Answer, allowed: set[str], sent: object) -> None:
        assert answer.status < 500, (operation, answer, sent)
        assert "x-amzn-requestid" in answer.headers
        if answer.status == 200:
            if answer.body:
                shape = awsmodel.output_shape(operation)
                assert set(answer.members) <= (set(awsmodel.members(shape)) if shape else set()), (operation, answer)
            return
        assert answer.error in allowed, (operation, answer, sent)

    def verify(self) -> None:
        assert not self.desk.broken
        audits.verify(self.desk.home.context.session.vault, full=True)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    with at_desk("fuzz") as desk:
        made = Fuzzed(desk)
        yield made
        made.verify()
        made.people.close()


def allowed_of(operation: str) -> set[str]:
    if operation in REFUSED:
        return {UNSUPPORTED}
    # The model forgets these where a key is only described, and where its policies are listed.
    forgotten = {"GrantTokens": "InvalidGrantTokenException", "Marker": "InvalidMarkerException"}
    taken = {error for member, error in forgotten.items() if operation in awsmodel.taking(member)}
    return awsmodel.errors(operation) | ALWAYS | {UNSUPPORTED} | taken


def any_valid(fuzzed: Fuzzed, operation: str, data: st.DataObject) -> None:
    members = data.draw(requests.valid(operation, fuzzed.known))
    credentials = data.draw(st.sampled_from([None, None, None, fuzzed.alice]))
    body = json.dumps(members).encode()
    fuzzed.check(operation, fuzzed.desk.ask(operation, body, credentials=credentials), allowed_of(operation), members)


@pytest.mark.parametrize("operation", NAMES)
def test_what_the_model_allows_gets_an_answer_or_an_error_of_the_model(fuzzed: Fuzzed, operation: str) -> None:
    @quick
    @given(st.data())
    def run(data: st.DataObject) -> None:
        any_valid(fuzzed, operation, data)

    run()


@pytest.mark.long
@pytest.mark.parametrize("operation", [*NAMES, *sorted(REFUSED)])
def test_what_the_model_allows_gets_such_an_answer_at_length(fuzzed: Fuzzed, operation: str) -> None:
    @thorough
    @given(st.data())
    def run(data: st.DataObject) -> None:
        any_valid(fuzzed, operation, data)

    run()


def broken(fuzzed: Fuzzed, operation: str, data: st.DataObject) -> tuple[bytes, set[str], bool]:
    """A request that the model does not allow, the errors that it may end in, and whether it must be refused."""
    shape = awsmodel.input_shape(operation)
    members = awsmodel.members(shape)
    found = data.draw(requests.valid(operation, fuzzed.known))
    required = awsmodel.SHAPES[shape].get("required", [])
    name = data.draw(st.sampled_from(sorted(members)))
    how = data.draw(st.sampled_from(["type", "bounds", *(["missing"] if required else []), *HOSTILE]))
    if how == "type":
        found[name] = data.draw(requests.wrong_type(members[name]))
        return json.dumps(found).encode(), MALFORMED, True
    if how == "missing":
        del found[data.draw(st.sampled_from(required))]
        return json.dumps(found).encode(), MALFORMED, True
    if how == "bounds":
        outside = requests.out_of_bounds(members[name])
        if outside is not None:
            found[name] = data.draw(outside)
        return json.dumps(found).encode(), allowed_of(operation) | MALFORMED, outside is not None
    return requests.hostile(how, json.dumps(found), name), MALFORMED, True


@pytest.mark.parametrize("operation", NAMES)
def test_what_the_model_does_not_allow_is_refused_by_name(fuzzed: Fuzzed, operation: str) -> None:
    @settings(quick, max_examples=15)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        refuse(fuzzed, operation, data)

    run()


@pytest.mark.long
@pytest.mark.parametrize("operation", NAMES)
def test_what_the_model_does_not_allow_is_refused_by_name_at_length(fuzzed: Fuzzed, operation: str) -> None:
    @thorough
    @given(st.data())
    def run(data: st.DataObject) -> None:
        refuse(fuzzed, operation, data)

    run()


def refuse(fuzzed: Fuzzed, operation: str, data: st.DataObject) -> None:
    body, allowed, must = broken(fuzzed, operation, data)
    answer = fuzzed.desk.ask(operation, body)
    fuzzed.check(operation, answer, allowed, body[:500])
    assert answer.status != 200 or not must, (operation, body[:500], answer)


@pytest.mark.parametrize("how", sorted(HOSTILE))
@pytest.mark.parametrize("operation", ["Encrypt", "CreateKey", "ListKeys", "PutKeyPolicy", "UpdateCustomKeyStore"])
def test_a_hostile_body_is_refused_by_name(fuzzed: Fuzzed, operation: str, how: str) -> None:
    body = requests.hostile(how, "{}", "KeyId")
    answer = fuzzed.desk.ask(operation, body)
    fuzzed.check(operation, answer, MALFORMED | ({UNSUPPORTED} if operation in REFUSED else set()), body[:200])


@quick
@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b'{"KeyId": "\xff"}')
@example(b'{"KeyId": "\xed\xa0\x80"}')
def test_any_body_gets_an_answer(fuzzed: Fuzzed, body: bytes) -> None:
    for operation in ("Encrypt", "CreateAlias", "GenerateRandom"):
        fuzzed.check(operation, fuzzed.desk.ask(operation, body), awsmodel.errors(operation) | MALFORMED, body)


def test_a_name_that_stands_twice_means_one_thing(fuzzed: Fuzzed) -> None:
    answer = fuzzed.desk.ask("GenerateRandom", b'{"NumberOfBytes": 4096, "NumberOfBytes": 8}')
    fuzzed.check("GenerateRandom", answer, MALFORMED, None)


HEADERS = [b"Authorization", b"X-Amz-Date", b"X-Amz-Target", b"Host", b"User-Agent", b"X-Amz-Security-Token", b"Date"]
HEADER_VALUES = [
    b"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=0",
    b"AWS4-HMAC-SHA256 Credential=\xff\xc3(/x/y/z/w, SignedHeaders=\xff;host, Signature=\xff",
    b"20260101T000000Z",
    b"TrentService.Encrypt",
    b"TrentService.\xff",
]
any_header = st.tuples(st.sampled_from(HEADERS), st.binary(max_size=80) | st.sampled_from(HEADER_VALUES))


@settings(quick, max_examples=100)
@given(st.binary(max_size=60), st.lists(any_header, max_size=5))
def test_any_head_gets_an_answer(fuzzed: Fuzzed, path: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    answers = fuzzed.desk.send(b"POST /%b HTTP/1.1\r\nHost: a\r\n%bContent-Length: 2\r\n\r\n{}" % (path, lines))
    assert answers
    assert all(400 <= answer.status < 500 for answer in answers), (path, headers, answers)


def test_a_signature_of_odd_bytes_is_refused_by_name(fuzzed: Fuzzed) -> None:
    text = request(fuzzed.desk.credentials, fuzzed.desk.region, "Encrypt", b"{}")
    for old, new in (
        (b"POST / ", b"POST /\xff\xfe?a=\xff&%ff=%zz "),
        (b"AKIA", b"\xff\xc3("),
        (b"Host: ", b"Host: \xff"),
        (b"User-Agent: ", b"User-Agent: \xff"),
        (b"Signature=", b"Signature=\xff"),
    ):
        for answer in fuzzed.desk.send(text.replace(old, new)):
            assert 400 == answer.status, (old, answer)


def test_a_bug_is_the_answer_to_one_request_alone(fuzzed: Fuzzed, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = wire.decode

    def buggy(operation: str, body: bytes) -> dict[str, object]:
        return decode(operation, body) if b"bug" not in body else {"NumberOfBytes": 1 // 0}

    monkeypatch.setattr(wire, "decode", buggy)
    sent = [
        request(fuzzed.desk.credentials, fuzzed.desk.region, operation, body)
        for operation in ("GenerateRandom", "CreateKey")
        for body in (b"{}", b'{"bug": 1}', b"{}")
    ]
    assert [400, 500, 400, 200, 500, 200] == [answer.status for answer in fuzzed.desk.send(b"".join(sent))]
    monkeypatch.setattr(wire, "operation_of", lambda _target: 1 // 0)
    assert 500 == fuzzed.desk.ask("CreateKey", b"{}").status


def test_one_that_fails_takes_nobody_with_it(fuzzed: Fuzzed) -> None:
    good = request(fuzzed.desk.credentials, fuzzed.desk.region, "GenerateRandom", b'{"NumberOfBytes": 8}')
    deep = b'{"NumberOfBytes": ' + b"[" * 200_000
    bad = request(fuzzed.desk.credentials, fuzzed.desk.region, "GenerateRandom", deep)
    answers = fuzzed.desk.send((good + bad) * 5)
    assert [200, 400] * 5 == [answer.status for answer in answers]


def test_over_sockets_hostile_requests_are_refused_and_the_server_lives_on() -> None:
    with running("--workers", "2") as served:
        key = served.place.access_key()
        credentials = Credentials(key.access_key_id, key.secret)
        host, _, port = served.url.removeprefix("http://").rpartition(":")
        workers = children(served.process.pid)
        for how in sorted(HOSTILE):
            text = request(credentials, REGION, "Encrypt", requests.hostile(how, "{}", "KeyId"))
            with socket.create_connection((host, int(port)), timeout=20) as made:
                made.sendall(text + text)
                received = b""
                while received.count(b"x-amzn-requestid") < 2:
                    received += made.recv(65536)
            assert 2 == received.count(b"HTTP/1.1 400 "), (how, received)
        served.client().generate_random(NumberOfBytes=8)
        assert workers == children(served.process.pid)
        served.place.kms("audit", "verify", "--full")
