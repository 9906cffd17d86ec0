"""Verbs of AWS that a vault cannot have: they say so, whatever options they are given, and the log tells of it."""

from collections.abc import Iterator
from typing import Any

from kmscli.cli._settings import ROWS
from kmscli.cli._verb import Verb, settings_of


class RefusedVerb(Verb):
    """The verb of one operation that answers UnsupportedOperationException."""

    def __init__(self, name: str, operation: str) -> None:
        """Make the verb of `operation`."""
        self.operation = operation
        super().__init__(name, params=[], help=f"AWS's {operation}, which a vault cannot have; it says why.")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - classes of the Click inside Typer
        """Take the options of the whole tool, and pass over those of AWS's verb."""
        return super().parse_args(ctx, list(_of_the_tool(args)))

    def invoke(self, ctx: Any) -> None:  # noqa: ANN401 - classes of the Click inside Typer
        """Refuse, as the service does."""
        from kmscli.cli._work import unlocked
        from kmscli.service.dispatch import perform

        with unlocked(settings_of(ctx)) as context:
            perform(context, self.operation, {})


def _of_the_tool(words: list[str]) -> Iterator[str]:
    takes_value = {row.name: bool(row.metavar) for row in ROWS}
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if word in {"--help", "-h"} or name in takes_value:
            yield word
            if takes_value.get(name) and not equals:
                yield from (value for value in [next(rest, None)] if value is not None)
