"""`kms status`, `version`, `exit-codes`, `completion` and `man`: what needs no secret, and mostly no vault."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Context, Option

from kmscli import __version__, errors
from kmscli.cli import _completion, _forms
from kmscli.cli._new import verbs
from kmscli.cli._render import Output
from kmscli.cli._verb import Verb, settings_of

app = verbs()


@app.command("status", cls=Verb)
def status(ctx: Context) -> None:
    """Show what can be said of a vault without a secret: root fingerprint, counts, where it is.

    Signatures are checked; whether the roots are the right ones only the fingerprint tells.
    """
    from kmscli.cli._work import opened
    from kmscli.service import vaults

    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with opened(settings) as vault:
        found = vaults.status(vault)
    output.show(found, _forms.labelled(found))


@app.command("version", cls=Verb)
def version(ctx: Context) -> None:
    """Show the version."""
    Output(settings_of(ctx), default="people").show({"Version": __version__}, [f"kms {__version__}"])


@app.command("exit-codes", cls=Verb)
def exit_codes(ctx: Context) -> None:
    """List the exit codes; they are never renumbered."""
    rows = [{"Code": code, "Meaning": meaning} for code, meaning in errors.EXIT_CODES.items()]
    lines = [f"{code:>3}  {meaning}" for code, meaning in errors.EXIT_CODES.items()]
    Output(settings_of(ctx), default="people").show({"ExitCodes": rows}, lines)


@app.command("completion", cls=Verb)
def completion(
    ctx: Context,
    shell: Annotated[
        str, Argument(metavar="SHELL", help="bash, zsh or fish.", autocompletion=lambda: list(_completion.SHELLS))
    ],
) -> None:
    """Print the completion script for a shell, such as `eval "$(kms completion bash)"`."""
    output = Output(settings_of(ctx), default="people")
    script = _completion.script(shell)
    output.show({"Script": script}, script.splitlines())


@app.command("man", cls=Verb)
def man(
    ctx: Context,
    install: Annotated[str | None, Option("--install", metavar="DIR", help="Write all pages into this folder.")] = None,
) -> None:
    """Show the manual page, or install all of them."""
    from kmscli.cli import _man

    if install is not None:
        written = _man.install(Path(install))
        Output(settings_of(ctx), default="people").show({"Files": written}, written)
    else:
        _man.show()
