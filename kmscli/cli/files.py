"""`kms inspect`, `inventory` and `rewrap`: encrypted files, what they need, and bringing them up to date."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from typer import Argument, Context, Exit, Option

from kmscli import errors
from kmscli.cli import _ending, _forms, _io, _outcomes, _progress, _values
from kmscli.cli._new import verbs
from kmscli.cli._render import Output
from kmscli.cli._settings import Settings
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import opened, unlocked
from kmscli.service import files, inspecting, inventory, keyring, rewrapping
from kmscli.service.files import Job
from kmscli.service.inspecting import InspectedKey, Inspection
from kmscli.storage import walking

app = verbs()

_UNPROVED = "nothing of this is proved: only decryption shows that a file is what it says"
_TWINS = "have one message id and are not copies: key and nonces were used twice, so believe neither of them"


class _Paths(Verb):
    """A verb whose arguments are paths: an option takes one value, so that it does not take them."""

    spread = False


@app.command("inspect", cls=_Paths)
def inspect(
    ctx: Context,
    file: Annotated[list[str], Argument(metavar="FILE...", help="Files; - is standard input.")],
    check: Annotated[bool, Option("--check", help="Also ask the vault whether the versions are current.")] = False,  # noqa: FBT002
) -> None:
    """Show what encrypted files say of themselves: keys, versions, context, sizes; no vault and no secret is needed.

    With --check, exit 4 if a file is not encrypted with a current version of a key of the vault.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    if check:
        with opened(settings) as vault:
            inspector = inspecting.Inspector(keyring.of_vault(vault))
            found = list(inspector.inspect_all(map(_path, file)))
    else:
        inspector = inspecting.Inspector()
        found = list(inspector.inspect_all(map(_path, file)))
    if len(found) == 1:
        _raise(found)
    _show(output, found, _inspected(found))
    if not settings.flag("--quiet"):
        _io.note(_UNPROVED)
        for pair in inspector.twins:
            _io.note(f"{pair.first} and {pair.second} {_TWINS}", kind="warning")
    _raise(found)
    if check and (inspector.twins or any(one.state != "current" for one in found)):
        raise Exit(4)


