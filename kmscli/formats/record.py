"""The bodies of the records in a vault, as strict JSON.

Implements docs/spec/vault.md, "Records". A body is accepted only if encoding what was decoded gives the same bytes:
one rule that refuses duplicate keys, unknown fields, spaces, other spellings of a number or a string, NaN and lone
surrogates alike. A member that has its default is left out, so a later member does not change the bodies that lack it.
This module knows neither paths nor keys.
"""

from datetime import UTC, datetime
from typing import Literal, TypeVar

import msgspec

from kmscli import errors
from kmscli.formats.wire import digest
from kmscli.model.key import StoredState

_ENCODER = msgspec.json.Encoder(order="deterministic")


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every record's body. Defaults are None and the empty values, of which Python has one each."""


R = TypeVar("R", bound=msgspec.Struct)


class VaultRecord(Record, frozen=True, kw_only=True):
    """What a vault is: written once, by init.

    Attributes:
        vault_id: 32 hex digits.
        kdf_memory_mib: Argon2id memory below which no new slot goes, in MiB.
    """

    vault_id: str
    account: str
    region: str
    created: datetime
    kdf_memory_mib: int


class RootKey(Record, frozen=True, kw_only=True):
    """The public keys of one root principal.

    Attributes:
        sign: Ed25519 public key, 32 bytes.
        seal: ML-KEM-768 encapsulation key and X25519 public key, 1216 bytes.
    """

    principal: str
    sign: bytes
    seal: bytes


class RootSet(Record, frozen=True, kw_only=True):
    """One set of roots; set 1 is the trust anchor, each later one is signed by a root of the set before.

    Attributes:
        signer: Principal of the set before who signed this one; "" for set 1, whose digest users compare.
        signature: Ed25519 over the set without this member; b"" for set 1.
    """

    vault_id: str
    number: int
    roots: tuple[RootKey, ...]
    signer: str = ""
    signature: bytes = b""


class VaultSecretRecord(Record, frozen=True, kw_only=True):
    """The vault's secret (for key material ids), sealed to one root."""

    principal: str
    sealed: bytes


class PrincipalRecord(Record, frozen=True, kw_only=True):
    """Somebody who can act in the vault, with the public keys of the identity in force.

    Attributes:
        root: Whether he may change records; then he is in the set of roots too.
        state: Who is disabled can do nothing, and holds no share.
        tags: (key, value) pairs in the order of their keys.
        access_keys: Ids of its access keys, in order: kept here so that its group proves them complete.
    """

    name: str
    kind: Literal["user", "role"]
    root: bool
    state: Literal["enabled", "disabled"]
    created: datetime
    sign: bytes
    seal: bytes
    tags: tuple[tuple[str, str], ...] = ()
    access_keys: tuple[str, ...] = ()


AccessKeyStatus = Literal["Active", "Inactive"]


class AccessKeyRecord(Record, frozen=True, kw_only=True):
    """What lets a program sign requests as a principal.

    Attributes:
        kek: Number of the key-encryption key of all access keys, under which the secret is sealed.
        sealed: The sealed secret.
    """

    access_key_id: str
    principal: str
    status: AccessKeyStatus
    created: datetime
    kek: int
    sealed: bytes


class AccessKeyShareRecord(Record, frozen=True, kw_only=True):
    """The KEK of all access keys, sealed to one root."""

    principal: str
    kek: int
    sealed: bytes


class RosterRecord(Record, frozen=True, kw_only=True):
    """Who there is: the names of all principals, in order, so that nobody has to look for them among the keys."""

    principals: tuple[str, ...]


class IdentityPolicyRecord(Record, frozen=True, kw_only=True):
    """A policy that is attached to a principal, as its author wrote it."""

    principal: str
    name: str
    document: str


class SharingRecord(Record, frozen=True, kw_only=True):
    """There while shares of keys still have to follow a change of what a principal may use.

    Attributes:
        bucket: How far the walk over the keys has come: the bucket and name of the group that was done last.
        renews: "identity" if each share is to be made again, because the principal has another identity.
        old: Of a root with another identity: the seed of the one before, sealed to the new one.
    """

    principal: str
    bucket: int
    group: str
    renews: Literal["identity"] | None = None
    old: bytes = b""


class AliasRecord(Record, frozen=True, kw_only=True):
    """A name of a key. `name` has its prefix."""

    name: str
    key_id: str
    created: datetime
    updated: datetime


