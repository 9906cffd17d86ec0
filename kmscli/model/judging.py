"""What is wrong with a policy, or does not do what it seems to: findings about its text, before it is anybody's policy.

Refused is nothing here. A finding is certain: a statement is said to be without effect only where no request of the
API, under any circumstances, makes a difference to it.
Source: IAM user guide, "IAM JSON policy element reference", "Multivalued context keys" (ForAllValues holds where the
key is absent) and "Validating policies"; AWS KMS developer guide, "Key policies".
"""

from collections.abc import Iterable, Iterator

import msgspec

from kmscli import errors
from kmscli.model import actions, conditionkeys, conditions, places, policy, principals
from kmscli.model.conditions import Condition
from kmscli.model.statement import ALLOW, CURRENT_VERSION, DENY, EVERYONE, Patterns, Policy, Statement
from kmscli.model.wildcards import matches

ERROR, WARNING = "error", "warning"

ISSUES: dict[str, str] = {
    "malformed": ERROR,
    "locked out": ERROR,
    "open to all": ERROR,
    "never applies": WARNING,
    "no effect": WARNING,
    "no such action": WARNING,
    "no such principal": WARNING,
    "no such resource": WARNING,
    "absent key": WARNING,
    "plain variable": WARNING,
}
"""What a finding is about -> how severe that is."""

