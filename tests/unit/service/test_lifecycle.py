"""What time does to a key, told from its records alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from kmscli.formats.record import KeyRecord, VersionRecord
from kmscli.model.key import KeyState
from kmscli.service import lifecycle
from kmscli.vault.records import KeyGroup

ARN = "arn:aws:kms:local:000000000000:key/key"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(milliseconds=1)
DAY = timedelta(days=1)
RECORD = KeyRecord(
    key_id="key",
    created=NOW - DAY,
    key_spec="SYMMETRIC_DEFAULT",
    key_usage="ENCRYPT_DECRYPT",
    origin="AWS_KMS",
    manager="CUSTOMER",
    state="Enabled",
    current=1,
    kek=1,
)


def version(number: int, *, sealed: bytes = b"sealed", valid_to: datetime | None = None) -> VersionRecord:
    material_id = f"{number:064x}"
    return VersionRecord(
        key_id="key", number=number, created=NOW - DAY, material_id=material_id, sealed=sealed, valid_to=valid_to
    )


def group(*versions: VersionRecord, **members: Any) -> KeyGroup:
    return KeyGroup(ARN, msgspec.structs.replace(RECORD, **members), {each.number: each for each in versions}, {})


def imported(*versions: VersionRecord, **members: Any) -> KeyGroup:
    return group(*versions, origin="EXTERNAL", **members)


GONE = {"sealed": b""}
OVER = {"valid_to": NOW}
SOON = {"valid_to": NOW + TICK}


@pytest.mark.parametrize(
    ("members", "there"),
    [({}, True), (SOON, True), (OVER, False), ({"valid_to": NOW - DAY}, False), (GONE, False), (GONE | SOON, False)],
    ids=str,
)
def test_material_is_there_until_the_very_time_of_its_end(members: dict[str, Any], *, there: bool) -> None:
    assert lifecycle.has_material(version(1, **members), NOW) is there


@pytest.mark.parametrize("state", ["Enabled", "Disabled", "PendingDeletion"])
def test_the_state_of_a_key_of_kms_s_own_is_the_one_that_is_written(state: str) -> None:
    assert lifecycle.state_of(group(version(1), state=state), NOW) == KeyState(state)


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (imported(current=0), "PendingImport"),
        (imported(current=0, state="Disabled"), "PendingImport"),
        (imported(current=0, state="PendingDeletion"), "PendingDeletion"),
        (imported(version(1)), "Enabled"),
        (imported(version(1), state="Disabled"), "Disabled"),
        (imported(version(1, **SOON)), "Enabled"),
        (imported(version(1, **OVER)), "PendingImport"),
        (imported(version(1, **OVER), state="Disabled"), "PendingImport"),
        (imported(version(1, **OVER), state="PendingDeletion"), "PendingDeletion"),
        (imported(version(1, **GONE)), "PendingImport"),
        (imported(version(1, **GONE), version(2), current=2), "PendingImport"),
        (imported(version(1), version(2, **OVER), current=2), "PendingImport"),
        (imported(version(1), version(2), current=2), "Enabled"),
        (imported(version(1), version(2, **OVER), current=1), "Enabled"),
        (imported(version(1), version(2, **SOON), current=1), "Enabled"),
        (imported(version(1, **GONE), version(2), current=1), "PendingImport"),
    ],
)
def test_the_state_of_a_key_of_imported_material_follows_from_the_materials_in_use(key: KeyGroup, state: str) -> None:
    assert lifecycle.state_of(key, NOW) == KeyState(state)


@pytest.mark.parametrize(
    ("date", "gone"), [(None, False), (NOW + TICK, False), (NOW, True), (NOW - DAY, True)], ids=str
)
def test_a_key_is_gone_at_the_very_time_of_its_deletion(date: datetime | None, *, gone: bool) -> None:
    assert lifecycle.is_gone(group(version(1), state="PendingDeletion", deletion_date=date), NOW) is gone


@pytest.mark.parametrize(
    ("state", "date", "due"),
    [
        ("Enabled", None, False),
        ("Enabled", NOW + TICK, False),
        ("Enabled", NOW, True),
        ("Enabled", NOW - 1000 * DAY, True),
        ("Disabled", NOW, False),
        ("PendingDeletion", NOW, False),
    ],
)
def test_a_rotation_is_due_at_its_date_while_the_key_is_enabled(
    state: str, date: datetime | None, *, due: bool
) -> None:
    key = group(version(1), state=state, next_rotation=date)
    assert lifecycle.is_rotation_due(key, NOW) is due
    assert lifecycle.due(key, NOW) == ("RotateKey" if due else None)


def test_the_end_of_a_key_comes_before_whatever_else_is_due() -> None:
    key = imported(version(1, **OVER), state="PendingDeletion", deletion_date=NOW)
    assert lifecycle.due(key, NOW) == "DeleteKey"


def test_what_expired_is_due_until_it_is_written_down_also_where_nobody_misses_it() -> None:
    key = imported(version(1, **OVER), version(2), version(3, **OVER), version(4, **SOON), current=2)
    assert lifecycle.due(key, NOW) == "DeleteExpiredKeyMaterial"
    assert [each.number for each in lifecycle.expired(key, NOW)] == [1, 3]
    pending = imported(version(1), version(2, **OVER), current=1)
    assert lifecycle.due(pending, NOW) == "DeleteExpiredKeyMaterial"
    assert lifecycle.due(imported(version(1, **GONE), current=1), NOW) is None
    assert lifecycle.due(imported(version(1, **OVER), state="PendingDeletion", deletion_date=NOW + TICK), NOW)


@pytest.mark.parametrize(
    ("key", "turn"),
    [
        (group(version(1)), None),
        (group(version(1), next_rotation=NOW + DAY), NOW + DAY),
        (group(version(1), next_rotation=NOW), None),
        (group(version(1), state="PendingDeletion", deletion_date=NOW + DAY, next_rotation=NOW + TICK), NOW + TICK),
        (imported(version(1, valid_to=NOW + DAY), version(2, **SOON)), NOW + TICK),
        (imported(version(1, valid_to=NOW + DAY), version(2, **OVER)), NOW + DAY),
    ],
)
def test_the_next_turn_of_a_key_is_the_first_time_ahead(key: KeyGroup, turn: datetime | None) -> None:
    assert lifecycle.turning_point(key, NOW) == turn


@pytest.mark.parametrize("days", range(10))
def test_nothing_changes_by_itself_before_the_next_turn(days: int) -> None:
    key = imported(
        version(1, valid_to=NOW + 3 * DAY),
        version(2, valid_to=NOW + 5 * DAY),
        state="PendingDeletion",
        deletion_date=NOW + 7 * DAY,
        current=1,
    )
    now = NOW + days * DAY
    turn = lifecycle.turning_point(key, now)

    def found(at: datetime) -> tuple[object, ...]:
        return lifecycle.state_of(key, at), lifecycle.is_gone(key, at), lifecycle.due(key, at)

    assert found(now) == found(now + 1000 * DAY if turn is None else turn - TICK)


@pytest.mark.parametrize("state", ["Enabled", "Disabled"])
def test_to_a_key_without_dates_time_does_nothing(state: str) -> None:
    key = group(version(1), version(2), state=state)
    assert not lifecycle.has_dates(key.record)
    for now in (NOW - 1000 * DAY, NOW, NOW + 1000 * DAY):
        assert (lifecycle.turning_point(key, now), lifecycle.due(key, now), lifecycle.is_gone(key, now)) == (
            None,
            None,
            False,
        )


@pytest.mark.parametrize(
    "key",
    [
        group(version(1), state="PendingDeletion", deletion_date=NOW),
        group(version(1), next_rotation=NOW),
        imported(version(1)),
    ],
)
def test_a_key_with_a_date_or_imported_material_has_dates(key: KeyGroup) -> None:
    assert lifecycle.has_dates(key.record)
