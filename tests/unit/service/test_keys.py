"""CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, UpdateKeyDescription."""

from datetime import timedelta

import pytest

from kmscli.model import ids, limits
from kmscli.model.limits import AccountLimits
from kmscli.model.specs import KEY_SPECS
from tests.helpers import Clock, Home

ABSENT = "12345678-1234-1234-1234-123456789012"


def test_a_new_key_is_described_as_aws_describes_one(home: Home) -> None:
    metadata = home.answer("CreateKey", Description="for tests")["KeyMetadata"]
    key_id = metadata["KeyId"]
    assert ids.is_key_id(key_id)
    assert len(metadata.pop("CurrentKeyMaterialId")) == 64
    created = metadata.pop("CreationDate")
    assert created == home.clock().replace(microsecond=123000)
    assert metadata == {
        "AWSAccountId": "000000000000",
        "KeyId": key_id,
        "Arn": home.arn(key_id),
        "Enabled": True,
        "Description": "for tests",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ("SYMMETRIC_DEFAULT",),
        "MultiRegion": False,
    }


def test_a_key_is_described_as_it_was_created(home: Home) -> None:
    created = home.answer("CreateKey", Description="x")
    assert home.answer("DescribeKey", KeyId=created["KeyMetadata"]["KeyId"]) == created


def test_nothing_need_be_said_of_a_new_key(home: Home) -> None:
    assert home.answer("CreateKey")["KeyMetadata"]["Description"] == ""


def test_each_new_key_is_another(home: Home) -> None:
    assert len({home.create_key() for _ in range(5)}) == 5


def test_a_key_and_its_alias_are_made_together(home: Home) -> None:
    key_id = home.create_key(Alias="alias/app")
    assert home.perform("DescribeKey", KeyId="alias/app").key_metadata.key_id == key_id


@pytest.mark.parametrize(
    ("alias", "code"),
    [
        ("app", "ValidationException"),
        ("alias/", "InvalidAliasNameException"),
        ("alias/aws/own", "NotAuthorizedException"),
        ("alias/taken", "AlreadyExistsException"),
    ],
)
def test_a_key_whose_alias_cannot_be_made_is_not_made_either(home: Home, alias: str, code: str) -> None:
    home.create_key(Alias="alias/taken")
    before = home.answer("ListKeys")
    assert home.refused("CreateKey", Alias=alias).code == code
    assert home.answer("ListKeys") == before


@pytest.mark.parametrize("member", ["KeyId", "TargetKeyId"])
@pytest.mark.parametrize("form", ["{id}", "arn:aws:kms:local:000000000000:key/{id}"])
def test_a_key_is_found_by_id_and_by_arn(home: Home, form: str, member: str) -> None:
    key_id = home.create_key()
    name = form.format(id=key_id)
    if member == "KeyId":
        assert home.perform("DescribeKey", KeyId=name).key_metadata.key_id == key_id
    else:
        home.perform("CreateAlias", AliasName="alias/a", TargetKeyId=name)
        assert home.perform("ListAliases").aliases[0].target_key_id == key_id


@pytest.mark.parametrize("name", ["alias/app", "arn:aws:kms:local:000000000000:alias/app"])
def test_a_key_is_found_by_alias_and_by_alias_arn(home: Home, name: str) -> None:
    key_id = home.create_key(Alias="alias/app")
    assert home.perform("DescribeKey", KeyId=name).key_metadata.key_id == key_id


@pytest.mark.parametrize(
    ("name", "code", "exit_code", "text"),
    [
        (ABSENT, "NotFoundException", 20, f"Key 'arn:aws:kms:local:000000000000:key/{ABSENT}' does not exist"),
        ("alias/none", "NotFoundException", 20, "Alias arn:aws:kms:local:000000000000:alias/none is not found."),
        ("app", "NotFoundException", 20, "Invalid keyId 'app'"),
        ("arn:aws:kms", "InvalidArnException", 2, "Invalid arn arn:aws:kms"),
        (
            "arn:aws:kms:local:000000000000:key/x",
            "NotFoundException",
            20,
            "Key 'arn:aws:kms:local:000000000000:key/x' does not exist",
        ),
        (
            f"arn:aws:kms:eu-central-1:000000000000:key/{ABSENT}",
            "NotFoundException",
            20,
            "Invalid arn eu-central-1",
        ),
        ("alias/", "NotFoundException", 20, "Alias arn:aws:kms:local:000000000000:alias/ is not found."),
        (
            "alias/\u00e4 \n",
            "NotFoundException",
            20,
            "Alias arn:aws:kms:local:000000000000:alias/\u00e4 \n is not found.",
        ),
    ],
)
def test_a_key_that_is_not_here_is_not_found(home: Home, name: str, code: str, exit_code: int, text: str) -> None:
    error = home.refused("DescribeKey", KeyId=name)
    assert (error.code, error.exit_code, error.message) == (code, exit_code, text)


