"""Whatever words a command line holds, it ends in a result or in an error of our own, never in one that is a bug."""

import os
import sys
from io import StringIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer import Exit, TyperException

from kmscli import errors
from kmscli.cli._app import kms
from kmscli.cli._catalog import Page, pages
from kmscli.cli._settings import ROWS, Settings

PAGES = [page for page in pages() if page.name not in {"kms init", "kms man"}]  # these two write files
OPTIONS = [name for page in PAGES for parameter in page.parameters for name in parameter.names] + [r.name for r in ROWS]
VALUES = [
    "", "-", "--", "---", "=", "a", "1", "-1", "0", "a=b", "a={b=[", "{", "[]", '{"a":1}', "nan", "json", "text", "raw",
    "alias/a", "file:///nowhere", "fileb:///dev/null", "file://", "\udcff", "\x1b[31m", "--help", "bash", "x" * 5000,
]  # fmt: skip

words = st.lists(
    st.sampled_from(sorted(set(OPTIONS)))
    | st.sampled_from(VALUES)
    | st.text(st.characters(exclude_characters="\0"), max_size=5)
    | st.tuples(st.sampled_from(OPTIONS), st.sampled_from(VALUES)).map("=".join),
    max_size=6,
)


def end(line: list[str]) -> BaseException | None:
    """What running a command line ends in; no vault is there."""
    try:
        command = kms()
        nothing = Settings({"KMS_VAULT": "/dev/null/vault", "KMS_NO_INPUT": "1"})
        with command.make_context("kms", line, obj=nothing) as context:
            command.invoke(context)
    except Exception as error:  # noqa: BLE001 - what it is, is the question
        return error
    return None


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", StringIO())
    monkeypatch.setattr(os, "read", lambda *_: b"")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(verb=st.sampled_from(PAGES), before=words, after=words)
def test_any_words_after_a_verb(verb: Page, before: list[str], after: list[str]) -> None:
    found = end([*before[:2], *verb.words, *after])
    assert found is None or isinstance(found, errors.KmsError | TyperException | Exit), repr(found)
    assert not isinstance(found, errors.InternalError)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=words)
def test_any_words_at_all(line: list[str]) -> None:
    found = end(line)
    assert found is None or isinstance(found, errors.KmsError | TyperException | Exit), repr(found)
