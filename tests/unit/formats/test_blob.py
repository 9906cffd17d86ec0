"""The header of a blob, and what is no blob."""

import pytest

from kmscli import errors
from kmscli.formats import blob

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
MRK = "mrk-1234abcd12ab34cd56ef1234567890ab"
RAW = bytes.fromhex("1234abcd12ab34cd56ef1234567890ab")
SEALED = bytes(blob.SEALED_OVERHEAD) + b"x"


def test_a_header_is_laid_out_as_specified() -> None:
    assert blob.header(KEY_ID, 258) == b"KMSB\x01\x00" + RAW + b"\x00\x00\x01\x02"
    assert blob.header(MRK, 1) == b"KMSB\x01\x01" + RAW + b"\x00\x00\x00\x01"
    assert len(blob.header(KEY_ID, 1)) == blob.HEADER_BYTES


@pytest.mark.parametrize("key_id", [KEY_ID, MRK])
@pytest.mark.parametrize("version", [0, 1, 2**32 - 1])
def test_a_blob_names_what_made_it(key_id: str, version: int) -> None:
    header = blob.header(key_id, version)
    assert blob.parse(header + SEALED) == blob.Blob(key_id, version, header, SEALED)


@pytest.mark.parametrize("length", [0, 1, 4, 5, 25, 26, 97, blob.OVERHEAD])
def test_a_cut_blob_is_none(length: int) -> None:
    with pytest.raises(errors.InvalidCiphertextError):
        blob.parse((blob.header(KEY_ID, 1) + SEALED)[:length])


@pytest.mark.parametrize("start", [b"KMSb", b"KMS\0", b"\0\0\0\0", b"MBSK"])
def test_other_bytes_are_no_blob(start: bytes) -> None:
    with pytest.raises(errors.InvalidCiphertextError):
        blob.parse(start + (blob.header(KEY_ID, 1) + SEALED)[4:])


@pytest.mark.parametrize("kind", [2, 127, 255])
def test_an_unknown_kind_of_key_id_is_refused(kind: int) -> None:
    changed = bytearray(blob.header(KEY_ID, 1) + SEALED)
    changed[5] = kind
    with pytest.raises(errors.InvalidCiphertextError):
        blob.parse(bytes(changed))


@pytest.mark.parametrize("found", [0, 2, 255])
@pytest.mark.parametrize("length", [5, 200])
def test_another_format_is_named(found: int, length: int) -> None:
    data = (b"KMSB" + bytes([found]) + bytes(200))[:length]
    with pytest.raises(errors.UnsupportedFormatError) as caught:
        blob.parse(data)
    assert caught.value.message == f"the ciphertext has format {found}; this kms reads format 1"


def test_header_and_encryption_context_are_both_bound() -> None:
    contexts = {
        blob.sealing_context(header, canonical)
        for header in (blob.header(KEY_ID, 1), blob.header(KEY_ID, 2), blob.header(MRK, 1))
        for canonical in (b"\0\0\0\0", b"\0\0\0\1")
    }
    assert len(contexts) == 6
