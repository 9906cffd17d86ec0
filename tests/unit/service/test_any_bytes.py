"""Bytes that somebody made up, wherever an operation reads a format: all end in an error of the API, in no crash."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscli import errors
from kmscli.crypto import registry
from kmscli.model.specs import ENCRYPT_DECRYPT, KEY_SPECS, SYMMETRIC
from tests.ring import MESSAGE, Ring, logged, wrapped

ANYTHING = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
IMPORTED = [
    spec for spec, row in KEY_SPECS.items() if row.asymmetric and row.imports and spec not in {"RSA_3072", "RSA_4096"}
]
UNREADABLE = {"InvalidCiphertextException", "AccessDeniedException", "UnsupportedFormat"}


@st.composite
def changes(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A change of some bytes: a few replaced, left out or put in."""
    place, removed, put = draw(st.integers(0, 6000)), draw(st.integers(0, 3)), draw(st.binary(max_size=3))

    def change(data: bytes) -> bytes:
        start = place % len(data)
        return data[:start] + put + data[start + removed :]

    return change


# -- ciphertexts -------------------------------------------------------------------------------------------------------


@given(blob=st.binary(min_size=1, max_size=300))
@ANYTHING
def test_any_bytes_are_no_ciphertext(ring: Ring, blob: bytes) -> None:
    assert ring.refused("Decrypt", CiphertextBlob=blob).code in UNREADABLE


@given(change=changes())
@ANYTHING
def test_a_changed_ciphertext_is_refused(ring: Ring, change: Callable[[bytes], bytes]) -> None:
    blob = ring.request("Decrypt")["CiphertextBlob"]
    changed = change(blob)
    if changed != blob:
        error = ring.refused("Decrypt", CiphertextBlob=changed)
        assert error.code in UNREADABLE
        assert error.exit_code in {30, 40, 61}


@given(change=changes())
@ANYTHING
def test_a_changed_source_is_not_encrypted_again(ring: Ring, change: Callable[[bytes], bytes]) -> None:
    request = ring.request("ReEncrypt")
    changed = change(request["CiphertextBlob"])
    if changed not in (request["CiphertextBlob"], b""):
        error = ring.refused("ReEncrypt", **request | {"CiphertextBlob": changed})
        assert error.code in UNREADABLE | {"IncorrectKeyException"}


# -- imports -----------------------------------------------------------------------------------------------------------


class Importing:
    """A key that waits for its material, with a wrapping key and a token for it."""

    def __init__(self, ring: Ring, spec: str, usage: str) -> None:
        self.ring = ring
        self.key = ring.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")
        self.algorithm = "RSA_AES_KEY_WRAP_SHA_256"
        self.given = ring.perform(
            "GetParametersForImport", KeyId=self.key, WrappingAlgorithm=self.algorithm, WrappingKeySpec="RSA_2048"
        )

    def wrapped(self, material: bytes) -> bytes:
        return wrapped(self.given.public_key, material, self.algorithm)

    def request(self, **members: Any) -> dict[str, Any]:
        return {
            "KeyId": self.key,
            "ImportToken": self.given.import_token,
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
            **members,
        }

    def refused(self, **members: Any) -> errors.KmsError:
        return self.ring.refused("ImportKeyMaterial", **self.request(**members))


