"""Files brought to the current version of their keys, or to other keys."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.envelope import decrypting
from kmscli.formats import armor
from kmscli.service import files, keyring, needs, opening, rewrapping, sealing
from kmscli.service.files import Job, Result
from kmscli.service.needs import Need
from kmscli.storage import streams
from tests.helpers import Home

PLAIN = b"to be kept\n"
LARGE = os.urandom(3 << 20) + b"end"


class Folder:
    """Files of a user of a vault."""

    def __init__(self, home: Home, path: Path) -> None:
        self.home = home
        self.path = path
        self.key = home.create_key(Alias="alias/app")
        self.other = home.create_key(Alias="alias/other")

    def encrypt(self, name: str, plain: bytes = LARGE, keys: tuple[str, ...] = ("alias/app",), **more: Any) -> Path:
        """A file encrypted in its place."""
        path = self.path / name
        path.write_bytes(plain)
        path.chmod(0o640)
        make = sealing.sealer(self.home.context, sealing.Plan(keys=keys, **more))
        (result,) = files.run(self.home.context, [Job(path, path, in_place=True)], make)
        assert "done" == result.status, result.error
        return path

    def decrypt(self, path: Path, context: Mapping[str, str] = {}) -> bytes:
        """What is in it."""
        plan = opening.Plan(encryption_context=context)
        (result,) = files.run(self.home.context, [Job(path, None, kept=1 << 24)], opening.opener(plan))
        assert result.data is not None, result.error
        return result.data

    def rewrap(self, *paths: Path, **plan: Any) -> list[Result]:
        """What becomes of files."""
        make = rewrapping.rewrapper(self.home.context, rewrapping.Plan(**plan))
        return list(files.run(self.home.context, [Job(path, path, in_place=True) for path in paths], make))

    def planned(self, path: Path, **plan: Any) -> rewrapping.Intent:
        """What would become of one."""
        ring = keyring.of_session(self.home.context)
        return rewrapping.Planner(ring, rewrapping.Plan(**plan)).look(Job(path, path, in_place=True))

    def refused(self, path: Path, **plan: Any) -> errors.KmsError:
        """The error in which a file ends, untouched."""
        before = path.read_bytes()
        (result,) = self.rewrap(path, **plan)
        assert (before, "failed") == (path.read_bytes(), result.status)
        assert result.error is not None
        return result.error

    def needs(self, path: Path) -> list[tuple[str, int]]:
        """Key ids and versions."""
        with streams.reading(path) as source:
            sight = needs.see(source)
            assert sight is not None
            return [(need.key_id, need.version) for need in sight.needs]

    def rotate(self) -> None:
        """A new version of the first key."""
        self.home.perform("RotateKeyOnDemand", KeyId=self.key)


@pytest.fixture
def folder(home: Home, tmp_path: Path) -> Folder:
    path = tmp_path / "files"
    path.mkdir()
    return Folder(home, path)


def header(path: Path) -> Any:
    with streams.reading(path) as source:
        plain = armor.Reader(source) if armor.looks_like(source.peek(64)) else source
        return decrypting.open_header(plain)


FORMS: dict[str, dict[str, Any]] = {
    "a message": {},
    "a signed message": {"signed": True},
    "a message as text": {"armored": True},
    "a signed message as text": {"signed": True, "armored": True},
    "a message with a context": {"encryption_context": {"app": "shop", "é": ""}},
    "a short message": {"format": "message", "plain": PLAIN},
    "an empty message": {"plain": b""},
    "a blob": {"plain": PLAIN},
    "a blob as text": {"plain": PLAIN, "armored": True},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_comes_to_the_current_version_and_keeps_its_form_and_mode(folder: Folder, form: str) -> None:
    path = folder.encrypt("a", **FORMS[form])
    plain = FORMS[form].get("plain", LARGE)
    before = path.read_bytes()
    folder.rotate()
    (result,) = folder.rewrap(path)
    assert ("done", [folder.home.arn(folder.key)]) == (result.status, result.key_ids)
    assert [(folder.key, 2)] == folder.needs(path)
    assert plain == folder.decrypt(path)
    assert 0o640 == path.stat().st_mode & 0o777
    assert len(before) == len(path.read_bytes()) or "signed" in FORMS[form]
    assert before[:40] != path.read_bytes()[:40] or "armored" in FORMS[form]
    assert ["a"] == [found.name for found in folder.path.iterdir()]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_current_is_not_touched(folder: Folder, form: str) -> None:
    path = folder.encrypt("a", **FORMS[form])
    before = path.stat()
    (result,) = folder.rewrap(path)
    assert ("skipped", "it is current") == (result.status, result.reason)
    assert (before.st_ino, before.st_mtime_ns) == (path.stat().st_ino, path.stat().st_mtime_ns)


def test_a_new_message_has_another_id_and_data_key_and_the_context_and_signature_of_the_old_one(folder: Folder) -> None:
    path = folder.encrypt("a", signed=True, encryption_context={"app": "shop"})
    before = header(path)
    folder.rotate()
    folder.rewrap(path)
    after = header(path)
    assert before.message_id != after.message_id
    assert before.commitment != after.commitment
    assert before.encryption_context.pop("aws-crypto-public-key") != after.encryption_context.pop(
        "aws-crypto-public-key"
    )
    assert {"app": "shop"} == before.encryption_context == after.encryption_context
    assert before.suite == after.suite


def test_what_is_not_encrypted_is_skipped(folder: Folder) -> None:
    path = folder.path / "plain"
    path.write_bytes(PLAIN)
    (result,) = folder.rewrap(path)
    assert ("skipped", "it is not encrypted") == (result.status, result.reason)


@pytest.mark.parametrize("plain", [PLAIN, LARGE], ids=["blob", "message"])
def test_a_file_goes_over_to_another_key(folder: Folder, plain: bytes) -> None:
    path = folder.encrypt("a", plain)
    (result,) = folder.rewrap(path, to="alias/other")
    assert "done" == result.status
    assert [(folder.other, 1)] == folder.needs(path)
    assert plain == folder.decrypt(path)
    (again,) = folder.rewrap(path, to="alias/other")
    assert "it is current" == again.reason


def test_keys_are_added_and_removed(folder: Folder) -> None:
    path = folder.encrypt("a")
    folder.rewrap(path, add=("alias/other",))
    assert [(folder.key, 1), (folder.other, 1)] == folder.needs(path)
    assert "it is current" == folder.rewrap(path, add=("alias/other",))[0].reason
    folder.rotate()
    folder.rewrap(path, remove=("alias/other",))
    assert [(folder.key, 2)] == folder.needs(path)
    assert LARGE == folder.decrypt(path)


def test_a_file_with_several_keys_is_stale_if_one_of_them_is(folder: Folder) -> None:
    path = folder.encrypt("a", keys=("alias/other", "alias/app"))
    folder.rotate()
    folder.rewrap(path)
    assert [(folder.other, 1), (folder.key, 2)] == folder.needs(path)


def test_a_file_never_loses_its_last_key(folder: Folder) -> None:
    assert "no key would open it" in folder.refused(folder.encrypt("a"), remove=("alias/app",)).message


def test_a_blob_never_has_two_keys(folder: Folder) -> None:
    assert "one key" in folder.refused(folder.encrypt("a", PLAIN), add=("alias/other",)).message


def test_a_blob_with_a_context_needs_it_and_keeps_it(folder: Folder) -> None:
    path = folder.encrypt("a", PLAIN, format="blob", encryption_context={"app": "shop"})
    folder.rotate()
    assert isinstance(folder.refused(path), errors.InvalidCiphertextError)
    assert "done" == folder.rewrap(path, encryption_context={"app": "shop"})[0].status
    assert PLAIN == folder.decrypt(path, {"app": "shop"})


def test_a_key_that_is_elsewhere_is_not_lost_in_silence(folder: Folder, tmp_path: Path) -> None:
    path = folder.encrypt("a", keys=("alias/app", "alias/other"))
    arn = folder.home.arn(folder.other)
    with_deleted(folder)
    assert "it is current" == folder.rewrap(path)[0].reason
    folder.rotate()
    assert arn in folder.refused(path).message
    assert "done" == folder.rewrap(path, remove=(arn,))[0].status
    assert [(folder.key, 2)] == folder.needs(path)
    assert LARGE == folder.decrypt(path)


def with_deleted(folder: Folder) -> None:
    """The second key is gone."""
    folder.home.perform("ScheduleKeyDeletion", KeyId=folder.other, PendingWindowInDays=7)
    folder.home.clock.move(days=8)  # type: ignore[attr-defined]


def test_a_file_of_another_vault_is_refused(folder: Folder) -> None:
    path = folder.encrypt("a", keys=("alias/other",))
    with_deleted(folder)
    assert isinstance(folder.refused(path, to="alias/app"), errors.UnknownCiphertextKeyError)


@pytest.mark.parametrize("form", ["a message", "a signed message", "a message as text"])
@pytest.mark.parametrize("place", [200, 1_500_000, -200, -2])
def test_a_damaged_message_stays_as_it_is(folder: Folder, form: str, place: int) -> None:
    path = folder.encrypt("a", **FORMS[form])
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    folder.rotate()
    assert isinstance(folder.refused(path), errors.InvalidCiphertextError)
    assert ["a"] == [found.name for found in folder.path.iterdir()]


@pytest.mark.parametrize("form", ["a message", "a signed message"])
def test_a_message_that_is_cut_short_stays_as_it_is(folder: Folder, form: str) -> None:
    path = folder.encrypt("a", **FORMS[form])
    path.write_bytes(path.read_bytes()[:-300_000])
    folder.rotate()
    assert isinstance(folder.refused(path), errors.MalformedMessageError)


def test_what_cannot_be_replaced_by_rename_is_refused(folder: Folder) -> None:
    path = folder.encrypt("a")
    folder.rotate()
    fd = os.open(path, os.O_RDWR)
    try:
        assert "replaced by rename" in folder.refused(Path(f"/dev/fd/{fd}")).message
    finally:
        os.close(fd)
    fifo = folder.path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDWR)
    try:
        (result,) = folder.rewrap(fifo)
    finally:
        os.close(reading)
    assert result.error is not None
    assert "no regular file" in result.error.message


def test_a_plan_says_what_would_be_done_and_does_nothing(folder: Folder) -> None:
    path = folder.encrypt("a")
    assert ("skipped", "it is current") == ((found := folder.planned(path)).status, found.reason)
    folder.rotate()
    before = path.read_bytes()
    assert ("rewrap", [folder.home.arn(folder.key)]) == ((found := folder.planned(path)).status, found.key_ids)
    assert "failed" == folder.planned(path, remove=("alias/app",)).status
    assert before == path.read_bytes()


def test_a_plan_that_contradicts_itself_is_refused(folder: Folder) -> None:
    with pytest.raises(errors.UsageError):
        folder.rewrap(to="alias/app", remove=("alias/other",))
    with pytest.raises(errors.AliasNotFoundError):
        folder.rewrap(to="alias/none")


def test_a_failing_disk_leaves_the_old_file(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder.encrypt("a")
    folder.rotate()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        error = folder.refused(path)
    assert "No space left" in error.message
    assert ["a"] == [found.name for found in folder.path.iterdir()]


def test_needs_name_what_a_file_says(folder: Folder) -> None:
    with streams.reading(folder.encrypt("a")) as source:
        sight = needs.see(source)
    assert sight is not None
    assert (Need("aws-kms", folder.home.arn(folder.key), folder.key, 1),) == sight.needs
