"""How an operation runs: one signed line each, whatever it ends in, and no byte of a secret in it."""

import base64
import json
import threading
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from kmscli.formats import auditline
from kmscli.model import limits
from kmscli.service import audits, dispatch, due, events
from kmscli.service.context import Call, Change
from kmscli.service.crypto import EncryptRequest
from kmscli.service.datakeys import GenerateRandomResponse
from kmscli.service.shapes import Response
from kmscli.storage.lock import is_free
from tests.helpers import Clock, Home

NEEDLE = b"needle-in-the-plaintext"


def test_each_operation_is_one_line(home: Home) -> None:
    key_id = home.create_key(Alias="alias/app")
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=b"x").ciphertext_blob
    home.perform("Decrypt", CiphertextBlob=blob)
    home.refused("Decrypt", CiphertextBlob=blob, EncryptionContext={"a": "b"})
    home.refused("DescribeKey", KeyId="alias/none")
    home.refused("ListKeys", Limit=0)
    home.perform("ListKeys")
    assert [(line["eventName"], line.get("errorCode")) for line in home.lines()] == [
        ("CreateVault", None),
        ("CreateKey", None),
        ("Encrypt", None),
        ("Decrypt", None),
        ("Decrypt", "InvalidCiphertextException"),
        ("DescribeKey", "NotFoundException"),
        ("ListKeys", "ValidationException"),
        ("ListKeys", None),
    ]
    assert [line["chain"]["seq"] for line in home.lines()] == list(range(1, 9))


def test_a_line_has_the_shape_of_cloudtrail(home: Home) -> None:
    key_id = home.create_key()
    home.perform("Encrypt", KeyId=key_id, Plaintext=b"x", EncryptionContext={"a": "b"})
    line = home.lines()[-1]
    assert list(line) == [
        "eventVersion",
        "eventTime",
        "eventID",
        "eventSource",
        "eventName",
        "eventType",
        "eventCategory",
        "awsRegion",
        "recipientAccountId",
        "sourceIPAddress",
        "userAgent",
        "userIdentity",
        "readOnly",
        "requestID",
        "requestParameters",
        "responseElements",
        "resources",
        "additionalEventData",
        "vault",
        "chain",
        "signature",
    ]
    assert line["eventTime"] == "2026-03-01T12:00:00Z"
    assert line["userIdentity"] == {
        "type": "IAMUser",
        "arn": "arn:aws:iam::000000000000:user/admin",
        "accountId": "000000000000",
        "userName": "admin",
    }
    assert line["requestParameters"] == {"keyId": key_id, "encryptionContext": {"a": "b"}}
    assert line["responseElements"] is None
    assert line["resources"] == [{"accountId": "000000000000", "type": "AWS::KMS::Key", "ARN": home.arn(key_id)}]
    assert line["readOnly"] is True
    assert line["eventID"] != line["requestID"]


def test_what_time_brought_is_a_line_of_a_service_that_a_root_signed(home: Home, clock: Clock) -> None:
    key_id = home.create_key(Alias="alias/app")
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=7)
    home.refused("DescribeKey", KeyId=key_id)
    line, refused = home.lines()[-2:]
    assert refused["errorCode"] == "NotFoundException"
    assert list(line)[12:] == [
        "readOnly",
        "requestID",
        "requestParameters",
        "responseElements",
        "resources",
        "serviceEventDetails",
        "vault",
        "change",
        "chain",
        "signature",
    ]
    assert (line["eventName"], line["eventType"], line["readOnly"]) == ("DeleteKey", "AwsServiceEvent", False)
    assert (line["requestParameters"], line["responseElements"]) == (None, None)
    assert line["userIdentity"]["userName"] == line["signature"]["signer"] == "admin"
    assert line["resources"] == [{"accountId": "000000000000", "type": "AWS::KMS::Key", "ARN": home.arn(key_id)}]
    assert line["serviceEventDetails"]["keyId"] == key_id
    assert [(kind, new) for kind, _, _, new in line["change"]] == [
        ("alias", None),
        ("key", None),
        ("share", None),
        ("version", None),
    ]
    audits.verify(home.context.session.vault, full=True)


def test_a_change_says_what_it_answered_and_what_it_changed(home: Home) -> None:
    key_id = home.create_key(Alias="alias/app", Description="d")
    line = home.lines()[-1]
    assert line["readOnly"] is False
    assert line["requestParameters"] == {"alias": "alias/app", "description": "d"}
    assert line["responseElements"]["keyMetadata"]["keyId"] == key_id
    assert [(kind, record_id, old) for kind, record_id, old, _ in line["change"]] == [
        ("alias", "alias/app", None),
        ("key", key_id, None),
        ("share", f"{key_id}/admin", None),
        ("version", f"{key_id}/00000001", None),
    ]
    assert line["vault"]["generation"] == 2


