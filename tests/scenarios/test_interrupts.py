"""Ctrl-C, and a polite request to end, while files are worked on: the old files are there, and nothing else.

The command ends within two seconds, also where a thread hangs in a read or a write, and says no more than one line.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pexpect
import pytest

LARGE = 96 << 20
FILES = 300
SECONDS = 2.0
"""At most, from the signal to the end."""
PATIENCE = 60.0
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
VERBS = pytest.mark.parametrize("verb", ["encrypt", "decrypt"])

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(environ: dict[str, str], home: Path) -> Iterator[Start]:
    """Starts the command."""
    with ExitStack() as running:

        def begin(*words: str, stdin: int | None = None, stdout: int | None = None) -> subprocess.Popen[bytes]:
            child = subprocess.Popen(
                ["kms", *words],
                env=environ,
                cwd=home,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=subprocess.DEVNULL if stdout is None else stdout,
                stderr=subprocess.PIPE,
            )
            running.enter_context(child)
            running.callback(child.kill)
            return child

        yield begin


def kms(environ: dict[str, str], home: Path, *words: str) -> None:
    done = subprocess.run(["kms", *words], env=environ, cwd=home, capture_output=True, check=False, timeout=120)
    assert 0 == done.returncode, done.stderr


def until(happened: Callable[[], object], child: subprocess.Popen[bytes]) -> None:
    """Wait, but not for a command that has ended."""
    last = time.monotonic() + PATIENCE
    while not happened():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < last, "it never came so far"
        time.sleep(0.001)


def interrupted(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send the signal and check how the command ends."""
    start = time.monotonic()
    child.send_signal(number)
    _, told = child.communicate(timeout=PATIENCE)
    taken = time.monotonic() - start
    if number == signal.SIGINT:
        assert (130, b"kms: error: Interrupted: interrupted\n") == (child.returncode, told)
    else:
        assert (-number, b"") == (child.returncode, told)  # a shell says 143 and 129
    assert taken < SECONDS


def temporary(folder: Path) -> list[Path]:
    """What has the name that an output has before it is whole."""
    return [path for place in (folder, folder / "d") for path in place.glob(".*.tmp")]


def written(folder: Path) -> bool:
    """Whether some of an output is there."""
    with contextlib.suppress(FileNotFoundError):
        return any(path.stat().st_size > 0 for path in temporary(folder))
    return False


def open_to_write(fifo: Path, child: subprocess.Popen[bytes]) -> int:
    """Open a FIFO when the command reads from it."""
    found: list[int] = []

    def opened() -> bool:
        with contextlib.suppress(OSError):  # nobody reads yet
            found.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        return bool(found)

    until(opened, child)
    os.set_blocking(found[0], True)
    return found[0]


@pytest.fixture
def given(environ: dict[str, str], home: Path, verb: str) -> Path:
    """A large input."""
    plain = home / "large"
    with plain.open("wb") as out:
        out.truncate(LARGE)
    if verb == "encrypt":
        return plain
    kms(environ, home, "encrypt", "large", "-o", "large.kms")
    return home / "large.kms"


@SIGNALS
@VERBS
def test_from_a_file_to_a_file(start: Start, home: Path, given: Path, number: signal.Signals) -> None:
    (home / "out").write_text("old")
    verb = "decrypt" if given.suffix else "encrypt"
    child = start(verb, given.name, "-o", "out")
    until(lambda: written(home), child)
    child.send_signal(signal.SIGSTOP)  # it might be done before the signal comes
    child.send_signal(number)
    child.send_signal(signal.SIGCONT)
    interrupted(child, number)
    assert ("old", []) == ((home / "out").read_text(), temporary(home))


@SIGNALS
@VERBS
def test_from_a_file_to_a_pipe_that_nobody_reads(start: Start, home: Path, given: Path, number: signal.Signals) -> None:
    read, write = os.pipe()
    child = start("decrypt" if given.suffix else "encrypt", given.name, stdout=write)
    os.close(write)
    with os.fdopen(read, "rb", buffering=0) as pipe:
        assert pipe.read(1 << 12)
        time.sleep(0.1)  # until all threads wait
        interrupted(child, number)
    assert [] == temporary(home)


@SIGNALS
@VERBS
@pytest.mark.parametrize("named", [True, False])
def test_from_a_pipe_in_which_a_thread_waits(
    start: Start, home: Path, given: Path, number: signal.Signals, *, named: bool
) -> None:
    (home / "out").write_text("old")
    verb = "decrypt" if given.suffix else "encrypt"
    if named:
        os.mkfifo(home / "fifo")
        child = start(verb, "fifo", "-o", "out")
        write = open_to_write(home / "fifo", child)
    else:
        read, write = os.pipe()
        child = start(verb, "-o", "out", stdin=read)
        os.close(read)
    with os.fdopen(write, "wb", buffering=0) as feed, given.open("rb") as source:
        feed.writelines(source.read(1 << 20) for _ in range(5))
        until(lambda: written(home), child)
        time.sleep(0.1)  # until a thread waits for more
        interrupted(child, number)
    assert ("old", []) == ((home / "out").read_text(), temporary(home))


