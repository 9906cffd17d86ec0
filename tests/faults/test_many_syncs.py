"""Many files on a disk whose file system syncs all of them by one call: when it does, and what its errors lead to."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmscli.storage import places, syncing
from tests.faults import samples
from tests.faults.stage import secret_of
from tests.faults.traced import Call, Command

pytestmark = pytest.mark.needs("strace")

COUNT = syncing.TOGETHER + 8


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder with files, on a disk."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        home = Path(name)
        if places.file_system_type(home) not in {"ext4", "xfs"}:
            pytest.skip("no folder here whose file system syncs many files by one call")
        monkeypatch.setenv("XDG_STATE_HOME", f"{home}/state")
        samples.init(home / "vault", home / "keyfile")
        with samples.unlocked(home / "vault", secret_of(home)) as context:
            samples.ask(context, "CreateKey", Alias="alias/app")
        (home / "d").mkdir()
        for number in range(COUNT):
            (home / "d" / f"{number:02d}").write_bytes(b"plain")
        yield home


def command(home: Path) -> Command:
    return Command(("encrypt", "-k", "alias/app", "--recursive", "--in-place", "d"), home)


def new_files(home: Path) -> int:
    assert COUNT == len(list((home / "d").iterdir()))
    return sum(path.read_bytes() != b"plain" for path in (home / "d").iterdir())


def test_names_are_given_after_one_sync_and_lines_are_durable_before(home: Path) -> None:
    trace = command(home).trace(("fdatasync", "syncfs", "fsync", "rename"))
    calls = re.findall(r"^(?:[0-9]+ +)?([a-z]+)\(", trace, re.MULTILINE)
    first, last = calls.index("syncfs"), len(calls) - calls[::-1].index("syncfs")
    assert 1 == calls.count("syncfs")
    # The line before the results; the names behind them; and then the folder.
    assert "fdatasync" in calls[:first]
    assert ["rename"] * COUNT + ["fsync"] == calls[last : last + COUNT + 1]
    assert COUNT == new_files(home)


def test_an_error_of_the_one_call_is_no_error_of_a_file(home: Path) -> None:
    ended = command(home).failed_when("syncfs", "1", "EIO")
    assert 0 == ended.code, ended
    assert COUNT == new_files(home)


def test_an_error_of_the_one_call_and_of_files_is_the_error_of_those_files(home: Path) -> None:
    # The first sync of each thread: of some files, and of the folder, which is told of for all.
    ended = command(home).failed_when("syncfs,fsync", "1", "EIO")
    assert 60 == ended.code, ended
    assert 0 < new_files(home) < COUNT
    assert COUNT == ended.stderr.count("InputOutputError"), ended


def test_a_kill_before_the_one_call_leaves_every_old_file(home: Path) -> None:
    ended = command(home).killed_at(Call("syncfs", 1, ""))
    assert -9 == ended.code, ended
    old = [path for path in (home / "d").iterdir() if not path.name.startswith(".")]
    assert COUNT == len(old) == sum(path.read_bytes() == b"plain" for path in old)
    assert 0 == command(home).run().code
