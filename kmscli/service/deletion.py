"""ScheduleKeyDeletion, CancelKeyDeletion."""

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta

from kmscli.model import limits
from kmscli.service.context import Change
from kmscli.service.shapes import KeyId, Request, Response


class ScheduleKeyDeletionRequest(Request, frozen=True, kw_only=True):
    """Members of ScheduleKeyDeletion."""

    key_id: KeyId
    pending_window_in_days: (
        Annotated[
            int,
            Meta(
                ge=limits.DELETION_WINDOW_MIN,
                le=limits.DELETION_WINDOW_MAX,
                description="Days of waiting, 7 to 30; 30 when absent.",
            ),
        ]
        | None
    ) = None


class ScheduleKeyDeletionResponse(Response, frozen=True, kw_only=True):
    """When the key ends."""

    key_id: str
    deletion_date: datetime
    key_state: str
    pending_window_in_days: int


def schedule_key_deletion(change: Change, request: ScheduleKeyDeletionRequest) -> ScheduleKeyDeletionResponse:
    """Put a key to its end: unusable at once, and kept until its deletion date in case that was a mistake.

    Raises:
        KmsError: KMSInvalidStateException if it is pending deletion already.
    """
    key = change.editable(request.key_id)
    window = request.pending_window_in_days or limits.DELETION_WINDOW_DEFAULT
    state = change.check_state(key)
    date = change.now + timedelta(days=window)
    change.update(key, state=state, deletion_date=date, deletion_window=window)
    return ScheduleKeyDeletionResponse(
        key_id=key.arn, deletion_date=date, key_state=state, pending_window_in_days=window
    )


class CancelKeyDeletionRequest(Request, frozen=True, kw_only=True):
    """Members of CancelKeyDeletion."""

    key_id: KeyId


class CancelKeyDeletionResponse(Response, frozen=True, kw_only=True):
    """The key."""

    key_id: str


def cancel_key_deletion(change: Change, request: CancelKeyDeletionRequest) -> CancelKeyDeletionResponse:
    """Keep a key that is pending deletion; it is disabled until somebody enables it.

    Raises:
        KmsError: KMSInvalidStateException if it is not pending deletion.
    """
    key = change.editable(request.key_id)
    change.update(key, state=change.check_state(key), deletion_date=None, deletion_window=None)
    return CancelKeyDeletionResponse(key_id=key.arn)
