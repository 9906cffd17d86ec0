"""Key material that its owner brings: wrapped, bound to a token, and the same again or nothing."""

import hashlib
import hmac
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import START, Clock, Home
from tests.importing import (
    FOR_EVER,
    OAEP,
    Owned,
    bring,
    curve,
    edwards,
    external,
    prepared,
    reuse_wrapping_keys,
    rsa_2048,
    symmetric,
    wrapped,
)
from tests.importing import hmac as hmac_key

NOW = START.replace(microsecond=123000)
A, B, C = os.urandom(32), os.urandom(32), os.urandom(32)
EXISTING, NEW = {"ImportType": "EXISTING_KEY_MATERIAL"}, {"ImportType": "NEW_KEY_MATERIAL"}
KINDS = [
    symmetric,
    *(lambda bits=bits: hmac_key(bits) for bits in (224, 256, 384, 512)),
    *(lambda spec=spec: curve(spec) for spec in ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1")),
    edwards,
    rsa_2048,
]


@pytest.fixture(autouse=True)
def _one_wrapping_key_of_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_wrapping_keys(monkeypatch)


def metadata(home: Home, key_id: str) -> dict[str, Any]:
    found: dict[str, Any] = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    return found


def materials(home: Home, key_id: str) -> list[dict[str, Any]]:
    found = home.answer("ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    return [{name: value for name, value in each.items() if name != "KeyId"} for each in found]


def states(home: Home, key_id: str) -> list[tuple[str, str]]:
    return [(each["KeyMaterialState"], each["ImportState"]) for each in materials(home, key_id)]


def encrypt(home: Home, key_id: str, plaintext: bytes = b"x") -> bytes:
    blob = home.perform("Encrypt", KeyId=key_id, Plaintext=plaintext).ciphertext_blob
    assert isinstance(blob, bytes)
    return blob


# -- wrapping ----------------------------------------------------------------------------------------------------------


def check_use(home: Home, key_id: str, owned: Owned) -> None:
    """The key works with the very material that was brought."""
    if owned.public:
        assert home.perform("GetPublicKey", KeyId=key_id).public_key == owned.public
    elif owned.usage == "GENERATE_VERIFY_MAC":
        bits = owned.spec.removeprefix("HMAC_")
        made = home.perform("GenerateMac", KeyId=key_id, Message=b"m", MacAlgorithm=f"HMAC_SHA_{bits}").mac
        assert made == hmac.digest(owned.material, b"m", f"sha{bits}")
    else:
        assert home.perform("Decrypt", CiphertextBlob=encrypt(home, key_id)).plaintext == b"x"


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
@pytest.mark.parametrize(
    "algorithm",
    ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"],
)
def test_each_kind_of_material_comes_in_by_each_way_of_wrapping_that_it_fits(
    home: Home, algorithm: str, spec: str
) -> None:
    room = int(spec.removeprefix("RSA_")) // 8 - 2 * (20 if algorithm.endswith("SHA_1") else 32) - 2
    for make in KINDS:
        owned = make()
        key_id = external(home, owned)
        assert metadata(home, key_id)["KeyState"] == "PendingImport"
        if algorithm.startswith("RSAES_OAEP") and len(owned.material) > room:
            with pytest.raises(ValueError):
                prepared(home, key_id, owned.material, algorithm=algorithm, spec=spec)
            continue
        members = prepared(home, key_id, owned.material, algorithm=algorithm, spec=spec)
        answer = home.answer("ImportKeyMaterial", **members, **FOR_EVER)
        assert answer["KeyId"] == home.arn(key_id)
        assert ("KeyMaterialId" in answer) == (owned.spec == "SYMMETRIC_DEFAULT")
        assert metadata(home, key_id)["KeyState"] == "Enabled"
        check_use(home, key_id, owned)


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
def test_an_rsa_key_does_not_fit_into_plain_oaep(home: Home, spec: str) -> None:
    owned = rsa_2048()
    key_id = external(home, owned)
    with pytest.raises(ValueError):
        prepared(home, key_id, owned.material, algorithm="RSAES_OAEP_SHA_1", spec=spec)


@pytest.mark.parametrize(
    ("algorithm", "spec"), [("RSAES_PKCS1_V1_5", "RSA_2048"), ("SM2PKE", "RSA_2048"), (OAEP, "SM2")]
)
def test_what_is_retired_or_of_china_alone_is_not_supported(home: Home, algorithm: str, spec: str) -> None:
    key_id = external(home)
    members = {"KeyId": key_id, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec}
    error = home.refused("GetParametersForImport", **members)
    assert (error.code, error.exit_code) == ("UnsupportedOperationException", 61)


def test_the_parameters_are_good_for_a_day(home: Home) -> None:
    key_id = external(home)
    answer = home.answer("GetParametersForImport", KeyId=key_id, WrappingAlgorithm=OAEP, WrappingKeySpec="RSA_2048")
    assert answer["KeyId"] == home.arn(key_id)
    assert answer["ParametersValidTo"] == NOW + timedelta(hours=24)
    assert set(answer) == {"KeyId", "ImportToken", "PublicKey", "ParametersValidTo"}


def test_neither_parameters_nor_import_leave_bytes_in_the_log(home: Home) -> None:
    key_id = external(home)
    bring(home, key_id, A)
    line = home.lines()[-1]
    assert line["requestParameters"] == {"keyId": key_id, "expirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    log = b"\n".join(home.raw_lines())
    assert A not in log
    assert A.hex().encode() not in log


# -- what the material must be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owned", "material"),
    [
        (symmetric(), bytes(31)),
        (symmetric(), bytes(33)),
        (symmetric(), bytes(16)),
        (hmac_key(224), bytes(32)),
        (hmac_key(256), bytes(28)),
        (hmac_key(512), bytes(48)),
        (curve("ECC_NIST_P256"), curve("ECC_SECG_P256K1").material),
        (curve("ECC_NIST_P256"), bytes(32)),
        (curve("ECC_NIST_P384"), curve("ECC_NIST_P256").material),
        (edwards(), curve("ECC_NIST_P256").material),
        (rsa_2048(), edwards().material),
    ],
    ids=lambda value: value.spec if isinstance(value, Owned) else str(len(value)),
)
def test_material_of_another_length_or_kind_is_refused(home: Home, owned: Owned, material: bytes) -> None:
    key_id = external(home, owned)
    error = home.refused("ImportKeyMaterial", **prepared(home, key_id, material), **FOR_EVER)
    assert (error.code, error.exit_code) == ("IncorrectKeyMaterialException", 24)
    assert metadata(home, key_id)["KeyState"] == "PendingImport"


def test_material_under_another_wrapping_key_does_not_unwrap(home: Home) -> None:
    key_id = external(home)
    members = prepared(home, key_id, A)
    other = prepared(home, key_id, A, spec="RSA_3072")
    error = home.refused(
        "ImportKeyMaterial", **(members | {"EncryptedKeyMaterial": other["EncryptedKeyMaterial"]}), **FOR_EVER
    )
    assert (error.code, error.exit_code) == ("InvalidCiphertextException", 40)
    assert "wrapping key" in error.message


def test_material_wrapped_in_another_way_than_was_asked_for_does_not_unwrap(home: Home) -> None:
    key_id = external(home)
    found = home.perform("GetParametersForImport", KeyId=key_id, WrappingAlgorithm=OAEP, WrappingKeySpec="RSA_2048")
    for algorithm in ("RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"):
        encrypted = wrapped(found.public_key, A, algorithm)
        members = {"KeyId": key_id, "ImportToken": found.import_token, "EncryptedKeyMaterial": encrypted}
        assert home.refused("ImportKeyMaterial", **members, **FOR_EVER).code == "InvalidCiphertextException"


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("GetParametersForImport", {"WrappingAlgorithm": OAEP, "WrappingKeySpec": "RSA_2048"}),
        ("ImportKeyMaterial", {"ImportToken": b"t", "EncryptedKeyMaterial": b"m", **FOR_EVER}),
        ("DeleteImportedKeyMaterial", {}),
    ],
)
def test_material_that_kms_made_is_neither_replaced_nor_deleted(
    home: Home, operation: str, members: dict[str, Any]
) -> None:
    key_id = home.create_key()
    error = home.refused(operation, KeyId=key_id, **members)
    assert (error.code, error.exit_code) == ("UnsupportedOperationException", 61)
    assert error.message == f"{home.arn(key_id)} origin is AWS_KMS which is not valid for this operation."


