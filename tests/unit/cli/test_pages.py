"""All pages of a list, or as many as are wanted."""

from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.cli._pages import Paging, all_pages, one_page
from kmscli.service.keys import KeyListEntry, ListKeysResponse

ITEMS = [KeyListEntry(key_id=str(n), key_arn="") for n in range(10)]
NOTHING = Paging(None, None, None, plain=False)


class Server:
    """Answers as the service does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, members: dict[str, Any]) -> ListKeysResponse:
        self.asked.append(members)
        start = int(members.get("Marker", 0))
        stop = start + members["Limit"]
        more = stop < len(ITEMS)
        return ListKeysResponse(keys=ITEMS[start:stop], next_marker=str(stop) if more else None, truncated=more)


def test_every_page_is_fetched_in_the_largest_pieces() -> None:
    server = Server()
    assert all_pages(server, "Keys", 4, NOTHING) == {"Keys": ITEMS}
    assert server.asked == [{"Limit": 4}, {"Limit": 4, "Marker": "4"}, {"Limit": 4, "Marker": "8"}]


def test_a_limit_of_items_ends_with_a_token_to_go_on() -> None:
    server = Server()
    assert all_pages(server, "Keys", 4, msgspec.structs.replace(NOTHING, max_items=6)) == {
        "Keys": ITEMS[:6],
        "NextToken": "6",
    }
    assert [asked["Limit"] for asked in server.asked] == [4, 2]
    assert all_pages(Server(), "Keys", 4, msgspec.structs.replace(NOTHING, starting_token="6")) == {"Keys": ITEMS[6:]}


def test_a_limit_that_fits_gives_no_token() -> None:
    assert all_pages(Server(), "Keys", 4, msgspec.structs.replace(NOTHING, max_items=10)) == {"Keys": ITEMS}


def test_the_size_of_a_page_may_be_chosen() -> None:
    server = Server()
    assert all_pages(server, "Keys", 4, msgspec.structs.replace(NOTHING, page_size=3, max_items=5))["Keys"] == ITEMS[:5]
    assert [asked["Limit"] for asked in server.asked] == [3, 2]


@pytest.mark.parametrize("members", [{"Limit": 1}, {"Marker": "x"}])
def test_members_of_one_page_ask_for_one(members: dict[str, Any]) -> None:
    assert one_page(NOTHING, members)
    assert one_page(msgspec.structs.replace(NOTHING, plain=True), {})
    assert not one_page(NOTHING, {"KeyId": "x"})


def test_both_ways_at_once_are_refused() -> None:
    with pytest.raises(errors.UsageError):
        one_page(msgspec.structs.replace(NOTHING, max_items=1), {"Limit": 1})
    with pytest.raises(errors.UsageError):
        one_page(msgspec.structs.replace(NOTHING, page_size=1, plain=True), {})
