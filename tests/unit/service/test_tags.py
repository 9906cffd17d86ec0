"""TagResource, UntagResource, ListResourceTags."""

from typing import Any

import pytest

from tests.helpers import Home


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"TagKey": name, "TagValue": value} for name, value in tags.items()]


def many(count: int, *, start: int = 0) -> list[dict[str, str]]:
    return [{"TagKey": f"k{number:03d}", "TagValue": ""} for number in range(start, start + count)]


def tags_of(home: Home, key_id: str) -> dict[str, str]:
    found = home.perform("ListResourceTags", KeyId=key_id)
    assert not found.truncated
    return {tag.tag_key: tag.tag_value for tag in found.tags}


def test_tags_are_given_and_listed_in_the_order_of_their_names(home: Home) -> None:
    key_id = home.create_key()
    assert home.answer("TagResource", KeyId=key_id, Tags=pairs(b="2", a="1", B="")) == {}
    assert home.answer("ListResourceTags", KeyId=key_id) == {
        "Tags": [{"TagKey": "B", "TagValue": ""}, {"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}],
        "Truncated": False,
    }


def test_a_key_without_tags_has_an_empty_list(home: Home) -> None:
    assert home.answer("ListResourceTags", KeyId=home.create_key()) == {"Tags": [], "Truncated": False}


def test_the_tags_of_create_key_are_those_of_the_key(home: Home) -> None:
    assert tags_of(home, home.create_key(Tags=pairs(a="1"))) == {"a": "1"}


def test_a_tag_that_is_there_gets_its_new_value_and_the_rest_stay(home: Home) -> None:
    key_id = home.create_key(Tags=pairs(a="1", b="2"))
    home.perform("TagResource", KeyId=key_id, Tags=pairs(b="3", c="4"))
    assert tags_of(home, key_id) == {"a": "1", "b": "3", "c": "4"}


def test_no_tag_at_all_changes_nothing(home: Home) -> None:
    key_id = home.create_key(Tags=pairs(a="1"))
    home.perform("TagResource", KeyId=key_id, Tags=[])
    home.perform("UntagResource", KeyId=key_id, TagKeys=[])
    assert tags_of(home, key_id) == {"a": "1"}


def test_tags_are_taken_away_and_an_absent_one_is_no_fault(home: Home) -> None:
    key_id = home.create_key(Tags=pairs(a="1", A="2", b="3"))
    assert home.answer("UntagResource", KeyId=key_id, TagKeys=["a", "absent", "a"]) == {}
    assert tags_of(home, key_id) == {"A": "2", "b": "3"}


def test_what_changes_nothing_is_no_new_generation(home: Home) -> None:
    key_id = home.create_key(Tags=pairs(a="1"))
    before = home.lines()[-1]["vault"]
    home.perform("UntagResource", KeyId=key_id, TagKeys=["absent"])
    home.perform("TagResource", KeyId=key_id, Tags=pairs(a="1"))
    assert home.lines()[-1]["vault"] == before


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ([*pairs(a="1"), *pairs(a="1")], "Duplicate tag keys: a"),
        ([*pairs(a="1"), *pairs(a="2")], "Duplicate tag keys: a"),
        (pairs(**{"aws:x": "1"}), "aws:x: tag keys that start with aws: are reserved"),
        (pairs(**{"Aws:": ""}), "Aws:: tag keys that start with aws: are reserved"),
        (many(50), "Too many tags"),
    ],
)
def test_tags_that_aws_refuses_are_refused_and_none_of_them_is_kept(home: Home, tags: Any, text: str) -> None:
    key_id = home.create_key(Tags=pairs(own="1"))
    error = home.refused("TagResource", KeyId=key_id, Tags=tags)
    assert (error.code, error.exit_code, error.message) == ("TagException", 2, text)
    assert tags_of(home, key_id) == {"own": "1"}


def test_a_value_may_start_with_the_reserved_prefix(home: Home) -> None:
    key_id = home.create_key(Tags=pairs(a="aws:x", awsome="y"))
    assert tags_of(home, key_id) == {"a": "aws:x", "awsome": "y"}


def test_a_key_has_at_most_50_tags_and_those_it_has_can_still_be_changed(home: Home) -> None:
    key_id = home.create_key(Tags=many(49))
    home.perform("TagResource", KeyId=key_id, Tags=many(2, start=48))
    error = home.refused("TagResource", KeyId=key_id, Tags=many(1, start=50))
    assert (error.message, error.hint) == ("Too many tags", "a key has at most 50")
    home.perform("TagResource", KeyId=key_id, Tags=[{"TagKey": "k000", "TagValue": "new"}])
    assert tags_of(home, key_id)["k000"] == "new"
    home.perform("UntagResource", KeyId=key_id, TagKeys=["k001"])
    home.perform("TagResource", KeyId=key_id, Tags=many(1, start=50))
    assert len(tags_of(home, key_id)) == 50


