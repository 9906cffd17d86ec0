"""The marker `needs(program)`: a test of what another program does is skipped when that program is absent.

The end of the run says how many were skipped for that reason and for which programs. With KMS_CI=1 an absent program
is a failure, so that a machine that ought to have every program cannot pass by skipping.
"""

import os
import shutil
from collections import Counter

import pytest

ABSENT = "absent program"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or under KMS_CI=1 fail, a test whose program is not on PATH."""
    programs = {program for marker in item.iter_markers("needs") for program in marker.args}
    absent = sorted(program for program in programs if shutil.which(program) is None)
    if not absent:
        return
    reason = f"needs {', '.join(absent)}, not installed"
    if os.environ.get("KMS_CI") == "1":
        pytest.fail(f"{reason}: KMS_CI=1 allows no such skip", pytrace=False)
    # User properties travel with the report, also from a worker of pytest-xdist.
    item.user_properties.extend((ABSENT, program) for program in absent)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests were skipped because a program is absent."""
    per_test = [
        [value for name, value in report.user_properties if name == ABSENT]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report, pytest.TestReport)
    ]
    counts = Counter(program for programs in per_test for program in programs)
    if not counts:
        return
    skipped = sum(1 for programs in per_test if programs)
    listed = ", ".join(f"{program} ({count})" for program, count in sorted(counts.items()))
    tests = "1 test" if skipped == 1 else f"{skipped} tests"
    terminalreporter.write_line(f"{tests} skipped because a program is absent: {listed}")