def test_a_bare_alias_name_is_offered(home: Home) -> None:
    home.create_key(Alias="alias/app")
    assert home.refused("Encrypt", KeyId="app", Plaintext=b"x").hint == "did you mean alias/app?"


def test_tags_are_kept_in_the_record(home: Home) -> None:
    key_id = home.create_key(Tags=[{"TagKey": "b", "TagValue": ""}, {"TagKey": "a", "TagValue": "1"}])
    with home.context.session.read() as snapshot:
        found = snapshot.key(key_id)
    assert found is not None
    assert found.record.tags == (("a", "1"), ("b", ""))


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ([("a", "1"), ("a", "2")], "Duplicate tag keys: a"),
        ([("aws:x", "1")], "aws:x: tag keys that start with aws: are reserved"),
        ([("AWS:x", "1")], "AWS:x: tag keys that start with aws: are reserved"),
        ([(f"k{number}", "") for number in range(51)], "Too many tags"),
    ],
)
def test_tags_that_aws_refuses_are_refused(home: Home, tags: list[tuple[str, str]], text: str) -> None:
    error = home.refused("CreateKey", Tags=[{"TagKey": key, "TagValue": value} for key, value in tags])
    assert (error.code, error.exit_code, error.message) == ("TagException", 2, text)


def test_fifty_tags_are_taken(home: Home) -> None:
    home.create_key(Tags=[{"TagKey": f"k{number}", "TagValue": ""} for number in range(50)])


def test_tag_keys_differ_by_case(home: Home) -> None:
    home.create_key(Tags=[{"TagKey": "a", "TagValue": ""}, {"TagKey": "A", "TagValue": ""}])


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"KeySpec": "RSA_1024"}, "'keySpec'"),
        ({"KeySpec": "RSA_2048"}, "You must specify a KeyUsage value"),
        ({"KeyUsage": "WRAP"}, "'keyUsage'"),
        ({"KeyUsage": "SIGN_VERIFY"}, "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"),
        ({"CustomerMasterKeySpec": "ML_DSA_44"}, "'customerMasterKeySpec'"),
        ({"Origin": "AWS"}, "'origin'"),
        ({"MultiRegion": "true"}, "'multiRegion'"),
        ({"Description": "x" * 8193}, "'description'"),
        ({"Tags": [{"TagKey": "", "TagValue": ""}]}, "'tags.1.member.tagKey'"),
        ({"Policy": ""}, "'policy'"),
        ({"Policies": "{}"}, "'Policies'"),
    ],
)
def test_what_no_key_can_be_is_a_validation_error(home: Home, members: dict[str, object], told: str) -> None:
    error = home.refused("CreateKey", **members)
    assert (error.code, error.exit_code) == ("ValidationException", 2)
    assert told in error.message
    assert home.answer("ListKeys")["Keys"] == []


@pytest.mark.parametrize("policy", ["{}", "[]", "{"])
def test_a_key_whose_policy_is_none_is_not_made(home: Home, policy: str) -> None:
    error = home.refused("CreateKey", Policy=policy)
    assert (error.code, error.exit_code) == ("MalformedPolicyDocumentException", 2)
    assert home.answer("ListKeys")["Keys"] == []


def test_a_description_takes_8192_characters(home: Home) -> None:
    assert home.answer("CreateKey", Description="\u00e4" * 8192)["KeyMetadata"]["Description"] == "\u00e4" * 8192


# -- kinds of keys -----------------------------------------------------------------------------------------------------

