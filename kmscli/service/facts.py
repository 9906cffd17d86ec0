"""What the conditions of policies may ask about a request: the facts of its members, of its key, and of who asks.

They follow from the members of the request by one table.
Source: AWS KMS developer guide, "AWS KMS condition keys"; IAM user guide, "AWS global condition context keys".
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from kmscli.model import ids
from kmscli.model.ids import Place
from kmscli.model.limits import DELETION_WINDOW_DEFAULT, ROTATION_DAYS_DEFAULT
from kmscli.model.request import EQUALS, SUBSET
from kmscli.model.specs import SYMMETRIC
from kmscli.vault.records import KeyGroup, Member

Facts = dict[str, str | Sequence[str]]
"""Condition key -> its value, or its values."""


class Ask(msgspec.Struct, frozen=True):
    """One question about a request: an operation asks one, ReEncrypt asks two.

    Attributes:
        action: AWS's name of what is to be allowed, without `kms:`.
        members: The request, None where there is none.
        side: Which members of it count: "" all, "source_" or "destination_" for a side of ReEncrypt.
        same_key: Whether both sides of a ReEncrypt are one key.
    """

    action: str
    members: msgspec.Struct | None = None
    side: str = ""
    same_key: bool | None = None

    def member(self, name: str) -> Any:  # noqa: ANN401 - the value of a member
        """A member of the request, of this side where it has sides, or None."""
        return getattr(self.members, self.side + name, None) or getattr(self.members, name, None)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value.timestamp())) if isinstance(value, datetime) else str(value)


_MEMBERS: dict[str, tuple[str, object]] = {
    "bypass_policy_lockout_safety_check": ("kms:BypassPolicyLockoutSafetyCheck", False),
    "encryption_algorithm": ("kms:EncryptionAlgorithm", SYMMETRIC),
    "expiration_model": ("kms:ExpirationModel", "KEY_MATERIAL_EXPIRES"),
    "grantee_principal": ("kms:GranteePrincipal", None),
    "key_agreement_algorithm": ("kms:KeyAgreementAlgorithm", None),
    "key_pair_spec": ("kms:DataKeyPairSpec", None),
    "mac_algorithm": ("kms:MacAlgorithm", None),
    "message_type": ("kms:MessageType", "RAW"),
    "pending_window_in_days": ("kms:ScheduleKeyDeletionPendingWindowInDays", DELETION_WINDOW_DEFAULT),
    "retiring_principal": ("kms:RetiringPrincipal", None),
    "rotation_period_in_days": ("kms:RotationPeriodInDays", ROTATION_DAYS_DEFAULT),
    "signing_algorithm": ("kms:SigningAlgorithm", None),
    "valid_to": ("kms:ValidTo", None),
    "wrapping_algorithm": ("kms:WrappingAlgorithm", None),
    "wrapping_key_spec": ("kms:WrappingKeySpec", None),
}
"""Member of a request -> the condition key that has its value, and what the operation does where it is absent."""
_SYMMETRIC_ONLY = frozenset(
    {
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
    }
)
"""Operations that seal, and have no member for the algorithm."""


def circumstances(ask: Ask, place: Place, key: KeyGroup | None, alias: str | None) -> Facts:
    """The facts of a request about a key: what its members say, and what the key is.

    Args:
        ask: The question.
        place: Account and Region.
        key: The key, None for an operation without one.
        alias: The alias by which the request named the key.
    """
    facts: Facts = {}
    for name, (condition, default) in _MEMBERS.items():
        if ask.members is not None and hasattr(ask.members, ask.side + name):
            value = ask.member(name)
            value = default if value is None else value
            if value is not None:
                facts[condition] = _text(value)
    if ask.action in _SYMMETRIC_ONLY:
        facts["kms:EncryptionAlgorithm"] = SYMMETRIC
    if ask.same_key is not None:
        facts["kms:ReEncryptOnSameKey"] = _text(ask.same_key)
    facts |= _context_facts(ask) | _tag_facts(ask)
    facts |= _new_key_facts(ask) if key is None else _key_facts(key, place, alias)
    return facts


def _context_facts(ask: Ask) -> Facts:
    context, constraint = bound_context(ask)
    facts: Facts = {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
    if context:
        facts["kms:EncryptionContextKeys"] = tuple(context)
    if ask.action == "CreateGrant":
        facts["kms:GrantIsForAWSResource"] = "false"
        facts["kms:GrantOperations"] = tuple(ask.member("operations") or ())
        if constraint:
            facts["kms:GrantConstraintType"] = constraint
    elif ask.action in ("ListGrants", "RevokeGrant"):
        facts["kms:GrantIsForAWSResource"] = "false"
    return facts


def bound_context(ask: Ask) -> tuple[Mapping[str, str], str]:
    """The encryption context of a request; of a CreateGrant that of its constraint, and the constraint's name."""
    constraints = getattr(ask.members, "constraints", None)
    if constraints is None:
        return ask.member("encryption_context") or {}, ""
    if constraints.encryption_context_equals is not None:
        return constraints.encryption_context_equals, EQUALS
    return constraints.encryption_context_subset or {}, SUBSET if constraints.encryption_context_subset else ""


