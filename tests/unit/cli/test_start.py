"""What happens before a command does: the process is protected, and little is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = [
    "cryptography",
    "argon2",
    "sqlite3",
    "rich",
    "jmespath",
    "hashlib",
    "tomllib",
    "json",
    "_hashlib",
    "kmscli.vault",
]


def loaded(*words: str) -> set[str]:
    """The modules that are loaded when a command line has run."""
    code = f"""
import os, sys
from kmscli.cli._app import run
sys.stdout = open(os.devnull, "w")
run({list(words)!r})
print("\\n".join(sys.modules), file=sys.__stdout__)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ended.stdout.split("\n"))


@pytest.mark.parametrize("words", [["--help"], ["version", "--help"], ["nonsense"]])
def test_help_loads_nothing_that_works_on_a_vault(words: list[str]) -> None:
    assert loaded(*words) & {*HEAVY, "kmscli.cli._api", "kmscli.cli.slot", "kmscli.cli.init"} == set()


def test_help_of_an_operation_loads_no_cryptography_and_no_database() -> None:
    assert loaded("encrypt", "--help") & {"cryptography", "argon2", "sqlite3", "hashlib", "_hashlib", "json"} == set()


def test_no_verb_loads_what_only_prints_tables_or_queries() -> None:
    assert loaded("--vault", "/nowhere", "list-keys") & {"rich", "jmespath", "tomllib", "json", "argon2"} == set()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux keeps these facts in /proc")
def test_the_process_is_protected_before_anything_else() -> None:
    code = """
import resource, sys
from kmscli import _fast
_fast._protect()
import os
old = os.umask(0)
print(oct(old), resource.getrlimit(resource.RLIMIT_CORE), os.stat("/proc/self/mem").st_uid == os.getuid())
import ctypes
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[0].startswith("0o77 (0, 0)")
    assert ended.stdout.splitlines()[1] == "0"


def test_a_closed_stream_does_not_give_its_number_to_the_next_file(tmp_path: Path) -> None:
    code = f"""
import os
from kmscli.storage.inputs import hold_standard_streams
hold_standard_streams()
number = os.open({str(tmp_path / "file")!r}, os.O_CREAT | os.O_WRONLY)
os.write(number, str(number).encode())
"""
    ended = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, code], cwd=ROOT, check=False, timeout=60
    )
    assert ended.returncode == 0
    assert int((tmp_path / "file").read_text()) > 2
