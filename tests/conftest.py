"""The marker `needs(program)`: a test of what another program does is skipped when that program is absent.

The end of the run says how many were skipped for that reason and for which programs. With KMS_CI=1 a skipped test, for
whatever reason, is a failed one: a machine that ought to run every test cannot pass by skipping.
"""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Generator

import pytest

ABSENT = "absent program"


def pytest_configure() -> None:
    """Let the commands of tests hear Ctrl-C, also where pytest runs in the background and ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Likewise after `nohup`.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is not on PATH."""
    programs = {program for marker in item.iter_markers("needs") for program in marker.args}
    absent = sorted(program for program in programs if shutil.which(program) is None)
    if absent:
        # User properties travel with the report, also from a worker of pytest-xdist.
        item.user_properties.extend((ABSENT, program) for program in absent)
        pytest.skip(f"{', '.join(absent)} is not installed")


def fail_instead_of_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Under KMS_CI=1, turn a report of a skip into one of a failure; an expected failure is no skip."""
    if os.environ.get("KMS_CI") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"KMS_CI=1 allows no skip: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Watch each test for a skip."""
    report = yield
    fail_instead_of_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Watch each test file for a skip of the whole."""
    report = yield
    fail_instead_of_skip(report)
    return report


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
    tests = "1 test" if skipped == 1 else f"{skipped} tests"
    listed = ", ".join(f"{program} ({count})" for program, count in sorted(counts.items()))
    terminalreporter.write_line(f"{tests} skipped because a program is absent: {listed}")
