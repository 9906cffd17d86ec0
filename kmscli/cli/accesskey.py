"""`kms access-key`: with what programs sign requests to the endpoint as a principal."""

from typing import Annotated

from typer import Argument, Context, Option

from kmscli import errors
from kmscli.cli import _prompt
from kmscli.cli._new import verbs
from kmscli.cli._render import Output
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import unlocked
from kmscli.formats.record import AccessKeyStatus
from kmscli.service import accesskeys

app = verbs("Access keys, with which AWS clients sign requests to the endpoint as a principal.")

Key = Annotated[str, Argument(metavar="ID", help="The access key: AKIA and what follows.")]
_STATUSES: dict[str, AccessKeyStatus] = {"Active": "Active", "Inactive": "Inactive"}


@app.command("create", cls=Verb)
def create(ctx: Context, name: Annotated[str, Argument(metavar="PRINCIPAL", help="Whose it is to be.")]) -> None:
    """Make an access key of a principal and print it, its secret included: nothing shows that again.

    A principal has at most two, so that a new one can be brought in before the old one is deleted.
    """
    settings = settings_of(ctx)
    output = Output(settings)
    with unlocked(settings) as context:
        made = accesskeys.create_access_key(context, name)
    output.show(made)


@app.command("list", cls=Verb)
def list_(
    ctx: Context,
    name: Annotated[str | None, Argument(metavar="[PRINCIPAL]", help="Whose; without one, those of all.")] = None,
) -> None:
    """List access keys, and when each signed a request last."""
    settings = settings_of(ctx)
    output = Output(settings)
    with unlocked(settings) as context:
        found = accesskeys.list_access_keys(context, name)
    output.show(found)


@app.command("update", cls=Verb)
def update(
    ctx: Context,
    access_key_id: Key,
    status: Annotated[
        str, Option("--status", metavar="Active|Inactive", help="Whether requests that it signs are taken.")
    ],
) -> None:
    """Make an access key inactive, or active again."""
    settings = settings_of(ctx)
    output = Output(settings)
    if status not in _STATUSES:
        raise errors.UsageError(problem=f"--status takes {' or '.join(_STATUSES)}, not {status[:64]!r}")
    with unlocked(settings) as context:
        changed = accesskeys.set_status(context, access_key_id, _STATUSES[status])
    output.show(changed)


@app.command("delete", cls=Verb)
def delete(ctx: Context, access_key_id: Key) -> None:
    """Delete an access key, after asking: requests that it signs are refused at once."""
    settings = settings_of(ctx)
    output = Output(settings)
    with unlocked(settings) as context:
        _prompt.confirm(f"Delete access key {access_key_id}?", settings)
        deleted = accesskeys.delete_access_key(context, access_key_id)
    output.show(deleted)