@app.command("inventory", cls=_Paths)
def inventory_(
    ctx: Context,
    path: Annotated[list[str], Argument(metavar="PATH...", help="Files and folders, which are gone through.")],
    stale: Annotated[bool, Option("--stale", help="Only what is not at a current version (exit 4 if any).")] = False,  # noqa: FBT002
    key_id: Annotated[
        str | None, Option("--key-id", "-k", metavar="KEY", help="Only files that need this key.")
    ] = None,
) -> None:
    """Show which files need which key and version, and remember it; no secret is needed.

    `kms schedule-key-deletion` warns with what the last inventory of a folder knew.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with opened(settings) as vault:
        chosen = inventory.chooser(vault, stale=stale, key_id=key_id)
        found = [one for one in inventory.take(vault, map(Path, path)) if chosen(one)]
    if len(found) == 1:
        _raise(found)
    _show(output, found, _listed(found))
    _raise(found)
    if stale and found:
        raise Exit(4)


@app.command("rewrap", cls=_Paths)
def rewrap(  # noqa: PLR0913, PLR0917 - one for each option
    ctx: Context,
    path: Annotated[list[str], Argument(metavar="PATH...", help="Files, and folders with --recursive.")],
    recursive: Annotated[bool, Option("--recursive", help="Go through folders.")] = False,  # noqa: FBT002
    to: Annotated[str | None, Option("--to", metavar="KEY", help="The one key that is to open them.")] = None,
    add: Annotated[
        list[str] | None, Option("--add", metavar="KEY", help="A key that is to open messages too; repeatable.")
    ] = None,
    remove: Annotated[
        list[str] | None, Option("--remove", metavar="KEY", help="A key that is to open them no more; repeatable.")
    ] = None,
    context: Annotated[
        list[str] | None,
        Option("-c", metavar="NAME=VALUE", help="One pair of the encryption context; repeatable."),
    ] = None,
    allow_legacy: Annotated[bool, Option("--allow-legacy", help="Also messages that do not commit to a key.")] = False,  # noqa: FBT002
    plan: Annotated[bool, Option("--plan", help="Say what would be done, and do nothing.")] = False,  # noqa: FBT002
) -> None:
    """Bring encrypted files to the current version of their keys, or to other keys.

    Each file is decrypted and encrypted anew in one stream, with a fresh data key, and replaced when the new one is
    whole; the plaintext is never written anywhere. What is current is skipped, so a run that was interrupted goes on.
    A blob that was made with an encryption context needs it given with -c. Copies of the old files still open with the
    old version: rewrap takes nothing away from who has them.
    """
    settings = settings_of(ctx)
    _refuse_forms(settings)
    wish = rewrapping.Plan(
        to=to,
        add=tuple(add or ()),
        remove=tuple(remove or ()),
        encryption_context=_values.context_pairs(context or []),
        legacy=allow_legacy,
    )
    jobs = _jobs(path, recursive=recursive)
    single = len(path) == 1 and not recursive
    if plan:
        with opened(settings) as vault:
            _show_plan(map(rewrapping.Planner(keyring.of_vault(vault), wish).look, jobs), settings)
        return
    with _ending.tidied(), unlocked(settings) as acting, _progress.shown(settings) as progress:
        make = rewrapping.rewrapper(acting, wish)
        results = files.run(acting, jobs, make, progress=progress)
        _outcomes.report(results, settings, single=single, summary="rewrapped")


def _path(text: str) -> Path | None:
    return None if text == "-" else Path(text)


def _jobs(paths: Iterable[str], *, recursive: bool) -> Iterable[Job]:
    """Each file in its place.

    Raises:
        UsageError: A folder, and not `recursive`.
    """
    named = [Path(text) for text in paths]
    folders = [path for path in named if path.is_dir()]
    if folders and not recursive:
        raise errors.UsageError(problem=f"{folders[0]} is a folder", hint="--recursive goes through it")
    found = (each for path in named for each in (walking.files_below(path) if path in folders else [path]))
    return (Job(path, path, in_place=True) for path in found)


def _refuse_forms(settings: Settings) -> None:
    if settings.text("--query") or settings.text("--output") in {"text", "table", "raw"}:
        raise errors.UsageError(problem="kms rewrap prints lines for people, or one JSON object a line: --output json")


def _show_plan(intents: Iterator[rewrapping.Intent], settings: Settings) -> None:
    failed = total = 0
    for intent in intents:
        total += 1
        failed += intent.error is not None
        if settings.text("--output") == "json":
            _io.write_text(_outcomes.line(intent))
        elif intent.error is not None:
            _outcomes.note_error(intent.input, intent.error)
        elif intent.key_ids is not None:
            _io.write_text(f"{intent.input}: {', '.join(intent.key_ids)}\n")
    if failed:
        raise errors.SomeFailedError(failed=failed, total=total)


# -- what is shown -----------------------------------------------------------------------------------------------------


def _show(output: Output, found: list[Any], lines: Iterable[str]) -> None:
    """All of them as one answer; those that failed also, or by a line for people."""
    if output.form == "people":
        for one in found:
            if one.error is not None:
                _outcomes.note_error(one.file, one.error)
    output.show({"Files": [_outcomes.plainly(one) for one in found]}, lines)


def _raise(found: list[Any]) -> None:
    """The error of the only one, or that of several."""
    failed = [one.error for one in found if one.error is not None]
    if failed and len(found) == 1:
        raise failed[0]
    if failed:
        raise errors.SomeFailedError(failed=len(failed), total=len(found))


def _inspected(found: list[Inspection]) -> Iterator[str]:
    whole = [one for one in found if one.error is None]
    for number, one in enumerate(whole):
        if number:
            yield ""
        told = msgspec.structs.replace(one, keys=None, format=None, encryption_context=None)
        rows = [[label, *rest] for label, *rest in (line.split("  ", 1) for line in _forms.labelled(told))]
        yield from _forms.aligned([[label, rest[0].strip()] for label, *rest in [*rows[:1], *_more(one), *rows[1:]]])


def _more(one: Inspection) -> Iterator[list[str]]:
    """What does not stand in one word."""
    yield ["format", one.format or "none that kms makes, or the ciphertext of an RSA key"]
    for key in one.keys or ():
        yield ["key", _key(key)]
    for name, value in (one.encryption_context or {}).items():
        yield ["context", f"{name}={value}"]


def _key(key: InspectedKey) -> str:
    name = key.key_arn or key.key_id or f"of {key.provider}"
    version = "" if key.version is None else f", version {key.version}"
    newer = key.current_version is not None and key.current_version != key.version
    return f"{name}{version} (current: {key.current_version})" if newer else f"{name}{version}"


def _listed(found: list[inventory.InventoryFile]) -> list[str]:
    rows = [
        [one.file, one.format or "", one.state or "", "; ".join(map(_key, one.keys or ()))]
        for one in found
        if one.error is None
    ]
    return _forms.aligned([["FILE", "FORMAT", "STATE", "KEYS"], *rows]) if rows else []
