"""What `kms exec` promises of the program that takes its place: process, terminal, signals, and files on no disk."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

SECRET = "correct horse"
NO_MEMORY_FILES = "import os; del os.memfd_create; from kmscli._fast import main; main()"


@pytest.fixture
def work(environ: dict[str, str], home: Path) -> Path:
    """A folder with an encrypted file."""
    (home / "plain").write_text(SECRET + "\n")
    subprocess.run(["kms", "encrypt", "plain", "-o", "db.kms"], env=environ, cwd=home, check=True, capture_output=True)
    (home / "plain").unlink()
    return home


def start(work: Path, environ: dict[str, str], script: str, *options: str) -> subprocess.Popen[str]:
    words = ["kms", "exec", *(options or ("--env", "A=db.kms")), "--", "sh", "-c", script]
    return subprocess.Popen(
        words, env=environ, cwd=work, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_the_program_is_the_same_process(work: Path, environ: dict[str, str]) -> None:
    child = start(work, environ, "echo $$ $A")
    out, err = child.communicate(timeout=60)
    assert (out, err, child.returncode) == (f"{child.pid} {SECRET}\n", "", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_to_the_process_is_one_to_the_program(
    work: Path, environ: dict[str, str], number: signal.Signals
) -> None:
    child = start(work, environ, f"trap 'echo caught; exit 7' {number}; echo ready; read x; sleep 60")
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(number)
    out, _ = child.communicate(timeout=60)
    assert (out, child.returncode) == ("caught\n", 7)


def test_the_terminal_is_the_program_s(work: Path, environ: dict[str, str]) -> None:
    words = ["exec", "--env", "A=db.kms", "--", "sh", "-c", "stty -echo; read x; echo got $x; stty echo; sleep 60"]
    child = pexpect.spawn("kms", words, env=environ, cwd=str(work), encoding="utf-8", timeout=60)
    child.waitnoecho()
    child.sendline("typed")
    child.expect("got typed")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.signalstatus == signal.SIGINT


def test_the_passphrase_is_asked_for_before_the_program_has_the_terminal(work: Path, environ: dict[str, str]) -> None:
    (work / "pass").write_text("a passphrase\n")
    (work / "pass").chmod(0o600)
    command = ["kms", "slot", "add", "--label", "pass", "--new-passphrase-file", "pass"]
    subprocess.run(command, env=environ, cwd=work, check=True, capture_output=True)
    person: dict[str, str] = {name: value for name, value in environ.items() if not name.startswith("KMS_")}
    words = ["--vault", "vault", "exec", "--env", "A=db.kms", "--", "sh", "-c", "echo is $A"]
    child = pexpect.spawn("kms", words, env=person, cwd=str(work), encoding="utf-8", timeout=60)  # type: ignore[arg-type]
    child.expect("Passphrase of admin: ")
    child.sendline("a passphrase")
    child.expect(f"is {SECRET}")
    child.expect(pexpect.EOF)


def test_a_passphrase_that_came_by_a_descriptor_is_closed_to_the_program(work: Path, environ: dict[str, str]) -> None:
    (work / "pass").write_text("a passphrase\n")
    (work / "pass").chmod(0o600)
    command = ["kms", "slot", "add", "--label", "pass", "--new-passphrase-file", "pass"]
    subprocess.run(command, env=environ, cwd=work, check=True, capture_output=True)
    script = "kms exec --passphrase-fd 7 --env A=db.kms -- sh -c 'echo $A; ls /proc/self/fd' 7<pass"
    ended = subprocess.run(["sh", "-c", script], env=environ, cwd=work, capture_output=True, text=True, check=True)
    first, *numbers = ended.stdout.split("\n")
    assert (first, "7" in numbers) == (SECRET, False)


# -- where the system has no files in memory ---------------------------------------------------------------------------


def without_memory(work: Path, environ: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    (work / "run").mkdir()
    words = [sys.executable, "-c", NO_MEMORY_FILES, "exec", "--file", "A=db.kms", "--", *command]
    more = {"XDG_RUNTIME_DIR": str(work / "run"), "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(words, env=environ | more, cwd=work, capture_output=True, text=True, check=False, timeout=60)


def left_of(folder: Path) -> list[Path]:
    """What is left in a folder when nothing more happens there, or after five seconds."""
    end = time.monotonic() + 5
    while (found := list(folder.iterdir())) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def test_a_fifo_takes_the_place_of_a_file_in_memory(work: Path, environ: dict[str, str]) -> None:
    script = 'stat -c "%a %F" $A $(dirname $A); cat $A; ls $A 2>/dev/null'
    ended = without_memory(work, environ, "sh", "-c", script)
    assert (ended.stdout, ended.stderr) == (f"600 fifo\n700 directory\n{SECRET}\n", "")
    assert left_of(work / "run") == []


@pytest.mark.parametrize("script", ["exit 3", "kill -KILL $$", "head -c 1 $A; exit 3"])
def test_the_fifo_goes_when_the_program_does(work: Path, environ: dict[str, str], script: str) -> None:
    ended = without_memory(work, environ, "sh", "-c", script)
    assert ended.returncode in {3, -signal.SIGKILL}
    assert left_of(work / "run") == []


def test_the_program_has_no_child_that_it_does_not_know(work: Path, environ: dict[str, str]) -> None:
    code = (
        "import os, pathlib\ntry: os.wait()\nexcept ChildProcessError: print(pathlib.Path(os.environ['A']).read_text())"
    )
    ended = without_memory(work, environ, sys.executable, "-c", code)
    assert ended.stdout == f"{SECRET}\n\n"


@pytest.mark.needs("strace")
def test_no_plaintext_is_written_but_to_memory_or_stands_in_a_command_line(work: Path, environ: dict[str, str]) -> None:
    calls = "trace=write,pwrite64,writev,pwritev,execve,sendto,sendmsg"
    trace = ["strace", "-f", "-qq", "-y", "-v", "-s", "4096", "-e", calls, "-o", "trace"]
    words = ["kms", "exec", "--env", "A=db.kms", "--file", "B=db.kms", "--", "true"]
    subprocess.run([*trace, *words], env=environ, cwd=work, check=True, capture_output=True)
    told = [line for line in (work / "trace").read_text().splitlines() if SECRET in line]
    written = [line for line in told if "execve(" not in line]
    assert [line for line in written if "<memfd:B>" not in line and "</memfd:B" not in line] == []
    assert written
    # The environment of the program has it, its argument list does not.
    runs = [line.partition("], [") for line in told if "execve(" in line]
    assert [words for words, _, _ in runs if SECRET in words] == []
    assert all(f"A={SECRET}" in variables for _, _, variables in runs)
    assert runs
