"""EIO over a hundred files: an error of the disk is the error of the files that it meets, and of no other.

Each of them is the old one, bit for bit, and has its line; the others are done; the exit code is 60; no temporary file
stays; and the same command once more, on a disk that is well again, finishes the work.
"""

import random
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults import samples
from tests.faults.stage import secret_of
from tests.faults.test_many_files import COMMANDS, COUNT, Stage, path_of
from tests.faults.traced import Command, Ended

pytestmark = pytest.mark.needs("strace")

NAMES = ("openat", "read", "readv", "pread64", "preadv", "preadv2", "write", "pwrite64", "fchmod", "rename")
_CALL = re.compile(r"^([0-9]+) +([a-z0-9]+)\((.*?)(?:\) += (-?[0-9]+).*)?$")
_FILE = re.compile(r'/?d/[0-2]/(\.?)([0-9]{3})[."]')
_LINE = re.compile(r"kms: error: d/[0-2]/([0-9]{3}): InputOutputError: .*: Input/output error")


class Touch(NamedTuple):
    """A call that the first thread makes on one of the files.

    Attributes:
        name: Of the call, and whether it is on the new file.
        number: Among the calls of that name.
        file: Number of the file.
    """

    name: tuple[str, bool]
    number: int
    file: int


def touches(trace: str) -> list[Touch]:
    """The calls of the first thread on the files, in order; the names come from the calls that opened them."""
    counts = dict.fromkeys(NAMES, 0)
    opened: dict[str, tuple[bool, int]] = {}
    found = []
    first = trace.split(maxsplit=1)[0]
    for line in trace.splitlines():
        match = _CALL.match(line)
        if match is None or match[1] != first:
            continue
        _, name, arguments, result = match.groups()
        counts[name] += 1
        if name in {"openat", "rename"}:
            file = _FILE.search(arguments)
            what = (bool(file[1]), int(file[2])) if file else None
            if name == "openat":
                opened.pop(result, None)
                if what is not None:
                    opened[result] = what
        else:
            what = opened.get(arguments.partition(",")[0])
        if what is not None:
            found.append(Touch((name, what[0]), counts[name], what[1]))
    return found


def rows(found: list[Touch]) -> dict[tuple[str, bool], list[Touch]]:
    """Per name the longest row of calls with no other call of that name between them."""
    longest: dict[tuple[str, bool], list[Touch]] = {}
    for name in {touch.name for touch in found}:
        row: list[Touch] = []
        for touch in (touch for touch in found if touch.name == name):
            row = [*row, touch] if row and touch.number == row[-1].number + 1 else [touch]
            longest[name] = max(longest.get(name, []), row, key=len)
    return {name: longest[name] for name in sorted(longest)}


def check(stage: Stage, ended: Ended, where: object) -> set[int]:
    """What holds after a run in which some files failed; gives their numbers."""
    assert 60 == ended.code, (where, ended)
    assert "Traceback" not in ended.stderr, (where, ended)
    told = [int(match[1]) for match in map(_LINE.fullmatch, ended.stderr.splitlines()) if match]
    assert f"{len(told)} of {COUNT}" in ended.stderr, (where, ended)
    assert len(told) == len(set(told)) == ended.stderr.count("InputOutputError"), (where, ended)
    stage.check(where)
    assert [] == list((stage.home / "d").rglob(".*")), where
    return set(told)


def old_files(stage: Stage) -> set[int]:
    return {
        number
        for number in range(COUNT)
        if path_of(stage.home, number).read_bytes() == path_of(stage.prepared, number).read_bytes()
    }


@pytest.fixture(params=COMMANDS)
def stage(request: pytest.FixtureRequest, quick_folder: Path, workplace: Path) -> Stage:
    return Stage(request.param, quick_folder, workplace)


@pytest.fixture
def calls(stage: Stage) -> dict[tuple[str, bool], list[Touch]]:
    """Rows of calls on the files, in a run that meets no error."""
    stage.reset()
    found = rows(touches(stage.command.trace(NAMES)))
    # Inputs and outputs are opened, read and written, whichever calls do it.
    assert {("openat", False), ("openat", True), ("rename", True), ("fchmod", True)} <= set(found)
    assert {("pread64", False)} <= set(found)
    assert {("pwrite64", True), ("write", True)} & set(found)
    return found


