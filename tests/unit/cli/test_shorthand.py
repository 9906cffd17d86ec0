"""AWS's shorthand: what it means, and what is refused."""

from typing import Any

import pytest

from kmscli import errors
from kmscli.cli._shorthand import DEPTH_MAX, parse

MEANINGS = {
    "a=b": {"a": "b"},
    "a=b,c=d": {"a": "b", "c": "d"},
    "TagKey=Purpose,TagValue=Test": {"TagKey": "Purpose", "TagValue": "Test"},
    "a=": {"a": ""},
    "a=,b=c": {"a": "", "b": "c"},
    "a=b=c": {"a": "b=c"},
    "a=b c": {"a": "b c"},
    "a = b , c = d": {"a": "b", "c": "d"},
    r"a=b\,c": {"a": "b,c"},
    r"a=b\,c,d=e": {"a": "b,c", "d": "e"},
    r"a=C:\dir": {"a": r"C:\dir"},
    "a=b,c,d": {"a": ["b", "c", "d"]},
    "a=b,c,d=e,f": {"a": ["b", "c"], "d": ["e", "f"]},
    "a='b,c=d'": {"a": "b,c=d"},
    'a="b,c=d",e=f': {"a": "b,c=d", "e": "f"},
    "a='b','c=d',e=f": {"a": ["b", "c=d"], "e": "f"},
    r"a='it\'s'": {"a": "it's"},
    r'a="\\\""': {"a": '\\"'},
    "a=it's": {"a": "it's"},
    "a=[]": {"a": []},
    "a=[b]": {"a": ["b"]},
    "a=[b, c ,'d,e']": {"a": ["b", "c", "d,e"]},
    "a=[b,[c]],d=e": {"a": ["b", ["c"]], "d": "e"},
    "a={}": {"a": {}},
    "EncryptionContextSubset={a=b}": {"EncryptionContextSubset": {"a": "b"}},
    "a={b=c,d={e=[f,g]}},h=i": {"a": {"b": "c", "d": {"e": ["f", "g"]}}, "h": "i"},
    "a={b=}": {"a": {"b": ""}},
    "aws:s3.arn/x#1-_=y": {"aws:s3.arn/x#1-_": "y"},
    "a=\u00e4\u20ac": {"a": "\u00e4\u20ac"},
}


@pytest.mark.parametrize(("text", "meaning"), MEANINGS.items(), ids=MEANINGS)
def test_shorthand_means(text: str, meaning: dict[str, Any]) -> None:
    assert parse(text, "--tags") == meaning


FAULTS = {
    "": "expected a name, found the end at character 1",
    "a": "expected '=', found the end at character 2",
    "=b": "expected a name, found '=' at character 1",
    "a=b,": "expected a name, found the end at character 5",
    "a=b,=c": "expected a name, found '=' at character 5",
    "\u00e4=b": "expected a name, found '\u00e4' at character 1",
    "a=[b": "expected ',' or ']', found the end at character 5",
    "a=[b,]": "expected a value, found ']' at character 6",
    "a=[b]c": "expected ',', found 'c' at character 6",
    "a={b": "expected '=', found the end at character 5",
    "a={b=c": "expected ',' or '}', found the end at character 7",
    "a='b": "expected a closing ', found the end at character 5",
    "a='b'c": "expected ',', found 'c' at character 6",
    "a=b,a=c": "a is given twice",
    "a={b=c,b=d}": "b is given twice",
    "a=" + "[" * (DEPTH_MAX + 1): "nested deeper",
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.items(), ids=FAULTS)
def test_what_is_no_shorthand_is_refused_with_the_place(text: str, fault: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        parse(text, "--tags")
    assert caught.value.message.startswith(f"--tags: {fault}")
