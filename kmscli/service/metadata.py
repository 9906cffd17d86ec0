"""KeyMetadata: all that is told about a key."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from kmscli.formats.record import VersionRecord
from kmscli.model import ids, specs
from kmscli.model.key import KeyState
from kmscli.model.specs import KEY_SPECS
from kmscli.service import lifecycle
from kmscli.service.context import Call
from kmscli.service.shapes import Response
from kmscli.vault.records import KeyGroup

EXPIRES = "KEY_MATERIAL_EXPIRES"
DOES_NOT_EXPIRE = "KEY_MATERIAL_DOES_NOT_EXPIRE"


class MultiRegionKey(Response, frozen=True, kw_only=True):
    """One key of a multi-Region key."""

    arn: str
    region: str


class MultiRegionConfiguration(Response, frozen=True, kw_only=True):
    """Primary and replicas of a multi-Region key."""

    multi_region_key_type: str
    primary_key: MultiRegionKey
    replica_keys: list[MultiRegionKey]


ALGORITHM_MEMBERS = {
    specs.ENCRYPT_DECRYPT: "encryption_algorithms",
    specs.SIGN_VERIFY: "signing_algorithms",
    specs.KEY_AGREEMENT: "key_agreement_algorithms",
    specs.ENCAPSULATE_DECAPSULATE: "encapsulation_algorithms",
    specs.GENERATE_VERIFY_MAC: "mac_algorithms",
}
"""KeyUsage -> the member that lists its algorithms."""


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
    valid_to: datetime | None = None
    origin: str
    expiration_model: str | None = None
    key_manager: str
    customer_master_key_spec: str
    key_spec: str
    encryption_algorithms: tuple[str, ...] | None = None
    signing_algorithms: tuple[str, ...] | None = None
    key_agreement_algorithms: tuple[str, ...] | None = None
    encapsulation_algorithms: tuple[str, ...] | None = None
    multi_region: bool
    multi_region_configuration: MultiRegionConfiguration | None = None
    mac_algorithms: tuple[str, ...] | None = None
    current_key_material_id: str | None = None


def algorithms(key: KeyGroup) -> dict[str, tuple[str, ...]]:
    """The one member that lists the algorithms of a key, as keyword arguments of an answer."""
    usage = key.record.key_usage
    return {ALGORITHM_MEMBERS[usage]: KEY_SPECS[key.record.key_spec].usages[usage]}


def metadata(call: Call, key: KeyGroup) -> KeyMetadata:
    """KeyMetadata of a key at the time of the operation."""
    record = key.record
    state = lifecycle.state_of(key, call.now)
    imported = record.origin == "EXTERNAL"
    there = [
        version
        for version in key.versions.values()
        if version.number <= record.current and lifecycle.has_material(version, call.now)
    ]
    current = key.current if KEY_SPECS[record.key_spec].rotates else None
    return KeyMetadata(
        aws_account_id=call.records.place.account,
        key_id=record.key_id,
        arn=key.arn,
        creation_date=record.created,
        enabled=state is KeyState.ENABLED,
        description=record.description,
        key_usage=record.key_usage,
        key_state=state,
        deletion_date=record.deletion_date,
        valid_to=_earliest(there),
        origin=record.origin,
        expiration_model=_expiration(there) if imported else None,
        key_manager=record.manager,
        customer_master_key_spec=record.key_spec,
        key_spec=record.key_spec,
        multi_region=ids.is_multi_region(record.key_id),
        multi_region_configuration=_regions(call, key),
        current_key_material_id=current.material_id if current else None,
        **algorithms(key),
    )


def _earliest(versions: Iterable[VersionRecord]) -> datetime | None:
    return min((version.valid_to for version in versions if version.valid_to is not None), default=None)


def _expiration(versions: list[VersionRecord]) -> str | None:
    if not versions:
        return None
    return DOES_NOT_EXPIRE if _earliest(versions) is None else EXPIRES


def _regions(call: Call, key: KeyGroup) -> MultiRegionConfiguration | None:
    if not ids.is_multi_region(key.record.key_id):
        return None
    primary = MultiRegionKey(arn=key.arn, region=call.records.place.region)
    return MultiRegionConfiguration(multi_region_key_type="PRIMARY", primary_key=primary, replica_keys=[])
