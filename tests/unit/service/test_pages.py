"""Markers: they survive changes, and name nothing but a place in their own list."""

import base64

import pytest

from kmscli import errors
from kmscli.formats.tree import bucket_of
from kmscli.service import pages
from tests.helpers import Home


def marker(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def test_a_list_begins_at_the_first_place_of_the_tree() -> None:
    assert pages.place_after("ListKeys", None) == (0, "")


def test_a_list_without_a_place_in_the_tree_begins_at_its_first_name() -> None:
    assert pages.name_after("ListGrants", None) == ""
    assert pages.name_after("ListGrants", marker("ListGrants:a:b")) == "a:b"


def test_a_page_that_holds_all_has_no_marker() -> None:
    assert pages.page("ListKeys", ["key/a", "key/b"], 2) == pages.Page(["key/a", "key/b"], None)
    assert pages.page("ListKeys", [], 2) == pages.Page([], None)


def test_a_marker_names_the_last_item_given() -> None:
    found = pages.page("ListKeys", iter(["key/a", "key/b", "key/c"]), 2)
    names, following = found.items, found.next_marker
    assert names == ["key/a", "key/b"]
    assert pages.place_after("ListKeys", following) == (bucket_of("key/b"), "key/b")


@pytest.mark.parametrize(
    "given",
    [
        "x",
        "AAAA",
        "\u00e4\u00e4\u00e4\u00e4",
        "not base64!",
        marker("ListAliases:alias/a"),
        marker("ListKeys"),
        marker("ListKeys:"),
        marker(""),
        base64.b64encode(b"\xff\xff\xff").decode(),
        marker("ListKeys:key/a") + "\n",
    ],
)
def test_what_was_not_given_out_is_no_marker(given: str) -> None:
    with pytest.raises(errors.InvalidMarkerError) as caught:
        pages.place_after("ListKeys", given)
    assert (caught.value.code, caught.value.exit_code) == ("InvalidMarkerException", 2)


def test_what_is_there_all_the_time_is_given_once_whatever_changes(home: Home) -> None:
    kept = {home.create_key(Alias=f"alias/kept{number}") for number in range(10)}
    aliases = {f"alias/kept{number}" for number in range(10)}
    found: list[str] = []
    page = home.perform("ListAliases", Limit=2)
    for number in range(100):
        found += [alias.alias_name for alias in page.aliases]
        if not page.truncated:
            break
        # The alias that the marker names is deleted, others come.
        last = page.aliases[-1].alias_name
        if last in aliases:
            aliases.discard(last)
        home.perform("DeleteAlias", AliasName=last)
        home.create_key(Alias=f"alias/new{number}")
        page = home.perform("ListAliases", Limit=2, Marker=page.next_marker)
    assert aliases <= set(found)
    assert len(found) == len(set(found))
    assert len(kept) == 10
