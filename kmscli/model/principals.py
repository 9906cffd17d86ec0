"""Who a policy or a grant can name: the ARNs of AWS principals.

Wildcards are refused: AWS has none inside the name of a principal.
Source: IAM user guide, "AWS JSON policy elements: Principal" and "IAM identifiers".
"""

import re

import msgspec

from kmscli import errors
from kmscli.model import limits

_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-")
_NAMES_OF = {"assumed-role": 2, "federated-user": 1}
"""Kind of a principal of STS -> the names that its ARN has: of the role and the session, or of the user."""

_ACCOUNT_DIGITS = 12
_FIELDS = 6
_SERVICE = r"[a-z0-9-]+(\.[a-z0-9-]+)+"
_PROVIDER = rf"{_SERVICE}|arn:aws:iam::[0-9]{{12}}:(saml|oidc)-provider/[A-Za-z0-9._/-]+"
_CANONICAL_USER = r"[0-9a-f]{64}"

TYPES: dict[str, str] = {
    "AWS": '"*", an account number, or the ARN of an account, a user, a role or a session',
    "Service": "the host name of a service, such as logs.amazonaws.com",
    "Federated": "the host name or the ARN of an identity provider",
    "CanonicalUser": "64 hex digits",
}
"""Type of a principal in a policy -> what names one."""
_FORMS = {"Service": _SERVICE, "Federated": _PROVIDER, "CanonicalUser": _CANONICAL_USER}


class PrincipalArn(msgspec.Struct, frozen=True):
    """The parts of a principal's ARN.

    Attributes:
        account: 12 digits.
        kind: `root`, `user`, `role`, `assumed-role` or `federated-user`.
        name: What follows the kind: a path and a name, or role/session; "" for root.
    """

    account: str
    kind: str
    name: str


def root_arn(account: str) -> str:
    """The ARN that stands for a whole account."""
    return f"arn:aws:iam::{account}:root"


def parse_arn(text: str) -> PrincipalArn | None:
    """The parts of `text`, or None if it is the ARN of no principal."""
    # By hand, since the regular expression takes a tenth of a bare start of Python to compile.
    parts = text.split(":", 5) if len(text) <= limits.PRINCIPAL_ARN_MAX else []
    if len(parts) != _FIELDS or (*parts[:2], parts[3]) != ("arn", "aws", "") or not _is_account(parts[4]):
        return None
    service, account, rest = parts[2], parts[4], parts[5]
    if (service, rest) == ("iam", "root"):
        return PrincipalArn(account, rest, "")
    kind, _, name = rest.partition("/")
    names = name.split("/")
    of_iam = service == "iam" and kind in ("user", "role")
    of_sts = service == "sts" and _NAMES_OF.get(kind) == len(names)
    return PrincipalArn(account, kind, name) if (of_iam or of_sts) and all(map(_is_name, names)) else None


def _is_account(text: str) -> bool:
    return len(text) == _ACCOUNT_DIGITS and text.isascii() and text.isdigit()


def _is_name(text: str) -> bool:
    return bool(text) and _NAME.issuperset(text)


def canonical(type_: str, text: str) -> str | None:
    """The one spelling of a principal of a policy, or None if `text` names none.

    An account number means the same as the ARN of the account's root.

    Args:
        type_: A name in TYPES.
        text: What the policy says.
    """
    if type_ != "AWS":
        return text if re.fullmatch(_FORMS[type_], text) else None
    if _is_account(text):
        return root_arn(text)
    return text if text == "*" or parse_arn(text) else None


def check_arn(text: str) -> str:
    """`text`, if it is the ARN of a principal that can be granted something.

    Raises:
        InvalidArnError: It is not; AWS answers a group, a service or a wildcard so too.
    """
    if parse_arn(text) is None:
        raise errors.InvalidArnError(
            arn=text,
            hint="name a principal by its ARN, such as arn:aws:iam::ACCOUNT:user/NAME, :role/NAME or :root; "
            "groups and wildcards are no principals",
        )
    return text


def stands_for(named: str, principal: str) -> bool:
    """Whether the principal that a policy or grant names is, or contains, another.

    An account contains all its principals, a role all its sessions (whose ARN leaves out the path of the role).

    Args:
        named: The ARN in the policy.
        principal: The ARN of somebody who acts.
    """
    if named == principal:
        return True
    whole, one = parse_arn(named), parse_arn(principal)
    if whole is None or one is None or whole.account != one.account:
        return False
    if whole.kind == "role" and one.kind == "assumed-role":
        return whole.name.rpartition("/")[2] == one.name.partition("/")[0]
    return whole.kind == "root"
