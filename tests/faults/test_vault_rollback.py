"""Older states put back: the database, the log, both, with and without what the user remembers of the vault."""

import shutil
from pathlib import Path
from random import Random

import pytest

from kmscli import errors
from tests.faults import samples
from tests.faults.samples import Answers, Sample

SLOTS_ONLY = {"slots"}


def put_back(sample: Sample, folder: Path, *names: str) -> None:
    for name in names:
        shutil.copyfile(sample.earlier / name, folder / name)


def forget(folder: Path) -> None:
    """Take away what the user remembers."""
    shutil.rmtree(folder.parent / "state")


def pin_of(folder: Path) -> Path:
    (found,) = (folder.parent / "state" / "kms").iterdir()
    return found


def codes(found: Answers) -> set[str]:
    asked = found.keys() - SLOTS_ONLY
    return {
        value.code if isinstance(value, errors.KmsError) else "answered"
        for name, value in found.items()
        if name in asked
    }


LOG = "audit/00000001.jsonl"


def test_an_older_database_is_a_rollback_by_the_pin(sample: Sample, copy: Path) -> None:
    put_back(sample, copy, "vault.db")
    assert {"Rollback"} == codes(samples.answers(sample, copy))


def test_an_older_database_is_a_rollback_by_its_log(sample: Sample, copy: Path) -> None:
    put_back(sample, copy, "vault.db")
    forget(copy)
    found = samples.answers(sample, copy)
    assert {"Rollback"} == codes(found)
    assert [53] == sorted({value.exit_code for value in found.values() if isinstance(value, errors.KmsError)})


def test_an_older_log_is_tampered_with(sample: Sample, copy: Path) -> None:
    put_back(sample, copy, LOG)
    found = samples.answers(sample, copy)
    assert {"AuditTampered"} == codes({name: found[name] for name in found.keys() - {"status"}})
    forget(copy)
    found = samples.answers(sample, copy)
    assert {"AuditTampered"} == codes({name: found[name] for name in found.keys() - {"status"}})


def test_an_older_database_and_log_together_are_a_rollback_by_the_pin(sample: Sample, copy: Path) -> None:
    put_back(sample, copy, "vault.db", LOG)
    assert {"Rollback"} == codes(samples.answers(sample, copy))


def test_an_older_vault_without_a_pin_is_taken_for_what_it_is_and_remembered(sample: Sample, copy: Path) -> None:
    # Not promised (docs/threat-model.md): who remembers nothing and has no checkpoint cannot know of anything newer.
    put_back(sample, copy, "vault.db", LOG)
    forget(copy)
    assert "answered" in codes(samples.answers(sample, copy))
    shutil.copyfile(sample.folder / "vault.db", copy / "vault.db")
    assert {"AuditTampered"} == codes({"keys": samples.answers(sample, copy)["keys"]})


def test_another_state_of_the_same_generation_is_a_rollback(sample: Sample, copy: Path) -> None:
    fork = Path(shutil.copytree(sample.folder, copy.parent / "fork"))
    for folder, description in ((copy, "here"), (fork, "there")):
        shutil.rmtree(copy.parent / "state", ignore_errors=True)
        with samples.unlocked(folder, sample.secret()) as context:
            samples.ask(context, "UpdateKeyDescription", KeyId=sample.keys["spare"], Description=description)
    assert {"Rollback"} == codes(samples.answers(sample, copy))


def test_a_log_that_lacks_a_line_which_this_user_saw_is_tampered_with(sample: Sample, copy: Path) -> None:
    with samples.unlocked(copy, sample.secret()) as context:
        samples.ask(context, "GenerateRandom", NumberOfBytes=1)
    lines = (copy / LOG).read_bytes().splitlines(keepends=True)
    (copy / LOG).write_bytes(b"".join(lines[:-1]))
    assert {"AuditTampered"} == codes({"keys": samples.answers(sample, copy)["keys"]})


def test_the_newest_line_of_a_change_comes_back_from_the_database(sample: Sample, copy: Path) -> None:
    with samples.unlocked(copy, sample.secret()) as context:
        samples.ask(context, "UpdateKeyDescription", KeyId=sample.keys["spare"], Description="once more")
    whole = (copy / LOG).read_bytes()
    (copy / LOG).write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    forget(copy)
    samples.answers(sample, copy)
    assert (copy / LOG).read_bytes().startswith(whole)


@pytest.mark.parametrize("leftover", ["vault.db-journal", "vault.db-wal", "vault.db-shm"])
def test_what_lies_beside_the_database_cannot_change_an_answer(sample: Sample, copy: Path, leftover: str) -> None:
    for content in (b"", b"x" * 4096, bytes(100_000), (sample.earlier / "vault.db").read_bytes()):
        shutil.copyfile(sample.folder / "vault.db", copy / "vault.db")
        (copy / leftover).write_bytes(content)
        (copy / leftover).chmod(0o600)
        assert [] == samples.violations(sample, samples.quick_answers(sample, copy)), len(content)


# -- the pin itself ----------------------------------------------------------------------------------------------------


def test_each_bit_of_the_pin_flipped_is_an_alarm_or_forgets_it(sample: Sample, copy: Path) -> None:
    pin = pin_of(copy)
    whole = pin.read_bytes()
    random = Random(0)
    for offset in range(len(whole)):
        number = random.randrange(8)
        pin.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1 << number]) + whole[offset + 1 :])
        try:
            with samples.unlocked(copy, sample.secret()) as context:
                samples.ask(context, "GenerateRandom", NumberOfBytes=1)
        except errors.KmsError as error:
            assert error.code in {"Rollback", "AuditTampered"}, (offset, number)  # noqa: PT017 - both ends are fine
        assert [] == samples.violations(sample, {"status": samples.answers(sample, copy)["status"]})


HUGE = 10**30
NO_PINS = {
    "empty": b"",
    "text": b"nothing to see\n",
    "numbers": b'{"fingerprint":"","generation":0,"head":"","seq":0,"line":"","segment":0,"offset":0,"length":0}',
    "no members": b"{}",
    "null": b"null",
    "depth": b"[" * 4000,
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("content", NO_PINS.values(), ids=NO_PINS.keys())
def test_a_pin_that_is_none_is_replaced_or_an_alarm(sample: Sample, copy: Path, content: bytes) -> None:
    pin_of(copy).write_bytes(content)
    assert [] == samples.violations(sample, samples.answers(sample, copy))


def test_another_spelling_of_a_pin_is_none(sample: Sample, copy: Path) -> None:
    pin = pin_of(copy)
    whole = pin.read_bytes()
    for content in (whole[:-1], whole + b"\n", whole.replace(b",", b", "), whole + b" " * 100_000):
        pin.write_bytes(content)
        assert [] == samples.violations(sample, samples.answers(sample, copy))


@pytest.mark.parametrize("member", ["generation", "seq", "segment", "offset", "length"])
@pytest.mark.parametrize("value", [-1, 0, 2**31, 2**63, HUGE])
def test_numbers_that_no_pin_holds_are_an_alarm_or_forget_it(
    sample: Sample, copy: Path, member: str, value: int
) -> None:
    pin = pin_of(copy)
    head, name, tail = pin.read_text().partition(f'"{member}":')
    pin.write_text(head + name + str(value) + tail.lstrip("0123456789"))
    assert [] == samples.violations(sample, samples.answers(sample, copy))