# AWS KMS developer guide, "Key spec reference"; SM2 and ML_KEM_512 are not here. The lists are in the order in which
# AWS's documented answers have them.
RSA_SIGNING = tuple(f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512))
RSA_ENCRYPTION = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
ENCRYPTION, SIGNING = "EncryptionAlgorithms", "SigningAlgorithms"
AGREEMENT, KEM, MAC = "KeyAgreementAlgorithms", "EncapsulationAlgorithms", "MacAlgorithms"
KINDS: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", ENCRYPTION, ("SYMMETRIC_DEFAULT",)),
    *((f"RSA_{bits}", "ENCRYPT_DECRYPT", ENCRYPTION, RSA_ENCRYPTION) for bits in (2048, 3072, 4096)),
    *((f"RSA_{bits}", "SIGN_VERIFY", SIGNING, RSA_SIGNING) for bits in (2048, 3072, 4096)),
    ("ECC_NIST_P256", "SIGN_VERIFY", SIGNING, ("ECDSA_SHA_256",)),
    ("ECC_NIST_P384", "SIGN_VERIFY", SIGNING, ("ECDSA_SHA_384",)),
    ("ECC_NIST_P521", "SIGN_VERIFY", SIGNING, ("ECDSA_SHA_512",)),
    *((f"ECC_NIST_P{bits}", "KEY_AGREEMENT", AGREEMENT, ("ECDH",)) for bits in (256, 384, 521)),
    ("ECC_SECG_P256K1", "SIGN_VERIFY", SIGNING, ("ECDSA_SHA_256",)),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", SIGNING, ("ED25519_SHA_512",)),
    *((f"HMAC_{bits}", "GENERATE_VERIFY_MAC", MAC, (f"HMAC_SHA_{bits}",)) for bits in (224, 256, 384, 512)),
    *((f"ML_DSA_{size}", "SIGN_VERIFY", SIGNING, ("ML_DSA_SHAKE_256",)) for size in (44, 65, 87)),
    *((f"ML_KEM_{size}", "ENCAPSULATE_DECAPSULATE", KEM, ("ML_KEM",)) for size in (768, 1024)),
]
NOT_IMPORTED = {"ML_DSA_44", "ML_DSA_65", "ML_DSA_87", "ML_KEM_768", "ML_KEM_1024"}
USAGES = {"SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"}


def test_every_spec_and_usage_is_among_these() -> None:
    assert [(spec, usage) for spec, row in KEY_SPECS.items() for usage in row.usages] == sorted(
        ((spec, usage) for spec, usage, *_ in KINDS), key=_place
    )


def _place(kind: tuple[str, str]) -> tuple[int, int]:
    return list(KEY_SPECS).index(kind[0]), list(KEY_SPECS[kind[0]].usages).index(kind[1])


@pytest.mark.parametrize(("spec", "usage", "member", "algorithms"), KINDS)
def test_a_key_of_a_spec_is_described_whole(
    home: Home, spec: str, usage: str, member: str, algorithms: tuple[str, ...]
) -> None:
    # The large RSA pairs take seconds to make, and say nothing more than their sizes.
    external = spec in {"RSA_3072", "RSA_4096"}
    origin = "EXTERNAL" if external else "AWS_KMS"
    metadata = home.answer("CreateKey", KeySpec=spec, KeyUsage=usage, Origin=origin)["KeyMetadata"]
    material = metadata.pop("CurrentKeyMaterialId", None)
    assert (material is not None) == (spec == "SYMMETRIC_DEFAULT")
    key_id = metadata["KeyId"]
    assert metadata == {
        "AWSAccountId": "000000000000",
        "KeyId": key_id,
        "Arn": home.arn(key_id),
        "CreationDate": home.clock().replace(microsecond=123000),
        "Enabled": not external,
        "Description": "",
        "KeyUsage": usage,
        "KeyState": "PendingImport" if external else "Enabled",
        "Origin": origin,
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": spec,
        "KeySpec": spec,
        member: algorithms,
        "MultiRegion": False,
    }
    assert home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"] == metadata | (
        {"CurrentKeyMaterialId": material} if material else {}
    )


@pytest.mark.parametrize("spec", KEY_SPECS)
def test_a_usage_that_does_not_fit_the_spec_is_refused(home: Home, spec: str) -> None:
    for usage in USAGES - KEY_SPECS[spec].usages.keys():
        error = home.refused("CreateKey", KeySpec=spec, KeyUsage=usage)
        assert (error.code, error.message) == (
            "ValidationException",
            f"KeyUsage {usage} is not compatible with KeySpec {spec}",
        )