_WHO = frozenset(
    {
        "kms:CallerAccount",
        "aws:PrincipalAccount",
        "aws:PrincipalArn",
        "aws:PrincipalTag/*",
        "aws:userid",
        "aws:username",
    }
)
"""Condition keys that narrow who is meant."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look at.

    Attributes:
        issue: One of the names in ISSUES.
        severity: ERROR: the policy is refused, or opens or closes what nobody can want; WARNING: the rest.
        statement: Its Sid or place; "" for the whole policy.
        path: Of what is at fault, "" for the whole policy.
        line: Where that begins; `column` likewise, both from 1 on.
        text: A sentence.
    """

    issue: str
    severity: str
    statement: str
    path: str
    line: int
    column: int
    text: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The key for which a policy is meant, as far as it is known.

    Attributes:
        account: Whose key it is, "" if unknown; then nobody is looked for who could be locked out.
        callers: ARNs of those who change policies there.
        key_arn: The key's ARN, "" if unknown.
    """

    account: str = ""
    callers: tuple[str, ...] = ()
    key_arn: str = ""


class _Found(msgspec.Struct, frozen=True):
    issue: str
    path: str
    text: str


def judge(text: str, place: Place, *, identity: bool = False) -> tuple[Finding, ...]:
    """All findings, in the order of the text.

    Args:
        text: The policy as it was written.
        place: Where it is meant for.
        identity: Whether it is an identity policy.
    """
    try:
        parsed = policy.parse_identity(text) if identity else policy.parse(text)
    except errors.MalformedPolicyError as error:
        return (_malformed(text, error),)
    paths = _paths(text, parsed)
    found = list(_whole(parsed, text, place, identity=identity))
    for path, statement in zip(paths, parsed.statements, strict=True):
        found += _about(statement, path, parsed, place)
    labels = {path: statement.sid or path for path, statement in zip(paths, parsed.statements, strict=True)}
    located = [(places.find(text, one.path), one) for one in found]
    return tuple(
        Finding(
            issue=one.issue,
            severity=ISSUES[one.issue],
            statement=next((label for path, label in labels.items() if _is_below(one.path, path)), ""),
            path=one.path,
            line=line,
            column=column,
            text=one.text,
        )
        for (line, column), one in sorted(located, key=lambda pair: pair[0])
    )


def _malformed(text: str, error: errors.MalformedPolicyError) -> Finding:
    path = str(error.data.get("path") or "")
    line, column = located(text, error)
    sentence = f"{error.message}; {error.hint}" if error.hint else error.message
    statement = path.partition(".")[0] if path.startswith("Statement") else ""
    return Finding(
        issue="malformed", severity=ERROR, statement=statement, path=path, line=line, column=column, text=sentence
    )


def located(text: str, error: errors.MalformedPolicyError) -> tuple[int, int]:
    """Line and column of a fault that reading a policy met with."""
    place, path = error.data.get("place"), str(error.data.get("path") or "")
    if isinstance(place, tuple):
        return place
    return places.find(text, path) if path else (1, 1)


def _paths(text: str, parsed: Policy) -> list[str]:
    """Where the statements stand: one alone may do so without a list."""
    if len(parsed.statements) == 1 and places.find(text, "Statement") == places.find(text, "Statement[0]"):
        return ["Statement"]
    return [f"Statement[{index}]" for index in range(len(parsed.statements))]


def _is_below(path: str, statement: str) -> bool:
    return path == statement or path.startswith((f"{statement}.", f"{statement}["))


# -- the whole policy --------------------------------------------------------------------------------------------------


def _whole(parsed: Policy, text: str, place: Place, *, identity: bool) -> Iterator[_Found]:
    if parsed.version != CURRENT_VERSION and "${" in text:
        yield _Found(
            "plain variable",
            "Version",
            f'a variable such as ${{aws:username}} is plain text without "Version": "{CURRENT_VERSION}"',
        )
    if identity or not place.account:
        return
    for caller in place.callers:
        try:
            policy.check_lockout(parsed, account=place.account, caller_arn=caller, key_arn=place.key_arn)
        except errors.MalformedPolicyError:
            continue
        return
    if place.callers:
        yield _Found(
            "locked out",
            "",
            f"nobody could change the policy again: allow {place.callers[0]} kms:PutKeyPolicy without a condition",
        )


# -- one statement -----------------------------------------------------------------------------------------------------


def _about(statement: Statement, path: str, parsed: Policy, place: Place) -> Iterator[_Found]:
    meant = actions.covered(statement)
    if statement.principals is None and not meant and not _means_kms(statement):
        return  # an identity policy speaks of other services too
    yield from _actions(statement, path, meant)
    yield from _who(statement, path)
    yield from _resources(statement, path, place)
    for condition in statement.conditions:
        yield from _condition(condition, statement, path, meant)
    if statement.effect == ALLOW:
        deny = next((one for one in parsed.statements if _shadows(one, statement, meant)), None)
        if deny is not None:
            label = deny.sid or f"Statement[{parsed.statements.index(deny)}]"
            yield _Found(
                "never applies", path, f"it never allows anything: {label} denies all of it without a condition"
            )


def _means_kms(statement: Statement) -> bool:
    return any(value.lower().startswith("kms:") for value in statement.action.values)


def _actions(statement: Statement, path: str, meant: tuple[str, ...]) -> Iterator[_Found]:
    name = "NotAction" if statement.action.negated else "Action"
    if not meant and statement.action.negated:
        yield _Found("no such action", f"{path}.{name}", "it means no action of KMS")
    for index, value in enumerate(statement.action.values):
        if statement.principals is None and not value.lower().startswith("kms:"):
            continue
        if not any(matches(value.lower(), action.lower()) for action in actions.ACTIONS):
            yield _Found(
                "no such action",
                f"{path}.{name}{_at(index, statement.action)}",
                f"{value} is no action of KMS{_near(value)}",
            )


def _at(index: int, values: Patterns) -> str:
    return f"[{index}]" if len(values.values) > 1 else ""


def _near(value: str) -> str:
    """AWS's operation has one permission for each of its halves."""
    return ": write kms:ReEncrypt*" if value.lower() == "kms:reencrypt" else ""


def _who(statement: Statement, path: str) -> Iterator[_Found]:
    given = statement.principals
    if given is None:
        return
    path = f"{path}.{'NotPrincipal' if given.negated else 'Principal'}"
    aws = [value for value in given.values if value.type == "AWS"]
    if given.negated:
        if statement.effect == ALLOW and not any(map(_narrows_who, statement.conditions)):
            yield _Found(
                "open to all", path, "it allows everybody but these, other accounts included: name whom it allows"
            )
        return
    everyone = any(value.name == EVERYONE for value in aws)
    if everyone and statement.effect == ALLOW and not any(map(_narrows_who, statement.conditions)):
        yield _Found(
            "open to all",
            path,
            "it opens the key to everybody, other accounts included: name principals, or add a condition on "
            "kms:CallerAccount or aws:PrincipalArn",
        )
    if not aws:
        yield _Found("no such principal", path, "it means nobody who can act here: only principals of the type AWS do")


