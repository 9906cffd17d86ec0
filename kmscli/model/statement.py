"""What a policy says, as frozen structs that a decision about a request can be made on.

They answer what a statement means by name alone; conditions, and how statements are weighed, are decided elsewhere.
Source: IAM user guide, "IAM JSON policy element reference".
"""

import msgspec

from kmscli.model import principals
from kmscli.model.conditions import Condition
from kmscli.model.wildcards import matches

CURRENT_VERSION = "2012-10-17"
OLD_VERSION = "2008-10-17"
"""What a policy without Version is: `${...}` has no meaning in it."""
ALLOW, DENY = "Allow", "Deny"
EVERYONE = "*"


class Principal(msgspec.Struct, frozen=True):
    """One principal of a statement.

    Attributes:
        type: `AWS`, `Service`, `Federated` or `CanonicalUser`.
        name: "*" for everyone, or an ARN (an account number has become that of its root), host name or id.
    """

    type: str
    name: str


class Principals(msgspec.Struct, frozen=True):
    """The Principal of a statement, or with `negated` its NotPrincipal."""

    values: tuple[Principal, ...]
    negated: bool = False


class Patterns(msgspec.Struct, frozen=True):
    """The Action or Resource of a statement, or with `negated` its NotAction or NotResource."""

    values: tuple[str, ...]
    negated: bool = False


class Statement(msgspec.Struct, frozen=True):
    """One statement.

    Attributes:
        effect: ALLOW or DENY.
        principals: None in an identity policy, where it is the one to whom the policy is attached.
        conditions: All must hold.
    """

    sid: str | None
    effect: str
    principals: Principals | None
    action: Patterns
    resource: Patterns
    conditions: tuple[Condition, ...]

    def covers_principal(self, arn: str) -> bool:
        """Whether the principal `arn` is meant: by name, as a session of a role, by its account, or as anyone.

        An Allow that means it by its account alone only lets the account's own policies allow. A Deny for all but some
        exempts only whom it names exactly: AWS's example names an account beside its user, and denies its other users.
        """
        if self.principals is None:
            return True
        names = [value.name for value in self.principals.values if value.type == "AWS"]
        if self.effect == DENY and self.principals.negated:
            return EVERYONE not in names and arn not in names
        named = any(name == EVERYONE or principals.stands_for(name, arn) for name in names)
        return named != self.principals.negated

    def covers_action(self, action: str) -> bool:
        """Whether an action such as `kms:Decrypt` is meant; their case does not matter."""
        return any(matches(value.lower(), action.lower()) for value in self.action.values) != self.action.negated

    def covers_key(self, key_arn: str) -> bool:
        """Whether the key is meant; "" stands for a key that has no ARN yet, which "*" alone can mean."""
        if self.resource.negated and not key_arn:
            return False
        return any(matches(value, key_arn) for value in self.resource.values) != self.resource.negated


class Policy(msgspec.Struct, frozen=True):
    """A policy document."""

    version: str
    id: str | None
    statements: tuple[Statement, ...]


def default_policy(account: str) -> Policy:
    """The key policy of a key that was made without one, as `kmscli.model.policy.default` writes it."""
    everybody = Principals((Principal("AWS", principals.root_arn(account)),))
    return _one_allow("key-default-1", "Enable IAM User Permissions", everybody, "kms:*")


def administrator_policy() -> Policy:
    """The identity policy AdministratorAccess, as AWS manages it: everything is allowed."""
    return _one_allow(None, None, None, "*")


def _one_allow(id_: str | None, sid: str | None, whom: Principals | None, action: str) -> Policy:
    statement = Statement(sid, ALLOW, whom, Patterns((action,)), Patterns(("*",)), ())
    return Policy(CURRENT_VERSION, id_, (statement,))