class KeyRecord(Record, frozen=True, kw_only=True):
    """A key, without its material.

    Attributes:
        origin: Who makes the material: kms, or whoever imports it.
        manager: "CUSTOMER", or "AWS" for a key that a service of kms made for itself.
        current: Number of the version that is used; 0 while no material was ever imported.
        kek: Number of the key-encryption key that seals the versions; grows when it is renewed.
        aliases: Names that point here, in order: kept with the key so that its group proves them complete.
        tags: (key, value) pairs in the order of their keys.
        deletion_date: When the waiting for its end is over; `deletion_window` are the days that were chosen.
        rotation_period: Days between automatic rotations, None without them; `next_rotation` is when one is due.
        grant_end: When the first of its grants expires, None if none does.
    """

    key_id: str
    created: datetime
    key_spec: str
    key_usage: str
    origin: Literal["AWS_KMS", "EXTERNAL"]
    manager: Literal["CUSTOMER", "AWS"]
    state: StoredState
    current: int
    kek: int
    description: str = ""
    aliases: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    deletion_date: datetime | None = None
    deletion_window: int | None = None
    rotation_period: int | None = None
    next_rotation: datetime | None = None
    grant_end: datetime | None = None


Rotation = Literal["ON_DEMAND", "AUTOMATIC"]


class VersionRecord(Record, frozen=True, kw_only=True):
    """One version of a key's material, sealed under the key's KEK.

    Attributes:
        created: When kms made the material, or took it in for the first time.
        material_id: 64 hex digits, an HMAC under the vault's secret: says nothing about the material.
        sealed: The sealed material; empty after imported material expired or was deleted.
        public: The public key of an asymmetric key (SubjectPublicKeyInfo, DER).
        rotation: What made it the current version, at the time `rotated`; None for the first.
        description: KeyMaterialDescription of imported material.
        valid_to: When imported material expires.
    """

    key_id: str
    number: int
    created: datetime
    material_id: str
    sealed: bytes = b""
    public: bytes = b""
    rotation: Rotation | None = None
    rotated: datetime | None = None
    description: str = ""
    valid_to: datetime | None = None


class PolicyRecord(Record, frozen=True, kw_only=True):
    """The policy of a key that does not have the default one, as its author wrote it."""

    key_id: str
    document: str


class GrantRecord(Record, frozen=True, kw_only=True):
    """A grant on a key.

    Attributes:
        grant_id: 64 hex digits.
        grantee: ARN of who may act.
        operations: What the grantee may do, in the order of the request.
        retiring: ARN of who may retire it, "" for nobody in particular.
        name: Name of the request, which makes a repetition give the same grant.
        context_equals: EncryptionContextEquals; `context_subset` is EncryptionContextSubset.
        expires: From when on it allows nothing; None = never.
    """

    key_id: str
    grant_id: str
    created: datetime
    grantee: str
    operations: tuple[str, ...]
    retiring: str = ""
    name: str = ""
    context_equals: dict[str, str] | None = None
    context_subset: dict[str, str] | None = None
    expires: datetime | None = None


class ShareRecord(Record, frozen=True, kw_only=True):
    """The KEK of a key, sealed to one principal who may use the key."""

    key_id: str
    principal: str
    kek: int
    sealed: bytes


KINDS: dict[str, type[Record]] = {
    "access-key": AccessKeyRecord,
    "access-key-share": AccessKeyShareRecord,
    "alias": AliasRecord,
    "grant": GrantRecord,
    "identity-policy": IdentityPolicyRecord,
    "key": KeyRecord,
    "policy": PolicyRecord,
    "principal": PrincipalRecord,
    "roots": RootSet,
    "roster": RosterRecord,
    "share": ShareRecord,
    "sharing": SharingRecord,
    "vault": VaultRecord,
    "vault-secret": VaultSecretRecord,
    "version": VersionRecord,
}
"""Kind of a record -> the struct of its body."""


def encode(body: msgspec.Struct) -> bytes:
    """The one encoding of a body."""
    return _ENCODER.encode(body)


def decode(body: bytes, shape: type[R]) -> R:
    """The body, if `body` is its one encoding.

    Raises:
        VaultTamperedError: It is not.
    """
    try:
        value = msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise errors.VaultTamperedError(what=f"a {shape.__name__} cannot be read") from error
    # A time in another zone, or in none, would encode to itself.
    in_utc = all(item.tzinfo is UTC for item in msgspec.structs.astuple(value) if isinstance(item, datetime))
    if not in_utc or _ENCODER.encode(value) != body:
        raise errors.VaultTamperedError(what=f"a {shape.__name__} is not in its one encoding")
    return value


def group_of(kind: str, record_id: str) -> str:
    """The group to which a record belongs, which follows from its kind and id."""
    if kind in ("key", "version", "share", "policy"):
        return "key/" + record_id.partition("/")[0]
    if kind == "grant":
        # A group of its own: whoever only uses the key does not pay for its thousands of grants.
        return "grants/" + record_id.partition("/")[0]
    if kind in ("principal", "identity-policy"):
        return "principal/" + record_id.partition("/")[0]
    if kind == "access-key":
        # A group of its own: a request names the access key, and whose it is has still to be found.
        return f"access-key/{record_id}"
    if kind == "access-key-share":
        return "access-keys"
    return record_id if kind == "alias" else "vault"


def record_digest(kind: str, record_id: str, body: bytes) -> bytes:
    """SHA-256 that stands for one record: 32 bytes."""
    return digest("record", kind.encode(), record_id.encode(), body)
