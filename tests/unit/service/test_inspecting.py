"""What encrypted files say of themselves, without a key, and against the keys of a vault."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.service import files, inspecting, keyring, sealing
from kmscli.service.files import Job
from kmscli.service.inspecting import Inspection
from tests.helpers import Home
from tests.vectors.messages import Message

CONTEXT = {"app": "shop"}
LARGE = os.urandom(600_000)


class Desk:
    """Files of a user of a vault."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self.key = home.create_key(Alias="alias/app")
        self.other = home.create_key(Alias="alias/other")
        self.inspector = inspecting.Inspector(keyring.of_session(home.context))

    def encrypt(self, name: str, plain: bytes, keys: tuple[str, ...] = ("alias/app",), **more: Any) -> Path:
        """A file encrypted in its place."""
        path = self.folder / name
        path.write_bytes(plain)
        make = sealing.sealer(self.home.context, sealing.Plan(keys=keys, **more))
        (result,) = files.run(self.home.context, [Job(path, path, in_place=True)], make)
        assert "done" == result.status, result.error
        return path

    def inspect(self, path: Path) -> Inspection:
        """What one says."""
        return self.inspector.inspect(path)


@pytest.fixture
def desk(home: Home, tmp_path: Path) -> Desk:
    return Desk(home, tmp_path)


