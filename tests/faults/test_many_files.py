"""A hundred files encrypted in their place, or rewrapped: killed, or on a disk that fills up, and then run again.

After each interruption every file is whole, the old one or the new one; what a kill leaves beside them holds no
plaintext; and a second run of the same command finishes the work.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kmscli.service import audits, files, needs, opening, sealing
from kmscli.service.context import Context
from kmscli.service.files import Job
from kmscli.storage import streams
from tests.faults import samples
from tests.faults.stage import secret_of
from tests.faults.traced import Call, Command, Ended

COUNT = 100
MARK = b"this is plaintext "
COMMANDS = {
    "encrypt --in-place": ("encrypt", "-k", "alias/app", "--recursive", "--in-place", "d"),
    "rewrap": ("rewrap", "--recursive", "d"),
    "decrypt --in-place": ("decrypt", "--recursive", "--in-place", "d"),
}
FORMS: tuple[dict[str, Any], ...] = ({}, {"armored": True}, {"signed": True}, {"format": "message"})
KINDS = ("openat", "fchmod", "pwrite64", "write", "rename")
"""Calls that the thread makes which strace counts: those of the threads that sync have numbers of their own."""


def content(number: int) -> bytes:
    """What is in a file: of many sizes, and with a mark wherever one looks."""
    sizes = {0: 400_000, 1: 0, 2: 5000}
    line = MARK + f"{number:03d}\n".encode()
    return (line * (sizes.get(number % 10, 100) // len(line) + 1))[: sizes.get(number % 10, 100)]


def path_of(home: Path, number: int) -> Path:
    return home / "d" / f"{number % 3}" / f"{number:03d}"


def prepare(home: Path, name: str) -> None:
    """A user's folder with a vault and the files that a command is for; XDG_STATE_HOME must be `home/state`."""
    home.mkdir()
    samples.init(home / "vault", home / "keyfile")
    for number in range(COUNT):
        path = path_of(home, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(number))
        path.chmod(0o640)
    with samples.unlocked(home / "vault", secret_of(home)) as context:
        samples.ask(context, "CreateKey", Alias="alias/app")
        if not name.startswith("encrypt"):
            for turn, form in enumerate(FORMS):
                jobs = [Job(path := path_of(home, n), path, in_place=True) for n in range(turn, COUNT, len(FORMS))]
                make = sealing.sealer(context, sealing.Plan(keys=("alias/app",), **form))
                assert {"done"} == {result.status for result in files.run(context, jobs, make)}
            samples.ask(context, "RotateKeyOnDemand", KeyId="alias/app")


class Stage:
    """Copies of the prepared folder on which a command runs."""

    def __init__(self, name: str, folder: Path, home: Path) -> None:
        self.prepared = folder / f"many-{name.partition(' ')[0]}"
        self.name = name
        self.home = home
        self.rewraps = name == "rewrap"
        self.decrypts = name.startswith("decrypt")
        self.command = Command(COMMANDS[name], home)
        if not self.prepared.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("XDG_STATE_HOME", str(self.prepared / "state"))
                prepare(self.prepared, name)

    def reset(self) -> None:
        shutil.rmtree(self.home)
        shutil.copytree(self.prepared, self.home)

    def calls(self) -> list[Call]:
        """The calls of a run at which it may be interrupted."""
        self.reset()
        return [call for call in self.command.calls() if call.name in KINDS]

    def check(self, where: object) -> int:
        """All that holds after any run; how many files are new."""
        with samples.unlocked(self.home / "vault", secret_of(self.home)) as context:
            audits.verify(context.session.vault, full=True)
            new = sum(self._is_new(number, where) for number in range(COUNT))
            self._check_contents(context, where)
        for path in [] if self.decrypts else (self.home / "d").rglob(".*"):
            assert MARK not in path.read_bytes(), (where, path)
        return new

    def _is_new(self, number: int, where: object) -> bool:
        """Whether a file is the new one; if not, it is the old one, bit for bit."""
        path = path_of(self.home, number)
        is_old = path.read_bytes() == path_of(self.prepared, number).read_bytes()
        # What is decrypted is for its owner alone.
        mode = 0o600 if self.decrypts and not is_old else 0o640
        assert mode == path.stat().st_mode & 0o777, (where, path)
        if is_old or self.decrypts:
            return not is_old
        with streams.reading(path) as source:
            sight = needs.see(source)
        assert sight is not None, (where, path)
        assert [2 if self.rewraps else 1] == [need.version for need in sight.needs], (where, path)
        return True

    def _check_contents(self, context: Context, where: object) -> None:
        paths = [path_of(self.home, number) for number in range(COUNT)]
        made = opening.opener(opening.Plan(skips_plain=True))
        jobs = [Job(path, None, kept=1 << 20) for path in paths]
        for number, result in enumerate(files.run(context, jobs, made)):
            found = paths[number].read_bytes() if result.status == "skipped" else result.data
            assert content(number) == found, (where, number, result.error)

    def finish(self, where: object) -> None:
        """The same command again finishes what is left."""
        ended = self.command.run()
        assert 0 == ended.code, (where, ended)
        assert COUNT == self.check(where), where


