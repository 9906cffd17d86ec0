"""CreateAlias, UpdateAlias, DeleteAlias, ListAliases.

An alias is a record of its own, and its name also stands in the record of its key, so that the key's group proves which
names it has. Every function here keeps the two in step.
"""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.formats.record import AliasRecord
from kmscli.formats.tree import bucket_of
from kmscli.model import ids, limits
from kmscli.model.specs import KEY_SPECS
from kmscli.service import pages
from kmscli.service.context import Call, Change, WorkIsDue
from kmscli.service.shapes import AliasName, KeyId, Marker, Request, Response, SmallLimit
from kmscli.vault.records import KeyGroup


class CreateAliasRequest(Request, frozen=True, kw_only=True):
    """Members of CreateAlias."""

    alias_name: AliasName
    target_key_id: KeyId


class CreateAliasResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def create_alias(change: Change, request: CreateAliasRequest) -> CreateAliasResponse:
    """Give a key a name.

    Raises:
        KmsError: ValidationException, NotAuthorizedException, InvalidAliasNameException, AlreadyExistsException,
            LimitExceededException, KMSInvalidStateException.
    """
    key = _target(change, request.target_key_id)
    _decide(change, request.alias_name)
    change.check_state(key)
    attach(change, key, request.alias_name)
    return CreateAliasResponse()


def attach(change: Change, key: KeyGroup, name: str, *, managed: bool = False) -> KeyGroup:
    """Write a new alias of `key`; returns the key with it.

    Args:
        change: The change.
        key: The key.
        name: With its prefix.
        managed: Whether a service of kms asks, which may take a name below alias/aws/.

    Raises:
        KmsError: As for `create_alias`.
    """
    if not managed:
        ids.check_new_alias(name)
    if (old := change.records.alias(name)) is not None:
        if not change.is_there(old.key_id):
            raise WorkIsDue(old.key_id)
        raise errors.AlreadyExistsError(arn=ids.alias_arn(change.records.place, name))
    _check_room(change, key)
    record = AliasRecord(name=name, key_id=key.record.key_id, created=change.now, updated=change.now)
    change.draft.put("alias", name, record)
    return change.update(key, aliases=tuple(sorted((*key.record.aliases, name))))


def _check_room(change: Change, key: KeyGroup) -> None:
    most = change.context.limits.aliases
    if len(key.record.aliases) >= most:
        raise errors.LimitExceededError(problem=f"a key has at most {most} aliases")


def _detach(change: Change, alias: AliasRecord) -> None:
    key = change.records.key(alias.key_id)
    if key is None:
        raise errors.VaultTamperedError(what=f"{alias.name} names a key that is missing")
    change.update(key, aliases=tuple(name for name in key.record.aliases if name != alias.name))


def _target(change: Change, named: str) -> KeyGroup:
    if ids.parse_key_ref(named, change.records.place).alias is not None:
        raise errors.ValidationError(
            problem="Aliases must refer to keys. Not aliases", hint="name the target by key id or key ARN"
        )
    return change.editable(named)


def _existing(change: Change, name: str) -> AliasRecord:
    ids.check_alias(name)
    found = change.records.alias(name)
    if found is None:
        raise errors.AliasNotFoundError(arn=ids.alias_arn(change.records.place, name))
    change.editable(found.key_id)
    _decide(change, name)
    return found


def _decide(change: Change, name: str) -> None:
    # A change of an alias needs leave for the key, and beside it leave for the alias, which identity policies give.
    change.decide_without_key(resource=ids.alias_arn(change.records.place, name))


class UpdateAliasRequest(Request, frozen=True, kw_only=True):
    """Members of UpdateAlias."""

    alias_name: AliasName
    target_key_id: KeyId


class UpdateAliasResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def update_alias(change: Change, request: UpdateAliasRequest) -> UpdateAliasResponse:
    """Point an alias at another key of the same type and usage (AWS KMS API reference, UpdateAlias).

    Raises:
        KmsError: NotFoundException, ValidationException, NotAuthorizedException, LimitExceededException,
            KMSInvalidStateException.
    """
    alias = _existing(change, request.alias_name)
    target = _target(change, request.target_key_id)
    change.check_state(target)
    if target.record.key_id != alias.key_id:
        _check_kind(change, alias, target)
        _check_room(change, target)
        _detach(change, alias)
        change.update(target, aliases=tuple(sorted((*target.record.aliases, alias.name))))
    updated = msgspec.structs.replace(alias, key_id=target.record.key_id, updated=change.now)
    change.draft.put("alias", alias.name, updated)
    return UpdateAliasResponse()


def _check_kind(change: Change, alias: AliasRecord, target: KeyGroup) -> None:
    """Refuse what would break code that uses the alias: a key that does not work in the place of the old one."""
    key = change.records.key(alias.key_id)
    if key is None:
        raise errors.VaultTamperedError(what=f"{alias.name} names a key that is missing")
    for what, old, new in (
        ("usage", key.record.key_usage, target.record.key_usage),
        ("type", _type(key), _type(target)),
    ):
        if old != new:
            raise errors.ValidationError(
                problem=f"Alias {alias.name} cannot be changed from a CMK with key {what} {old} to a CMK with key "
                f"{what} {new}. The key {what} of the current CMK and the new CMK must be the same.",
                hint="`kms delete-alias` and `kms create-alias` give its name to a key of another kind",
            )


def _type(key: KeyGroup) -> str:
    # HMAC keys are a type of their own in AWS; here their usage, which no other key has, tells them from the rest.
    return "ASYMMETRIC" if KEY_SPECS[key.record.key_spec].asymmetric else "SYMMETRIC"


class DeleteAliasRequest(Request, frozen=True, kw_only=True):
    """Members of DeleteAlias."""

    alias_name: AliasName


class DeleteAliasResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def delete_alias(change: Change, request: DeleteAliasRequest) -> DeleteAliasResponse:
    """Remove an alias; its key stays as it is.

    Raises:
        KmsError: NotFoundException, ValidationException, NotAuthorizedException.
    """
    alias = _existing(change, request.alias_name)
    _detach(change, alias)
    change.draft.delete("alias", alias.name)
    return DeleteAliasResponse()


class ListAliasesRequest(Request, frozen=True, kw_only=True):
    """Members of ListAliases."""

    key_id: Annotated[KeyId, Meta(description="Only the aliases of this key.")] | None = None
    limit: SmallLimit | None = None
    marker: Marker | None = None


class AliasListEntry(Response, frozen=True, kw_only=True):
    """One alias of the list."""

    alias_name: str
    alias_arn: str
    target_key_id: str
    creation_date: datetime
    last_updated_date: datetime


class ListAliasesResponse(Response, frozen=True, kw_only=True):
    """One page of aliases."""

    aliases: list[AliasListEntry]
    next_marker: str | None = None
    truncated: bool


def list_aliases(call: Call, request: ListAliasesRequest) -> ListAliasesResponse:
    """A page of all aliases, or of those of one key, in the order of the tree.

    Raises:
        InvalidMarkerError: The marker is not one of ours.
    """
    start = pages.place_after("ListAliases", request.marker)
    if request.key_id is None:
        places = call.records.group_names(ids.ALIAS_PREFIX, start)
    else:
        names = call.resolve(request.key_id).record.aliases
        places = iter(sorted(place for name in names if (place := (bucket_of(name), name)) > start))
    page = pages.page("ListAliases", (name for _, name in places), request.limit or limits.ALIASES_PAGE)
    entries = [_entry(call, name) for name in page.items]
    return ListAliasesResponse(aliases=entries, next_marker=page.next_marker, truncated=page.next_marker is not None)


def _entry(call: Call, name: str) -> AliasListEntry:
    alias = call.records.alias(name)
    if alias is None:
        raise errors.VaultTamperedError(what=f"{name} is listed and missing")
    return AliasListEntry(
        alias_name=name,
        alias_arn=ids.alias_arn(call.records.place, name),
        target_key_id=alias.key_id,
        creation_date=alias.created,
        last_updated_date=alias.updated,
    )
