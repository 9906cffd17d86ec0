"""Every list in pages: each item once, whatever comes and goes, and markers that name only places in their own list."""

import base64
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import pytest

from kmscli import errors
from kmscli.service.members import members
from kmscli.service.operations import OPERATIONS, load
from tests.helpers import Home

ALICE = "arn:aws:iam::000000000000:user/alice"


def _create_keys(home: Home, _: str, count: int) -> None:
    for _ in range(count):
        home.create_key()


def _create_aliases(home: Home, key_id: str, count: int) -> None:
    for number in range(count):
        home.perform("CreateAlias", AliasName=f"alias/{key_id}/{number}", TargetKeyId=key_id)


def _create_grants(home: Home, key_id: str, count: int) -> None:
    for _ in range(count):
        home.perform(
            "CreateGrant",
            KeyId=key_id,
            GranteePrincipal=ALICE,
            RetiringPrincipal=ALICE,
            Operations=["Decrypt"],
        )


def _create_tags(home: Home, key_id: str, count: int) -> None:
    tags = [{"TagKey": f"{key_id}{number}", "TagValue": ""} for number in range(count)]
    home.perform("TagResource", KeyId=key_id, Tags=tags)


def _rotate(home: Home, key_id: str, count: int) -> None:
    for _ in range(count):
        home.perform("RotateKeyOnDemand", KeyId=key_id)


class List(NamedTuple):
    """One list.

    Attributes:
        make: Makes so many items on a key.
        name: The member of an item that tells it from the others.
        of_a_key: Whether it is the list of one key.
        default: The items of a page where nothing is said.
        most: The most items of a page.
        members: What a request needs beside the key.
    """

    make: Callable[[Home, str, int], None]
    name: str
    of_a_key: bool
    default: int
    most: int
    members: dict[str, Any] = {}  # noqa: RUF012 - read only


LISTS: dict[str, List] = {
    "ListAliases": List(_create_aliases, "AliasName", of_a_key=False, default=50, most=100),
    "ListGrants": List(_create_grants, "GrantId", of_a_key=True, default=50, most=100),
    "ListKeyRotations": List(_rotate, "KeyMaterialId", of_a_key=True, default=100, most=1000),
    "ListKeys": List(_create_keys, "KeyId", of_a_key=False, default=100, most=1000),
    "ListResourceTags": List(_create_tags, "TagKey", of_a_key=True, default=50, most=50),
    "ListRetirableGrants": List(
        _create_grants, "GrantId", of_a_key=False, default=50, most=100, members={"RetiringPrincipal": ALICE}
    ),
}
"""Every list but that of policies, which has one item for ever."""


class Reader:
    """Reads a list of a vault that has some items in it, on two keys."""

    def __init__(self, home: Home, operation: str, count: int = 5) -> None:
        self.home = home
        self.operation = operation
        self.row = LISTS[operation]
        self.member = OPERATIONS[operation].pages
        self.key_id, self.other = home.create_key(), home.create_key()
        for key_id in (self.key_id, self.other):
            self.row.make(home, key_id, count)

    def request(self, key_id: str = "", **members: Any) -> dict[str, Any]:
        """The members of a request."""
        return self.row.members | ({"KeyId": key_id or self.key_id} if self.row.of_a_key else {}) | members

    def page(self, key_id: str = "", **members: Any) -> dict[str, Any]:
        """One page."""
        return self.home.answer(self.operation, **self.request(key_id, **members))

    def names(self, page: dict[str, Any]) -> list[str]:
        """The items of a page by their names."""
        return [item[self.row.name] for item in page[self.member]]

    def refused(self, marker: str, **members: Any) -> str:
        """The error for a marker."""
        return self.home.refused(self.operation, **self.request(Marker=marker, **members)).code


@pytest.fixture(params=LISTS)
def reader(request: pytest.FixtureRequest, home: Home) -> Reader:
    """A reader of each list."""
    return Reader(home, request.param)


