"""The recipe of the README under `make -j32`, while keys are made and rotated beside it."""

import json
import subprocess
from pathlib import Path

import pytest

FILES = 40
RULE = "%.kms: %\n\tkms encrypt -k alias/app $< -o $@\n"


def _kms(environ: dict[str, str], home: Path, *words: str) -> bytes:
    done = subprocess.run(["kms", *words], env=environ, cwd=home, capture_output=True, check=False, timeout=120)
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.fixture
def work(environ: dict[str, str], home: Path) -> Path:
    _kms(environ, home, "create-key", "--alias", "alias/app")
    for number in range(FILES):
        (home / f"secret{number}").write_text(f"the secret of file {number}\n")
    names = " ".join(f"secret{number}.kms" for number in range(FILES))
    (home / "Makefile").write_text(f"all: {names} rotated created\n{RULE}")
    with (home / "Makefile").open("a") as makefile:
        makefile.write("rotated:\n\tfor i in 1 2 3 4 5; do kms rotate-key-on-demand --key-id alias/app; done\n")
        makefile.write("created:\n\tfor i in 1 2 3 4 5; do kms create-key --alias alias/made-$$i; done\n")
    return home


def test_make_j32_loses_nothing_while_the_key_rotates(work: Path, environ: dict[str, str]) -> None:
    done = subprocess.run(["make", "-j32"], env=environ, cwd=work, capture_output=True, check=False, timeout=300)

    assert (0, b"") == (done.returncode, done.stderr)
    for number in range(0, FILES, 5):
        expected = f"the secret of file {number}\n".encode()
        assert expected == _kms(environ, work, "decrypt", f"secret{number}.kms")
    events = json.loads(_kms(environ, work, "audit", "tail", "--lines", "1000", "--output", "json"))["Events"]
    assert list(range(1, len(events) + 1)) == [event["chain"]["seq"] for event in events]
    names = [event["eventName"] for event in events]
    assert (FILES, 5, 6) == tuple(names.count(name) for name in ("Encrypt", "RotateKeyOnDemand", "CreateKey"))
    rotations = json.loads(_kms(environ, work, "list-key-rotations", "--key-id", "alias/app"))["Rotations"]
    assert 5 == len(rotations)
    _kms(environ, work, "audit", "verify", "--full")
