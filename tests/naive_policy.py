"""A second evaluator of access, as slow and as plain as AWS's documentation reads: it shares no code with the product.

It takes policies as `json.loads` gives them, and answers yes or no. Sources: IAM user guide, "Policy evaluation logic",
"Condition operators", "Multivalued context keys", "Variables and tags"; AWS KMS developer guide, "Key policies",
"Troubleshooting key access", "Creating grants", "Retiring and revoking grants".
"""

import base64
import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

WITH_CONTEXT = "Encrypt Decrypt ReEncryptFrom ReEncryptTo GenerateDataKey GenerateDataKeyWithoutPlaintext"
PAIRS = "GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext"


class NoValueError(Exception):
    """A policy variable has no value in this request."""


def allowed(
    request: Mapping[str, Any],
    *,
    account: str,
    key_policy: Any,
    identity: Mapping[str, Any],
    grants: list[dict[str, Any]],
) -> bool:
    """Decide."""
    if key_policy is not None and request["action"].lower() == "kms:retiregrant":
        # "Retiring and revoking grants": not effective in a key policy; the account itself may.
        owner = {"AWS": f"arn:aws:iam::{account}:root"}
        key_policy = {"Statement": {"Effect": "Allow", "Principal": owner, "Action": "*", "Resource": "*"}}
    if key_policy is not None and any(covered(request, key_policy, "Deny")):
        return False
    if any(any(covered(request, policy, "Deny")) for policy in identity.values()):
        return False
    by_identity = any(any(covered(request, policy, "Allow")) for policy in identity.values())
    if key_policy is None:
        return by_identity
    how = covered(request, key_policy, "Allow")
    if "itself" in how and account_of(request["principal"]) == account:
        return True
    by_grant = [names(grant["grantee"], request["principal"]) for grant in grants if granted(request, grant)]
    if request["action"].lower() == "kms:retiregrant":
        lasting = [grant for grant in grants if not ended(request, grant) and grant.get("retiring")]
        by_grant += [names(grant["retiring"], request["principal"]) for grant in lasting]
    if "itself" in by_grant:
        return True
    how += by_grant
    return any(how) and by_identity


def covered(request: Mapping[str, Any], policy: Any, effect: str) -> list[str]:
    """How each statement of an effect that applies means the principal: `itself` or `account`."""
    found = []
    for statement in many(policy["Statement"]):
        how = whom(statement, request["principal"])
        if statement["Effect"] == effect and how and applies(request, statement, policy.get("Version", "2008-10-17")):
            found.append(how)
    return found


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def account_of(arn: str) -> str:
    return arn.split(":")[4]


def names(name: str, arn: str) -> str:
    if name in ("*", arn):
        return "itself"
    if account_of(name) != account_of(arn):
        return ""
    if ":role/" in name and ":assumed-role/" in arn and name.rsplit("/", maxsplit=1)[-1] == arn.split("/")[1]:
        return "itself"
    return "account" if name.endswith(":root") else ""


def whom(statement: Any, arn: str) -> str:
    if "Principal" in statement:
        hows = [names(name, arn) for name in aws(statement["Principal"])]
        return "itself" if "itself" in hows else "account" if "account" in hows else ""
    if "NotPrincipal" in statement:
        given = aws(statement["NotPrincipal"])
        if statement["Effect"] == "Deny":
            return "" if "*" in given or arn in given else "itself"
        return "" if any(names(name, arn) for name in given) else "itself"
    return "itself"


def aws(principal: Any) -> list[str]:
    names = ["*"] if principal == "*" else many(principal.get("AWS", []))
    return [f"arn:aws:iam::{name}:root" if name.isdigit() else name for name in names]


def applies(request: Mapping[str, Any], statement: Any, version: str) -> bool:
    context = {}
    for name, value in request["context"].items():
        context[name.lower()] = value
    try:
        if "Action" in statement:
            acts = any(like(plain(one.lower()), request["action"].lower()) for one in many(statement["Action"]))
        else:
            acts = all(not like(plain(one.lower()), request["action"].lower()) for one in many(statement["NotAction"]))
        key = "Resource" if "Resource" in statement else "NotResource"
        patterns = [pieces(one, context, version) for one in many(statement[key])]
        hits = any(like(one, request["resource"]) for one in patterns) == (key == "Resource")
        verdicts = [
            holds(operator, wanted, context, name.lower(), version)
            for operator, keys in statement.get("Condition", {}).items()
            for name, wanted in keys.items()
        ]
    except NoValueError:
        return False
    return acts and hits and all(verdicts)


def plain(text: str) -> list[tuple[str, str]]:
    return [("wild" if char in "*?" else "text", char) for char in text]


def pieces(text: str, context: Mapping[str, Any], version: str) -> list[tuple[str, str]]:
    """A text of a policy as characters that are wildcards or not; what variables bring is `value`."""
    if version != "2012-10-17":
        return plain(text)
    found: list[tuple[str, str]] = []
    for piece in re.split(r"(\$\{[^{}]*\})", text):
        if piece in ("${*}", "${?}", "${$}"):
            found.append(("text", piece[2]))
        elif piece.startswith("${") and piece.endswith("}"):
            name, _, default = piece[2:-1].partition(", '")
            value = context.get(name.lower())
            if not isinstance(value, str) and not default:
                raise NoValueError
            found.append(("value", value if isinstance(value, str) else default.removesuffix("'")))
        else:
            found += plain(piece)
    return found


