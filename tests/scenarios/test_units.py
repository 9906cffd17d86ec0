"""The units of systemd in docs/systemd run a command that there is, and name pages that there are."""

import configparser
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kmscli.awsapi.listening import is_loopback
from kmscli.awsapi.worker import GRACE_SECONDS
from kmscli.cli._catalog import pages
from kmscli.errors import EXIT_CODES

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "docs" / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
KMS = str(Path(sys.executable).parent / "kms")
ANALYZE = shutil.which("systemd-analyze")


def unit(path: Path) -> configparser.ConfigParser:
    """A unit file, read strictly: no section and no setting twice."""
    found = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    found.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    found.read_string(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", UNITS, ids=[path.name for path in UNITS])
def test_a_unit_says_what_it_is_and_where_its_page_is(path: Path) -> None:
    section = unit(path)["Unit"]
    assert section["Description"]
    page = section["Documentation"].removeprefix("man:").replace("(1)", ".1")
    assert (ROOT / "man" / page).is_file()


@pytest.mark.parametrize("path", SERVICES, ids=[path.name for path in SERVICES])
def test_a_service_runs_a_verb_with_options_that_it_has(path: Path) -> None:
    words = shlex.split(unit(path)["Service"]["ExecStart"])
    assert words[:2] in [["kms", *page.words] for page in pages()]
    shown = subprocess.run([KMS, *words[1:], "--help"], check=False, capture_output=True, text=True)
    assert (shown.returncode, shown.stderr) == (0, "")


def test_each_service_is_started_by_a_timer_or_a_socket() -> None:
    starting = {path.stem for path in UNITS if path.suffix in (".timer", ".socket")}
    assert starting == {path.stem for path in SERVICES}


def test_the_endpoint_ends_and_starts_as_its_unit_thinks() -> None:
    found = unit(ROOT / "docs" / "systemd" / "kms-serve.service")["Service"]
    assert found["Type"] == "notify"
    assert int(found["TimeoutStopSec"]) > GRACE_SECONDS
    final = set(map(int, found["RestartPreventExitStatus"].split()))
    assert final == {code for code in EXIT_CODES if 50 <= code < 60}
    listening = unit(ROOT / "docs" / "systemd" / "kms-serve.socket")["Socket"]["ListenStream"]
    assert is_loopback(listening.rpartition(":")[0])


@pytest.mark.parametrize("path", UNITS, ids=[path.name for path in UNITS])
def test_systemd_understands_a_unit(path: Path, tmp_path: Path) -> None:
    for each in UNITS:
        text = each.read_text(encoding="utf-8").replace("ExecStart=kms ", f"ExecStart={sys.executable} ")
        (tmp_path / each.name).write_text(text.replace("Documentation=man:", "Documentation=https://example.com/"))
    words = [str(ANALYZE), "verify", "--recursive-errors=no", str(tmp_path / path.name)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if path.name in line] == []


if ANALYZE is None:
    # No skip: no machine must have systemd for the tests, and those above read the units strictly.
    del test_systemd_understands_a_unit
