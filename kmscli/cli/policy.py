"""`kms policy`: what a policy in a file would do, before it is put on a key; no secret is needed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

from typer import Argument, Context, Exit, Option

from kmscli import errors
from kmscli.cli import _forms, _io
from kmscli.cli._new import verbs
from kmscli.cli._render import Output
from kmscli.cli._settings import Settings
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import now, opened
from kmscli.model import actions, limits
from kmscli.service import audits, policychecks, replaying
from kmscli.service.policychecks import PolicyDiffResponse
from kmscli.service.replaying import PolicyReplayResponse
from kmscli.storage import files
from kmscli.storage.paths import VaultPaths
from kmscli.vault.folder import Vault

app = verbs("What a policy in a file would do, before it is put on a key; no secret is needed.")

File = Annotated[str, Argument(metavar="FILE", help="A key policy; - is standard input.")]
Key = Annotated[str, Option("--key-id", "-k", metavar="KEY", help="The key: its id, ARN, alias name or alias ARN.")]

_BYTES_MAX = 4 * limits.POLICY_MAX
"""More than any policy has; what is longer is refused by its characters."""


@app.command("check", cls=Verb)
def check(
    ctx: Context,
    file: File,
    key_id: Annotated[str | None, Option("--key-id", "-k", metavar="KEY", help="The key it is for.")] = None,
    identity: Annotated[bool, Option("--identity", help="It is the policy of a principal, not of a key.")] = False,  # noqa: FBT002
) -> None:
    """Find faults and dangers (exit 4): grammar, statements that never apply, keys open to all, lockout.

    Without a vault at hand, whether somebody would be locked out is left open.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    text = _text(file)
    with _at_hand(settings, needed=key_id is not None) as vault:
        found = policychecks.check(text, vault, key_id=key_id, identity=identity)
    lines = [f"{file}:{one.line}:{one.column}: {one.severity}: {one.text}" for one in found.findings]
    output.show(found, lines or ["nothing found"])
    if found.findings:
        raise Exit(4)


@app.command("diff", cls=Verb)
def diff(ctx: Context, file: File, key_id: Key) -> None:
    """Show who would gain or lose which action on a key, were this its policy."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    text = _text(file)
    with opened(settings) as vault:
        found = policychecks.diff(vault, text, key_id)
    output.show(found, _differences(found))


@app.command("replay", cls=Verb)
def replay(
    ctx: Context,
    file: File,
    key_id: Key,
    since: Annotated[
        str | None, Option("--since", metavar="TIME", help="From then on: 30d, 12h, 45m ago, or an ISO date or time.")
    ] = None,
) -> None:
    """Show which past uses of a key would have been decided otherwise, were this its policy."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    text = _text(file)
    with opened(settings) as vault:
        found = replaying.replay(vault, text, key_id, audits.parse_time(since, now()) if since else None)
    output.show(found, _replayed(found))


def _text(file: str) -> str:
    data = (
        _io.read_stdin(limit=_BYTES_MAX, quiet=False) if file == "-" else files.read_input(Path(file), limit=_BYTES_MAX)
    )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise errors.UsageError(problem=f"{file} is not text in UTF-8") from error


def _at_hand(settings: Settings, *, needed: bool) -> AbstractContextManager[Vault | None]:
    """The vault; none where there is none and nobody asked for one, as where policies are checked before they leave."""
    there = VaultPaths(settings.vault).database.exists()
    return opened(settings) if there or needed or settings.text("--vault") else nullcontext()


def _differences(found: PolicyDiffResponse) -> Iterator[str]:
    for one in found.principals:
        yield f"{one.principal}, as far as its own policies allow" if one.supposed else one.principal
        parts = {"gains": one.gains, "loses": one.loses, "only under conditions": one.narrows, "always": one.widens}
        yield from (f"  {label}: {_listed(those)}" for label, those in parts.items() if those)
    if not found.principals:
        yield "nobody gains or loses anything"


def _listed(those: tuple[str, ...]) -> str:
    """Actions, or those that are missing where that says it shorter."""
    missing = [action for action in actions.WITH_KEY if action not in those]
    if len(missing) >= len(those):
        return " ".join(action.removeprefix("kms:") for action in those)
    return (
        " ".join(["everything but", *(action.removeprefix("kms:") for action in missing)]) if missing else "everything"
    )


def _replayed(found: PolicyReplayResponse) -> Iterator[str]:
    yield from _forms.columns(found.otherwise)
    yield f"{len(found.otherwise)} of {found.decided} decisions would be others"
    if found.undecided:
        yield f"{found.undecided} cannot be decided by what the log says"
