"""The units of systemd in docs/systemd run a command that there is, and name pages that there are."""

import configparser
import shlex
from pathlib import Path

import pytest

from kmscli.cli._catalog import pages

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "docs" / "systemd").iterdir())


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


def test_the_service_runs_a_verb() -> None:
    words = shlex.split(unit(ROOT / "docs" / "systemd" / "kms-run-due.service")["Service"]["ExecStart"])
    assert words[:2] in [["kms", *page.words] for page in pages()]


def test_the_timer_is_the_one_of_a_service() -> None:
    timers = {path.stem for path in UNITS if path.suffix == ".timer"}
    assert timers == {path.stem for path in UNITS if path.suffix == ".service"}
