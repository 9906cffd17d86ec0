"""AWS's documented examples, replayed: the same request gives an answer of the same members, types and values.

botocore ships them with its model. A vault of the examples' account and Region gets the keys that each one speaks of;
ids, ARNs of keys, times and bytes are then our own, and all else must be as AWS shows it.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kmscli.service import operations
from kmscli.service.vaults import InitRequest, init_vault
from tests import awsmodel
from tests.helpers import Home
from tests.interop.life import wrapped

EXAMPLES: dict[str, list[dict[str, Any]]] = awsmodel.LOADER.load_service_model("kms", "examples-1")["examples"]
ACCOUNT, REGION = "111122223333", "us-east-2"
KEY, OTHER_KEY = "1234abcd-12ab-34cd-56ef-1234567890ab", "0987dcba-09fe-87dc-65ba-ab0987654321"
MULTI_REGION_KEY = "mrk-1234abcd12ab34cd56ef1234567890ab"
GRANT = "0c237476b39f8bc44e45212e08498fbe3151305030726c0590dd8d3e9f3d6a60"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ExampleRole"

Example = tuple[str, int]
"""Operation, and which of its examples."""

ALL: list[Example] = [(name, number) for name, rows in EXAMPLES.items() for number in range(len(rows))]
_STORE = "custom key stores are refused"
REFUSED: dict[Example, str] = {
    ("CreateKey", 5): _STORE,
    **{example: _STORE for example in ALL if "CustomKeyStore" in example[0]},
    ("ReplicateKey", 0): "a vault has one Region so far",
}
"""Examples that end in UnsupportedOperationException -> why."""

NEWER: dict[Example, tuple[str, ...]] = {
    ("CreateKey", 0): (".KeyMetadata.CurrentKeyMaterialId",),
    ("CreateKey", 3): (".KeyMetadata.CurrentKeyMaterialId",),
    ("Decrypt", 0): (".EncryptionAlgorithm", ".KeyMaterialId"),
    ("DeleteImportedKeyMaterial", 0): (".KeyId", ".KeyMaterialId"),
    ("DescribeKey", 0): (".KeyMetadata.CurrentKeyMaterialId",),
    ("DescribeKey", 2): (".KeyMetadata.CurrentKeyMaterialId", ".KeyMetadata.KeySpec"),
    ("DescribeKey", 3): (".KeyMetadata.KeySpec",),
    ("Encrypt", 0): (".EncryptionAlgorithm",),
    ("GenerateDataKey", 0): (".KeyMaterialId",),
    ("GenerateDataKeyPair", 0): (".KeyMaterialId",),
    ("GenerateDataKeyPairWithoutPlaintext", 0): (".KeyMaterialId",),
    ("GenerateDataKeyWithoutPlaintext", 0): (".KeyMaterialId",),
    ("GetKeyPolicy", 0): (".PolicyName",),
    ("GetKeyRotationStatus", 0): (".KeyId", ".NextRotationDate", ".RotationPeriodInDays"),
    ("GetPublicKey", 0): (".KeySpec",),
    ("ImportKeyMaterial", 0): (".KeyId", ".KeyMaterialId"),
    ("ListAliases", 0): (".Aliases[].CreationDate", ".Aliases[].LastUpdatedDate"),
    ("ReEncrypt", 0): (
        ".DestinationEncryptionAlgorithm",
        ".DestinationKeyMaterialId",
        ".SourceEncryptionAlgorithm",
        ".SourceKeyMaterialId",
    ),
    ("ScheduleKeyDeletion", 0): (".KeyState", ".PendingWindowInDays"),
}
"""Members of the model that are younger than an example, and are answered here."""
DIFFERENT: dict[tuple[str, int, str], str] = {
    (
        "CreateKey",
        3,
        ".KeyMetadata.MultiRegionConfiguration.PrimaryKey.Region is 'us-east-2'",
    ): "the example lies in another Region than the others",
    (
        "DescribeKey",
        2,
        ".KeyMetadata.MultiRegionConfiguration.PrimaryKey.Region is 'us-east-2'",
    ): "the example lies in another Region than the others",
    (
        "DescribeKey",
        2,
        ".KeyMetadata.MultiRegionConfiguration.ReplicaKeys is empty",
    ): "a vault has one Region so far",
    (
        "DescribeKey",
        3,
        ".KeyMetadata.AWSAccountId is '111122223333'",
    ): "the example has another account than the others",
    (
        "ListGrants",
        0,
        ".Truncated is False",
    ): "the example shows the first of several pages, and leaves out its marker",
    (
        "ListRetirableGrants",
        0,
        ".Grants[].IssuingAccount is 'arn:aws:iam::111122223333:root'",
    ): "the example has a key of another account",
}
"""Operation, number of the example, what is not as there -> why."""

# -- what each example speaks of ---------------------------------------------------------------------------------------


class Scene:
    """A vault with what an example speaks of.

    Attributes:
        names: What stands in the example -> what is here.
        blobs: Bytes of the request by their members.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.names: dict[str, str] = {}
        self.blobs: dict[str, bytes] = {}

    def key(self, name: str = KEY, **members: Any) -> str:
        """A key that the example calls `name`."""
        self.names[name] = self.home.create_key(**members)
        return self.names[name]

    def grant(self, **members: Any) -> None:
        """A grant that the example calls GRANT."""
        asked = {"GranteePrincipal": ROLE, "Operations": ["Encrypt", "Decrypt"]} | members
        self.names[GRANT] = self.home.perform("CreateGrant", KeyId=self.names[KEY], **asked).grant_id

    def parameters(self) -> bytes:
        """An import token for the key; returns some key material, wrapped."""
        given = self.home.perform(
            "GetParametersForImport",
            KeyId=self.names[KEY],
            WrappingAlgorithm="RSAES_OAEP_SHA_256",
            WrappingKeySpec="RSA_2048",
        )
        self.blobs["ImportToken"] = given.import_token
        self.blobs["EncryptedKeyMaterial"] = wrapped(given.public_key, bytes(32), "RSAES_OAEP_SHA_256")
        return self.blobs["EncryptedKeyMaterial"]

    def request(self, operation: str, given: dict[str, Any] | None) -> dict[str, Any]:
        """The example's request about what is here."""
        shapes = awsmodel.members(awsmodel.input_shape(operation))
        return {name: self._value(name, shapes[name], value) for name, value in (given or {}).items()}

    def _value(self, name: str, shape: str, value: Any) -> Any:
        if awsmodel.SHAPES[shape]["type"] == "blob":
            return self.blobs.get(name, value.encode())
        return self.own(value) if isinstance(value, str) else value

    def own(self, text: str) -> str:
        """A text of the example about what is here."""
        for name, ours in self.names.items():
            # An example may lie in another Region and account than the others.
            text = re.sub(rf"arn:aws:kms:[a-z0-9-]+:[0-9]+:key/{name}", self.arn(ours), text).replace(name, ours)
        return text

    def arn(self, key_id: str) -> str:
        """The ARN of a key here."""
        return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id}"


