"""The pin: what this user saw last, against a vault put back in time."""

import shutil
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.formats import record
from kmscli.storage.paths import pin_file
from kmscli.vault import pin
from kmscli.vault.pin import Pin
from tests.helpers import Home


def pin_path(home: Home) -> Path:
    return pin_file(home.made.vault_id)


def loaded(home: Home) -> Pin:
    found = pin.load(pin_path(home))
    assert found is not None
    return found


def keep(home: Home, name: str) -> Path:
    home.close()
    copy = home.folder.parent / name
    shutil.copytree(home.folder, copy)
    return copy


def put_back(home: Home, copy: Path, *, part: str = "") -> None:
    home.close()
    if part:
        shutil.rmtree(home.folder / part, ignore_errors=True)
        (home.folder / part).unlink(missing_ok=True)
        copier = shutil.copytree if (copy / part).is_dir() else shutil.copy2
        copier(copy / part, home.folder / part)
    else:
        shutil.rmtree(home.folder)
        shutil.copytree(copy, home.folder)


def test_init_leaves_no_pin_and_the_first_use_makes_one(home: Home) -> None:
    assert not pin_path(home).exists()
    home.perform("ListKeys")
    assert pin_path(home).stat().st_mode & 0o777 == 0o600
    assert (loaded(home).generation, loaded(home).seq) == (1, 2)
    assert loaded(home).fingerprint == home.made.root_fingerprint


def test_each_use_moves_the_pin_upward(home: Home) -> None:
    home.create_key()
    assert (loaded(home).generation, loaded(home).seq) == (2, 2)
    home.perform("ListKeys")
    assert (loaded(home).generation, loaded(home).seq) == (2, 3)
    home.refused("DescribeKey", KeyId="alias/none")
    assert (loaded(home).generation, loaded(home).seq) == (2, 4)


def test_a_whole_vault_put_back_is_a_rollback(home: Home) -> None:
    home.create_key()
    copy = keep(home, "old")
    home.create_key()
    put_back(home, copy)
    error = home.refused("ListKeys")
    assert (error.code, error.exit_code) == ("Rollback", 53)
    assert str(pin_path(home)) in error.hint


def test_whoever_removes_the_pin_accepts_the_old_state(home: Home) -> None:
    home.create_key()
    copy = keep(home, "old")
    home.create_key()
    put_back(home, copy)
    pin_path(home).unlink()
    assert len(home.perform("ListKeys").keys) == 1


def test_another_history_of_the_same_length_is_a_rollback(home: Home) -> None:
    home.perform("ListKeys")
    copy = keep(home, "old")
    saved = pin_path(home).read_bytes()
    home.create_key(Description="one")
    seen = pin_path(home).read_bytes()
    put_back(home, copy)
    pin_path(home).write_bytes(saved)
    home.create_key(Description="two")
    home.close()
    pin_path(home).write_bytes(seen)
    assert home.refused("ListKeys").code == "Rollback"


def test_a_log_put_back_alone_is_tampering(home: Home) -> None:
    home.create_key()
    copy = keep(home, "old")
    home.perform("GenerateRandom", NumberOfBytes=1)
    put_back(home, copy, part="audit")
    error = home.refused("ListKeys")
    assert (error.code, error.exit_code) == ("AuditTampered", 51)


def test_a_database_put_back_alone_is_a_rollback_even_without_a_pin(home: Home) -> None:
    home.create_key()
    copy = keep(home, "old")
    home.create_key()
    put_back(home, copy, part="vault.db")
    assert home.refused("ListKeys").exit_code == 53
    home.close()
    pin_path(home).unlink()
    assert home.refused("ListKeys").exit_code == 53


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"x" * 10_000])
def test_what_is_no_pin_is_replaced_by_one(home: Home, content: bytes) -> None:
    home.perform("ListKeys")
    home.close()
    pin_path(home).write_bytes(content)
    home.perform("ListKeys")
    assert loaded(home).seq == 3


def test_a_state_folder_that_cannot_be_written_is_told_and_stops_nobody(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = home.folder.parent / "file"
    blocked.write_bytes(b"")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    home.perform("ListKeys")
    assert len(home.warnings) == 1
    assert home.warnings[0].startswith(f"rollback is not watched: {blocked}")


def test_a_pin_of_other_roots_is_a_rollback(home: Home) -> None:
    home.perform("ListKeys")
    home.close()
    import msgspec

    other = msgspec.structs.replace(loaded(home), fingerprint="00" * 32)
    pin_path(home).write_bytes(record.encode(other))
    assert "it has other roots than before" in home.refused("ListKeys").message


def test_a_pin_is_never_written_downward(home: Home) -> None:
    # One process read its pin; another one goes on; the first one must not forget what the other saw.
    first = home.unlocked()
    home.create_key()
    home.create_key()
    seen = loaded(home)
    copy = pin_path(home).read_bytes()
    first.session.vault.store.close()
    assert seen.generation == 3
    assert pin_path(home).read_bytes() == copy


def test_status_compares_with_the_pin(home: Home) -> None:
    from kmscli.service.vaults import status

    home.create_key()
    copy = keep(home, "old")
    home.create_key()
    put_back(home, copy)
    vault = home.open()
    with pytest.raises(errors.RollbackError):
        status(vault)
    vault.store.close()


def test_no_state_is_left_behind_in_the_vault(home: Home) -> None:
    home.perform("ListKeys")
    assert sorted(path.name for path in home.folder.iterdir()) == [
        "audit",
        "config.toml",
        "lock",
        "vault.db",
        "vault.db-journal",
    ]
