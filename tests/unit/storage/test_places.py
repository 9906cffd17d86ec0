"""The type of the file system under a vault, read from mountinfo."""

import os
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.storage import places

LINE = "36 35 {device} / {mount} rw,noatime master:1 - {kind} {source} rw,errors=continue\n"


def write_table(path: Path, monkeypatch: pytest.MonkeyPatch, *mounts: tuple[str, str], optional: str = "") -> None:
    lines = [
        LINE.replace("master:1 ", optional).format(device=device, mount="/mnt", kind=kind, source="//server/share")
        for device, kind in mounts
    ]
    path.write_text("".join(lines))
    monkeypatch.setattr(places, "_MOUNTS", path)


def device_of(path: Path) -> str:
    number = path.stat().st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def test_the_machine_tells_the_type_of_a_mounted_file_system() -> None:
    assert places.file_system_type(Path("/proc")) == "proc"


@pytest.mark.parametrize("optional", ["", "master:1 ", "shared:2 master:1 propagate_from:3 "])
@pytest.mark.parametrize("kind", ["ext4", "nfs4", "fuse.sshfs"])
def test_the_type_is_found_by_device_whatever_the_optional_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, optional: str
) -> None:
    write_table(tmp_path / "m", monkeypatch, ("999:99", "tmpfs"), (device_of(tmp_path), kind), optional=optional)
    assert places.file_system_type(tmp_path) == kind


def test_a_device_that_is_not_listed_has_no_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(tmp_path / "m", monkeypatch, ("999:99", "nfs4"))
    assert places.file_system_type(tmp_path) == ""
    places.refuse_network(tmp_path)


@pytest.mark.parametrize("content", ["", "\n\n", "1 2\n", " - \n", "\xff\xfe - \n"])
def test_a_table_that_cannot_be_understood_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / "m").write_text(content, "latin-1")
    monkeypatch.setattr(places, "_MOUNTS", tmp_path / "m")
    assert places.file_system_type(tmp_path) == ""


def test_a_system_without_the_table_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_MOUNTS", tmp_path / "absent")
    assert places.file_system_type(tmp_path) == ""


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "afs", "lustre"])
def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    write_table(tmp_path / "m", monkeypatch, (device_of(tmp_path), kind))
    with pytest.raises(errors.UnsupportedOperationError) as caught:
        places.refuse_network(tmp_path)
    assert caught.value.exit_code == 61
    assert caught.value.message == f"{tmp_path} lies on a network file system ({kind})"


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse.gocryptfs"])
def test_a_local_file_system_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    write_table(tmp_path / "m", monkeypatch, (device_of(tmp_path), kind))
    places.refuse_network(tmp_path)