def test_a_refusal_says_why_and_changes_nothing(home: Home) -> None:
    key_id = home.create_key()
    before = home.lines()[-1]["vault"]
    error = home.refused("CancelKeyDeletion", KeyId=key_id)
    line = home.lines()[-1]
    assert (line["errorCode"], line["errorMessage"]) == (error.code, error.message)
    assert line["vault"] == before
    assert "change" not in line
    assert line["resources"][0]["ARN"] == home.arn(key_id)


def test_a_request_that_breaks_a_constraint_is_told_without_its_members(home: Home) -> None:
    home.refused("Encrypt", KeyId="k", Plaintext=bytes(5000))
    line = home.lines()[-1]
    assert line["requestParameters"] is None
    assert "plaintext" in line["errorMessage"]


def test_a_dry_run_is_told_as_one(home: Home) -> None:
    key_id = home.create_key()
    assert home.refused("Encrypt", KeyId=key_id, Plaintext=b"x", DryRun=True).exit_code == 0
    assert home.lines()[-1]["errorCode"] == "DryRunOperationException"


def test_no_line_holds_a_byte_of_what_is_secret(home: Home) -> None:
    key_id = home.create_key()
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=NEEDLE).ciphertext_blob
    home.perform("Decrypt", CiphertextBlob=blob)
    again = home.perform("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=key_id).ciphertext_blob
    data_key = home.perform("GenerateDataKey", KeyId=key_id, KeySpec="AES_256")
    random = home.perform("GenerateRandom", NumberOfBytes=64).plaintext
    home.refused("Encrypt", KeyId=key_id, Plaintext=NEEDLE * 1000)
    home.refused("Decrypt", CiphertextBlob=NEEDLE)
    home.refused("Encrypt", KeyId=key_id, Plaintext=base64.b64encode(NEEDLE).decode() + "!")
    log = b"\n".join(home.raw_lines())
    for secret in (NEEDLE, blob, again, data_key.plaintext, data_key.ciphertext_blob, random, home.secret().value):
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:20], repr(secret)[2:-1].encode()[:20]):
            assert form not in log


def test_lines_are_signed_and_chained(home: Home) -> None:
    home.create_key()
    home.perform("ListKeys")
    previous = auditline.FIRST_PREV
    for raw in home.raw_lines():
        line = auditline.decode(raw)
        assert line.chain.prev == previous
        previous = auditline.digest(raw)


def test_time_never_goes_back_in_the_log(home: Home, clock: Clock) -> None:
    home.perform("ListKeys")
    clock.move(seconds=-200)
    home.perform("ListKeys")
    assert [line["eventTime"] for line in home.lines()] == ["2026-03-01T12:00:00Z"] * 3


def test_a_clock_far_behind_the_log_is_refused_without_a_line(home: Home, clock: Clock) -> None:
    clock.move(seconds=-301)
    error = home.refused("ListKeys")
    assert (error.code, error.exit_code) == ("ClockWentBack", 53)
    assert len(home.lines()) == 1
    clock.move(seconds=2)
    home.perform("ListKeys")


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("Encrypt", {"KeyId": "k", "Plaintext": b"x", "EncryptionContext": {"a": "b" * 5_000_000}}),
        ("Encrypt", {"KeyId": "k", "Plaintext": b"x", "EncryptionContext": {"\0" * 1000: "\0" * 8000}}),
        ("CreateKey", {"Tags": [{"TagKey": f"{number}", "TagValue": "v" * 250} for number in range(20_000)]}),
        ("CreateKey", {"Tags": [{"TagKey": "", "TagValue": ""}] * 40_000}),
    ],
    ids=["context", "escapes", "tags", "faults"],
)
def test_a_refused_request_of_any_size_ends_in_a_line_of_bounded_size(
    home: Home, operation: str, members: dict[str, Any]
) -> None:
    error = home.refused(operation, **members)
    assert home.lines()[-1]["errorCode"] == error.code
    assert len(home.raw_lines()) == 2
    assert len(home.raw_lines()[-1]) < limits.AUDIT_LINE_MAX // 4