def _with(*steps: tuple[str, dict[str, Any]], name: str = KEY, **members: Any) -> Callable[[Scene], None]:
    """A key, and what was done to it."""

    def prepare(scene: Scene) -> None:
        key_id = scene.key(name, **members)
        for operation, more in steps:
            scene.home.perform(operation, KeyId=key_id, **more)

    return prepare


def _encrypted(scene: Scene) -> None:
    scene.key(OTHER_KEY)
    scene.blobs["CiphertextBlob"] = scene.home.perform("Encrypt", KeyId=scene.key(), Plaintext=b"x").ciphertext_blob


def _imported(scene: Scene) -> None:
    _parameters(scene)
    stays = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    scene.home.perform("ImportKeyMaterial", KeyId=scene.names[KEY], **scene.blobs, **stays)


def _parameters(scene: Scene) -> None:
    scene.key(Origin="EXTERNAL")
    scene.parameters()


def _granted(scene: Scene) -> None:
    scene.key()
    scene.grant(RetiringPrincipal=ROLE)


def _listed_grants(scene: Scene) -> None:
    scene.key()
    scene.grant(Operations=["Encrypt", "ReEncryptTo", "ReEncryptFrom"], RetiringPrincipal=ROLE)


def _signing(scene: Scene) -> None:
    key_id = scene.key(KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY", Alias="alias/ECC_signing_key")
    example = EXAMPLES["Verify"][0]["input"]
    signed = scene.home.perform(
        "Sign", KeyId=key_id, Message=example["Message"].encode(), SigningAlgorithm=example["SigningAlgorithm"]
    )
    scene.blobs["Signature"] = signed.signature


def _mac(scene: Scene) -> None:
    key_id = scene.key(KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC")
    example = EXAMPLES["VerifyMac"][0]["input"]
    made = scene.home.perform(
        "GenerateMac", KeyId=key_id, Message=example["Message"].encode(), MacAlgorithm=example["MacAlgorithm"]
    )
    scene.blobs["Mac"] = made.mac


def _moved_alias(scene: Scene) -> None:
    scene.key()
    scene.home.create_key(Alias="alias/ExampleAlias")


def _many_keys(scene: Scene) -> None:
    for number in range(3):
        scene.home.create_key(Alias=f"alias/example{number}")


_TAGS = [
    {"TagKey": name, "TagValue": value}
    for name, value in (("CostCenter", "87654"), ("CreatedBy", "ExampleUser"), ("Purpose", "Test"))
]
Prepare = Callable[[Scene], None]
PREPARE: dict[str | Example, Prepare] = {
    "CancelKeyDeletion": _with(("ScheduleKeyDeletion", {})),
    "Decrypt": _encrypted,
    "DeleteAlias": _with(Alias="alias/ExampleAlias"),
    "DeleteImportedKeyMaterial": _imported,
    ("DescribeKey", 1): _with(("DisableKey", {}), KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"),
    ("DescribeKey", 2): _with(name=MULTI_REGION_KEY, MultiRegion=True),
    ("DescribeKey", 3): _with(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC", Description="Development test key"),
    "DisableKeyRotation": _with(("EnableKeyRotation", {})),
    "EnableKey": _with(("DisableKey", {})),
    "GenerateDataKey": _with(Alias="alias/ExampleAlias"),
    "GenerateDataKeyWithoutPlaintext": _with(Alias="alias/ExampleAlias"),
    "GenerateMac": _mac,
    "GetKeyRotationStatus": _with(("EnableKeyRotation", {})),
    "GetParametersForImport": _with(Origin="EXTERNAL"),
    "GetPublicKey": _with(name=OTHER_KEY, KeySpec="RSA_4096", KeyUsage="ENCRYPT_DECRYPT"),
    "ImportKeyMaterial": _parameters,
    "ListAliases": _many_keys,
    "ListGrants": _listed_grants,
    "ListKeys": _many_keys,
    "ListResourceTags": _with(Tags=_TAGS),
    "ListRetirableGrants": _granted,
    "ReEncrypt": _encrypted,
    "RetireGrant": _granted,
    "RevokeGrant": _granted,
    "Sign": _signing,
    "UntagResource": _with(Tags=_TAGS),
    "UpdateAlias": _moved_alias,
    "Verify": _signing,
    "VerifyMac": _mac,
}
"""Operation, or one example of it -> what it needs; the rest need a symmetric key."""

# -- comparison --------------------------------------------------------------------------------------------------------

OWN_VALUES = {"KeyIdType", "ArnType", "GrantIdType", "GrantTokenType"}
"""Shapes whose values are ours, though those of the example may be about the same thing."""


def differences(shape: str, theirs: Any, ours: Any, path: str = "", *, values: bool = True) -> Iterator[str]:
    """What is not as in the example, or with `values` unset, of what other form it is."""
    row = awsmodel.SHAPES[shape]
    match row["type"]:
        case "structure":
            yield from (f"{path}.{name} is missing" for name in theirs.keys() - ours.keys())
            yield from (f"{path}.{name} is new" for name in ours.keys() - theirs.keys())
            for name in theirs.keys() & ours.keys():
                inner = awsmodel.members(shape)[name]
                yield from differences(inner, theirs[name], ours[name], f"{path}.{name}", values=values)
        case "list":
            yield from _of_lists(str(awsmodel.inner(shape)), theirs, ours, path, values=values)
        case "blob" | "timestamp" as kind:
            assert isinstance(ours, bytes if kind == "blob" else datetime)
        case _:
            assert type(theirs) is type(ours)
            if values and shape not in OWN_VALUES and theirs != ours:
                yield f"{path} is {ours!r}"


def _of_lists(shape: str, theirs: list[Any], ours: list[Any], path: str, *, values: bool) -> Iterator[str]:
    if theirs and not ours:
        yield f"{path} is empty"
    # Where the example has so many items, ours are of the same form as its first.
    same = len(theirs) == len(ours)
    for number, item in enumerate(ours):
        expected = theirs[number] if same else theirs[0]
        yield from differences(shape, expected, item, f"{path}[]", values=values and same)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A vault of the examples' account and Region."""
    home = Home(tmp_path)
    request = InitRequest(home.folder, None, home.keyfile, region=REGION, account=ACCOUNT, kdf_memory_mib=8)
    init_vault(request, clock=home.clock, rng=home.rng)
    yield Scene(home)
    home.close()


def test_every_example_is_one_of_an_operation() -> None:
    assert EXAMPLES.keys() <= awsmodel.OPERATIONS.keys()
    assert REFUSED.keys() <= set(ALL)
    assert {example[:2] for example in (*NEWER, *DIFFERENT)} <= set(ALL) - REFUSED.keys()


@pytest.mark.parametrize("example", [example for example in ALL if example not in REFUSED], ids=str)
def test_an_example_of_aws_gives_what_aws_shows(scene: Scene, example: Example) -> None:
    operation, number = example
    row = EXAMPLES[operation][number]
    if operation not in {"CreateKey", "GenerateRandom"}:
        PREPARE.get(example, PREPARE.get(operation, _with()))(scene)
    answer = scene.home.answer(operation, **scene.request(operation, row.get("input")))
    shape = awsmodel.output_shape(operation)
    if shape is None:
        assert (row.get("output") or {}, answer) == ({}, {})
        return
    newer = {f"{path} is new" for path in NEWER.get(example, ())}
    told = {what for name, which, what in DIFFERENT if (name, which) == example}
    assert set(differences(shape, row.get("output") or {}, answer)) == newer | told


@pytest.mark.parametrize("example", REFUSED, ids=str)
def test_an_example_that_a_vault_cannot_have_is_refused(scene: Scene, example: Example) -> None:
    operation, number = example
    given = EXAMPLES[operation][number].get("input") or {}
    assert scene.home.refused(operation, **given).code == "UnsupportedOperationException"
    assert operation in operations.REFUSED or operation == "CreateKey"
