"""The log of a real vault: its end, searches, and its proof beside the vault and without it."""

import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.service import audits
from kmscli.service.audits import AuditQuery, VerifyResponse
from kmscli.storage.paths import pin_file
from kmscli.vault.folder import Vault
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock
from tests.helpers import START, Clock, Home

NOW = datetime(2026, 3, 31, 12, 0, 0, tzinfo=UTC)
NO_TIMES = [
    *("", "30", "d", "-3d", "+3d", "3 d", "3D", "1y", "٣d", "30d\n", "9" * 10_000 + "d", "999999999w"),
    *("tomorrow", "2026-13-01", "2026-02-30", "0001-01-01T00:00:00+23:59"),
]


def names(events: Any) -> list[str]:
    return [event["eventName"] for event in events]


def found(home: Home, **query: Any) -> list[str]:
    with home.open() as vault:
        return names(audits.search(vault, AuditQuery(**query)))


def verified(home: Home, *, full: bool = True) -> VerifyResponse:
    with home.open() as vault:
        return audits.verify(vault, full=full)


def fingerprint(home: Home) -> bytes:
    return bytes.fromhex(home.made.root_fingerprint)


def roll(home: Home) -> None:
    """Let segments end at the smallest size there is."""
    home.close()
    (home.folder / "config.toml").write_text("[audit]\nsegment_bytes = 4096\n")


