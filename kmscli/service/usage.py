"""GetKeyLastUsage: from the audit log, which has every use of a key."""

from contextlib import suppress
from datetime import datetime

from kmscli import errors
from kmscli.service.context import Call, Context, WorkIsDue
from kmscli.service.shapes import KeyId, Request, Response
from kmscli.vault.usage import last_use


class GetKeyLastUsageRequest(Request, frozen=True, kw_only=True):
    """Members of GetKeyLastUsage."""

    key_id: KeyId


class KeyLastUsage(Response, frozen=True, kw_only=True):
    """The last use; without members if there was none."""

    operation: str | None = None
    timestamp: datetime | None = None
    cloud_trail_event_id: str | None = None
    kms_request_id: str | None = None


class GetKeyLastUsageResponse(Response, frozen=True, kw_only=True):
    """When a key was last used, and since when that is recorded."""

    key_id: str
    key_last_usage: KeyLastUsage
    tracking_start_date: datetime
    key_creation_date: datetime


def prepare_get_key_last_usage(context: Context, request: GetKeyLastUsageRequest) -> None:
    """Have the summaries of the log made that the answer needs, while no writer waits for a reader."""
    # What stands in the way is met again, and told, when the operation itself looks for the key.
    with suppress(errors.KmsError, WorkIsDue):
        with context.session.read() as records:
            key = Call(context, "GetKeyLastUsage", records, context.session.vault.clock()).find(request.key_id)
        last_use(context.session, key.record.key_id, not_before=key.record.created)


def get_key_last_usage(call: Call, request: GetKeyLastUsageRequest) -> GetKeyLastUsageResponse:
    """The last successful cryptographic operation with a key; the log has it since the key was made.

    Raises:
        KmsError: NotFoundException; AuditTampered or AuditUnavailable if the log cannot tell.
    """
    key = call.find(request.key_id)
    created = key.record.created
    use = last_use(call.context.session, key.record.key_id, not_before=created)
    usage = KeyLastUsage()
    if use is not None:
        usage = KeyLastUsage(
            operation=use.operation,
            timestamp=use.time,
            cloud_trail_event_id=use.event_id,
            kms_request_id=use.request_id,
        )
    return GetKeyLastUsageResponse(
        key_id=key.arn,
        key_last_usage=usage,
        tracking_start_date=created,
        key_creation_date=created,
    )
