"""The command line: finds the verb, runs it, and turns whatever it ends in into lines and an exit code.

The one handler of errors of the program is here; no verb has its own. Nothing escapes as a traceback.
"""

import os
import sys
from importlib import import_module
from typing import Any

from typer.core import TyperCommand, TyperGroup

from kmscli import errors
from kmscli.cli import _errors
from kmscli.cli._settings import COMPLETE_VARIABLE, ROWS, Settings
from kmscli.cli._verb import Group, tool_options
from kmscli.cli._verbs import REFUSED_VERBS, SECTIONS, VERBS
from kmscli.storage.inputs import hold_standard_streams


class Kms(Group):
    """`kms` itself: verbs are made when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - classes of the Click inside Typer
        """The verbs, in the order of help."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:  # noqa: ANN401, ARG002 - Click
        """The verb of that name."""
        row = VERBS.get(cmd_name)
        if row is None:
            return _refused(cmd_name)
        if row.operation:
            from kmscli.cli import _api

            return _api.command(cmd_name, row)
        return _handmade(cmd_name, row.module)

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - classes of the Click inside Typer
        """Help: the verbs from the table, then the options of the whole tool."""
        for title, rows in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, row.summary) for name, row in rows.items()])
        options = zip(ROWS, tool_options(), strict=True)
        with formatter.section("Options of every verb"):
            formatter.write_dl([option.get_help_record(ctx) for row, option in options if not row.ignored])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # noqa: ANN401 - classes of the Click in Typer
        """Verbs from the table, without loading one."""
        if incomplete.startswith("-"):
            return super(TyperGroup, self).shell_complete(ctx, incomplete)
        from typer._click.shell_completion import CompletionItem

        return [CompletionItem(name, help=row.summary) for name, row in VERBS.items() if name.startswith(incomplete)]


def _refused(name: str) -> TyperCommand | None:
    if name not in REFUSED_VERBS:
        return None
    from kmscli.cli import _refused as refused

    return refused.RefusedVerb(name, REFUSED_VERBS[name])


def _handmade(name: str, module: str) -> TyperCommand | TyperGroup:
    from typer.main import get_command

    found = get_command(import_module(f"kmscli.cli.{module}").app)
    if isinstance(found, TyperGroup) and name in found.commands:
        found = found.commands[name]
    if not isinstance(found, TyperCommand | TyperGroup):
        raise errors.InternalError(what=f"{module} has no verb {name}")
    return found


def kms() -> Kms:
    """The whole command line."""
    return Kms(
        name="kms",
        help="AWS KMS in a directory you own: keys that rotate, and a signed log of their use.",
        epilog="`kms VERB --help` says more of a verb, and `kms man` is the manual.",
    )


def run(words: list[str], umask: int | None = None) -> int:
    """Run one command.

    Args:
        words: The command line, without the program's name.
        umask: The one that the caller gave, for a program that takes the place of this one; None = as it is.

    Returns:
        The exit code.
    """
    hold_standard_streams()
    settings = Settings(umask=umask)
    command = kms()
    try:
        if COMPLETE_VARIABLE in os.environ:
            return _complete(command)
        with command.make_context("kms", list(words), obj=settings) as context:
            command.invoke(context)
        if sys.stdout is not None:  # it is None if the caller closed it
            sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the one place where everything ends
        return _errors.finish(error, words, settings)
    return 0


def _complete(command: Kms) -> int:
    from kmscli.cli import _completion

    return _completion.answer(command, os.environ[COMPLETE_VARIABLE])
