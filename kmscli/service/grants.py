"""CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant.

The grants on a key are a group of records of their own, so that whoever only uses the key does not read them.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.formats.record import GrantRecord
from kmscli.formats.tree import bucket_of
from kmscli.model import grant, limits, principals
from kmscli.service import pages
from kmscli.service.context import Call, Change
from kmscli.service.shapes import (
    DryRun,
    GrantTokens,
    KeyId,
    Marker,
    Request,
    Response,
    SmallLimit,
)
from kmscli.vault.records import KeyGroup

_PRINCIPAL = r"^[\w+=,.@:/-]+$"
_SERVICE = r"^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$"
_GROUP = "grants/"

PrincipalArn = Annotated[
    str, Meta(min_length=1, max_length=limits.PRINCIPAL_ARN_MAX, pattern=_PRINCIPAL, description="ARN of a principal.")
]
ServicePrincipal = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.SERVICE_PRINCIPAL_MAX,
        pattern=_SERVICE,
        description="A service of AWS: refused, there are none here.",
    ),
]
GrantId = Annotated[
    str, Meta(min_length=1, max_length=limits.GRANT_ID_MAX, description="The grant: its id, 64 hex digits.")
]
OperationName = Literal[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "GetPublicKey",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "Encapsulate",
    "Decapsulate",
]


class GrantConstraints(Response, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an encryption context must be for a grant to count."""

    encryption_context_subset: dict[str, str] | None = None
    encryption_context_equals: dict[str, str] | None = None
    source_arn: (
        Annotated[
            str,
            Meta(
                min_length=20,
                max_length=512,
                pattern=r"^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$",
                description="A resource of AWS: refused.",
            ),
        ]
        | None
    ) = None


class CreateGrantRequest(Request, frozen=True, kw_only=True):
    """Members of CreateGrant."""

    key_id: KeyId
    grantee_principal: Annotated[PrincipalArn, Meta(description="Who may act: ARN of a principal.")] | None = None
    retiring_principal: (
        Annotated[PrincipalArn, Meta(description="Who may retire the grant: ARN of a principal.")] | None
    ) = None
    operations: Annotated[list[OperationName], Meta(description="What the grantee may do.")]
    constraints: (
        Annotated[
            GrantConstraints,
            Meta(description="EncryptionContextSubset={k=v} or EncryptionContextEquals={k=v}."),
        ]
        | None
    ) = None
    grant_tokens: GrantTokens | None = None
    name: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=limits.GRANT_NAME_MAX,
                pattern=r"^[a-zA-Z0-9:/_-]+$",
                description="Name of the grant: the same request with the same name gives the same grant.",
            ),
        ]
        | None
    ) = None
    dry_run: DryRun | None = None
    grantee_service_principal: ServicePrincipal | None = None
    retiring_service_principal: ServicePrincipal | None = None


class CreateGrantResponse(Response, frozen=True, kw_only=True):
    """The grant."""

    grant_token: str
    grant_id: str


def create_grant(change: Change, request: CreateGrantRequest) -> CreateGrantResponse:
    """Let a principal use a key, without a change of its policy.

    Raises:
        KmsError: NotFoundException, InvalidArnException, ValidationException, LimitExceededException,
            InvalidGrantTokenException, UnsupportedOperationException, the key's state, DryRunOperationException.
    """
    _refuse_services(request)
    key = change.editable(request.key_id)
    change.check_grant_tokens(request.grant_tokens)
    change.check_state(key)
    wanted = _record(change, key, request)
    known = change.records.grants(key.record.key_id)
    same = next((found for found in known.values() if wanted.name and _is_same(found, wanted)), None)
    if same is None and len(known) >= change.context.limits.grants:
        raise errors.LimitExceededError(problem=f"{change.arn(key)} has {len(known)} grants, the most it may have")
    if request.dry_run:
        raise errors.DryRunError
    if same is None:
        change.draft.put("grant", f"{wanted.key_id}/{wanted.grant_id}", wanted)
    grant_id = (same or wanted).grant_id
    token = grant.grant_token(key_id=wanted.key_id, grant_id=grant_id, nonce=change.rng(grant.NONCE_BYTES))
    return CreateGrantResponse(grant_token=token, grant_id=grant_id)


def _refuse_services(request: CreateGrantRequest) -> None:
    if request.grantee_service_principal is not None or request.retiring_service_principal is not None:
        raise errors.UnsupportedOperationError(
            problem="service principals are not supported: there are no services of AWS here"
        )
    if request.constraints is not None and request.constraints.source_arn is not None:
        raise errors.UnsupportedOperationError(
            problem="SourceArn is not supported: it names the resource for which a service of AWS acts"
        )


