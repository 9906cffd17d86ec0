"""What bounds an account: the profile that config.toml names."""

import pytest

from kmscli import errors
from kmscli.model import limits
from kmscli.service import due, managed
from tests.helpers import Clock, Home, with_limits

BOB = "arn:aws:iam::000000000000:user/bob"
SMALL = limits.AccountLimits(keys=2, aliases=2, tags=2, grants=2, on_demand_rotations=2)


@pytest.fixture
def small(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A vault in a profile of small limits."""
    monkeypatch.setitem(limits.PROFILES, "small", SMALL)
    with_limits(home, "small")
    return home


def grant(home: Home, key_id: str, **members: object) -> str:
    answer = home.perform("CreateGrant", KeyId=key_id, GranteePrincipal=BOB, Operations=["Encrypt"], **members)
    return str(answer.grant_id)


def head_keys(home: Home) -> int:
    with home.context.session.read() as snapshot:
        return snapshot.head.keys


def test_a_vault_of_one_s_own_has_the_local_profile(home: Home) -> None:
    assert home.context.limits == limits.PROFILES["local"]
    with_limits(home, "aws")
    assert home.context.limits == limits.PROFILES["aws"]
    with_limits(home, "local")
    assert home.context.limits == limits.PROFILES["local"]


def test_a_profile_that_is_none_is_refused(home: Home) -> None:
    with_limits(home, "azure")
    with pytest.raises(errors.ConfigError) as caught:
        home.open()
    assert "local, aws" in caught.value.message


def test_keys_are_counted_by_the_head(small: Home, clock: Clock) -> None:
    first = small.create_key()
    assert head_keys(small) == 1
    small.create_key()
    error = small.refused("CreateKey", Alias="alias/one-more")
    assert (error.code, error.exit_code, head_keys(small)) == ("LimitExceededException", 31, 2)
    assert small.perform("ListAliases").aliases == []
    small.perform("ScheduleKeyDeletion", KeyId=first, PendingWindowInDays=7)
    assert small.refused("CreateKey").code == "LimitExceededException"
    clock.move(days=7)
    due.run_due(small.context)
    assert head_keys(small) == 1
    small.create_key()
    assert head_keys(small) == 2


def test_the_key_that_kms_makes_for_files_comes_even_so(small: Home) -> None:
    small.create_key()
    small.create_key()
    managed.managed_key(small.context, managed.FILES)
    assert head_keys(small) == 3


def test_a_refused_key_is_not_counted(small: Home) -> None:
    small.refused("CreateKey", Alias="alias/aws/x")
    small.refused("CreateKey", Tags=[{"TagKey": "aws:x", "TagValue": ""}])
    assert head_keys(small) == 0


def test_a_key_has_so_many_aliases(small: Home) -> None:
    full, other = small.create_key(Alias="alias/a"), small.create_key(Alias="alias/c")
    small.perform("CreateAlias", AliasName="alias/b", TargetKeyId=full)
    attempts: list[tuple[str, str]] = [("CreateAlias", "alias/d"), ("UpdateAlias", "alias/c")]
    for operation, name in attempts:
        error = small.refused(operation, AliasName=name, TargetKeyId=full)
        assert (error.code, error.exit_code) == ("LimitExceededException", 31)
    small.perform("UpdateAlias", AliasName="alias/b", TargetKeyId=full)
    small.perform("UpdateAlias", AliasName="alias/b", TargetKeyId=other)
    small.perform("CreateAlias", AliasName="alias/d", TargetKeyId=full)


def test_a_key_has_so_many_tags(small: Home) -> None:
    def tags(names: str) -> list[dict[str, str]]:
        return [{"TagKey": name, "TagValue": "v"} for name in names]

    assert small.refused("CreateKey", Tags=tags("abc")).code == "TagException"
    key_id = small.create_key(Tags=tags("ab"))
    error = small.refused("TagResource", KeyId=key_id, Tags=tags("c"))
    assert (error.code, error.message) == ("TagException", "Too many tags")
    small.perform("TagResource", KeyId=key_id, Tags=tags("ba"))
    small.perform("UntagResource", KeyId=key_id, TagKeys=["a"])
    small.perform("TagResource", KeyId=key_id, Tags=tags("c"))


def test_a_key_has_so_many_grants(small: Home) -> None:
    key_id = small.create_key()
    first = grant(small, key_id, Name="first")
    grant(small, key_id)
    members = {"KeyId": key_id, "GranteePrincipal": BOB, "Operations": ["Encrypt"]}
    error = small.refused("CreateGrant", **members)
    assert (error.code, error.exit_code) == ("LimitExceededException", 31)
    assert small.refused("CreateGrant", **members, DryRun=True).code == "LimitExceededException"
    assert grant(small, key_id, Name="first") == first
    grant(small, small.create_key())
    small.perform("RevokeGrant", KeyId=key_id, GrantId=first)
    grant(small, key_id)


def test_a_key_has_so_many_rotations_on_demand_in_its_life(small: Home, clock: Clock) -> None:
    key_id = small.create_key()
    small.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=90)
    for _ in range(2):
        small.perform("RotateKeyOnDemand", KeyId=key_id)
    error = small.refused("RotateKeyOnDemand", KeyId=key_id)
    assert (error.code, error.exit_code) == ("LimitExceededException", 31)
    clock.move(days=90)
    small.perform("DescribeKey", KeyId=key_id)
    assert len(small.perform("ListKeyRotations", KeyId=key_id).rotations) == 4
    with_limits(small, "local")
    small.perform("RotateKeyOnDemand", KeyId=key_id)


@pytest.mark.parametrize("profile", ["local", "aws"])
def test_aws_s_own_numbers_of_aliases_and_tags_hold_in_both_profiles(home: Home, profile: str) -> None:
    with_limits(home, profile)
    key_id = home.create_key()
    for number in range(50):
        home.perform("CreateAlias", AliasName=f"alias/{number}", TargetKeyId=key_id)
    assert home.refused("CreateAlias", AliasName="alias/x", TargetKeyId=key_id).code == "LimitExceededException"
    tags = [{"TagKey": f"{number}", "TagValue": ""} for number in range(51)]
    assert home.refused("TagResource", KeyId=key_id, Tags=tags).code == "TagException"
    home.perform("TagResource", KeyId=key_id, Tags=tags[:50])
