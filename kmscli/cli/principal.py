"""`kms principal`: who there is in the vault."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from typer import Argument, Context, Option

from kmscli import errors
from kmscli.cli import _forms, _io, _prompt, _render, _unlock, _values
from kmscli.cli._new import NewCommand, NewFd, NewFile, NewKeyfile, verbs
from kmscli.cli._render import Output
from kmscli.cli._settings import Settings
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import opened, unlocked
from kmscli.formats import joining
from kmscli.service import identitypolicies, joins, principals, renewals
from kmscli.service.identitypolicies import PolicyChangeResponse
from kmscli.service.joins import Requested
from kmscli.service.members import Shape
from kmscli.service.principals import PrincipalResponse
from kmscli.service.shapes import Tag
from kmscli.storage import files

app = verbs("Who there is in the vault: users and roles, each with an identity, slots and policies.")

Named = Annotated[str, Argument(metavar="NAME", help="The principal.")]
PolicyNamed = Annotated[str, Option("--policy-name", metavar="NAME", help="The policy.")]
Out = Annotated[str | None, Option("--out", "-o", metavar="FILE", help="Write the request here; - is standard output.")]
Request = Annotated[str | None, Option("--request", metavar="FILE", help="What the holder made; - is standard input.")]
_TAGS = Shape("list", item=Shape("structure", struct=Tag))
_IAM_NAMES = {"Key": "TagKey", "Value": "TagValue"}
"""IAM's names of a tag's members, which answers have -> those of KMS; both are taken."""


# -- by the holder -----------------------------------------------------------------------------------------------------


@app.command("request", cls=Verb)
def request(
    ctx: Context,
    name: Annotated[str, Argument(metavar="NAME", help="The name to have in the vault.")],
    out: Out = None,
    label: Annotated[str, Option("--label", metavar="TEXT", help="Label of the first slot.")] = "first",
    new_fd: NewFd = None,
    new_file: NewFile = None,
    new_command: NewCommand = None,
    new_keyfile: NewKeyfile = None,
) -> None:
    """Ask for a place in the vault: make an identity and what unlocks it, and a request for a root to grant.

    The passphrase or keyfile stays with you, and the request holds no secret. Compare the root fingerprint with what
    the root tells you, and tell the root the key fingerprint.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    target = _target(out, output)
    new = _unlock.new_options(new_fd, new_file, new_command, new_keyfile)
    with opened(settings) as vault:
        joins.look(vault, name)
        secret = _unlock.new_secret(settings, new, f"{name}, who wants to join")
        made = joins.request(vault, name, secret, label, target)
    _show_request(made, target, output, settings, f"a root grants it with `kms principal create {name} --request`")


def _target(out: str | None, output: Output) -> Path | None:
    if out is None:
        raise errors.UsageError(problem="missing option '--out'", hint="-o FILE is where the request goes")
    if out == "-" and output.form != "people":
        raise errors.UsageError(problem="-o - and --output exclude each other: both want standard output")
    return None if out == "-" else Path(out)


def _show_request(made: Requested, target: Path | None, output: Output, settings: Settings, next_step: str) -> None:
    if target is None:
        _render.show_bytes(made.content, forced=True)
    else:
        output.show(made.shown, _forms.labelled(made.shown))
    if not settings.flag("--quiet"):
        if target is None:
            _io.note(f"root fingerprint {made.shown.root_fingerprint}, key fingerprint {made.shown.key_fingerprint}")
        _io.note("compare the root fingerprint with the root's, and tell the root the key fingerprint")
        _io.note(next_step)


@app.command("rotate-identity", cls=Verb)
def rotate_identity(
    ctx: Context,
    name: Annotated[
        str | None, Argument(metavar="[NAME]", help="Whose request is granted; nobody's for one's own identity.")
    ] = None,
    asked: Request = None,
    out: Out = None,
) -> None:
    """Give a principal a new identity: other keys, behind the same passphrases and keyfiles.

    A root does it at once. Everybody else makes a request with -o, which a root grants with NAME and --request. It does
    not rotate keys: what the old identity could open is still open to whoever has it and an old copy of the vault.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    if (name is None) != (asked is None) or (asked is not None and out is not None):
        raise errors.UsageError(
            problem="NAME and --request belong together, without -o",
            hint="a holder gives -o FILE alone, a root NAME and --request FILE, or nothing for the own identity",
        )
    if out is not None:
        _request_renewal(out, output, settings)
        return
    content = _content(asked) if asked is not None else b""
    with unlocked(settings) as context:
        if name is not None:
            made = renewals.grant(context, name, content, path=str(asked))
        else:
            made = renewals.rotate_own(context)
    _show(made, output, settings)


def _request_renewal(out: str, output: Output, settings: Settings) -> None:
    target = _target(out, output)
    with unlocked(settings) as context:
        made = renewals.request(context, target)
    granting = f"a root grants it with `kms principal rotate-identity {made.shown.name} --request`"
    _show_request(made, target, output, settings, granting)


# -- by a root ---------------------------------------------------------------------------------------------------------


@app.command("create", cls=Verb)
def create(
    ctx: Context,
    name: Named,
    role: Annotated[bool, Option("--role", help="Make a role, not a user.")] = False,  # noqa: FBT002 - a flag
    asked: Request = None,
    label: Annotated[str, Option("--label", metavar="TEXT", help="Label of the new keyfile's slot.")] = "first",
    new_keyfile: NewKeyfile = None,
) -> None:
    """Let somebody in: by his request, or with a new keyfile for a machine.

    Compare the key fingerprint with what the holder tells you: a request is only as good as the way it came.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    if (asked is None) == (new_keyfile is None):
        raise errors.UsageError(
            problem="one of --request and --new-keyfile is needed",
            hint=f"the holder makes a request with `kms principal request {name} -o FILE`",
        )
    kind: principals.Kind = "role" if role else "user"
    content = _content(asked) if asked is not None else b""
    with unlocked(settings) as context:
        if new_keyfile is not None:
            made = principals.create_with_keyfile(context, name, kind, Path(new_keyfile), label=label)
        else:
            made = principals.create_by_request(context, name, kind, content, path=str(asked))
    _show(made, output, settings)