def _record(change: Change, key: KeyGroup, request: CreateGrantRequest) -> GrantRecord:
    if request.grantee_principal is None:
        raise errors.ValidationError(problem="GranteePrincipal must be given", hint="--grantee-principal ARN")
    grant.check_operations(request.operations, key_spec=key.record.key_spec, key_usage=key.record.key_usage)
    constraints = request.constraints or GrantConstraints()
    grant.check_constraints(
        key_spec=key.record.key_spec,
        encryption_context_equals=constraints.encryption_context_equals,
        encryption_context_subset=constraints.encryption_context_subset,
    )
    return GrantRecord(
        key_id=key.record.key_id,
        grant_id=change.rng(grant.GRANT_ID_BYTES).hex(),
        created=change.now,
        grantee=principals.check_arn(request.grantee_principal),
        operations=tuple(name for name in grant.GRANT_OPERATIONS if name in request.operations),
        retiring=principals.check_arn(request.retiring_principal) if request.retiring_principal else "",
        name=request.name or "",
        context_equals=constraints.encryption_context_equals,
        context_subset=constraints.encryption_context_subset,
    )


def _is_same(found: GrantRecord, wanted: GrantRecord) -> bool:
    return msgspec.structs.replace(found, grant_id=wanted.grant_id, created=wanted.created) == wanted


class GrantListEntry(Response, frozen=True, kw_only=True):
    """One grant of a list."""

    key_id: str
    grant_id: str
    name: str | None = None
    creation_date: datetime
    grantee_principal: str
    retiring_principal: str | None = None
    issuing_account: str
    operations: tuple[str, ...]
    constraints: GrantConstraints | None = None


class _ListResponse(Response, frozen=True, kw_only=True):
    """One page of grants."""

    grants: list[GrantListEntry]
    next_marker: str | None = None
    truncated: bool


class ListGrantsRequest(Request, frozen=True, kw_only=True):
    """Members of ListGrants."""

    limit: SmallLimit | None = None
    marker: Marker | None = None
    key_id: KeyId
    grant_id: GrantId | None = None
    grantee_principal: Annotated[PrincipalArn, Meta(description="Only grants to this principal.")] | None = None
    grantee_service_principal: ServicePrincipal | None = None


class ListGrantsResponse(_ListResponse, frozen=True, kw_only=True):
    """One page of the grants on a key."""


def list_grants(call: Call, request: ListGrantsRequest) -> ListGrantsResponse:
    """A page of the grants on a key, in the order of their ids.

    Raises:
        KmsError: NotFoundException, InvalidGrantIdException, InvalidMarkerException.
    """
    key = call.find(request.key_id)
    if request.grant_id is not None:
        grant.check_grant_id(request.grant_id)
    start = pages.name_after("ListGrants", request.marker)
    found = (
        each
        for grant_id, each in sorted(call.records.grants(key.record.key_id).items())
        if grant_id > start
        and request.grant_id in (None, grant_id)
        and request.grantee_principal in (None, each.grantee)
        and request.grantee_service_principal is None
    )
    page = pages.page("ListGrants", found, request.limit or limits.GRANTS_PAGE, lambda each: each.grant_id)
    return ListGrantsResponse(
        grants=[_entry(call, each) for each in page.items],
        next_marker=page.next_marker,
        truncated=page.next_marker is not None,
    )


def _entry(call: Call, found: GrantRecord) -> GrantListEntry:
    account = call.records.place.account
    constraints = GrantConstraints(
        encryption_context_subset=found.context_subset, encryption_context_equals=found.context_equals
    )
    return GrantListEntry(
        key_id=call.arn_of(found.key_id),
        grant_id=found.grant_id,
        name=found.name or None,
        creation_date=found.created,
        grantee_principal=found.grantee,
        retiring_principal=found.retiring or None,
        issuing_account=f"arn:aws:iam::{account}:root",
        operations=found.operations,
        constraints=None if constraints == GrantConstraints() else constraints,
    )


class ListRetirableGrantsRequest(Request, frozen=True, kw_only=True):
    """Members of ListRetirableGrants."""

    limit: SmallLimit | None = None
    marker: Marker | None = None
    retiring_principal: Annotated[PrincipalArn, Meta(description="Who may retire them.")] | None = None
    retiring_service_principal: ServicePrincipal | None = None


class ListRetirableGrantsResponse(_ListResponse, frozen=True, kw_only=True):
    """One page of the grants that a principal may retire."""


