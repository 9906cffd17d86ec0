"""CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, UpdateKeyDescription."""

from typing import Annotated, Literal

from msgspec import Meta

from kmscli import errors
from kmscli.formats.record import KeyRecord
from kmscli.model import ids, limits
from kmscli.model.specs import KEY_SPECS, SYMMETRIC
from kmscli.service import aliases, materials, pages, tags
from kmscli.service.context import Call, Change, refuse_unsupported
from kmscli.service.facts import Ask
from kmscli.service.metadata import KeyMetadata, metadata
from kmscli.service.shapes import (
    AliasName,
    BypassLockoutCheck,
    Description,
    GrantTokens,
    KeyId,
    KeyStoreId,
    Limit,
    Marker,
    Policy,
    Request,
    Response,
    Tag,
)
from kmscli.vault import shares
from kmscli.vault.records import KeyGroup

OldSpecName = Literal[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
]
SpecName = Literal[
    OldSpecName,
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
]
UsageName = Literal["SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"]
_ORIGINS = {
    "AWS_CLOUDHSM": "a CloudHSM cluster is reached through AWS alone",
    "EXTERNAL_KEY_STORE": "an external key store is reached through a proxy of AWS alone",
}


class CreateKeyRequest(Request, frozen=True, kw_only=True):
    """Members of CreateKey; `Alias` is ours: key and alias are made together or not at all."""

    policy: Policy | None = None
    description: Description | None = None
    key_usage: Annotated[UsageName, Meta(description="What the key is for; symmetric keys encrypt.")] | None = None
    customer_master_key_spec: Annotated[OldSpecName, Meta(description="Old name of --key-spec.")] | None = None
    key_spec: Annotated[SpecName, Meta(description="The kind of key; SYMMETRIC_DEFAULT when absent.")] | None = None
    origin: (
        Annotated[
            Literal["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"],
            Meta(description="Who makes the key material: kms (AWS_KMS, the default), or you (EXTERNAL)."),
        ]
        | None
    ) = None
    custom_key_store_id: KeyStoreId | None = None
    bypass_policy_lockout_safety_check: BypassLockoutCheck | None = None
    tags: Annotated[list[Tag], Meta(description="TagKey=K,TagValue=V, ...")] | None = None
    multi_region: Annotated[bool, Meta(description="Make the primary key of a multi-Region key.")] | None = None
    xks_key_id: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=limits.XKS_KEY_ID_MAX,
                extra={"pattern": r"^[a-zA-Z0-9-_.]+$"},
                description="A key in an external key store: refused, there are none here.",
            ),
        ]
        | None
    ) = None
    alias: Annotated[AliasName, Meta(description="Name the new key alias/NAME.", extra={"own": True})] | None = None


class CreateKeyResponse(Response, frozen=True, kw_only=True):
    """The new key."""

    key_metadata: KeyMetadata


def create_key(change: Change, request: CreateKeyRequest) -> CreateKeyResponse:
    """A new key, shared with every root, with its first material unless that is to be imported.

    Raises:
        KmsError: UnsupportedOperationException, ValidationException, MalformedPolicyDocumentException, TagException,
            LimitExceededException, AlreadyExistsException, NotAuthorizedException or InvalidAliasNameException.
    """
    _refuse_key_stores(request)
    spec = _spec(request)
    usage = _usage(request, spec)
    if request.origin == "EXTERNAL" and not KEY_SPECS[spec].imports:
        raise errors.UnsupportedOperationError(problem=f"KeySpec {spec} does not take imported key material.")
    if change.draft.keys >= change.context.limits.keys:
        raise errors.LimitExceededError(problem=f"this vault has {change.draft.keys} keys, the most it may have")
    record = KeyRecord(
        key_id=ids.new_multi_region_id(change.rng) if request.multi_region else ids.new_uuid(change.rng),
        created=change.now,
        key_spec=spec,
        key_usage=usage,
        origin="EXTERNAL" if request.origin == "EXTERNAL" else "AWS_KMS",
        manager="CUSTOMER",
        state="Enabled",
        description=request.description or "",
        tags=tags.merged((), request.tags or [], most=change.context.limits.tags),
        current=0 if request.origin == "EXTERNAL" else 1,
        kek=1,
    )
    if request.tags:
        change.decide_without_key(Ask("TagResource", request))
    if request.alias is not None:
        alias = ids.alias_arn(change.records.place, request.alias)
        change.decide_without_key(Ask("CreateAlias", request), resource=alias)
    group = put_new(change, record)
    if request.policy is not None:
        from kmscli.service import policies

        policies.put(change, group, request.policy, bypass=bool(request.bypass_policy_lockout_safety_check))
    if request.alias is not None:
        group = aliases.attach(change, group, request.alias)
    from kmscli.service import sharing  # not for help

    sharing.follow_key(change, record.key_id)
    return CreateKeyResponse(key_metadata=metadata(change, group))


def _refuse_key_stores(request: CreateKeyRequest) -> None:
    if request.origin in _ORIGINS:
        raise errors.UnsupportedOperationError(
            problem=f"Origin {request.origin} is not supported: {_ORIGINS[request.origin]}"
        )
    if request.custom_key_store_id is not None or request.xks_key_id is not None:
        raise errors.UnsupportedOperationError(
            problem="custom key stores are not supported: they are CloudHSM clusters and proxies that AWS runs"
        )


