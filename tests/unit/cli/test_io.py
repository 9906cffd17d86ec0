"""What may reach a terminal."""

import pytest

from kmscli.cli._io import is_text, safe, safe_lines

UNSAFE = ["\x00", "\x07", "\x1b", "\r", "\x7f", "\x9b", "\u200f", "\u2028", "\u202e", "\u2066", "\ufeff", "\udcff"]


@pytest.mark.parametrize("character", UNSAFE, ids=[f"{ord(character):04x}" for character in UNSAFE])
def test_what_could_steer_a_terminal_is_shown_as_an_escape(character: str) -> None:
    shown = safe(f"a{character}b")
    assert character not in shown
    assert f"{ord(character):x}" in shown


def test_text_of_people_is_left_alone() -> None:
    text = "Gr\u00fc\u00dfe \u4e16\u754c \U0001f511 'quotes' \\ $x"
    assert safe(text) == text


def test_lines_and_tabs_stay_where_lines_are_meant() -> None:
    assert safe("a\n\tb") == "a\\x0a\\x09b"
    assert safe_lines("a\n\tb\x1b") == "a\n\tb\\x1b"


@pytest.mark.parametrize(
    ("data", "plain"),
    [
        (b"", True),
        (b"text\n\t\xc3\xa4", True),
        (b"\xff", False),
        (b"\x1b[m", False),
        (b"a\x00", False),
        (b"\r\n", False),
    ],
)
def test_bytes_are_text_only_if_a_terminal_may_show_them(data: bytes, *, plain: bool) -> None:
    assert is_text(data) is plain
