"""AWS JSON 1.1: requests of every kind of member, answers of every operation, errors."""

import base64
import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscli import errors
from kmscli.awsapi import wire
from kmscli.service import operations
from kmscli.service.members import members
from tests import awsmodel
from tests.helpers import Home, named
from tests.interop.life import live

NOON = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)


def decoded(operation: str, **given: object) -> dict[str, object]:
    return wire.decode(operation, json.dumps(given).encode())


def refused(operation: str, **given: object) -> str:
    with pytest.raises(errors.SerializationError) as caught:
        decoded(operation, **given)
    return caught.value.message


# -- targets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*operations.OPERATIONS, *operations.REFUSED])
def test_a_target_names_an_operation(name: str) -> None:
    assert wire.operation_of(b"TrentService." + name.encode()) == name


@pytest.mark.parametrize(
    "target",
    [
        None,
        *(b"", b"Encrypt", b"TrentService", b"TrentService.", b"TrentService.encrypt", b"trentservice.Encrypt"),
        *(b"TrentService.Encrypt ", b"TrentService.\xff", b"TrentService.Encrypt.Decrypt", b"Other.Encrypt"),
    ],
)
def test_what_names_none_is_unknown(target: bytes | None) -> None:
    with pytest.raises(errors.UnknownOperationError):
        wire.operation_of(target)


# -- requests ----------------------------------------------------------------------------------------------------------


