"""What is generated is what is committed, whole and the same every time."""

from pathlib import Path

import pytest

from kmscli.cli import _docs
from kmscli.cli._catalog import pages
from kmscli.cli._verbs import VERBS

ROOT = Path(__file__).parents[3]
GENERATED = _docs.generated()


@pytest.mark.parametrize("name", GENERATED)
def test_the_committed_file_is_the_generated_one(name: str) -> None:
    assert GENERATED[name] == (ROOT / name).read_text(encoding="utf-8")


def test_no_manual_page_is_left_of_a_verb_that_is_gone() -> None:
    committed = {f"man/{path.name}" for path in (ROOT / "man").iterdir()}
    assert {name for name in GENERATED if name.startswith("man/")} == committed


def test_every_verb_has_a_page_and_a_summary() -> None:
    assert {page.words[0] for page in pages()} == set(VERBS)
    assert [page.name for page in pages() if not page.summary.endswith(".")] == []


def test_every_parameter_says_what_it_does() -> None:
    silent = [(page.name, parameter) for page in pages() for parameter in page.parameters if not parameter.help]
    assert silent == []


def test_all_files_are_written_and_stale_pages_removed(tmp_path: Path) -> None:
    (tmp_path / "man").mkdir()
    (tmp_path / "man" / "kms-gone.1").touch()
    _docs.write(tmp_path)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(GENERATED) == written


def test_every_error_stands_at_its_exit_code() -> None:
    table = _docs.exit_codes()
    assert "| 40 | the ciphertext or its encryption context does not fit | `InvalidCiphertextException` |" in table
