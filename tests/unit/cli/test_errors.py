"""How a command ends when it does not end well."""

import json

import pytest
from typer import Abort, BadParameter, Exit

from kmscli import errors
from kmscli.cli import _errors
from kmscli.cli._settings import Settings

Capture = pytest.CaptureFixture[str]


def finish(error: BaseException, *words: str, **given: object) -> int:
    settings = Settings({})
    settings.given.update(given)
    return _errors.finish(error, list(words), settings)


def test_an_error_is_two_lines_and_its_code(capfd: Capture) -> None:
    assert finish(errors.VaultNotFoundError(path="/v")) == 10
    assert capfd.readouterr().err.splitlines() == [
        "kms: error: VaultNotFound: no vault in /v",
        "kms: hint: create one with `kms init`, or name another with --vault or KMS_VAULT",
    ]


def test_an_error_without_a_hint_is_one_line(capfd: Capture) -> None:
    assert finish(errors.DeclinedError()) == 3
    assert capfd.readouterr().err == "kms: error: Declined: nothing was changed\n"


@pytest.mark.parametrize("words", [["--output", "json"], ["x", "--output=json"], ["--output", "json", "--", "y"]])
def test_with_json_output_an_error_is_one_json_object(words: list[str], capfd: Capture) -> None:
    assert finish(errors.InvalidKeyIdError(key_id="a\x1b", hint="h"), *words) == 20
    assert json.loads(capfd.readouterr().err) == {
        "__type": "NotFoundException",
        "message": "Invalid keyId 'a\\x1b'",
        "hint": "h",
        "exit_code": 20,
    }


@pytest.mark.parametrize("words", [["--output", "text"], ["--", "--output", "json"], ["--query", "json"]])
def test_other_words_do_not_ask_for_json(words: list[str], capfd: Capture) -> None:
    finish(errors.DeclinedError(), *words)
    assert capfd.readouterr().err.startswith("kms: error: ")


def test_what_others_wrote_cannot_steer_the_terminal(capfd: Capture) -> None:
    finish(errors.InvalidKeyIdError(key_id="\x1b[31m\nkms: hint: lie"))
    assert "Invalid keyId '\\x1b[31m\\x0akms: hint: lie'\n" in capfd.readouterr().err


def test_an_unforeseen_error_names_its_class_and_place_and_never_its_text(capfd: Capture) -> None:
    assert finish(ValueError("needle"), **{"--debug": True}) == 1
    printed = capfd.readouterr().err
    assert "InternalError" not in printed
    assert "internal error: ValueError in an unknown place" in printed
    assert "needle" not in printed


def test_debug_shows_where_an_error_came_from_and_no_values(capfd: Capture) -> None:
    def act(secret: str) -> None:
        try:
            {}[secret]
        except KeyError as error:
            raise errors.InternalError(what="x") from error

    with pytest.raises(errors.InternalError) as caught:
        act("needle")
    finish(caught.value, "--debug")
    printed = capfd.readouterr().err
    assert "in act" in printed
    assert "kms: debug: KeyError\n" in printed
    assert "needle" not in printed


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "Interrupted: interrupted"),
        (Abort(), 130, "Interrupted: interrupted"),
        (BadParameter("Bad thing."), 2, "UsageError: invalid value: Bad thing"),
        (OSError(28, "No space left on device", "/f"), 1, "InputOutputError: /f: No space left on device"),
        (errors.DryRunError(), 0, "DryRunOperationException: The request would have succeeded"),
        (RecursionError(), 1, "KMSInternalException: internal error: RecursionError"),
        (MemoryError(), 1, "KMSInternalException: internal error: MemoryError"),
    ],
)
def test_every_end_has_its_code_and_its_line(error: BaseException, code: int, text: str, capfd: Capture) -> None:
    assert finish(error) == code
    assert text in capfd.readouterr().err


def test_an_asked_for_end_says_nothing(capfd: Capture) -> None:
    assert finish(Exit(0)) == 0
    assert finish(SystemExit(3)) == 3
    assert capfd.readouterr() == ("", "")


def test_every_class_of_error_has_a_published_code() -> None:
    def below(kind: type[errors.KmsError]) -> set[type[errors.KmsError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    assert {kind.exit_code for kind in below(errors.KmsError)} <= set(errors.EXIT_CODES)
