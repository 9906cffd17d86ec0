"""Measuring: two things in turn, medians, a ratio beside its target, and what machine it was."""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kmscli.storage.places import file_system_type


def interleaved(rounds: int, *acts: Callable[[], object]) -> list[float]:
    """Median seconds of each act, run in turn so that a drift of the machine meets all of them alike."""
    for act in acts:
        act()
    times: list[list[float]] = [[] for _ in acts]
    for _ in range(rounds):
        for taken, act in zip(times, acts, strict=True):
            start = time.perf_counter()
            act()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def command(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> Callable[[], object]:
    """An act that runs a whole command and refuses a failure."""

    def act() -> None:
        subprocess.run(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)

    return act


def report(what: str, ratio: float, *, target: float | None = None, least: bool = False) -> None:
    """Print one ratio, beside its target if it has one: the most it may be, or the least."""
    verdict = ""
    if target is not None:
        met = ratio >= target if least else ratio <= target
        verdict = f"  (target: at {'least' if least else 'most'} {target:g}x, {'met' if met else 'MISSED'})"
    print(f"{what:<72} {ratio:6.2f}x{verdict}")


def machine(folder: Path) -> None:
    """Print what the figures were measured on."""
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.machine()}"
    print(f"# {system}, {cores} cores, Python {platform.python_version()}, {file_system_type(folder)}, {sys.platform}")
