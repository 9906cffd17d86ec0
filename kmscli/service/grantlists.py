"""ListGrants, ListRetirableGrants."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.formats.record import GrantRecord
from kmscli.formats.tree import bucket_of
from kmscli.model import grant, limits
from kmscli.service import pages
from kmscli.service.context import Call
from kmscli.service.grants import GrantConstraints, GrantId, PrincipalArn, ServicePrincipal, arn_of
from kmscli.service.shapes import KeyId, Marker, Request, Response, SmallLimit

_GROUP = "grants/"


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
    expires: datetime | None = None


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
    grantee = None if request.grantee_principal is None else arn_of(call, request.grantee_principal)
    start = pages.name_after("ListGrants", request.marker)
    found = (
        each
        for grant_id, each in sorted(call.records.grants(key.record.key_id).items())
        if grant_id > start
        and request.grant_id in (None, grant_id)
        and grantee in (None, each.grantee)
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
        expires=found.expires,
    )


class ListRetirableGrantsRequest(Request, frozen=True, kw_only=True):
    """Members of ListRetirableGrants."""

    limit: SmallLimit | None = None
    marker: Marker | None = None
    retiring_principal: Annotated[PrincipalArn, Meta(description="Who may retire them.")] | None = None
    retiring_service_principal: ServicePrincipal | None = None


class ListRetirableGrantsResponse(_ListResponse, frozen=True, kw_only=True):
    """One page of the grants that a principal may retire."""


class _Place(msgspec.Struct, frozen=True):
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
    principal = arn_of(call, request.retiring_principal)
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
