"""Opening a vault's folder: whose it must be, and what it must hold."""

import os
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.storage import places
from tests.helpers import Home


def refused(home: Home) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        home.open()
    return caught.value


def test_a_link_to_a_vault_leads_there(home: Home, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(home.folder)
    home.folder = tmp_path / "link"
    home.perform("ListKeys")


@pytest.mark.parametrize("bits", [0o750, 0o705, 0o777, 0o710])
def test_a_folder_that_others_can_reach_is_refused(home: Home, bits: int) -> None:
    home.folder.chmod(bits)
    error = refused(home)
    assert (error.code, error.exit_code) == ("UnsafeVault", 50)
    assert error.hint == f"chmod -R go= {home.folder}"


def test_a_folder_of_somebody_else_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: home.folder.stat().st_uid + 1)
    assert "belongs to another user" in refused(home).message


def test_a_folder_without_a_database_is_no_vault(home: Home) -> None:
    (home.folder / "vault.db").unlink()
    assert (refused(home).code, refused(home).exit_code) == ("VaultNotFound", 10)


def test_a_vault_on_a_network_file_system_is_refused(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = home.folder.stat().st_dev
    table = tmp_path / "mountinfo"
    table.write_text(f"1 2 {os.major(number)}:{os.minor(number)} / / rw - nfs4 server:/ rw\n")
    monkeypatch.setattr(places, "_MOUNTS", table)
    assert refused(home).exit_code == 61


def test_preferences_that_cannot_be_used_are_told(home: Home) -> None:
    (home.folder / "config.toml").write_text("nonsense")
    assert (refused(home).code, refused(home).exit_code) == ("ConfigError", 2)


def test_a_vault_without_preferences_is_a_vault(home: Home) -> None:
    (home.folder / "config.toml").unlink()
    home.perform("ListKeys")


def test_a_vault_closes_with_its_block(home: Home) -> None:
    with home.open() as vault:
        assert len(vault.slots()[0]) == 1
    with pytest.raises(errors.KmsError):
        vault.slots()