@pytest.mark.parametrize("armored", [False, True], ids=["bytes", "text"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 18) + 1, 600_000])
def test_a_message_says_all_but_its_content(desk: Desk, size: int, *, signed: bool, armored: bool) -> None:
    path = desk.encrypt("a", LARGE[:size], encryption_context=CONTEXT, signed=signed, armored=armored)
    found = desk.inspect(path)
    assert ("message", signed, armored, True) == (found.format, found.signed, found.text, found.commits)
    assert ("0x0578" if signed else "0x0478", CONTEXT) == (found.suite, found.encryption_context)
    assert (size, size // (1 << 18) + 1) == (found.plaintext_size, found.frames)
    assert (path.stat().st_size, 1 << 18) == (found.size, found.frame_length)
    assert found.keys is not None
    (key,) = found.keys
    expected = (desk.key, desk.home.arn(desk.key), 1, 1)
    assert expected == (key.key_id, key.key_arn, key.version, key.current_version)
    assert "current" == found.state


@pytest.mark.parametrize("size", [1, 4096])
@pytest.mark.parametrize("armored", [False, True], ids=["bytes", "text"])
def test_a_blob_says_key_version_and_size(desk: Desk, size: int, *, armored: bool) -> None:
    found = desk.inspect(desk.encrypt("a", LARGE[:size], armored=armored))
    assert ("blob", size, armored, None) == (found.format, found.plaintext_size, found.text, found.suite)
    assert found.keys is not None
    assert (desk.key, 1) == (found.keys[0].key_id, found.keys[0].version)


def test_without_a_vault_nothing_is_said_of_one(desk: Desk) -> None:
    found = inspecting.Inspector().inspect(desk.encrypt("a", LARGE))
    assert found.state is None
    assert found.keys is not None
    assert (1, None) == (found.keys[0].version, found.keys[0].current_version)


def test_what_is_not_encrypted_has_no_format(desk: Desk) -> None:
    path = desk.folder / "a"
    path.write_bytes(LARGE)
    found = desk.inspect(path)
    assert (None, "plain", len(LARGE)) == (found.format, found.state, found.size)


@pytest.mark.parametrize("plain", [LARGE[:10], LARGE], ids=["blob", "message"])
def test_a_version_that_is_not_current_is_stale(desk: Desk, plain: bytes) -> None:
    path = desk.encrypt("a", plain)
    desk.home.perform("RotateKeyOnDemand", KeyId=desk.key)
    found = desk.inspect(path)
    assert "stale" == found.state
    assert found.keys is not None
    assert (1, 2) == (found.keys[0].version, found.keys[0].current_version)


@pytest.mark.parametrize("plain", [LARGE[:10], LARGE], ids=["blob", "message"])
def test_a_key_that_is_not_here_is_elsewhere(desk: Desk, plain: bytes) -> None:
    path = desk.encrypt("a", plain, keys=("alias/other",))
    desk.home.perform("ScheduleKeyDeletion", KeyId=desk.other, PendingWindowInDays=7)
    desk.home.clock.move(days=8)  # type: ignore[attr-defined]
    assert "elsewhere" == desk.inspect(path).state


@pytest.mark.parametrize("armored", [False, True], ids=["bytes", "text"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("cut", [1, 20, 60, 300_000, 599_000])
def test_a_message_that_is_cut_short_is_named(desk: Desk, cut: int, *, signed: bool, armored: bool) -> None:
    path = desk.encrypt("a", LARGE, signed=signed, armored=armored)
    path.write_bytes(path.read_bytes()[:-cut])
    # A text without its last newline is the whole text.
    if not (armored and cut == 1):
        with pytest.raises(errors.MalformedMessageError):
            desk.inspect(path)


@pytest.mark.parametrize("size", [0, 10, 1 << 18, 600_000])
def test_bytes_after_a_message_are_named(desk: Desk, size: int) -> None:
    path = desk.encrypt("a", LARGE[:size], format="message")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(errors.MalformedMessageError):
        desk.inspect(path)


def test_a_frame_out_of_its_place_is_named(desk: Desk) -> None:
    path = desk.encrypt("a", LARGE)
    data = path.read_bytes()
    at = len(data) - (600_000 % (1 << 18)) - 40 - 2 * ((1 << 18) + 32)
    frames = [data[at + n * ((1 << 18) + 32) :][: (1 << 18) + 32] for n in range(2)]
    path.write_bytes(data[:at] + frames[1] + frames[0] + data[at + 2 * ((1 << 18) + 32) :])
    with pytest.raises(errors.MalformedMessageError):
        desk.inspect(path)


@pytest.mark.parametrize(
    ("number", "frame_length"),
    [(0x0014, 0), (0x0178, 0), (0x0378, 0), (0x0014, 16), (0x0178, 16), (0x0378, 16), (0x0478, 16), (0x0578, 16)],
)
def test_messages_of_every_suite_are_measured(tmp_path: Path, number: int, frame_length: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(Message(number, b"p" * 45, frame_length).bytes)
    found = inspecting.Inspector().inspect(path)
    assert (f"0x{number:04x}", 45, 3 if frame_length else 1) == (found.suite, found.plaintext_size, found.frames)


def test_two_messages_of_one_id_that_are_no_copies_are_named(desk: Desk) -> None:
    one = desk.encrypt("one", LARGE)
    copy = Path(shutil.copy(one, desk.folder / "copy"))
    tagged, changed = desk.folder / "tagged", desk.folder / "changed"
    data = bytearray(one.read_bytes())
    data[45] ^= 1  # in the header
    tagged.write_bytes(data)
    data = bytearray(one.read_bytes())
    data[-1] ^= 1  # the tag of the last frame
    changed.write_bytes(data)
    for path in (one, copy, desk.encrypt("two", LARGE)):
        desk.inspect(path)
    assert [] == desk.inspector.twins
    list(desk.inspector.inspect_all([changed]))
    assert [(str(one), str(changed))] == [(pair.first, pair.second) for pair in desk.inspector.twins]


def test_a_header_that_was_tagged_again_is_named(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(Message(0x0478, b"p" * 45).bytes)
    second.write_bytes(Message(0x0478, b"p" * 45, context={"name": "other"}).bytes)
    inspector = inspecting.Inspector()
    list(inspector.inspect_all([first, second]))
    assert 1 == len(inspector.twins)


def test_what_is_wrong_with_one_file_is_said_of_that_one(desk: Desk) -> None:
    good, bad = desk.encrypt("good", LARGE), desk.encrypt("bad", LARGE)
    bad.write_bytes(bad.read_bytes()[:-1])
    first, second, third = desk.inspector.inspect_all([bad, desk.folder / "none", good])
    assert isinstance(first.error, errors.MalformedMessageError)
    assert isinstance(second.error, errors.InputOutputError)
    assert third.error is None
