"""Files: whole or not at all, closed to others, no link followed where a secret lies."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.storage import files


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    old = os.umask(0o022)
    yield
    os.umask(old)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- replace_file ------------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.replace_file(path, b"old")
    files.replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("bits", [0o600, 0o644, 0o666])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_file_gets_the_bits_asked_for_whatever_the_umask(tmp_path: Path, bits: int, umask: int) -> None:
    os.umask(umask)
    files.replace_file(tmp_path / "file", b"", mode=bits)
    assert mode(tmp_path / "file") == bits


def test_an_old_file_stays_when_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        files.replace_file(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        files.replace_file(tmp_path / "file", b"")
    assert names(tmp_path) == ["file"]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"target")
    (tmp_path / "file").symlink_to("target")
    files.replace_file(tmp_path / "file", b"new")
    assert (tmp_path / "target").read_bytes() == b"target"
    assert not (tmp_path / "file").is_symlink()


def test_a_temporary_file_of_a_dead_process_is_in_nobody_s_way(tmp_path: Path) -> None:
    # In a container every run may have the same process id, so a crash must not block the next run.
    (tmp_path / f".file.{os.getpid()}.tmp").write_bytes(b"left by a crash")
    files.replace_file(tmp_path / "file", b"new")
    files.create_private(tmp_path / "other", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_name_as_long_as_a_name_may_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("\u00e4" * 127)
    files.replace_file(path, b"new")
    files.write_output(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_threads_of_one_process_do_not_disturb_each_other(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                files.replace_file(tmp_path / "file", bytes([number]) * 1000, durable=False)
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(set((tmp_path / "file").read_bytes())) == 1
    assert names(tmp_path) == ["file"]


# -- create_private ----------------------------------------------------------------------------------------------------


def test_a_private_file_is_new_and_this_user_s_alone(tmp_path: Path) -> None:
    os.umask(0)
    files.create_private(tmp_path / "secret", b"s")
    assert ((tmp_path / "secret").read_bytes(), mode(tmp_path / "secret")) == (b"s", 0o600)
    assert (tmp_path / "secret").stat().st_nlink == 1
    assert names(tmp_path) == ["secret"]


@pytest.mark.parametrize("there", ["file", "link", "dangling link", "folder"])
def test_a_private_file_is_never_written_over_anything(tmp_path: Path, there: str) -> None:
    path = tmp_path / "secret"
    (tmp_path / "target").write_bytes(b"old")
    if there == "file":
        path.write_bytes(b"old")
    elif there == "folder":
        path.mkdir()
    else:
        path.symlink_to("target" if there == "link" else "nowhere")
    with pytest.raises(errors.FileExistsAlreadyError) as caught:
        files.create_private(path, b"new")
    assert caught.value.exit_code == 21
    assert (tmp_path / "target").read_bytes() == b"old"
    assert names(tmp_path) == ["secret", "target"]


def test_a_private_file_in_no_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(errors.InputOutputError, match="nowhere/secret: No such file or directory"):
        files.create_private(tmp_path / "nowhere" / "secret", b"")


# -- make_folders ------------------------------------------------------------------------------------------------------


def test_missing_folders_are_made_for_this_user_alone(tmp_path: Path) -> None:
    os.umask(0)
    files.make_folders(tmp_path / "a" / "b")
    files.make_folders(tmp_path / "a" / "b")
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o700, 0o700)


# -- write_output ------------------------------------------------------------------------------------------------------


def test_a_new_output_is_private(tmp_path: Path) -> None:
    files.write_output(tmp_path / "out", b"x")
    assert ((tmp_path / "out").read_bytes(), mode(tmp_path / "out")) == (b"x", 0o600)


@pytest.mark.parametrize("bits", [0o400, 0o640, 0o664])
def test_an_output_keeps_the_bits_of_the_old_file(tmp_path: Path, bits: int) -> None:
    (tmp_path / "out").write_bytes(b"old")
    (tmp_path / "out").chmod(bits)
    files.write_output(tmp_path / "out", b"new")
    assert ((tmp_path / "out").read_bytes(), mode(tmp_path / "out")) == (b"new", bits)


def test_bits_that_are_asked_for_come_before_those_of_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    files.write_output(tmp_path / "out", b"new", mode=0o600)
    assert mode(tmp_path / "out") == 0o600


def test_an_output_follows_a_link_and_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "out").symlink_to("folder/real")
    files.write_output(tmp_path / "out", b"x")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "folder" / "real").read_bytes() == b"x"
    assert names(tmp_path) == ["folder", "out"]


def test_an_output_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(errors.InputOutputError, match="is a directory"):
        files.write_output(tmp_path, b"x")


def test_an_output_in_no_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(errors.InputOutputError) as caught:
        files.write_output(tmp_path / "nowhere" / "out", b"x")
    assert caught.value.exit_code == 1
    assert str(tmp_path / "nowhere" / "out") in caught.value.message


def test_a_device_is_written_through() -> None:
    files.write_output(Path("/dev/null"), b"x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_full_device_is_an_error() -> None:
    with pytest.raises(errors.InputOutputError, match="No space left"):
        files.write_output(Path("/dev/full"), b"x")


def test_a_fifo_is_written_through(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "fifo").read_bytes()))
    reader.start()
    files.write_output(tmp_path / "fifo", b"x" * 100_000)
    reader.join()
    assert found == [b"x" * 100_000]


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_a_descriptor_s_name_means_the_descriptor(tmp_path: Path, name: str) -> None:
    with (tmp_path / "out").open("wb") as out:
        files.write_output(Path(name.format(out.fileno())), b"one")
        files.write_output(Path(name.format(out.fileno())), b"two")
    assert (tmp_path / "out").read_bytes() == b"onetwo"


def test_a_descriptor_that_is_not_open_is_an_error() -> None:
    with pytest.raises(errors.InputOutputError):
        files.write_output(Path("/dev/fd/999999"), b"x")


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "read"), [(0, 0), (10, 10), (11, 11), (5000, 11)])
def test_one_byte_more_than_allowed_is_read_and_no_more(tmp_path: Path, size: int, read: int) -> None:
    (tmp_path / "in").write_bytes(b"x" * size)
    assert len(files.read_input(tmp_path / "in", limit=10)) == read


def test_an_endless_input_is_read_to_the_limit() -> None:
    assert len(files.read_input(Path("/dev/zero"), limit=3_000_000)) == 3_000_001


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_an_input_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.InputOutputError, match=str(tmp_path)):
        files.read_input(tmp_path / name, limit=10)


def test_a_private_secret_is_read(tmp_path: Path) -> None:
    files.create_private(tmp_path / "secret", b"s\n")
    assert files.read_secret(tmp_path / "secret") == b"s\n"


@pytest.mark.parametrize("bits", [0o604, 0o640, 0o620, 0o601, 0o666])
def test_a_secret_that_others_can_reach_is_refused(tmp_path: Path, bits: int) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "secret").chmod(bits)
    with pytest.raises(errors.UnsafeFileError) as caught:
        files.read_secret(tmp_path / "secret")
    assert caught.value.exit_code == 2
    assert caught.value.hint == f"chmod 600 {tmp_path / 'secret'}"


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a file belong to somebody else than who runs the test; who is not root becomes somebody else himself."""
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)


