"""The options of verbs that make a slot, and the Typer object that every module of hand-made verbs starts from."""

from typing import Annotated

from typer import Option, Typer

from kmscli.cli._verb import Group

NewFd = Annotated[
    str | None,
    Option("--new-passphrase-fd", metavar="N", help="The new passphrase, read from this file descriptor."),
]
NewFile = Annotated[
    str | None,
    Option("--new-passphrase-file", metavar="FILE", help="The new passphrase, in this file. [KMS_NEW_PASSPHRASE_FILE]"),
]
NewCommand = Annotated[
    str | None,
    Option(
        "--new-passphrase-command",
        metavar="CMD",
        help="The new passphrase, printed by this command. [KMS_NEW_PASSPHRASE_COMMAND]",
    ),
]
NewKeyfile = Annotated[
    str | None,
    Option("--new-keyfile", metavar="FILE", help="Make a keyfile here instead; it must not exist."),
]


def verbs(summary: str | None = None) -> Typer:
    """An empty set of verbs; with a summary, a group of its own."""
    return Typer(cls=Group, help=summary, add_completion=False, rich_markup_mode=None)