def _narrows_who(condition: Condition) -> bool:
    """Whether a condition leaves out somebody, for who he is."""
    operator = conditions.OPERATORS[condition.operator]
    return (
        conditionkeys.name_of(condition.key) in _WHO
        and operator.kind in ("string", "arn")
        and not operator.negated
        and not condition.if_exists
        and condition.quantifier != "ForAllValues"
        and not any(_means_strangers(condition.operator, value) for value in condition.values)
    )


def _means_strangers(operator: str, value: str) -> bool:
    wild = operator == "StringLike" or operator.startswith("Arn")
    return wild and any(matches(value, stranger) for stranger in _STRANGERS)


_STRANGERS = ("stranger", "999999999999", "arn:aws:iam::999999999999:user/stranger")
"""Values of condition keys of somebody whom nobody can mean by name."""


def _resources(statement: Statement, path: str, place: Place) -> Iterator[_Found]:
    if statement.principals is None or statement.resource.negated:
        return
    for index, value in enumerate(statement.resource.values):
        where = f"{path}.Resource{_at(index, statement.resource)}"
        if "${" in value:
            continue
        if value.startswith("arn:") and _is_alias(value):
            yield _Found("no such resource", where, f'{value} is no key: a key policy is about its key, "*"')
        elif place.key_arn and not matches(value, place.key_arn):
            yield _Found("no such resource", where, f'{value} is not the key that the policy is for: write "*"')


def _is_alias(value: str) -> bool:
    return value.split(":", 5)[5].startswith("alias/")


# -- one condition -----------------------------------------------------------------------------------------------------


def _condition(condition: Condition, statement: Statement, path: str, meant: tuple[str, ...]) -> Iterator[_Found]:
    prefix = f"{condition.quantifier}:" if condition.quantifier else ""
    name = f"{prefix}{condition.operator}{'IfExists' if condition.if_exists else ''}"
    where = f"{path}.Condition.{name}.{condition.key}"
    if conditionkeys.name_of(condition.key) is None:
        yield _absent(condition, where, f"{condition.key} is no condition key here: it is always absent")
    elif meant and not _possible(condition, meant):
        yield _absent(condition, where, f"no request that the statement is about has {condition.key}")
    elif statement.effect == ALLOW and condition.quantifier == "ForAllValues" and not _requires(statement, condition):
        yield _Found(
            "absent key",
            where,
            f'{name} holds where {condition.key} is absent too: add "Null": {{"{condition.key}": "false"}}',
        )


def _possible(condition: Condition, meant: Iterable[str]) -> bool:
    return any(conditionkeys.may_be_present(condition.key, action.partition(":")[2]) for action in meant)


def _absent(condition: Condition, where: str, why: str) -> _Found:
    """What a condition does whose key is always absent."""
    operator = conditions.OPERATORS[condition.operator]
    if operator.kind == "null":
        holds = "true" in condition.values
    else:
        holds = condition.if_exists or condition.quantifier == "ForAllValues"
        holds = holds or (operator.negated and condition.quantifier != "ForAnyValue")
    if holds:
        return _Found("no effect", where, f"{why}, so the condition changes nothing")
    return _Found("never applies", where, f"{why}, so the statement never applies")


def _requires(statement: Statement, condition: Condition) -> bool:
    """Whether the statement asks for the key to be there."""
    return any(
        one.operator == "Null" and one.key.lower() == condition.key.lower() and "true" not in one.values
        for one in statement.conditions
    )


# -- one statement beside another --------------------------------------------------------------------------------------


def _shadows(deny: Statement, allow: Statement, meant: tuple[str, ...]) -> bool:
    """Whether a Deny takes away all that an Allow gives, always."""
    if deny.effect != DENY or deny.conditions or not meant:
        return False
    return (
        all(deny.covers_action(action) for action in meant)
        and (deny.resource.values == ("*",) or deny.resource == allow.resource)
        and not (deny.resource.negated and deny.resource != allow.resource)
        and _denies_all(deny, allow)
    )


def _denies_all(deny: Statement, allow: Statement) -> bool:
    if deny.principals is None or allow.principals is None:
        return True  # both of one identity policy
    if deny.principals.negated:
        return False
    denied = [value.name for value in deny.principals.values if value.type == "AWS"]
    if EVERYONE in denied:
        return True
    allowed = [value.name for value in allow.principals.values if value.type == "AWS"]
    return not allow.principals.negated and all(
        any(principals.stands_for(one, name) for one in denied) for name in allowed
    )
