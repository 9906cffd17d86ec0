"""The real command under strace: its write-like system calls counted, and one of them killed or failed.

strace sends the signal before the call is made, so killing at each call in turn visits each state that lies between two
calls. A call is named by its system call and its number among the calls of that name, as `inject=...:when=` counts.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

WRITE_LIKE = (
    "write",
    "pwrite64",
    "ftruncate",
    "truncate",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "openat",
    "fchmod",
    "fchown",
)
_CALL = re.compile(r"^(?:[0-9]+ +)?([a-z0-9]+)\((.*)$")
_MAIN = "from kmscli._fast import main; main()"
_ROOT = Path(__file__).parents[2]
SECONDS = 60


class Call(NamedTuple):
    """One write-like call.

    Attributes:
        name: Of the system call.
        number: Which of the calls of that name it is, from 1.
        file: What it works on, without what differs from run to run; "" where the tracer may not look into a process
            that has made itself undumpable, as kms does.
    """

    name: str
    number: int
    file: str


class Ended(NamedTuple):
    """How a command ended: its exit code, negative for a signal."""

    code: int
    stdout: str
    stderr: str


class Command(NamedTuple):
    """A command line of kms, to be run in a folder of a user."""

    arguments: tuple[str, ...]
    home: Path

    def run(self) -> Ended:
        return self._run([])

    def calls(self) -> list[Call]:
        """Run it to its end; its write-like calls in order."""
        return _parse(self.trace(WRITE_LIKE, "-y"))

    def trace(self, names: Iterable[str], *options: str) -> str:
        """Run it to its end; what strace tells of the calls of these names, a line each."""
        trace = self.home / "trace"
        ended = self._run([*options, "-o", str(trace), "-e", f"trace={','.join(names)}"])
        if ended.code:
            raise AssertionError(ended)
        text = trace.read_text(errors="replace")
        trace.unlink()
        return text

    def killed_at(self, call: Call) -> Ended:
        return self._injected(call.name, str(call.number), "signal=KILL")

    def failed_at(self, call: Call, errno: str) -> Ended:
        return self.failed_when(call.name, str(call.number), errno)

    def full_from(self, name: str, number: int) -> Ended:
        """Run it on a disk that is full from one call of that name on."""
        return self.failed_when(name, f"{number}+", "ENOSPC")

    def failed_when(self, name: str, when: str, errno: str) -> Ended:
        """Run it where calls of a name fail; `when` is FIRST[..LAST][+STEP], as strace counts, in each thread anew."""
        return self._injected(name, when, f"error={errno}")

    def _injected(self, name: str, when: str, fault: str) -> Ended:
        return self._run(["-o", os.devnull, "-e", f"trace={name}", "-e", f"inject={name}:{fault}:when={when}"])

    def _run(self, options: list[str]) -> Ended:
        strace = ["strace", "-f", *options, "--"] if options else []
        done = subprocess.run(
            [*strace, sys.executable, "-c", _MAIN, *self.arguments],
            cwd=self.home,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def _environment(self) -> dict[str, str]:
        # A run must do as the run before did, call by call.
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "KMS_VAULT": str(self.home / "vault"),
            "KMS_KEYFILE": str(self.home / "keyfile"),
            "KMS_NO_INPUT": "1",
            "PYTHONPATH": str(_ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
        }


def _parse(trace: str) -> list[Call]:
    counts: Counter[str] = Counter()
    calls = []
    for line in trace.splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        name, arguments = match.groups()
        counts[name] += 1
        if name != "openat" or "O_CREAT" in arguments or "O_TMPFILE" in arguments:
            calls.append(Call(name, counts[name], _file(arguments)))
    return calls


def _file(arguments: str) -> str:
    found = re.search(r'"(/[^"]*)"', arguments) or re.search(r"^[0-9]+<(/[^>]*)>", arguments)
    path = found[1] if found else ""
    return re.sub(r"[0-9a-f]{8,}|[0-9]{6,}", "N", "/".join(path.split("/")[-2:]))


def some(calls: list[Call], turn: int, *, every: int) -> list[Call]:
    """Of the last calls of each name on each file, every so many, starting at another one each turn."""
    last = {(call.name, call.file): call for call in calls}
    return sorted(last.values(), key=calls.index)[turn % every :: every]
