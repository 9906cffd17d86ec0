r"""The shorthand in which AWS's command line takes maps and structures: `TagKey=a,TagValue=b`.

Grammar, after the AWS CLI user guide, "Using shorthand syntax":

    parameter = keyval *("," keyval)
    keyval    = name "=" (list / hash / quoted / plain *("," (quoted / plain)))
    list      = "[" [value *("," value)] "]"
    hash      = "{" [name "=" value *("," name "=" value)] "}"
    value     = list / hash / quoted / plain

A plain value ends at a comma, which `\\,` escapes, and within brackets at the closing one. A comma begins a further
value of a list if no `=` comes before the next comma. A name given twice is refused. The parser knows no types: each
value is text until `_values` fits it to its member.
"""

from collections.abc import Callable
from typing import TypeAlias

from kmscli import errors

NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.#/:")
DEPTH_MAX = 16

Value: TypeAlias = "str | list[Value] | dict[str, Value]"


def parse(text: str, option: str) -> dict[str, Value]:
    """The structure that a shorthand describes.

    Args:
        text: What the user wrote.
        option: The option, for the error.

    Raises:
        UsageError: Not shorthand; the text says what was expected where.
    """
    return _Parser(text, option).parameter()


class _Parser:
    def __init__(self, text: str, option: str) -> None:
        self.text = text
        self.at = 0
        self.option = option
        self.depth = 0

    def parameter(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while True:
            name = self._name(found)
            found[name] = self._top_value()
            if self.at == len(self.text):
                return found
            self._expect(",")

    def _name(self, found: dict[str, Value]) -> str:
        self._skip_space()
        start = self.at
        while self._next() and self._next() in NAME_CHARACTERS:
            self.at += 1
        name = self.text[start : self.at]
        if not name:
            raise self._expected("a name")
        self._expect("=")
        if name in found:
            raise errors.UsageError(problem=f"{self.option}: {name} is given twice in {self.text!r}")
        return name

    def _top_value(self) -> Value:
        first = self._value(",")
        if not isinstance(first, str) or not self._more_values():
            return first
        values: list[Value] = [first]
        while self._more_values():
            self._expect(",")
            values.append(self._value(","))
        return values

    def _more_values(self) -> bool:
        # After a comma, text up to the next comma that holds a "=" is the next member, not a further value.
        if self._next() != ",":
            return False
        rest = self.text[self.at + 1 :].lstrip()
        if rest[:1] in {"'", '"'}:
            return True
        item = rest.replace("\\,", "").partition(",")[0]
        return bool(rest) and "=" not in item

    def _value(self, ends: str) -> Value:
        self._skip_space()
        match self._next():
            case "[":
                return self._nested(self._list)
            case "{":
                return self._nested(self._hash)
            case "'" | '"' as quote:
                return self._quoted(quote)
            case _:
                return self._plain(ends)

    def _nested(self, read: Callable[[], Value]) -> Value:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise errors.UsageError(problem=f"{self.option}: nested deeper than {DEPTH_MAX}")
        self.at += 1
        value = read()
        self.depth -= 1
        return value

    def _list(self) -> Value:
        values: list[Value] = []
        while not self._closed("]", first=not values):
            if self._next() in {",", "]"}:
                raise self._expected("a value")
            values.append(self._value(",]"))
        return values

    def _hash(self) -> Value:
        found: dict[str, Value] = {}
        while not self._closed("}", first=not found):
            name = self._name(found)
            found[name] = self._value(",}")
        return found

    def _closed(self, end: str, *, first: bool) -> bool:
        self._skip_space()
        if self._next() == end:
            self.at += 1
            return True
        if not first:
            self._expect(",", or_else=end)
        return False

    def _quoted(self, quote: str) -> str:
        self.at += 1
        characters = []
        while (character := self._next()) != quote:
            if not character:
                raise self._expected(f"a closing {quote}")
            if character == "\\" and self.text[self.at + 1 : self.at + 2] in {quote, "\\"}:
                self.at += 1
            characters.append(self.text[self.at])
            self.at += 1
        self.at += 1
        return "".join(characters)

    def _plain(self, ends: str) -> str:
        characters = []
        while (character := self._next()) and character not in ends:
            if character == "\\" and self.text[self.at + 1 : self.at + 2] == ",":
                self.at += 1
            characters.append(self.text[self.at])
            self.at += 1
        return "".join(characters).rstrip()

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip_space(self) -> None:
        while self._next().isspace():
            self.at += 1

    def _expect(self, character: str, or_else: str = "") -> None:
        self._skip_space()
        if self._next() != character:
            raise self._expected(f"{character!r} or {or_else!r}" if or_else else repr(character))
        self.at += 1

    def _expected(self, what: str) -> errors.UsageError:
        found = repr(self._next()) if self._next() else "the end"
        return errors.UsageError(
            problem=f"{self.option}: expected {what}, found {found} at character {self.at + 1} of {self.text!r}",
            hint="write Name=value,Name2=value2, or JSON; names with other characters need JSON",
        )