@pytest.mark.parametrize("spec", [spec for spec in KEY_SPECS if spec != "SYMMETRIC_DEFAULT"])
def test_only_a_symmetric_encryption_key_needs_no_usage(home: Home, spec: str) -> None:
    error = home.refused("CreateKey", KeySpec=spec)
    assert (error.code, error.message) == (
        "ValidationException",
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
    )
    assert error.hint.startswith("--key-usage ")


@pytest.mark.parametrize("spec", ["SM2", "ML_KEM_512"])
def test_a_spec_that_is_not_here_says_why(home: Home, spec: str) -> None:
    error = home.refused("CreateKey", KeySpec=spec, KeyUsage="SIGN_VERIFY")
    assert (error.code, error.exit_code) == ("UnsupportedOperationException", 61)
    assert error.message.startswith(f"{spec} is not supported: ")


def test_the_old_name_of_key_spec_is_taken(home: Home) -> None:
    old = home.answer("CreateKey", CustomerMasterKeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    assert (old["KeySpec"], old["CustomerMasterKeySpec"]) == ("ECC_NIST_P256", "ECC_NIST_P256")


@pytest.mark.parametrize("old", ["RSA_2048", "SYMMETRIC_DEFAULT"])
def test_both_names_of_key_spec_exclude_each_other(home: Home, old: str) -> None:
    error = home.refused("CreateKey", KeySpec="SYMMETRIC_DEFAULT", CustomerMasterKeySpec=old)
    assert error.code == "ValidationException"
    assert error.message == (
        "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated."
    )


# -- origins and Regions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "usage"), [(spec, usage) for spec, usage, *_ in KINDS if spec in NOT_IMPORTED])
def test_a_lattice_key_takes_no_imported_material(home: Home, spec: str, usage: str) -> None:
    error = home.refused("CreateKey", KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")
    assert (error.code, error.message) == (
        "UnsupportedOperationException",
        f"KeySpec {spec} does not take imported key material.",
    )


@pytest.mark.parametrize(("spec", "usage"), [(spec, usage) for spec, usage, *_ in KINDS if spec not in NOT_IMPORTED])
def test_a_key_whose_material_is_to_be_imported_waits_for_it(home: Home, spec: str, usage: str) -> None:
    members = {"KeySpec": spec, "KeyUsage": usage, "Origin": "EXTERNAL"}
    metadata = home.answer("CreateKey", **members)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"], metadata["Origin"]) == ("PendingImport", False, "EXTERNAL")
    assert metadata.keys() & {"ExpirationModel", "ValidTo", "CurrentKeyMaterialId"} == set()
    assert {kind for kind, *_ in home.lines()[-1]["change"]} == {"key", "share"}


@pytest.mark.parametrize(
    "members",
    [
        {"Origin": "AWS_CLOUDHSM"},
        {"Origin": "EXTERNAL_KEY_STORE"},
        {"CustomKeyStoreId": "cks-1"},
        {"XksKeyId": "1"},
        {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": "cks-1", "XksKeyId": "1"},
    ],
)
def test_a_key_in_a_key_store_is_refused(home: Home, members: dict[str, str]) -> None:
    error = home.refused("CreateKey", **members)
    assert (error.code, error.exit_code) == ("UnsupportedOperationException", 61)
    assert home.answer("ListKeys")["Keys"] == []


@pytest.mark.parametrize("origin", ["AWS_KMS", "EXTERNAL"])
def test_a_multi_region_key_is_the_primary_of_itself(home: Home, origin: str) -> None:
    metadata = home.answer("CreateKey", MultiRegion=True, Origin=origin)["KeyMetadata"]
    key_id = metadata["KeyId"]
    assert (key_id[:4], len(key_id)) == ("mrk-", 36)
    assert metadata["MultiRegion"] is True
    assert metadata["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": home.arn(key_id), "Region": "local"},
        "ReplicaKeys": [],
    }
    assert home.answer("DescribeKey", KeyId=home.arn(key_id))["KeyMetadata"] == metadata


def test_a_key_of_one_region_says_so(home: Home) -> None:
    metadata = home.answer("CreateKey", MultiRegion=False)["KeyMetadata"]
    assert metadata["MultiRegion"] is False
    assert "MultiRegionConfiguration" not in metadata


# -- all or nothing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Policy": "{}"}, "MalformedPolicyDocumentException"),
        ({"Policy": '"' + "x" * 32_768}, "LimitExceededException"),
        ({"Tags": [{"TagKey": "aws:x", "TagValue": ""}]}, "TagException"),
        ({"Alias": "alias/aws/x"}, "NotAuthorizedException"),
    ],
)
def test_a_key_that_is_refused_leaves_nothing(home: Home, members: dict[str, object], code: str) -> None:
    assert home.refused("CreateKey", **members).code == code
    assert home.answer("ListKeys") == {"Keys": [], "Truncated": False}
    assert "change" not in home.lines()[-1]


