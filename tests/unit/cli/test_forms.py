"""The forms of an answer: as AWS's command line prints them, and as people read them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kmscli.cli import _forms
from kmscli.service.keys import KeyListEntry, ListKeysResponse
from kmscli.service.shapes import Response


class Sample(Response, frozen=True, kw_only=True):
    """An answer with a member of every kind."""

    key_id: str
    creation_date: datetime
    plaintext: bytes
    names: tuple[str, ...] = ()
    next_marker: str | None = None


SAMPLE = Sample(
    key_id="k",
    creation_date=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    plaintext=b"\x00\xff",
    names=("a", "b"),
)


def test_an_answer_becomes_data_without_what_is_absent() -> None:
    assert _forms.with_base64(_forms.plain(SAMPLE)) == {
        "KeyId": "k",
        "CreationDate": "2026-01-02T03:04:05.678000+00:00",
        "Plaintext": "AP8=",
        "Names": ["a", "b"],
    }


def test_json_is_indented_as_in_aws() -> None:
    data = {"Keys": [{"KeyId": "\u00e4"}], "Tags": [], "Map": {}, "Truncated": False, "None": None}
    assert _forms.json_text(data) == (
        "{\n"
        '    "Keys": [\n'
        "        {\n"
        '            "KeyId": "\u00e4"\n'
        "        }\n"
        "    ],\n"
        '    "Tags": [],\n'
        '    "Map": {},\n'
        '    "Truncated": false,\n'
        '    "None": null\n'
        "}\n"
    )


def test_json_lets_no_control_character_through() -> None:
    assert _forms.json_text("\x1b\x7f\x9b\n") == '"\\u001b\\u007f\\u009b\\n"\n'


TEXTS: dict[str, tuple[Any, str]] = {
    "a scalar": ("a", "a\n"),
    "nothing": (None, "None\n"),
    "truth": (True, "True\n"),
    "a list of scalars": (["a", "b", 3], "a\tb\t3\n"),
    "an empty list": ([], ""),
    "lists in a list": ([["a", "b"], ["c", "d"]], "a\tb\nc\td\n"),
    "a structure, by the names of its members": ({"B": "2", "A": "1"}, "1\t2\n"),
    "a list in a structure": ({"Keys": ["a", "b"], "A": "1"}, "1\nKEYS\ta\nKEYS\tb\n"),
    "structures in a list": ({"Keys": [{"Id": "1", "Arn": "x"}, {"Id": "2"}]}, "KEYS\tx\t1\nKEYS\t\t2\n"),
    "a structure in a structure": ({"KeyMetadata": {"B": 1, "A": 2, "C": ["x"]}}, "KEYMETADATA\t2\t1\nC\tx\n"),
    "a mixed list": (["a", ["b"]], "a\nb\n"),
}


@pytest.mark.parametrize(("data", "text"), TEXTS.values(), ids=TEXTS)
def test_text_is_as_in_aws(data: Any, text: str) -> None:
    assert _forms.text(data) == text


def test_a_table_has_a_row_for_each_structure_of_a_list() -> None:
    answer = ListKeysResponse(
        keys=[KeyListEntry(key_id="1", key_arn="a"), KeyListEntry(key_id="2", key_arn="b")], truncated=False
    )
    assert _forms.table(_forms.plain(answer)).splitlines() == [
        "+-------------------+",
        "| Name      | Value |",
        "|-----------+-------|",
        "| Truncated | false |",
        "+-------------------+",
        "Keys",
        "+----------------+",
        "| KeyId | KeyArn |",
        "|-------+--------|",
        "| 1     | a      |",
        "| 2     | b      |",
        "+----------------+",
    ]


@pytest.mark.parametrize("data", ["a", ["a"], [], {}, None, 5, {"a": {"b": {"c": []}}}, [["a"], ["b"]]])
def test_anything_can_be_a_table(data: Any) -> None:
    assert isinstance(_forms.table(data), str)


def test_markup_in_a_cell_is_text() -> None:
    assert "[red]x[/red]" in _forms.table({"a": "[red]x[/red]"})
    assert "\\x1b[31m" in _forms.table({"a": "\x1b[31m"})


def test_columns_have_headings_for_people() -> None:
    entries = [KeyListEntry(key_id="1", key_arn="long"), KeyListEntry(key_id="22", key_arn="b")]
    assert _forms.columns(entries) == ["KEY ID  KEY ARN", "1       long", "22      b"]
    assert _forms.columns([]) == []


def test_members_have_labels_for_people() -> None:
    assert _forms.labelled(KeyListEntry(key_id="1", key_arn="a")) == ["key id   1", "key arn  a"]


def test_an_audit_line_is_one_line_for_people() -> None:
    event = {
        "eventTime": "2026-01-02T03:04:05Z",
        "eventName": "Encrypt",
        "errorCode": "DisabledException",
        "userIdentity": {"userName": "alice"},
        "resources": [{"ARN": "arn:aws:kms:local:000000000000:key/1-2"}],
        "chain": {"seq": 7},
    }
    assert _forms.events([event]) == ["7  2026-01-02T03:04:05Z  alice  Encrypt  DisabledException  1-2"]
    assert _forms.events([]) == []
