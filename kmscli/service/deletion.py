"""ScheduleKeyDeletion, CancelKeyDeletion."""

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta

from kmscli.model import limits
from kmscli.service.context import Change
from kmscli.service.shapes import KeyId, Request, Response
from kmscli.vault.records import KeyGroup

_PLACES_TOLD = 8
"""Folders of which a warning is given; more would hide the first ones."""


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
    _warn_of_files(change, key)
    return ScheduleKeyDeletionResponse(
        key_id=key.arn, deletion_date=date, key_state=state, pending_window_in_days=window
    )


def _warn_of_files(change: Change, key: KeyGroup) -> None:
    """Tell of the files that the last inventory knew to need a key; the answer is AWS's and does not change."""
    from kmscli.vault import inventory  # help, which loads this module too, reads no inventory

    found = inventory.of_key(change.records.vault.vault_id, key.record.key_id)
    for place, holding in found[:_PLACES_TOLD]:
        files = "1 file that needs" if holding.files == 1 else f"{holding.files} files that need"
        change.context.warn_once(
            f"the inventory of {place.time:%Y-%m-%d %H:%M} UTC knew {files} this key, such as {holding.example}"
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
