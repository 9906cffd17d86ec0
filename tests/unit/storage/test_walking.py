"""Which files below a folder are meant when the folder is named."""

import os
import shutil
import subprocess
from pathlib import Path

from kmscli.storage import walking


def below(folder: Path) -> list[str]:
    return [os.path.relpath(path, folder) for path in walking.files_below(folder)]


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_come_in_a_steady_order_those_of_a_folder_before_those_below_it(tmp_path: Path) -> None:
    put(tmp_path, "b", "a", "c/z", "c/d/y", "B", "aa/x", "c.txt")
    assert below(tmp_path) == ["B", "a", "b", "c.txt", "aa/x", "c/z", "c/d/y"]


def test_only_regular_files_are_meant_and_links_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "file", "d/file", ".hidden", ".file.123.tmp", "file.tmp")
    os.mkfifo(tmp_path / "fifo")
    for name, target in (("to-file", "file"), ("to-folder", "d"), ("to-nothing", "gone"), ("round", "round")):
        (tmp_path / name).symlink_to(target)
    assert below(tmp_path) == [".hidden", "file", "file.tmp", "d/file"]


def test_a_folder_that_cannot_be_listed_stands_for_itself(tmp_path: Path) -> None:
    put(tmp_path, "a/file", "b/file", "c/file")
    found = walking.files_below(tmp_path)
    assert next(found) == tmp_path / "a" / "file"
    shutil.rmtree(tmp_path / "b")
    assert list(found) == [tmp_path / "b", tmp_path / "c" / "file"]
    assert below(tmp_path / "gone") == ["."]


def test_names_may_be_any_bytes(tmp_path: Path) -> None:
    put(tmp_path, os.fsdecode(b"\xff"), "\u00e4")
    assert below(tmp_path) == ["\u00e4", os.fsdecode(b"\xff")]


def test_folders_may_lie_as_deep_as_a_path_can_say(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 1500)
    folder = tmp_path
    for _ in range(1500):
        folder = folder / "d"
        folder.mkdir()
    put(deep, "file")
    try:
        assert list(walking.files_below(tmp_path)) == [deep / "file"]
    finally:
        # Python 3.11 cannot remove what lies so deep.
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)
