"""Signatures of a whole log, here and in other processes: the first broken one is named, whoever finds it."""

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.audit import signatures
from kmscli.audit.faults import Place
from kmscli.audit.signatures import Checks, Here, Job, Workers, checks_for
from kmscli.audit.verify import Report, Verifier
from tests.unit.audit.logs import ADMIN, FINGERPRINT, flipped, identity, long_log

EVE = identity(66)
CHECKS = {"here": Here, "one process": lambda: Workers(1), "three processes": lambda: Workers(3)}
COUNT = 900
"""Some 30 batches."""


@pytest.fixture(params=CHECKS.values(), ids=CHECKS)
def checks(request: pytest.FixtureRequest) -> Iterator[Checks]:
    with request.param() as made:
        yield made


def jobs(count: int = COUNT, *, broken: tuple[int, ...] = (), length: int = 1000) -> Iterator[tuple[Place, Job]]:
    for number in range(1, count + 1):
        message = number.to_bytes(8, "big") * (length // 8)
        signer = EVE if number in broken else ADMIN
        yield Place(1, number, number), Job(ADMIN.sign_public, message, signer.sign(message))


def check(checks: Checks, added: Iterable[tuple[Place, Job]]) -> None:
    for place, job in added:
        checks.add(place, job)
    checks.finish()


def verified(checks: Checks, lines: Iterable[tuple[int, bytes]]) -> Report:
    verifier = Verifier(FINGERPRINT, checks)
    for segment, line in lines:
        verifier.take(segment, line)
    return verifier.report()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_signatures_that_hold_pass(checks: Checks) -> None:
    check(checks, jobs())


@pytest.mark.parametrize("broken", [1, 2, 450, COUNT - 1, COUNT])
def test_a_broken_signature_is_named(checks: Checks, broken: int) -> None:
    with pytest.raises(errors.AuditTamperedError) as caught:
        check(checks, jobs(broken=(broken,)))
    assert broken == caught.value.data["seq"]


@pytest.mark.parametrize("broken", [(10, 11), (30, 60, 90, 700), (400, 401, 432, 433, 464), tuple(range(1, COUNT))])
def test_of_several_broken_signatures_the_first_is_named(checks: Checks, broken: tuple[int, ...]) -> None:
    with pytest.raises(errors.AuditTamperedError) as caught:
        check(checks, jobs(broken=broken))
    assert broken[0] == caught.value.data["seq"]


def test_a_message_larger_than_a_pipe_is_checked(checks: Checks) -> None:
    check(checks, jobs(6, length=3 << 20))


def test_after_the_end_of_a_log_more_can_be_added(checks: Checks) -> None:
    checks.finish()
    for added in jobs(3):
        check(checks, [added])


def test_a_broken_signature_comes_before_a_later_fault_of_another_kind(checks: Checks) -> None:
    log = long_log(20)
    log.who = EVE
    log.use()
    log.who = identity(1)
    log.use().use(vault={"id": log.vault_id, "generation": 99, "root": log.root})
    with pytest.raises(errors.AuditTamperedError) as caught:
        verified(checks, log.lines)
    assert (21, signatures.BROKEN) == (caught.value.data["seq"], caught.value.data["reason"])


def test_a_long_log_is_verified_by_several_processes_to_the_same_report() -> None:
    log = long_log(350)
    reports = []
    for make in CHECKS.values():
        with make() as checks:
            reports.append(verified(checks, log.lines))
    assert 350 == reports[0].lines
    assert [reports[0]] * 3 == reports


def test_a_bit_of_a_long_log_is_found_by_several_processes() -> None:
    log = long_log(350)
    for number in range(5, 350, 60):
        segment, line = log.lines[number - 1]
        name = line.index(b"Encrypt")
        lines = [*log.lines[: number - 1], (segment, flipped(line, name)), *log.lines[number:]]
        with Workers(2) as checks, pytest.raises(errors.AuditTamperedError) as caught:
            verified(checks, lines)
        assert number == caught.value.data["seq"]


def test_a_process_that_is_killed_ends_the_verification_with_an_error() -> None:
    with Workers(2) as checks:
        for worker in checks._workers:
            os.kill(worker._pid, signal.SIGKILL)
        with pytest.raises(errors.AuditUnavailableError) as caught:
            check(checks, jobs())
    assert 52 == caught.value.exit_code


def test_no_process_and_no_descriptor_is_left_behind() -> None:
    before = open_descriptors()
    with Workers(3) as checks:
        pids = [worker._pid for worker in checks._workers]
    assert before == open_descriptors()
    for pid in pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_a_process_holds_no_descriptor_but_its_two_pipes(tmp_path: Path) -> None:
    secret = os.open(tmp_path, os.O_RDONLY)
    try:
        with Workers(2) as checks:
            check(checks, jobs(200))
            held = [_held_by(worker._pid) for worker in checks._workers]
    finally:
        os.close(secret)
    assert [2, 2] == [len(targets) for targets in held]
    assert all(target.startswith("pipe:") for targets in held for target in targets)


def _held_by(pid: int) -> list[str]:
    folder = Path(f"/proc/{pid}/fd")
    return [str(link.readlink()) for link in folder.iterdir()]


def test_a_short_log_is_checked_without_another_process() -> None:
    assert isinstance(checks_for(100_000), Here)


def test_a_long_log_is_checked_by_other_processes_where_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with checks_for(100 << 20) as checks:
        assert isinstance(checks, Workers)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert isinstance(checks_for(100 << 20), Here)


def test_where_the_system_refuses_another_process_the_log_is_checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "fork", refuse)
    before = open_descriptors()
    assert isinstance(checks_for(100 << 20), Here)
    assert before == open_descriptors()
