"""Our numbers against those in AWS's model of the API, and the members of each operation against its shapes."""

from typing import Any, cast

import botocore.loaders  # type: ignore[import-untyped]
import pytest

from kmscli.model import limits
from kmscli.model.specs import DATA_KEY_BYTES, KEY_SPECS
from kmscli.service import operations
from kmscli.service.members import Member, Shape, members

MODEL = botocore.loaders.Loader().load_service_model("kms", "service-2")
SHAPES = cast("dict[str, dict[str, Any]]", MODEL["shapes"])
KINDS = {"string", "integer", "boolean", "blob", "list", "map", "structure"}

NARROWER = {
    ("ListAliases", "Limit"): "the shape is shared; the documentation of ListAliases says 1 to 100",
    ("ScheduleKeyDeletion", "PendingWindowInDays"): "the shape says 1 to 365; the service takes 7 to 30",
}
"""Members whose bounds are tighter than those of AWS's shape, with the reason."""
NOT_YET = {
    "BypassPolicyLockoutSafetyCheck",
    "CustomKeyStoreId",
    "CustomerMasterKeySpec",
    "DryRunModifiers",
    "GrantTokens",
    "IncludeKeyMaterial",
    "MultiRegion",
    "Origin",
    "Policy",
    "Recipient",
    "ResourceOwners",
    "XksKeyId",
}
"""AWS's members that no request here takes: policies, grants, origins and clouds come later or never."""
OPTIONAL_THERE = {
    ("Decrypt", "CiphertextBlob"): "absent only with a DryRunModifier that is not here",
    ("ReEncrypt", "CiphertextBlob"): "the same",
    ("GenerateRandom", "NumberOfBytes"): "the service refuses a request without it",
}
"""Members that we require and AWS's shape does not."""


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
        (limits.LIST_LIMIT_MAX, "LimitType", "max"),
        (limits.MARKER_MAX, "MarkerType", "max"),
    ],
)
def test_a_number_is_the_one_of_aws(ours: int, shape: str, bound: str) -> None:
    assert ours == SHAPES[shape][bound]


def test_numbers_outside_the_model_are_those_of_the_quotas_page() -> None:
    assert (limits.ALIASES_PER_KEY, limits.TAGS_PER_KEY) == (50, 50)
    assert (limits.KEYS_PAGE, limits.ALIASES_PAGE, limits.ALIASES_PAGE_MAX) == (100, 50, 100)
    assert (limits.DELETION_WINDOW_MIN, limits.DELETION_WINDOW_MAX, limits.DELETION_WINDOW_DEFAULT) == (7, 30, 30)


def inputs() -> list[tuple[str, Member]]:
    return [(name, member) for name in operations.OPERATIONS for member in members(operations.load(name).request)]


def theirs(operation: str) -> dict[str, Any]:
    return SHAPES[cast("dict[str, Any]", MODEL["operations"])[operation]["input"]["shape"]]


@pytest.mark.parametrize(("operation", "member"), [(name, member) for name, member in inputs() if not member.own])
def test_each_member_of_a_request_is_bounded_as_in_the_model_of_aws(operation: str, member: Member) -> None:
    shape = SHAPES[theirs(operation)["members"][member.name]["shape"]]
    check_shape(member.shape, shape, exact=(operation, member.name) not in NARROWER)


def check_shape(ours: Shape, shape: dict[str, Any], *, exact: bool) -> None:
    kind = "string" if ours.kind == "enum" else ours.kind
    assert kind in KINDS
    assert kind == shape["type"]
    if ours.kind == "enum":
        assert set(ours.choices) <= set(shape["enum"])
    least, greatest = (ours.minimum, ours.maximum) if kind == "integer" else (ours.min_length, ours.max_length)
    if exact:
        assert (least, greatest) == (shape.get("min"), shape.get("max"))
    else:
        assert shape["min"] <= (least or 0) <= (greatest or 0) <= shape["max"]
    assert (ours.pattern or "").strip("^$") == shape.get("pattern", "").strip("^$")
    if ours.item is not None and ours.item.struct is None:
        inner = shape["value"] if kind == "map" else shape["member"]
        check_shape(ours.item, SHAPES[inner["shape"]], exact=exact)


@pytest.mark.parametrize("operation", operations.OPERATIONS)
def test_each_operation_has_the_members_of_aws_but_those_not_yet_built(operation: str) -> None:
    known = {member.name for name, member in inputs() if name == operation and not member.own}
    assert theirs(operation)["members"].keys() - known <= NOT_YET
    assert known <= theirs(operation)["members"].keys()


@pytest.mark.parametrize("operation", operations.OPERATIONS)
def test_each_operation_requires_what_aws_requires(operation: str) -> None:
    ours = {member.name for name, member in inputs() if name == operation and member.required}
    exceptions = {name for where, name in OPTIONAL_THERE if where == operation}
    assert ours - exceptions == set(theirs(operation).get("required", []))


@pytest.mark.parametrize("operation", operations.OPERATIONS)
def test_each_answer_has_only_members_of_aws(operation: str) -> None:
    output = cast("dict[str, Any]", MODEL["operations"])[operation].get("output")
    known = SHAPES[output["shape"]]["members"].keys() if output else set()
    assert set(operations.load(operation).response.__struct_encode_fields__) <= set(known)


def test_key_specs_are_those_of_aws() -> None:
    usages = SHAPES["KeyUsageType"]["enum"]
    algorithms = SHAPES["EncryptionAlgorithmSpec"]["enum"]
    for name, spec in KEY_SPECS.items():
        assert name in SHAPES["KeySpec"]["enum"]
        assert set(spec.usages) <= set(usages)
        assert set(spec.encryption_algorithms) <= set(algorithms)
    assert list(DATA_KEY_BYTES) == SHAPES["DataKeySpec"]["enum"]
    assert DATA_KEY_BYTES == {"AES_256": 32, "AES_128": 16}


def test_the_symmetric_key_is_256_bits_long() -> None:
    assert KEY_SPECS["SYMMETRIC_DEFAULT"].material_bytes == 32
