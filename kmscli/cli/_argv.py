"""Reads the words of a command line before Click does, to be stricter and to be more helpful.

Refused here: an unknown option (with a suggestion), a scalar option given twice, and an option without its value, which
Click would take from the next option. Lists get their form of AWS's command line, several values after one option,
written out as repetitions; an option of the whole tool takes one value each time, because arguments may follow it.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from kmscli import errors

if TYPE_CHECKING:
    from typer.core import TyperOption

_NEAR = 0.7
_ELSEWHERE = {"--version": "`kms version` says which version this is"}


class Options:
    """The options that a verb takes."""

    def __init__(self, options: "Iterable[TyperOption]", *, spread: bool, path: str) -> None:
        """Index the options.

        Args:
            options: The options.
            spread: Whether a list takes all values up to the next option.
            path: The command, such as `kms encrypt`, for hints.
        """
        self.known = {name: option for option in options for name in (*option.opts, *option.secondary_opts)}
        self.spread = spread
        self.path = path
        self._seen: set[str] = set()

    def read(self, words: list[str], *, interspersed: bool) -> Iterator[str]:
        """The words, checked, with lists written out.

        Args:
            words: What follows the command.
            interspersed: Whether options may follow arguments; if not, the first argument ends the reading.

        Raises:
            UsageError: As the module says.
        """
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                yield word
                break
            if not word.startswith("-") or word == "-":
                yield word
                if not interspersed:
                    break
                continue
            yield from self._option(word, rest)
        yield from rest

    def _option(self, word: str, rest: list[str]) -> Iterator[str]:
        name, value = self._split(word)
        option = self.known.get(name)
        if option is None:
            raise self._unknown(name)
        self._once(option, name)
        if option.is_flag:
            if value is not None:
                raise errors.UsageError(problem=f"{name} takes no value")
            yield name
            return
        yield from (name, self._value(name, rest) if value is None else value)
        spread = self.spread and option.multiple and option.expose_value and value is None
        while spread and rest and not rest[0].startswith("-"):
            yield from (name, rest.pop(0))

    def _split(self, word: str) -> tuple[str, str | None]:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            return name, value if equals else None
        name, attached = word[:2], word[2:]
        return name, attached or None

    def _value(self, name: str, rest: list[str]) -> str:
        if not rest:
            raise errors.UsageError(problem=f"{name} needs a value")
        if self._split(rest[0])[0] in self.known:
            raise errors.UsageError(
                problem=f"{name} needs a value", hint=f"if {rest[0]} is the value, write {name}={rest[0]}"
            )
        return rest.pop(0)

    def _once(self, option: "TyperOption", name: str) -> None:
        key = option.name or name
        if key in self._seen and not option.multiple:
            raise errors.UsageError(problem=f"{name} is given twice")
        self._seen.add(key)

    def _unknown(self, name: str) -> errors.UsageError:
        hint = _ELSEWHERE.get(name) or suggestion(name, self.known) or f"`{self.path} --help` lists the options"
        return errors.UsageError(problem=f"{self.path} has no option {name}", hint=hint)


def suggestion(word: str, known: Iterable[str]) -> str:
    """What the user may have meant; "" if nothing is near."""
    from difflib import get_close_matches

    bare = {name.strip("-"): name for name in known}
    typed = word.strip("-")
    close = [name for name in bare if len(typed) > 1 and name.startswith(typed)]
    close = close or get_close_matches(typed, bare, n=1, cutoff=_NEAR)
    return f"did you mean {' or '.join(bare[name] for name in close[:2])}?" if close else ""
