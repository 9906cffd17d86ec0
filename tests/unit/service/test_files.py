"""Runs over files: whole outputs or none, each file with an outcome of its own, audit lines before results."""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscli import errors
from kmscli.service import files, opening, sealing
from kmscli.service.files import Job, Result
from tests.helpers import Home

BIG = 3_000_000
"""More than two units of the engine."""


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    old = os.umask(0o022)
    yield
    os.umask(old)


class Files:
    """Runs of one vault, in a folder."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self.key = home.create_key()

    def encrypt(self, *jobs: Job, progress: Callable[[int], None] | None = None, **plan: Any) -> list[Result]:
        wanted = sealing.Plan(**{"keys": (self.key,), **plan})
        make = sealing.sealer(self.home.context, wanted)
        return list(files.run(self.home.context, jobs, make, progress=progress))

    def decrypt(self, *jobs: Job, progress: Callable[[int], None] | None = None, **plan: Any) -> list[Result]:
        make = opening.opener(opening.Plan(**plan))
        return list(files.run(self.home.context, jobs, make, progress=progress))

    def job(self, source: str, target: str = "", **more: Any) -> Job:
        return Job(self.folder / source, self.folder / (target or f"{source}.kms"), **more)

    def put(self, name: str, data: bytes = b"text") -> Job:
        (self.folder / name).write_bytes(data)
        return self.job(name)

    def get(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def mode(self, name: str) -> int:
        return stat.S_IMODE((self.folder / name).stat().st_mode)

    def events(self) -> list[str]:
        return [line["eventName"] for line in self.home.lines()]


@pytest.fixture
def work(home: Home, tmp_path: Path) -> Files:
    (tmp_path / "work").mkdir()
    return Files(home, tmp_path / "work")


def statuses(results: list[Result]) -> list[str]:
    return [result.status for result in results]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.binary(max_size=200), st.sampled_from([4096, 4097, 1 << 18, (1 << 18) + 1, BIG]).map(bytes)),
    st.fixed_dictionaries(
        {},
        optional={
            "signed": st.booleans(),
            "armored": st.booleans(),
            "format": st.sampled_from(["auto", "message"]),
            "encryption_context": st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=9), max_size=3),
        },
    ),
)
def test_whatever_is_encrypted_comes_back(work: Files, data: bytes, plan: dict[str, Any]) -> None:
    if any(name.startswith("aws-crypto-") for name in plan.get("encryption_context", {})):
        return
    (sealed,) = work.encrypt(work.put("file", data), **plan)
    assert (sealed.status, sealed.error) == ("done", None)
    (opened,) = work.decrypt(work.job("file.kms", "back"), encryption_context=plan.get("encryption_context", {}))
    assert (opened.status, opened.error, opened.size) == ("done", None, len(data))
    assert data == work.get("back")


def test_each_file_has_an_outcome_of_its_own_in_the_order_of_the_files(work: Files) -> None:
    results = work.encrypt(work.put("a"), work.job("nowhere"), work.put("b"), work.job("."), work.put("c"))
    assert statuses(results) == ["done", "failed", "done", "failed", "done"]
    assert [Path(result.input).name for result in results] == ["a", "nowhere", "b", "work", "c"]
    assert work.names() == ["a", "a.kms", "b", "b.kms", "c", "c.kms"]


def test_lines_are_in_the_log_before_a_byte_is_written(work: Files) -> None:
    seen: list[list[str]] = []
    jobs = [work.put(name, bytes(5000)) for name in "abc"]
    work.encrypt(*jobs, progress=lambda _: seen.append(work.events()[-3:]))
    assert seen == [["GenerateDataKey"] * 3] * 3
    seen.clear()
    work.decrypt(*(work.job(f"{name}.kms", name) for name in "abc"), progress=lambda _: seen.append(work.events()[-3:]))
    assert seen == [["Decrypt"] * 3] * 3


def test_a_run_has_rounds_of_a_bounded_number_of_files(work: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "AT_ONCE", 3)
    seen: list[int] = []
    jobs = [work.put(f"f{number}", bytes(5000)) for number in range(8)]
    assert statuses(work.encrypt(*jobs, progress=lambda _: seen.append(len(work.names()) - 8))) == ["done"] * 8
    # While a round is at work, what is there is what earlier rounds published, and its own files under other names.
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8]
    assert work.events().count("GenerateDataKey") == 8


def test_what_is_whole_is_published_and_told_of_when_the_log_fails(
    work: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "AT_ONCE", 3)
    audit = work.home.folder / "audit"

    def jobs() -> Iterator[Job]:
        for number in range(12):
            if number == 10:  # the tenth is looked at before the round of the ninth is written
                audit.rename(audit.with_name("gone"))
            yield work.put(f"f{number}")

    make = sealing.sealer(work.home.context, sealing.Plan(keys=(work.key,)))
    seen: list[Result] = []
    with pytest.raises(errors.KmsError):
        seen.extend(files.run(work.home.context, jobs(), make))
    assert [f"f{number}" for number in range(9)] == [Path(result.input).name for result in seen]
    assert work.names() == sorted([f"f{number}" for number in range(12)] + [f"f{number}.kms" for number in range(9)])


def test_ctrl_c_drops_what_waits_for_the_disk_as_well(work: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "AT_ONCE", 3)
    done: list[int] = []

    def interrupt(_: int) -> None:
        done.append(1)
        if len(done) == 8:
            raise KeyboardInterrupt

    jobs = [work.put(f"f{number}", bytes(5000)) for number in range(12)]
    with pytest.raises(KeyboardInterrupt):
        work.encrypt(*jobs, progress=interrupt)
    # The third round was being written, and the second one had no names yet.
    assert [name for name in work.names() if name.endswith(("kms", "tmp"))] == ["f0.kms", "f1.kms", "f2.kms"]


@pytest.mark.parametrize("bound", ["AT_ONCE", "BYTES_AT_ONCE"])
def test_a_run_that_nobody_asks_on_drops_what_has_no_name(
    work: Files, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(files, bound, 1)
    make = sealing.sealer(work.home.context, sealing.Plan(keys=(work.key,)))
    results = files.run(work.home.context, [work.put(f"f{number}") for number in range(9)], make)
    assert Path(next(results).input).name == "f0"
    results.close()  # type: ignore[attr-defined]
    assert [name for name in work.names() if name.endswith(("kms", "tmp"))] == ["f0.kms", "f1.kms"]


def test_no_more_files_are_open_than_two_rounds_have(work: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "AT_ONCE", 10)
    jobs = [work.put(f"f{number}", bytes(5000)) for number in range(50)]
    here = Path("/proc/self/fd")
    before = len(list(here.iterdir()))
    seen: list[int] = []
    work.encrypt(*jobs, progress=lambda _: seen.append(len(list(here.iterdir())) - before))
    assert max(seen) <= 2 * 10 + 2


def test_nothing_is_asked_for_a_file_that_is_skipped(work: Files) -> None:
    work.encrypt(work.put("a"))
    before = len(work.events())
    (result,) = work.encrypt(work.job("a.kms"), skips_encrypted=True)
    assert (result.status, result.reason) == ("skipped", "it is encrypted already")
    (result,) = work.decrypt(work.job("a", "x"), skips_plain=True)
    assert (result.status, result.reason) == ("skipped", "it is not encrypted")
    assert (len(work.events()), work.names()) == (before, ["a", "a.kms"])


@pytest.mark.parametrize("form", ["blob", "message"])
@pytest.mark.parametrize("armored", [False, True])
def test_every_form_is_known_as_encrypted(work: Files, form: str, armored: bool) -> None:  # noqa: FBT001 - a parameter
    work.encrypt(work.put("a"), format=form, armored=armored)
    assert sealing.is_encrypted(work.get("a.kms")[:64])
    assert not sealing.is_encrypted(b"KMS is a word")


# -- whole or not at all -----------------------------------------------------------------------------------------------


def test_ctrl_c_leaves_the_old_file_and_no_temporary_one(work: Files) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    jobs = [work.put("a", bytes(BIG)), work.put("b", bytes(BIG))]
    (work.folder / "a.kms").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        work.encrypt(*jobs, progress=interrupt)
    assert (work.names(), work.get("a.kms")) == (["a", "a.kms", "b"], b"old")


@pytest.mark.parametrize("in_place", [False, True])
def test_a_file_that_grows_while_it_is_read_is_refused(work: Files, in_place: bool) -> None:  # noqa: FBT001
    def grow(_: int) -> None:
        with (work.folder / "a").open("ab") as file:
            file.write(b"more")

    job = work.put("a", bytes(BIG))
    job = work.job("a", "a", in_place=True) if in_place else job
    (result,) = work.encrypt(job, progress=grow)
    assert isinstance(result.error, errors.InputOutputError)
    assert "while it was read" in result.error.message
    assert work.names() == ["a"]
    assert work.get("a").startswith(bytes(BIG) + b"more")


def test_a_file_that_shrinks_while_it_is_read_is_refused(work: Files) -> None:
    def shrink(_: int) -> None:
        os.truncate(work.folder / "a", 10)

    (result,) = work.encrypt(work.put("a", bytes(4 * BIG)), progress=shrink)
    assert isinstance(result.error, errors.InputOutputError)
    assert work.names() == ["a"]


def test_a_damaged_file_leaves_the_old_output(work: Files) -> None:
    work.encrypt(work.put("a", bytes(BIG)))
    damaged = bytearray(work.get("a.kms"))
    damaged[-100] ^= 1
    (work.folder / "a.kms").write_bytes(damaged)
    (work.folder / "back").write_bytes(b"old")
    (result,) = work.decrypt(work.job("a.kms", "back"))
    assert isinstance(result.error, errors.BrokenMessageError)
    assert (work.get("back"), work.names()) == (b"old", ["a", "a.kms", "back"])


def test_an_output_that_cannot_be_made_is_the_failure_of_its_file(work: Files) -> None:
    (work.folder / "b.kms").mkdir()
    results = work.encrypt(work.put("a"), work.put("b"), work.put("c"))
    assert statuses(results) == ["done", "failed", "done"]


# -- modes and owners --------------------------------------------------------------------------------------------------


def test_what_is_made_new_is_for_its_owner_alone(work: Files) -> None:
    work.put("a")
    (work.folder / "a").chmod(0o644)
    work.encrypt(work.job("a"))
    work.decrypt(work.job("a.kms", "back"))
    assert (work.mode("a.kms"), work.mode("back")) == (0o600, 0o600)


def test_ciphertext_keeps_the_mode_of_the_file_before_it_and_plaintext_does_not(work: Files) -> None:
    for name in ("a.kms", "back"):
        (work.folder / name).touch()
        (work.folder / name).chmod(0o664)
    work.encrypt(work.put("a"))
    work.decrypt(work.job("a.kms", "back"))
    assert (work.mode("a.kms"), work.mode("back")) == (0o664, 0o600)


@pytest.mark.parametrize(("bits", "after"), [(0o644, 0o600), (0o755, 0o700), (0o400, 0o400)])
def test_in_place_the_mode_stays_and_decryption_takes_it_from_others(work: Files, bits: int, after: int) -> None:
    work.put("a")
    (work.folder / "a").chmod(bits)
    work.encrypt(work.job("a", "a", in_place=True))
    assert (work.mode("a"), sealing.is_encrypted(work.get("a"))) == (bits, True)
    work.decrypt(work.job("a", "a", in_place=True))
    assert (work.mode("a"), work.get("a")) == (after, b"text")


def test_in_place_the_owner_stays(work: Files) -> None:
    work.put("a")
    owner = (os.geteuid(), os.getegid()) if os.geteuid() else (12345, 23456)  # only root gives files away
    os.chown(work.folder / "a", *owner)
    for turn in (work.encrypt, work.decrypt):
        turn(work.job("a", "a", in_place=True))
        found = (work.folder / "a").stat()
        assert (found.st_uid, found.st_gid) == owner


# -- other than regular files ------------------------------------------------------------------------------------------


def test_a_sparse_file_comes_back(work: Files) -> None:
    with (work.folder / "a").open("wb") as file:
        file.truncate(8 << 20)
    work.encrypt(work.job("a"))
    work.decrypt(work.job("a.kms", "back"))
    assert work.get("back") == bytes(8 << 20)


def test_fifos_are_read_and_written_through(work: Files) -> None:
    os.mkfifo(work.folder / "in")
    os.mkfifo(work.folder / "out")
    data = os.urandom(BIG)
    threading.Thread(target=(work.folder / "in").write_bytes, args=(data,), daemon=True).start()
    assert statuses(work.encrypt(work.job("in", "a.kms"))) == ["done"]
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(work.get("out")))
    reader.start()
    assert statuses(work.decrypt(work.job("a.kms", "out"))) == ["done"]
    reader.join()
    assert got == [data]


@pytest.mark.parametrize("signed", [False, True])
def test_a_pipe_gets_a_true_beginning_and_of_a_signed_message_all_or_nothing(
    work: Files,
    monkeypatch: pytest.MonkeyPatch,
    signed: bool,  # noqa: FBT001 - a parameter
) -> None:
    (work.folder / "spools").mkdir()
    monkeypatch.setenv("TMPDIR", str(work.folder / "spools"))
    data = os.urandom(BIG)
    work.encrypt(work.put("a", data), signed=signed)
    (work.folder / "cut").write_bytes(work.get("a.kms")[:-1])
    os.mkfifo(work.folder / "out")
    got: list[bytes] = []
    for source, whole in (("cut", False), ("a.kms", True)):
        reader = threading.Thread(target=lambda: got.append(work.get("out")))
        reader.start()
        (result,) = work.decrypt(work.job(source, "out"))
        reader.join()
        assert (result.status == "done") is whole
        assert data.startswith(got[-1])
        assert (got[-1] == data) is whole
    assert not signed or got[0] == b""
    assert list((work.folder / "spools").iterdir()) == []


@pytest.mark.parametrize("name", ["fifo", "/dev/null"])
def test_what_is_no_regular_file_is_not_replaced(work: Files, name: str) -> None:
    path = work.folder / name
    if name == "fifo":
        os.mkfifo(path)
        held = os.open(path, os.O_RDWR)
    else:
        held = os.open(path, os.O_RDONLY)
    (result,) = work.encrypt(Job(path, path, in_place=True))
    os.close(held)
    assert isinstance(result.error, errors.InputOutputError)
    assert not stat.S_ISREG(path.stat().st_mode)


def test_a_result_can_be_kept_instead_of_written(work: Files) -> None:
    work.encrypt(work.put("a", b"shown"))
    results = work.decrypt(Job(work.folder / "a.kms", None, kept=5), Job(work.folder / "a.kms", None, kept=4))
    assert results[0].data == b"shown"
    assert isinstance(results[1].error, errors.MessageLimitError)


# -- several keys ------------------------------------------------------------------------------------------------------


def test_any_of_several_keys_opens_a_message(work: Files) -> None:
    second = work.home.create_key()
    work.encrypt(work.put("a", bytes(5000)), keys=(work.key, second))
    for gone, left in ((work.key, second), (second, work.key)):
        work.home.perform("DisableKey", KeyId=gone)
        (result,) = work.decrypt(work.job("a.kms", "back"))
        assert (result.status, result.key_ids) == ("done", [work.home.arn(left)])
        work.home.perform("EnableKey", KeyId=gone)
    for gone in (work.key, second):
        work.home.perform("DisableKey", KeyId=gone)
    (result,) = work.decrypt(work.job("a.kms", "back"))
    assert isinstance(result.error, errors.KeyDisabledError)


def test_a_message_of_other_vaults_keys_alone_is_told_apart(work: Files, tmp_path: Path) -> None:
    other = Home(tmp_path / "other").init()
    foreign = Files(other, work.folder)
    foreign.encrypt(work.put("a", bytes(5000)))
    other.close()
    (result,) = work.decrypt(work.job("a.kms", "back"))
    assert isinstance(result.error, errors.UnknownCiphertextKeyError)


def test_a_dry_run_writes_nothing(work: Files) -> None:
    results = work.encrypt(work.put("a"), work.put("b", bytes(5000)), more={"DryRun": True})
    assert [type(result.error) for result in results] == [errors.DryRunError] * 2
    work.encrypt(work.job("b"))
    (result,) = work.decrypt(work.job("b.kms", "back"), more={"DryRun": True})
    assert (type(result.error), work.names()) == (errors.DryRunError, ["a", "b", "b.kms"])
