"""`kms audit`: the signed log; none of its verbs needs a secret."""

from pathlib import Path
from typing import Annotated

from typer import Context, Option

from kmscli import errors
from kmscli.cli import _forms, _io
from kmscli.cli._new import verbs
from kmscli.cli._render import Output
from kmscli.cli._settings import one_of
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import now, opened
from kmscli.service import audits

app = verbs("The signed log of every use; no secret is needed to read or to verify it.")

_VERDICT = "The log is whole: every line is signed, and in its place."
_OUTCOMES = ("ok", "denied", "failed")


@app.command("tail", cls=Verb)
def tail(
    ctx: Context,
    lines: Annotated[int, Option("--lines", "-n", metavar="NUMBER", min=1, help="How many.")] = 10,
) -> None:
    """Show the last lines, oldest first; `kms audit verify` proves them."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with opened(settings) as vault:
        events = audits.tail(vault, lines=lines)
    output.show({"Events": events}, _forms.events(events))


@app.command("search", cls=Verb)
def search(
    ctx: Context,
    by: Annotated[str | None, Option("--by", metavar="PRINCIPAL", help="Who acted: user name or ARN.")] = None,
    key_id: Annotated[
        str | None, Option("--key-id", "-k", metavar="KEY", help="The key: its id, ARN, alias name or alias ARN.")
    ] = None,
    operation: Annotated[
        str | None, Option("--operation", metavar="NAME", help="The operation: CreateKey or create-key.")
    ] = None,
    since: Annotated[
        str | None, Option("--since", metavar="TIME", help="From then on: 30d, 12h, 45m ago, or an ISO date or time.")
    ] = None,
    until: Annotated[str | None, Option("--until", metavar="TIME", help="Before then.")] = None,
    outcome: Annotated[
        str | None,
        Option(
            "--outcome",
            metavar="|".join(_OUTCOMES),
            help="How it ended.",
            autocompletion=lambda: list(_OUTCOMES),
        ),
    ] = None,
) -> None:
    """Show the lines that fit all options, oldest first; `kms audit verify` proves them."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    if outcome is not None and outcome not in _OUTCOMES:
        raise errors.UsageError(problem=f"--outcome takes {one_of(_OUTCOMES)}, not {outcome!r}")
    query = audits.AuditQuery(
        principal=by,
        key_id=key_id,
        operation=operation,
        since=audits.parse_time(since, now()) if since else None,
        until=audits.parse_time(until, now()) if until else None,
        outcome=outcome,  # type: ignore[arg-type]  # checked above
    )
    with opened(settings) as vault:
        events = list(audits.search(vault, query))
    output.show({"Events": events}, _forms.events(events))


@app.command("verify", cls=Verb)
def verify(
    ctx: Context,
    full: Annotated[bool, Option("--full", help="Also replay every change and prove every record.")] = False,  # noqa: FBT002
    log: Annotated[
        str | None, Option("--log", metavar="DIR", help="Verify this log by itself, without a vault.")
    ] = None,
    root: Annotated[
        str | None, Option("--root", metavar="FINGERPRINT", help="The root fingerprint; with --log.")
    ] = None,
) -> None:
    """Prove that the log is whole and signed; the first bad line is named (exit 51), 52 if it cannot be read."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    if (log is None) != (root is None):
        raise errors.UsageError(problem="--log and --root need each other")
    if log is not None and root is not None:
        proved = audits.verify_log(Path(log), audits.parse_fingerprint(root), full=full)
    else:
        with opened(settings) as vault:
            proved = audits.verify(vault, full=full)
    output.show(proved, [_VERDICT, *_forms.labelled(proved)])
    if proved.trusted_by == "vault" and not settings.flag("--quiet"):
        _io.note("only the vault itself vouches for its root fingerprint: compare it with what `kms init` printed")
