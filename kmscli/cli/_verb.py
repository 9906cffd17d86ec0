"""The classes of every verb and group of verbs: strict reading of words, the options of the whole tool, plain help.

Both take the words through `_argv` before Click sees them. The options of the whole tool are added where Click asks for
a command's parameters, so that a verb's own function never sees them: they land in the Settings of the context.
"""

from functools import cache
from typing import Any

from typer import Context
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from kmscli import errors
from kmscli.cli import _argv
from kmscli.cli._settings import ROWS, Row, Settings


def settings_of(context: Context) -> Settings:
    """The settings of this run."""
    settings: Settings = context.obj
    return settings


def _keep(context: Any, option: Any, value: object) -> None:  # noqa: ANN401 - classes of the Click inside Typer
    if value not in (None, ()) and not context.resilient_parsing:
        settings_of(context).take(option.opts[0], value)


def _complete(row: Row) -> Any:  # noqa: ANN401 - a callable of Typer's
    return (lambda *_: list(row.choices)) if row.choices else None


@cache
def tool_options() -> tuple[TyperOption, ...]:
    """The options of the whole tool."""
    return tuple(
        TyperOption(
            param_decls=[row.name],
            metavar=row.metavar or None,
            help=f"{row.summary} [{row.variable}]" if row.variable else row.summary,
            is_flag=not row.metavar,
            multiple=row.several,
            expose_value=False,
            callback=_keep,
            autocompletion=_complete(row),
        )
        for row in ROWS
    )


def own_parameters(command: TyperCommand | TyperGroup) -> list[TyperOption | TyperArgument]:
    """The parameters that are a verb's own, in order."""
    return [param for param in command.params if isinstance(param, TyperOption | TyperArgument)]


class Verb(TyperCommand):
    """One verb.

    Attributes:
        spread: Whether a list takes all values up to the next option; not where arguments follow.
    """

    spread = True
    allow_extra_args = True  # refused in parse_args, in our words

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Typer's parameters, passed on
        kwargs["rich_markup_mode"] = None
        super().__init__(*args, **kwargs)

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - classes of the Click inside Typer
        """The verb's own parameters, those of the whole tool, and --help."""
        *own, help_option = super().get_params(ctx)
        return [*own, *tool_options(), help_option]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - classes of the Click inside Typer
        """Read the words strictly, then as Click does.

        Raises:
            UsageError: What `_argv` refuses, or an argument too many.
        """
        rest = super().parse_args(
            ctx, strict(self, ctx, args, interspersed=self.allow_interspersed_args, spread=self.spread)
        )
        if rest and not ctx.resilient_parsing:
            raise errors.UsageError(
                problem=f"{ctx.command_path}: one argument too many: {rest[0]}",
                hint=f"values follow options; `{ctx.command_path} --help` lists them",
            )
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - classes of the Click inside Typer
        """Help on the verb's own parameters; the rest stands in the help of `kms`."""
        _format(formatter, ctx, own_parameters(self))
        formatter.write_paragraph()
        formatter.write_text("Options of every verb, such as --vault, --output, --query and --keyfile: `kms --help`.")


class Group(TyperGroup):
    """A group of verbs, and `kms` itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Typer's parameters, passed on
        kwargs["rich_markup_mode"] = None
        kwargs["subcommand_metavar"] = "VERB ..."
        super().__init__(*args, **kwargs)

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - classes of the Click inside Typer
        """The options of the whole tool, and --help."""
        return [*tool_options(), super().get_params(ctx)[-1]]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - classes of the Click inside Typer
        """Read the words before the verb strictly, then as Click does.

        Raises:
            UsageError: What `_argv` refuses, or no verb.
        """
        rest = super().parse_args(ctx, strict(self, ctx, args, interspersed=False, spread=False))
        if not ctx._protected_args and not ctx.resilient_parsing:  # noqa: SLF001 - Click keeps the verb there
            path = ctx.command_path
            raise errors.UsageError(problem=f"{path} needs a verb", hint=f"`{path} --help` lists the verbs")
        return rest

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - Click
        """Find the verb.

        Raises:
            UsageError: There is none of that name.
        """
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            hint = _argv.suggestion(args[0], self.list_commands(ctx))
            raise errors.UsageError(
                problem=f"{ctx.command_path} has no verb {args[0]}",
                hint=hint or f"`{ctx.command_path} --help` lists the verbs",
            )
        return args[0] if command else None, command, args[1:]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - classes of the Click inside Typer
        """Help: the verbs, each with the first paragraph of its own help."""
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Verbs"):
            formatter.write_dl(
                [(name, " ".join((verb.help or "").partition("\n\n")[0].split())) for name, verb in verbs if verb]
            )


def strict(
    command: TyperCommand | TyperGroup,
    ctx: Any,  # noqa: ANN401 - classes of the Click inside Typer
    words: list[str],
    *,
    interspersed: bool,
    spread: bool,
) -> list[str]:
    """The words, read by `_argv`; as they are when the shell asks for completions of an unfinished line."""
    if ctx.resilient_parsing:
        return words
    options = (param for param in command.get_params(ctx) if isinstance(param, TyperOption))
    return list(_argv.Options(options, spread=spread, path=ctx.command_path).read(words, interspersed=interspersed))


def _format(formatter: Any, ctx: Any, parameters: list[Any]) -> None:  # noqa: ANN401 - classes of the Click in Typer
    for kind, title in (("argument", "Arguments"), ("option", "Options")):
        records = [p.get_help_record(ctx) for p in parameters if p.param_type_name == kind]
        if any(records):
            with formatter.section(title):
                formatter.write_dl([record for record in records if record])
