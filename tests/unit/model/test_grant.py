"""Which grants fit a key, and grant tokens."""

import base64
import string

import pytest
from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st

from kmscli import errors
from kmscli.model import grant, specs
from kmscli.model.grant import GRANT_OPERATIONS, GrantRef

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
MRK = "mrk-1234abcd12ab34cd56ef1234567890ab"
GRANT_ID = "abcde1237f76e4ba7987489ac329fbfba6ad343d6f7075dbd1ef191f0120514a"
ALWAYS = {"CreateGrant", "RetireGrant", "DescribeKey"}
CIPHER = {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"}
DATA_KEYS = {
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
}

# AWS KMS developer guide, "Key type reference", cut down to the operations of grants.
SUPPORTED = {
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"): CIPHER | DATA_KEYS,
    ("RSA_2048", "ENCRYPT_DECRYPT"): CIPHER | {"GetPublicKey"},
    ("RSA_2048", "SIGN_VERIFY"): {"Sign", "Verify", "GetPublicKey"},
    ("ECC_NIST_P256", "SIGN_VERIFY"): {"Sign", "Verify", "GetPublicKey"},
    ("ECC_NIST_P256", "KEY_AGREEMENT"): {"DeriveSharedSecret", "GetPublicKey"},
    ("ML_DSA_65", "SIGN_VERIFY"): {"Sign", "Verify", "GetPublicKey"},
    ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"): {"Encapsulate", "Decapsulate", "GetPublicKey"},
    ("HMAC_256", "GENERATE_VERIFY_MAC"): {"GenerateMac", "VerifyMac"},
}
KEYS = [(spec, usage) for spec, row in specs.KEY_SPECS.items() for usage in row.usages]
key_ids = st.sampled_from([KEY_ID, MRK])
grant_ids = st.binary(min_size=32, max_size=32).map(bytes.hex)
nonces = st.binary(min_size=8, max_size=8)


def test_the_operations_are_those_of_aws_in_its_order() -> None:
    model = Loader().load_service_model("kms", "service-2")
    assert model["shapes"]["GrantOperation"]["enum"] == list(GRANT_OPERATIONS)


@pytest.mark.parametrize(("spec", "usage"), SUPPORTED)
def test_a_grant_names_the_operations_of_its_key_alone(spec: str, usage: str) -> None:
    fitting = {name for name in GRANT_OPERATIONS if grant.fits(name, key_spec=spec, key_usage=usage)}
    assert SUPPORTED[spec, usage] | ALWAYS == fitting


@pytest.mark.parametrize(("spec", "usage"), KEYS)
def test_every_kind_of_key_supports_more_than_the_management_operations(spec: str, usage: str) -> None:
    assert any(grant.fits(name, key_spec=spec, key_usage=usage) for name in GRANT_OPERATIONS if name not in ALWAYS)


def test_every_operation_fits_some_kind_of_key() -> None:
    for name in GRANT_OPERATIONS:
        assert any(grant.fits(name, key_spec=spec, key_usage=usage) for spec, usage in KEYS)


def test_operations_that_fit_are_taken() -> None:
    grant.check_operations(
        ["Decrypt", "Decrypt", "RetireGrant"], key_spec="SYMMETRIC_DEFAULT", key_usage="ENCRYPT_DECRYPT"
    )


@pytest.mark.parametrize("operations", [["Sign"], ["Decrypt", "ReEncrypt"], ["decrypt"], ["ScheduleKeyDeletion"], [""]])
def test_an_operation_that_does_not_fit_is_named(operations: list[str]) -> None:
    with pytest.raises(errors.ValidationError) as caught:
        grant.check_operations(operations, key_spec="SYMMETRIC_DEFAULT", key_usage="ENCRYPT_DECRYPT")
    assert f"Grant operation {operations[-1]} is not supported" in caught.value.message
    assert "GenerateDataKeyPair" in caught.value.hint


def test_a_grant_without_operations_is_none() -> None:
    with pytest.raises(errors.ValidationError):
        grant.check_operations([], key_spec="SYMMETRIC_DEFAULT", key_usage="ENCRYPT_DECRYPT")


@pytest.mark.parametrize(
    ("equals", "subset", "spec"),
    [
        (None, None, "SYMMETRIC_DEFAULT"),
        (None, None, "RSA_2048"),
        ({"Department": "IT"}, None, "SYMMETRIC_DEFAULT"),
        (None, {"Department": "x" * 384}, "SYMMETRIC_DEFAULT"),
        ({str(number): "" for number in range(8)}, None, "SYMMETRIC_DEFAULT"),
        ({}, None, "SYMMETRIC_DEFAULT"),
    ],
)
def test_constraints_of_aws_are_taken(equals: dict[str, str] | None, subset: dict[str, str] | None, spec: str) -> None:
    grant.check_constraints(encryption_context_equals=equals, encryption_context_subset=subset, key_spec=spec)


@pytest.mark.parametrize(
    ("equals", "subset", "spec", "text"),
    [
        ({"a": "b"}, {"a": "b"}, "SYMMETRIC_DEFAULT", "More than one constraint supplied"),
        ({}, {"a": "b"}, "SYMMETRIC_DEFAULT", "More than one constraint supplied"),
        ({"a": "b"}, None, "RSA_2048", "not supported on a key with KeySpec RSA_2048"),
        (None, {"a": "b"}, "HMAC_256", "not supported on a key with KeySpec HMAC_256"),
        ({str(number): "" for number in range(9)}, None, "SYMMETRIC_DEFAULT", "has 9 encryption context pairs"),
        (None, {"a": "x" * 385}, "SYMMETRIC_DEFAULT", "has 385 characters; at most 384"),
    ],
)
def test_other_constraints_are_refused(
    equals: dict[str, str] | None, subset: dict[str, str] | None, spec: str, text: str
) -> None:
    with pytest.raises(errors.ValidationError) as caught:
        grant.check_constraints(encryption_context_equals=equals, encryption_context_subset=subset, key_spec=spec)
    assert text in caught.value.message


@given(key_ids, grant_ids, nonces)
def test_a_token_names_its_grant(key_id: str, grant_id: str, nonce: bytes) -> None:
    token = grant.grant_token(key_id=key_id, grant_id=grant_id, nonce=nonce)
    assert GrantRef(key_id, grant_id) == grant.parse_grant_token(token)


def test_two_tokens_of_a_grant_differ_and_name_the_same() -> None:
    one, two = (grant.grant_token(key_id=KEY_ID, grant_id=GRANT_ID, nonce=nonce * 8) for nonce in (b"1", b"2"))
    assert one != two
    assert grant.parse_grant_token(one) == grant.parse_grant_token(two) == GrantRef(KEY_ID, GRANT_ID)


def test_every_mistyped_character_is_found() -> None:
    token = grant.grant_token(key_id=MRK, grant_id=GRANT_ID, nonce=bytes(8))
    for at, right in enumerate(token):
        for wrong in set(string.ascii_letters + string.digits + "-_+/= ") - {right}:
            with pytest.raises(errors.InvalidGrantTokenError):
                grant.parse_grant_token(token[:at] + wrong + token[at + 1 :])


@given(st.text())
def test_a_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidGrantTokenError):
        grant.parse_grant_token(text)


