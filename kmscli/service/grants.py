"""CreateGrant, RetireGrant, RevokeGrant.

The grants on a key are a group of records of their own, so that whoever only uses the key does not read them.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.formats.record import GrantRecord
from kmscli.model import grant, limits, principals
from kmscli.service.context import Call, Change
from kmscli.service.shapes import (
    DryRun,
    GrantTokens,
    KeyId,
    Request,
    Response,
)
from kmscli.vault.records import KeyGroup

_PRINCIPAL = r"^[\w+=,.@:/-]+$"
_SERVICE = r"^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$"

PrincipalArn = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.PRINCIPAL_ARN_MAX,
        extra={"pattern": _PRINCIPAL},
        description="ARN of a principal.",
    ),
]
ServicePrincipal = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.SERVICE_PRINCIPAL_MAX,
        extra={"pattern": _SERVICE},
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
                extra={"pattern": r"^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$"},
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
                extra={"pattern": r"^[a-zA-Z0-9:/_-]+$"},
                description="Name of the grant: the same request with the same name gives the same grant.",
            ),
        ]
        | None
    ) = None
    dry_run: DryRun | None = None
    expires: (
        Annotated[
            datetime,
            Meta(description="From then on it allows nothing: a time, or 7d, 12h from now.", extra={"own": True}),
        ]
        | None
    ) = None
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
        raise errors.LimitExceededError(problem=f"{key.arn} has {len(known)} grants, the most it may have")
    if request.dry_run:
        raise errors.DryRunError
    if same is None:
        change.draft.put("grant", f"{wanted.key_id}/{wanted.grant_id}", wanted)
        _follow(change, key)
        if wanted.expires is not None:
            change.context.warn_once(
                f"from {wanted.expires:%Y-%m-%dT%H:%M:%SZ} on the grant allows nothing; the share of the key that it "
                "brought is taken away when a root of the vault next acts on the key"
            )
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
    if request.expires is not None and request.expires <= change.now:
        raise errors.ValidationError(problem="Expires must be later than now", hint="such as --expires 7d")
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
        grantee=arn_of(change, request.grantee_principal),
        operations=tuple(name for name in grant.GRANT_OPERATIONS if name in request.operations),
        retiring=arn_of(change, request.retiring_principal) if request.retiring_principal else "",
        name=request.name or "",
        context_equals=constraints.encryption_context_equals,
        context_subset=constraints.encryption_context_subset,
        expires=request.expires,
    )


def arn_of(call: Call, named: str) -> str:
    """The ARN of a principal that a request names, by it or by the name of a principal of this vault.

    Raises:
        InvalidArnError: It is neither.
    """
    member = None if ":" in named else call.records.member(named)
    return principals.check_arn(named) if member is None else member.arn


def _follow(change: Change, key: KeyGroup) -> None:
    """Have shares, and the key's note of when its first grant ends, follow a change of its grants."""
    ends = [each.expires for each in change.records.grants(key.record.key_id).values() if each.expires is not None]
    if (first := min(ends, default=None)) != key.record.grant_end:
        change.update(key, grant_end=first)
    from kmscli.service import sharing  # not for help

    sharing.follow_key(change, key.record.key_id)


def end_expired(change: Change, key: KeyGroup) -> list[str]:
    """Take away the grants on a key that are over; returns their ids."""
    over = [
        each.grant_id
        for each in change.records.grants(key.record.key_id).values()
        if each.expires is not None and each.expires <= change.now
    ]
    for grant_id in over:
        change.draft.delete("grant", f"{key.record.key_id}/{grant_id}")
    _follow(change, key)
    return over


def _is_same(found: GrantRecord, wanted: GrantRecord) -> bool:
    return msgspec.structs.replace(found, grant_id=wanted.grant_id, created=wanted.created) == wanted


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
        named = grant.parse_grant_token(request.grant_token)
        if named.grant_id not in change.records.grants(named.key_id):
            raise errors.InvalidGrantTokenError
        _retire(change, named.key_id, named.grant_id, dry_run=request.dry_run)
    elif request.key_id is not None and request.grant_id is not None:
        _retire(change, request.key_id, request.grant_id, dry_run=request.dry_run)
    return RetireGrantResponse()


def _retire(change: Change, named: str, grant_id: str, *, dry_run: bool | None) -> None:
    """End a grant in the name of whom it lets: its retiring principal, or its grantee if it names RetireGrant.

    Beside them AWS lets the account itself, for which the roots of the vault stand, and to whom it gives the right by
    an identity policy (AWS KMS developer guide, "Retiring and revoking grants"). No key policy does.
    """
    key = change.resolve(named)
    change.decide(key, grants=[_named(change, key, grant_id)])
    _end(change, key, grant_id, dry_run=dry_run)


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
    key = change.editable(request.key_id)
    _named(change, key, request.grant_id)
    _end(change, key, request.grant_id, dry_run=request.dry_run)
    return RevokeGrantResponse()


def _named(change: Change, key: KeyGroup, grant_id: str) -> GrantRecord:
    found = change.records.grants(key.record.key_id).get(grant.check_grant_id(grant_id))
    if found is None:
        raise errors.GrantNotFoundError(grant_id=grant_id)
    return found


def _end(change: Change, key: KeyGroup, grant_id: str, *, dry_run: bool | None) -> None:
    change.check_state(key)
    if dry_run:
        raise errors.DryRunError
    change.draft.delete("grant", f"{key.record.key_id}/{grant_id}")
    _follow(change, key)
