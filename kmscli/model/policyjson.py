"""The JSON of policies, read strictly: one meaning for every reader, and bounded work.

Refused: more than the API's length, nesting that no policy has, duplicate names, lone surrogates. `null`, NaN and
Infinity are all None here, for which the grammar has no place. Source: RFC 8259 and RFC 7493 (I-JSON).
"""

import re
from collections import Counter

from kmscli import errors
from kmscli.model import limits

_SHOWN = 80
# Possessive: each character is looked at once, whatever the text.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?+|[\[\]{}]', re.DOTALL)


class Number(str):
    """A JSON number as it was written: policies compare numbers as text or as decimals, never as binary fractions."""

    __slots__ = ()


class Members(dict[str, object]):
    """A JSON object.

    Attributes:
        twice: A name that it has more than once, or "".
    """

    __slots__ = ("twice",)

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.twice = ""
        if len(pairs) != len(self):
            self.twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)


def shown(text: str) -> str:
    """The beginning of a text from outside, short enough for a message."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def fault(problem: str, path: str, hint: str = "", place: tuple[int, int] | None = None) -> errors.MalformedPolicyError:
    """The error for what stands at `path` of a policy, such as `Statement[2].Effect`.

    Its data have the path, and the line and column if `place` tells them because no path does.
    """
    text = f"{problem} ({path})" if path else problem
    return errors.MalformedPolicyError(problem=text, hint=hint, path=path, place=place)


def load(text: str) -> object:
    """The value of a JSON text: Members, list, str, Number, bool or None.

    Raises:
        MalformedPolicyError: Not JSON, too long, too deep, or not Unicode.
    """
    if len(text) > limits.POLICY_MAX:
        raise fault(f"The policy has more than {limits.POLICY_MAX} characters", "")
    _check_depth(text)
    import json  # a use of a key that has the default policy reads none

    try:
        value: object = json.loads(
            text,
            object_pairs_hook=Members,
            parse_int=Number,
            parse_float=Number,
            parse_constant=lambda _: None,
        )
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise fault(
            f"This policy contains invalid Json: line {error.lineno}, column {error.colno}: {error.msg}",
            "",
            place=(error.lineno, error.colno),
        ) from error
    except UnicodeEncodeError as error:
        raise fault("This policy contains invalid Json: half of a surrogate pair", "") from error
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > limits.POLICY_DEPTH_MAX:
            line, column = _position(text, token.start())
            raise fault(
                f"Syntax errors in policy: line {line}, column {column}: nested too deeply",
                "",
                f"no element of a policy lies deeper than {limits.POLICY_DEPTH_MAX} brackets",
                place=(line, column),
            )


def _position(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def members_of(value: object, path: str, known: frozenset[str] | None) -> Members:
    """`value`, if it is an object that names each of its members once, and only `known` ones (None: any).

    Raises:
        MalformedPolicyError: It is not.
    """
    if not isinstance(value, Members):
        raise fault("Syntax errors in policy: not a JSON object", path, "write {...} here")
    if value.twice:
        raise fault("Syntax errors in policy: a field stands twice", _below(path, value.twice), "keep one of them")
    for name in value:
        if known is not None and name not in known:
            raise fault(f"Has prohibited field {shown(name)}", _below(path, name))
    return value


def required(members: Members, name: str, path: str) -> object:
    """The member `name`.

    Raises:
        MalformedPolicyError: There is none.
    """
    if name not in members:
        raise fault(f"Missing required field {name}", _below(path, name))
    return members[name]


def either(members: Members, name: str, path: str) -> tuple[str, object, bool]:
    """The name, value and negation of `name` or of its negation; the value None if neither is there.

    Raises:
        MalformedPolicyError: Both are there, or the value is null.
    """
    other = f"Not{name}"
    if name in members and other in members:
        raise fault(f"Policy statement must not contain both {name} and {other}", f"{path}.{other}")
    if name not in members and other not in members:
        return name, None, False
    found = name if name in members else other
    value = members[found]
    if value is None:
        raise fault("Syntax errors in policy: not a JSON string or list", f"{path}.{found}")
    return found, value, found == other


def texts(value: object, path: str, *, scalars: bool = False) -> list[tuple[str, str]]:
    """The path and text of each string of a list, or of the one string that stands for it.

    Args:
        value: What the policy has.
        path: Where.
        scalars: Whether numbers and Booleans are taken too, as text.

    Raises:
        MalformedPolicyError: Neither, or an empty list.
    """
    if not isinstance(value, list):
        return [(path, text_of(value, path, scalar=scalars))]
    if not value:
        raise fault("Syntax errors in policy: an empty list", path, "leave the element out, or name a value")
    places = ((f"{path}[{index}]", item) for index, item in enumerate(value))
    return [(place, text_of(item, place, scalar=scalars)) for place, item in places]


def text_of(value: object, path: str, *, scalar: bool = False) -> str:
    """`value` as text, if it is a string, or with `scalar` a number or a Boolean.

    Raises:
        MalformedPolicyError: It is not.
    """
    if scalar and isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and (scalar or not isinstance(value, Number)):
        return str(value)
    wanted = "string, number or Boolean" if scalar else "string"
    raise fault(f"Syntax errors in policy: not a JSON {wanted}", path)


def optional_text(members: Members, name: str, path: str) -> str | None:
    """The string that is the member `name`, or None without it.

    Raises:
        MalformedPolicyError: It is no string.
    """
    return text_of(members[name], _below(path, name)) if name in members else None


def _below(path: str, name: str) -> str:
    return f"{path}.{shown(name)}" if path else shown(name)
