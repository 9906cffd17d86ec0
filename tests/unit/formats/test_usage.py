"""Summaries: one encoding, pages in order, and nothing that was not signed."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.formats import record, usage
from kmscli.formats.usage import Page, Spot, Summary

DIGEST = b"d" * 32
BARE = Summary(
    vault_id="ab" * 16,
    segment=3,
    size=1000,
    began=datetime(2026, 3, 1, tzinfo=UTC),
    prev="11" * 32,
    last="22" * 32,
    keys=0,
    pages=(),
    signer="admin",
)


def key_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def uses(count: int) -> dict[str, Spot]:
    """Keys with even numbers, so that there are others between them."""
    return {key_id(2 * number): Spot(number, 1000 + number, DIGEST) for number in reversed(range(count))}


def encoded(count: int) -> bytes:
    return usage.encode(BARE, uses(count), lambda _: b"signature")


def parts(data: bytes) -> tuple[Summary, bytes]:
    header, _, pages = data.partition(b"\n")
    return usage.decode(header), pages


def found(data: bytes, wanted: str) -> Spot | None:
    summary, pages = parts(data)
    extent = usage.page_of(summary, wanted)
    if extent is None:
        return None
    return usage.find(summary, extent.number, pages[extent.start : extent.start + extent.length], wanted)


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 512, 1000])
def test_every_key_is_found_where_it_was_put_and_no_other_is(count: int) -> None:
    data = encoded(count)
    summary, pages = parts(data)
    assert (count, len(pages)) == (summary.keys, usage.length(summary))
    assert -(-count // usage.PAGE) == len(summary.pages)
    for number in range(count):
        assert Spot(number, 1000 + number, DIGEST) == found(data, key_id(2 * number))
    assert all(found(data, key_id(2 * number + 1)) is None for number in range(count))


def test_keys_before_the_first_and_behind_the_last_are_not_found() -> None:
    data = usage.encode(BARE, {key_id(5): Spot(0, 1, DIGEST)}, lambda _: b"")
    assert [None, None] == [found(data, key_id(4)), found(data, "mrk-" + "f" * 32)]


def test_a_segment_without_a_use_has_a_header_alone() -> None:
    header, newline, pages = encoded(0).partition(b"\n")
    assert (b"\n", b"") == (newline, pages)
    assert usage.page_of(usage.decode(header), key_id(0)) is None


def test_an_entry_is_the_id_of_the_key_and_where_the_line_stands() -> None:
    _, pages = parts(usage.encode(BARE, {key_id(1): Spot(2**40, 1150, DIGEST)}, lambda _: b""))
    assert key_id(1).encode() + (2**40).to_bytes(8, "big") + (1150).to_bytes(4, "big") + DIGEST == pages


def test_the_signature_covers_the_header_without_it() -> None:
    signed = []
    data = usage.encode(BARE, uses(3), lambda message: signed.append(message) or b"s" * 64)  # type: ignore[func-returns-value]
    summary, _ = parts(data)
    unsigned = record.encode(msgspec.structs.replace(summary, signature=b""))
    assert [b"kms/v1/usage-2\0" + len(unsigned).to_bytes(4, "big") + unsigned] == signed
    assert signed == [usage.signed_bytes(summary)]
    assert b"s" * 64 == summary.signature


@pytest.mark.parametrize(
    "other",
    [
        {"vault_id": "00" * 16},
        {"segment": 4},
        {"size": 999},
        {"began": BARE.began + timedelta(seconds=1)},
        {"prev": "33" * 32},
        {"last": "33" * 32},
        {"keys": 1},
        {"pages": (Page(key_id(0), DIGEST),)},
        {"signer": "eve"},
    ],
)
def test_what_is_signed_tells_every_member(other: dict[str, Any]) -> None:
    assert usage.signed_bytes(BARE) != usage.signed_bytes(msgspec.structs.replace(BARE, **other))


def refused(header: bytes) -> None:
    with pytest.raises(errors.VaultTamperedError):
        usage.decode(header)


def test_a_header_has_one_encoding() -> None:
    header = encoded(300).partition(b"\n")[0]
    for other in (
        b"",
        b"null",
        b"{}",
        header + b" ",
        header + b"\n",
        b" " + header,
        header.replace(b'"segment":3', b'"segment":3.0'),
        header.replace(b'"segment":3', b'"segment":3,"segment":3'),
        header.replace(b'"segment":3', b'"segment":-3'),
        header.replace(b'"segment":3', b'"extra":1,"segment":3'),
        header.replace(b'"segment":3,', b""),
        header.replace(b"2026-03-01T00:00:00Z", b"2026-03-01T00:00:00"),
        header.replace(b"2026-03-01T00:00:00Z", b"2026-03-01T01:00:00+01:00"),
        header.replace(b'"admin"', b'"\xff"'),
        b"[" * 5000,
    ):
        assert other != header
        refused(other)


def test_a_time_of_another_zone_is_no_time_of_a_header() -> None:
    zone = timezone(timedelta(hours=1))
    refused(record.encode(msgspec.structs.replace(BARE, began=BARE.began.astimezone(zone))))


@pytest.mark.parametrize(
    ("keys", "firsts"),
    [(0, [1]), (1, []), (256, [1, 2]), (257, [1]), (257, [2, 1]), (257, [1, 1]), (2**62, [1])],
)
def test_pages_that_do_not_follow_each_other_are_refused(keys: int, firsts: list[int]) -> None:
    pages = tuple(Page(key_id(first), DIGEST) for first in firsts)
    refused(record.encode(msgspec.structs.replace(BARE, keys=keys, pages=pages)))


def test_any_flipped_bit_of_a_page_is_refused() -> None:
    summary, pages = parts(encoded(3))
    for bit in range(0, 8 * len(pages), 7):
        changed = pages[: bit // 8] + bytes([pages[bit // 8] ^ 1 << bit % 8]) + pages[bit // 8 + 1 :]
        with pytest.raises(errors.VaultTamperedError):
            usage.find(summary, 0, changed, key_id(0))


@pytest.mark.parametrize("change", [lambda page: page[:-1], lambda page: page + b"\0", lambda _: b""])
def test_a_page_of_another_length_is_refused(change: Any) -> None:
    summary, pages = parts(encoded(3))
    with pytest.raises(errors.VaultTamperedError):
        usage.find(summary, 0, change(pages), key_id(0))


def test_a_page_in_the_place_of_another_is_refused() -> None:
    summary, pages = parts(encoded(512))
    with pytest.raises(errors.VaultTamperedError):
        usage.find(summary, 0, pages[len(pages) // 2 :], key_id(0))


def signed_page(rows: list[bytes], first: str) -> tuple[Summary, bytes]:
    """A page that a signer should not have signed."""
    page = b"".join(rows)
    listed = (Page(first, usage._digest(page)),)
    return msgspec.structs.replace(BARE, keys=len(rows), pages=listed), page


def row(name: bytes) -> bytes:
    return name.ljust(36) + bytes(12) + DIGEST


@pytest.mark.parametrize(
    ("names", "first"),
    [
        ([key_id(2), key_id(1)], key_id(2)),
        ([key_id(1), key_id(1)], key_id(1)),
        ([key_id(1), "nothing"], key_id(1)),
        ([key_id(1), "\u00e9" * 18], key_id(1)),
        ([key_id(2), key_id(3)], key_id(1)),
        ([], key_id(1)),
    ],
)
def test_a_page_that_does_not_list_keys_in_order_is_refused_though_it_is_signed(names: list[str], first: str) -> None:
    summary, page = signed_page([row(name.encode()) for name in names], first)
    with pytest.raises(errors.VaultTamperedError):
        usage.find(summary, 0, page, key_id(1))


def test_a_page_that_ends_within_an_entry_is_refused_though_it_is_signed() -> None:
    summary, page = signed_page([row(key_id(1).encode()), b"x"], key_id(1))
    with pytest.raises(errors.VaultTamperedError):
        usage.find(summary, 0, page, key_id(1))
