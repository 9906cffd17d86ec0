"""config.toml: preferences, strictly read; what is not set is not parsed."""

import tomllib

import pytest

from kmscli import errors
from kmscli.vault import config


def parsed(text: str) -> tuple[str, int, int, str]:
    found = config.parse(text.encode(), path="config.toml")
    return (found.output, found.segment_bytes, found.kdf_memory_mib, found.profile)


DEFAULT = ("", 64 * 1024 * 1024, 0, "local")


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n", "  # another\n\t\n"])
def test_nothing_set_is_the_default(text: str) -> None:
    assert parsed(text) == DEFAULT


def test_the_template_sets_nothing_and_shows_each_setting_with_its_default() -> None:
    template = config.template().decode()
    assert parsed(template) == DEFAULT
    shown = "\n".join(line.removeprefix("# ") for line in template.splitlines()[1:])
    assert tomllib.loads(shown) == {
        "output": "json",
        "limits": "local",
        "audit": {"segment_bytes": 64 * 1024 * 1024},
        "slots": {"kdf_memory_mib": 64},
    }
    assert parsed(shown) == ("json", 64 * 1024 * 1024, 64, "local")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('output = "table"', ("table", DEFAULT[1], 0, "local")),
        ('limits = "local"', DEFAULT),
        ('limits = "aws"', ("", DEFAULT[1], 0, "aws")),
        ("[audit]\nsegment_bytes = 4096", ("", 4096, 0, "local")),
        ("audit.segment_bytes = 5_000", ("", 5000, 0, "local")),
        ("[slots]\nkdf_memory_mib = 4096", ("", DEFAULT[1], 4096, "local")),
    ],
)
def test_settings_are_read(text: str, expected: tuple[str, int, int, str]) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("output", "config.toml: "),
        ("output = 'xml'", "output must be one of json, text, table"),
        ("output = 0", "output must be one of json, text, table"),
        ("output = []", "output must be one of json, text, table"),
        ("output = false", "output must be one of json, text, table"),
        ("limits = ''", "limits must be one of local, aws"),
        ("limits = 'AWS'", "limits must be one of local, aws"),
        ("limits = 25", "limits must be one of local, aws"),
        ("limits = ['aws']", "limits must be one of local, aws"),
        ("[limits]\nkeys = 1", "limits.keys is no setting"),
        ("outptu = 'json'", "outptu is no setting"),
        ("[audit]\nsegments = 1", "audit.segments is no setting"),
        ("[other]\nsegment_bytes = 1", "other.segment_bytes is no setting"),
        ("[audit]\nsegment_bytes = 4095", "audit.segment_bytes must be at least 4096"),
        ("[audit]\nsegment_bytes = -1", "audit.segment_bytes must be at least 4096"),
        ("[audit]\nsegment_bytes = 4096.0", "audit.segment_bytes must be at least 4096"),
        ("[audit]\nsegment_bytes = true", "audit.segment_bytes must be at least 4096"),
        ("[audit.more]\nx = 1", "audit.more is no setting"),
        ("[slots]\nkdf_memory_mib = 7", "slots.kdf_memory_mib is out of its bounds"),
        ("[slots]\nkdf_memory_mib = 4097", "slots.kdf_memory_mib is out of its bounds"),
        ("[slots]\nkdf_memory_mib = '64'", "slots.kdf_memory_mib is out of its bounds"),
        ("[slots]\nkdf_memory_mib = false", "slots.kdf_memory_mib is out of its bounds"),
        ("output = 'json'\noutput = 'json'", "config.toml: "),
    ],
)
def test_what_cannot_be_used_is_named(text: str, problem: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        parsed(text)
    assert caught.value.exit_code == 2
    assert problem in caught.value.message


def test_what_is_no_text_is_named() -> None:
    with pytest.raises(errors.ConfigError):
        config.parse(b"output = '\xff'", path="config.toml")
