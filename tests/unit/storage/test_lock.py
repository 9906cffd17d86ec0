"""The vault's lock and the queue of derivations: bounded waits, and nothing left behind."""

import fcntl
import os
import signal
import time
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.storage.files import create_private
from kmscli.storage.lock import derivation_queue, folder_lock, is_free, vault_lock
from tests.helpers import forked


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    create_private(tmp_path / "lock", b"")
    return tmp_path / "lock"


def test_the_lock_is_free_before_and_after(lock: Path) -> None:
    assert is_free(lock)
    with vault_lock(lock, timeout=0):
        assert not is_free(lock)
    assert is_free(lock)


def test_an_exception_frees_the_lock(lock: Path) -> None:
    with pytest.raises(KeyError), vault_lock(lock, timeout=0):
        raise KeyError
    assert is_free(lock)


@pytest.mark.parametrize("timeout", [0, 0.2])
def test_a_lock_that_is_held_times_out(lock: Path, timeout: float) -> None:
    began = time.monotonic()
    with (
        vault_lock(lock, timeout=0),
        pytest.raises(errors.LockTimeoutError) as caught,
        vault_lock(lock, timeout=timeout),
    ):
        pass
    assert timeout <= time.monotonic() - began < timeout + 1
    assert caught.value.exit_code == 11
    assert caught.value.message == f"the vault stayed locked by another process for {timeout:g} seconds"


def test_a_waiter_gets_the_lock_when_it_is_freed(lock: Path) -> None:
    # The child is forked first, for a lock that is held crosses a fork and would be the child's as well.
    gate, found_busy = os.pipe(), os.pipe()

    def wait() -> str:
        os.read(gate[0], 1)
        with pytest.raises(errors.LockTimeoutError), vault_lock(lock, timeout=0):
            pass
        os.write(found_busy[1], b".")
        with vault_lock(lock, timeout=10):
            return "taken"

    waiter = forked(wait)
    with vault_lock(lock, timeout=0):
        os.write(gate[1], b".")
        os.read(found_busy[0], 1)
    assert waiter.result() == "taken"
    for descriptor in (*gate, *found_busy):
        os.close(descriptor)


def test_a_killed_holder_leaves_the_lock_free(lock: Path) -> None:
    holder = forked(lambda: _hold(lock))
    while is_free(lock):
        time.sleep(0.001)
    os.kill(holder.pid, signal.SIGKILL)
    with vault_lock(lock, timeout=10):
        pass
    assert holder.wait() == -signal.SIGKILL


def _hold(lock: Path) -> None:
    with vault_lock(lock, timeout=10):
        signal.pause()


def test_the_queue_of_derivations_and_the_vault_s_lock_are_independent(lock: Path) -> None:
    def derive_while_locked() -> str:
        with derivation_queue(lock, timeout=0):
            return "derived"

    with vault_lock(lock, timeout=0):
        assert forked(derive_while_locked).result() == "derived"


def test_one_derivation_at_a_time(lock: Path) -> None:
    def derive() -> str:
        try:
            with derivation_queue(lock, timeout=0):
                return "derived"
        except errors.LockTimeoutError:
            return "timed out"

    with derivation_queue(lock, timeout=0):
        assert forked(derive).result() == "timed out"
    assert forked(derive).result() == "derived"


def test_a_lock_that_is_no_private_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "open").write_bytes(b"")
    (tmp_path / "open").chmod(0o644)
    with pytest.raises(errors.UnsafeVaultError), vault_lock(tmp_path / "link", timeout=0):
        pass
    with pytest.raises(errors.UnsafeVaultError), vault_lock(tmp_path / "open", timeout=0):
        pass
    with pytest.raises(errors.VaultTamperedError, match="missing"), vault_lock(tmp_path / "none", timeout=0):
        pass


def test_one_process_at_a_time_holds_a_folder(tmp_path: Path) -> None:
    with folder_lock(tmp_path, timeout=0), pytest.raises(errors.LockTimeoutError), folder_lock(tmp_path, timeout=0):
        pass
    with folder_lock(tmp_path, timeout=0):
        pass
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(errors.InputOutputError), folder_lock(tmp_path / "none", timeout=0):
        pass


def test_a_lock_that_is_not_there_is_free(tmp_path: Path) -> None:
    assert is_free(tmp_path / "none")


def test_no_descriptor_of_the_lock_goes_to_a_program_that_is_started(lock: Path) -> None:
    with vault_lock(lock, timeout=0):
        (opened,) = [int(path.name) for path in Path("/proc/self/fd").iterdir() if path.resolve() == lock]
        assert fcntl.fcntl(opened, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
