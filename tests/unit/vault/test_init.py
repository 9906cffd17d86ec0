"""Creating a vault beside its place: what an interrupted one leaves, and what the next one makes of it."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.service.vaults import InitRequest, init_vault
from kmscli.storage.files import create_private
from kmscli.storage.lock import vault_lock
from tests.helpers import Clock, Home

CONTENT = b"kms-keyfile-1 left by an init that died\n"


@pytest.fixture
def keyfile(tmp_path: Path) -> Path:
    return tmp_path / "admin.key"


def init(tmp_path: Path, keyfile: Path) -> None:
    init_vault(InitRequest(tmp_path / "vault", None, keyfile, kdf_memory_mib=8), clock=Clock(), rng=os.urandom)


def leave(tmp_path: Path, note: str) -> Path:
    """The folder of an init that died, with its lock and a note of the keyfile it was about to make."""
    folder = tmp_path / ".vault.init-0123abcd"
    folder.mkdir(mode=0o700)
    create_private(folder / "lock", b"")
    if note:
        create_private(folder / "init-keyfile", note.encode())
    return folder


def noted(path: Path, content: bytes) -> str:
    return f"{path}\n{sha256(content).hexdigest()}"


def test_a_keyfile_that_only_a_dead_init_needed_is_made_anew(tmp_path: Path, keyfile: Path) -> None:
    stale = leave(tmp_path, noted(keyfile, CONTENT))
    create_private(keyfile, CONTENT)
    init(tmp_path, keyfile)
    assert not stale.exists()
    assert keyfile.read_bytes() != CONTENT
    home = Home(tmp_path)
    home.perform("ListKeys")
    home.close()


@pytest.mark.parametrize("note", ["", "no note", "{path}\n00", "/elsewhere\n{digest}", "\n", "{path}\n{digest}\nmore"])
def test_a_keyfile_of_which_that_is_not_certain_is_left_alone(tmp_path: Path, keyfile: Path, note: str) -> None:
    leave(tmp_path, note.format(path=keyfile, digest=sha256(CONTENT).hexdigest()))
    create_private(keyfile, CONTENT)
    with pytest.raises(errors.FileExistsAlreadyError):
        init(tmp_path, keyfile)
    assert keyfile.read_bytes() == CONTENT
    assert not (tmp_path / "vault").exists()


def test_a_keyfile_that_was_changed_since_is_left_alone(tmp_path: Path, keyfile: Path) -> None:
    leave(tmp_path, noted(keyfile, CONTENT))
    create_private(keyfile, CONTENT + b"and used for something else")
    with pytest.raises(errors.FileExistsAlreadyError):
        init(tmp_path, keyfile)


def test_an_init_that_is_at_work_keeps_its_folder_and_its_keyfile(tmp_path: Path, keyfile: Path) -> None:
    stale = leave(tmp_path, noted(keyfile, CONTENT))
    create_private(keyfile, CONTENT)
    with vault_lock(stale / "lock", timeout=0), pytest.raises(errors.FileExistsAlreadyError):
        init(tmp_path, keyfile)
    with vault_lock(stale / "lock", timeout=0):
        init(tmp_path, tmp_path / "other.key")
    assert stale.exists()
    assert keyfile.read_bytes() == CONTENT


def test_the_keyfile_of_another_vault_is_never_swept(tmp_path: Path, keyfile: Path) -> None:
    # The folder of another name's init is not ours to judge.
    stale = leave(tmp_path, noted(keyfile, CONTENT)).rename(tmp_path / ".other.init-0123abcd")
    create_private(keyfile, CONTENT)
    with pytest.raises(errors.FileExistsAlreadyError):
        init(tmp_path, keyfile)
    assert stale.exists()


def test_nothing_of_the_making_is_left_in_the_vault(tmp_path: Path, keyfile: Path) -> None:
    init(tmp_path, keyfile)
    assert sorted(path.name for path in (tmp_path / "vault").iterdir()) == [
        "audit",
        "config.toml",
        "lock",
        "vault.db",
        "vault.db-journal",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["admin.key", "vault"]
