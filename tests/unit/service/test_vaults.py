"""Creating a vault, and what can be said of one without a secret."""

import os
from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.service import slots
from kmscli.service.vaults import InitRequest, check_init, init_vault, status
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock
from tests.helpers import Clock, Home, forked, named


def request(folder: Path, **members: Any) -> InitRequest:
    asked: dict[str, Any] = {"secret": None, "keyfile": folder.parent / "k", "kdf_memory_mib": 8} | members
    return InitRequest(folder, **asked)


def make(folder: Path, **members: Any) -> Any:
    return named(init_vault(request(folder, **members), clock=Clock(), rng=os.urandom))


def tree(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in sorted(folder.rglob("*"))}


def test_a_new_vault_is_these_files_and_nobody_else_s(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        make(tmp_path / "vault")
    finally:
        os.umask(old)
    assert tree(tmp_path) == {
        "k": 0o600,
        "vault": 0o700,
        "vault/audit": 0o700,
        "vault/audit/00000001.jsonl": 0o600,
        "vault/config.toml": 0o600,
        "vault/lock": 0o600,
        "vault/vault.db": 0o600,
        "vault/vault.db-journal": 0o600,
    }


def test_init_answers_what_a_person_must_keep(tmp_path: Path) -> None:
    made = make(tmp_path / "vault", principal="root", region="eu-central-1", account="111122223333")
    assert (made["Vault"], made["Principal"]) == (str(tmp_path / "vault"), "root")
    assert made["Arn"] == "arn:aws:iam::111122223333:user/root"
    assert len(bytes.fromhex(made["RootFingerprint"])) == 32
    assert len(bytes.fromhex(made["VaultId"])) == 16


def test_each_vault_is_another(tmp_path: Path) -> None:
    first, second = (make(tmp_path / name, keyfile=tmp_path / f"{name}.key") for name in ("a", "b"))
    assert first["VaultId"] != second["VaultId"]
    assert first["RootFingerprint"] != second["RootFingerprint"]


def test_folders_above_it_are_made(tmp_path: Path) -> None:
    make(tmp_path / "a" / "b" / "vault", keyfile=tmp_path / "k")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_an_empty_folder_becomes_a_vault(tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir(mode=0o755)
    make(tmp_path / "vault")
    assert (tmp_path / "vault").stat().st_mode & 0o777 == 0o700


def test_a_passphrase_opens_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    make(home.folder, secret=Secret.passphrase(b"hunter2"), keyfile=None)
    vault = home.open()
    assert unlock(vault, "admin", lambda _: Secret.passphrase(b"hunter2")).principal == "admin"
    vault.store.close()


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"principal": "a b"}, "ValidationException"),
        ({"region": "EU"}, "ValidationException"),
        ({"account": "1"}, "ValidationException"),
        ({"kdf_memory_mib": 7}, "ValidationException"),
        ({"kdf_memory_mib": 4097}, "ValidationException"),
        ({"label": ""}, "ValidationException"),
    ],
)
def test_what_cannot_be_a_vault_is_refused_before_anything_is_made(
    tmp_path: Path, members: dict[str, Any], code: str
) -> None:
    with pytest.raises(errors.KmsError) as asked:
        check_init(request(tmp_path / "vault", **members))
    with pytest.raises(errors.KmsError) as made:
        make(tmp_path / "vault", **members)
    assert (asked.value.code, made.value.code, made.value.exit_code) == (code, code, 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["vault", "file", "folder", "dangling link"])
def test_nothing_is_made_over_what_is_there(tmp_path: Path, there: str) -> None:
    folder = tmp_path / "vault"
    if there == "vault":
        make(folder, keyfile=tmp_path / "old.key")
    elif there == "file":
        folder.write_bytes(b"x")
    elif there == "folder":
        folder.mkdir()
        (folder / "x").write_bytes(b"x")
    else:
        folder.symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").write_bytes(b"x")
    before = tree(tmp_path)
    with pytest.raises(errors.VaultExistsError) as caught:
        make(folder)
    assert caught.value.exit_code == 21
    assert tree(tmp_path) == before


def test_a_keyfile_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"precious")
    with pytest.raises(errors.FileExistsAlreadyError):
        make(tmp_path / "vault")
    assert tree(tmp_path).keys() == {"k"}
    assert (tmp_path / "k").read_bytes() == b"precious"


def test_a_keyfile_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(errors.InputOutputError):
        make(tmp_path / "vault", keyfile=tmp_path / "nowhere" / "k")
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_init_left_is_swept_by_the_next(tmp_path: Path) -> None:
    stale = tmp_path / ".vault.init-00000000"
    stale.mkdir()
    (stale / "lock").write_bytes(b"")
    (stale / "lock").chmod(0o600)
    make(tmp_path / "vault")
    assert tree(tmp_path).keys() >= {"vault", "k"}
    assert not stale.exists()


def test_of_many_inits_one_makes_the_vault(tmp_path: Path) -> None:
    children = [
        forked(lambda number=number: make(tmp_path / "vault", keyfile=tmp_path / f"{number}.key")["VaultId"])  # type: ignore[misc]
        for number in range(8)
    ]
    outcomes = [child.outcome() for child in children]
    (made,) = [value for kind, value in outcomes if kind == "value"]
    assert {value.partition(":")[0] for kind, value in outcomes if kind == "error"} <= {"VaultExists"}
    assert len(list(tmp_path.glob("*.key"))) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    home = Home(tmp_path)
    home.keyfile = next(tmp_path.glob("*.key"))
    assert home.context.session.opened.vault_id == made


# -- status ------------------------------------------------------------------------------------------------------------


def test_status_counts_what_is_there(home: Home) -> None:
    home.create_key(Alias="alias/a")
    home.create_key()
    slots.add_slot(home.context, home.folder.parent / "second.key", "second")
    vault = home.open()
    found = named(status(vault))
    vault.store.close()
    assert found == {
        "Vault": str(home.folder),
        "VaultId": home.made.vault_id,
        "RootFingerprint": home.made.root_fingerprint,
        "SeenBefore": True,
        "Region": "local",
        "Account": "000000000000",
        "CreationDate": home.clock(),
        "Generation": 3,
        "Keys": 2,
        "Aliases": 1,
        "Principals": 1,
        "Slots": 2,
        "DamagedSlots": 0,
        "AuditLines": 4,
    }


def test_status_needs_no_secret_leaves_no_line_and_says_what_it_never_saw(home: Home) -> None:
    home.keyfile.unlink()
    vault = home.open()
    assert status(vault).seen_before is False
    vault.store.close()
    assert len(home.lines()) == 1


def test_a_folder_without_a_vault_is_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(errors.VaultNotFoundError) as caught:
        Home(tmp_path).open()
    assert caught.value.exit_code == 10
