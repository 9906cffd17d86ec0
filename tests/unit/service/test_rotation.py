"""RotateKeyOnDemand, ListKeyRotations."""

import base64

import pytest

from tests.helpers import Clock, Home


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