def _spec(request: CreateKeyRequest) -> str:
    if request.key_spec is not None and request.customer_master_key_spec is not None:
        raise errors.ValidationError(
            problem="You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    spec = request.key_spec or request.customer_master_key_spec or SYMMETRIC
    refuse_unsupported(spec)
    return spec


def _usage(request: CreateKeyRequest, spec: str) -> str:
    row = KEY_SPECS[spec]
    if request.key_usage is None and not row.has_default_usage:
        raise errors.ValidationError(
            problem="You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            hint=f"--key-usage {' or '.join(row.usages)}",
        )
    usage: str = request.key_usage or next(iter(row.usages))
    if usage not in row.usages:
        raise errors.ValidationError(
            problem=f"KeyUsage {usage} is not compatible with KeySpec {spec}",
            hint=f"it can be {' or '.join(row.usages)}",
        )
    return usage


def put_new(change: Change, key: KeyRecord) -> KeyGroup:
    """Write a new key with its shares, and with its first version if kms makes the material."""
    vault_id = change.records.vault.vault_id
    kek = shares.new_kek(change.rng)
    change.draft.put("key", key.key_id, key)
    for share in shares.share(kek, key, change.roots(), vault_id=vault_id):
        change.draft.put("share", f"{key.key_id}/{share.principal}", share)
    if key.current:
        materials.put_version(change, key, kek, materials.generate(change, key.key_spec), number=key.current)
    return change.resolve(key.key_id)


class DescribeKeyRequest(Request, frozen=True, kw_only=True):
    """Members of DescribeKey."""

    key_id: KeyId
    grant_tokens: GrantTokens | None = None


class DescribeKeyResponse(Response, frozen=True, kw_only=True):
    """The key."""

    key_metadata: KeyMetadata


def describe_key(call: Call, request: DescribeKeyRequest) -> DescribeKeyResponse:
    """All that is known about a key, in any state."""
    key = call.find(request.key_id)
    call.check_grant_tokens(request.grant_tokens)
    return DescribeKeyResponse(key_metadata=metadata(call, key))


class ListKeysRequest(Request, frozen=True, kw_only=True):
    """Members of ListKeys."""

    limit: Limit | None = None
    marker: Marker | None = None
    resource_owners: (
        Annotated[
            list[Literal["SELF", "OTHER_ACCOUNTS_VIA_RAM"]],
            Meta(min_length=1, max_length=2, description="Whose keys; no other account shares any here."),
        ]
        | None
    ) = None


class KeyListEntry(Response, frozen=True, kw_only=True):
    """One key of the list."""

    key_id: str
    key_arn: str


class ListKeysResponse(Response, frozen=True, kw_only=True):
    """One page of keys."""

    keys: list[KeyListEntry]
    next_marker: str | None = None
    truncated: bool


def list_keys(call: Call, request: ListKeysRequest) -> ListKeysResponse:
    """A page of all keys, those that kms manages included, in the order of the tree.

    No key is opened for it, so one whose end is due is listed until a root has written that down.

    Raises:
        InvalidMarkerError: The marker is not one of ours.
    """
    start = pages.place_after("ListKeys", request.marker)
    if request.resource_owners is not None and "SELF" not in request.resource_owners:
        return ListKeysResponse(keys=[], truncated=False)
    names = (name for _, name in call.records.group_names("key/", start))
    page = pages.page("ListKeys", names, request.limit or limits.KEYS_PAGE)
    ids_found = [name.removeprefix("key/") for name in page.items]
    entries = [KeyListEntry(key_id=key_id, key_arn=ids.key_arn(call.records.place, key_id)) for key_id in ids_found]
    return ListKeysResponse(keys=entries, next_marker=page.next_marker, truncated=page.next_marker is not None)


class EnableKeyRequest(Request, frozen=True, kw_only=True):
    """Members of EnableKey."""

    key_id: KeyId


class EnableKeyResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def enable_key(change: Change, request: EnableKeyRequest) -> EnableKeyResponse:
    """Allow the use of a key again; of an enabled one, nothing changes."""
    _to_next_state(change, request.key_id)
    return EnableKeyResponse()


class DisableKeyRequest(Request, frozen=True, kw_only=True):
    """Members of DisableKey."""

    key_id: KeyId


class DisableKeyResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def disable_key(change: Change, request: DisableKeyRequest) -> DisableKeyResponse:
    """Forbid the use of a key; of a disabled one, nothing changes."""
    _to_next_state(change, request.key_id)
    return DisableKeyResponse()


def _to_next_state(change: Change, named: str) -> None:
    key = change.editable(named)
    change.update(key, state=change.check_state(key))


class UpdateKeyDescriptionRequest(Request, frozen=True, kw_only=True):
    """Members of UpdateKeyDescription."""

    key_id: KeyId
    description: Description


class UpdateKeyDescriptionResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def update_key_description(change: Change, request: UpdateKeyDescriptionRequest) -> UpdateKeyDescriptionResponse:
    """Replace the description of a key."""
    key = change.editable(request.key_id)
    change.check_state(key)
    change.update(key, description=request.description)
    return UpdateKeyDescriptionResponse()