class _Place(NamedTuple):
    """Where a grant stands in the tree: its group, and its id in that group."""

    group: str
    grant: GrantRecord

    @property
    def name(self) -> str:
        return f"{self.group}:{self.grant.grant_id}"


def list_retirable_grants(call: Call, request: ListRetirableGrantsRequest) -> ListRetirableGrantsResponse:
    """A page of the grants of all keys that name a retiring principal, in the order of the tree.

    Raises:
        KmsError: ValidationException, InvalidArnException, InvalidMarkerException.
    """
    if request.retiring_service_principal is not None:
        return ListRetirableGrantsResponse(grants=[], truncated=False)
    if request.retiring_principal is None:
        raise errors.ValidationError(problem="RetiringPrincipal must be given", hint="--retiring-principal ARN")
    principal = principals.check_arn(request.retiring_principal)
    start = pages.name_after("ListRetirableGrants", request.marker)
    found = (place for place in _places(call, start) if place.grant.retiring == principal)
    page = pages.page("ListRetirableGrants", found, request.limit or limits.GRANTS_PAGE, lambda place: place.name)
    return ListRetirableGrantsResponse(
        grants=[_entry(call, place.grant) for place in page.items],
        next_marker=page.next_marker,
        truncated=page.next_marker is not None,
    )


def _places(call: Call, start: str) -> Iterator[_Place]:
    """The grants behind `start`, the name of a place or ""."""
    group, _, last = start.partition(":")
    if start and not group.startswith(_GROUP):
        raise errors.InvalidMarkerError
    if start:
        yield from _in_group(call, group, last)
    for _, name in call.records.group_names(_GROUP, (bucket_of(group), group) if start else (0, "")):
        yield from _in_group(call, name, "")


def _in_group(call: Call, group: str, last: str) -> Iterator[_Place]:
    grants = call.records.grants(group.removeprefix(_GROUP))
    return (_Place(group, found) for grant_id, found in sorted(grants.items()) if grant_id > last)


class RetireGrantRequest(Request, frozen=True, kw_only=True):
    """Members of RetireGrant."""

    grant_token: (
        Annotated[str, Meta(min_length=1, max_length=limits.GRANT_TOKEN_MAX, description="GrantToken of the grant.")]
        | None
    ) = None
    key_id: KeyId | None = None
    grant_id: GrantId | None = None
    dry_run: DryRun | None = None


class RetireGrantResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def retire_grant(change: Change, request: RetireGrantRequest) -> RetireGrantResponse:
    """End a grant, named by its token or by key and id.

    Raises:
        KmsError: ValidationException, InvalidGrantTokenException, InvalidGrantIdException, NotFoundException,
            DryRunOperationException.
    """
    by_id = request.key_id is not None and request.grant_id is not None
    if (request.grant_token is None) != by_id or (request.key_id is None) != (request.grant_id is None):
        raise errors.ValidationError(
            problem="a grant is named by GrantToken, or by KeyId and GrantId",
            hint="give --grant-token, or --key-id and --grant-id",
        )
    if request.grant_token is not None:
        key_id, grant_id = grant.parse_grant_token(request.grant_token)
        if grant_id not in change.records.grants(key_id):
            raise errors.InvalidGrantTokenError
        _end(change, key_id, grant_id, dry_run=request.dry_run)
    elif request.key_id is not None and request.grant_id is not None:
        _end(change, request.key_id, request.grant_id, dry_run=request.dry_run)
    return RetireGrantResponse()


class RevokeGrantRequest(Request, frozen=True, kw_only=True):
    """Members of RevokeGrant."""

    key_id: KeyId
    grant_id: GrantId
    dry_run: DryRun | None = None


class RevokeGrantResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def revoke_grant(change: Change, request: RevokeGrantRequest) -> RevokeGrantResponse:
    """Take a grant away.

    Raises:
        KmsError: InvalidGrantIdException, NotFoundException, DryRunOperationException.
    """
    _end(change, request.key_id, request.grant_id, dry_run=request.dry_run)
    return RevokeGrantResponse()


def _end(change: Change, named: str, grant_id: str, *, dry_run: bool | None) -> None:
    key = change.editable(named)
    change.check_state(key)
    grant.check_grant_id(grant_id)
    if grant_id not in change.records.grants(key.record.key_id):
        raise errors.GrantNotFoundError(grant_id=grant_id)
    if dry_run:
        raise errors.DryRunError
    change.draft.delete("grant", f"{key.record.key_id}/{grant_id}")