def test_a_token_that_was_cut_or_continued_is_refused() -> None:
    token = grant.grant_token(key_id=KEY_ID, grant_id=GRANT_ID, nonce=bytes(8))
    for text in (token[:-1], token + "A", token + "\n", token + "====", " " + token, token[4:], token[4:] + token[:4]):
        with pytest.raises(errors.InvalidGrantTokenError):
            grant.parse_grant_token(text)


@pytest.mark.parametrize("key_id", [KEY_ID.upper(), "x" * 36, "alias/app"])
def test_a_token_names_a_key_id(key_id: str) -> None:
    with pytest.raises(errors.InternalError):
        grant.grant_token(key_id=key_id, grant_id=GRANT_ID, nonce=bytes(8))


@pytest.mark.parametrize("raw", [b"\x02" + bytes(80), b"\x01" + bytes(80), b"\x01" + b"\xff" * 76])
def test_a_token_of_another_making_is_refused_whatever_its_checksum(raw: bytes) -> None:
    body = raw[:77]
    token = base64.urlsafe_b64encode(body + grant._checksum(body)).decode()
    with pytest.raises(errors.InvalidGrantTokenError):
        grant.parse_grant_token(token)


def test_a_grant_id_is_64_hex_digits() -> None:
    assert GRANT_ID == grant.check_grant_id(GRANT_ID)


@pytest.mark.parametrize("text", ["", GRANT_ID[1:], GRANT_ID + "0", GRANT_ID.upper(), "g" * 64, GRANT_ID + "\n"])
def test_another_text_is_no_grant_id(text: str) -> None:
    with pytest.raises(errors.InvalidGrantIdError):
        grant.check_grant_id(text)
