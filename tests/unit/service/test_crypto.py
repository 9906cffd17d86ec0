"""Encrypt, Decrypt, ReEncrypt: what opens, what does not, and what an attacker learns from that."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.formats import blob as blobs
from kmscli.service.context import Context
from tests.helpers import Clock, Home

CONTEXT = {"app": "a", "env": "b"}


def encrypt(home: Home, key: str, plaintext: bytes = b"plaintext", *, context: dict[str, str] | None = None) -> bytes:
    ciphertext = home.perform("Encrypt", KeyId=key, Plaintext=plaintext, EncryptionContext=context).ciphertext_blob
    assert isinstance(ciphertext, bytes)
    return ciphertext


def decrypt(home: Home, ciphertext: bytes, **members: object) -> Any:
    return home.perform("Decrypt", CiphertextBlob=ciphertext, **members).plaintext


def refusal(error: errors.KmsError) -> tuple[str, int, str, str]:
    return (error.code, error.exit_code, error.message, error.hint)


@pytest.fixture
def key(home: Home) -> str:
    return home.create_key(Alias="alias/app")


def test_encrypt_answers_as_aws_does(home: Home, key: str) -> None:
    answer = home.answer("Encrypt", KeyId="alias/app", Plaintext=b"x")
    blob = answer.pop("CiphertextBlob")
    assert len(blob) == blobs.OVERHEAD + 1
    assert answer == {"KeyId": home.arn(key), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def test_decrypt_answers_as_aws_does_and_needs_no_key_id(home: Home, key: str) -> None:
    material = home.perform("DescribeKey", KeyId=key).key_metadata.current_key_material_id
    assert home.answer("Decrypt", CiphertextBlob=encrypt(home, key)) == {
        "KeyId": home.arn(key),
        "Plaintext": b"plaintext",
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyMaterialId": material,
    }


@pytest.mark.parametrize("plaintext", [b"\0", b"x" * 4096, bytes(range(256))])
def test_1_to_4096_bytes_are_encrypted(home: Home, key: str, plaintext: bytes) -> None:
    assert decrypt(home, encrypt(home, key, plaintext)) == plaintext


@pytest.mark.parametrize(("size", "bound"), [(0, "greater than or equal to 1"), (4097, "less than or equal to 4096")])
def test_other_lengths_are_refused(home: Home, key: str, size: int, bound: str) -> None:
    error = home.refused("Encrypt", KeyId=key, Plaintext=bytes(size))
    assert (error.code, error.exit_code) == ("ValidationException", 2)
    assert error.message.endswith(f"at 'plaintext' failed to satisfy constraint: Member must have length {bound}")


@pytest.mark.parametrize("size", [0, 6145])
def test_a_ciphertext_has_1_to_6144_bytes(home: Home, size: int) -> None:
    assert home.refused("Decrypt", CiphertextBlob=bytes(size)).code == "ValidationException"


def test_nothing_is_encrypted_twice_alike(home: Home, key: str) -> None:
    assert encrypt(home, key) != encrypt(home, key)


@pytest.mark.parametrize("form", ["{key}", "arn:aws:kms:local:000000000000:key/{key}", "alias/app"])
def test_the_right_key_may_be_named(home: Home, key: str, form: str) -> None:
    assert decrypt(home, encrypt(home, key), KeyId=form.format(key=key)) == b"plaintext"


def test_the_wrong_key_is_told(home: Home, key: str) -> None:
    other = home.create_key()
    error = home.refused("Decrypt", CiphertextBlob=encrypt(home, key), KeyId=other)
    assert (error.code, error.exit_code) == ("IncorrectKeyException", 42)
    assert error.message == "The key ID in the request does not identify a CMK that can perform this operation."


@pytest.mark.parametrize("context", [{"app": "a"}, {"app": "a", "env": "B"}, {"App": "a", "env": "b"}, {}, None])
def test_another_encryption_context_does_not_decrypt(home: Home, key: str, context: dict[str, str] | None) -> None:
    ciphertext = encrypt(home, key, context=CONTEXT)
    error = home.refused("Decrypt", CiphertextBlob=ciphertext, EncryptionContext=context)
    assert (error.code, error.exit_code) == ("InvalidCiphertextException", 40)
    assert decrypt(home, ciphertext, EncryptionContext=dict(reversed(CONTEXT.items()))) == b"plaintext"


def test_no_context_and_an_empty_one_are_the_same(home: Home, key: str) -> None:
    assert decrypt(home, encrypt(home, key), EncryptionContext={}) == b"plaintext"


@pytest.mark.parametrize("length", [8192, 20_000])
def test_a_context_too_large_is_refused_on_both_sides(home: Home, key: str, length: int) -> None:
    context = {"a": "x" * length}
    for operation, members in (("Encrypt", {"KeyId": key, "Plaintext": b"x"}), ("Decrypt", {"CiphertextBlob": b"x"})):
        error = home.refused(operation, EncryptionContext=context, **members)
        assert (error.code, error.exit_code) == ("ValidationException", 2)


def test_whatever_makes_a_ciphertext_unreadable_is_told_in_the_same_words(home: Home, key: str) -> None:
    ciphertext = encrypt(home, key, context=CONTEXT)
    changed = bytearray(ciphertext)
    changed[-1] ^= 1
    of_a_version_that_never_was = bytearray(ciphertext)
    of_a_version_that_never_was[25] = 9
    committed = bytearray(ciphertext)
    committed[60] ^= 1
    unknown_kind = bytearray(ciphertext)
    unknown_kind[5] = 9
    bad = [bytes(changed), bytes(of_a_version_that_never_was), bytes(committed), bytes(unknown_kind), b"x" * 150]
    bad += [ciphertext[:-1], ciphertext + b"\0", ciphertext[:30]]
    refusals = {refusal(home.refused("Decrypt", CiphertextBlob=data, EncryptionContext=CONTEXT)) for data in bad}
    refusals.add(refusal(home.refused("Decrypt", CiphertextBlob=ciphertext)))
    assert len(refusals) == 1


@pytest.mark.parametrize("bit", [0, 7])
def test_a_changed_bit_never_decrypts(home: Home, key: str, bit: int) -> None:
    ciphertext = encrypt(home, key, b"x")
    for place in range(len(ciphertext)):
        changed = bytearray(ciphertext)
        changed[place] ^= 1 << bit
        error = home.refused("Decrypt", CiphertextBlob=bytes(changed))
        expected = "AccessDeniedException" if 5 <= place < 22 else "InvalidCiphertextException"
        if place == 4:
            expected = "UnsupportedFormat"
        if place == 5:
            expected = "AccessDeniedException" if bit == 0 else "InvalidCiphertextException"
        assert (place, error.code) == (place, expected)


def test_a_ciphertext_of_another_vault_is_refused_without_saying_more(home: Home, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Home(tmp_path / "other").init()
    ciphertext = encrypt(other, other.create_key())
    other.close()
    error = home.refused("Decrypt", CiphertextBlob=ciphertext)
    assert (error.code, error.exit_code) == ("AccessDeniedException", 30)


def test_a_key_id_that_is_not_here_comes_before_what_is_wrong_with_the_ciphertext(home: Home) -> None:
    assert home.refused("Decrypt", CiphertextBlob=b"garbage", KeyId="alias/none").code == "NotFoundException"


@pytest.mark.parametrize("is_root", [True, False])
def test_a_key_whose_end_has_come_is_as_one_that_never_was(
    home: Home, clock: Clock, key: str, monkeypatch: pytest.MonkeyPatch, *, is_root: bool
) -> None:
    ciphertext = encrypt(home, key)
    never = blobs.header("0" * 8 + "-0000-0000-0000-" + "0" * 12, 1) + ciphertext[blobs.HEADER_BYTES :]
    home.perform("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    clock.move(days=7)
    monkeypatch.setattr(Context, "is_root", is_root)
    found = refusal(home.refused("Decrypt", CiphertextBlob=ciphertext))
    assert found == refusal(home.refused("Decrypt", CiphertextBlob=never))
    assert found[:2] == ("AccessDeniedException", 30)
    assert home.refused("Decrypt", CiphertextBlob=ciphertext, KeyId=key).code == "NotFoundException"
    assert ("DeleteKey" in [line["eventName"] for line in home.lines()]) == is_root


def test_the_state_of_the_named_key_comes_before_its_being_the_wrong_one(home: Home, key: str) -> None:
    ciphertext = encrypt(home, key)
    other = home.create_key()
    home.perform("DisableKey", KeyId=other)
    assert home.refused("Decrypt", CiphertextBlob=ciphertext, KeyId=other).code == "DisabledException"


def spoil(home: Home, other: str, ways: int) -> dict[str, Any]:
    """A request to decrypt that is wrong in the last `ways` ways, of those that are told in the order of this list."""
    wrong: list[dict[str, Any]] = [
        {"KeyId": "alias/none"},
        {"GrantTokens": ["bm9uZQ=="]},
        {},  # the key is disabled
        {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
        {"EncryptionContext": {"a": "x" * 9000}},
        {"CiphertextBlob": b"KMSB\x02"},
    ]
    asked: dict[str, Any] = {"KeyId": other}
    for members in wrong[len(wrong) - ways :]:
        asked |= members
    if ways >= len(wrong) - 2:
        home.perform("DisableKey", KeyId=other)
    return asked


@pytest.mark.parametrize(
    ("ways", "code"),
    [
        (0, "IncorrectKeyException"),
        (1, "UnsupportedFormat"),
        (2, "ValidationException"),
        (3, "InvalidKeyUsageException"),
        (4, "DisabledException"),
        (5, "InvalidGrantTokenException"),
        (6, "NotFoundException"),
    ],
)
def test_the_first_fault_of_a_request_is_told(home: Home, key: str, ways: int, code: str) -> None:
    other = home.create_key()
    assert home.refused("Decrypt", **({"CiphertextBlob": encrypt(home, key)} | spoil(home, other, ways))).code == code


@pytest.mark.parametrize(
    ("spec", "usage"), [("HMAC_256", "GENERATE_VERIFY_MAC"), ("ECC_NIST_P256", "SIGN_VERIFY")], ids=["HMAC", "ECC"]
)
def test_a_key_that_is_not_for_encryption_is_told_before_the_ciphertext(
    home: Home, key: str, spec: str, usage: str
) -> None:
    other = home.create_key(KeySpec=spec, KeyUsage=usage)
    error = home.refused("Decrypt", CiphertextBlob=encrypt(home, key), KeyId=other)
    assert (error.code, error.exit_code) == ("InvalidKeyUsageException", 23)


def test_a_blob_that_names_a_key_of_another_kind_was_made_up(home: Home, key: str) -> None:
    ciphertext = encrypt(home, key)
    other = home.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    forged = blobs.header(other, 1) + ciphertext[blobs.HEADER_BYTES :]
    assert refusal(home.refused("Decrypt", CiphertextBlob=forged)) == refusal(
        home.refused("Decrypt", CiphertextBlob=ciphertext[:-1])
    )


def without_share(home: Home, key: str) -> None:
    """Take the only share of a key away, as a root could."""
    with home.context.session.edit() as draft:
        draft.event = {"eventName": "Test"}
        draft.delete("share", f"{key}/admin")


def renewed_kek(home: Home, key: str) -> None:
    """Give a key another KEK, and nobody a share of it."""
    with home.context.session.edit() as draft:
        draft.event = {"eventName": "Test"}
        group = draft.key(key)
        assert group is not None
        draft.put("key", key, msgspec.structs.replace(group.record, kek=2))


@pytest.mark.parametrize("take", [without_share, renewed_kek])
def test_who_has_no_share_of_the_kek_is_denied(home: Home, key: str, take: Callable[[Home, str], None]) -> None:
    ciphertext = encrypt(home, key)
    take(home, key)
    for operation, members in (
        ("Decrypt", {"CiphertextBlob": ciphertext}),
        ("Encrypt", {"KeyId": key, "Plaintext": b"x"}),
    ):
        error = home.refused(operation, **members)
        assert (error.code, error.exit_code) == ("AccessDeniedException", 30)
        assert "its share of the key is not made" in error.message


def test_the_state_comes_before_what_is_in_the_ciphertext(home: Home, key: str) -> None:
    ciphertext = encrypt(home, key, context=CONTEXT)
    home.perform("DisableKey", KeyId=key)
    assert home.refused("Decrypt", CiphertextBlob=ciphertext).code == "DisabledException"
    home.perform("ScheduleKeyDeletion", KeyId=key)
    assert home.refused("Decrypt", CiphertextBlob=ciphertext).code == "KMSInvalidStateException"


def test_old_versions_decrypt_after_any_number_of_rotations(home: Home, key: str) -> None:
    made = []
    for number in range(30):
        made.append(encrypt(home, key, bytes([number])))
        home.perform("RotateKeyOnDemand", KeyId=key)
    assert [decrypt(home, ciphertext) for ciphertext in made] == [bytes([number]) for number in range(30)]
    assert len({blobs.parse(ciphertext).version for ciphertext in made}) == 30


def test_a_version_number_cannot_be_exchanged(home: Home, key: str) -> None:
    ciphertext = bytearray(encrypt(home, key))
    home.perform("RotateKeyOnDemand", KeyId=key)
    ciphertext[25] = 2
    assert home.refused("Decrypt", CiphertextBlob=bytes(ciphertext)).code == "InvalidCiphertextException"


# -- ReEncrypt ---------------------------------------------------------------------------------------------------------


def test_re_encrypt_answers_as_aws_does(home: Home, key: str) -> None:
    other = home.create_key()
    source, destination = (
        home.perform("DescribeKey", KeyId=name).key_metadata.current_key_material_id for name in (key, other)
    )
    answer = home.answer("ReEncrypt", CiphertextBlob=encrypt(home, key), DestinationKeyId=other)
    assert decrypt(home, answer.pop("CiphertextBlob"), KeyId=other) == b"plaintext"
    assert answer == {
        "SourceKeyId": home.arn(key),
        "KeyId": home.arn(other),
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "SourceKeyMaterialId": source,
        "DestinationKeyMaterialId": destination,
    }


def test_re_encrypt_moves_to_another_context(home: Home, key: str) -> None:
    again = home.perform(
        "ReEncrypt",
        CiphertextBlob=encrypt(home, key, context=CONTEXT),
        SourceEncryptionContext=CONTEXT,
        DestinationKeyId=key,
        DestinationEncryptionContext={"new": "one"},
    ).ciphertext_blob
    assert decrypt(home, again, EncryptionContext={"new": "one"}) == b"plaintext"
    assert home.refused("Decrypt", CiphertextBlob=again, EncryptionContext=CONTEXT).exit_code == 40


def test_re_encrypt_moves_to_the_current_version(home: Home, key: str) -> None:
    old = encrypt(home, key)
    home.perform("RotateKeyOnDemand", KeyId=key)
    again = home.perform("ReEncrypt", CiphertextBlob=old, DestinationKeyId=key).ciphertext_blob
    assert (blobs.parse(old).version, blobs.parse(again).version) == (1, 2)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"SourceKeyId": "{other}"}, "IncorrectKeyException"),
        ({"SourceEncryptionContext": {}}, "InvalidCiphertextException"),
        ({"DestinationKeyId": "alias/none"}, "NotFoundException"),
        ({"DestinationKeyId": "{disabled}"}, "DisabledException"),
        ({"DestinationKeyId": None}, "ValidationException"),
        ({"DestinationEncryptionContext": {"a": "x" * 9000}}, "ValidationException"),
    ],
)
def test_re_encrypt_refuses_what_either_side_refuses(home: Home, key: str, members: dict[str, Any], code: str) -> None:
    other, disabled = home.create_key(), home.create_key()
    home.perform("DisableKey", KeyId=disabled)
    asked: dict[str, Any] = {
        "CiphertextBlob": encrypt(home, key, context=CONTEXT),
        "SourceEncryptionContext": CONTEXT,
        "DestinationKeyId": key,
    }
    names = {"{other}": other, "{disabled}": disabled}
    asked |= {name: names.get(value, value) if isinstance(value, str) else value for name, value in members.items()}
    assert home.refused("ReEncrypt", **asked).code == code


def test_both_keys_of_a_re_encryption_are_in_its_line(home: Home, key: str) -> None:
    other = home.create_key()
    home.perform("ReEncrypt", CiphertextBlob=encrypt(home, key), DestinationKeyId=other)
    assert [found["ARN"] for found in home.lines()[-1]["resources"]] == [home.arn(key), home.arn(other)]


# -- DryRun ------------------------------------------------------------------------------------------------------------


def dry_runs(home: Home, key: str) -> dict[str, dict[str, Any]]:
    ciphertext = encrypt(home, key)
    return {
        "Encrypt": {"KeyId": key, "Plaintext": b"x"},
        "Decrypt": {"CiphertextBlob": ciphertext},
        "ReEncrypt": {"CiphertextBlob": ciphertext, "DestinationKeyId": key},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateDataKeyWithoutPlaintext": {"KeyId": key, "KeySpec": "AES_256"},
    }


@pytest.mark.parametrize(
    "operation", ["Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"]
)
def test_a_dry_run_tells_what_would_happen_and_does_not(home: Home, key: str, operation: str) -> None:
    members = dry_runs(home, key)[operation]
    error = home.refused(operation, **members, DryRun=True)
    assert (error.code, error.exit_code) == ("DryRunOperationException", 0)
    assert error.message == "The request would have succeeded, but the DryRun option is set."
    home.perform(operation, **members, DryRun=False)
    home.perform("DisableKey", KeyId=key)
    assert home.refused(operation, **members, DryRun=True).code == "DisabledException"


def test_a_dry_run_of_a_decryption_that_fails_says_so(home: Home, key: str) -> None:
    ciphertext = encrypt(home, key, context=CONTEXT)
    assert home.refused("Decrypt", CiphertextBlob=ciphertext, DryRun=True).code == "InvalidCiphertextException"


@pytest.mark.parametrize("operation", ["Encrypt", "Decrypt"])
def test_the_algorithm_of_other_keys_does_not_fit(home: Home, key: str, operation: str) -> None:
    members = dry_runs(home, key)[operation] | {"KeyId": key}
    error = home.refused(operation, **members, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert (error.code, error.exit_code) == ("InvalidKeyUsageException", 23)
    home.perform(operation, **members, EncryptionAlgorithm="SYMMETRIC_DEFAULT")


def test_a_ciphertext_of_an_asymmetric_key_needs_its_name(home: Home, key: str) -> None:
    members = dry_runs(home, key)["Decrypt"]
    error = home.refused("Decrypt", **members, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert (error.code, error.exit_code) == ("ValidationException", 2)
    assert "KeyId is required" in error.message
