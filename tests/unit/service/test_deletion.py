"""ScheduleKeyDeletion, CancelKeyDeletion."""

from datetime import timedelta

import pytest

from tests.helpers import Clock, Home


@pytest.mark.parametrize(("asked", "days"), [(None, 30), (7, 7), (30, 30)])
def test_a_key_waits_for_its_deletion(home: Home, asked: int | None, days: int) -> None:
    key_id = home.create_key()
    date = (home.clock() + timedelta(days=days)).replace(microsecond=123000)
    assert home.answer("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=asked) == {
        "KeyId": home.arn(key_id),
        "DeletionDate": date,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }
    metadata = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert (metadata["DeletionDate"], metadata["KeyState"], metadata["Enabled"]) == (date, "PendingDeletion", False)


@pytest.mark.parametrize("days", [0, 1, 6, 31, 365, -7])
def test_the_wait_has_7_to_30_days(home: Home, days: int) -> None:
    key_id = home.create_key()
    error = home.refused("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=days)
    assert (error.code, error.exit_code) == ("ValidationException", 2)
    assert home.state_of(key_id) == "Enabled"


def test_a_second_deletion_is_refused_and_does_not_move_the_date(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("ScheduleKeyDeletion", KeyId=key_id)
    before = home.answer("DescribeKey", KeyId=key_id)
    clock.move(days=1)
    assert home.refused("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7).code == "KMSInvalidStateException"
    assert home.answer("DescribeKey", KeyId=key_id) == before


@pytest.mark.parametrize("disabled", [False, True])
def test_a_cancelled_deletion_leaves_the_key_disabled(home: Home, *, disabled: bool) -> None:
    key_id = home.create_key()
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=b"x").ciphertext_blob
    if disabled:
        home.perform("DisableKey", KeyId=key_id)
    home.perform("ScheduleKeyDeletion", KeyId=key_id)
    assert home.answer("CancelKeyDeletion", KeyId=key_id) == {"KeyId": home.arn(key_id)}
    metadata = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert metadata["KeyState"] == "Disabled"
    assert "DeletionDate" not in metadata
    home.perform("EnableKey", KeyId=key_id)
    assert home.perform("Decrypt", CiphertextBlob=blob).plaintext == b"x"


def test_nothing_is_cancelled_where_nothing_is_pending(home: Home) -> None:
    key_id = home.create_key()
    error = home.refused("CancelKeyDeletion", KeyId=key_id)
    assert (error.code, error.message) == ("KMSInvalidStateException", f"{home.arn(key_id)} is not pending deletion.")
