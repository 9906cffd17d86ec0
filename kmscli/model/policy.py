"""Policies as AWS writes them: their grammar, the default one, and the check against lockout.

A text is read into the structs of `kmscli.model.statement`; deciding about a request is done on top of them, elsewhere.
That the text keeps to AWS's characters and quota is for the caller to check. A statement without Action or Resource is
refused: a Deny that silently denies nothing is dangerous. AWS took such statements of key policies until 18 August 2025
and has answered MalformedPolicyDocumentException since (its notice to the owners of such keys, of May 2025; the text of
CreateKey and PutKeyPolicy in the API reference still tells of the time before).
Source: IAM user guide, "Grammar of the IAM JSON policy language"; AWS KMS developer guide, "Creating a key policy" and
"Default key policy"; the sentences of the errors are those of IAM and AWS KMS where these have one.
"""

import re
from collections.abc import Callable, Iterable

from kmscli import errors
from kmscli.model import conditions, principals
from kmscli.model import policyjson as pj
from kmscli.model.conditions import Condition
from kmscli.model.statement import (
    ALLOW,
    CURRENT_VERSION,
    DENY,
    EVERYONE,
    OLD_VERSION,
    Patterns,
    Policy,
    Principal,
    Principals,
    Statement,
)

_TOP = frozenset({"Version", "Id", "Statement"})
_PRINCIPAL = frozenset({"Principal", "NotPrincipal"})
_STATEMENT = _PRINCIPAL | {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_NO_PRINCIPAL = "Policy contains a statement with no principal."
_BAD_PRINCIPAL = "Policy contains a statement with one or more invalid principals."
_LOCKOUT = "The new key policy will not allow you to update the key policy in the future."

_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_RESOURCE = re.compile(r"\*|arn:[^:\s]+:[^:\s]+:[^:]*:[^:]*:.+")
_KEY = re.compile(r"[A-Za-z0-9-]+:.+")
_IDENTITY_SID = re.compile(r"[A-Za-z0-9]*")


def default(account: str) -> str:
    """The key policy of a key that was made without one, in the layout of AWS's GetKeyPolicy.

    Args:
        account: The 12 digits of the account that owns the key.
    """
    return f"""{{
  "Version" : "{CURRENT_VERSION}",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "{principals.root_arn(account)}"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"""


def check_lockout(policy: Policy, *, account: str, caller_arn: str, key_arn: str = "") -> None:
    """AWS's policy lockout safety check: may the caller change the key policy again?

    Only what is certain counts: a condition may fail tomorrow, so a conditional Allow is none, and a conditional Deny
    is none either.

    Args:
        policy: The new key policy.
        account: The account that owns the key; nobody else's principals may ever call PutKeyPolicy.
        caller_arn: Who wants to set the policy.
        key_arn: The key's ARN, "" while it has none.

    Raises:
        MalformedPolicyError: The caller would be locked out.
    """

    def certainly(effect: str) -> bool:
        return any(
            statement.effect == effect
            and not statement.conditions
            and statement.principals is not None
            and statement.covers_principal(caller_arn)
            and statement.covers_action("kms:PutKeyPolicy")
            and statement.covers_key(key_arn)
            for statement in policy.statements
        )

    caller = principals.parse_arn(caller_arn)
    if caller is None or caller.account != account or not certainly(ALLOW) or certainly(DENY):
        raise errors.MalformedPolicyError(
            problem=_LOCKOUT,
            hint=f"allow {caller_arn} kms:PutKeyPolicy without a condition; "
            "--bypass-policy-lockout-safety-check skips this check",
        )


def parse(text: str) -> Policy:
    """The key policy that `text` is.

    Raises:
        MalformedPolicyError: With the path of the fault, or the line and column where it is no JSON.
    """
    return _policy(text, identity=False)


def parse_identity(text: str) -> Policy:
    """The identity policy that `text` is: it has neither Id nor Principal.

    Raises:
        MalformedPolicyError: As `parse`.
    """
    return _policy(text, identity=True)


def _policy(text: str, *, identity: bool) -> Policy:
    document = pj.members_of(pj.load(text), "", _TOP - {"Id"} if identity else _TOP)
    version = pj.text_of(document.get("Version", OLD_VERSION), "Version")
    if version not in (OLD_VERSION, CURRENT_VERSION):
        raise pj.fault("The policy must contain a valid version string", "Version", f'write "{CURRENT_VERSION}"')
    given = pj.required(document, "Statement", "")
    if isinstance(given, list):
        places = [(f"Statement[{index}]", value) for index, value in enumerate(given)]
    else:
        places = [("Statement", given)]
    if not places:
        raise pj.fault("Syntax errors in policy: no statement", "Statement", "a policy has at least one statement")
    statements = tuple(_statement(value, path, identity=identity) for path, value in places)
    _check_sids(statements, [path for path, _ in places])
    return Policy(version, pj.optional_text(document, "Id", ""), statements)


def _check_sids(statements: Iterable[Statement], paths: Iterable[str]) -> None:
    seen: set[str] = set()
    for statement, path in zip(statements, paths, strict=True):
        if statement.sid and statement.sid in seen:
            raise pj.fault("Statement IDs (SID) in a single policy must be unique.", f"{path}.Sid")
        seen.add(statement.sid or "")


def _statement(value: object, path: str, *, identity: bool) -> Statement:
    members = pj.members_of(value, path, _STATEMENT - _PRINCIPAL if identity else _STATEMENT)
    effect = pj.text_of(pj.required(members, "Effect", path), f"{path}.Effect")
    if effect not in (ALLOW, DENY):
        raise pj.fault(f"Invalid effect: {pj.shown(effect)}", f"{path}.Effect", 'write "Allow" or "Deny", in this case')
    sid = pj.optional_text(members, "Sid", path)
    if identity and sid is not None and _IDENTITY_SID.fullmatch(sid) is None:
        raise pj.fault("Statement IDs (SID) must be alpha-numeric.", f"{path}.Sid")
    return Statement(
        sid=sid,
        effect=effect,
        principals=None if identity else _principals(members, path),
        action=_patterns(members, "Action", path, _check_action),
        resource=_patterns(members, "Resource", path, _check_resource),
        conditions=_conditions(members.get("Condition", pj.Members([])), f"{path}.Condition"),
    )


def _patterns(members: pj.Members, name: str, path: str, check: Callable[[str, str], None]) -> Patterns:
    found_name, value, negated = pj.either(members, name, path)
    if value is None:
        raise pj.fault(f"Policy statement must contain {name.lower()}s.", path, f'"{name}" is missing')
    found = pj.texts(value, f"{path}.{found_name}")
    for place, text in found:
        check(text, place)
    return Patterns(tuple(text for _, text in found), negated)


def _check_action(text: str, path: str) -> None:
    if _ACTION.fullmatch(text) is None:
        raise pj.fault(
            f"Actions/Conditions must be prefaced by a vendor, e.g., kms, iam: {pj.shown(text)}",
            path,
            "write kms:NAME; * and ? may stand in the name",
        )


def _check_resource(text: str, path: str) -> None:
    if _RESOURCE.fullmatch(text) is None:
        raise pj.fault(
            f'Resource {pj.shown(text)} must be in ARN format or "*".', path, 'in a key policy, "*" means this key'
        )


def _principals(members: pj.Members, path: str) -> Principals:
    name, value, negated = pj.either(members, "Principal", path)
    path = f"{path}.{name}"
    if value is None or value == {}:
        raise pj.fault(_NO_PRINCIPAL, path, "a statement of a key policy says to whom it applies")
    if isinstance(value, pj.Members):
        types = pj.members_of(value, path, frozenset(principals.TYPES))
        given = [(type_, *found) for type_ in sorted(types) for found in pj.texts(types[type_], f"{path}.{type_}")]
    elif value == EVERYONE:
        given = [("AWS", path, EVERYONE)]
    else:
        raise pj.fault(_BAD_PRINCIPAL, path, 'write "*", or a type and its principals, such as {"AWS": ARN}')
    return Principals(tuple(_principal(*one) for one in given), negated)


def _principal(type_: str, path: str, text: str) -> Principal:
    name = principals.canonical(type_, text)
    if name is None:
        raise pj.fault(_BAD_PRINCIPAL, path, f"{pj.shown(text)} is not {principals.TYPES[type_]}")
    return Principal(type_, name)


def _conditions(value: object, path: str) -> tuple[Condition, ...]:
    operators = pj.members_of(value, path, None)
    return tuple(
        _condition(name, key, given, f"{path}.{pj.shown(name)}.{pj.shown(key)}")
        for name, keys in sorted(operators.items())
        for key, given in sorted(_keys(name, keys, path).items())
    )


def _keys(name: str, value: object, path: str) -> pj.Members:
    if conditions.parse_operator(name) is None:
        raise pj.fault(f"Invalid Condition type : {pj.shown(name)}.", f"{path}.{pj.shown(name)}", _near(name))
    path = f"{path}.{pj.shown(name)}"
    keys = pj.members_of(value, path, None)
    if not keys:
        raise pj.fault("Syntax errors in policy: no condition key", path, "leave the operator out, or name a key")
    return keys


def _near(name: str) -> str:
    """A hint for an operator that differs from AWS's by its case alone."""
    known = {operator.lower(): operator for operator in conditions.OPERATORS}
    return f"did you mean {known[name.lower()]}?" if name.lower() in known else ""


def _condition(name: str, key: str, value: object, path: str) -> Condition:
    if _KEY.fullmatch(key) is None:
        raise pj.fault(
            "Actions/Conditions must be prefaced by a vendor, e.g., kms, aws", path, "write aws:NAME or kms:NAME"
        )
    quantifier, operator, if_exists = conditions.parse_operator(name) or ("", name, False)
    values = pj.texts(value, path, scalars=True)
    for place, text in values:
        wanted = conditions.misfit(operator, text)
        if wanted:
            raise pj.fault(f"Invalid value of {operator}: {pj.shown(text)}", place, f"write {wanted}")
    return Condition(operator, key, tuple(text for _, text in values), if_exists, quantifier)
