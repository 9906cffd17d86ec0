"""`kms slot`: the ways to unlock."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Context, Option

from kmscli import errors
from kmscli.cli import _forms, _io, _prompt, _unlock
from kmscli.cli._new import NewCommand, NewFd, NewFile, NewKeyfile, verbs
from kmscli.cli._render import Output
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import opened, unlocked
from kmscli.service import slots
from kmscli.service.newslots import Custodians

app = verbs("The ways to unlock: each slot opens its principal with a secret of its own.")

Named = Annotated[str, Argument(metavar="SLOT", help="The slot: its id or its label.")]


@app.command("list", cls=Verb)
def list_(ctx: Context) -> None:
    """List the slots of the vault; no secret is needed."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with opened(settings) as vault:
        found = slots.list_slots(vault)
    output.show(found, _forms.columns(found.slots))
    if found.damaged_slots:
        _io.note(f"{found.damaged_slots} more cannot be read: damaged, or tampered with", kind="warning")


@app.command("add", cls=Verb)
def add(  # noqa: PLR0913, PLR0917 - one for each option
    ctx: Context,
    label: Annotated[str, Option("--label", metavar="TEXT", help="What to call it, such as laptop, ci or safe.")],
    new_fd: NewFd = None,
    new_file: NewFile = None,
    new_command: NewCommand = None,
    new_keyfile: NewKeyfile = None,
    custodians: Annotated[
        str | None,
        Option("--custodians", metavar="NAME,NAME,...", help="Who is to open it together, each with a share."),
    ] = None,
    threshold: Annotated[
        int | None, Option("--threshold", metavar="M", help="How many of the custodians are needed, 2 at least.")
    ] = None,
    share_folder: Annotated[
        str | None,
        Option("--share-folder", metavar="DIR", help="Make the custodians' shares here, as NAME.share."),
    ] = None,
) -> None:
    """Add a way to unlock for who acts.

    With --custodians it opens with the shares of any --threshold of them: give each custodian his file, and unlock with
    several --keyfile. Every other slot of who acts still opens alone: remove them if nobody is to.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    new = _unlock.new_options(new_fd, new_file, new_command, new_keyfile)
    shared = _custodians(custodians, threshold, share_folder, beside=new)
    with unlocked(settings) as context:
        secret = shared or _unlock.new_secret(settings, new, f"slot {label} of {context.session.principal}")
        made = slots.add_slot(context, secret, label)
    output.show(made, _forms.labelled(made.slot))
    if shared and not settings.flag("--quiet"):
        _io.note("give each custodian his file; other slots still open alone, see `kms slot list`")


def _custodians(
    names: str | None, threshold: int | None, folder: str | None, *, beside: _unlock.New
) -> Custodians | None:
    options = {"--custodians": names, "--threshold": threshold, "--share-folder": folder}
    if names is None and threshold is None and folder is None:
        return None
    if names is None or threshold is None or folder is None:
        missing = [name for name, value in options.items() if value is None]
        raise errors.UsageError(
            problem=f"a slot of custodians needs {' and '.join(missing)} too",
            hint="such as --custodians alice,bob,carol --threshold 2 --share-folder shares",
        )
    _unlock.refuse_several([*beside.options, "--custodians"])
    return Custodians(tuple(names.split(",")), threshold, Path(folder))


@app.command("remove", cls=Verb)
def remove(ctx: Context, slot: Named) -> None:
    """Remove a way to unlock of who acts, after asking; the last one stays.

    Copies of the vault that were made before still open with it.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with unlocked(settings) as context:
        found = slots.find(context, slot)
        _prompt.confirm(f"Remove slot {found.label} ({found.kind}) of {found.principal}?", settings)
        removed = slots.remove_slot(context, found.slot_id)
    output.show(removed, _forms.labelled(removed.slot))
    _say_what_stays(settings.flag("--quiet"))


@app.command("change", cls=Verb)
def change(
    ctx: Context,
    slot: Annotated[
        str | None, Argument(metavar="[SLOT]", help="The slot: its id or its label; the only one when absent.")
    ] = None,
    new_fd: NewFd = None,
    new_file: NewFile = None,
    new_command: NewCommand = None,
    new_keyfile: NewKeyfile = None,
) -> None:
    """Give a slot of who acts another secret; its label stays.

    Copies of the vault that were made before still open with the old secret. A slot of custodians is not changed: add
    another one, and remove it.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    new = _unlock.new_options(new_fd, new_file, new_command, new_keyfile)
    with unlocked(settings) as context:
        found = slots.find_changeable(context, slot)
        secret = _unlock.new_secret(settings, new, f"slot {found.label} of {found.principal}")
        changed = slots.change_slot(context, found.slot_id, secret)
    output.show(changed, _forms.labelled(changed.slot))
    _say_what_stays(settings.flag("--quiet"))


@app.command("test", cls=Verb)
def test(ctx: Context) -> None:
    """Show which slot the given secret opens; nothing is used or changed."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with opened(settings) as vault:
        found = slots.test_slot(vault, settings.text("--principal"), lambda name: _unlock.secret(settings, name))
    output.show(found, _forms.labelled(found.slot))


def _say_what_stays(quiet: bool) -> None:  # noqa: FBT001 - its one argument is the flag
    if not quiet:
        _io.note("copies of the vault made before still open with the old secret")