def _tag_facts(ask: Ask) -> Facts:
    tags = getattr(ask.members, "tags", None) or ()
    keys = [tag.tag_key for tag in tags] or list(getattr(ask.members, "tag_keys", None) or ())
    facts: Facts = {f"aws:RequestTag/{tag.tag_key}": tag.tag_value for tag in tags}
    return facts | ({"aws:TagKeys": keys} if keys else {})


def _new_key_facts(ask: Ask) -> Facts:
    """What a key is that is still to be made."""
    if ask.action != "CreateKey" or ask.members is None:
        return {}
    spec = ask.member("key_spec") or ask.member("customer_master_key_spec") or SYMMETRIC
    usage = ask.member("key_usage") or ("ENCRYPT_DECRYPT" if spec == SYMMETRIC else "")
    many = bool(ask.member("multi_region"))
    return _spec_facts(spec, usage, ask.member("origin") or "AWS_KMS", multi_region=many)


def _key_facts(key: KeyGroup, place: Place, alias: str | None) -> Facts:
    record = key.record
    facts = _spec_facts(
        record.key_spec, record.key_usage, record.origin, multi_region=ids.is_multi_region(record.key_id)
    )
    facts["kms:CallerAccount"] = place.account
    if record.aliases:
        facts["kms:ResourceAliases"] = record.aliases
    if alias is not None:
        facts["kms:RequestAlias"] = alias
    return facts | {f"aws:ResourceTag/{name}": value for name, value in record.tags}


def _spec_facts(spec: str, usage: str, origin: str, *, multi_region: bool) -> Facts:
    facts: Facts = {
        "kms:KeySpec": spec,
        "kms:CustomerMasterKeySpec": spec,
        "kms:KeyUsage": usage,
        "kms:CustomerMasterKeyUsage": usage,
        "kms:KeyOrigin": origin,
        "kms:MultiRegion": _text(multi_region),
    }
    return facts | ({"kms:MultiRegionKeyType": "PRIMARY"} if multi_region else {})


def principal_facts(member: Member, place: Place, now: datetime) -> Facts:
    """The facts about who asks, and when."""
    record = member.record
    facts: Facts = {
        "aws:CurrentTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": _text(now),
        "aws:PrincipalAccount": place.account,
        "aws:PrincipalArn": member.arn,
        "aws:PrincipalType": "User" if record.kind == "user" else "AssumedRole",
        "aws:userid": record.name,
    }
    if record.kind == "user":
        facts["aws:username"] = record.name
    return facts | {f"aws:PrincipalTag/{name}": value for name, value in record.tags}