def test_what_can_succeed_is_never_left_out_of_its_line(home: Home) -> None:
    tags = [{"TagKey": f"{number:02}" + "\0" * 126, "TagValue": "\0" * 256} for number in range(50)]
    home.create_key(Tags=tags, Description="\0" * 8192)
    parameters = home.lines()[-1]["requestParameters"]
    assert parameters["tags"] == [{"tagKey": tag["TagKey"], "tagValue": tag["TagValue"]} for tag in tags]
    assert parameters["description"] == "\0" * 8192


def test_parameters_too_large_for_a_line_leave_their_size_there(home: Home) -> None:
    home.refused("Encrypt", KeyId="k", Plaintext=b"x", EncryptionContext={"a": "b" * 5_000_000})
    size = len(json.dumps({"keyId": "k", "encryptionContext": {"a": "b" * 5_000_000}}, separators=(",", ":")))
    assert home.lines()[-1]["requestParameters"] == {"omittedBytes": size}


def test_a_bug_is_told_in_the_log_by_its_class_alone(home: Home) -> None:
    def fail(_: Change) -> Response:
        raise ZeroDivisionError(NEEDLE.decode())

    def run() -> None:
        with dispatch.Recorded(home.context, "CreateKey", read_only=False) as recorded:
            recorded.change(fail)

    with pytest.raises(ZeroDivisionError):
        run()
    line = home.lines()[-1]
    assert (line["errorCode"], line["errorMessage"]) == ("KMSInternalException", "internal error: ZeroDivisionError")
    assert NEEDLE not in home.raw_lines()[-1]


def test_what_is_loggable_is_named_in_the_lower_case_of_cloudtrail_and_holds_no_bytes() -> None:
    request = EncryptRequest(key_id="k", plaintext=NEEDLE, encryption_context={"Name": "A", "name": "b"})
    assert events.loggable(request) == {"keyId": "k", "encryptionContext": {"Name": "A", "name": "b"}}
    assert events.loggable(GenerateRandomResponse(plaintext=NEEDLE)) is None


def test_without_a_log_there_is_no_result(home: Home) -> None:
    key_id = home.create_key()
    (home.folder / "audit" / "00000001.jsonl").rename(home.folder / "elsewhere")
    attempts: dict[str, dict[str, object]] = {
        "ListKeys": {},
        "GenerateRandom": {"NumberOfBytes": 5},
        "DisableKey": {"KeyId": key_id},
    }
    for operation, members in attempts.items():
        assert home.refused(operation, **members).exit_code == 51
    (home.folder / "elsewhere").rename(home.folder / "audit" / "00000001.jsonl")
    assert home.state_of(key_id) == "Enabled"


def test_a_use_is_evaluated_again_when_the_vault_changed_under_it(home: Home) -> None:
    # The other one has the lock and waits with its commit until our reading ends; we wait for the lock then.
    key_id = home.create_key()
    seen: list[int] = []

    def rotate() -> None:
        other = home.unlocked()
        dispatch.perform(other, "RotateKeyOnDemand", {"KeyId": key_id})
        other.session.vault.store.close()

    def act(call: Call) -> Response:
        seen.append(call.find(key_id).record.current)
        if len(seen) == 1:
            rotating.start()
            while is_free(home.folder / "lock"):
                pass
        return Response()

    rotating = threading.Thread(target=rotate)
    with dispatch.Recorded(home.context, "DescribeKey", read_only=True) as recorded:
        recorded.use(act)
    rotating.join()
    assert seen == [1, 2]
    changed, used = home.lines()[-2:]
    assert (changed["eventName"], used["eventName"]) == ("RotateKeyOnDemand", "DescribeKey")
    assert used["vault"] == changed["vault"]


def test_work_that_falls_due_within_a_millisecond_is_done_once(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    with home.context.session.edit() as draft:
        draft.event = {"eventName": "Test"}
        key = draft.key(key_id)
        assert key is not None
        draft.put("key", key_id, msgspec.structs.replace(key.record, origin="EXTERNAL"))
        expiring = msgspec.structs.replace(key.versions[1], valid_to=clock() + timedelta(days=1))
        draft.put("version", f"{key_id}/00000001", expiring)
    # Operations are in whole milliseconds: the last of them before the material expires has begun.
    clock.move(days=1)
    assert home.state_of(key_id) == "Enabled"
    assert due.run_due(home.context).done == []
    clock.move(milliseconds=1)
    assert [found.operation for found in due.run_due(home.context).done] == ["DeleteExpiredKeyMaterial"]
    assert due.run_due(home.context).done == []
    assert home.state_of(key_id) == "PendingImport"
