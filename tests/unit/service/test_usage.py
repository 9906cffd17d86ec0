"""GetKeyLastUsage: the last successful cryptographic operation, from the audit log."""

from datetime import timedelta
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.audit.usage import USES
from kmscli.service.operations import OPERATIONS
from kmscli.storage import segments
from tests.helpers import Clock, Home


def used(home: Home, key_id: str) -> dict[str, object]:
    found: dict[str, object] = home.answer("GetKeyLastUsage", KeyId=key_id)["KeyLastUsage"]
    return found


def test_a_key_that_was_never_used_has_an_empty_last_usage(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    created = home.perform("DescribeKey", KeyId=key_id).key_metadata.creation_date
    clock.move(days=1)
    assert home.answer("GetKeyLastUsage", KeyId=key_id) == {
        "KeyId": home.arn(key_id),
        "KeyLastUsage": {},
        "TrackingStartDate": created,
        "KeyCreationDate": created,
    }


def test_the_last_use_is_told_with_the_ids_of_its_line(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("Encrypt", KeyId=key_id, Plaintext=b"x")
    clock.move(hours=1)
    home.perform("GenerateDataKey", KeyId=key_id, KeySpec="AES_256")
    line = home.lines()[-1]
    clock.move(hours=1)
    home.perform("DescribeKey", KeyId=key_id)
    assert used(home, key_id) == {
        "Operation": "GenerateDataKey",
        "Timestamp": (clock() - timedelta(hours=1)).replace(microsecond=0),
        "CloudTrailEventId": line["eventID"],
        "KmsRequestId": line["requestID"],
    }


def test_what_failed_or_was_only_tried_is_no_use(home: Home) -> None:
    key_id = home.create_key()
    with pytest.raises(errors.DryRunError):
        home.perform("Encrypt", KeyId=key_id, Plaintext=b"x", DryRun=True)
    home.refused("Decrypt", KeyId=key_id, CiphertextBlob=b"x")
    home.perform("RotateKeyOnDemand", KeyId=key_id)
    assert used(home, key_id) == {}


def test_a_re_encryption_is_a_use_of_both_keys(home: Home) -> None:
    source, target = home.create_key(), home.create_key()
    blob = home.perform("Encrypt", KeyId=source, Plaintext=b"x").ciphertext_blob
    home.perform("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=target)
    assert [used(home, key)["Operation"] for key in (source, target)] == ["ReEncrypt", "ReEncrypt"]


def test_the_uses_of_a_key_are_its_cryptographic_operations() -> None:
    # GenerateRandom uses no key.
    assert {name for name, row in OPERATIONS.items() if row.crypto} - {"GenerateRandom"} == set(USES)


def test_no_reader_keeps_writers_waiting_while_summaries_are_made(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.folder / "config.toml").write_text("[audit]\nsegment_bytes = 4096\n")
    key_id = home.create_key()
    home.perform("Encrypt", KeyId=key_id, Plaintext=b"x")
    for _ in range(20):
        home.perform("GenerateRandom", NumberOfBytes=1)
    reading: list[bool] = []
    keep = segments.keep_summary

    def kept(folder: Path, number: int, data: bytes) -> None:
        reading.append(home.context.session.vault.store._db.in_transaction)
        keep(folder, number, data)

    monkeypatch.setattr(segments, "keep_summary", kept)
    assert used(home, key_id)["Operation"] == "Encrypt"
    assert reading
    assert not any(reading)


def test_a_rotation_that_is_due_comes_before_the_question(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=91)
    assert used(home, key_id) == {}
    assert [line["eventName"] for line in home.lines()[-2:]] == ["RotateKey", "GetKeyLastUsage"]
