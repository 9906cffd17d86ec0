"""CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, UpdateKeyDescription."""

from collections import Counter
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.formats.record import KeyRecord
from kmscli.model import ids, limits
from kmscli.model.key import KeyState
from kmscli.model.specs import KEY_SPECS
from kmscli.service import aliases, materials, pages
from kmscli.service.context import Call, Change
from kmscli.service.shapes import AliasName, Description, KeyId, Limit, Marker, Request, Response, Tag
from kmscli.vault import shares
from kmscli.vault.records import KeyGroup


class KeyMetadata(Response, frozen=True, kw_only=True):
    """KeyMetadata of the API."""

    aws_account_id: str = msgspec.field(name="AWSAccountId")
    key_id: str
    arn: str
    creation_date: datetime
    enabled: bool
    description: str
    key_usage: str
    key_state: str
    deletion_date: datetime | None = None
    origin: str
    key_manager: str
    customer_master_key_spec: str
    key_spec: str
    encryption_algorithms: tuple[str, ...]
    multi_region: bool
    current_key_material_id: str


class CreateKeyRequest(Request, frozen=True, kw_only=True):
    """Members of CreateKey; `Alias` is ours: key and alias are made together or not at all."""

    description: Description | None = None
    key_usage: Annotated[Literal["ENCRYPT_DECRYPT"], Meta(description="What the key is for.")] | None = None
    key_spec: Annotated[Literal["SYMMETRIC_DEFAULT"], Meta(description="The kind of key.")] | None = None
    tags: Annotated[list[Tag], Meta(description="TagKey=K,TagValue=V, ...")] | None = None
    alias: Annotated[AliasName, Meta(description="Name the new key alias/NAME.", extra={"own": True})] | None = None


class CreateKeyResponse(Response, frozen=True, kw_only=True):
    """The new key."""

    key_metadata: KeyMetadata


def create_key(change: Change, request: CreateKeyRequest) -> CreateKeyResponse:
    """A new key with its first material, shared with every root.

    Raises:
        KmsError: TagException, LimitExceededException, AlreadyExistsException or InvalidAliasNameException.
    """
    record = new_record(change, spec=request.key_spec or "SYMMETRIC_DEFAULT", description=request.description or "")
    group = put_new(change, msgspec.structs.replace(record, tags=_checked_tags(request.tags or [])))
    if request.alias is not None:
        group = aliases.attach(change, group, request.alias)
    return CreateKeyResponse(key_metadata=metadata(change, group))


def new_record(change: Change, *, spec: str = "SYMMETRIC_DEFAULT", description: str) -> KeyRecord:
    """The record of a new customer key with one version."""
    return KeyRecord(
        key_id=ids.new_uuid(change.rng),
        created=change.now,
        description=description,
        key_spec=spec,
        key_usage=KEY_SPECS[spec].usages[0],
        origin="AWS_KMS",
        manager="CUSTOMER",
        state=KeyState.ENABLED,
        aliases=(),
        tags=(),
        current=1,
        kek=1,
    )


def put_new(change: Change, key: KeyRecord) -> KeyGroup:
    """Write a new key with its shares and its first version."""
    vault_id = change.records.vault.vault_id
    kek = shares.new_kek(change.rng)
    change.draft.put("key", key.key_id, key)
    for share in shares.share(kek, key, change.roots(), vault_id=vault_id):
        change.draft.put("share", f"{key.key_id}/{share.principal}", share)
    materials.put_version(change, key, kek, number=1, rotation=None)
    return change.find(key.key_id)


def _checked_tags(tags: list[Tag]) -> tuple[tuple[str, str], ...]:
    names = Counter(tag.tag_key for tag in tags)
    if twice := next((name for name, times in names.items() if times > 1), None):
        raise errors.TagError(problem=f"Duplicate tag keys: {twice}")
    if reserved := next((name for name in names if name.lower().startswith("aws:")), None):
        raise errors.TagError(problem=f"{reserved}: tag keys that start with aws: are reserved")
    if len(tags) > limits.TAGS_PER_KEY:
        raise errors.TagError(problem="Too many tags", hint=f"a key has at most {limits.TAGS_PER_KEY}")
    return tuple(sorted((tag.tag_key, tag.tag_value) for tag in tags))


def metadata(call: Call, key: KeyGroup) -> KeyMetadata:
    """KeyMetadata of a key."""
    record = key.record
    return KeyMetadata(
        aws_account_id=call.records.place.account,
        key_id=record.key_id,
        arn=call.arn(key),
        creation_date=record.created,
        enabled=record.state == KeyState.ENABLED,
        description=record.description,
        key_usage=record.key_usage,
        key_state=record.state,
        deletion_date=record.deletion_date,
        origin=record.origin,
        key_manager=record.manager,
        customer_master_key_spec=record.key_spec,
        key_spec=record.key_spec,
        encryption_algorithms=KEY_SPECS[record.key_spec].encryption_algorithms,
        multi_region=False,
        current_key_material_id=key.versions[record.current].material_id,
    )


class DescribeKeyRequest(Request, frozen=True, kw_only=True):
    """Members of DescribeKey."""

    key_id: KeyId


class DescribeKeyResponse(Response, frozen=True, kw_only=True):
    """The key."""

    key_metadata: KeyMetadata


def describe_key(call: Call, request: DescribeKeyRequest) -> DescribeKeyResponse:
    """All that is known about a key, in any state."""
    return DescribeKeyResponse(key_metadata=metadata(call, call.find(request.key_id)))


class ListKeysRequest(Request, frozen=True, kw_only=True):
    """Members of ListKeys."""

    limit: Limit | None = None
    marker: Marker | None = None


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

    Raises:
        InvalidMarkerError: The marker is not one of ours.
    """
    start = pages.after("ListKeys", request.marker)
    names = (name for _, name in call.records.group_names("key/", start))
    page = pages.page("ListKeys", names, request.limit or limits.KEYS_PAGE)
    ids_found = [name.removeprefix("key/") for name in page.names]
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
