"""Every verb with its parameters, as data for those who write about them: manual pages, docs/cli.md.

This is the one place that loads all verbs. What it says comes from the commands themselves, so pages cannot drift.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import msgspec
from typer import Context
from typer.core import TyperCommand, TyperGroup, TyperOption

from kmscli.cli._app import kms
from kmscli.cli._settings import ROWS
from kmscli.cli._verb import own_parameters, tool_options


class Parameter(msgspec.Struct, frozen=True):
    """One option or argument.

    Attributes:
        names: Its names, long first; none for an argument.
        metavar: Name of its value; "" for a flag.
        help: What it does.
        required: Whether a call without it fails.
        many: Whether it may be given several times, or takes several values.
    """

    names: tuple[str, ...]
    metavar: str
    help: str
    required: bool
    many: bool


class Page(msgspec.Struct, frozen=True):
    """One verb.

    Attributes:
        words: The verb, such as ("slot", "add").
        summary: One line.
        paragraphs: What the help says.
        parameters: Its own, arguments last.
    """

    words: tuple[str, ...]
    summary: str
    paragraphs: tuple[str, ...]
    parameters: tuple[Parameter, ...]

    @property
    def name(self) -> str:
        """The whole command: `kms slot add`."""
        return " ".join(("kms", *self.words))


def pages() -> list[Page]:
    """All verbs, those of groups after one another, in the order of help."""
    root = kms()
    context: Any = Context(root, info_name="kms")
    found = []
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        if isinstance(command, TyperGroup):
            inner = [(name, sub, command.get_command(context, sub)) for sub in command.list_commands(context)]
            found += [_page((group, sub), verb) for group, sub, verb in inner if isinstance(verb, TyperCommand)]
        elif command is not None:
            found.append(_page((name,), command))
    return found


def tool_parameters() -> list[Parameter]:
    """The options of every verb that mean something here."""
    pairs = zip(ROWS, tool_options(), strict=True)
    return [_parameter(option) for row, option in pairs if not row.ignored]


def ignored_options() -> list[str]:
    """AWS's options that are taken and mean nothing here."""
    return [row.name for row in ROWS if row.ignored]


def _page(words: tuple[str, ...], command: TyperCommand) -> Page:
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(command.help or "").split("\n\n")]
    return Page(
        words=words,
        summary=paragraphs[0],
        paragraphs=tuple(paragraphs),
        parameters=tuple(sorted(_parameters(command), key=lambda parameter: not parameter.names)),
    )


def _parameters(command: TyperCommand) -> Iterator[Parameter]:
    return (_parameter(param) for param in own_parameters(command) if not param.hidden)


def _parameter(param: Any) -> Parameter:  # noqa: ANN401 - an option or an argument
    is_option = isinstance(param, TyperOption)
    names = sorted((*param.opts, *param.secondary_opts), key=lambda name: not name.startswith("--"))
    flag = is_option and param.is_flag
    default = f" Default: {param.default}." if param.default and not callable(param.default) else ""
    return Parameter(
        names=tuple(names) if is_option else (),
        metavar="" if flag else param.metavar or param.human_readable_name.upper(),
        help=f"{param.help or ''}{default}",
        required=param.required or (param.help or "").endswith("(required)"),
        many=getattr(param, "multiple", False),
    )