def marker(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def text_of(given: str) -> str:
    return base64.urlsafe_b64decode(given).decode()


def test_these_are_all_lists() -> None:
    assert {name for name, row in OPERATIONS.items() if row.pages} == LISTS.keys() | {"ListKeyPolicies"}


@pytest.mark.parametrize("operation", LISTS)
def test_a_page_has_as_many_items_as_in_aws(operation: str) -> None:
    (limit,) = (member for member in members(load(operation).request) if member.name == "Limit")
    assert (limit.shape.minimum, limit.shape.maximum) == (1, LISTS[operation].most)


@pytest.mark.parametrize("operation", ["ListGrants", "ListResourceTags", "ListRetirableGrants"])
def test_a_page_has_so_many_items_where_nothing_is_said(home: Home, operation: str) -> None:
    row = LISTS[operation]
    full = Reader(home, operation, row.default if row.of_a_key else row.default // 2)
    first = full.page()
    assert (len(full.names(first)), first["Truncated"]) == (row.default, False)
    if operation != "ListResourceTags":
        row.make(home, full.key_id, 1)
        first = full.page()
        assert (len(full.names(first)), first["Truncated"]) == (row.default, True)
        rest = full.page(Marker=first["NextMarker"])
        assert (len(full.names(rest)), rest["Truncated"]) == (1, False)


@pytest.mark.long
def test_a_page_has_100_rotations_where_nothing_is_said(home: Home) -> None:
    full = Reader(home, "ListKeyRotations", 101)
    first = full.page()
    assert (len(full.names(first)), first["Truncated"]) == (100, True)


def test_the_pages_hold_each_item_once_in_one_order(reader: Reader) -> None:
    whole = reader.page()
    assert "NextMarker" not in whole
    for limit in (1, 2, len(reader.names(whole)) - 1, len(reader.names(whole)), reader.row.most):
        found: list[str] = []
        page = reader.page(Limit=limit)
        while page["Truncated"]:
            assert len(reader.names(page)) == limit
            found += reader.names(page)
            page = reader.page(Limit=limit, Marker=page["NextMarker"])
        assert "NextMarker" not in page
        assert [*found, *reader.names(page)] == reader.names(whole)


def test_a_marker_holds_for_a_page_of_another_size_and_is_no_secret_of_one_session(reader: Reader) -> None:
    first = reader.page(Limit=1)
    reader.home.close()
    assert reader.names(first) + reader.names(reader.page(Marker=first["NextMarker"])) == reader.names(reader.page())


def test_what_comes_between_two_pages_disturbs_no_other_item(reader: Reader) -> None:
    before = reader.names(reader.page())
    first = reader.page(Limit=2)
    for key_id in {reader.home.create_key(), reader.key_id if reader.row.of_a_key else reader.home.create_key()}:
        reader.row.make(reader.home, key_id, 1)
    rest = reader.names(reader.page(Marker=first["NextMarker"]))
    assert [name for name in rest if name in before] == before[2:]
    assert not set(rest) & set(before[:2])


END: dict[str, Callable[[Home, str, str], object]] = {
    "ListAliases": lambda home, _, name: home.perform("DeleteAlias", AliasName=name),
    "ListGrants": lambda home, key_id, name: home.perform("RevokeGrant", KeyId=key_id, GrantId=name),
    "ListResourceTags": lambda home, key_id, name: home.perform("UntagResource", KeyId=key_id, TagKeys=[name]),
    "ListRetirableGrants": lambda home, key_id, name: home.perform("RevokeGrant", KeyId=key_id, GrantId=name),
}
"""List -> how an item leaves it."""


@pytest.mark.parametrize("operation", END)
def test_a_marker_outlives_the_item_that_it_names(home: Home, operation: str) -> None:
    reader = Reader(home, operation)
    page = reader.page(Limit=2)
    before = reader.names(reader.page())
    owners = {item[reader.row.name]: item.get("KeyId", reader.key_id) for item in reader.page()[reader.member]}
    for name in before[1:3]:
        END[operation](home, owners[name], name)
    assert reader.names(reader.page(Marker=page["NextMarker"])) == before[3:]


def test_the_keys_behind_a_key_that_is_gone_are_listed(home: Home, clock: Any) -> None:
    reader = Reader(home, "ListKeys")
    before = reader.names(reader.page())
    first = reader.page(Limit=1)
    home.perform("ScheduleKeyDeletion", KeyId=before[0], PendingWindowInDays=7)
    clock.move(days=8)
    home.refused("DescribeKey", KeyId=before[0])
    assert reader.names(reader.page(Marker=first["NextMarker"])) == before[1:]
    assert reader.names(reader.page()) == before[1:]


# -- what is no marker -------------------------------------------------------------------------------------------------


def test_a_marker_of_every_other_list_is_refused(home: Home) -> None:
    readers = [Reader(home, operation, 2) for operation in LISTS]
    markers = {reader.operation: reader.page(Limit=1)["NextMarker"] for reader in readers}
    for reader in readers:
        for operation, given in markers.items():
            if operation != reader.operation:
                assert reader.refused(given) == "InvalidMarkerException"


GARBAGE = [
    "x",
    "AAAA",
    "null",
    "0",
    "/../",
    "not base64!",
    "\u00e4\u00e4\u00e4\u00e4",
    "\u00ff" * 1024,
    "A" * 1024,
    "{}",
    base64.b64encode(b"\xff\xfe\xfd").decode(),
]


def test_garbage_is_refused(reader: Reader) -> None:
    assert {reader.refused(given) for given in GARBAGE} == {"InvalidMarkerException"}


def test_what_is_outside_the_shape_of_a_marker_is_a_validation_error(reader: Reader) -> None:
    assert {reader.refused(given) for given in ("", "x" * 1025, "\n", "\u0100")} == {"ValidationException"}


def test_a_marker_has_one_spelling(reader: Reader) -> None:
    given = reader.page(Limit=1)["NextMarker"]
    inside = text_of(given)
    kind, name = inside.split(":", 1)
    bare = given.rstrip("=")
    others = {
        bare if bare != given else f"{given}=",
        f"{given}====",
        f"{given} ",
        f" {given}",
        f"{given[:4]} {given[4:]}",
        f"{given[:4]}\u00a0{given[4:]}",
        given.swapcase(),
        inside,
        marker(kind),
        marker(f"{kind}:"),
        marker(f":{name}"),
        marker(f" {inside}"),
        marker(kind.lower() + ":" + name),
        base64.b64encode(inside.encode("utf-16")).decode(),
        base64.b32encode(inside.encode()).decode(),
        inside.encode().hex(),
    }
    # Bits that padding leaves over, and the other alphabet of base64.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if bare != given:
        others.add(bare[:-1] + alphabet[alphabet.index(bare[-1]) + 1] + "=" * (len(given) - len(bare)))
    for other in others - {given}:
        assert reader.refused(other) == "InvalidMarkerException", other


@pytest.mark.parametrize("name", ["\u00fb\u00ff\u00fe" * 3, "\u07ff\u07fe?>~"])
def test_the_other_alphabet_of_base64_is_refused(home: Home, name: str) -> None:
    key_id = home.create_key(Tags=[{"TagKey": name, "TagValue": ""}, {"TagKey": "\U0010ffff", "TagValue": ""}])
    given = home.perform("ListResourceTags", KeyId=key_id, Limit=1).next_marker
    other = given.translate(str.maketrans("-_", "+/"))
    assert other != given
    home.perform("ListResourceTags", KeyId=key_id, Marker=given)
    assert home.refused("ListResourceTags", KeyId=key_id, Marker=other).code == "InvalidMarkerException"


MADE_UP = [
    "vault",
    "principal/admin",
    "alias/",
    "key/",
    "grants/",
    "grants/:",
    "grants/{other}",
    "grants/{other}:",
    "grants/{other}:" + "0" * 64,
    "grants/../key/{other}:x",
    "key/{other}",
    "{other}",
    "share/{other}/admin",
    "0",
    "00000000",
    "99999999",
    "a:b:c",
    "\U0010ffff",
    "\0",
    "'; --",
]


def test_a_marker_that_was_made_up_shows_no_more_than_the_list_does(reader: Reader) -> None:
    whole = reader.names(reader.page())
    for name in MADE_UP:
        made = marker(f"{reader.operation}:{name.format(other=reader.other)}")
        found: list[str] = []
        with suppress(errors.InvalidMarkerError):
            found = reader.names(reader.page(Marker=made))
        assert found == whole[len(whole) - len(found) :], name


@pytest.mark.parametrize("operation", [name for name, row in LISTS.items() if row.of_a_key] + ["ListAliases"])
def test_a_marker_of_another_key_shows_nothing_of_that_key(home: Home, operation: str) -> None:
    reader = Reader(home, operation)
    with_key = {} if reader.row.of_a_key else {"KeyId": reader.other}
    foreign = home.answer(operation, **reader.request(reader.other, Limit=2) | with_key)["NextMarker"]
    own = {} if reader.row.of_a_key else {"KeyId": reader.key_id}
    whole = reader.names(reader.page(**own))
    found = reader.names(reader.page(Marker=foreign, **own))
    assert found == whole[len(whole) - len(found) :]
