"""Texts of a policy with wildcards and policy variables, read once and then matched quickly.

A variable stands for the one value that a condition key has in the request. What it brings is never a wildcard, or a
tag with the value `*` would be one. A variable without a value has no text, and what its statement does then is
decided by who asks.
Source: IAM user guide, "IAM policy elements: Variables and tags" and "IAM JSON policy elements: Resource".
"""

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

Context = Mapping[str, str | tuple[str, ...]]
"""Condition key in lower case -> the value of a key of one value, or the values of a key of many."""
Test = Callable[[str], bool]


class Variable(msgspec.Struct, frozen=True):
    """A variable in a text.

    Attributes:
        key: Condition key in lower case.
        default: What it is where the key has no value, or None.
    """

    key: str
    default: str | None


class Wildcard(msgspec.Struct, frozen=True):
    """A wildcard in a text."""

    mark: str


class Filled(str):
    """What a variable brought: none of its characters has a meaning of its own."""

    __slots__ = ()


ANY, ONE = Wildcard("*"), Wildcard("?")
Part = str | Wildcard | Variable
Parts = tuple[Part, ...]

_WILDCARD = r"[*?]"
_MARK = r"\$\{[^{}]*\}|[*?]"
_DEFAULT = r"(.*), '([^']*)'"
_ESCAPES = ("*", "?", "$")


def read(text: str, *, variables: bool, wildcards: bool) -> Parts:
    """The parts of a text of a policy; no two of them are neighbouring literals.

    Args:
        text: As the policy has it.
        variables: Whether the policy's Version knows variables, and this is a place for them.
        wildcards: Whether `*` and `?` mean more than themselves.
    """
    parts: list[Part] = []
    literal, last = "", 0
    for match in re.finditer(_MARK if variables else _WILDCARD, text):
        part = _part(match[0], wildcards=wildcards)
        literal += text[last : match.start()]
        last = match.end()
        if isinstance(part, str):
            literal += part
        else:
            parts += [literal, part] if literal else [part]
            literal = ""
    literal += text[last:]
    return (*parts, literal) if literal else tuple(parts)


def _part(mark: str, *, wildcards: bool) -> Part:
    if len(mark) == 1:
        return Wildcard(mark) if wildcards else mark
    name = mark[2:-1]
    if name in _ESCAPES:
        return name
    match = re.fullmatch(_DEFAULT, name, re.DOTALL)
    return Variable(match[1].lower(), match[2]) if match else Variable(name.lower(), None)


def has_variables(parts: Parts) -> bool:
    """Whether a request has to fill in something."""
    return any(isinstance(part, Variable) for part in parts)


def fill(parts: Parts, context: Context) -> Parts | None:
    """The parts with the values of a request for the variables, or None where one has no value.

    A key of many values gives none: AWS takes only keys of one value for variables.
    """
    filled: list[Part] = []
    for part in parts:
        if not isinstance(part, Variable):
            filled.append(part)
            continue
        value = context.get(part.key)
        text = value if isinstance(value, str) else part.default
        if text is None:
            return None
        filled.append(Filled(text))
    return tuple(filled)


def text_of(parts: Parts) -> str:
    """The text of parts without variables; a wildcard is its mark."""
    return "".join(part.mark if isinstance(part, Wildcard) else str(part) for part in parts)


def matcher(parts: Parts) -> Test:
    """A test of whether a text, the whole of it, is what the parts without variables describe.

    It costs at most the product of the two lengths, whatever the pattern: each run of text between two stars is looked
    for once, as early as it can stand.
    """
    if ANY not in parts and ONE not in parts:
        return text_of(parts).__eq__
    runs = _runs(parts)
    if len(runs) == 1:
        return lambda text: len(text) == len(runs[0]) and runs[0].stands(text, 0)
    first, *middle, last = runs
    least = sum(map(len, runs))

    def test(text: str) -> bool:
        if len(text) < least or not first.stands(text, 0):
            return False
        at = len(first)
        for run in middle:
            at = run.find(text, at)
            if at < 0:
                return False
            at += len(run)
        rest = len(text) - len(last)
        return at <= rest and last.stands(text, rest)

    return test


def any_matcher(patterns: Iterable[Parts]) -> Test:
    """A test of whether a text is what any of the patterns without variables describes."""
    prefixes: list[str] = []
    others: list[Test] = []
    for parts in patterns:
        # Most patterns are a beginning and a star: for all of these together, str.startswith is one call.
        if parts[-1:] == (ANY,) and all(isinstance(part, str) for part in parts[:-1]):
            prefixes.append(text_of(parts[:-1]))
        else:
            others.append(matcher(parts))
    begins = tuple(prefixes)
    if not others:
        return lambda text: text.startswith(begins)
    return lambda text: text.startswith(begins) or any(test(text) for test in others)


class _Run:
    """What stands between two stars: text, and gaps of one character each; so all that it describes has one length."""

    def __init__(self, parts: Parts) -> None:
        texts = [part if isinstance(part, str) else None for part in parts]
        self.length = sum(1 if text is None else len(text) for text in texts)
        self.plain = text_of(parts) if None not in texts else None
        if self.plain is None:
            self.gapped = re.compile("".join("." if text is None else re.escape(text) for text in texts), re.DOTALL)

    def __len__(self) -> int:
        return self.length

    def stands(self, text: str, at: int) -> bool:
        """Whether it stands at `at`, where the text has room for it."""
        return self.gapped.match(text, at) is not None if self.plain is None else text.startswith(self.plain, at)

    def find(self, text: str, at: int) -> int:
        """Where it stands first from `at` on, or -1."""
        if self.plain is not None:
            return text.find(self.plain, at)
        match = self.gapped.search(text, at)
        return -1 if match is None else match.start()


def _runs(parts: Parts) -> list[_Run]:
    runs: list[_Run] = []
    begin = 0
    for end in [at for at, part in enumerate(parts) if part == ANY] + [len(parts)]:
        runs.append(_Run(parts[begin:end]))
        begin = end + 1
    return runs
