"""RotateKeyOnDemand, EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, ListKeyRotations."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.formats.record import VersionRecord
from kmscli.model import limits
from kmscli.model.specs import KEY_SPECS
from kmscli.service import lifecycle, materials, pages
from kmscli.service.context import Call, Change
from kmscli.service.metadata import DOES_NOT_EXPIRE, EXPIRES
from kmscli.service.shapes import KeyId, Limit, Marker, Request, Response
from kmscli.vault.records import KeyGroup

CONFLICT_MINUTES = 20
"""How near an automatic rotation forbids one on demand (AWS KMS API reference, ConflictException)."""

RotationPeriod = Annotated[
    int,
    Meta(
        ge=limits.ROTATION_DAYS_MIN,
        le=limits.ROTATION_DAYS_MAX,
        description="Days between rotations, 90 to 2560; 365 when absent.",
    ),
]


class RotateKeyOnDemandRequest(Request, frozen=True, kw_only=True):
    """Members of RotateKeyOnDemand."""

    key_id: KeyId


class RotateKeyOnDemandResponse(Response, frozen=True, kw_only=True):
    """The key."""

    key_id: str


def rotate_key_on_demand(change: Change, request: RotateKeyOnDemandRequest) -> RotateKeyOnDemandResponse:
    """Give a key new material; all it encrypted before stays readable, under the material that encrypted it.

    Material that kms makes is made now; imported material must wait for its rotation already.

    Raises:
        KmsError: UnsupportedOperationException for a spec that cannot, LimitExceededException, ConflictException, or
            the key's state.
    """
    key = change.editable(request.key_id)
    _check_rotates(key)
    change.check_state(key)
    _check_quota(change, key)
    _check_conflict(change, key)
    number = key.record.current + 1
    if key.record.origin == "EXTERNAL":
        _take_up(change, key, number)
    else:
        material = materials.generate(change, key.record.key_spec)
        materials.put_version(change, key.record, change.kek(key), material, number=number, rotation="ON_DEMAND")
    change.update(key, current=number)
    return RotateKeyOnDemandResponse(key_id=key.arn)


def _take_up(change: Change, key: KeyGroup, number: int) -> None:
    waiting = key.versions.get(number)
    if waiting is None:
        raise errors.KeyStateError(
            arn=key.arn,
            state="without key material that is pending rotation",
            hint="import new material first: `kms import-key-material --import-type NEW_KEY_MATERIAL`",
        )
    materials.write(change, msgspec.structs.replace(waiting, rotation="ON_DEMAND", rotated=change.now))


def _check_rotates(key: KeyGroup) -> None:
    if not KEY_SPECS[key.record.key_spec].rotates:
        raise errors.UnsupportedOperationError(
            problem=f"{key.arn} key spec is {key.record.key_spec} which is not valid for this operation.",
            hint="only symmetric encryption keys rotate: make a new key, and point the alias at it",
        )


def _check_quota(change: Change, key: KeyGroup) -> None:
    most = change.context.limits.on_demand_rotations
    done = sum(version.rotation == "ON_DEMAND" for version in key.versions.values())
    if most is not None and done >= most:
        raise errors.LimitExceededError(problem=f"{key.arn} was rotated on demand {done} times, the most allowed")


def _check_conflict(change: Change, key: KeyGroup) -> None:
    following = key.record.next_rotation
    if following is not None and following - change.now <= timedelta(minutes=CONFLICT_MINUTES):
        raise errors.ConflictError(arn=key.arn, minutes=CONFLICT_MINUTES)


class EnableKeyRotationRequest(Request, frozen=True, kw_only=True):
    """Members of EnableKeyRotation."""

    key_id: KeyId
    rotation_period_in_days: RotationPeriod | None = None


class EnableKeyRotationResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def enable_key_rotation(change: Change, request: EnableKeyRotationRequest) -> EnableKeyRotationResponse:
    """Have a key rotated by itself, or change how often.

    Raises:
        KmsError: UnsupportedOperationException, or the key's state.
    """
    key = _automatic(change, request.key_id)
    change.check_state(key)
    days = request.rotation_period_in_days or limits.ROTATION_DAYS_DEFAULT
    if days != key.record.rotation_period:
        change.update(key, rotation_period=days, next_rotation=change.now + timedelta(days=days))
    return EnableKeyRotationResponse()


class DisableKeyRotationRequest(Request, frozen=True, kw_only=True):
    """Members of DisableKeyRotation."""

    key_id: KeyId


class DisableKeyRotationResponse(Response, frozen=True, kw_only=True):
    """Nothing."""


def disable_key_rotation(change: Change, request: DisableKeyRotationRequest) -> DisableKeyRotationResponse:
    """Have a key rotated no more by itself; of one that is not, nothing changes.

    Raises:
        KmsError: As `enable_key_rotation`.
    """
    key = _automatic(change, request.key_id)
    change.check_state(key)
    change.update(key, rotation_period=None, next_rotation=None)
    return DisableKeyRotationResponse()


def _automatic(change: Change, named: str) -> KeyGroup:
    key = change.editable(named)
    _check_rotates(key)
    change.require_origin(key, "AWS_KMS")
    return key


class GetKeyRotationStatusRequest(Request, frozen=True, kw_only=True):
    """Members of GetKeyRotationStatus."""

    key_id: KeyId


class GetKeyRotationStatusResponse(Response, frozen=True, kw_only=True):
    """Whether and when a key is rotated by itself."""

    key_rotation_enabled: bool
    key_id: str
    rotation_period_in_days: int | None = None
    next_rotation_date: datetime | None = None


def get_key_rotation_status(call: Call, request: GetKeyRotationStatusRequest) -> GetKeyRotationStatusResponse:
    """Whether and when a key is rotated by itself. It never is while it is pending deletion.

    Raises:
        KmsError: NotFoundException, UnsupportedOperationException.
    """
    key = call.find(request.key_id)
    _check_rotates(key)
    call.check_state(key)
    record = key.record
    enabled = record.rotation_period is not None and record.state != "PendingDeletion"
    return GetKeyRotationStatusResponse(
        key_rotation_enabled=enabled,
        key_id=key.arn,
        rotation_period_in_days=record.rotation_period if enabled else None,
        next_rotation_date=record.next_rotation if enabled else None,
    )


class ListKeyRotationsRequest(Request, frozen=True, kw_only=True):
    """Members of ListKeyRotations."""

    key_id: KeyId
    include_key_material: (
        Annotated[
            Literal["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"],
            Meta(description="ALL_KEY_MATERIAL adds the first material, and what is pending rotation."),
        ]
        | None
    ) = None
    limit: Limit | None = None
    marker: Marker | None = None


class RotationsListEntry(Response, frozen=True, kw_only=True):
    """One material of a key, and the rotation that brought it."""

    key_id: str
    key_material_id: str
    key_material_description: str | None = None
    import_state: str | None = None
    key_material_state: str
    expiration_model: str | None = None
    valid_to: datetime | None = None
    rotation_date: datetime | None = None
    rotation_type: str | None = None


class ListKeyRotationsResponse(Response, frozen=True, kw_only=True):
    """One page of rotations, oldest first."""

    rotations: list[RotationsListEntry]
    next_marker: str | None = None
    truncated: bool


def list_key_rotations(call: Call, request: ListKeyRotationsRequest) -> ListKeyRotationsResponse:
    """A page of the rotations that a key went through; its first material comes by none.

    Raises:
        KmsError: NotFoundException, UnsupportedOperationException, InvalidMarkerException.
    """
    key = call.find(request.key_id)
    _check_rotates(key)
    start = pages.name_after("ListKeyRotations", request.marker)
    all_material = request.include_key_material == "ALL_KEY_MATERIAL"
    left = (version for version in _ordered(key) if _name(version) > start and (all_material or version.rotation))
    page = pages.page("ListKeyRotations", left, request.limit or limits.KEYS_PAGE, _name)
    entries = [_entry(call, key, version) for version in page.items]
    return ListKeyRotationsResponse(
        rotations=entries, next_marker=page.next_marker, truncated=page.next_marker is not None
    )


def _ordered(key: KeyGroup) -> Iterator[VersionRecord]:
    return (version for _, version in sorted(key.versions.items()))


def _name(version: VersionRecord) -> str:
    return f"{version.number:08d}"


def _entry(call: Call, key: KeyGroup, version: VersionRecord) -> RotationsListEntry:
    imported = key.record.origin == "EXTERNAL"
    there = lifecycle.has_material(version, call.now)
    return RotationsListEntry(
        key_id=key.arn,
        key_material_id=version.material_id,
        key_material_description=version.description or None,
        import_state=("IMPORTED" if there else "PENDING_IMPORT") if imported else None,
        key_material_state=_state(key, version),
        expiration_model=(EXPIRES if version.valid_to else DOES_NOT_EXPIRE) if imported and there else None,
        valid_to=version.valid_to if there else None,
        rotation_date=version.rotated,
        rotation_type=version.rotation,
    )


def _state(key: KeyGroup, version: VersionRecord) -> str:
    if version.number > key.record.current:
        return "PENDING_ROTATION"
    return "CURRENT" if version.number == key.record.current else "NON_CURRENT"
