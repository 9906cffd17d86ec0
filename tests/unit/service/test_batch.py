"""Many uses at once: each its own line and outcome, and one sync for many."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.service import audits
from kmscli.service.batch import AT_ONCE, Outcome, perform_all
from kmscli.service.dispatch import perform
from tests.helpers import Clock, Home, named


def run(home: Home, name: str, *requests: dict[str, Any] | errors.KmsError) -> list[Outcome]:
    return list(perform_all(home.context, name, requests))


def codes(outcomes: list[Outcome]) -> list[str]:
    return [outcome.code if isinstance(outcome, errors.KmsError) else "" for outcome in outcomes]


def whole(home: Home) -> int:
    """The number of lines of the log, which was proved."""
    lines = audits.verify_log(home.folder / "audit", bytes.fromhex(home.made.root_fingerprint), full=True).lines
    return int(lines)


@contextmanager
def syncs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Counts the syncs of files."""
    counted: list[int] = []
    real = {name: getattr(os, name) for name in ("fsync", "fdatasync")}
    with monkeypatch.context() as patch:
        for name, sync in real.items():
            patch.setattr(os, name, lambda fd, sync=sync: (counted.append(fd), sync(fd))[1])
        yield counted


def test_each_request_has_its_answer_in_order(home: Home) -> None:
    key_id = home.create_key()
    texts = [f"text {number}".encode() for number in range(5)]
    sealed = run(home, "Encrypt", *({"KeyId": key_id, "Plaintext": text} for text in texts))
    opened = run(home, "Decrypt", *({"CiphertextBlob": named(each)["CiphertextBlob"]} for each in sealed))  # type: ignore[arg-type]
    assert [named(each)["Plaintext"] for each in opened] == texts  # type: ignore[arg-type]


def test_one_that_fails_stops_no_other_and_has_its_own_line(home: Home) -> None:
    key_id = home.create_key()
    before = len(home.lines())
    good = {"KeyId": key_id, "Plaintext": b"x"}
    outcomes = run(home, "Encrypt", good, {"KeyId": "alias/none", "Plaintext": b"x"}, {"KeyId": key_id}, good)
    assert codes(outcomes) == ["", "NotFoundException", "ValidationException", ""]
    assert [line.get("errorCode", "") for line in home.lines()[before:]] == codes(outcomes)
    assert whole(home) == len(home.lines())


def test_a_request_that_could_not_be_read_ends_in_its_own_error(home: Home) -> None:
    unread = errors.ValidationError(problem="line 1: not JSON")
    assert codes(run(home, "GenerateRandom", unread, {"NumberOfBytes": 1})) == ["ValidationException", ""]
    assert home.lines()[-2]["errorMessage"] == "line 1: not JSON"


def test_a_dry_run_is_told_as_by_itself(home: Home) -> None:
    (outcome,) = run(home, "Encrypt", {"KeyId": home.create_key(), "Plaintext": b"x", "DryRun": True})
    assert isinstance(outcome, errors.DryRunError)


def test_many_lines_share_a_sync(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.perform("GenerateRandom", NumberOfBytes=1)
    with syncs(monkeypatch) as one:
        home.perform("GenerateRandom", NumberOfBytes=1)
    with syncs(monkeypatch) as many:
        run(home, "GenerateRandom", *({"NumberOfBytes": 1} for _ in range(AT_ONCE)))
    assert len(many) == len(one) > 0


def test_results_come_a_few_hundred_at_a_time_and_never_before_their_lines(home: Home) -> None:
    before = len(home.lines())
    asked = 0

    def requests() -> Iterator[dict[str, Any]]:
        nonlocal asked
        for _ in range(2 * AT_ONCE + 3):
            asked += 1
            yield {"NumberOfBytes": 1}

    seen = 0
    for seen, _ in enumerate(perform_all(home.context, "GenerateRandom", requests()), 1):
        assert seen <= len(home.lines()) - before
        assert asked - seen < AT_ONCE
    assert seen == 2 * AT_ONCE + 3


def test_a_batch_goes_over_the_end_of_segments(home: Home) -> None:
    (home.folder / "config.toml").write_text("[audit]\nsegment_bytes = 4096\n")
    key_id = home.create_key()
    sealed = run(home, "Encrypt", *({"KeyId": key_id, "Plaintext": b"x"} for _ in range(40)))
    assert codes(sealed) == [""] * 40
    assert len(list((home.folder / "audit").glob("*.jsonl"))) > 5
    assert whole(home) == len(home.lines())


def test_failed_unlocks_are_told_once_in_a_batch(home: Home) -> None:
    home.perform("GenerateRandom", NumberOfBytes=1)
    (home.folder / "audit" / "unlock-failures").write_bytes(b"...")
    (home.folder / "audit" / "unlock-failures").chmod(0o600)
    before = len(home.lines())
    run(home, "GenerateRandom", {"NumberOfBytes": 1}, {"NumberOfBytes": 1})
    assert [line.get("failedUnlocks") for line in home.lines()[before:]] == [3, None]


def test_what_is_due_is_done_before_a_batch_that_needs_it(home: Home, clock: Clock) -> None:
    keys = [home.create_key() for _ in range(3)]
    for key_id in keys[:2]:
        home.perform("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    clock.move(days=91)
    before = len(home.lines())
    assert codes(run(home, "Encrypt", *({"KeyId": key_id, "Plaintext": b"x"} for key_id in keys))) == [""] * 3
    assert [line["eventName"] for line in home.lines()[before:]] == ["RotateKey"] * 2 + ["Encrypt"] * 3


def test_a_change_by_somebody_else_counts_for_the_whole_batch(home: Home) -> None:
    key_id = home.create_key()
    good = {"KeyId": key_id, "Plaintext": b"x"}
    assert codes(run(home, "Encrypt", good)) == [""]
    other = home.unlocked()
    perform(other, "DisableKey", {"KeyId": key_id})
    other.session.vault.store.close()
    assert codes(run(home, "Encrypt", good, good)) == ["DisabledException"] * 2


def test_what_expires_between_looking_and_locking_is_refused(home: Home, clock: Clock) -> None:
    key_id = home.create_key()
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    home.perform("CancelKeyDeletion", KeyId=key_id)
    home.perform("EnableKey", KeyId=key_id)
    home.perform("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    clock.move(days=7, seconds=-1)
    other = home.unlocked()
    clock.now += timedelta(seconds=2)
    perform(other, "GenerateRandom", {"NumberOfBytes": 1})  # the log's time is past the end now
    other.session.vault.store.close()
    clock.now -= timedelta(seconds=2)
    assert codes(run(home, "DescribeKey", {"KeyId": key_id})) == ["NotFoundException"]


def test_without_its_lines_no_result_is_released(home: Home, tmp_path: Path) -> None:
    key_id = home.create_key()
    segment = home.folder / "audit" / "00000001.jsonl"
    segment.rename(tmp_path / "away")
    segment.mkdir()
    with pytest.raises(errors.KmsError) as caught:
        run(home, "Encrypt", {"KeyId": key_id, "Plaintext": b"x"})
    assert caught.value.exit_code in {50, 52}
    segment.rmdir()
    (tmp_path / "away").rename(segment)


def test_nothing_asked_is_nothing_done(home: Home) -> None:
    before = len(home.lines())
    assert run(home, "Encrypt") == []
    assert len(home.lines()) == before
