"""The decision whether a log is the one that was signed, over lines in memory."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest

from kmscli import errors
from kmscli.audit import roots
from kmscli.audit.replay import Replay
from kmscli.audit.signatures import Here
from kmscli.audit.verify import Report, Verifier, check_files
from kmscli.formats import auditline, record
from kmscli.formats.auditline import RecordChange
from kmscli.formats.record import RootSet
from kmscli.model import limits
from kmscli.storage.segments import Entry
from tests.unit.audit.logs import (
    ADMIN,
    FINGERPRINT,
    FIRST,
    FIRST_BODY,
    MADE,
    START,
    VAULT_ID,
    Log,
    change,
    flipped,
    identity,
    made,
    next_set,
    root_key,
)

EVE = identity(66)
OTHER_ID = "cd" * 16


def proved(lines: Iterable[tuple[int, bytes]], *, full: bool = False, watch: Iterable[int] = ()) -> Report:
    verifier = Verifier(FINGERPRINT, Here(), replay=Replay() if full else None, watch=frozenset(watch))
    for segment, line in lines:
        verifier.take(segment, line)
    return verifier.report()


def refused(lines: Iterable[tuple[int, bytes]], *, full: bool = False) -> dict[str, Any]:
    with pytest.raises(errors.AuditTamperedError) as caught:
        proved(lines, full=full)
    return caught.value.data


def place(data: dict[str, Any]) -> tuple[int, int, int]:
    return data["segment"], data["line"], data["seq"]


# -- a log that holds --


def test_a_genuine_log_is_reported_as_it_is() -> None:
    log = made().use().change(change("alias", "alias/a", None, 2)).begin_segment().use()
    report = proved(log.lines, full=True, watch={2})
    assert VAULT_ID == report.vault_id
    assert (4, 2, 2) == (report.lines, report.segments, report.generation)
    assert (START, START + timedelta(seconds=3)) == (report.first_time, report.last_time)
    assert (log.prev, log.root, 0) == (report.last_line, report.root, report.torn)
    assert {2: auditline.digest(log.numbered(2))} == report.digests


def test_two_lines_may_have_the_same_time() -> None:
    assert 2 == proved(made().use(eventTime=START).lines).lines


def test_members_that_verification_does_not_know_are_left_alone() -> None:
    assert 2 == proved(made().use(eventVersion="9", additionalEventData={"a": [1, None]}).lines).lines


def test_a_torn_end_is_no_fault_and_its_bytes_are_counted() -> None:
    log = made().use()
    report = proved([*log.lines, (1, b'{"eventTime":')], full=True)
    assert (2, 13, log.prev) == (report.lines, report.torn, report.last_line)


def test_a_line_that_lacks_only_its_newline_is_a_torn_end() -> None:
    log = made().use()
    report = proved([log.lines[0], (1, log.numbered(2))])
    assert (1, len(log.numbered(2))) == (report.lines, report.torn)


def test_the_line_that_is_expected_next_is_taken_behind_a_torn_end() -> None:
    log = made().use()
    verifier = Verifier(FINGERPRINT, Here())
    verifier.take(*log.lines[0])
    verifier.take(1, log.numbered(2)[:100])
    verifier.expect(log.numbered(2))
    assert (2, 100) == (verifier.report().lines, verifier.report().torn)


def test_the_line_that_is_expected_next_may_begin_a_segment() -> None:
    log = made().begin_segment().use()
    verifier = Verifier(FINGERPRINT, Here())
    verifier.take(*log.lines[0])
    verifier.expect(log.numbered(2))
    assert (2, 2) == (verifier.report().lines, verifier.report().segments)


# -- lines that are not where or what they were --


def test_every_byte_of_a_line_counts_and_the_changed_line_is_the_one_named() -> None:
    log = made().use().use()
    segment, line = log.lines[1]
    for index in range(len(line) - 1):
        for mask in (1, 0x20, 0x80):
            lines = [log.lines[0], (segment, flipped(line, index, mask)), log.lines[2]]
            assert (1, 2, 2) == place(refused(lines)), (index, mask)


def test_every_byte_of_the_last_line_counts() -> None:
    log = made().use()
    for index in range(len(log.numbered(2))):
        assert (1, 2, 2) == place(refused([log.lines[0], (1, flipped(log.lines[1][1], index))])), index


def test_each_spelling_of_a_signature_but_one_is_refused() -> None:
    log = made().use()
    line = log.numbered(2)
    last = line.rindex(b'=="')
    spellings = [line[: last - 1] + bytes([letter]) + line[last:] for letter in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"]
    spellings = [spelled for spelled in spellings if spelled != line]
    assert [] == [spelled for spelled in spellings if _holds([log.lines[0], (1, spelled + b"\n")])]


def _holds(lines: list[tuple[int, bytes]]) -> bool:
    try:
        proved(lines)
    except errors.AuditTamperedError:
        return False
    return True


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_dropped_line_is_named_by_what_stands_in_its_place(number: int) -> None:
    log = made().use().use().use().use()
    lines = log.lines[: number - 1] + log.lines[number:]
    assert (1, number, number) == place(refused(lines))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_doubled_line_is_named_where_it_stands_again(number: int) -> None:
    log = made().use().use().use()
    lines = log.lines[:number] + log.lines[number - 1 :]
    assert (1, number + 1, number + 1) == place(refused(lines))


def test_of_exchanged_lines_the_first_is_named() -> None:
    log = made().use().use().use()
    lines = [log.lines[0], log.lines[2], log.lines[1], log.lines[3]]
    assert (1, 2, 2) == place(refused(lines))


def test_a_line_of_another_vault_is_refused() -> None:
    first = RootSet(vault_id=OTHER_ID, number=1, roots=FIRST.roots)
    other = Log(vault_id=OTHER_ID, first=record.encode(first)).change(*MADE).use()
    log = made().use()
    found = refused([log.lines[0], other.lines[1]])
    assert ((1, 2, 2), "it belongs to another vault") == (place(found), found["reason"])


def test_a_log_of_another_vault_does_not_have_this_fingerprint() -> None:
    first = RootSet(vault_id=VAULT_ID, number=1, roots=(root_key("admin", EVE),))
    found = refused(Log(first=record.encode(first), who=EVE).change(*MADE).lines)
    assert (1, 1, 1) == place(found)
    assert "root fingerprint" in found["reason"]


def test_a_line_that_somebody_else_signed_in_the_name_of_a_root_is_refused() -> None:
    log = made()
    log.who = EVE
    found = refused(log.use().lines)
    assert ((1, 2, 2), "its signature does not hold") == (place(found), found["reason"])


def test_a_line_that_nobody_known_signed_is_refused_without_his_control_characters() -> None:
    log = made()
    log.signer = "eve\x1b[2J"
    found = refused(log.use().lines)
    assert (1, 2, 2) == place(found)
    assert "no principal of the vault" in found["reason"]
    assert "\x1b" not in found["reason"]


def test_the_message_names_file_line_and_number() -> None:
    log = made().begin_segment().use()
    log.who = EVE
    with pytest.raises(errors.AuditTamperedError) as caught:
        proved(log.use().lines)
    assert "00000002.jsonl, line 2 (seq 3): its signature does not hold" in caught.value.message
    assert 51 == caught.value.exit_code


# -- lines that a root signed, and that are wrong all the same --

WRONG: dict[str, tuple[Callable[[Log], object], str]] = {
    "a number is left out": (
        lambda log: log.use(chain={"seq": 3, "prev": log.prev}),
        "it has another number",
    ),
    "another line is named as the one before": (
        lambda log: log.use(chain={"seq": 2, "prev": "0" * 64}),
        "it does not follow the line before it",
    ),
    "the time goes back": (
        lambda log: log.use(eventTime=START - timedelta(seconds=1)),
        "its time is before that of the line before it",
    ),
    "a time without a zone": (lambda log: log.use(eventTime="2026-03-01T12:00:05"), "a line is not an audit line"),
    "no state": (lambda log: log.use(vault=None), "a line is not an audit line"),
    "a segment is begun in the middle of another": (
        lambda log: log.use(segment={"number": 1, "roots": [FIRST_BODY.decode()]}),
        "it has the member segment, but begins none",
    ),
    "a use that tells of another generation": (
        lambda log: log.use(vault={"id": VAULT_ID, "generation": 2, "root": log.root}),
        "it changes nothing, but tells of another state than the line before it",
    ),
    "a use that tells of another tree": (
        lambda log: log.use(vault={"id": VAULT_ID, "generation": 1, "root": "0" * 64}),
        "it changes nothing, but tells of another state than the line before it",
    ),
    "a change that makes no generation": (
        lambda log: log.use(change=(change("alias", "alias/a", None, 1),)),
        "it does not make generation 2",
    ),
    "a change that leaves a generation out": (
        lambda log: log.use(
            change=(change("alias", "alias/a", None, 1),), vault={"id": VAULT_ID, "generation": 3, "root": log.root}
        ),
        "it does not make generation 2",
    ),
    "a change of nothing": (
        lambda log: log.use(change=(), vault={"id": VAULT_ID, "generation": 2, "root": log.root}),
        "its changes are not listed in order",
    ),
    "changes out of order": (
        lambda log: log.change(change("key", "b", None, 2), change("alias", "alias/a", None, 1)),
        "its changes are not listed in order",
    ),
    "a record that is listed twice": (
        lambda log: log.change(change("key", "b", None, 2), change("key", "b", 2, 3)),
        "its changes are not listed in order",
    ),
    "a record that stays as it is": (
        lambda log: log.change(change("vault", "", 1, 1)),
        "its changes are no changes",
    ),
}


@pytest.mark.parametrize(("spoil", "reason"), WRONG.values(), ids=WRONG)
def test_a_signed_line_that_breaks_a_rule_is_refused(spoil: Callable[[Log], object], reason: str) -> None:
    log = made()
    spoil(log)
    found = refused(log.lines)
    assert ((1, 2, 2), reason) == (place(found), found["reason"])


def test_a_digest_that_is_none_is_refused() -> None:
    log = made()
    entry = ["key", "a", None, "AB" * 32]
    found = refused(log.use(change=[entry], vault={"id": VAULT_ID, "generation": 2, "root": log.root}).lines)
    assert "its changes are no changes" == found["reason"]


def test_the_first_line_makes_the_vault() -> None:
    assert "it does not make a vault" == refused(Log().use().lines)["reason"]


def test_only_the_replay_sees_a_change_that_starts_from_another_state() -> None:
    log = made()
    log.generation += 1
    log.use(change=(change("vault", "", 7, 8),))
    assert 2 == proved(log.lines).lines
    found = refused(log.lines, full=True)
    assert ((1, 2, 2), "it changes a vault that was not as it says") == (place(found), found["reason"])


def test_only_the_replay_sees_a_change_that_leads_to_another_state() -> None:
    log = made()
    log.generation, log.root = 2, "ee" * 32
    log.use(change=(change("alias", "alias/a", None, 5),))
    assert 2 == proved(log.lines).lines
    found = refused(log.lines, full=True)
    assert "its changes do not lead to the state that it tells of" == found["reason"]


# -- segments --


def test_a_segment_begins_with_its_own_number() -> None:
    log = made().begin_segment().use(segment={"number": 3, "roots": [FIRST_BODY.decode()]})
    found = refused(log.lines)
    assert ((2, 1, 2), "it does not begin segment 2") == (place(found), found["reason"])


def test_a_segment_does_not_begin_without_saying_so() -> None:
    found = refused(made().begin_segment().use(segment=None).lines)
    assert ((2, 1, 2), "it begins a segment, but lacks the member segment") == (place(found), found["reason"])


def test_a_segment_that_is_left_out_is_missed() -> None:
    log = made().begin_segment().use().begin_segment().use()
    found = refused([log.lines[0], log.lines[2]])
    assert ((3, 1, 2), "segment 2 is missing before it") == (place(found), found["reason"])


def test_a_segment_with_the_lines_of_another_is_refused() -> None:
    log = made().begin_segment().use().begin_segment().use()
    swapped = [log.lines[0], (2, log.lines[2][1]), (3, log.lines[1][1])]
    assert (2, 1, 2) == place(refused(swapped))


def test_a_line_without_an_end_in_the_middle_of_the_log_is_refused() -> None:
    log = made().use().begin_segment().use()
    found = refused([log.lines[0], (1, log.numbered(2)), log.lines[2]])
    assert ((1, 2, 2), "it has no end") == (place(found), found["reason"])


def test_a_segment_appears_with_a_whole_line_or_not_at_all() -> None:
    log = made().begin_segment().use()
    found = refused([log.lines[0], (2, log.numbered(2))])
    assert ((2, 1, 2), "its segment has no whole line") == (place(found), found["reason"])


def test_a_line_longer_than_a_line_can_be_is_refused_before_it_is_read() -> None:
    found = refused([*made().lines, (1, b"[" * (limits.AUDIT_LINE_MAX + 1) + b"\n")])
    assert ((1, 2, 2), "it is longer than a line can be") == (place(found), found["reason"])


def test_a_line_nested_without_end_is_refused() -> None:
    found = refused([*made().lines, (1, b'{"a":' * 200_000 + b"\n")])
    assert ((1, 2, 2), "a line is not an audit line") == (place(found), found["reason"])


def test_a_log_without_a_line_is_refused() -> None:
    with pytest.raises(errors.AuditTamperedError, match="it has no line"):
        proved([])


# -- roots --

BOB = identity(2)
SECOND_BODY = next_set(FIRST, [root_key("bob", BOB)], signer="admin", who=ADMIN)


def with_second_set(log: Log) -> Log:
    written = RecordChange(kind="roots", id="2", old=None, new=record.record_digest("roots", "2", SECOND_BODY).hex())
    log.change(written, roots=[SECOND_BODY.decode()])
    log.chain = (FIRST_BODY, SECOND_BODY)
    return log


def test_a_root_of_a_later_set_signs_from_the_line_on_that_follows_it() -> None:
    log = with_second_set(made())
    log.signer, log.who = "bob", BOB
    assert 4 == proved(log.use().begin_segment().use().lines, full=True).lines


def test_a_root_of_a_later_set_does_not_sign_before_it() -> None:
    log = made()
    log.signer, log.who = "bob", BOB
    log.use()
    log.signer, log.who = "admin", ADMIN
    assert (1, 2, 2) == place(refused(with_second_set(log).lines))


def test_a_root_that_a_later_set_leaves_out_signs_no_more() -> None:
    found = refused(with_second_set(made()).use().lines)
    expected = "it was signed by 'admin', who is no principal of the vault"
    assert ((1, 3, 3), expected) == (place(found), found["reason"])


@pytest.mark.parametrize("chain", [(FIRST_BODY,), (FIRST_BODY, SECOND_BODY, SECOND_BODY), ()])
def test_a_segment_repeats_the_chain_of_roots_as_it_is(chain: tuple[bytes, ...]) -> None:
    log = with_second_set(made())
    log.signer, log.who = "bob", BOB
    log.use().begin_segment()
    log.chain = chain
    found = refused(log.use().lines)
    assert ((2, 1, 4), "its chain of roots is not the one known before it") == (place(found), found["reason"])


@pytest.mark.parametrize("vault_id", ["", "zz" * 16, "AB" * 16, "ab" * 15])
def test_roots_of_no_vault_are_refused_even_if_they_are_trusted(vault_id: str) -> None:
    body = record.encode(RootSet(vault_id=vault_id, number=1, roots=FIRST.roots))
    log = Log(first=body).change(*MADE)
    verifier = Verifier(roots.fingerprint(body), Here())
    with pytest.raises(errors.AuditTamperedError, match="no vault"):
        verifier.take(1, log.lines[0][1])


# -- files --


def test_segments_are_listed_in_order_and_what_kms_leaves_beside_them_is_known() -> None:
    entries = [
        Entry("00000002.jsonl", 20),
        Entry("00000001.jsonl", 10),
        Entry("unlock-failures", 0),
        Entry("torn-000000000012", 5),
        Entry("torn-000000000013.unnoted", 5),
        Entry(".00000003.jsonl.tmp", 5),
        Entry("00000001.usage", 5),
        Entry("00000007.usage", 0),
        Entry(".00000001.usage.tmp", 5),
        Entry(".torn-000000000014.unnoted.tmp", 5),
    ]
    assert [(1, 10), (2, 20)] == check_files(entries)


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ([("00000001.jsonl", 1), ("00000003.jsonl", 1)], "00000002.jsonl is missing"),
        ([("00000002.jsonl", 1)], "00000001.jsonl is missing"),
        ([], "00000001.jsonl is missing"),
        ([("00000001.jsonl", 1), ("00000002.jsonl", 0)], "00000002.jsonl is empty"),
        ([("00000001.jsonl", -1)], "00000001.jsonl is no file"),
        ([("00000000.jsonl", 1), ("00000001.jsonl", 1)], "'00000000.jsonl' does not belong"),
        ([("00000001.jsonl", 1), ("00000001.jsonl.bak", 1)], "'00000001.jsonl.bak' does not belong"),
        ([("00000001.jsonl", 1), ("unlock-failures", -1)], "'unlock-failures' does not belong"),
        ([("00000001.jsonl", 1), ("00000000.usage", 1)], "'00000000.usage' does not belong"),
        ([("00000001.jsonl", 1), ("00000001.usage", -1)], "'00000001.usage' does not belong"),
        ([("00000001.jsonl", 1), ("1.usage", 1)], "'1.usage' does not belong"),
        ([("00000001.jsonl", 1), ("00000001.usage.tmp", 1)], "'00000001.usage.tmp' does not belong"),
        ([("00000001.jsonl", 1), ("00000001.usage\n", 1)], "does not belong"),
        ([("00000001.usage", 1)], "00000001.jsonl is missing"),
        ([("00000001.jsonl", 1), ("1.jsonl", 1)], "'1.jsonl' does not belong"),
        ([("00000001.jsonl", 1), ("\udcff\x1b", 1)], r"'\\udcff\\x1b' does not belong"),
    ],
)
def test_a_folder_that_is_not_that_of_a_log_is_refused(entries: list[tuple[str, int]], what: str) -> None:
    with pytest.raises(errors.AuditTamperedError, match=what):
        check_files([Entry(*entry) for entry in entries])
