"""Streams: inputs at places or in order, outputs that appear whole or not at all."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.storage import publishing, streams
from kmscli.storage.publishing import Dropping
from kmscli.storage.streams import File, Look, Memory, New, Output, Stream, Through


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    old = os.umask(0o022)
    yield
    os.umask(old)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(output: Output, data: bytes) -> None:
    while data:
        data = data[output.write(data) :]


def publish(*outputs: Output) -> list[errors.KmsError]:
    found: list[errors.KmsError] = []
    publishing.publish(outputs, lambda _, error: found.append(error))
    return found


def flowing(*parts: bytes) -> Stream:
    """A pipe whose other end writes some parts and closes."""
    reading, writing = os.pipe()

    def fill() -> None:
        with os.fdopen(writing, "wb", buffering=0) as file:
            for part in parts:
                file.write(part)

    threading.Thread(target=fill, daemon=True).start()
    return Stream(reading, "a pipe")


# -- inputs ------------------------------------------------------------------------------------------------------------


def test_a_regular_file_is_read_at_places_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    with streams.reading(tmp_path / "file") as source:
        assert isinstance(source, File)
        buffer = memoryview(bytearray(4))
        assert (source.size, source.peek(3), source.pread(buffer, 8)) == (10, b"012", 2)
        assert bytes(buffer[:2]) == b"89"
        assert (source.read(4), source.readinto(buffer), bytes(buffer)) == (b"0123", 4, b"4567")


def test_a_sparse_file_is_zeros_of_its_whole_size(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 40)
    with streams.reading(tmp_path / "file") as source:
        assert isinstance(source, File)
        buffer = memoryview(bytearray(b"x" * 8))
        assert (source.size, source.pread(buffer, (1 << 40) - 4)) == (1 << 40, 4)
        assert bytes(buffer) == bytes(4) + b"xxxx"


def test_a_link_is_followed_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to("file")
    with streams.reading(tmp_path / "link") as source:
        assert isinstance(source, File)


@pytest.mark.parametrize("change", [b"longer now", b"less", b"same"], ids=["grown", "shrunk", "written into"])
def test_a_file_that_changed_while_it_was_read_is_refused(tmp_path: Path, change: bytes) -> None:
    (tmp_path / "file").write_bytes(b"data")
    os.utime(tmp_path / "file", ns=(0, 0))
    with streams.reading(tmp_path / "file") as source:
        source.check_unchanged()
        (tmp_path / "file").write_bytes(change)
        with pytest.raises(errors.InputOutputError, match="file: it changed while it was read"):
            source.check_unchanged()


def test_a_fifo_and_a_device_are_read_in_order(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(b"through",), daemon=True).start()
    with streams.reading(tmp_path / "fifo") as source:
        assert (isinstance(source, File), source.read(100), source.read(100)) == (False, b"through", b"")
    with streams.reading(Path("/dev/zero")) as source:
        assert (isinstance(source, File), source.read(3)) == (False, bytes(3))


@pytest.mark.parametrize("name", ["", "nowhere", "loop", "file/below"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    with pytest.raises(errors.InputOutputError, match=f"{tmp_path / name}: "), streams.reading(tmp_path / name):
        pass


def test_what_was_peeked_at_is_read_again() -> None:
    source = flowing(b"ab", b"cdefgh")
    assert (source.peek(4), source.peek(2)) == (b"abcd", b"ab")
    buffer = memoryview(bytearray(3))
    assert (source.read(1), source.readinto(buffer), bytes(buffer)) == (b"a", 3, b"bcd")
    assert source.peek(100) == b"efgh"
    assert (source.read(100), source.read(100), source.peek(1), source.readinto(buffer)) == (b"efgh", b"", b"", 0)


def test_an_input_that_said_that_it_ends_is_not_asked_again() -> None:
    # A terminal goes on after Ctrl-D when it is read once more.
    controller, terminal = os.openpty()
    source = Stream(terminal, "a terminal")
    os.write(controller, b"typed\n\x04more\n\x04")
    assert source.peek(100) == b"typed\n"
    assert (source.peek(100), source.read(100), source.read(100)) == (b"typed\n", b"typed\n", b"")
    os.close(controller)
    os.close(terminal)


# -- outputs -----------------------------------------------------------------------------------------------------------


def test_an_output_appears_when_it_is_published_and_not_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    output = streams.writing(tmp_path / "file")
    write(output, b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert publish(output) == []
    assert ((tmp_path / "file").read_bytes(), names(tmp_path)) == (b"new", ["file"])


def test_an_output_that_is_dropped_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    output = streams.writing(tmp_path / "file")
    write(output, b"new")
    output.drop()
    output.drop()
    assert ((tmp_path / "file").read_bytes(), names(tmp_path)) == (b"old", ["file"])


@pytest.mark.parametrize("fault", [KeyboardInterrupt, errors.BrokenMessageError, OSError])
def test_outputs_are_dropped_when_the_block_ends_by_an_exception(tmp_path: Path, fault: type[BaseException]) -> None:
    def work() -> None:
        with Dropping() as outputs:
            for name in ("one", "two"):
                write(outputs.add(streams.writing(tmp_path / name)), b"secret")
            raise fault

    with pytest.raises(fault):
        work()
    assert names(tmp_path) == []


def test_one_of_many_that_cannot_be_published_keeps_no_other_back(tmp_path: Path) -> None:
    outputs = [streams.writing(tmp_path / name) for name in ("one", "two", "three")]
    (tmp_path / "two").mkdir()
    (refusal,) = publish(*outputs)
    assert str(tmp_path / "two") in refusal.message
    assert names(tmp_path) == ["one", "three", "two"]


def test_a_new_output_is_this_user_s_alone_whatever_the_umask(tmp_path: Path) -> None:
    os.umask(0)
    publish(streams.writing(tmp_path / "file"))
    assert mode(tmp_path / "file") == 0o600


@pytest.mark.parametrize(("look", "bits"), [(None, 0o640), (Look(), 0o600), (Look(0o444), 0o444)])
def test_an_output_keeps_the_mode_of_the_old_file_unless_one_is_asked_for(
    tmp_path: Path, look: Look | None, bits: int
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o640)
    publish(streams.writing(tmp_path / "file", look))
    assert mode(tmp_path / "file") == bits


def test_a_look_leaves_special_bits_and_those_named_away(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o4755)
    found = (tmp_path / "file").stat()
    assert streams.look_of(found) == Look(0o755)
    assert streams.look_of(found, but=0o077) == Look(0o700)


def test_root_leaves_the_owner_of_an_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    mine = os.geteuid(), os.getegid()
    owner = mine if os.geteuid() else (12345, 23456)  # only root gives files away
    os.chown(tmp_path / "file", *owner)
    publish(streams.writing(tmp_path / "file"))
    found = (tmp_path / "file").stat()
    assert (found.st_uid, found.st_gid) == owner
    publish(streams.writing(tmp_path / "file", Look()))
    assert (tmp_path / "file").stat().st_uid == os.geteuid()


def test_a_link_is_followed_when_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("folder/file")
    (tmp_path / "dangling").symlink_to("folder/other")
    for name in ("link", "dangling"):
        output = streams.writing(tmp_path / name)
        write(output, b"new")
        publish(output)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_bytes() == b"new"
    assert names(tmp_path / "folder") == ["file", "other"]


def test_a_device_a_fifo_and_an_open_descriptor_are_written_through(tmp_path: Path) -> None:
    null = streams.writing(Path("/dev/null"))
    write(null, b"x")
    publish(null)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    os.mkfifo(tmp_path / "fifo")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "fifo").read_bytes()))
    reader.start()
    through = streams.writing(tmp_path / "fifo")
    write(through, b"through")
    publish(through)
    reader.join()
    assert got == [b"through"]
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"before ")
        file.flush()
        numbered = streams.writing(Path(f"/dev/fd/{file.fileno()}"))
        write(numbered, b"after")
        publish(numbered)
        assert (isinstance(numbered, Through), (tmp_path / "file").read_bytes()) == (True, b"before after")
        file.fileno()  # it stays open


def test_nobody_who_reads_is_told_apart_from_a_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        write(Through(writing, "a pipe", close=True), b"x")
    os.close(writing)
    with pytest.raises(errors.InputOutputError, match="/dev/full: No space left"):
        write(streams.writing(Path("/dev/full")), b"x")


@pytest.mark.parametrize(("name", "reason"), [("", "is a directory"), ("a/b", "No such file"), ("file/b", "Not a dir")])
def test_what_cannot_be_written_is_named_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.InputOutputError) as caught:
        streams.writing(Path(name))
    assert caught.value.message.startswith(f"{name or '.'}: {reason}")
    assert names(tmp_path) == ["file"]


def test_a_name_as_long_as_a_name_may_be_is_written(tmp_path: Path) -> None:
    publish(streams.writing(tmp_path / ("\u00e4" * 127)))
    assert names(tmp_path) == ["\u00e4" * 127]


def test_parts_may_be_written_at_places_in_any_order(tmp_path: Path) -> None:
    output = streams.writing(tmp_path / "file")
    assert isinstance(output, New)
    output.pwrite(memoryview(b"world"), 6)
    output.pwrite(memoryview(b"hello "), 0)
    publish(output)
    assert (tmp_path / "file").read_bytes() == b"hello world"


def test_a_spool_has_no_name_for_others_and_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    spooled = streams.spool()
    write(spooled, b"unverified " * 200_000)
    (only,) = tmp_path.iterdir()
    assert mode(only) == 0o600
    with (tmp_path / "out").open("wb") as file:
        streams.copy(spooled, Through(file.fileno(), "out", close=False), piece=1000)
    spooled.drop()
    assert (tmp_path / "out").read_bytes() == b"unverified " * 200_000
    assert names(tmp_path) == ["out"]


def test_memory_keeps_what_fits_and_refuses_more() -> None:
    kept = Memory(5)
    write(kept, b"abc")
    write(kept, b"de")
    assert kept.data == b"abcde"
    with pytest.raises(errors.MessageLimitError):
        write(kept, b"f")