def like(pattern: list[tuple[str, str]], text: str) -> bool:
    parts = [(".*" if char == "*" else ".") if kind == "wild" else re.escape(char) for kind, char in pattern]
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def like_arn(pattern: list[tuple[str, str]], text: str) -> bool:
    fields: list[list[tuple[str, str]]] = [[]]
    for kind, char in pattern:
        if kind == "text" and char == ":" and len(fields) < 6:
            fields.append([])
        else:
            fields[-1].append((kind, char))
    values = text.split(":", 5)
    return len(fields) == len(values) == 6 and all(like(*pair) for pair in zip(fields, values, strict=True))


def holds(operator: str, wanted: Any, context: Mapping[str, Any], key: str, version: str) -> bool:
    actual = context.get(key)
    if actual in ([], ()):
        actual = None
    wanted = [str(one).lower() if isinstance(one, bool) else str(one) for one in many(wanted)]
    if operator == "Null":
        return any((one == "true") == (actual is None) for one in wanted)
    quantifier, _, name = operator.rpartition(":")
    if name.endswith("IfExists"):
        if actual is None:
            return True
        name = name.removesuffix("IfExists")
    negated, name = "Not" in name, name.replace("Not", "")
    if name.startswith(("String", "Arn", "Bool")):
        given = [pieces(one, context, version) for one in wanted]
    else:
        given = [plain(one) for one in wanted]
    values = [] if actual is None else many(list(actual) if isinstance(actual, tuple) else actual)
    if quantifier and values == [""]:
        values = []
    verdicts = [any(fits(name, one, value) for one in given) != negated for value in values]
    if quantifier == "ForAllValues":
        return all(verdicts)
    if quantifier == "ForAnyValue":
        return any(verdicts)
    return all(verdicts) if negated else any(verdicts)


def fits(name: str, pattern: list[tuple[str, str]], value: str) -> bool:
    text = "".join(char for _, char in pattern)
    if name in ("ArnEquals", "ArnLike"):
        return like_arn(pattern, value)
    if name.startswith(("String", "Bool")):
        ignoring_case = text.lower() == value.lower() and name in ("StringEqualsIgnoreCase", "Bool")
        return like(pattern, value) if name == "StringLike" else ignoring_case or text == value
    try:
        return bool(compares(name, text, value))
    except (ValueError, ArithmeticError):
        return False


def compares(name: str, text: str, value: str) -> Any:
    if name == "BinaryEquals":
        return base64.b64decode(text) == base64.b64decode(value, validate=True)
    if name == "IpAddress":
        return ipaddress.ip_address(value) in ipaddress.ip_network(text, strict=False)
    read = number if name.startswith("Numeric") else moment
    left, right = read(value), read(text)
    return {
        "Equals": left == right,
        "LessThan": left < right,
        "LessThanEquals": left <= right,
        "GreaterThan": left > right,
        "GreaterThanEquals": left >= right,
    }[name.removeprefix("Numeric").removeprefix("Date")]


def number(text: str) -> Any:
    return Decimal(text)


def moment(text: str) -> Any:
    if re.fullmatch("[0-9]{5,}", text):
        return datetime.fromtimestamp(int(text), UTC)
    if re.fullmatch("[0-9]{4}", text):
        text += "-01"
    if re.fullmatch("[0-9]{4}-[0-9]{2}", text):
        text += "-01"
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        text += "T00:00:00Z"
    return datetime.fromisoformat(text)


def granted(request: Mapping[str, Any], grant: Mapping[str, Any]) -> bool:
    """Whether a grant allows this to its grantee."""
    operation = request["action"].partition(":")[2]
    named = operation in grant["operations"]
    constrained = operation in f"CreateGrant {WITH_CONTEXT} {PAIRS}".split()
    return named and not ended(request, grant) and (not constrained or fulfils(request, grant, operation))


def ended(request: Mapping[str, Any], grant: Mapping[str, Any]) -> bool:
    return grant.get("expires") is not None and request["now"] >= grant["expires"]


def fulfils(request: Mapping[str, Any], grant: Mapping[str, Any], operation: str) -> bool:
    equals, subset = grant.get("context_equals"), grant.get("context_subset")
    if operation == "CreateGrant":
        if not request["operations"] or any(one not in grant["operations"] for one in request["operations"]):
            return False
        if equals is not None and request["constraint"] != "EncryptionContextEquals":
            return False
        if subset is not None and request["constraint"] == "":
            return False
    context = sorted((name.lower(), value) for name, value in request["encryption_context"].items())
    if equals is not None and context != sorted((name.lower(), value) for name, value in equals.items()):
        return False
    return subset is None or all((name.lower(), value) in context for name, value in subset.items())
