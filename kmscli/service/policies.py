"""GetKeyPolicy, PutKeyPolicy, ListKeyPolicies.

A policy is kept as its author wrote it. A key without one of its own has AWS's default policy, which is not stored.
"""

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from kmscli import errors
from kmscli.formats.record import PolicyRecord
from kmscli.model import limits, policy, statement
from kmscli.service import authority, pages
from kmscli.service.context import Call, Change
from kmscli.service.shapes import BypassLockoutCheck, KeyId, Limit, Marker, Policy, Request, Response
from kmscli.vault.records import KeyGroup

DEFAULT = "default"
"""The only name that a key policy can have."""

PolicyName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.POLICY_NAME_MAX,
        extra={"pattern": r"[\w]+"},
        description="The only name is `default`.",
    ),
]


class GetKeyPolicyRequest(Request, frozen=True, kw_only=True):
    """Members of GetKeyPolicy."""

    key_id: KeyId
    policy_name: PolicyName | None = None


class GetKeyPolicyResponse(Response, frozen=True, kw_only=True):
    """The policy, as JSON text."""

    policy: str
    policy_name: str


def get_key_policy(call: Call, request: GetKeyPolicyRequest) -> GetKeyPolicyResponse:
    """The policy of a key.

    Raises:
        KmsError: NotFoundException.
    """
    key = call.find(request.key_id)
    _check_name(request.policy_name)
    text = authority.policy_text(key, call.records.place.account)
    return GetKeyPolicyResponse(policy=text, policy_name=DEFAULT)


def _check_name(name: str | None) -> None:
    if name not in (None, DEFAULT):
        raise errors.PolicyNotFoundError


class PutKeyPolicyRequest(Request, frozen=True, kw_only=True):
    """Members of PutKeyPolicy."""

    key_id: KeyId
    policy_name: PolicyName | None = None
    policy: Policy
    bypass_policy_lockout_safety_check: BypassLockoutCheck | None = None


class PutKeyPolicyResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def put_key_policy(change: Change, request: PutKeyPolicyRequest) -> PutKeyPolicyResponse:
    """Replace the policy of a key.

    Raises:
        KmsError: NotFoundException, MalformedPolicyDocumentException, LimitExceededException.
    """
    key = change.editable(request.key_id)
    change.check_state(key)
    _check_name(request.policy_name)
    put(change, key, request.policy, bypass=bool(request.bypass_policy_lockout_safety_check))
    from kmscli.service import sharing  # not for help

    sharing.follow_key(change, key.record.key_id)
    return PutKeyPolicyResponse()


def read(text: str, parse: Callable[[str], statement.Policy]) -> statement.Policy:
    """The policy that a text is; of several lines, a fault is told with the line and column where it stands.

    Raises:
        MalformedPolicyError: As `parse`.
    """
    try:
        return parse(text)
    except errors.MalformedPolicyError as error:
        if error.data.get("place") or "\n" not in text.strip():
            raise
        from kmscli.model import judging

        line, column = judging.located(text, error)
        problem = f"{error.data['problem']}: line {line}, column {column}"
        raise errors.MalformedPolicyError(problem=problem, hint=error.hint) from None


def put(change: Change, key: KeyGroup, text: str, *, bypass: bool) -> None:
    """Write a policy of a key.

    Args:
        change: The change.
        key: The key.
        text: The document.
        bypass: Whether it may let nobody change it again.

    Raises:
        KmsError: MalformedPolicyDocumentException, LimitExceededException.
    """
    if len(text.encode()) > limits.POLICY_BYTES_MAX:
        raise errors.LimitExceededError(problem=f"a key policy has at most {limits.POLICY_BYTES_MAX} bytes")
    parsed = read(text, policy.parse)
    if not bypass:
        account = change.records.place.account
        policy.check_lockout(parsed, account=account, caller_arn=change.principal_arn(), key_arn=key.arn)
    change.draft.put("policy", key.record.key_id, PolicyRecord(key_id=key.record.key_id, document=text))


class ListKeyPoliciesRequest(Request, frozen=True, kw_only=True):
    """Members of ListKeyPolicies."""

    key_id: KeyId
    limit: Limit | None = None
    marker: Marker | None = None


class ListKeyPoliciesResponse(Response, frozen=True, kw_only=True):
    """The names of the policies: always the one."""

    policy_names: list[str]
    next_marker: str | None = None
    truncated: bool


def list_key_policies(call: Call, request: ListKeyPoliciesRequest) -> ListKeyPoliciesResponse:
    """The names of a key's policies.

    Raises:
        InvalidMarkerError: There is never a second page.
    """
    call.find(request.key_id)
    pages.name_after("ListKeyPolicies", request.marker)
    return ListKeyPoliciesResponse(policy_names=[DEFAULT], truncated=False)
