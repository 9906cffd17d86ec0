"""All pages of a list, as AWS's command line fetches them.

Without an option every page is fetched. `--max-items` stops early and gives NextToken, which `--starting-token` takes
up; `--page-size` is the size of one request. `--limit`, `--marker` and `--no-paginate` ask for one plain page.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from kmscli import errors
from kmscli.service.shapes import Response, members_of


class Paging(msgspec.Struct, frozen=True):
    """What the options say."""

    max_items: int | None
    starting_token: str | None
    page_size: int | None
    plain: bool


def one_page(paging: Paging, members: dict[str, Any]) -> bool:
    """Whether a single request is asked for.

    Raises:
        UsageError: Options of both ways are mixed.
    """
    single = paging.plain or "Limit" in members or "Marker" in members
    if single and any(option is not None for option in (paging.max_items, paging.starting_token, paging.page_size)):
        raise errors.UsageError(
            problem="--max-items, --starting-token and --page-size fetch pages; "
            "--limit, --marker and --no-paginate ask for one",
            hint="use options of one kind",
        )
    return single


def all_pages(ask: Callable[[dict[str, Any]], Response], name: str, largest: int, paging: Paging) -> dict[str, Any]:
    """The items of all pages, as one answer.

    Args:
        ask: Makes one request with the given Limit and Marker.
        name: The member that holds the items.
        largest: The most items one request may ask for.
        paging: The options.

    Returns:
        The items under `name`, and NextToken if there are more.
    """
    items: list[Any] = []
    marker = paging.starting_token
    while True:
        limit = paging.page_size or largest
        if paging.max_items is not None:
            limit = min(limit, paging.max_items - len(items))
        page = members_of(ask({"Limit": limit, **({"Marker": marker} if marker else {})}))
        items += page[name]
        marker = page.get("NextMarker")
        if marker is None:
            return {name: items}
        if len(items) == paging.max_items:
            return {name: items, "NextToken": marker}
