"""Options of the whole tool and the environment behind them."""

from pathlib import Path

import pytest

from kmscli import errors
from kmscli.cli._settings import ROWS, Settings


def settings(*given: tuple[str, object], **environ: str) -> Settings:
    made = Settings(environ)
    for name, value in given:
        made.take(name, value)
    return made


def test_an_option_wins_over_its_variable() -> None:
    assert settings(("--vault", "a"), KMS_VAULT="b").vault == Path("a")
    assert settings(KMS_VAULT="b").vault == Path("b")


def test_an_empty_variable_is_none() -> None:
    assert settings(KMS_PRINCIPAL="").text("--principal") is None
    assert settings(KMS_VAULT="").vault.parts[-2:] == ("kms", "default")


def test_an_option_is_taken_once() -> None:
    with pytest.raises(errors.UsageError, match="--output is given twice"):
        settings(("--output", "json"), ("--output", "text"))


def test_values_of_an_option_that_may_repeat_are_joined_from_both_sides_of_the_verb() -> None:
    assert settings(("--keyfile", ("a",)), ("--keyfile", ("b", "c"))).given["--keyfile"] == ["a", "b", "c"]
    assert [row.name for row in ROWS if row.several] == ["--keyfile"]


@pytest.mark.parametrize(("value", "flag"), [("", False), ("0", False), ("1", True), ("yes", True)])
def test_a_variable_sets_a_flag_unless_it_is_empty_or_zero(value: str, *, flag: bool) -> None:
    assert settings(KMS_NO_INPUT=value).flag("--no-input") is flag


def test_a_flag_may_be_given() -> None:
    assert settings(("--yes", True)).flag("--yes")
    assert not settings().flag("--yes")


def test_the_form_is_one_of_four() -> None:
    assert settings(("--output", "table")).text("--output") == "table"
    with pytest.raises(errors.UsageError, match="--output takes json, text, table or raw, not 'xml'"):
        settings(("--output", "xml")).text("--output")


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("2.5", 2.5), ("1e3", 1000.0)])
def test_the_timeout_is_a_number_of_seconds(text: str, seconds: float) -> None:
    assert settings(("--lock-timeout", text)).lock_timeout == seconds
    assert settings().lock_timeout == 30.0


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "soon", "1e9"])
def test_no_other_timeout_is_taken(text: str) -> None:
    with pytest.raises(errors.UsageError, match="--lock-timeout takes a number of seconds"):
        _ = settings(("--lock-timeout", text)).lock_timeout


def test_options_of_aws_that_mean_nothing_are_known() -> None:
    assert settings(("--profile", "x"), ("--yes", True), ("--color", "on")).ignored() == ["--profile", "--color"]


def test_no_two_rows_have_one_name() -> None:
    names = [row.name for row in ROWS]
    assert sorted(set(names)) == sorted(names)