def fail_one(stage: Stage, touch: Touch) -> None:
    stage.reset()
    ended = stage.command.failed_when(touch.name[0], str(touch.number), "EIO")
    failed = check(stage, ended, touch)
    assert failed == old_files(stage), touch
    # The number is that of the run before, and may be a neighbour's in this one: how many files Python opens may vary.
    assert 1 == len(failed), touch


def fail_several(stage: Stage, row: list[Touch]) -> None:
    # What fails makes no further calls, so the numbers of later ones move: keep away from the end of the row.
    first, last = row[0].number, row[len(row) // 2].number
    when = f"{first}..{last}+{max(2, (last - first) // 5)}"
    stage.reset()
    failed = check(stage, stage.command.failed_when(row[0].name[0], when, "EIO"), row[0])
    assert failed == old_files(stage), row[0]
    assert 2 <= len(failed) <= 7 or len(row) < 4, (row[0], failed)


def share(stage: Stage, calls: dict[tuple[str, bool], list[Touch]], turn: int = 0) -> list[list[Touch]]:
    """Some of the rows: other ones for each command."""
    return list(calls.values())[(list(COMMANDS).index(stage.name) + turn) % 3 :: 3]


def test_the_file_that_meets_an_error_fails_alone(stage: Stage, calls: dict[tuple[str, bool], list[Touch]]) -> None:
    for row in share(stage, calls):
        fail_one(stage, row[len(row) // 2])


@pytest.mark.long
def test_the_file_that_meets_an_error_anywhere_fails_alone(
    stage: Stage, calls: dict[tuple[str, bool], list[Touch]]
) -> None:
    drawn = random.Random(2)
    for row in calls.values():
        for touch in drawn.sample(row, min(8, len(row))):
            fail_one(stage, touch)
        fail_several(stage, row)


def test_files_that_meet_errors_fail_and_the_next_run_does_them(
    stage: Stage, calls: dict[tuple[str, bool], list[Touch]]
) -> None:
    for row in share(stage, calls, turn=1):
        fail_several(stage, row)
    stage.finish("errors")


def test_bytes_that_do_not_reach_the_disk_take_no_name(stage: Stage) -> None:
    stage.reset()
    # The fourth sync of each thread that waits for the disk; the first thread makes three, of folders.
    ended = stage.command.failed_when("fsync", "4", "EIO")
    failed = check(stage, ended, "fsync")
    assert failed == old_files(stage)
    assert failed
    stage.finish("fsync")


def test_files_in_a_folder_that_does_not_reach_the_disk_are_told_of(stage: Stage) -> None:
    stage.reset()
    # The first sync of each thread: of some files, and of the first folder. What has its name there may lose it again.
    ended = stage.command.failed_when("fsync", "1", "EIO")
    failed = check(stage, ended, "fsync")
    assert old_files(stage) < failed
    named = failed - old_files(stage)
    assert named == {number for number in range(COUNT) if number % 3 == min(named) % 3} - old_files(stage)
    stage.finish("fsync")


@pytest.mark.parametrize("verb", ["encrypt", "decrypt"])
@pytest.mark.parametrize(("name", "when"), [("preadv,preadv2", "2"), ("pwrite64", "2"), ("pwrite64", "1")])
def test_an_error_in_a_helping_thread_is_the_error_of_the_file(
    quick_folder: Path, workplace: Path, verb: str, name: str, when: str
) -> None:
    home = workplace / "one"
    home.mkdir()
    samples.init(home / "vault", home / "keyfile")
    with samples.unlocked(home / "vault", secret_of(home)) as context:
        samples.ask(context, "CreateKey", Alias="alias/app")
    (home / "large").write_bytes(bytes(12 << 20))
    (home / "out").write_bytes(b"old")
    words: tuple[str, ...] = ("encrypt", "-k", "alias/app", "large", "-o", "out")
    if verb == "decrypt":
        made = Command((*words[:-1], "large.kms"), home).run()
        assert 0 == made.code, made
        words = ("decrypt", "large.kms", "-o", "out")
    ended = Command(words, home).failed_when(name, when, "EIO")
    assert 1 == ended.code, ended
    assert re.fullmatch(r"kms: error: InputOutputError: .*Input/output error\n(kms: hint: .*\n)?", ended.stderr), ended
    assert b"old" == (home / "out").read_bytes()
    assert [] == list(home.glob(".*"))
