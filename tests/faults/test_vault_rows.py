"""Rows of vault.db changed, deleted, doubled, exchanged and put back, with and without every hash made to fit.

The attacker of these tests knows the format and computes all digests up to the tree's trunk. He cannot sign a head.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kmscli.vault.secrets import Secret
from tests.faults import attacker, samples
from tests.faults.attacker import Attacker, Values, attacking
from tests.faults.samples import DAMAGED, Sample

Edit = Callable[[Attacker], None]


def other(value: object) -> object:
    """A value of the same type, one bit or letter away."""
    match value:
        case bytes():
            return value[:-1] + bytes([value[-1] ^ 1]) if value else b"\0"
        case str():
            return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
        case int():
            return value ^ 1
    raise TypeError(value)


def other_type(value: object) -> object:
    return value.encode() if isinstance(value, str) else str(value)


def edits(table: str, rows: list[Values], earlier: list[Values]) -> Iterator[tuple[str, Edit]]:
    """Every single act on the rows of a table: its name, and the act."""
    key = attacker.KEYS[table]
    for at, row in enumerate(rows):
        name = f"{table} {row[:key]}"
        for column, value in enumerate(row):
            for change in (other, other_type):
                changed = (*row[:column], change(value), *row[column + 1 :])
                yield f"{name}: column {column} {change.__name__}", replacing(table, row, changed)
        yield f"{name}: deleted", lambda who, row=row: who.delete(table, row)
        twin = (*row[: key - 1], other(row[key - 1]))
        yield f"{name}: doubled", lambda who, row=row, twin=twin: who.insert(table, (*twin, *row[key:]))
        following = rows[(at + 1) % len(rows)]
        if following != row:
            yield f"{name}: exchanged", exchanging(table, row, following)
    for row in earlier:
        if row not in rows:
            yield f"{table} {row[:key]}: put back", lambda who, row=row: who.insert(table, row)


def replacing(table: str, old: Values, new: Values) -> Edit:
    return lambda who: who.replace(table, old, new)


def exchanging(table: str, left: Values, right: Values) -> Edit:
    key = attacker.KEYS[table]

    def exchange(who: Attacker) -> None:
        who.replace(table, left, (*left[:key], *right[key:]))
        who.replace(table, right, (*right[:key], *left[key:]))

    return exchange


def attempted(edit: Edit, who: Attacker, table: str) -> bool:
    """Do it; False if the database refuses it, as a second head, or makes nothing of it, as of a number's text."""
    before = who.meaning(table)
    try:
        edit(who)
    except sqlite3.IntegrityError:
        return False
    return before != who.meaning(table)


def all_edits(sample: Sample, table: str) -> list[tuple[str, Edit]]:
    found = list(edits(table, attacker.rows_of(sample.folder, table), attacker.rows_of(sample.earlier, table)))
    assert found
    return found


def restore(sample: Sample, folder: Path) -> None:
    shutil.copyfile(sample.folder / "vault.db", folder / "vault.db")


@pytest.mark.parametrize("table", ["record", "bucket", "node", "head"])
def test_an_edit_of_a_row_is_refused(sample: Sample, copy: Path, table: str) -> None:
    for name, edit in all_edits(sample, table):
        restore(sample, copy)
        with attacking(copy) as who:
            changed = attempted(edit, who, table)
        found = samples.quick_answers(sample, copy)
        assert [] == samples.violations(sample, found), name
        assert any(map(samples.is_refusal, found.values())) or not changed, name


def test_an_edit_of_a_record_is_refused_although_every_hash_fits(sample: Sample, copy: Path) -> None:
    for name, edit in all_edits(sample, "record"):
        if "other_type" in name:
            continue
        restore(sample, copy)
        with attacking(copy) as who:
            edit(who)
            same = who.repair() == who.head().root
        found = samples.quick_answers(sample, copy)
        assert [] == samples.violations(sample, found), name
        # Group and digest of a record follow from the rest of it: to change one of them alone repairs itself.
        assert same == name.endswith(("column 0 other", "column 4 other")), name
        assert same or {True} == {samples.is_refusal(found[question]) for question in found.keys() - {"slots"}}, name


def test_an_edit_of_a_slot_is_refused_or_changes_no_answer(sample: Sample, copy: Path) -> None:
    for name, edit in all_edits(sample, "slot"):
        restore(sample, copy)
        with attacking(copy) as who:
            attempted(edit, who, "slot")
        for secret in (sample.secret(), Secret.passphrase(samples.PASSPHRASE)):
            found = samples.answers(sample, copy, secret)
            assert [] == samples.violations(sample, found, DAMAGED | {"WrongSecret"}), name


def test_an_edit_of_the_newest_line_is_refused_or_changes_no_answer(sample: Sample, copy: Path) -> None:
    log = copy / "audit" / "00000001.jsonl"
    for name, edit in all_edits(sample, "latest"):
        restore(sample, copy)
        shutil.copyfile(sample.folder / "audit" / "00000001.jsonl", log)
        with attacking(copy) as who:
            attempted(edit, who, "latest")
        assert [] == samples.violations(sample, samples.answers(sample, copy)), name


HOSTILE = {
    "nothing": b"",
    "depth": b"[" * 1_000_000,
    "depth of members": b'{"a":' * 200_000,
    "a large number": b'{"generation":1' + b"0" * 4000 + b"}",
    "a larger number": b'{"generation":1' + b"0" * 100_000 + b"}",
    "NaN": b'{"generation":NaN}',
    "an exponent": b'{"generation":1e999999999}',
    "a lone surrogate": b'{"vault_id":"\\ud800"}',
    "no UTF-8": b'{"vault_id":"\xff"}',
    "a long string": b'{"vault_id":"' + b"a" * 2_000_000 + b'"}',
    "many members": b"{" + b",".join(b'"%d":0' % number for number in range(100_000)) + b"}",
    "null": b"null",
    "a list": b"[]",
}
BODIES = {"record": 3, "head": 1, "latest": 1, "slot": 1}


@pytest.mark.parametrize("table", BODIES)
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_json_in_the_place_of_a_body_is_refused_or_changes_no_answer(
    sample: Sample, copy: Path, table: str, body: bytes
) -> None:
    column = BODIES[table]
    with attacking(copy) as who:
        for row in who.rows(table):
            who.insert(table, (*row[:column], body, *row[column + 1 :]))
        if table == "record":
            who.repair()
    assert [] == samples.violations(sample, samples.answers(sample, copy))


NUMBERS = [-1, 2**63, 2**64, 10**40]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("member", ["generation", "seq", "roots", "keys"])
def test_a_head_with_a_number_that_no_head_holds_is_refused(
    sample: Sample, copy: Path, member: str, number: int
) -> None:
    with attacking(copy) as who:
        ((_, body, signature),) = who.rows("head")
        head, name, tail = body.decode().partition(f'"{member}":')
        changed = head + name + str(number) + tail.lstrip("0123456789")
        who.insert("head", (1, changed.encode(), signature))
    found = samples.answers(sample, copy)
    assert {True} == {samples.is_refusal(answer) for question, answer in found.items() if question != "slots"}