@pytest.mark.parametrize(
    ("tag", "member"),
    [
        ({"TagKey": "", "TagValue": ""}, "tags.1.member.tagKey"),
        ({"TagKey": "x" * 129, "TagValue": ""}, "tags.1.member.tagKey"),
        ({"TagKey": "x", "TagValue": "x" * 257}, "tags.1.member.tagValue"),
        ({"TagKey": "x"}, "tags.1.member.tagValue"),
        ({"TagValue": "x"}, "tags.1.member.tagKey"),
        ({"TagKey": "x", "TagValue": "x", "Key": "x"}, "tags.1.member.Key"),
    ],
)
def test_a_tag_is_bounded_as_in_aws(home: Home, tag: dict[str, str], member: str) -> None:
    error = home.refused("TagResource", KeyId=home.create_key(), Tags=[tag])
    assert (error.code, f"'{member}'" in error.message) == ("ValidationException", True)


def test_the_longest_tag_is_taken_whatever_its_characters(home: Home) -> None:
    key_id = home.create_key()
    home.perform("TagResource", KeyId=key_id, Tags=pairs(**{"\U0001f511" * 128: "\u00e4" * 256}))
    assert tags_of(home, key_id) == {"\U0001f511" * 128: "\u00e4" * 256}


def test_a_reserved_name_cannot_be_taken_away_either(home: Home) -> None:
    error = home.refused("UntagResource", KeyId=home.create_key(), TagKeys=["x", "AWS:x"])
    assert (error.code, error.message) == ("TagException", "AWS:x: tag keys that start with aws: are reserved")


@pytest.mark.parametrize("operation", ["TagResource", "UntagResource"])
def test_the_state_of_the_key_counts_before_its_tags_are_looked_at(home: Home, operation: str) -> None:
    members: dict[str, Any] = {"Tags": pairs(**{"aws:x": ""})} if operation == "TagResource" else {"TagKeys": ["aws:x"]}
    for state, code in (("DisableKey", "TagException"), ("ScheduleKeyDeletion", "KMSInvalidStateException")):
        key_id = home.create_key()
        home.perform(state, KeyId=key_id)
        assert home.refused(operation, KeyId=key_id, **members).code == code


@pytest.mark.parametrize("origin", ["AWS_KMS", "EXTERNAL"])
def test_tags_are_listed_in_any_state_by_id_arn_and_alias(home: Home, origin: str) -> None:
    key_id = home.create_key(Tags=pairs(a="1"), Alias="alias/app", Origin=origin)
    home.perform("ScheduleKeyDeletion", KeyId=key_id)
    for name in (key_id, home.arn(key_id), "alias/app"):
        assert tags_of(home, name) == {"a": "1"}


# -- pages -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 49, 50])
def test_the_pages_of_a_list_hold_each_tag_once(home: Home, limit: int) -> None:
    key_id = home.create_key(Tags=many(50))
    found: list[str] = []
    page = home.perform("ListResourceTags", KeyId=key_id, Limit=limit)
    while page.truncated:
        assert len(page.tags) == limit
        found += [tag.tag_key for tag in page.tags]
        page = home.perform("ListResourceTags", KeyId=key_id, Limit=limit, Marker=page.next_marker)
    assert page.next_marker is None
    assert [*found, *(tag.tag_key for tag in page.tags)] == [f"k{number:03d}" for number in range(50)]


@pytest.mark.parametrize("limit", [0, 51, 1000])
def test_a_page_has_1_to_50_tags(home: Home, limit: int) -> None:
    error = home.refused("ListResourceTags", KeyId=home.create_key(), Limit=limit)
    assert (error.code, "'limit'" in error.message) == ("ValidationException", True)


def test_tags_that_come_and_go_between_two_pages_disturb_no_other(home: Home) -> None:
    key_id = home.create_key(Tags=pairs(b="", d="", f="", h=""))
    page = home.perform("ListResourceTags", KeyId=key_id, Limit=2)
    assert [tag.tag_key for tag in page.tags] == ["b", "d"]
    # The last one given goes, one comes before the place of the marker and one behind it.
    home.perform("UntagResource", KeyId=key_id, TagKeys=["d", "f"])
    home.perform("TagResource", KeyId=key_id, Tags=pairs(a="", g=""))
    page = home.perform("ListResourceTags", KeyId=key_id, Limit=2, Marker=page.next_marker)
    assert ([tag.tag_key for tag in page.tags], page.truncated) == (["g", "h"], False)
