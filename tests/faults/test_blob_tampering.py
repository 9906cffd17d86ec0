"""Ciphertexts changed, cut, spliced, from elsewhere, or given another encryption context: refused by the right name.

Whatever the bytes or the context fail at once the key is known, the answer is one and the same (docs/spec/blob.md).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.formats import blob
from kmscli.service.context import Context
from tests.faults import samples
from tests.faults.samples import Sample

FORMAT, KIND, KEY_ID, VERSION = 4, 5, range(6, 22), range(22, 26)
CANNOT_DECRYPT = (
    40,
    "InvalidCiphertextException",
    errors.InvalidCiphertextError().message,
    errors.InvalidCiphertextError().hint,
)


@pytest.fixture
def unlocked(sample: Sample, copy: Path) -> Iterator[Context]:
    with samples.unlocked(copy, sample.secret()) as context:
        yield context


def refusal(unlocked: Context, data: bytes, **members: object) -> tuple[int, str, str, str]:
    """Exit code, name, sentence and hint in which a decryption ends."""
    with pytest.raises(errors.KmsError) as caught:
        samples.ask(unlocked, "Decrypt", CiphertextBlob=data, **members)
    error = caught.value
    return error.exit_code, error.code, error.message, error.hint


def flip(data: bytes, offset: int, number: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 1 << number]) + data[offset + 1 :]


def expected(offset: int, number: int) -> tuple[int, str]:
    if offset == FORMAT:
        return 61, "UnsupportedFormat"
    if offset in KEY_ID or (offset, number) == (KIND, 0):
        return 30, "AccessDeniedException"
    return 40, "InvalidCiphertextException"


def test_each_flipped_bit_is_refused_by_its_name(sample: Sample, unlocked: Context) -> None:
    data, encryption_context, _ = sample.ciphertexts["second version"]
    for offset in range(len(data)):
        for number in range(8):
            found = refusal(unlocked, flip(data, offset, number), EncryptionContext=encryption_context)
            assert expected(offset, number) == found[:2], (offset, number)
            assert found[0] != 40 or found == CANNOT_DECRYPT, (offset, number)


def test_each_flipped_bit_of_the_key_id_belongs_to_another_key_than_the_one_named(
    sample: Sample, unlocked: Context
) -> None:
    data = sample.ciphertexts["first version"].blob
    for offset in KEY_ID:
        found = refusal(unlocked, flip(data, offset, offset % 8), KeyId="alias/app")
        assert (42, "IncorrectKeyException") == found[:2], offset


def test_another_key_than_the_one_that_made_it_is_incorrect(sample: Sample, unlocked: Context) -> None:
    data = sample.ciphertexts["first version"].blob
    for named in (sample.keys["spare"], "alias/aws/files"):
        assert (42, "IncorrectKeyException") == refusal(unlocked, data, KeyId=named)[:2]


def test_whether_another_key_could_be_used_at_all_is_told_first(sample: Sample, unlocked: Context) -> None:
    for data in (sample.ciphertexts["first version"].blob, b"KMSB\x02", b"garbage"):
        assert (22, "DisabledException") == refusal(unlocked, data, KeyId=sample.keys["off"])[:2]
        assert (22, "KMSInvalidStateException") == refusal(unlocked, data, KeyId=sample.keys["brought"])[:2]
        assert (23, "InvalidKeyUsageException") == refusal(unlocked, data, KeyId=sample.keys["pair"])[:2]


def test_a_blob_cut_at_any_length_cannot_be_decrypted(sample: Sample, unlocked: Context) -> None:
    data = sample.ciphertexts["first version"].blob
    for length in range(1, len(data)):
        assert CANNOT_DECRYPT == refusal(unlocked, data[:length]), length


@pytest.mark.parametrize("count", [1, 15, 16, 17, 72, 4096])
def test_a_blob_with_more_at_its_end_cannot_be_decrypted(sample: Sample, unlocked: Context, count: int) -> None:
    data = sample.ciphertexts["first version"].blob
    for more in (bytes(count), os.urandom(count), (data * 64)[:count]):
        assert CANNOT_DECRYPT == refusal(unlocked, data + more)


@pytest.mark.parametrize("data", [b"\0", b"KMSB", b"KMSA" + bytes(200), bytes(200), b"x" * 6144, b"\xff" * 99])
def test_what_is_no_blob_cannot_be_decrypted(unlocked: Context, data: bytes) -> None:
    assert CANNOT_DECRYPT == refusal(unlocked, data)


@pytest.mark.parametrize("data", [b"", b"KMSB" + bytes(6141)])
def test_a_length_that_no_ciphertext_has_is_a_usage_error(unlocked: Context, data: bytes) -> None:
    assert (2, "ValidationException") == refusal(unlocked, data)[:2]


@pytest.mark.parametrize("found", [0, 2, 255])
def test_another_format_is_named_whatever_follows(unlocked: Context, found: int) -> None:
    for rest in (b"", bytes(93), bytes(5000)):
        answer = refusal(unlocked, b"KMSB" + bytes([found]) + rest)
        assert (61, "UnsupportedFormat") == answer[:2]


def test_a_spliced_header_cannot_be_decrypted(sample: Sample, unlocked: Context) -> None:
    first = sample.ciphertexts["first version"].blob
    third = sample.ciphertexts["third version"].blob
    managed = sample.ciphertexts["managed"].blob
    for header in (first, third, managed):
        for sealed in (first, third, managed):
            if header is not sealed:
                spliced = header[: blob.HEADER_BYTES] + sealed[blob.HEADER_BYTES :]
                assert CANNOT_DECRYPT == refusal(unlocked, spliced)


@pytest.mark.parametrize("version", [0, 1, 3, 4, 2**32 - 1])
def test_another_version_cannot_be_decrypted(sample: Sample, unlocked: Context, version: int) -> None:
    data, encryption_context, _ = sample.ciphertexts["second version"]
    changed = blob.header(sample.keys["app"], version) + data[blob.HEADER_BYTES :]
    assert CANNOT_DECRYPT == refusal(unlocked, changed, EncryptionContext=encryption_context)


@pytest.mark.parametrize(
    "encryption_context",
    [
        None,
        {},
        {"purpose": "Test"},
        {"Purpose": "test"},
        {"purpose": "test", "more": ""},
        {"purpose": "test "},
        {"purpose": ""},
        {"": "test"},
        {"purposetest": ""},
        {"purpose\0": "test"},
        {"test": "purpose"},
        {"purpose": "te\u0301st"},
    ],
)
def test_another_encryption_context_cannot_be_decrypted(
    sample: Sample, unlocked: Context, encryption_context: dict[str, str] | None
) -> None:
    data = sample.ciphertexts["second version"].blob
    members = {} if encryption_context is None else {"EncryptionContext": encryption_context}
    assert CANNOT_DECRYPT == refusal(unlocked, data, **members)


def test_a_context_where_there_was_none_cannot_be_decrypted(sample: Sample, unlocked: Context) -> None:
    data = sample.ciphertexts["first version"].blob
    assert CANNOT_DECRYPT == refusal(unlocked, data, EncryptionContext={"purpose": "test"})


def test_a_blob_of_another_vault_names_a_key_that_is_not_here(
    sample: Sample, unlocked: Context, workplace: Path
) -> None:
    elsewhere = workplace / "elsewhere"
    samples.init(elsewhere / "vault", elsewhere / "keyfile")
    secret = samples.Secret.keyfile((elsewhere / "keyfile").read_bytes(), path="keyfile")
    with samples.unlocked(elsewhere / "vault", secret) as other:
        samples.ask(other, "CreateKey", Alias="alias/app")
        data = samples.ask(other, "Encrypt", KeyId="alias/app", Plaintext=b"foreign")["CiphertextBlob"]
    assert (30, "AccessDeniedException") == refusal(unlocked, data)[:2]
    assert (42, "IncorrectKeyException") == refusal(unlocked, data, KeyId="alias/app")[:2]
    named_as_ours = blob.header(sample.keys["app"], 1) + data[blob.HEADER_BYTES :]
    assert CANNOT_DECRYPT == refusal(unlocked, named_as_ours)


def test_a_key_that_was_never_anywhere_and_one_of_another_vault_get_the_same_answer(unlocked: Context) -> None:
    first, second = (
        blob.header(key_id, 1) + bytes(100) for key_id in ("0" * 8 + "-0000-0000-0000-" + "0" * 12, "mrk-" + "0" * 32)
    )
    assert refusal(unlocked, first) == refusal(unlocked, second)


def test_re_encrypt_refuses_as_decrypt_does(sample: Sample, unlocked: Context) -> None:
    data, encryption_context, _ = sample.ciphertexts["second version"]
    for offset in range(0, len(data), 5):
        changed = flip(data, offset, offset % 8)
        with pytest.raises(errors.KmsError) as caught:
            samples.ask(
                unlocked,
                "ReEncrypt",
                CiphertextBlob=changed,
                SourceEncryptionContext=encryption_context,
                DestinationKeyId="alias/spare",
            )
        assert expected(offset, offset % 8) == (caught.value.exit_code, caught.value.code), offset


def test_a_refused_ciphertext_leaves_nothing_of_itself_in_the_log(
    sample: Sample, copy: Path, unlocked: Context
) -> None:
    data = sample.ciphertexts["first version"].blob
    refusal(unlocked, flip(data, 60, 0))
    line = (copy / "audit" / "00000001.jsonl").read_bytes().splitlines()[-1]
    assert b'"errorCode":"InvalidCiphertextException"' in line
    assert data[30:50].hex().encode() not in line
    assert b"ciphertextBlob" not in line
