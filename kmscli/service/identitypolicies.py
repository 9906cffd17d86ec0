"""The policies that are attached to a principal: put, shown and deleted, by a root alone.

A policy is kept as its author wrote it. Errors and bounds are IAM's of inline policies.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from kmscli import errors
from kmscli.formats.record import IdentityPolicyRecord
from kmscli.model import limits, policy
from kmscli.service import sharing, validate
from kmscli.service.context import Call, Change, Context
from kmscli.service.dispatch import Recorded
from kmscli.service.policies import read
from kmscli.service.principals import changed, find, named
from kmscli.service.shapes import Request, Response
from kmscli.vault.records import Member

PolicyName = Annotated[
    str, Meta(min_length=1, max_length=limits.IDENTITY_POLICY_NAME_MAX, extra={"pattern": r"[A-Za-z0-9_+=,.@-]+"})
]
_KIND = "identity-policy"


class _PutRequest(Request, frozen=True, kw_only=True):
    policy_name: PolicyName
    policy_document: Annotated[str, Meta(min_length=1, max_length=limits.POLICY_MAX)]


class PolicyChangeResponse(Response, frozen=True, kw_only=True):
    """Nothing, unless shares of keys follow later: `kms run-due` makes them."""

    shares_pending: bool | None = None


class IdentityPolicyResponse(Response, frozen=True, kw_only=True):
    """A policy of a user or of a role.

    Attributes:
        policy_document: Its JSON.
        text: The same as its author wrote it.
    """

    user_name: str | None = None
    role_name: str | None = None
    policy_name: str
    policy_document: dict[str, Any]
    text: str


def put_policy(context: Context, name: str, members: Mapping[str, object]) -> PolicyChangeResponse:
    """Attach a policy to a principal, over one of the same name.

    Args:
        context: Who acts: a root.
        name: The principal.
        members: PolicyName and PolicyDocument, as of IAM's PutUserPolicy.

    Raises:
        KmsError: NoSuchEntity, MalformedPolicyDocument, LimitExceeded, ValidationException, AccessDeniedException.
    """

    def act(change: Change) -> PolicyChangeResponse:
        request = validate.decode(_PutRequest, members)
        member = find(change.records, name)
        read(request.policy_document, policy.parse_identity)
        _check_size(member, request.policy_name, request.policy_document)
        body = IdentityPolicyRecord(principal=name, name=request.policy_name, document=request.policy_document)
        change.draft.put(_KIND, f"{name}/{request.policy_name}", body)
        return _followed(change, name)

    operation, parameters = named(context, name, "Put{}Policy")
    given = {"policyName": members.get("PolicyName"), "policyDocument": members.get("PolicyDocument")}
    return changed(context, operation, parameters | given, act)


def _check_size(member: Member, name: str, document: str) -> None:
    texts = member.policies | {name: document}
    size = sum(len("".join(text.split())) for text in texts.values())
    kind = member.record.kind
    most = limits.IDENTITY_POLICIES_MAX[kind]
    if size > most:
        raise errors.EntityLimitError(
            problem=f"Maximum policy size of {most} bytes exceeded for {kind} {member.record.name}",
            hint=f"its policies have {size} characters together, white space not counted",
        )


def delete_policy(context: Context, name: str, policy_name: str) -> PolicyChangeResponse:
    """Take a policy from a principal.

    Raises:
        KmsError: NoSuchEntity, AccessDeniedException.
    """

    def act(change: Change) -> PolicyChangeResponse:
        _document(find(change.records, name), policy_name)
        change.draft.delete(_KIND, f"{name}/{policy_name}")
        return _followed(change, name)

    operation, parameters = named(context, name, "Delete{}Policy")
    return changed(context, operation, parameters | {"policyName": policy_name}, act)


def get_policy(context: Context, name: str, policy_name: str) -> IdentityPolicyResponse:
    """A policy of a principal.

    Raises:
        EntityNotFoundError: There is none.
    """

    def act(call: Call) -> IdentityPolicyResponse:
        member = find(call.records, name)
        text = _document(member, policy_name)
        is_user = member.record.kind == "user"
        return IdentityPolicyResponse(
            user_name=name if is_user else None,
            role_name=None if is_user else name,
            policy_name=policy_name,
            policy_document=json.loads(text),
            text=text,
        )

    operation, parameters = named(context, name, "Get{}Policy")
    with Recorded(context, operation, read_only=True) as recorded:
        recorded.parameters = lambda: parameters | {"policyName": policy_name}
        return recorded.use(act)


def _document(member: Member, policy_name: str) -> str:
    if policy_name not in member.policies:
        raise errors.EntityNotFoundError(what=f"The {member.record.kind} policy with name {policy_name}")
    return member.policies[policy_name]


def _followed(change: Change, name: str) -> PolicyChangeResponse:
    return PolicyChangeResponse(shares_pending=True if sharing.follow_principal(change, name) else None)
