"""Files in memory: whole and closed to change when a program inherits them."""

import os
import stat
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.storage.memfd import MemoryFile


def test_it_is_read_by_its_name_as_often_as_anybody_likes() -> None:
    file = MemoryFile("TLS_KEY")
    file.write(b"hello ")
    file.pwrite(memoryview(b"world"), 6)
    file.publish()
    path = Path(file.inherit())
    assert [path.read_bytes() for _ in range(2)] == [b"hello world"] * 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert "memfd:TLS_KEY" in str(path.readlink())
    assert os.get_inheritable(int(path.name))
    file.drop()
    file.drop()
    assert not path.exists()


def test_nobody_changes_it_when_it_is_published() -> None:
    file = MemoryFile("x")
    file.write(b"data")
    file.publish()
    for change in (lambda: file.write(b"more"), lambda: file.pwrite(memoryview(b"x"), 0)):
        with pytest.raises(errors.InputOutputError):
            change()
    with pytest.raises(OSError, match="not permitted"):
        os.truncate(file.inherit(), 1)
    file.drop()


@pytest.mark.parametrize("fault", ["missing", "refused"])
def test_a_system_without_them_says_so(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    if fault == "missing":
        monkeypatch.delattr(os, "memfd_create")
    else:
        monkeypatch.setattr(os, "memfd_create", refuse)
    with pytest.raises(errors.UnsupportedOperationError):
        MemoryFile("x")
