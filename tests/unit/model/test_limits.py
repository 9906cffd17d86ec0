"""Our numbers against those in AWS's model of the API; what its operations take is walked in tests/interop."""

from typing import Any, cast

import botocore.loaders  # type: ignore[import-untyped]
import pytest

from kmscli.model import limits
from kmscli.model.specs import (
    DATA_KEY_BYTES,
    KEY_SPECS,
    MAC_HASHES,
    SIGNING_ALGORITHMS,
    UNSUPPORTED,
    WRAPPING_ALGORITHMS,
    WRAPPING_KEY_BITS,
)

MODEL = botocore.loaders.Loader().load_service_model("kms", "service-2")
SHAPES = cast("dict[str, dict[str, Any]]", MODEL["shapes"])


@pytest.mark.parametrize(
    ("ours", "shape", "bound"),
    [
        (limits.PLAINTEXT_MAX, "PlaintextType", "max"),
        (limits.CIPHERTEXT_MAX, "CiphertextType", "max"),
        (limits.RANDOM_MAX, "NumberOfBytesType", "max"),
        (limits.KEY_ID_MAX, "KeyIdType", "max"),
        (limits.DESCRIPTION_MAX, "DescriptionType", "max"),
        (limits.ALIAS_NAME_MAX, "AliasNameType", "max"),
        (limits.TAG_KEY_MAX, "TagKeyType", "max"),
        (limits.TAG_VALUE_MAX, "TagValueType", "max"),
        (limits.GRANT_NAME_MAX, "GrantNameType", "max"),
        (limits.GRANT_ID_MAX, "GrantIdType", "max"),
        (limits.GRANT_TOKEN_MAX, "GrantTokenType", "max"),
        (limits.GRANT_TOKENS_MAX, "GrantTokenList", "max"),
        (limits.PRINCIPAL_ARN_MAX, "PrincipalIdType", "max"),
        (limits.SERVICE_PRINCIPAL_MAX, "ServicePrincipalType", "max"),
        (limits.MESSAGE_MAX, "PlaintextType", "max"),
        (limits.PUBLIC_KEY_MAX, "PublicKeyType", "max"),
        (limits.POLICY_MAX, "PolicyType", "max"),
        (limits.POLICY_NAME_MAX, "PolicyNameType", "max"),
        (limits.KEY_STORE_ID_MAX, "CustomKeyStoreIdType", "max"),
        (limits.XKS_KEY_ID_MAX, "XksKeyIdType", "max"),
        (limits.ATTESTATION_MAX, "AttestationDocumentType", "max"),
        (limits.MATERIAL_ID_LENGTH, "BackingKeyIdType", "min"),
        (limits.MATERIAL_ID_LENGTH, "BackingKeyIdType", "max"),
        (limits.MATERIAL_DESCRIPTION_MAX, "KeyMaterialDescriptionType", "max"),
        (limits.ROTATION_DAYS_MIN, "RotationPeriodInDaysType", "min"),
        (limits.ROTATION_DAYS_MAX, "RotationPeriodInDaysType", "max"),
        (limits.LIST_LIMIT_MAX, "LimitType", "max"),
        (limits.MARKER_MAX, "MarkerType", "max"),
    ],
)
def test_a_number_is_the_one_of_aws(ours: int, shape: str, bound: str) -> None:
    assert ours == SHAPES[shape][bound]


def test_numbers_outside_the_model_are_those_of_the_quotas_page() -> None:
    assert limits.PROFILES["aws"] == limits.AccountLimits(100_000, 50, 50, 50_000, 25)
    assert limits.POLICY_BYTES_MAX == 32_768
    assert (limits.GRANT_CONTEXT_PAIRS, limits.GRANT_CONTEXT_VALUE_MAX) == (8, 384)


def test_numbers_outside_the_model_are_those_of_the_reference() -> None:
    assert (limits.KEYS_PAGE, limits.ALIASES_PAGE, limits.ALIASES_PAGE_MAX) == (100, 50, 100)
    assert (limits.GRANTS_PAGE, limits.GRANTS_PAGE_MAX) == (50, 100)
    assert (limits.TAGS_PAGE, limits.TAGS_PAGE_MAX) == (50, 50)
    assert (limits.DELETION_WINDOW_MIN, limits.DELETION_WINDOW_MAX, limits.DELETION_WINDOW_DEFAULT) == (7, 30, 30)
    assert limits.ROTATION_DAYS_DEFAULT == 365
    assert limits.MATERIAL_VALID_DAYS_MAX == 365
    assert limits.IMPORT_TOKEN_HOURS == 24


@pytest.mark.parametrize(
    ("table", "shape"),
    [
        (KEY_SPECS, "KeySpec"),
        (SIGNING_ALGORITHMS, "SigningAlgorithmSpec"),
        (MAC_HASHES, "MacAlgorithmSpec"),
        (WRAPPING_ALGORITHMS, "AlgorithmSpec"),
        (WRAPPING_KEY_BITS, "WrappingKeySpec"),
        (DATA_KEY_BYTES, "DataKeySpec"),
        ({name: row for name, row in KEY_SPECS.items() if row.pairs}, "DataKeyPairSpec"),
        ({name: row for name, row in KEY_SPECS.items() if row.old_name}, "CustomerMasterKeySpec"),
    ],
)
def test_a_table_has_the_names_of_aws(table: dict[str, object], shape: str) -> None:
    assert [name for name in SHAPES[shape]["enum"] if name not in UNSUPPORTED] == [
        name for name in SHAPES[shape]["enum"] if name in table
    ]
    assert table.keys() <= set(SHAPES[shape]["enum"])


def test_whatever_is_unsupported_is_a_name_of_aws() -> None:
    names = {name for shape in SHAPES.values() for name in shape.get("enum", ())}
    assert UNSUPPORTED.keys() <= names


def test_key_specs_stand_in_the_order_of_aws() -> None:
    assert list(KEY_SPECS) == [name for name in SHAPES["KeySpec"]["enum"] if name in KEY_SPECS]


def test_usages_and_algorithms_of_a_spec_are_names_of_aws() -> None:
    names = {name for shape in SHAPES if shape.endswith("AlgorithmSpec") for name in SHAPES[shape]["enum"]}
    for spec in KEY_SPECS.values():
        assert spec.usages.keys() <= set(SHAPES["KeyUsageType"]["enum"])
        assert {algorithm for usage in spec.usages.values() for algorithm in usage} <= names


def test_the_symmetric_key_and_the_data_keys_are_as_long_as_their_names_say() -> None:
    assert KEY_SPECS["SYMMETRIC_DEFAULT"].parameter == 32
    assert DATA_KEY_BYTES == {"AES_256": 32, "AES_128": 16}
