"""What kms makes belongs to the user alone, whatever the umask; what it reads a secret from must do so too."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.service import slots
from kmscli.storage import files
from tests.faults import samples
from tests.faults.samples import Sample


@pytest.fixture(params=[0o000, 0o022, 0o077], ids="{:03o}".format)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> set[tuple[bool, int]]:
    """(folder or not, mode) of all that lies in a folder."""
    found = [path.lstat() for path in folder.rglob("*")]
    return {(stat.S_ISDIR(each.st_mode), stat.S_IMODE(each.st_mode)) for each in found}


def test_all_that_a_vault_s_life_makes_is_the_user_s_alone(workplace: Path, umask: int) -> None:
    samples.init(workplace / "new" / "vault", workplace / "keyfile")
    secret = samples.Secret.keyfile((workplace / "keyfile").read_bytes(), path="keyfile")
    with (
        pytest.raises(errors.WrongSecretError),
        samples.unlocked(workplace / "new" / "vault", samples.Secret("keyfile", bytes(32))),
    ):
        pass
    with samples.unlocked(workplace / "new" / "vault", secret) as context:
        samples.ask(context, "CreateKey", Alias="alias/app")
        slots.add_slot(context, workplace / "second", "second")
    files.write_output(workplace / "out", b"plaintext")
    assert {(True, 0o700), (False, 0o600)} == modes(workplace)


def test_a_segment_that_follows_is_the_user_s_alone(copy: Path, sample: Sample, umask: int) -> None:
    (copy / "config.toml").write_text("[audit]\nsegment_bytes = 4096\n")
    with samples.unlocked(copy, sample.secret()) as context:
        for _ in range(4):
            samples.ask(context, "GenerateRandom", NumberOfBytes=1)
    assert (copy / "audit" / "00000002.jsonl").exists()
    assert {(True, 0o700), (False, 0o600)} == modes(copy)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_keyfile_that_others_can_reach_is_refused(sample: Sample, workplace: Path, mode: int) -> None:
    keyfile = workplace / "keyfile"
    keyfile.write_bytes(sample.keyfile.read_bytes())
    keyfile.chmod(mode)
    with pytest.raises(errors.UnsafeFileError) as caught:
        files.read_secret(keyfile)
    assert (2, f"chmod 600 {keyfile}") == (caught.value.exit_code, caught.value.hint)
