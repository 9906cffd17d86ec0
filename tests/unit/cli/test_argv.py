"""The words of a command line: what is refused, and how lists are written out."""

import pytest
from typer.core import TyperOption

from kmscli import errors
from kmscli.cli._argv import Options


def options(*, spread: bool = True) -> Options:
    return Options(
        [
            TyperOption(param_decls=["--key-id", "-k"]),
            TyperOption(param_decls=["--out", "-o"]),
            TyperOption(param_decls=["--tags"], multiple=True),
            TyperOption(param_decls=["--dry-run/--no-dry-run"], is_flag=True),
            TyperOption(param_decls=["--number-of-bytes"]),
            TyperOption(param_decls=["--keyfile"], multiple=True, expose_value=False),
        ],
        spread=spread,
        path="kms verb",
    )


def read(*words: str, spread: bool = True, interspersed: bool = True) -> list[str]:
    return list(options(spread=spread).read(list(words), interspersed=interspersed))


def refusal(*words: str) -> tuple[str, str]:
    with pytest.raises(errors.UsageError) as caught:
        read(*words)
    return caught.value.message, caught.value.hint


def test_a_list_takes_all_values_up_to_the_next_option() -> None:
    assert read("--tags", "a", "b", "--key-id", "k") == ["--tags", "a", "--tags", "b", "--key-id", "k"]


def test_a_list_may_also_be_repeated() -> None:
    assert read("--tags", "a", "--tags", "b", "c") == ["--tags", "a", "--tags", "b", "--tags", "c"]


def test_a_list_leaves_arguments_alone_where_a_verb_takes_them() -> None:
    assert read("--tags", "a", "file", spread=False) == ["--tags", "a", "file"]


def test_an_option_of_the_whole_tool_repeats_and_takes_one_value_each_time() -> None:
    assert read("--keyfile", "a", "file", "--keyfile", "b") == ["--keyfile", "a", "file", "--keyfile", "b"]


def test_a_value_may_be_joined_to_its_option() -> None:
    assert read("--key-id=a=b", "-ofile") == ["--key-id", "a=b", "-o", "file"]


def test_an_empty_value_may_be_joined_to_its_option() -> None:
    assert read("--key-id=") == ["--key-id", ""]


def test_a_value_may_begin_with_a_dash() -> None:
    assert read("--number-of-bytes", "-1", "-o", "-") == ["--number-of-bytes", "-1", "-o", "-"]


def test_what_follows_two_dashes_is_left_alone() -> None:
    assert read("-k", "a", "--", "--bogus", "-k") == ["-k", "a", "--", "--bogus", "-k"]


def test_the_first_argument_ends_the_options_of_the_tool() -> None:
    assert read("-k", "a", "verb", "--bogus", interspersed=False) == ["-k", "a", "verb", "--bogus"]


def test_an_option_given_twice_is_refused() -> None:
    assert refusal("--key-id", "a", "-k", "a") == ("-k is given twice", "")


def test_a_flag_and_its_opposite_are_the_same_option() -> None:
    assert refusal("--dry-run", "--no-dry-run") == ("--no-dry-run is given twice", "")


def test_a_flag_takes_no_value() -> None:
    assert refusal("--dry-run=true") == ("--dry-run takes no value", "")


def test_an_option_at_the_end_needs_its_value() -> None:
    assert refusal("--key-id") == ("--key-id needs a value", "")


def test_the_next_option_is_no_value() -> None:
    assert refusal("--key-id", "--dry-run") == (
        "--key-id needs a value",
        "if --dry-run is the value, write --key-id=--dry-run",
    )


def test_an_unknown_option_gets_a_suggestion() -> None:
    assert refusal("--keyid", "a") == ("kms verb has no option --keyid", "did you mean --key-id?")


def test_a_beginning_of_an_option_is_not_taken_for_it() -> None:
    assert refusal("--number", "5") == ("kms verb has no option --number", "did you mean --number-of-bytes?")


def test_an_option_like_no_other_is_sent_to_the_help() -> None:
    assert refusal("-x") == ("kms verb has no option -x", "`kms verb --help` lists the options")


def test_the_version_is_a_verb() -> None:
    assert refusal("--version") == (
        "kms verb has no option --version",
        "`kms version` says which version this is",
    )
