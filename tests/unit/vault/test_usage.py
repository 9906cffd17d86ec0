"""When a key of a vault was last used, through sessions and the lines that operations write."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.audit.usage import Use
from kmscli.service import audits
from kmscli.vault.usage import last_use
from tests.helpers import Clock, Home

SEGMENT = "[audit]\nsegment_bytes = 4096\n"


@pytest.fixture
def small(home: Home) -> Home:
    """A vault whose log begins a segment after three or four lines."""
    (home.folder / "config.toml").write_text(SEGMENT)
    return home


def use_of(line: dict[str, Any]) -> Use:
    time = datetime.fromisoformat(line["eventTime"])
    return Use(line["eventName"], time, line["eventID"], line["requestID"], line["awsRegion"])


def found(home: Home, key_id: str) -> Use | None:
    created = home.perform("DescribeKey", KeyId=key_id).key_metadata.creation_date
    return last_use(home.context.session, key_id, not_before=created)


def fill(home: Home, clock: Clock) -> None:
    """Lines that use no key, for two segments and more."""
    for _ in range(10):
        clock.move(seconds=1)
        home.perform("ListKeys")


def test_the_last_use_is_told_wherever_it_stands(small: Home, clock: Clock) -> None:
    key = small.create_key()
    assert found(small, key) is None
    small.perform("Encrypt", KeyId=key, Plaintext=b"x")
    fill(small, clock)
    small.perform("GenerateDataKey", KeyId=key, KeySpec="AES_256")
    expected = use_of(small.lines()[-1])
    assert expected == found(small, key)
    fill(small, clock)
    assert expected == found(small, key)
    assert expected == found(small, key)
    assert 1 < len(list((small.folder / "audit").glob("*.usage")))


def test_failures_and_dry_runs_are_no_use(small: Home, clock: Clock) -> None:
    key = small.create_key()
    small.refused("Encrypt", KeyId=key, Plaintext=b"x", DryRun=True)
    small.perform("DisableKey", KeyId=key)
    small.refused("Encrypt", KeyId=key, Plaintext=b"x")
    assert found(small, key) is None
    fill(small, clock)
    assert found(small, key) is None


def test_a_re_encrypt_is_a_use_of_both_keys(small: Home, clock: Clock) -> None:
    first, second = small.create_key(), small.create_key()
    blob = small.perform("Encrypt", KeyId=first, Plaintext=b"x").ciphertext_blob
    small.perform("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=second)
    expected = use_of(small.lines()[-1])
    fill(small, clock)
    assert [expected, expected] == [found(small, first), found(small, second)]


def test_it_may_be_asked_within_a_read(small: Home, clock: Clock) -> None:
    key = small.create_key()
    small.perform("Encrypt", KeyId=key, Plaintext=b"x")
    expected = use_of(small.lines()[-1])
    fill(small, clock)
    session = small.context.session
    with session.read():
        assert expected == last_use(session, key, not_before=clock.now.replace(year=2020))


def test_a_verification_takes_summaries_for_what_they_are(small: Home, clock: Clock) -> None:
    key = small.create_key()
    fill(small, clock)
    found(small, key)
    with small.open() as vault:
        lines = audits.verify(vault, full=True).lines
    assert lines == len(small.lines())


@pytest.mark.parametrize("damage", [lambda line: line.replace(b"Encrypt", b"Encrypu"), lambda _: b""])
def test_a_line_that_was_changed_is_never_an_answer(
    small: Home, clock: Clock, damage: Callable[[bytes], bytes]
) -> None:
    key = small.create_key()
    small.perform("Encrypt", KeyId=key, Plaintext=b"x")
    line = small.raw_lines()[-1] + b"\n"
    fill(small, clock)
    found(small, key)
    path = _holder(small.folder / "audit", line)
    path.write_bytes(path.read_bytes().replace(line, damage(line)))
    with pytest.raises(errors.AuditTamperedError):
        found(small, key)


def _holder(folder: Path, line: bytes) -> Path:
    return next(path for path in folder.glob("*.jsonl") if line in path.read_bytes())
