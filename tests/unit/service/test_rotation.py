"""Rotation: on demand, by itself, and what is told of it."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from kmscli.service import managed
from tests.helpers import START, Clock, Home, with_limits

NOW = START.replace(microsecond=123000)
OPERATIONS = (
    "EnableKeyRotation",
    "DisableKeyRotation",
    "GetKeyRotationStatus",
    "ListKeyRotations",
    "RotateKeyOnDemand",
)


def material(home: Home, key_id: str) -> str:
    return str(home.perform("DescribeKey", KeyId=key_id).key_metadata.current_key_material_id)


def test_a_rotation_brings_other_material_and_keeps_the_key(home: Home) -> None:
    key_id = home.create_key()
    before = material(home, key_id)
    assert home.answer("RotateKeyOnDemand", KeyId=key_id) == {"KeyId": home.arn(key_id)}
    assert material(home, key_id) != before
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=b"x").ciphertext_blob
    assert home.perform("Decrypt", CiphertextBlob=blob).key_material_id == material(home, key_id)


def test_a_key_that_was_never_rotated_has_no_rotations(home: Home) -> None:
    assert home.answer("ListKeyRotations", KeyId=home.create_key()) == {"Rotations": [], "Truncated": False}


def test_rotations_are_listed_from_the_oldest(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    materials, dates = [], []
    for _ in range(2):
        clock.move(days=1)
        home.perform("RotateKeyOnDemand", KeyId=key_id)
        materials.append(material(home, key_id))
        dates.append(clock().replace(microsecond=123000))
    assert home.answer("ListKeyRotations", KeyId=key_id)["Rotations"] == [
        {
            "KeyId": home.arn(key_id),
            "KeyMaterialId": materials[number],
            "KeyMaterialState": state,
            "RotationDate": dates[number],
            "RotationType": "ON_DEMAND",
        }
        for number, state in enumerate(["NON_CURRENT", "CURRENT"])
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_the_pages_of_rotations_hold_each_once(home: Home, limit: int) -> None:
    key_id = home.create_key()
    made = []
    for _ in range(5):
        home.perform("RotateKeyOnDemand", KeyId=key_id)
        made.append(material(home, key_id))
    found: list[str] = []
    page = home.perform("ListKeyRotations", KeyId=key_id, Limit=limit)
    while page.truncated:
        assert len(page.rotations) == limit
        found += [rotation.key_material_id for rotation in page.rotations]
        page = home.perform("ListKeyRotations", KeyId=key_id, Limit=limit, Marker=page.next_marker)
    assert page.next_marker is None
    found += [rotation.key_material_id for rotation in page.rotations]
    assert found == made


@pytest.mark.parametrize(
    "text", ["", "1", "ListKeyRotations:", "ListKeyRotations", "ListKeys:00000001", "ListGrants:00000001"]
)
def test_a_marker_that_was_not_given_out_is_refused(home: Home, text: str) -> None:
    key_id = home.create_key()
    marker = base64.urlsafe_b64encode(text.encode()).decode() or "*"
    error = home.refused("ListKeyRotations", KeyId=key_id, Marker=marker)
    assert (error.code, error.exit_code) == ("InvalidMarkerException", 2)


@pytest.mark.parametrize("name", ["-1", "x", "0", "1", "\u0661", "00000001", "00000004", "99999999", "alias/a"])
def test_a_marker_that_was_made_up_shows_an_end_of_the_list_and_no_more(home: Home, name: str) -> None:
    key_id = home.create_key()
    for _ in range(3):
        home.perform("RotateKeyOnDemand", KeyId=key_id)
    whole = home.answer("ListKeyRotations", KeyId=key_id)["Rotations"]
    marker = base64.urlsafe_b64encode(f"ListKeyRotations:{name}".encode()).decode()
    shown = home.answer("ListKeyRotations", KeyId=key_id, Marker=marker)["Rotations"]
    assert shown == whole[len(whole) - len(shown) :]


def test_a_rotation_is_a_change_in_the_log_without_its_material(home: Home) -> None:
    key_id = home.create_key()
    home.perform("RotateKeyOnDemand", KeyId=key_id)
    line = home.lines()[-1]
    assert [(kind, record_id) for kind, record_id, _, _ in line["change"]] == [
        ("key", key_id),
        ("version", f"{key_id}/00000002"),
    ]
    assert line["responseElements"] == {"keyId": home.arn(key_id)}


# -- by itself ---------------------------------------------------------------------------------------------------------


def status(home: Home, key_id: str) -> dict[str, Any]:
    found = home.answer("GetKeyRotationStatus", KeyId=key_id)
    assert found.pop("KeyId") == home.arn(home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]["KeyId"])
    return found


def test_a_key_is_not_rotated_by_itself_unless_somebody_asks(home: Home) -> None:
    assert status(home, home.create_key()) == {"KeyRotationEnabled": False}


@pytest.mark.parametrize(("asked", "days"), [(None, 365), (90, 90), (365, 365), (2560, 2560)])
def test_the_status_tells_the_period_and_the_next_date(home: Home, asked: int | None, days: int) -> None:
    key_id = home.create_key()
    assert home.answer("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=asked) == {}
    assert status(home, key_id) == {
        "KeyRotationEnabled": True,
        "RotationPeriodInDays": days,
        "NextRotationDate": NOW + timedelta(days=days),
    }


@pytest.mark.parametrize("days", [0, 89, 2561, -90])
def test_the_period_has_90_to_2560_days(home: Home, days: int) -> None:
    key_id = home.create_key()
    error = home.refused("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=days)
    assert (error.code, error.exit_code) == ("ValidationException", 2)
    assert status(home, key_id) == {"KeyRotationEnabled": False}


def test_the_same_period_again_keeps_the_date_and_another_one_moves_it(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=100)
    clock.move(days=10)
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=100)
    assert status(home, key_id)["NextRotationDate"] == NOW + timedelta(days=100)
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    assert status(home, key_id)["NextRotationDate"] == NOW + timedelta(days=10 + 90)


def test_a_key_whose_rotation_is_disabled_stays_as_it_is(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    for _ in range(2):
        assert home.answer("DisableKeyRotation", KeyId=key_id) == {}
    assert status(home, key_id) == {"KeyRotationEnabled": False}
    before = material(home, key_id)
    clock.move(days=400)
    assert material(home, key_id) == before


def test_a_rotation_by_itself_is_listed_as_one_and_keeps_old_ciphertexts_readable(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    first = material(home, key_id)
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=b"old").ciphertext_blob
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=90)
    opened = home.perform("Decrypt", CiphertextBlob=blob)
    assert (opened.plaintext, opened.key_material_id) == (b"old", first)
    assert home.answer("ListKeyRotations", KeyId=key_id)["Rotations"] == [
        {
            "KeyId": home.arn(key_id),
            "KeyMaterialId": material(home, key_id),
            "KeyMaterialState": "CURRENT",
            "RotationDate": NOW + timedelta(days=90),
            "RotationType": "AUTOMATIC",
        }
    ]


def test_all_key_material_adds_the_first_which_came_by_no_rotation(home: Home) -> None:
    key_id = home.create_key()
    first = material(home, key_id)
    home.perform("RotateKeyOnDemand", KeyId=key_id)
    rotations = home.answer("ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ROTATIONS_ONLY")["Rotations"]
    assert rotations == home.answer("ListKeyRotations", KeyId=key_id)["Rotations"]
    assert home.answer("ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"] == [
        {"KeyId": home.arn(key_id), "KeyMaterialId": first, "KeyMaterialState": "NON_CURRENT"},
        *rotations,
    ]


def test_the_status_in_each_state(home: Home) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id)
    home.perform("DisableKey", KeyId=key_id)
    assert status(home, key_id)["KeyRotationEnabled"] is True
    home.perform("ScheduleKeyDeletion", KeyId=key_id)
    assert status(home, key_id) == {"KeyRotationEnabled": False}
    home.perform("CancelKeyDeletion", KeyId=key_id)
    assert status(home, key_id)["KeyRotationEnabled"] is True


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"])
def test_rotation_of_a_key_that_is_not_enabled_is_not_touched(home: Home, operation: str) -> None:
    key_id = home.create_key()
    home.perform("DisableKey", KeyId=key_id)
    assert home.refused(operation, KeyId=key_id).code == "DisabledException"
    home.perform("ScheduleKeyDeletion", KeyId=key_id)
    assert home.refused(operation, KeyId=key_id).code == "KMSInvalidStateException"


# -- what does not rotate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("ML_DSA_44", "SIGN_VERIFY"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
    ],
)
def test_only_symmetric_encryption_keys_rotate(home: Home, spec: str, usage: str) -> None:
    key_id = home.create_key(KeySpec=spec, KeyUsage=usage)
    for operation in OPERATIONS:
        error = home.refused(operation, KeyId=key_id)
        assert (error.code, error.exit_code) == ("UnsupportedOperationException", 61)
        assert error.message == f"{home.arn(key_id)} key spec is {spec} which is not valid for this operation."


def test_imported_material_is_never_rotated_by_itself(home: Home) -> None:
    key_id = home.create_key(Origin="EXTERNAL")
    for operation in ("EnableKeyRotation", "DisableKeyRotation"):
        error = home.refused(operation, KeyId=key_id)
        assert (error.code, error.exit_code) == ("UnsupportedOperationException", 61)
        assert error.message == f"{home.arn(key_id)} origin is EXTERNAL which is not valid for this operation."
    assert status(home, key_id) == {"KeyRotationEnabled": False}
    assert home.answer("ListKeyRotations", KeyId=key_id)["Rotations"] == []


def test_a_key_that_kms_manages_rotates_every_year_and_nobody_changes_that(home: Home, clock: Clock) -> None:
    name = managed.managed_key(home.context, managed.FILES)
    before = material(home, name)
    assert status(home, name) == {
        "KeyRotationEnabled": True,
        "RotationPeriodInDays": 365,
        "NextRotationDate": NOW + timedelta(days=365),
    }
    for operation in ("EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"):
        assert home.refused(operation, KeyId=name).code == "AccessDeniedException"
    clock.move(days=365)
    assert material(home, name) != before
    assert status(home, name)["NextRotationDate"] == NOW + timedelta(days=2 * 365)


# -- on demand, within bounds ------------------------------------------------------------------------------------------


def test_aws_has_25_rotations_on_demand_in_the_life_of_a_key(home: Home, clock: Clock) -> None:
    with_limits(home, "aws")
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=90)
    for _ in range(25):
        home.perform("RotateKeyOnDemand", KeyId=key_id)
    error = home.refused("RotateKeyOnDemand", KeyId=key_id)
    assert (error.code, error.exit_code) == ("LimitExceededException", 31)
    assert "25" in error.message
    types = [each["RotationType"] for each in home.answer("ListKeyRotations", KeyId=key_id)["Rotations"]]
    assert types == ["AUTOMATIC", *["ON_DEMAND"] * 25]


def test_a_vault_of_one_s_own_rotates_as_often_as_one_likes(home: Home) -> None:
    key_id = home.create_key()
    for _ in range(26):
        home.perform("RotateKeyOnDemand", KeyId=key_id)
    assert len(home.perform("ListKeyRotations", KeyId=key_id).rotations) == 26


@pytest.mark.parametrize(("before", "refused"), [({"minutes": 20}, True), ({"minutes": 20, "milliseconds": 1}, False)])
def test_no_rotation_on_demand_within_20_minutes_of_one_by_itself(
    home: Home, clock: Clock, before: dict[str, float], *, refused: bool
) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.now = NOW + timedelta(days=90) - timedelta(**before)
    if not refused:
        home.perform("RotateKeyOnDemand", KeyId=key_id)
        return
    error = home.refused("RotateKeyOnDemand", KeyId=key_id)
    assert (error.code, error.exit_code) == ("ConflictException", 22)
    assert home.answer("ListKeyRotations", KeyId=key_id)["Rotations"] == []


def test_a_rotation_on_demand_does_not_move_the_next_one_by_itself(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=40)
    home.perform("RotateKeyOnDemand", KeyId=key_id)
    assert status(home, key_id)["NextRotationDate"] == NOW + timedelta(days=90)


def test_a_rotation_on_demand_after_the_date_finds_the_other_one_done(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=91)
    home.perform("RotateKeyOnDemand", KeyId=key_id)
    types = [each["RotationType"] for each in home.answer("ListKeyRotations", KeyId=key_id)["Rotations"]]
    assert types == ["AUTOMATIC", "ON_DEMAND"]
