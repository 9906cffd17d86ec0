"""Files of a vault replaced by links, pipes and folders, opened to others, taken away, or filled with nonsense.

A pipe in the place of a file must not keep anybody waiting, and what a link names must stay as it is.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kmscli import errors
from tests.faults import samples
from tests.faults.samples import Sample

FILES = [
    "config.toml",
    "vault.db",
    "vault.db-journal",
    "lock",
    "audit",
    "audit/00000001.jsonl",
    "audit/unlock-failures",
]
SECONDS = 10


@pytest.fixture(autouse=True)
def _nobody_waits() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def outcome(sample: Sample, folder: Path) -> str:
    """The code in which a change ends, after a wrong secret was tried; "done" if it succeeds."""
    wrong = samples.Secret("keyfile", bytes(32))
    try:
        with pytest.raises(errors.WrongSecretError), samples.unlocked(folder, wrong):
            pass
        with samples.unlocked(folder, sample.secret()) as context:
            samples.ask(context, "UpdateKeyDescription", KeyId=sample.keys["spare"], Description="once more")
    except errors.KmsError as error:
        return error.code
    return "done"


def linked(path: Path) -> None:
    aside = path.with_name(path.name + ".aside")
    path.rename(aside)
    path.symlink_to(aside)


def pipe(path: Path) -> None:
    remove(path)
    os.mkfifo(path, 0o600)


def folder(path: Path) -> None:
    remove(path)
    path.mkdir(mode=0o700)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def open_to_the_group(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o040)


def writable_for_others(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o002)


def of_another_user(path: Path) -> None:
    os.chown(path, 12345, -1)


REACHABLE: list[Callable[[Path], None]] = [open_to_the_group, writable_for_others]
if os.geteuid() == 0:
    # Only root can give a file away.
    REACHABLE.append(of_another_user)
UNSAFE = [(name, change) for name in FILES for change in (linked, pipe, folder, *REACHABLE)]


def expected(name: str) -> set[str]:
    if name == "audit/unlock-failures":
        # What cannot be counted is not counted.
        return {"done"}
    if name.startswith("audit/"):
        return {"UnsafeVault", "AuditUnavailable"}
    return {"UnsafeVault"}


@pytest.mark.parametrize(("name", "change"), [case for case in UNSAFE if case != ("audit", folder)])
def test_a_file_that_is_not_this_user_s_own_is_refused(
    sample: Sample, copy: Path, name: str, change: Callable[[Path], None]
) -> None:
    (copy / "audit" / "unlock-failures").write_bytes(b"")
    (copy / "audit" / "unlock-failures").chmod(0o600)
    change(copy / name)
    assert outcome(sample, copy) in expected(name)


@pytest.mark.parametrize("change", REACHABLE)
def test_a_vault_that_others_can_reach_is_refused(sample: Sample, copy: Path, change: Callable[[Path], None]) -> None:
    change(copy)
    assert "UnsafeVault" == outcome(sample, copy)
    assert {True} == {samples.is_refusal(value, {"UnsafeVault"}) for value in samples.answers(sample, copy).values()}


def test_a_link_to_a_vault_is_followed(sample: Sample, copy: Path) -> None:
    link = copy.parent / "link"
    link.symlink_to(copy)
    assert "done" == outcome(sample, link)


@pytest.mark.parametrize(
    "name",
    ["vault.db", "vault.db-journal", "vault.db-wal", "vault.db-shm", "audit/unlock-failures", ".00000002.jsonl.tmp"],
)
def test_what_a_link_in_a_vault_names_stays_as_it_is(sample: Sample, copy: Path, name: str) -> None:
    victim = copy.parent / "victim"
    victim.write_bytes(b"precious" * 1000)
    victim.chmod(0o600)
    (copy / name).unlink(missing_ok=True)
    (copy / name).symlink_to(victim)
    outcome(sample, copy)
    outcome(sample, copy)
    assert b"precious" * 1000 == victim.read_bytes()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("config.toml", "done"),
        ("vault.db", "VaultNotFound"),
        ("vault.db-journal", "done"),
        ("lock", "VaultTampered"),
        ("audit", "AuditUnavailable"),
        ("audit/00000001.jsonl", "AuditTampered"),
    ],
)
def test_a_missing_file_is_named(sample: Sample, copy: Path, name: str, code: str) -> None:
    remove(copy / name)
    assert code == outcome(sample, copy)
    assert not (copy / "audit").exists() or not (copy / "audit" / "00000002.jsonl").exists()


def test_a_missing_vault_is_not_found(sample: Sample, workplace: Path) -> None:
    assert "VaultNotFound" == outcome(sample, workplace / "nothing")
    (workplace / "empty").mkdir(mode=0o700)
    assert "VaultNotFound" == outcome(sample, workplace / "empty")


# -- config.toml -------------------------------------------------------------------------------------------------------

NONSENSE = {
    "no TOML": b"output json\n",
    "no text": b"\xff\xfe\n",
    "NUL": b"\0",
    "an unknown setting": b"colour = true\n",
    "an unknown section": b"[agent]\nidle = 3\n",
    "a section in a section": b"[audit.segment_bytes]\nx = 1\n",
    "another type": b"output = 3\n",
    "a list": b'output = ["json"]\n',
    "another value": b'output = "yaml"\n',
    "a small segment": b"[audit]\nsegment_bytes = 1\n",
    "a negative segment": b"[audit]\nsegment_bytes = -1\n",
    "a truth value": b"[audit]\nsegment_bytes = true\n",
    "a float": b"[slots]\nkdf_memory_mib = 64.0\n",
    "NaN": b"[slots]\nkdf_memory_mib = nan\n",
    "little memory": b"[slots]\nkdf_memory_mib = 7\n",
    "much memory": b"[slots]\nkdf_memory_mib = 100000\n",
    "twice": b'output = "json"\noutput = "json"\n',
    "depth": b"output = " + b"[" * 16_000,
    "depth of keys": b"a." * 8000 + b"a = 1\n",
    "length": b'output = "json"\n' + b"#" * 20_000,
    "a long number": b"output = " + b"9" * 5000 + b"\n",
    "a date": b"output = 1979-05-27T07:32:00Z\n",
    "an open string": b'output = "json',
}


@pytest.mark.parametrize("content", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_in_the_preferences_is_a_usage_error(sample: Sample, copy: Path, content: bytes) -> None:
    (copy / "config.toml").write_bytes(content)
    with pytest.raises(errors.ConfigError) as caught:
        samples.opened(copy)
    assert 2 == caught.value.exit_code
    assert "config.toml" in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("content", [b"", b"\n", b"# nothing\n", b'output = "text"\n[audit]\nsegment_bytes = 4096\n'])
def test_preferences_change_no_answer(sample: Sample, copy: Path, content: bytes) -> None:
    (copy / "config.toml").write_bytes(content)
    assert [] == samples.violations(sample, samples.answers(sample, copy))


def test_each_byte_of_the_preferences_flipped_is_a_usage_error_or_changes_no_answer(sample: Sample, copy: Path) -> None:
    config = copy / "config.toml"
    whole = config.read_bytes()
    for offset in range(len(whole)):
        config.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1 << offset % 8]) + whole[offset + 1 :])
        assert outcome_of_status(copy) in {"done", "ConfigError"}


def outcome_of_status(copy: Path) -> str:
    try:
        with samples.opened(copy) as vault:
            samples.vaults.status(vault)
    except errors.KmsError as error:
        return error.code
    return "done"