# -- times and fingerprints --


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("30d", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("12h", datetime(2026, 3, 31, tzinfo=UTC)),
        ("45m", datetime(2026, 3, 31, 11, 15, tzinfo=UTC)),
        ("90s", datetime(2026, 3, 31, 11, 58, 30, tzinfo=UTC)),
        ("2w", datetime(2026, 3, 17, 12, tzinfo=UTC)),
        ("0d", NOW),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T18:30:00", datetime(2026, 1, 31, 18, 30, tzinfo=UTC)),
        ("2026-01-31 18:30", datetime(2026, 1, 31, 18, 30, tzinfo=UTC)),
        ("2026-01-31T18:30:00Z", datetime(2026, 1, 31, 18, 30, tzinfo=UTC)),
        ("2026-01-31T18:30:00+02:00", datetime(2026, 1, 31, 16, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_span_before_now_or_an_iso_time_in_utc(text: str, time: datetime) -> None:
    parsed = audits.parse_time(text, NOW)
    assert (time, timedelta(0)) == (parsed, parsed.utcoffset())


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(errors.ValidationError) as caught:
        audits.parse_time(text, NOW)
    assert 2 == caught.value.exit_code
    assert "30d" in caught.value.hint


def test_a_fingerprint_is_read_as_init_prints_it(home: Home) -> None:
    assert home.made.root_fingerprint == audits.parse_fingerprint(home.made.root_fingerprint.upper()).hex()


@pytest.mark.parametrize("text", ["", "ab", "g" * 64, "ab" * 33, " " + "ab" * 31 + " ", "ab" * 32 + "\n"])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(errors.ValidationError):
        audits.parse_fingerprint(text)


# -- the end of the log, and searches --


def test_the_tail_gives_the_last_lines_and_writes_none(home: Home) -> None:
    home.create_key()
    home.perform("ListKeys")
    with home.open() as vault:
        assert ["CreateKey", "ListKeys"] == names(audits.tail(vault, lines=2))
        assert ["CreateVault", "CreateKey", "ListKeys"] == names(audits.tail(vault, lines=99))
        assert [] == audits.tail(vault, lines=0)
    assert 3 == len(home.lines())


def test_what_is_no_line_is_an_error_of_the_tail(home: Home) -> None:
    with (home.folder / "audit" / "00000001.jsonl").open("ab") as file:
        file.write(b"[1]\n")
    with home.open() as vault, pytest.raises(errors.AuditTamperedError):
        audits.tail(vault, lines=1)


def test_lines_are_found_by_operation_outcome_and_principal(home: Home) -> None:
    key = home.create_key()
    home.perform("DisableKey", KeyId=key)
    home.refused("Encrypt", KeyId=key, Plaintext=b"x")
    home.perform("EnableKey", KeyId=key)
    home.refused("Encrypt", KeyId=key, Plaintext=b"x", DryRun=True)
    assert ["Encrypt", "Encrypt"] == found(home, operation="encrypt")
    assert ["Encrypt"] == found(home, outcome="failed")
    assert ["EnableKey", "Encrypt"] == found(home, outcome="ok")[-2:]
    assert 6 == len(found(home, principal="admin"))
    assert 6 == len(found(home, principal="arn:aws:iam::000000000000:user/admin"))
    assert [] == found(home, principal="eve")


def test_lines_are_found_by_every_name_of_a_key(home: Home) -> None:
    key = home.create_key(Alias="alias/app")
    home.create_key(Alias="alias/other")
    home.perform("DescribeKey", KeyId="alias/app")
    expected = ["CreateKey", "DescribeKey"]
    for name in (key, home.arn(key), "alias/app", "arn:aws:kms:local:000000000000:alias/app"):
        assert expected == found(home, key_id=name), name


def test_requests_that_named_no_key_are_found_by_what_they_said(home: Home) -> None:
    home.refused("DescribeKey", KeyId="app")
    home.refused("DescribeKey", KeyId="alias/none")
    home.refused("DescribeKey", KeyId="arn:aws:kms:elsewhere:000000000000:alias/app")
    assert ["DescribeKey"] == found(home, key_id="app")
    assert ["DescribeKey"] == found(home, key_id="alias/none")
    assert ["DescribeKey"] == found(home, key_id="arn:aws:kms:elsewhere:000000000000:alias/app")
    assert [] == found(home, key_id="nothing")


def test_lines_are_found_by_time_across_segments(home: Home, tmp_path: Path) -> None:
    roll(home)
    clock = home.clock
    assert isinstance(clock, Clock)
    for _ in range(12):
        clock.move(minutes=1)
        home.perform("GenerateRandom", NumberOfBytes=4)
    assert len(list((home.folder / "audit").glob("*.jsonl"))) > 2
    start = START.replace(microsecond=0)
    assert 12 == len(found(home, since=start + timedelta(minutes=1)))
    assert 3 == len(found(home, since=start + timedelta(minutes=10)))
    assert 3 == len(found(home, until=start + timedelta(minutes=3)))
    assert 2 == len(found(home, since=start + timedelta(minutes=5), until=start + timedelta(minutes=7)))
    assert [] == found(home, since=start + timedelta(hours=1))


def test_a_search_needs_no_database_for_a_key_id(home: Home) -> None:
    key = home.create_key()
    home.close()
    with home.open() as vault:
        vault.store.close()
        assert ["CreateKey"] == names(audits.search(vault, AuditQuery(key_id=key)))


# -- proof --


@pytest.mark.parametrize("full", [False, True])
def test_the_log_of_a_vault_is_proved(home: Home, *, full: bool) -> None:
    home.create_key(Alias="alias/app")
    home.perform("ListKeys")
    proved = verified(home, full=full)
    assert (3, 3, 1, 2) == (proved.lines, proved.last_seq, proved.segments, proved.generation)
    assert (0, 0, full) == (proved.torn_bytes, proved.pending_lines, proved.full)
    assert (home.made.root_fingerprint, home.made.vault_id) == (proved.root_fingerprint, proved.vault_id)
    assert (4 if full else None) == proved.groups
    assert START.replace(microsecond=0) == proved.first_time == proved.last_time


def test_it_is_said_who_vouched_for_the_fingerprint(home: Home) -> None:
    assert "vault" == verified(home).trusted_by
    home.perform("ListKeys")
    assert "pin" == verified(home).trusted_by
    assert "argument" == audits.verify_log(home.folder / "audit", fingerprint(home)).trusted_by


def test_a_proof_writes_nothing(home: Home) -> None:
    before = {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}
    verified(home)
    assert before == {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}
    assert not pin_file(home.made.vault_id).exists()


def test_a_log_of_several_segments_is_proved(home: Home) -> None:
    roll(home)
    for number in range(12):
        home.create_key(Alias=f"alias/{number}")
    proved = verified(home)
    assert proved.segments > 3
    assert 13 == proved.lines == proved.generation
    assert proved.segments == audits.verify_log(home.folder / "audit", fingerprint(home), full=True).segments


def test_a_third_party_needs_the_right_fingerprint(home: Home) -> None:
    with pytest.raises(errors.AuditTamperedError) as caught:
        audits.verify_log(home.folder / "audit", bytes(32))
    assert 1 == caught.value.data["seq"]


def test_a_third_party_who_names_no_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(errors.AuditUnavailableError):
        audits.verify_log(tmp_path / "none", bytes(32))
    with pytest.raises(errors.AuditTamperedError, match=r"00000001.jsonl is missing"):
        audits.verify_log(tmp_path, bytes(32))


def test_in_full_a_record_is_proved_that_nobody_asked_for(home: Home) -> None:
    home.create_key()
    home.close()
    database = sqlite3.connect(home.folder / "vault.db")
    with database:
        database.execute("UPDATE record SET body = CAST(body || ' ' AS BLOB) WHERE kind = 'version'")
    database.close()
    assert 2 == verified(home, full=False).lines
    with pytest.raises(errors.VaultTamperedError) as caught:
        verified(home, full=True)
    assert 50 == caught.value.exit_code


def test_a_log_that_grows_while_it_is_proved_is_whole(home: Home) -> None:
    roll(home)
    done = threading.Event()

    def work() -> None:
        with home.open() as vault:
            worker = Home(home.folder.parent)
            worker._context = home.unlocked(vault)
            for number in range(40):
                worker.create_key(Alias=f"alias/{number}")
                worker.perform("ListKeys")
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    seen = []
    while not done.is_set():
        proved = verified(home)
        seen.append(proved.lines)
        assert (0, 0) == (proved.torn_bytes, proved.pending_lines)
    thread.join()
    assert sorted(seen) == seen
    assert 81 == verified(home).lines


def test_the_count_of_failed_unlocks_goes_into_the_next_line_once(home: Home) -> None:
    wrong = Home(home.folder.parent / "another").init().secret()
    for _ in range(3):
        assert isinstance(_refused_unlock(home.open(), wrong), errors.WrongSecretError)
    home.perform("ListKeys")
    home.perform("ListKeys")
    assert [None, 3, None] == [line.get("failedUnlocks") for line in home.lines()]
    assert 3 == verified(home).lines


def _refused_unlock(vault: Vault, secret: Secret) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        unlock(vault, None, lambda _: secret)
    return caught.value