def test_before_a_pipe_is_opened_at_its_other_end(start: Start, home: Path) -> None:
    os.mkfifo(home / "fifo")
    child = start("encrypt", "fifo", "-o", "out")
    time.sleep(1.0)
    interrupted(child, signal.SIGINT)
    assert ([], False) == (temporary(home), (home / "out").exists())


# -- many files --------------------------------------------------------------------------------------------------------


def content(number: int) -> bytes:
    return f"this is file {number}\n".encode() * (1 + number % 7 * 100)


@pytest.fixture
def many(environ: dict[str, str], home: Path, verb: str) -> Path:
    """A folder of files that a verb is for."""
    folder = home / "d"
    folder.mkdir()
    for number in range(FILES):
        (folder / str(number)).write_bytes(content(number))
    kms(environ, home, "create-key", "--alias", "alias/app")
    if verb != "encrypt":
        kms(environ, home, "encrypt", "-k", "alias/app", "--recursive", "--in-place", "d")
        kms(environ, home, "rotate-key-on-demand", "--key-id", "alias/app")
    return folder


WORDS = {
    "encrypt": ("encrypt", "-k", "alias/app", "--recursive", "--in-place", "d"),
    "decrypt": ("decrypt", "--recursive", "--in-place", "d"),
    "rewrap": ("rewrap", "--recursive", "d"),
}
MANY = pytest.mark.parametrize("verb", WORDS)


def states(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_whole(environ: dict[str, str], home: Path) -> None:
    """Every file is one that decrypts to what it was, or is that."""
    subprocess.run(["cp", "-r", "d", "copy"], cwd=home, check=True)
    kms(environ, home, "decrypt", "--recursive", "--in-place", "copy")
    assert {str(number): content(number) for number in range(FILES)} == states(home / "copy")
    subprocess.run(["rm", "-r", "copy"], cwd=home, check=True)


@SIGNALS
@MANY
def test_over_many_files_in_their_place(
    start: Start, environ: dict[str, str], home: Path, many: Path, verb: str, number: signal.Signals
) -> None:
    before = states(many)
    child = start(*WORDS[verb])
    until(lambda: (many / "0").read_bytes() != before["0"], child)
    interrupted(child, number)
    after = states(many)
    assert before.keys() == after.keys()
    assert 0 < sum(before[name] != after[name] for name in before) < FILES
    check_whole(environ, home)
    kms(environ, home, *WORDS[verb])
    after = states(many)
    assert FILES == sum(before[name] != after[name] for name in before)
    check_whole(environ, home)


@pytest.mark.long
@MANY
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_at_any_time_of_a_run(
    start: Start, environ: dict[str, str], home: Path, many: Path, verb: str, number: signal.Signals
) -> None:
    before = states(many)
    drawn = random.Random(number)
    begun = 0
    for turn in range(60):
        for name, data in before.items():
            (many / name).write_bytes(data)
        child = start(*WORDS[verb])
        until(lambda: temporary(many), child)
        time.sleep(drawn.uniform(0, 0.2))
        child.send_signal(number)
        child.communicate(timeout=PATIENCE)
        assert [] == temporary(home), turn
        begun += child.returncode != 0
        if not turn % 10:
            check_whole(environ, home)
    assert begun > 30


def test_at_a_terminal(environ: dict[str, str], home: Path) -> None:
    (home / "d").mkdir()
    for number in range(1000):  # several rounds, for the names of one come while the next one is written
        (home / "d" / str(number)).write_bytes(content(number))
    os.mkfifo(home / "z")  # the last input, which nobody writes to
    script = "trap : INT; kms encrypt --recursive d z; echo ended with $?"
    child = pexpect.spawn("bash", ["-c", script], env=environ, cwd=str(home), encoding="utf-8", timeout=60)
    for _ in range(1000):
        if list((home / "d").glob("*.kms")):
            break
        child.expect([r"\r", pexpect.TIMEOUT], timeout=0.01)
    else:
        pytest.fail("nothing was written in ten seconds")
    child.sendintr()
    start = time.monotonic()
    child.expect("kms: error: Interrupted: interrupted")
    child.expect("ended with 130")
    assert time.monotonic() - start < SECONDS
    assert [] == temporary(home)
    assert not (home / "z.kms").exists()
