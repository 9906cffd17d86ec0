"""The real command for scenario tests: on PATH, with a vault of its own, and nothing of the caller's environment."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds `kms`: the installed script, or one that runs this checkout."""
    folder = tmp_path_factory.mktemp("bin")
    installed = Path(sys.executable).parent / "kms"
    if installed.exists():
        (folder / "kms").symlink_to(installed)
    else:
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from kmscli._fast import main; main()"
        (folder / "kms").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
        (folder / "kms").chmod(0o755)
    return folder


def environment(programs: Path, home: Path) -> dict[str, str]:
    """What a command sees: a home of its own, a keyfile in it, and nobody to ask."""
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "KMS_VAULT": str(home / "vault"),
        "KMS_KEYFILE": str(home / "keyfile"),
        "KMS_NO_INPUT": "1",
        "XDG_STATE_HOME": str(home / "state"),
    }


@pytest.fixture(scope="session")
def template(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a fresh vault and its keyfile, to be copied."""
    home = tmp_path_factory.mktemp("template")
    command = ["kms", "init", "--quiet", "--new-keyfile", "keyfile"]
    subprocess.run(command, env=environment(programs, home), cwd=home, check=True, capture_output=True)
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    """A home of one test, with a fresh vault."""
    return Path(shutil.copytree(template, tmp_path / "home"))


@pytest.fixture
def environ(programs: Path, home: Path) -> dict[str, str]:
    """The environment of one test."""
    return environment(programs, home)