def test_a_secret_of_somebody_else_is_refused_unless_root_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "secret").chmod(0o600)
    give_away(tmp_path / "secret", monkeypatch)
    with pytest.raises(errors.UnsafeFileError, match="somebody else"):
        files.read_secret(tmp_path / "secret")


def test_a_secret_comes_from_a_fifo_whatever_its_bits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o666)
    writer = threading.Thread(target=lambda: (tmp_path / "fifo").write_bytes(b"from a fifo"))
    writer.start()
    assert files.read_secret(tmp_path / "fifo") == b"from a fifo"
    writer.join()


def test_a_secret_is_read_through_a_link(tmp_path: Path) -> None:
    files.create_private(tmp_path / "secret", b"s")
    (tmp_path / "link").symlink_to("secret")
    assert files.read_secret(tmp_path / "link") == b"s"


def test_a_secret_ends_at_64_kib(tmp_path: Path) -> None:
    files.create_private(tmp_path / "secret", bytes(100_000))
    assert len(files.read_secret(tmp_path / "secret")) == 64 * 1024


def test_a_secret_comes_from_a_descriptor() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe")
    os.close(writing)
    assert files.read_descriptor(reading) == b"from a pipe"
    os.close(reading)


@pytest.mark.parametrize("number", [-1, 999_999])
def test_a_descriptor_that_is_not_there_is_named(number: int) -> None:
    with pytest.raises(errors.InputOutputError, match=f"file descriptor {number}: Bad file descriptor"):
        files.read_descriptor(number)


# -- check_private -----------------------------------------------------------------------------------------------------


def unsafe(path: Path, *, folder: bool = False) -> str:
    with pytest.raises(errors.UnsafeVaultError) as caught:
        files.check_private(path, path.lstat(), folder=folder)
    assert caught.value.exit_code == 50
    return caught.value.message


def test_a_file_of_a_vault_is_a_private_regular_file(tmp_path: Path) -> None:
    files.create_private(tmp_path / "file", b"")
    tmp_path.chmod(0o700)
    files.check_private(tmp_path / "file", (tmp_path / "file").lstat())
    files.check_private(tmp_path, tmp_path.lstat(), folder=True)


@pytest.mark.parametrize("bits", [0o610, 0o604, 0o644, 0o777])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, bits: int) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "file").chmod(bits)
    assert "is open to other users" in unsafe(tmp_path / "file")


def test_a_link_a_fifo_and_a_folder_are_no_files_of_a_vault(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo", 0o600)
    for name in ("link", "fifo", "."):
        assert "is not a regular file" in unsafe(tmp_path / name)
    files.create_private(tmp_path / "file", b"")
    assert "is not a regular folder" in unsafe(tmp_path / "file", folder=True)


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.create_private(tmp_path / "file", b"")
    give_away(tmp_path / "file", monkeypatch)
    assert "belongs to another user" in unsafe(tmp_path / "file")


def test_a_write_that_the_system_cuts_short_goes_on(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    data = os.urandom(300_000)

    def write() -> None:
        files.write_all(writing, data)
        os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    found = b""
    while thread.is_alive() or len(found) < len(data):
        try:
            found += os.read(reading, 1 << 20)
        except BlockingIOError:
            continue
    thread.join()
    os.close(reading)
    assert found == data


def test_a_file_that_was_made_is_removed_and_what_took_its_place_is_not(tmp_path: Path) -> None:
    path, moved = tmp_path / "a", tmp_path / "b"
    path.write_text("ours")
    made = files.identity(path.lstat())
    path.rename(moved)
    path.symlink_to(moved)
    files.remove_made(path, made)
    assert path.is_symlink()
    files.remove_made(moved, made)
    assert not moved.exists()
    with pytest.raises(FileNotFoundError):
        files.remove_made(moved, made)
