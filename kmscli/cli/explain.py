"""`kms explain`: why somebody may do something, or may not; no secret is needed."""

from collections.abc import Iterator
from typing import Annotated

from typer import Context, Exit, Option

from kmscli import errors
from kmscli.cli import _values
from kmscli.cli._new import verbs
from kmscli.cli._render import Output
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import now, opened
from kmscli.service import audits, explaining
from kmscli.service.explaining import ExplainedStatement, ExplainResponse

app = verbs()


@app.command("explain", cls=Verb)
def explain(
    ctx: Context,
    principal: Annotated[str, Option("--for", metavar="PRINCIPAL", help="Who would ask: name or ARN.")],
    action: Annotated[str, Option("--action", metavar="ACTION", help="What for, such as kms:Decrypt.")],
    key_id: Annotated[
        str | None, Option("--key-id", "-k", metavar="KEY", help="The key: its id, ARN, alias name or alias ARN.")
    ] = None,
    context: Annotated[
        list[str] | None,
        Option("--encryption-context", "-c", metavar="NAME=VALUE", help="A pair of the encryption context."),
    ] = None,
    fact: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="A condition key of the request, such as aws:SourceIp=203.0.113.7."),
    ] = None,
    at: Annotated[
        str | None, Option("--at", metavar="TIME", help="When, instead of now: an ISO date or time, or 30d ago.")
    ] = None,
) -> None:
    """Say whether policies and grants allow a request (exit 4 if not), why, and what would flip the decision."""
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    question = explaining.Question(
        principal=principal,
        action=action,
        key_id=key_id,
        encryption_context=_values.context_pairs(context or []),
        facts=tuple(map(_fact, fact or ())),
        at=audits.parse_time(at, now()) if at else None,
    )
    with opened(settings) as vault:
        found = explaining.explain(vault, question)
    output.show(found, _lines(found))
    if found.decision == explaining.DENY:
        raise Exit(4)


def _fact(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise errors.UsageError(problem=f"--set takes KEY=VALUE, not {word!r}")
    return key, value


def _lines(found: ExplainResponse) -> Iterator[str]:
    yield f"{found.decision}: {found.reason}"
    if found.denial:
        yield f"  {found.denial}"
    for one in found.statements:
        yield from _statement(one)
    if found.flip is not None:
        yield f"to flip it: {found.flip.summary}"
    yield from (f"note: {note}" for note in found.notes or ())


def _statement(one: ExplainedStatement) -> Iterator[str]:
    by_account = ", to the account" if one.by_account else ""
    yield f"{one.effect}{by_account} by {one.source}: {'applies' if one.applies else 'does not apply'}"
    for check in one.conditions:
        actual = "absent" if check.actual is None else " and ".join(check.actual) or '""'
        unresolved = ", a variable has no value" if check.unresolved else ""
        wanted = " or ".join(check.wanted)
        yield f"  {'yes' if check.holds else 'no '}  {check.key} is {actual}; {check.operator} {wanted}{unresolved}"
