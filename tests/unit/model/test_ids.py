"""How a key may be named, and what may not be a name."""

import os

import pytest

from kmscli import errors
from kmscli.model import ids
from kmscli.model.ids import KeyRef, Place

PLACE = Place("000000000000", "local")
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
MRK = "mrk-1234abcd12ab34cd56ef1234567890ab"


def test_a_new_id_is_a_random_uuid_of_version_4() -> None:
    assert ids.new_uuid(bytes) == "00000000-0000-4000-8000-000000000000"
    assert ids.new_uuid(lambda count: b"\xff" * count) == "ffffffff-ffff-4fff-bfff-ffffffffffff"
    assert ids.is_key_id(ids.new_uuid(os.urandom))


@pytest.mark.parametrize("text", [KEY_ID, MRK])
def test_uuids_and_multi_region_ids_are_key_ids(text: str) -> None:
    assert ids.is_key_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        KEY_ID.upper(),
        KEY_ID + "\n",
        " " + KEY_ID,
        KEY_ID.replace("-", ""),
        MRK + "0",
        "mrk-" + KEY_ID,
        KEY_ID.replace("1", "١", 1),
    ],
)
def test_everything_else_is_no_key_id(text: str) -> None:
    assert not ids.is_key_id(text)


def test_arns_have_the_form_of_aws() -> None:
    place = Place("111122223333", "eu-central-1")
    assert ids.key_arn(place, KEY_ID) == f"arn:aws:kms:eu-central-1:111122223333:key/{KEY_ID}"
    assert ids.alias_arn(place, "alias/app") == "arn:aws:kms:eu-central-1:111122223333:alias/app"
    assert ids.user_arn(place, "admin") == "arn:aws:iam::111122223333:user/admin"


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (KEY_ID, KeyRef(KEY_ID, None)),
        (MRK, KeyRef(MRK, None)),
        ("alias/app", KeyRef(None, "alias/app")),
        (f"arn:aws:kms:local:000000000000:key/{KEY_ID}", KeyRef(KEY_ID, None)),
        ("arn:aws:kms:local:000000000000:alias/a/b", KeyRef(None, "alias/a/b")),
    ],
)
def test_a_key_is_named_in_four_ways(text: str, ref: KeyRef) -> None:
    assert ids.parse_key_ref(text, PLACE) == ref


def test_a_bare_alias_name_is_offered_and_not_taken() -> None:
    with pytest.raises(errors.InvalidKeyIdError) as caught:
        ids.parse_key_ref("app", PLACE)
    assert (caught.value.code, caught.value.exit_code) == ("NotFoundException", 20)
    assert caught.value.message == "Invalid keyId 'app'"
    assert caught.value.hint == "did you mean alias/app?"


def test_what_cannot_be_an_alias_is_not_offered_as_one() -> None:
    with pytest.raises(errors.InvalidKeyIdError) as caught:
        ids.parse_key_ref("a b", PLACE)
    assert caught.value.hint == "name a key by id, key ARN, alias/NAME or alias ARN"


@pytest.mark.parametrize(
    "text",
    [
        "arn:",
        "arn:aws:kms",
        "arn:aws:s3:local:000000000000:key/x",
        "arn:aws:kms:local:0:key/x",
        "arn:aws:kms:local:000000000000:key/",
        "arn:aws:kms:local:000000000000:alias/",
        "arn:aws:kms:local:000000000000:grant/x",
        f"arn:aws:kms:local:000000000000:key/{KEY_ID}\n",
        "arn:aws:kms:lo/cal:000000000000:key/x",
        "arn:aws:kms:local:00000000000٠:key/x",
    ],
)
def test_an_arn_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidArnError):
        ids.parse_key_ref(text, PLACE)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("eu-central-1:000000000000", "Invalid arn eu-central-1"),
        ("local:111122223333", f"Key 'arn:aws:kms:local:111122223333:key/{KEY_ID}' does not exist"),
    ],
)
def test_a_key_of_another_place_is_not_found_here(place: str, text: str) -> None:
    with pytest.raises(errors.KmsError) as caught:
        ids.parse_key_ref(f"arn:aws:kms:{place}:key/{KEY_ID}", PLACE)
    assert (caught.value.code, caught.value.message) == ("NotFoundException", text)
    assert caught.value.hint == "this vault is account 000000000000, Region local"


@pytest.mark.parametrize("alias", ["alias/a", "alias/A-b_c/9", "alias/" + "x" * 250, "alias/awsome", "alias//"])
def test_an_alias_in_the_pattern_of_aws_can_be_made(alias: str) -> None:
    ids.check_new_alias(alias)


@pytest.mark.parametrize(
    ("alias", "text", "hint"),
    [
        ("app", 'Alias must start with the prefix "alias/". Please see https://', "did you mean alias/app?"),
        (
            "ALIAS/app",
            'Alias must start with the prefix "alias/". Please see https://',
            "did you mean alias/ALIAS/app?",
        ),
        ("alias/a b", "contains invalid characters", "letters, digits"),
        ("alias/a:b", "contains invalid characters", "letters, digits"),
        ("alias/ä", "contains invalid characters", "letters, digits"),
        ("alias/a\n", "contains invalid characters", "letters, digits"),
        ("alias/" + "x" * 251, "contains invalid characters", "letters, digits"),
    ],
)
def test_another_alias_cannot_be_made(alias: str, text: str, hint: str) -> None:
    with pytest.raises(errors.ValidationError) as caught:
        ids.check_new_alias(alias)
    assert text in caught.value.message
    assert hint in caught.value.hint


def test_an_alias_has_a_name_after_its_prefix() -> None:
    with pytest.raises(errors.InvalidAliasNameError):
        ids.check_new_alias("alias/")


@pytest.mark.parametrize("alias", ["alias/aws/", "alias/aws/files"])
def test_names_of_managed_keys_are_kept(alias: str) -> None:
    for check in (ids.check_alias, ids.check_new_alias):
        with pytest.raises(errors.NotAuthorizedError) as caught:
            check(alias)
        assert "kept for keys that kms manages" in caught.value.message
        assert caught.value.hint == "choose a name outside alias/aws/"


@pytest.mark.parametrize("name", ["a", "alice", "a+b=c,d.e@f_g-h", "x" * 64])
def test_a_principal_has_a_name_of_iam(name: str) -> None:
    assert ids.check_principal_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a/b", "ä", "a\n", "a:b", "../a"])
def test_another_name_names_no_principal(name: str) -> None:
    with pytest.raises(errors.ValidationError):
        ids.check_principal_name(name)


@pytest.mark.parametrize("region", ["local", "eu-central-1", "a", "us-gov-west-1"])
def test_a_region_is_words_joined_by_hyphens(region: str) -> None:
    assert ids.check_place(Place("000000000000", region)).region == region


@pytest.mark.parametrize(
    "place",
    [
        ("00000000000", "local"),
        ("0000000000000", "local"),
        ("00000000000a", "local"),
        ("00000000000٠", "local"),
        ("000000000000", ""),
        ("000000000000", "Local"),
        ("000000000000", "a--b"),
        ("000000000000", "a-"),
        ("000000000000", "a:b"),
        ("000000000000", "a\n"),
    ],
)
def test_another_place_is_refused(place: tuple[str, str]) -> None:
    with pytest.raises(errors.ValidationError):
        ids.check_place(Place(*place))