@pytest.fixture(params=["encrypt --in-place", "rewrap"])
def stage(request: pytest.FixtureRequest, quick_folder: Path, workplace: Path) -> Stage:
    return Stage(request.param, quick_folder, workplace)


def some_of(calls: list[Call], count: int, turn: int = 0) -> list[Call]:
    """Calls from all over a run, of each kind about as many."""
    drawn = random.Random(turn)
    kinds = [[call for call in calls if call.name == kind] for kind in KINDS]
    return [drawn.choice(kind) for kind in kinds if kind for _ in range(count)]


def kill_and_finish(stage: Stage, calls: list[Call]) -> None:
    interrupted = 0
    for call in calls:
        stage.reset()
        ended = stage.command.killed_at(call)
        assert ended.code in (-9, 0), (call, ended)
        new = stage.check(call)
        interrupted += 0 <= new < COUNT
        stage.finish(call)
    assert interrupted > len(calls) // 2


@pytest.mark.needs("strace")
def test_a_run_that_is_killed_leaves_whole_files_and_is_finished_by_the_next_one(stage: Stage) -> None:
    kill_and_finish(stage, some_of(stage.calls(), 1))


@pytest.mark.long
@pytest.mark.needs("strace")
@pytest.mark.parametrize("stage", COMMANDS, indirect=True)
def test_a_run_that_is_killed_anywhere_leaves_whole_files(stage: Stage) -> None:
    kill_and_finish(stage, some_of(stage.calls(), 12, turn=1))


@pytest.mark.needs("strace")
def test_a_run_that_is_killed_in_the_middle_has_published_the_first_files_and_no_other(stage: Stage) -> None:
    renames = [call for call in stage.calls() if call.name == "rename"]
    stage.reset()
    assert -9 == stage.command.killed_at(renames[len(renames) // 2]).code
    assert 0 < stage.check("in the middle") < COUNT


# -- a full disk -------------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """A disk of so many bytes at `folder`; False where this user may not mount one."""
    options = ["-t", "tmpfs", "-o", f"size={size},mode=700", "kms-test", str(folder)]
    mounted = os.geteuid() == 0 and not subprocess.run(["mount", *options], capture_output=True, check=False).returncode
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def check_full(stage: Stage, ended: Ended) -> None:
    """What holds when there was no room for some of the files."""
    assert 60 == ended.code, ended
    assert "No space left on device" in ended.stderr
    assert stage.check("full") < COUNT
    assert [] == list((stage.home / "d").rglob(".*"))


@pytest.mark.needs("strace")
def test_a_disk_that_fills_up_leaves_whole_files_and_the_next_run_finishes(stage: Stage) -> None:
    stage.reset()
    folder, aside = stage.home / "d", stage.home / "aside"
    folder.rename(aside)
    folder.mkdir()
    used = sum(-(-path.stat().st_size // 4096) * 4096 for path in aside.rglob("*"))
    with small_disk(folder, used + (1 << 20)) as mounted:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        if mounted:
            check_full(stage, stage.command.run())
            # Room for what is left, as if somebody had tidied up.
            subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
        else:
            check_full(stage, stage.command.full_from("pwrite64", 30))
        stage.finish("full")