def test_all_kinds_of_members_are_decoded() -> None:
    assert decoded(
        "Encrypt", KeyId="k", Plaintext="aGk=", EncryptionContext={"a": "b"}, GrantTokens=["t"], DryRun=True
    ) == {
        "KeyId": "k",
        "Plaintext": b"hi",
        "EncryptionContext": {"a": "b"},
        "GrantTokens": ["t"],
        "DryRun": True,
    }
    assert decoded("GenerateRandom", NumberOfBytes=7) == {"NumberOfBytes": 7}
    assert decoded("TagResource", Tags=[{"TagKey": "a", "TagValue": "b"}]) == {
        "Tags": [{"TagKey": "a", "TagValue": "b"}]
    }
    assert decoded("CreateGrant", Constraints={"EncryptionContextEquals": {"a": "b"}}) == {
        "Constraints": {"EncryptionContextEquals": {"a": "b"}}
    }
    assert decoded("Sign", SigningAlgorithm="of no use") == {"SigningAlgorithm": "of no use"}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1772366400.123, NOON),
        (1772366400.1239, NOON),
        (1772366400, NOON.replace(microsecond=0)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_are_seconds_cut_to_milliseconds(seconds: float, expected: datetime) -> None:
    assert decoded("ImportKeyMaterial", ValidTo=seconds) == {"ValidTo": expected}


@pytest.mark.parametrize("seconds", [1e12, -1e12, 1e300, 10**40])
def test_a_time_that_no_calendar_has_is_refused(seconds: float) -> None:
    assert refused("ImportKeyMaterial", ValidTo=seconds).endswith("can not be converted to milliseconds since epoch")


@given(st.binary(max_size=100))
def test_bytes_come_through_base64(data: bytes) -> None:
    assert decoded("Encrypt", Plaintext=base64.b64encode(data).decode()) == {"Plaintext": data}


@pytest.mark.parametrize("text", ["Q", "aGk", "aGk==", "aGl=", "aGk=\n", "aG-_", "=aGk", "äöüß", "aGk=aGk=", "===="])
def test_there_is_one_base64_of_some_bytes_and_no_text_repeats_it(text: str) -> None:
    message = refused("Encrypt", Plaintext=text)
    assert message.startswith("The value can not be converted to a Blob: ")
    assert text not in message.removeprefix("The value can not be converted to a Blob: ")


@pytest.mark.parametrize(("number", "expected"), [(7.9, 7), (-0.5, 0), (1e3, 1000)])
def test_fractions_are_cut_off(number: float, expected: int) -> None:
    assert decoded("GenerateRandom", NumberOfBytes=number) == {"NumberOfBytes": expected}


def test_what_is_null_or_unknown_is_passed_over_at_every_depth() -> None:
    assert decoded("Encrypt", KeyId=None, Bogus={"a": 1}, keyId="x") == {}
    assert decoded("TagResource", Tags=[{"TagKey": "a", "TagValue": None, "More": 1}]) == {"Tags": [{"TagKey": "a"}]}


def own() -> Iterator[tuple[str, str]]:
    for name in operations.OPERATIONS:
        yield from ((name, each.name) for each in members(operations.load(name).request) if each.own)


def test_some_members_are_our_own() -> None:
    assert ("CreateKey", "Alias") in list(own())


@pytest.mark.parametrize(("operation", "member"), list(own()))
def test_members_of_our_own_are_not_taken_over_the_wire(operation: str, member: str) -> None:
    assert member not in awsmodel.members(awsmodel.input_shape(operation))
    assert decoded(operation, **{member: "x"}) == {}


@pytest.mark.parametrize("operation", operations.OPERATIONS)
def test_every_member_of_aws_is_taken(operation: str) -> None:
    samples = {"string": "x", "integer": 1, "boolean": True, "blob": "eA==", "timestamp": 1}
    samples |= {"list": [], "map": {}, "structure": {}}
    shapes = awsmodel.members(awsmodel.input_shape(operation))
    given = {name: samples[awsmodel.SHAPES[shape]["type"]] for name, shape in shapes.items()}
    assert decoded(operation, **given).keys() == given.keys()


def test_nothing_is_an_empty_request() -> None:
    assert wire.decode("ListKeys", b"") == wire.decode("ListKeys", b"{}") == wire.decode("ListKeys", b" {} ") == {}


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b"5", b'"{}"', b"{} {}", b"\xff", b'{"a": NaN}', b"[" * 100_000]
)
def test_what_is_no_object_cannot_be_read(body: bytes) -> None:
    with pytest.raises(errors.MalformedBodyError):
        wire.decode("ListKeys", body)


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[bytes]]]:
    """The bodies of answers of every operation."""
    bodies: dict[str, list[bytes]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        home = Home(tmp_path_factory.mktemp("wire")).init()
        real = home.perform

        def perform(name: str, **given: object) -> Any:
            answer = real(name, **given)
            bodies.setdefault(name, []).append(wire.encode(answer))
            return answer

        patch.setattr(home, "perform", perform)
        patch.setattr(home, "answer", lambda name, **given: named(perform(name, **given)))
        live(home)
        yield bodies
        home.close()


KNOWN = ("by CustomerMasterKeySpec", "by RegionType")
"""What tests/interop/test_botocore_model.py gives reasons for: new specs under the old name, the Region `local`."""


def parsed(shape: str, value: Any) -> Any:
    """A value as a client reads it by the model; what is null or of another JSON type fails."""
    row = awsmodel.SHAPES[shape]
    assert value is not None
    if row["type"] == "structure":
        known = awsmodel.members(shape)
        return {name: parsed(known[name], each) for name, each in value.items()}
    if row["type"] == "list":
        return [parsed(str(awsmodel.inner(shape)), each) for each in value]
    if row["type"] == "map":
        return {name: parsed(str(awsmodel.inner(shape)), each) for name, each in value.items()}
    if row["type"] == "timestamp":
        assert type(value) in (int, float)
        assert round(value, 3) == value
        return datetime.fromtimestamp(value, UTC)
    if row["type"] == "blob":
        return base64.b64decode(value, validate=True)
    return value


@pytest.mark.parametrize("operation", operations.OPERATIONS)
def test_answers_of_every_operation_are_as_the_model_says(lived: dict[str, list[bytes]], operation: str) -> None:
    shape = awsmodel.output_shape(operation)
    assert lived[operation]
    for body in lived[operation]:
        if shape is None or not awsmodel.members(shape):
            assert body == b""
            continue
        answer = parsed(shape, json.loads(body))
        assert [fault for fault in awsmodel.faults(shape, answer) if not fault.endswith(KNOWN)] == []


def test_times_of_answers_are_numbers(lived: dict[str, list[bytes]]) -> None:
    (created, *_) = lived["CreateKey"]
    date = json.loads(created)["KeyMetadata"]["CreationDate"]
    assert date == 1772366400.123


# -- errors ------------------------------------------------------------------------------------------------------------


def error(found: errors.KmsError) -> tuple[int, dict[str, Any]]:
    status, body = wire.encode_error(found)
    return status, json.loads(body)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (errors.KeyNotFoundError(arn="a"), (400, {"__type": "NotFoundException", "message": "Key 'a' does not exist"})),
        (errors.ValidationError(problem="p"), (400, {"__type": "ValidationException", "message": "p"})),
        (errors.UnknownCiphertextKeyError(), (400, "Message")),
        (errors.SerializationError(problem="p"), (400, {"__type": "SerializationException", "Message": "p"})),
        (errors.MalformedBodyError(), (400, {"__type": "SerializationException"})),
        (errors.UnknownOperationError(), (400, {"__type": "UnknownOperationException"})),
        (errors.InvalidCiphertextError(), (400, {"__type": "InvalidCiphertextException"})),
        (errors.AsymmetricCiphertextError(), (400, {"__type": "InvalidCiphertextException"})),
        (errors.WrappedMaterialError(), (400, {"__type": "InvalidCiphertextException"})),
        (errors.InvalidSignatureError(), (400, {"__type": "KMSInvalidSignatureException"})),
        (errors.InvalidMacError(), (400, {"__type": "KMSInvalidMacException"})),
        (errors.ThrottlingError(), (400, {"__type": "ThrottlingException", "message": "Rate exceeded"})),
        (errors.DryRunError(), (412, "message")),
        (errors.LockTimeoutError(seconds=3), (500, "message")),
    ],
    ids=lambda found: type(found).__name__,
)
def test_an_error_has_name_status_and_the_member_of_its_text(found: errors.KmsError, expected: tuple[int, Any]) -> None:
    status, body = error(found)
    if isinstance(expected[1], str):
        assert (status, list(body)) == (expected[0], ["__type", expected[1]])
    else:
        assert (status, body) == expected


@pytest.mark.parametrize(
    "found",
    [
        errors.InternalError(what="secret"),
        errors.VaultTamperedError(what="secret"),
        errors.AuditUnavailableError(action="secret", reason="secret"),
        errors.RollbackError(what="secret", pin="secret"),
        errors.InputOutputError(path="secret", reason="secret"),
        errors.PrincipalNotFoundError(principal="secret"),
    ],
    ids=lambda found: type(found).__name__,
)
def test_what_concerns_the_owner_alone_does_not_leave(found: errors.KmsError) -> None:
    status, body = error(found)
    assert (status, body["__type"]) == (500, "KMSInternalException")
    assert "secret" not in body["message"]


def test_hints_stay_here() -> None:
    assert "hint" not in wire.encode_error(errors.ValidationError(problem="p", hint="hint"))[1].decode()


def test_headers_tell_request_type_and_checksum() -> None:
    lines = wire.headers(b"{}", "an-id").split(b"\r\n")
    assert b"x-amzn-requestid: an-id" in lines
    assert b"x-amz-crc32: %d" % zlib.crc32(b"{}") in lines
    assert b"content-type: application/x-amz-json-1.1" in lines
    assert lines[-1] == b""