def test_a_vault_has_so_many_keys_and_no_more(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    few = AccountLimits(keys=2, aliases=9, tags=9, grants=9, on_demand_rotations=None)
    monkeypatch.setitem(limits.PROFILES, "local", few)
    home.create_key()
    home.create_key(Origin="EXTERNAL")
    error = home.refused("CreateKey")
    assert (error.code, error.exit_code) == ("LimitExceededException", 31)
    assert error.message == "this vault has 2 keys, the most it may have"


# -- DescribeKey -------------------------------------------------------------------------------------------------------


def test_a_key_that_waits_for_its_end_says_when_it_comes(home: Home) -> None:
    key_id = home.create_key()
    date = home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7).deletion_date
    metadata = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"], metadata["DeletionDate"]) == ("PendingDeletion", False, date)
    home.perform("CancelKeyDeletion", KeyId=key_id)
    assert "DeletionDate" not in home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]


def test_a_wrong_grant_token_is_refused(home: Home) -> None:
    error = home.refused("DescribeKey", KeyId=home.create_key(), GrantTokens=["x"])
    assert error.code == "InvalidGrantTokenException"


# -- ListKeys ----------------------------------------------------------------------------------------------------------


def test_an_empty_vault_has_no_keys(home: Home) -> None:
    assert home.answer("ListKeys") == {"Keys": [], "Truncated": False}


def test_a_list_names_each_key_by_id_and_arn(home: Home) -> None:
    key_id = home.create_key()
    assert home.answer("ListKeys")["Keys"] == [{"KeyId": key_id, "KeyArn": home.arn(key_id)}]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_the_pages_of_a_list_hold_each_key_once(home: Home, limit: int) -> None:
    made = {home.create_key() for _ in range(7)}
    found: list[str] = []
    page = home.perform("ListKeys", Limit=limit)
    while page.truncated:
        assert len(page.keys) == limit
        found += [key.key_id for key in page.keys]
        page = home.perform("ListKeys", Limit=limit, Marker=page.next_marker)
    assert page.next_marker is None
    found += [key.key_id for key in page.keys]
    assert len(found) == 7
    assert set(found) == made


def test_a_page_of_a_list_holds_100_keys_where_nothing_is_said(home: Home) -> None:
    for _ in range(101):
        home.create_key()
    page = home.perform("ListKeys")
    assert (len(page.keys), page.truncated) == (100, True)


@pytest.mark.parametrize(
    ("owners", "shown"),
    [
        (["SELF"], True),
        (["OTHER_ACCOUNTS_VIA_RAM"], False),
        (["SELF", "OTHER_ACCOUNTS_VIA_RAM"], True),
        (["OTHER_ACCOUNTS_VIA_RAM", "SELF"], True),
        (["SELF", "SELF"], True),
    ],
)
def test_no_other_account_shares_keys_here(home: Home, owners: list[str], *, shown: bool) -> None:
    key_id = home.create_key()
    found = home.answer("ListKeys", ResourceOwners=owners)
    assert found == {"Keys": [{"KeyId": key_id, "KeyArn": home.arn(key_id)}] if shown else [], "Truncated": False}


@pytest.mark.parametrize("owners", [[], ["SELF", "SELF", "SELF"], ["OTHERS"]])
def test_owners_are_bounded_as_in_aws(home: Home, owners: list[str]) -> None:
    error = home.refused("ListKeys", ResourceOwners=owners)
    assert (error.code, "'resourceOwners'" in error.message) == ("ValidationException", True)


