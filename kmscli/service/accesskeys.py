"""Access keys of principals: made, listed, made inactive and deleted; all but the list by a root alone.

Answers and errors are IAM's, since IAM has them in AWS. The secret leaves once, in the answer to the root who made the
access key, and stands in no line of the log.
"""

from datetime import datetime

import msgspec

from kmscli import errors
from kmscli.audit.usage import Use
from kmscli.formats.record import AccessKeyRecord, AccessKeyStatus
from kmscli.model import ids, limits
from kmscli.service import accessshares
from kmscli.service.context import Call, Change, Context
from kmscli.service.principals import changed, find, looked_up
from kmscli.service.shapes import Response
from kmscli.vault import accesskeys
from kmscli.vault.records import Member, Records
from kmscli.vault.usage import last_uses

_NEVER = "N/A"
"""What IAM says in the place of service and Region of an access key that was not used yet."""


class AccessKey(Response, frozen=True, kw_only=True):
    """An access key; its secret only in the answer that made it."""

    user_name: str
    access_key_id: str
    status: AccessKeyStatus
    secret_access_key: str | None = None
    create_date: datetime


class AccessKeyResponse(Response, frozen=True, kw_only=True):
    """The access key that was made."""

    access_key: AccessKey


class LastUsed(Response, frozen=True, kw_only=True):
    """When it signed a request last; without date if it never did."""

    last_used_date: datetime | None = None
    service_name: str
    region: str


class Listed(Response, frozen=True, kw_only=True):
    """An access key in a list."""

    user_name: str
    access_key_id: str
    status: AccessKeyStatus
    create_date: datetime
    last_used: LastUsed


class AccessKeyList(Response, frozen=True, kw_only=True):
    """Access keys, by principal and in the order of their ids."""

    access_key_metadata: list[Listed]


class AccessKeyChanged(Response, frozen=True, kw_only=True):
    """The answer to a change, as IAM has it: nothing."""


# -- making ------------------------------------------------------------------------------------------------------------


def create_access_key(context: Context, name: str) -> AccessKeyResponse:
    """Make an access key of a principal.

    Args:
        context: Who acts: a root.
        name: The principal.

    Returns:
        The access key with its secret, which nothing shows again.

    Raises:
        KmsError: NoSuchEntity, LimitExceeded, AccessDeniedException.
    """
    access_key_id, secret = accesskeys.new_id(context.rng), accesskeys.new_secret(context.rng)

    def act(change: Change) -> AccessKeyResponse:
        member = find(change.records, name)
        known = member.record.access_keys
        if len(known) >= limits.ACCESS_KEYS_MAX:
            raise errors.EntityLimitError(
                problem=f"Cannot exceed quota for AccessKeysPerUser: {limits.ACCESS_KEYS_MAX}",
                hint="delete one that is not used any more; `kms access-key list` shows when each was used last",
            )
        record = AccessKeyRecord(
            access_key_id=access_key_id, principal=name, status="Active", created=change.now, kek=0, sealed=b""
        )
        accessshares.put(change, record, secret)
        _put_ids(change, member, *known, access_key_id)
        return AccessKeyResponse(access_key=_shown(record))

    # The line is made from this answer, which has no secret.
    made = changed(context, "CreateAccessKey", {"userName": name}, act).access_key
    return AccessKeyResponse(access_key=msgspec.structs.replace(made, secret_access_key=secret.value))


def _shown(record: AccessKeyRecord) -> AccessKey:
    return AccessKey(
        user_name=record.principal,
        access_key_id=record.access_key_id,
        status=record.status,
        create_date=record.created,
    )


def _put_ids(change: Change, member: Member, *access_key_ids: str) -> None:
    record = msgspec.structs.replace(member.record, access_keys=tuple(sorted(access_key_ids)))
    change.draft.put("principal", record.name, record)


# -- showing -----------------------------------------------------------------------------------------------------------


def list_access_keys(context: Context, name: str | None) -> AccessKeyList:
    """The access keys of a principal, or of all.

    Args:
        context: Who acts: anybody.
        name: The principal; None = all.

    Raises:
        KmsError: NoSuchEntity; AuditTampered or AuditUnavailable if the log cannot tell of uses.
    """
    # Before the operation, which holds a state open while it runs: writers do not wait for the log to be read.
    with context.session.read() as records:
        known = {each.access_key_id: each.created for each in _of(records, name)}
    uses = last_uses(context.session, known)

    def act(call: Call) -> AccessKeyList:
        if name is not None:
            find(call.records, name)
        return AccessKeyList(
            access_key_metadata=[
                Listed(
                    user_name=each.principal,
                    access_key_id=each.access_key_id,
                    status=each.status,
                    create_date=each.created,
                    last_used=_last_used(uses.get(each.access_key_id)),
                )
                for each in _of(call.records, name)
            ]
        )

    return looked_up(context, "ListAccessKeys", {} if name is None else {"userName": name}, act)


def _last_used(use: Use | None) -> LastUsed:
    if use is None:
        return LastUsed(service_name=_NEVER, region=_NEVER)
    return LastUsed(last_used_date=use.time, service_name="kms", region=use.region)


def _of(records: Records, name: str | None) -> list[AccessKeyRecord]:
    members = (records.member(each) for each in (records.roster if name is None else (name,)))
    found = [records.access_key(each) for member in members if member for each in member.record.access_keys]
    return [record for record in found if record is not None]


# -- changing ----------------------------------------------------------------------------------------------------------


def set_status(context: Context, access_key_id: str, status: AccessKeyStatus) -> AccessKeyChanged:
    """Make an access key inactive, so that nothing that it signs is taken; or active again.

    Raises:
        KmsError: NoSuchEntity, AccessDeniedException.
    """

    def act(change: Change) -> AccessKeyChanged:
        record = _named(change.records, access_key_id)
        change.draft.put("access-key", access_key_id, msgspec.structs.replace(record, status=status))
        return AccessKeyChanged()

    parameters = _parameters(context, access_key_id)
    return changed(context, "UpdateAccessKey", parameters | {"status": status}, act)


def delete_access_key(context: Context, access_key_id: str) -> AccessKeyChanged:
    """Delete an access key: nothing that it signs is taken any more.

    Raises:
        KmsError: NoSuchEntity, AccessDeniedException.
    """

    def act(change: Change) -> AccessKeyChanged:
        record = _named(change.records, access_key_id)
        member = find(change.records, record.principal)
        accessshares.forget(change, [access_key_id])
        _put_ids(change, member, *(each for each in member.record.access_keys if each != access_key_id))
        return AccessKeyChanged()

    return changed(context, "DeleteAccessKey", _parameters(context, access_key_id), act)


def _named(records: Records, access_key_id: str) -> AccessKeyRecord:
    found = records.access_key(access_key_id) if ids.is_access_key_id(access_key_id) else None
    if found is None:
        raise errors.EntityNotFoundError(
            what=f"The Access Key with id {access_key_id}", hint="`kms access-key list` shows those that there are"
        )
    return found


def _parameters(context: Context, access_key_id: str) -> dict[str, str]:
    named = {"accessKeyId": access_key_id}
    with context.session.read() as records:
        try:
            return {"userName": _named(records, access_key_id).principal} | named
        except errors.EntityNotFoundError:
            return named
