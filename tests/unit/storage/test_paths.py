"""Where things lie."""

from pathlib import Path

import pytest

from kmscli.storage.paths import VaultPaths, default_vault, pin_file


def test_a_vault_is_five_names_in_a_folder() -> None:
    paths = VaultPaths(Path("/v"))
    assert paths.config == Path("/v/config.toml")
    assert paths.database == Path("/v/vault.db")
    assert paths.audit == Path("/v/audit")
    assert paths.lock == Path("/v/lock")
    assert paths.unlock_failures == Path("/v/audit/unlock-failures")


def test_a_pin_lies_in_the_folder_of_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere/state")
    assert pin_file("00ff") == Path("/somewhere/state/kms/00ff.pin")


@pytest.mark.parametrize("state", ["", "relative"])
def test_a_folder_of_states_that_is_none_gives_way_to_the_platform_s(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    # The XDG base directory specification has relative paths ignored.
    monkeypatch.setenv("XDG_STATE_HOME", state)
    monkeypatch.setenv("HOME", "/home/somebody")
    found = pin_file("00ff")
    assert found.is_absolute()
    assert found.is_relative_to("/home/somebody")
    assert (found.parent.name, found.name) == ("kms", "00ff.pin")


def test_the_default_vault_lies_in_the_platform_s_folder_of_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere/data")
    assert default_vault().parts[-2:] == ("kms", "default")
