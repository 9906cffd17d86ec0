"""Requests of the endpoint made by hypothesis from AWS's model: such as it allows, and such as it does not.

Values are JSON, as on the wire: blobs as base64, times as numbers.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from tests import awsmodel

_KEYS = frozenset({"KeyIdType", "NullableKeyIdType", "ArnType", "TargetKeyId"})
_SHORT = 40
"""What a text or list may be long where the model has no closer bound; bounds themselves are tried one by one."""

Values = dict[str, Any]


class Known(msgspec.Struct):
    """What a vault has, so that requests are about something.

    Attributes:
        keys: Ids, ARNs and aliases of keys.
        aliases: Names of aliases, some of them there.
        blobs: Ciphertexts, signatures and other bytes that keys made.
        principals: ARNs.
        grants: Ids and tokens of grants.
    """

    keys: Sequence[str]
    aliases: Sequence[str]
    blobs: Sequence[bytes]
    principals: Sequence[str]
    grants: Sequence[str]


def _bounded(row: Mapping[str, Any], size: int = _SHORT) -> tuple[int, int]:
    least = int(row.get("min", 0))
    return least, max(least, min(int(row.get("max", size)), size))


def _text(name: str, row: Mapping[str, Any], known: Known) -> st.SearchStrategy[str]:
    least, most = _bounded(row)
    if pattern := row.get("pattern"):
        plain = re.compile(pattern, re.ASCII)
        made = st.from_regex(plain, fullmatch=True).filter(lambda text: least <= len(text) <= int(row.get("max", 8192)))
    else:
        made = st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=most)
    usual: Sequence[str] = ()
    if name in _KEYS:
        usual = known.keys
    elif name == "AliasNameType":
        usual = known.aliases
    elif name == "PrincipalIdType":
        usual = known.principals
    elif name in {"GrantIdType", "GrantTokenType"}:
        usual = known.grants
    elif name == "PolicyNameType":
        usual = ["default"]
    elif name == "PolicyType":
        usual = [json.dumps({"Version": "2012-10-17", "Statement": []}), "{}", "[]", "null", "{"]
    return st.sampled_from(usual) | made if usual else made


def value(name: str, known: Known) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one return a kind
    """What a shape of the model allows."""
    row = awsmodel.SHAPES[name]
    kind = row["type"]
    if "enum" in row:
        # Large keys take seconds to make, and are tried elsewhere.
        return st.sampled_from([each for each in row["enum"] if each not in {"RSA_3072", "RSA_4096"}])
    if kind == "string":
        return _text(name, row, known)
    if kind == "integer":
        return st.integers(row.get("min", -(2**31)), row.get("max", 2**31 - 1))
    if kind == "boolean":
        return st.booleans()
    if kind == "timestamp":
        return st.integers(0, 2**32) | st.floats(0, 2**32)
    if kind == "blob":
        least, most = _bounded(row, 300)
        return (st.sampled_from(list(known.blobs)) | st.binary(min_size=least, max_size=most)).map(
            lambda data: b64encode(data).decode()
        )
    if kind == "list":
        least, most = _bounded(row, 3)
        return st.lists(value(str(awsmodel.inner(name)), known), min_size=least, max_size=most)
    if kind == "map":
        return st.dictionaries(value(row["key"]["shape"], known), value(row["value"]["shape"], known), max_size=3)
    return structure(name, known)


def structure(name: str, known: Known) -> st.SearchStrategy[Values]:
    """A structure with all that it requires, and some of the rest."""
    row = awsmodel.SHAPES[name]
    required = set(row.get("required", []))
    parts = {member: value(shape, known) for member, shape in awsmodel.members(name).items()}
    # A dry run ends before the work: so it does not stand in every second request.
    optional = {member: part for member, part in parts.items() if member not in required}
    if "DryRun" in optional:
        optional["DryRun"] = st.sampled_from([False, False, False, True])
    return st.fixed_dictionaries({m: parts[m] for m in sorted(required)}, optional=optional)


def valid(operation: str, known: Known) -> st.SearchStrategy[Values]:
    """A request that the model allows."""
    return structure(awsmodel.input_shape(operation), known)


# -- what the model does not allow -------------------------------------------------------------------------------------

_RIGHT: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float),
    "blob": (str,),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}
_SAMPLES: list[Any] = ["text", 7, 1.5, True, ["x"], {"x": "y"}, [[]], [{}], {"": {}}]


def wrong_type(shape: str) -> st.SearchStrategy[Any]:
    """A JSON value of another type than a shape has."""
    right = _RIGHT[awsmodel.SHAPES[shape]["type"]]
    return st.sampled_from([each for each in _SAMPLES if type(each) not in right])


def out_of_bounds(shape: str) -> st.SearchStrategy[Any] | None:
    """A value of the right type that a shape does not allow; None where it allows all."""
    row = awsmodel.SHAPES[shape]
    kind = row["type"]
    made: list[Any] = []
    if "enum" in row:
        made += ["", "nonesuch", row["enum"][0].lower(), row["enum"][0] + " "]
    if kind == "integer":
        made += [row[name] + by for name, by in (("min", -1), ("max", 1)) if name in row]
        made += [2**31, -(2**31) - 1, 2**63, -(2**63) - 1, 10**40, 1e300]
    if kind in {"string", "blob"} and "enum" not in row:
        sizes = [row[name] + by for name, by in (("min", -1), ("max", 1)) if name in row]
        texts = ["a" * size for size in sizes if size >= 0]
        made += texts if kind == "string" else [b64encode(text.encode()).decode() for text in texts]
    if "pattern" in row and row["pattern"].startswith("^"):
        made += ["\N{SNOWMAN}", "a\nb\x00", "*" * 20]
    if kind == "blob":
        made += ["A", "AA", "AA=", "AAA", "AAA==", "AB==", "A A=", "AAAA\n", "-_-_", "=", "\N{SNOWMAN}", "AAA=AAAA"]
    if kind == "list" and "max" in row:
        made.append([None] * (row["max"] + 1))
    return st.sampled_from(made) if made else None


HOSTILE: dict[str, str] = {
    # Each makes a body of the JSON of a valid request (TEXT) and the name of one of its members (NAME).
    "deep list": '{"NAME": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "deep object": '{"NAME": ' + '{"a":' * 50_000 + "1" + "}" * 50_001,
    "deep and open": '{"Zzz": ' + "[" * 5000,
    "nan": '{"NAME": NaN}',
    "infinity": '{"NAME": -Infinity}',
    "huge float": '{"NAME": 1e999}',
    "huge integer": '{"NAME": ' + "9" * 5000 + "}",
    "surrogate": '{"NAME": "\\ud800"}',
    "surrogate name": '{"\\udfff": 1',
    "surrogate bytes": '{"NAME": "\ud800"}',
    "truncated": "TEXT,",
    "two": "TEXTTEXT",
    "comment": "/**/TEXT",
    "no object": "[TEXT]",
    "text": '"NAME"',
    "null": "null",
    "single quotes": "{'NAME': 'x'}",
    "bom": "\ufeffTEXT",
    "control": '{"NAME": "a\x00b"}',
    "xml": "<NAME/>",
}


def hostile(how: str, text: str, name: str) -> bytes:
    """A body that no client writes."""
    return HOSTILE[how].replace("TEXT", text).replace("NAME", name).encode("utf-8", "surrogatepass")
