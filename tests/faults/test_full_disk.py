"""ENOSPC and EIO at every write-like system call of the commands that write: a named error, and nothing half done.

The command ends in one of the documented codes or succeeds in spite of the failure; it never ends in a traceback. After
it all holds that holds after a kill (test_crashes.py).
"""

from pathlib import Path

import pytest

from tests.faults import traced
from tests.faults.stage import CASES, Stage
from tests.faults.test_crashes import Birth, Staged
from tests.faults.traced import Call, Ended

pytestmark = pytest.mark.needs("strace")

REFUSALS = {1: ("InputOutputError",), 52: ("AuditUnavailable",)}


def check_message(where: object, ended: Ended) -> None:
    assert "Traceback" not in ended.stderr, (where, ended)
    assert "internal error" not in ended.stderr, (where, ended)
    if ended.code:
        assert ended.code in REFUSALS, (where, ended)
        assert ended.stderr.startswith(tuple(f"kms: error: {name}: " for name in REFUSALS[ended.code])), (where, ended)


def fail_and_check(stage: Staged, calls: list[Call], errno: str) -> None:
    for call in calls:
        stage.reset()
        ended = stage.command.failed_at(call, errno)
        check_message((call, errno), ended)
        stage.check((call, errno), ended)


@pytest.mark.parametrize("name", CASES)
def test_a_call_that_fails_is_a_named_error_and_leaves_no_mix(prepared: Path, workplace: Path, name: str) -> None:
    stage = Stage(prepared, workplace, name)
    fail_and_check(stage, traced.some(stage.calls, stage.turn, every=6), "ENOSPC")


def test_a_call_that_fails_leaves_no_half_of_a_vault(workplace: Path) -> None:
    birth = Birth(workplace)
    fail_and_check(birth, traced.some(birth.calls, 1, every=6), "ENOSPC")


@pytest.mark.long
@pytest.mark.parametrize("errno", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("name", CASES)
def test_any_call_that_fails_is_a_named_error_and_leaves_no_mix(
    prepared: Path, workplace: Path, name: str, errno: str
) -> None:
    stage = Stage(prepared, workplace, name)
    fail_and_check(stage, stage.calls, errno)


@pytest.mark.long
@pytest.mark.parametrize("errno", ["ENOSPC", "EIO"])
def test_any_call_that_fails_leaves_no_half_of_a_vault(workplace: Path, errno: str) -> None:
    birth = Birth(workplace)
    fail_and_check(birth, birth.calls, errno)