class Imports:
    """One of these for each spec."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._made: dict[str, Importing] = {}

    def of(self, spec: str) -> Importing:
        if spec not in self._made:
            self._made[spec] = Importing(self._ring, spec, next(iter(KEY_SPECS[spec].usages)))
        return self._made[spec]


@pytest.fixture(scope="session")
def imports(ring: Ring) -> Imports:
    return Imports(ring)


@given(token=st.binary(min_size=1, max_size=300))
@ANYTHING
def test_any_bytes_are_no_import_token(imports: Imports, token: bytes) -> None:
    error = imports.of(SYMMETRIC).refused(ImportToken=token, EncryptedKeyMaterial=b"x")
    assert error.code in {"InvalidImportTokenException", "UnsupportedFormat"}


@given(change=changes())
@ANYTHING
def test_a_changed_import_token_is_refused(imports: Imports, change: Callable[[bytes], bytes]) -> None:
    importing = imports.of(SYMMETRIC)
    token = change(importing.given.import_token)
    if token != importing.given.import_token:
        error = importing.refused(ImportToken=token, EncryptedKeyMaterial=b"x")
        assert error.code in {"InvalidImportTokenException", "UnsupportedFormat"}


@given(material=st.binary(min_size=1, max_size=400))
@ANYTHING
def test_any_bytes_are_no_wrapped_material(imports: Imports, material: bytes) -> None:
    error = imports.of(SYMMETRIC).refused(EncryptedKeyMaterial=material)
    assert ("InvalidCiphertextException", 40) == (error.code, error.exit_code)


@given(change=changes())
@ANYTHING
def test_changed_wrapped_material_is_refused(imports: Imports, change: Callable[[bytes], bytes]) -> None:
    importing = imports.of(SYMMETRIC)
    right = importing.wrapped(bytes(32))
    changed = change(right)
    if changed != right:
        assert "InvalidCiphertextException" == importing.refused(EncryptedKeyMaterial=changed).code


@pytest.mark.parametrize("size", [1, 15, 16, 31, 33, 64])
def test_material_of_another_length_is_refused(imports: Imports, size: int) -> None:
    importing = imports.of(SYMMETRIC)
    error = importing.refused(EncryptedKeyMaterial=importing.wrapped(bytes(size)))
    assert ("IncorrectKeyMaterialException", 24) == (error.code, error.exit_code)
    assert f"key material of SYMMETRIC_DEFAULT has 32 bytes, and this has {size}" == error.message


@pytest.mark.parametrize("spec", IMPORTED)
@given(material=st.binary(min_size=1, max_size=200))
@ANYTHING
def test_any_bytes_are_no_private_key(imports: Imports, spec: str, material: bytes) -> None:
    importing = imports.of(spec)
    error = importing.refused(EncryptedKeyMaterial=importing.wrapped(material))
    assert ("IncorrectKeyMaterialException", 24) == (error.code, error.exit_code)


PRIVATE = {spec: registry.generate(spec).private for spec in IMPORTED}


@pytest.mark.parametrize("spec", IMPORTED)
@given(change=changes())
@ANYTHING
def test_a_changed_private_key_is_refused_or_another_key(
    ring: Ring, imports: Imports, spec: str, change: Callable[[bytes], bytes]
) -> None:
    importing = imports.of(spec)
    changed = change(PRIVATE[spec])
    try:
        ring.perform("ImportKeyMaterial", **importing.request(EncryptedKeyMaterial=importing.wrapped(changed)))
    except errors.IncorrectKeyMaterialError:
        return
    # It was a key after all, such as an Ed25519 key, whose bytes are all good: it is whole, and the next one waits.
    assert ring.public(importing.key) is not None
    ring.perform("ScheduleKeyDeletion", KeyId=importing.key)
    imports._made.pop(spec)


RAW_KINDS = {"X25519": "2b656e", "X448": "2b656f", "Ed25519": "2b6570", "Ed448": "2b6571"}


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 56, 57, 58, 64])
@pytest.mark.parametrize("kind", RAW_KINDS)
def test_a_private_key_of_a_length_that_its_kind_does_not_have_is_refused(
    imports: Imports, kind: str, size: int
) -> None:
    oid = bytes.fromhex(RAW_KINDS[kind])
    body = b"\x02\x01\x00\x30\x05\x06\x03" + oid + bytes([4, size + 2, 4, size]) + bytes(size)
    importing = imports.of("ECC_NIST_P256")
    error = importing.refused(EncryptedKeyMaterial=importing.wrapped(bytes([0x30, len(body)]) + body))
    assert ("IncorrectKeyMaterialException", 24) == (error.code, error.exit_code)


def test_material_of_a_symmetric_key_is_not_in_the_log(ring: Ring) -> None:
    material = b"needle in the key material, 32 b"
    key = ring.bring(SYMMETRIC, ENCRYPT_DECRYPT, material)
    ring.perform("Encrypt", KeyId=key, Plaintext=MESSAGE)
    assert [] == logged(ring, material)
