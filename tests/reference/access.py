"""Who may do what, and who holds a share, as AWS's documentation and docs/spec/vault.md say it: no code of the product.

Sources: IAM user guide, "Policy evaluation logic"; AWS KMS developer guide, "Key policies", "Grants in AWS KMS", "Key
states"; docs/spec/vault.md, "Shares" and "Time".
"""

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests import naive_policy

ACCOUNT = "000000000000"
ANYTHING = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
DEFAULT = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
    ],
}
OF_MATERIAL = {
    "SYMMETRIC_DEFAULT": "Encrypt Decrypt ReEncryptFrom ReEncryptTo GenerateDataKey GenerateDataKeyWithoutPlaintext"
    " GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext",
    "ECC_NIST_P256": "Sign",
    "HMAC_256": "GenerateMac VerifyMac",
}
"""KeySpec -> the actions that need the secret material."""
CHANGES = {"CreateKey", "CreateGrant", "RevokeGrant", "PutKeyPolicy", "EnableKey", "DisableKey"}
IN_ANY_STATE = {"DescribeKey", "ListGrants", "RevokeGrant", "PutKeyPolicy", "EnableKey", "DisableKey", "GetKeyPolicy"}
DENIED = "AccessDeniedException"


@dataclass
class Key:
    """A key.

    Attributes:
        holders: Who holds a share.
        grants: By their ids.
    """

    arn: str
    spec: str
    policy: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(DEFAULT))
    enabled: bool = True
    holders: set[str] = field(default_factory=set)
    grants: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Principal:
    """A principal.

    Attributes:
        policies: Its identity policies by their names.
    """

    arn: str
    root: bool = False
    enabled: bool = True
    policies: dict[str, Any] = field(default_factory=dict)


class Access:
    """All keys and principals, by id and name.

    Attributes:
        now: The time of the operation at hand.
    """

    def __init__(self) -> None:
        admin = Principal(f"arn:aws:iam::{ACCOUNT}:user/admin", root=True, policies={"AdministratorAccess": ANYTHING})
        self.principals = {"admin": admin}
        self.keys: dict[str, Key] = {}
        self.now = datetime.min.replace(tzinfo=UTC)

    # -- may this be done? ---------------------------------------------------------------------------------------------

    def expect(self, name: str, operation: str, key_id: str, members: dict[str, Any]) -> str:
        """The name of the error in which an operation must end, "" if it must succeed."""
        who = self.principals[name]
        if not who.enabled or (operation in CHANGES and not who.root):
            return DENIED
        if who.root and key_id:
            self.settle(key_id)
        for action, context in self._asked(operation, members):
            if not self.allows(name, action, key_id, members, context):
                return DENIED
        key = self.keys.get(key_id)
        if key and not key.enabled and operation not in IN_ANY_STATE:
            return "DisabledException"
        return ""

    @staticmethod
    def _asked(operation: str, members: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
        """The actions that an operation asks for, each with its encryption context."""
        if operation == "ReEncrypt":
            sides = (("ReEncryptFrom", "Source"), ("ReEncryptTo", "Destination"))
            return [(action, members.get(f"{side}EncryptionContext") or {}) for action, side in sides]
        if operation == "CreateGrant":
            constraints = members.get("Constraints") or {}
            return [(operation, next(iter(constraints.values()), {}))]
        return [(operation, members.get("EncryptionContext") or {})]

    def allows(self, name: str, action: str, key_id: str, members: dict[str, Any], context: dict[str, str]) -> bool:
        """Whether policies and grants let a principal do something now."""
        who, key = self.principals[name], self.keys.get(key_id)
        facts: dict[str, Any] = {
            "aws:PrincipalArn": who.arn,
            "aws:CurrentTime": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **{f"kms:EncryptionContext:{pair}": value for pair, value in context.items()},
            "kms:EncryptionContextKeys": list(context),
        }
        if ":user/" in who.arn:
            facts["aws:username"] = name
        if action == "CreateGrant":
            facts |= {"kms:GrantOperations": members["Operations"], "kms:GranteePrincipal": members["GranteePrincipal"]}
        return self._decided(who, key, action, facts, context, members)

    def _decided(
        self,
        who: Principal,
        key: Key | None,
        action: str,
        facts: dict[str, Any],
        context: dict[str, str],
        members: dict[str, Any],
    ) -> bool:
        request = {
            "principal": who.arn,
            "action": f"kms:{action}",
            "resource": key.arn if key else "*",
            "context": facts,
            "now": self.now,
            "encryption_context": context,
            "constraint": next(iter(members.get("Constraints") or {}), ""),
            "operations": members.get("Operations") or [],
        }
        return naive_policy.allowed(
            request,
            account=ACCOUNT,
            key_policy=key.policy if key else None,
            identity=who.policies,
            grants=list(key.grants.values()) if key else [],
        )

    # -- who holds a share? --------------------------------------------------------------------------------------------

    def may_ever(self, name: str, key_id: str) -> bool:
        """Whether a principal may ever use the material: conditions may hold or not, so they take nothing away."""
        who, key = self.principals[name], self.keys[key_id]
        if who.root or not who.enabled:
            return who.enabled
        bare = Key(key.arn, key.spec, unconditional(key.policy))
        for grant_id, grant in key.grants.items():
            if grant["expires"] is None or self.now < grant["expires"]:
                bare.grants[grant_id] = grant | {"context_equals": None, "context_subset": None, "expires": None}
        someone = Principal(who.arn, policies={label: unconditional(one) for label, one in who.policies.items()})
        actions = OF_MATERIAL[key.spec].split()
        return any(self._decided(someone, bare, action, {"aws:PrincipalArn": who.arn}, {}, {}) for action in actions)

    def follow_key(self, key_id: str) -> None:
        """A change of a key's policy or grants: shares follow for everybody."""
        self.keys[key_id].holders = {name for name in self.principals if self.may_ever(name, key_id)}

    def follow_principal(self, name: str) -> None:
        """A change of a principal: its shares of all keys follow."""
        for key_id, key in self.keys.items():
            key.holders = key.holders | {name} if self.may_ever(name, key_id) else key.holders - {name}

    def settle(self, key_id: str) -> None:
        """A root comes by a key: grants that are over go, and what they brought."""
        key = self.keys[key_id]
        over = [grant_id for grant_id, grant in key.grants.items() if grant["expires"] and grant["expires"] <= self.now]
        for grant_id in over:
            del key.grants[grant_id]
        if over:
            self.follow_key(key_id)


def unconditional(policy: dict[str, Any]) -> dict[str, Any]:
    """A policy in which every condition of an Allow holds, and none of a Deny."""
    kept = [one for one in policy["Statement"] if one["Effect"] == "Allow" or "Condition" not in one]
    bare = [{name: value for name, value in one.items() if name != "Condition"} for one in kept]
    return policy | {"Statement": bare}
