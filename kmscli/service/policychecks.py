"""What a policy in a file would do: faults and dangers, and who would gain or lose which action on a key.

Nothing is unlocked, changed or written down.
"""

from collections.abc import Iterator

import msgspec

from kmscli import errors
from kmscli.model import actions, compiled, judging, limits, principals
from kmscli.model.compiled import Document
from kmscli.model.decision import Policies
from kmscli.model.judging import Place
from kmscli.model.reach import ALWAYS, NEVER, SOMETIMES, reach
from kmscli.model.statement import EVERYONE
from kmscli.service import asking, authority
from kmscli.service.asking import Subject
from kmscli.service.shapes import Response
from kmscli.vault.folder import Vault
from kmscli.vault.records import KeyGroup, Records

_ANYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
ANYTHING = {"any": compiled.identity_policy(_ANYTHING)}
"""The policies of somebody of whom none are known here: what a key policy leaves to them counts as given."""
ACCOUNT, ANYBODY = "the account", "anybody"
_STRANGERS = ("999999999999", "999999999998")
"""Accounts, of which one is not the vault's."""


class PolicyFinding(Response, frozen=True, kw_only=True):
    """Something to look at in a policy; `path`, or the whole policy without one, begins at line and column."""

    severity: str
    issue: str
    statement: str | None = None
    path: str | None = None
    line: int
    column: int
    text: str


class PolicyCheckResponse(Response, frozen=True, kw_only=True):
    """What is found in a policy; nothing, if it is good."""

    findings: tuple[PolicyFinding, ...]


def check(text: str, vault: Vault | None, *, key_id: str | None = None, identity: bool = False) -> PolicyCheckResponse:
    """Judge a policy.

    Args:
        text: The policy as it was written.
        vault: Where it is meant for; None: nobody is looked for who could be locked out.
        key_id: The key for which it is meant.
        identity: Whether it is an identity policy.

    Raises:
        KmsError: No such key; the vault is damaged or was tampered with.
    """
    place = Place()
    if vault is not None:
        with asking.proved(vault) as records:
            key_arn = asking.key_of(records, key_id)[0].arn if key_id else ""
            callers = tuple(each.arn for each in authority.enabled(records) if each.record.root)
            place = Place(account=records.place.account, callers=callers, key_arn=key_arn)
    findings = [_finding(one) for one in judging.judge(text, place, identity=identity)]
    size = len(text.encode())
    if size > limits.POLICY_BYTES_MAX:
        sentence = f"it has {size} bytes: a policy has at most {limits.POLICY_BYTES_MAX}"
        findings.append(PolicyFinding(severity=judging.ERROR, issue="too long", line=1, column=1, text=sentence))
    return PolicyCheckResponse(findings=tuple(findings))


def _finding(one: judging.Finding) -> PolicyFinding:
    return PolicyFinding(
        severity=one.severity,
        issue=one.issue,
        statement=one.statement or None,
        path=one.path or None,
        line=one.line,
        column=one.column,
        text=one.text,
    )


def document(text: str) -> Document:
    """The key policy in a file.

    Raises:
        MalformedPolicyError: With line and column.
    """
    try:
        return compiled.key_policy(text)
    except errors.MalformedPolicyError as error:
        if error.data.get("place"):
            raise  # its sentence has them
        line, column = judging.located(text, error)
        problem = f"line {line}, column {column}: {error.message}"
        raise errors.MalformedPolicyError(problem=problem, hint=error.hint) from error


# -- before and after --------------------------------------------------------------------------------------------------


class PolicyDifference(Response, frozen=True, kw_only=True):
    """What a new policy changes for somebody.

    Attributes:
        principal: His name or ARN; ACCOUNT: what is left to its identity policies; ANYBODY: who is not named anywhere.
        supposed: True where his own policies are not known here, and are supposed to allow everything.
        gains: Actions that he may do then and never now.
        loses: Actions that he may do now and never then.
        narrows: Actions that he may always do now, and then only under conditions.
        widens: The reverse.
    """

    principal: str
    arn: str
    supposed: bool | None = None
    gains: tuple[str, ...]
    loses: tuple[str, ...]
    narrows: tuple[str, ...]
    widens: tuple[str, ...]


class PolicyDiffResponse(Response, frozen=True, kw_only=True):
    """For whom a new policy changes something."""

    key_arn: str
    principals: tuple[PolicyDifference, ...]


def diff(vault: Vault, text: str, key_id: str) -> PolicyDiffResponse:
    """Compare a policy with that of a key, for all principals of the vault, its account, and whom either one names.

    Raises:
        KmsError: As `document`; no such key; the vault is damaged or was tampered with.
    """
    after = document(text)
    now = vault.clock()
    with asking.proved(vault) as records:
        key, _ = asking.key_of(records, key_id)
        before = authority.key_document(key, records.place.account)
        found: list[PolicyDifference] = []
        for name, who in _everybody(records, before, after):
            old = _policies(records, who, key)
            new = msgspec.structs.replace(old, key=after)
            reached = {
                action: (reach(who.arn, action, key.arn, old, now), reach(who.arn, action, key.arn, new, now))
                for action in actions.WITH_KEY
            }
            found.append(_difference(name, who, reached))
    changed = tuple(one for one in found if one.gains or one.loses or one.narrows or one.widens)
    return PolicyDiffResponse(key_arn=key.arn, principals=changed)


def _everybody(records: Records, *documents: Document) -> Iterator[tuple[str, Subject]]:
    """Each principal once, with what to call it."""
    account = records.place.account
    root = principals.root_arn(account)
    seen = {root}
    stranger = next(other for other in _STRANGERS if other != account)
    yield ANYBODY, Subject(f"arn:aws:iam::{stranger}:user/{ANYBODY}", None)
    yield ACCOUNT, Subject(root, None)
    for name in records.roster:
        who = asking.subject(records, name)
        seen.add(who.arn)
        yield name, who
    rules = [rule for each in documents for rule in each.rules if rule.named is not None]
    named = {arn for rule in rules if rule.named is not None for arn in rule.named.arns}
    for arn in sorted(named - seen):
        if principals.parse_arn(arn) is not None:
            yield arn, asking.subject(records, arn)


def _policies(records: Records, who: Subject, key: KeyGroup) -> Policies:
    known = asking.policies(records, who, key)
    if who.member is not None:
        return known
    return msgspec.structs.replace(known, identity=ANYTHING)


def _difference(name: str, who: Subject, reached: dict[str, tuple[str, str]]) -> PolicyDifference:
    def those(*pairs: tuple[str, str]) -> tuple[str, ...]:
        return tuple(action for action, pair in reached.items() if pair in pairs)

    return PolicyDifference(
        principal=name,
        arn=EVERYONE if name == ANYBODY else who.arn,
        supposed=who.member is None or None,
        gains=those((NEVER, SOMETIMES), (NEVER, ALWAYS)),
        loses=those((SOMETIMES, NEVER), (ALWAYS, NEVER)),
        narrows=those((ALWAYS, SOMETIMES)),
        widens=those((SOMETIMES, ALWAYS)),
    )
