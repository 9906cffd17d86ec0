"""From words to values: files, JSON, shorthand, base64, numbers."""

from pathlib import Path
from typing import Any

import pytest

from kmscli import errors
from kmscli.cli import _values
from kmscli.cli._values import Source
from kmscli.service.members import Shape
from kmscli.service.shapes import Tag

STRING = Shape("string")
INTEGER = Shape("integer")
BLOB = Shape("blob")
MAP = Shape("map", item=STRING)
NAMES = Shape("list", item=STRING)
NUMBERS = Shape("list", item=INTEGER)
TAG = Shape("structure", struct=Tag)
TAGS = Shape("list", item=TAG)


def read(shape: Shape, *words: str, raw: bool = False) -> Any:
    return _values.value(shape, list(words), Source("--it", raw=raw))


def refusal(shape: Shape, *words: str) -> str:
    with pytest.raises(errors.UsageError) as caught:
        read(shape, *words)
    return caught.value.message


def test_text_is_taken_as_it_is() -> None:
    assert read(STRING, " a,b=c ") == " a,b=c "


def test_text_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("text \u00e4\n", encoding="utf-8")
    assert read(STRING, f"file://{tmp_path}/f") == "text \u00e4\n"


def test_the_name_of_a_file_may_use_the_home_folder_and_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"x")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FOLDER", str(tmp_path))
    assert read(BLOB, "fileb://~/f") == b"x"
    assert read(BLOB, "fileb://$FOLDER/f") == b"x"


def test_bytes_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xff")
    assert refusal(STRING, f"fileb://{tmp_path}/f") == "--it takes text"
    assert refusal(STRING, f"file://{tmp_path}/f").endswith("is not text in UTF-8")


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(errors.InputOutputError, match="/nowhere/f: No such file"):
        read(BLOB, "fileb:///nowhere/f")


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(_values.FILE_MAX + 1))
    assert refusal(BLOB, f"fileb://{tmp_path}/f").endswith("is larger than 1048576 bytes")


@pytest.mark.parametrize(("word", "number"), [("5", 5), ("-1", -1), (" 7 ", 7), ("0", 0)])
def test_a_number_is_read(word: str, number: int) -> None:
    assert read(INTEGER, word) == number


@pytest.mark.parametrize("word", ["", "a", "1.5", "1e3", "0x10", "--1", "\u0665", "9" * 5000, "1_0"])
def test_what_is_no_whole_number_is_refused(word: str) -> None:
    assert "takes a whole number" in refusal(INTEGER, word)


def test_a_blob_is_base64_for_the_service_to_decode() -> None:
    assert read(BLOB, "AP8=") == "AP8="


def test_the_lines_of_base64_are_joined() -> None:
    assert read(BLOB, "AP8A\nAP8=\n") == "AP8AAP8="


def test_a_blob_may_be_given_as_it_is() -> None:
    assert read(BLOB, "h\u00e9 \n", raw=True) == "h\u00e9 \n".encode()


def test_bytes_of_the_command_line_survive_as_they_are() -> None:
    assert read(BLOB, "\udcff", raw=True) == b"\xff"


def test_a_list_is_several_words_or_json() -> None:
    assert read(NAMES, "a", "b,c") == ["a", "b,c"]
    assert read(NAMES, '["a", "b"]') == ["a", "b"]
    assert read(NUMBERS, "1", "2") == [1, 2]


def test_a_map_is_shorthand_or_json() -> None:
    assert read(MAP, "a=b,c=d") == {"a": "b", "c": "d"}
    assert read(MAP, '{"a": "b", "c": "d=,"}') == {"a": "b", "c": "d=,"}


def test_a_map_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_text('\n{"a": "b"}\n')
    assert read(MAP, f"file://{tmp_path}/f") == {"a": "b"}


def test_structures_may_be_shorthand_json_or_a_list_in_json() -> None:
    wanted = [{"TagKey": "a", "TagValue": "b"}, {"TagKey": "c", "TagValue": "d"}]
    assert read(TAGS, "TagKey=a,TagValue=b", "TagKey=c,TagValue=d") == wanted
    assert read(TAGS, '{"TagKey": "a", "TagValue": "b"}', "TagKey=c,TagValue=d") == wanted
    assert read(TAGS, '[{"TagKey":"a","TagValue":"b"},{"TagKey":"c","TagValue":"d"}]') == wanted


def test_shorthand_is_fitted_to_the_types_of_the_members() -> None:
    shape = Shape("map", item=NUMBERS)
    assert read(shape, "a=1,2,b=3") == {"a": [1, 2], "b": [3]}
    assert read(Shape("map", item=Shape("boolean")), "a=true,b=FALSE") == {"a": True, "b": False}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ('{"a":1,"a":2}', "the name 'a' is given twice"),
        ('{"a":NaN}', "NaN is no number of JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' + "9" * 5000 + "}", "Exceeds the limit"),
    ],
)
def test_json_is_read_strictly(text: str, reason: str) -> None:
    assert f"--it: not JSON: {reason}" in refusal(MAP, text)


def test_the_members_are_a_json_object() -> None:
    assert _values.json_object('{"KeyId": "a"}', "--cli-input-json") == {"KeyId": "a"}
    with pytest.raises(errors.UsageError, match="takes a JSON object"):
        _values.json_object("[]", "--cli-input-json")


def test_pairs_of_the_context_are_verbatim() -> None:
    assert _values.context_pairs(["a=b=c", "d=", "e= x,y={z} "]) == {"a": "b=c", "d": "", "e": " x,y={z} "}


@pytest.mark.parametrize("words", [["a"], ["=b"], ["a=b", "a=c"]])
def test_other_pairs_are_refused(words: list[str]) -> None:
    with pytest.raises(errors.UsageError, match="-c"):
        _values.context_pairs(words)