def test_a_wrong_marker_is_refused_whoever_owns_the_keys(home: Home) -> None:
    error = home.refused("ListKeys", ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"], Marker="x")
    assert error.code == "InvalidMarkerException"


@pytest.mark.parametrize("limit", [0, 1001, -1])
def test_a_page_has_1_to_1000_keys(home: Home, limit: int) -> None:
    assert home.refused("ListKeys", Limit=limit).code == "ValidationException"


# -- states ------------------------------------------------------------------------------------------------------------


def test_a_key_is_disabled_and_enabled(home: Home) -> None:
    key_id = home.create_key()
    assert home.answer("DisableKey", KeyId=key_id) == {}
    metadata = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"]) == ("Disabled", False)
    assert home.answer("EnableKey", KeyId=key_id) == {}
    metadata = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"]) == ("Enabled", True)


@pytest.mark.parametrize("operation", ["EnableKey", "DisableKey"])
def test_a_state_that_is_there_already_is_no_fault_and_no_new_generation(home: Home, operation: str) -> None:
    key_id = home.create_key()
    home.perform(operation, KeyId=key_id)
    before = home.lines()[-1]["vault"]
    assert home.answer(operation, KeyId=key_id) == {}
    assert home.lines()[-1]["vault"] == before
    assert "change" not in home.lines()[-1]


@pytest.mark.parametrize(
    "operation", ["EnableKey", "DisableKey", "ScheduleKeyDeletion", "RotateKeyOnDemand", "CancelKeyDeletion"]
)
def test_aliases_name_keys_in_changes_too(home: Home, operation: str) -> None:
    home.create_key(Alias="alias/app")
    if operation == "CancelKeyDeletion":
        home.perform("ScheduleKeyDeletion", KeyId="alias/app")
    home.perform(operation, KeyId="alias/app")
    assert home.lines()[-1]["eventName"] == operation


def test_a_description_is_replaced_and_nothing_else(home: Home, clock: Clock) -> None:
    key_id = home.create_key(Description="old")
    before = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    clock.move(days=1)
    assert home.answer("UpdateKeyDescription", KeyId=key_id, Description="") == {}
    after = home.answer("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert after == before | {"Description": ""}


def test_a_description_must_be_given(home: Home) -> None:
    key_id = home.create_key()
    error = home.refused("UpdateKeyDescription", KeyId=key_id)
    assert "Value null at 'description'" in error.message


USES: dict[str, dict[str, object]] = {
    "Encrypt": {"Plaintext": b"x"},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "RotateKeyOnDemand": {},
    "UpdateKeyDescription": {"Description": "x"},
    "EnableKey": {},
    "DisableKey": {},
    "ScheduleKeyDeletion": {},
    "CancelKeyDeletion": {},
    "DescribeKey": {},
    "ListAliases": {},
    "ListKeyRotations": {},
}
REFUSED = {
    "Enabled": {"CancelKeyDeletion": "KMSInvalidStateException"},
    "Disabled": {
        "Encrypt": "DisabledException",
        "GenerateDataKey": "DisabledException",
        "GenerateDataKeyWithoutPlaintext": "DisabledException",
        "RotateKeyOnDemand": "DisabledException",
        "CancelKeyDeletion": "KMSInvalidStateException",
    },
    "PendingDeletion": dict.fromkeys(
        USES.keys() - {"CancelKeyDeletion", "DescribeKey", "ListAliases", "ListKeyRotations"},
        "KMSInvalidStateException",
    ),
}


@pytest.mark.parametrize("state", REFUSED)
@pytest.mark.parametrize("operation", USES)
def test_a_state_allows_and_forbids_as_aws_documents(home: Home, operation: str, state: str) -> None:
    key_id = home.create_key()
    if state == "Disabled":
        home.perform("DisableKey", KeyId=key_id)
    if state == "PendingDeletion":
        home.perform("ScheduleKeyDeletion", KeyId=key_id)
    expected = REFUSED[state].get(operation)
    if expected is None:
        home.perform(operation, KeyId=key_id, **USES[operation])
        return
    error = home.refused(operation, KeyId=key_id, **USES[operation])
    assert (error.code, error.exit_code) == (expected, 22)
    assert home.state_of(key_id) == state


def test_times_are_told_in_whole_milliseconds(home: Home, clock: Clock) -> None:
    clock.move(microseconds=777)
    created = home.answer("CreateKey")["KeyMetadata"]["CreationDate"]
    assert created.microsecond % 1000 == 0
    assert timedelta(0) <= home.clock() - created < timedelta(milliseconds=1)