@pytest.mark.parametrize(("spec", "usage"), [("ML_DSA_44", "SIGN_VERIFY"), ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE")])
def test_lattice_keys_are_not_brought(home: Home, spec: str, usage: str) -> None:
    error = home.refused("CreateKey", Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)
    assert error.code == "UnsupportedOperationException"


# -- the token ---------------------------------------------------------------------------------------------------------


def test_a_token_is_of_one_key(home: Home) -> None:
    one, other = external(home), external(home)
    error = home.refused("ImportKeyMaterial", **(prepared(home, one, A) | {"KeyId": other}), **FOR_EVER)
    assert (error.code, error.exit_code) == ("InvalidImportTokenException", 24)


def test_a_token_is_of_one_vault(home: Home, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    there = Home(tmp_path / "other").init()
    members = prepared(there, external(there), A)
    there.close()
    error = home.refused("ImportKeyMaterial", **(members | {"KeyId": external(home)}), **FOR_EVER)
    assert error.code == "InvalidImportTokenException"


def test_a_token_with_a_changed_bit_is_refused(home: Home) -> None:
    key_id = external(home)
    members = prepared(home, key_id, A)
    token = members["ImportToken"]
    for place in [*range(0, 80, 3), *range(80, len(token), 97), len(token) - 1]:
        changed = bytearray(token)
        changed[place] ^= 1
        error = home.refused("ImportKeyMaterial", **(members | {"ImportToken": bytes(changed)}), **FOR_EVER)
        assert error.code == "InvalidImportTokenException"
    for cut in (token[:1], token[:5], token[:-1], token + b"\0"):
        error = home.refused("ImportKeyMaterial", **(members | {"ImportToken": cut}), **FOR_EVER)
        assert error.code == "InvalidImportTokenException"
    home.perform("ImportKeyMaterial", **members, **FOR_EVER)


@pytest.mark.parametrize(("age", "expired"), [({"hours": 24, "milliseconds": -1}, False), ({"hours": 24}, True)])
def test_a_token_lives_for_24_hours(home: Home, clock: Clock, age: dict[str, float], *, expired: bool) -> None:
    key_id = external(home)
    members = prepared(home, key_id, A)
    clock.now = NOW + timedelta(**age)
    if not expired:
        home.perform("ImportKeyMaterial", **members, **FOR_EVER)
        return
    error = home.refused("ImportKeyMaterial", **members, **FOR_EVER)
    assert (error.code, error.exit_code) == ("ExpiredImportTokenException", 24)
    assert metadata(home, key_id)["KeyState"] == "PendingImport"


# -- expiry ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"ExpirationModel": "KEY_MATERIAL_EXPIRES"},
        {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ValidTo": NOW + timedelta(days=1)},
        {"ValidTo": NOW},
        {"ValidTo": NOW - timedelta(seconds=1)},
        {"ValidTo": NOW + timedelta(days=365, milliseconds=1)},
        {"ValidTo": 0},
        {"ValidTo": "tomorrow"},
    ],
    ids=str,
)
def test_expiration_model_and_time_must_agree(home: Home, members: dict[str, Any]) -> None:
    key_id = external(home)
    error = home.refused("ImportKeyMaterial", **prepared(home, key_id, A), **members)
    assert (error.code, error.exit_code) == ("ValidationException", 2)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (NOW + timedelta(days=365), NOW + timedelta(days=365)),
        (NOW + timedelta(milliseconds=1), NOW + timedelta(milliseconds=1)),
        ((NOW + timedelta(days=1)).isoformat(), NOW + timedelta(days=1)),
        (int(NOW.timestamp()) + 60, NOW.replace(microsecond=0) + timedelta(minutes=1)),
        (datetime(2026, 3, 2, 14, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("2026-03-02T12:00:00", datetime(2026, 3, 2, 12, tzinfo=UTC)),
        (NOW + timedelta(days=1, microseconds=999), NOW + timedelta(days=1)),
    ],
    ids=str,
)
def test_material_expires_when_it_is_said_to_in_whole_milliseconds(home: Home, given: object, kept: datetime) -> None:
    key_id = external(home)
    bring(home, key_id, A, ValidTo=given)
    found = metadata(home, key_id)
    assert (found["ValidTo"], found["ExpirationModel"]) == (kept, "KEY_MATERIAL_EXPIRES")
    assert materials(home, key_id)[0]["ValidTo"] == kept


def test_material_that_does_not_expire_says_so(home: Home) -> None:
    key_id = external(home)
    assert "ExpirationModel" not in metadata(home, key_id)
    bring(home, key_id, A)
    assert metadata(home, key_id)["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    assert "ValidTo" not in metadata(home, key_id)


@pytest.mark.parametrize("early", [0, 1])
def test_expired_material_is_gone_at_the_very_time(home: Home, clock: Clock, early: int) -> None:
    key_id = external(home)
    bring(home, key_id, A, ValidTo=NOW + timedelta(days=1))
    blob = encrypt(home, key_id)
    clock.now = NOW + timedelta(days=1) - timedelta(milliseconds=early)
    if early:
        assert home.perform("Decrypt", CiphertextBlob=blob).plaintext == b"x"
        return
    error = home.refused("Decrypt", CiphertextBlob=blob)
    assert (error.code, error.exit_code) == ("KMSInvalidStateException", 22)
    assert error.message == f"{home.arn(key_id)} is pending import."
    found = metadata(home, key_id)
    assert found["KeyState"] == "PendingImport"
    assert "ValidTo" not in found
    assert "ExpirationModel" not in found


def test_the_same_material_again_opens_what_it_encrypted(home: Home, clock: Clock) -> None:
    key_id = external(home)
    answer = bring(home, key_id, A, ValidTo=NOW + timedelta(days=1))
    blob = encrypt(home, key_id)
    clock.move(days=2)
    assert bring(home, key_id, A) == answer
    assert home.perform("Decrypt", CiphertextBlob=blob).plaintext == b"x"
    assert metadata(home, key_id)["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"


def test_the_same_material_again_replaces_its_expiry(home: Home) -> None:
    key_id = external(home)
    bring(home, key_id, A, ValidTo=NOW + timedelta(days=1))
    bring(home, key_id, A, ValidTo=NOW + timedelta(days=5))
    assert metadata(home, key_id)["ValidTo"] == NOW + timedelta(days=5)


def test_the_expiry_of_a_key_is_that_of_the_first_of_its_materials(home: Home) -> None:
    key_id = external(home)
    bring(home, key_id, A, ValidTo=NOW + timedelta(days=5))
    bring(home, key_id, B, **NEW, ValidTo=NOW + timedelta(days=3))
    assert metadata(home, key_id)["ValidTo"] == NOW + timedelta(days=5)
    home.perform("RotateKeyOnDemand", KeyId=key_id)
    assert metadata(home, key_id)["ValidTo"] == NOW + timedelta(days=3)


# -- several materials -------------------------------------------------------------------------------------------------


def test_new_material_waits_for_its_rotation(home: Home) -> None:
    key_id = external(home)
    first = bring(home, key_id, A, KeyMaterialDescription="the first")["KeyMaterialId"]
    before = encrypt(home, key_id, b"before")
    second = bring(home, key_id, B, **NEW)["KeyMaterialId"]
    assert first != second
    assert materials(home, key_id) == [
        {
            "KeyMaterialId": first,
            "KeyMaterialDescription": "the first",
            "ImportState": "IMPORTED",
            "KeyMaterialState": "CURRENT",
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        },
        {
            "KeyMaterialId": second,
            "ImportState": "IMPORTED",
            "KeyMaterialState": "PENDING_ROTATION",
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        },
    ]
    assert metadata(home, key_id)["CurrentKeyMaterialId"] == first
    assert home.answer("ListKeyRotations", KeyId=key_id)["Rotations"] == []
    home.perform("RotateKeyOnDemand", KeyId=key_id)
    assert metadata(home, key_id)["CurrentKeyMaterialId"] == second
    (rotation,) = home.answer("ListKeyRotations", KeyId=key_id)["Rotations"]
    assert (rotation["KeyMaterialId"], rotation["RotationType"], rotation["RotationDate"]) == (second, "ON_DEMAND", NOW)
    after = encrypt(home, key_id, b"after")
    opened = [home.perform("Decrypt", CiphertextBlob=blob) for blob in (before, after)]
    assert [(each.plaintext, each.key_material_id) for each in opened] == [(b"before", first), (b"after", second)]


def test_without_new_material_there_is_nothing_to_rotate_to(home: Home) -> None:
    key_id = external(home)
    assert home.refused("RotateKeyOnDemand", KeyId=key_id).code == "KMSInvalidStateException"
    bring(home, key_id, A)
    error = home.refused("RotateKeyOnDemand", KeyId=key_id)
    assert (error.code, error.exit_code) == ("KMSInvalidStateException", 22)
    assert "pending rotation" in error.message


def test_one_material_at_a_time_waits_for_its_rotation(home: Home) -> None:
    key_id = external(home)
    bring(home, key_id, A)
    bring(home, key_id, B, **NEW)
    error = home.refused("ImportKeyMaterial", **prepared(home, key_id, C), **NEW, **FOR_EVER)
    assert error.code == "KMSInvalidStateException"
    home.perform("RotateKeyOnDemand", KeyId=key_id)
    bring(home, key_id, C, **NEW)


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_used_version_without_its_material_makes_the_key_wait_for_it(home: Home, clock: Clock, how: str) -> None:
    key_id = external(home)
    expiry = {"ValidTo": NOW + timedelta(days=1)} if how == "expired" else FOR_EVER
    first = bring(home, key_id, A, **expiry)["KeyMaterialId"]
    before = encrypt(home, key_id)
    bring(home, key_id, B, **NEW)
    home.perform("RotateKeyOnDemand", KeyId=key_id)
    after = encrypt(home, key_id)
    if how == "deleted":
        home.perform("DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId=first)
    clock.move(days=1)
    assert metadata(home, key_id)["KeyState"] == "PendingImport"
    assert states(home, key_id) == [("NON_CURRENT", "PENDING_IMPORT"), ("CURRENT", "IMPORTED")]
    for blob in (before, after):
        assert home.refused("Decrypt", CiphertextBlob=blob).code == "KMSInvalidStateException"
    bring(home, key_id, A, KeyMaterialId=first)
    assert [home.perform("Decrypt", CiphertextBlob=blob).plaintext for blob in (before, after)] == [b"x", b"x"]
    assert metadata(home, key_id)["KeyState"] == "Enabled"


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_material_that_waits_for_its_rotation_is_missed_by_nobody(home: Home, clock: Clock, how: str) -> None:
    key_id = external(home)
    bring(home, key_id, A)
    expiry = {"ValidTo": NOW + timedelta(days=1)} if how == "expired" else FOR_EVER
    second = bring(home, key_id, B, **NEW, **expiry)["KeyMaterialId"]
    if how == "deleted":
        answer = home.answer("DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId=second)
        assert answer == {"KeyId": home.arn(key_id), "KeyMaterialId": second}
    clock.move(days=1)
    assert metadata(home, key_id)["KeyState"] == "Enabled"
    assert states(home, key_id) == [("CURRENT", "IMPORTED")]
    assert bring(home, key_id, B, **NEW)["KeyMaterialId"] == second


# -- the same again, and nothing else ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["present", "deleted"])
@pytest.mark.parametrize("kind", [{}, EXISTING], ids=["unsaid", "existing"])
def test_other_material_does_not_take_the_place_of_the_old(home: Home, how: str, kind: dict[str, str]) -> None:
    key_id = external(home)
    bring(home, key_id, A)
    if how == "deleted":
        home.perform("DeleteImportedKeyMaterial", KeyId=key_id)
    error = home.refused("ImportKeyMaterial", **prepared(home, key_id, B), **kind, **FOR_EVER)
    assert (error.code, error.exit_code) == ("IncorrectKeyMaterialException", 24)
    bring(home, key_id, A, **kind)


def test_a_key_without_material_has_none_that_could_be_brought_again(home: Home) -> None:
    key_id = external(home)
    error = home.refused("ImportKeyMaterial", **prepared(home, key_id, A), **EXISTING, **FOR_EVER)
    assert error.code == "IncorrectKeyMaterialException"
    bring(home, key_id, A, **NEW)


def test_known_material_is_not_new(home: Home) -> None:
    key_id = external(home)
    bring(home, key_id, A)
    for _ in range(2):
        error = home.refused("ImportKeyMaterial", **prepared(home, key_id, A), **NEW, **FOR_EVER)
        assert error.code == "IncorrectKeyMaterialException"
        home.perform("DeleteImportedKeyMaterial", KeyId=key_id)


def test_the_material_that_is_named_is_the_one_that_comes(home: Home) -> None:
    key_id = external(home)
    first = bring(home, key_id, A)["KeyMaterialId"]
    second = bring(home, key_id, B, **NEW)["KeyMaterialId"]
    for material_id in (second, "0" * 64):
        error = home.refused(
            "ImportKeyMaterial", **prepared(home, key_id, A), KeyMaterialId=material_id, **EXISTING, **FOR_EVER
        )
        assert (error.code, error.exit_code) == ("IncorrectKeyMaterialException", 24)
    assert bring(home, key_id, A, KeyMaterialId=first, **EXISTING)["KeyMaterialId"] == first


@pytest.mark.parametrize("kind", [{}, NEW], ids=["unsaid", "new"])
def test_new_material_has_no_id_that_could_be_named(home: Home, kind: dict[str, str]) -> None:
    key_id = external(home)
    members = prepared(home, key_id, A) | kind | FOR_EVER
    error = home.refused("ImportKeyMaterial", **members, KeyMaterialId="0" * 64)
    assert (error.code, error.exit_code) == ("ValidationException", 2)
    assert metadata(home, key_id)["KeyState"] == "PendingImport"


def test_a_description_stays_until_another_one_comes(home: Home) -> None:
    key_id = external(home)
    bring(home, key_id, A, KeyMaterialDescription="made on paper")
    bring(home, key_id, A)
    assert materials(home, key_id)[0]["KeyMaterialDescription"] == "made on paper"
    home.perform("DeleteImportedKeyMaterial", KeyId=key_id)
    assert materials(home, key_id)[0]["KeyMaterialDescription"] == "made on paper"
    bring(home, key_id, A, KeyMaterialDescription="made of steel")
    assert materials(home, key_id)[0]["KeyMaterialDescription"] == "made of steel"


@pytest.mark.parametrize("text", ["{}", "a" * 257, "caf\u00e9"])
def test_a_description_has_aws_s_characters(home: Home, text: str) -> None:
    key_id = external(home)
    members = prepared(home, key_id, A)
    error = home.refused("ImportKeyMaterial", **members, **FOR_EVER, KeyMaterialDescription=text)
    assert error.code == "ValidationException"


# -- key pairs and HMAC keys: one material in their life ---------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: curve("ECC_NIST_P256"), lambda: hmac_key(256), edwards])
def test_a_key_that_does_not_rotate_has_one_material_in_its_life(home: Home, make: Any) -> None:
    owned = make()
    key_id = external(home, owned)
    bring(home, key_id, owned.material)
    for _ in range(2):
        error = home.refused("ImportKeyMaterial", **prepared(home, key_id, make().material), **FOR_EVER)
        assert (error.code, error.exit_code) == ("IncorrectKeyMaterialException", 24)
        home.perform("DeleteImportedKeyMaterial", KeyId=key_id)
        assert metadata(home, key_id)["KeyState"] == "PendingImport"
    bring(home, key_id, owned.material)
    check_use(home, key_id, owned)


@pytest.mark.parametrize("members", [EXISTING, NEW, {"KeyMaterialDescription": "d"}, {"KeyMaterialId": "0" * 64}])
def test_what_tells_materials_apart_is_for_symmetric_encryption_keys(home: Home, members: dict[str, str]) -> None:
    owned = curve("ECC_NIST_P256")
    key_id = external(home, owned)
    error = home.refused("ImportKeyMaterial", **prepared(home, key_id, owned.material), **members, **FOR_EVER)
    assert (error.code, error.exit_code) == ("ValidationException", 2)


def without_public_key(pkcs8: bytes) -> bytes:
    """A P-256 key in the shorter of the two encodings that RFC 5915 allows: its public key is left out."""
    secret = pkcs8[36:68]
    inner = bytes.fromhex("3025020101 0420") + secret
    algorithm = bytes.fromhex("3013 06072a8648ce3d0201 06082a8648ce3d030107")
    return bytes.fromhex("3041 020100") + algorithm + bytes.fromhex("0427") + inner


def test_the_same_key_in_another_encoding_is_the_same_key(home: Home) -> None:
    owned = curve("ECC_NIST_P256")
    other = without_public_key(owned.material)
    assert other != owned.material
    key_id = external(home, owned)
    bring(home, key_id, owned.material)
    bring(home, key_id, other)
    home.perform("DeleteImportedKeyMaterial", KeyId=key_id)
    bring(home, key_id, other)
    check_use(home, key_id, owned)


def test_equal_material_in_two_keys_has_two_ids(home: Home) -> None:
    answers = [bring(home, external(home), A) for _ in range(2)]
    assert answers[0]["KeyMaterialId"] != answers[1]["KeyMaterialId"]
    assert hashlib.sha256(A).hexdigest() not in {answer["KeyMaterialId"] for answer in answers}


# -- deletion of material, in each state -------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["DisableKey", None])
def test_a_key_that_lost_its_material_is_enabled_by_its_return(home: Home, operation: str | None) -> None:
    key_id = external(home)
    material_id = bring(home, key_id, A)["KeyMaterialId"]
    if operation:
        home.perform(operation, KeyId=key_id)
    for _ in range(2):
        answer = home.answer("DeleteImportedKeyMaterial", KeyId=key_id)
        assert answer == {"KeyId": home.arn(key_id), "KeyMaterialId": material_id}
        found = metadata(home, key_id)
        assert (found["KeyState"], found["Enabled"]) == ("PendingImport", False)
    bring(home, key_id, A)
    assert metadata(home, key_id)["KeyState"] == "Enabled"


def test_a_disabled_key_takes_its_material_again_and_stays_disabled(home: Home) -> None:
    key_id = external(home)
    bring(home, key_id, A)
    home.perform("DisableKey", KeyId=key_id)
    bring(home, key_id, A)
    assert metadata(home, key_id)["KeyState"] == "Disabled"


def test_a_key_that_never_had_material_has_none_to_delete(home: Home) -> None:
    key_id = external(home)
    assert home.answer("DeleteImportedKeyMaterial", KeyId=key_id) == {"KeyId": home.arn(key_id)}
    error = home.refused("DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId="0" * 64)
    assert (error.code, error.exit_code) == ("NotFoundException", 20)


def test_a_key_at_its_end_loses_its_material_and_takes_none(home: Home) -> None:
    key_id = external(home)
    bring(home, key_id, A)
    members = prepared(home, key_id, A)
    home.perform("ScheduleKeyDeletion", KeyId=key_id)
    assert home.refused("ImportKeyMaterial", **members, **FOR_EVER).code == "KMSInvalidStateException"
    parameters = {"WrappingAlgorithm": OAEP, "WrappingKeySpec": "RSA_2048"}
    assert home.refused("GetParametersForImport", KeyId=key_id, **parameters).code == "KMSInvalidStateException"
    home.perform("DeleteImportedKeyMaterial", KeyId=key_id)
    assert metadata(home, key_id)["KeyState"] == "PendingDeletion"
    home.perform("CancelKeyDeletion", KeyId=key_id)
    assert metadata(home, key_id)["KeyState"] == "PendingImport"
    bring(home, key_id, A)
    assert metadata(home, key_id)["KeyState"] == "Enabled"


@pytest.mark.parametrize(
    "operation",
    ["EnableKey", "DisableKey", "RotateKeyOnDemand", "Encrypt", "GenerateDataKey", "CreateGrant"],
)
def test_a_key_that_waits_for_its_material_is_not_used(home: Home, operation: str) -> None:
    key_id = external(home)
    members: dict[str, Any] = {
        "Encrypt": {"Plaintext": b"x"},
        "GenerateDataKey": {"KeySpec": "AES_256"},
        "CreateGrant": {"GranteePrincipal": "arn:aws:iam::000000000000:user/a", "Operations": ["Encrypt"]},
    }.get(operation, {})
    error = home.refused(operation, KeyId=key_id, **members)
    assert (error.code, error.message) == ("KMSInvalidStateException", f"{home.arn(key_id)} is pending import.")
    assert error.hint
