"""RotateKeyOnDemand, ListKeyRotations."""

import base64
import binascii
from datetime import datetime

from kmscli import errors
from kmscli.model import limits
from kmscli.model.specs import KEY_SPECS
from kmscli.service import materials
from kmscli.service.context import Call, Change
from kmscli.service.shapes import KeyId, Limit, Marker, Request, Response


class RotateKeyOnDemandRequest(Request, frozen=True, kw_only=True):
    """Members of RotateKeyOnDemand."""

    key_id: KeyId


class RotateKeyOnDemandResponse(Response, frozen=True, kw_only=True):
    """The key."""

    key_id: str


def rotate_key_on_demand(change: Change, request: RotateKeyOnDemandRequest) -> RotateKeyOnDemandResponse:
    """Give a key new material; all it encrypted before stays readable, under the material that encrypted it.

    Raises:
        KmsError: UnsupportedOperationException for a spec that cannot, or the key's state.
    """
    key = change.editable(request.key_id)
    if not KEY_SPECS[key.record.key_spec].rotates:
        raise errors.UnsupportedOperationError(problem=f"keys of spec {key.record.key_spec} cannot be rotated")
    change.check_state(key)
    number = key.record.current + 1
    materials.put_version(change, key.record, change.kek(key), number=number, rotation="ON_DEMAND")
    change.update(key, current=number)
    return RotateKeyOnDemandResponse(key_id=change.arn(key))


class ListKeyRotationsRequest(Request, frozen=True, kw_only=True):
    """Members of ListKeyRotations."""

    key_id: KeyId
    limit: Limit | None = None
    marker: Marker | None = None


class RotationsListEntry(Response, frozen=True, kw_only=True):
    """One rotation."""

    key_id: str
    key_material_id: str
    key_material_state: str
    rotation_date: datetime
    rotation_type: str


class ListKeyRotationsResponse(Response, frozen=True, kw_only=True):
    """One page of rotations, oldest first."""

    rotations: list[RotationsListEntry]
    next_marker: str | None = None
    truncated: bool


def list_key_rotations(call: Call, request: ListKeyRotationsRequest) -> ListKeyRotationsResponse:
    """A page of the rotations that a key went through; its first material is none.

    Raises:
        InvalidMarkerError: The marker is not one of ours.
    """
    key = call.find(request.key_id)
    start = _after(request.marker)
    limit = request.limit or limits.KEYS_PAGE
    rotated = [version for _, version in sorted(key.versions.items()) if version.rotation and version.number > start]
    page = rotated[:limit]
    entries = [
        RotationsListEntry(
            key_id=call.arn(key),
            key_material_id=version.material_id,
            key_material_state="CURRENT" if version.number == key.record.current else "NON_CURRENT",
            rotation_date=version.created,
            rotation_type=version.rotation or "",
        )
        for version in page
    ]
    more = len(rotated) > limit
    marker = base64.urlsafe_b64encode(f"{_MARKER}{page[-1].number}".encode()).decode() if more else None
    return ListKeyRotationsResponse(rotations=entries, next_marker=marker, truncated=more)


_MARKER = "ListKeyRotations:"


def _after(marker: str | None) -> int:
    if marker is None:
        return 0
    try:
        text = base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise errors.InvalidMarkerError from error
    number = text.removeprefix(_MARKER)
    if number == text or not number.isdecimal() or not number.isascii():
        raise errors.InvalidMarkerError
    return int(number)