def _content(asked: str) -> bytes:
    if asked == "-":
        return _io.read_stdin(limit=joining.LENGTH_MAX, quiet=False)
    return files.read_input(Path(asked), limit=joining.LENGTH_MAX)


def _show(made: PrincipalResponse, output: Output, settings: Settings) -> None:
    one = made.one
    rest = msgspec.structs.replace(made, user=None, role=None)
    lines = _forms.labelled(one) if one is not None else []
    output.show(made, [*lines, *_forms.labelled(rest)] if _forms.plain(rest) else lines)
    _note_pending(made.shares_pending, settings)


def _note_pending(pending: bool | None, settings: Settings) -> None:  # noqa: FBT001 - its one argument is the flag
    if pending and not settings.flag("--quiet"):
        _io.note("shares of keys follow: `kms run-due` makes those that are left")


@app.command("list", cls=Verb)
def list_(ctx: Context) -> None:
    """List the users and roles of the vault."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with unlocked(settings) as context:
        found = principals.list_principals(context)
    output.show(found, _forms.columns(principals.in_short(found)))


@app.command("show", cls=Verb)
def show(ctx: Context, name: Named) -> None:
    """Show a principal, its policies and its slots."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with unlocked(settings) as context:
        found = principals.show_principal(context, name)
    _show(found, output, settings)


@app.command("disable", cls=Verb)
def disable(ctx: Context, name: Named) -> None:
    """Disable a principal: it can do nothing, and loses its shares of keys until it is enabled again."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with unlocked(settings) as context:
        changed = principals.set_state(context, name, "disabled")
    _show(changed, output, settings)


@app.command("enable", cls=Verb)
def enable(ctx: Context, name: Named) -> None:
    """Enable a principal that was disabled; it gets the shares of keys back that policies give it."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with unlocked(settings) as context:
        changed = principals.set_state(context, name, "enabled")
    _show(changed, output, settings)


@app.command("delete", cls=Verb)
def delete(ctx: Context, name: Named) -> None:
    """Delete a principal with its policies, slots and shares of keys, after asking.

    Policies of keys and grants that name it stay: another principal of that name would be meant by them.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with unlocked(settings) as context:
        _prompt.confirm(f"Delete principal {name} with its policies and slots?", settings)
        deleted = principals.delete_principal(context, name)
    _show(deleted, output, settings)


@app.command("tag", cls=Verb)
def tag(
    ctx: Context,
    name: Named,
    tags: Annotated[list[str], Option("--tags", metavar="TagKey=K,TagValue=V ...", help="The tags, or JSON.")],
) -> None:
    """Give a principal tags; one that it has already gets the new value."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    found = _values.value(_TAGS, tags, _values.Source("--tags"))
    with unlocked(settings) as context:
        changed = principals.tag_principal(context, name, {"Tags": _in_words_of_kms(found)})
    _show(changed, output, settings)


def _in_words_of_kms(found: Any) -> Any:  # noqa: ANN401 - what words gave, not yet checked
    items = found if isinstance(found, list) else [found]
    return [
        {_IAM_NAMES.get(name, name): value for name, value in item.items()} if isinstance(item, dict) else item
        for item in items
    ]


@app.command("untag", cls=Verb)
def untag(
    ctx: Context,
    name: Named,
    keys: Annotated[list[str], Option("--tag-keys", metavar="K ...", help="Names of the tags to take away.")],
) -> None:
    """Take tags from a principal."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    found = _values.value(Shape("list", item=Shape("string")), keys, _values.Source("--tag-keys"))
    with unlocked(settings) as context:
        changed = principals.untag_principal(context, name, {"TagKeys": found})
    _show(changed, output, settings)


# -- policies ----------------------------------------------------------------------------------------------------------


@app.command("put-policy", cls=Verb)
def put_policy(
    ctx: Context,
    name: Named,
    policy_name: PolicyNamed,
    document: Annotated[
        str, Option("--policy-document", metavar="JSON", help="The policy: JSON, or file://F for a file of it.")
    ],
) -> None:
    """Attach a policy to a principal, over one of the same name."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    members = {"PolicyName": policy_name, "PolicyDocument": _document(document)}
    with unlocked(settings) as context:
        put = identitypolicies.put_policy(context, name, members)
    _show_policy_change(put, output, settings)


def _document(word: str) -> str:
    # What does not begin as JSON does is the name of a file, as `kms policy check FILE` takes it.
    is_named = not word.startswith("file://") and not word.lstrip().startswith("{")
    return _values.text_of(f"file://{word}" if is_named else word, "--policy-document")


def _show_policy_change(answer: PolicyChangeResponse, output: Output, settings: Settings) -> None:
    output.show(answer)
    _note_pending(answer.shares_pending, settings)


@app.command("get-policy", cls=Verb)
def get_policy(ctx: Context, name: Named, policy_name: PolicyNamed) -> None:
    """Print a policy of a principal."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with unlocked(settings) as context:
        found = identitypolicies.get_policy(context, name, policy_name)
    output.show(found, found.text.splitlines())


@app.command("delete-policy", cls=Verb)
def delete_policy(ctx: Context, name: Named, policy_name: PolicyNamed) -> None:
    """Take a policy from a principal."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with unlocked(settings) as context:
        deleted = identitypolicies.delete_policy(context, name, policy_name)
    _show_policy_change(deleted, output, settings)
