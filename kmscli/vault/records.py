"""Proved reads of records: whatever comes out of here hangs below a digest that a root signed.

Implements docs/spec/vault.md, "Reading". Each group is checked along its path: records, group, bucket, branch, trunk.
An absent group is proved absent by its bucket. Nothing here changes anything.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import msgspec

from kmscli import errors
from kmscli.formats import record, tree
from kmscli.formats.record import (
    AccessKeyRecord,
    AccessKeyShareRecord,
    AliasRecord,
    GrantRecord,
    IdentityPolicyRecord,
    KeyRecord,
    PolicyRecord,
    PrincipalRecord,
    RootSet,
    RosterRecord,
    ShareRecord,
    SharingRecord,
    VaultRecord,
    VaultSecretRecord,
    VersionRecord,
)
from kmscli.model.ids import ALIAS_PREFIX, Place, key_arn, principal_arn

if TYPE_CHECKING:
    from kmscli.model.decision import Decision

    # Help reads the types of operations, and pays for no database.
    from kmscli.storage.sqlite import Row, Store

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")


class NotInMemoryError(Exception):
    """Something was asked for that has not been read yet; whoever asked reads the vault and asks again."""


class KeyGroup(msgspec.Struct, frozen=True):
    """A key with its versions (by number) and shares (by principal).

    Attributes:
        arn: Its ARN.
        policy: Its policy as it was written, None if it has the default one.
    """

    arn: str
    record: KeyRecord
    versions: dict[int, VersionRecord]
    shares: dict[str, ShareRecord]
    policy: str | None = None

    @property
    def current(self) -> VersionRecord | None:
        """The version that is used, None before the first import."""
        return self.versions.get(self.record.current)


class Member(msgspec.Struct, frozen=True):
    """A principal with its identity policies.

    Attributes:
        arn: Its ARN.
        policies: Name -> document as it was written.
    """

    arn: str
    record: PrincipalRecord
    policies: dict[str, str]


class Records:
    """The records below one trunk digest; use within `Store.snapshot()` or a change.

    Attributes:
        decided: Decisions that follow from these records alone, by principal, action and resource.
    """

    def __init__(self, store: "Store", root: str) -> None:
        """Read from `store` what hangs below the trunk digest `root` (64 hex digits)."""
        self._rows: Store | None = store
        self._root = bytes.fromhex(root)
        self._nodes: dict[int, bytes] = {}
        self._buckets: dict[int, dict[str, bytes]] = {}
        self._groups: dict[str, dict[tuple[str, str], Row]] = {}
        self.decided: dict[tuple[str, str, str], Decision] = {}
        self._decoded: dict[str, KeyGroup | AliasRecord | Member | AccessKeyRecord | dict[str, GrantRecord] | None] = {}

    @property
    def _store(self) -> "Store":
        if self._rows is None:
            raise NotInMemoryError
        return self._rows

    def from_memory(self, ask: Callable[[], T]) -> T:
        """What `ask` gives while only what was read and proved before is given; the rest is a NotInMemoryError."""
        store, self._rows = self._rows, None
        try:
            return ask()
        finally:
            self._rows = store

    @property
    def size(self) -> int:
        """How many groups are held in memory."""
        return len(self._groups)

    @cached_property
    def vault(self) -> VaultRecord:
        """What the vault is."""
        return self.one("vault", "vault", "", VaultRecord)

    @cached_property
    def place(self) -> Place:
        """The account and Region of its ARNs."""
        return Place(self.vault.account, self.vault.region)

    # -- the path from a group to the head -----------------------------------------------------------------------------

    def _node(self, number: int) -> bytes:
        if number not in self._nodes:
            found = self._store.node(number) or tree.EMPTY_NODE
            expected = self._root if number == tree.TRUNK else tree.child(self._node(tree.TRUNK), number)
            if tree.node_digest(number, found) != expected:
                raise errors.VaultTamperedError(what=f"node {number} of the tree is not the signed one")
            self._nodes[number] = found
        return self._nodes[number]

    def _bucket(self, number: int) -> dict[str, bytes]:
        if number not in self._buckets:
            expected = tree.child(self._node(number // tree.FANOUT), number % tree.FANOUT)
            found = self._store.bucket(number)
            if tree.bucket_digest(number, found) != expected:
                raise errors.VaultTamperedError(what=f"bucket {number} of the tree is not the signed one")
            self._buckets[number] = dict(found)
        return self._buckets[number]

    def group(self, name: str) -> "dict[tuple[str, str], Row]":
        """The records of a group by (kind, id); empty if it is proved absent.

        Raises:
            VaultTamperedError: A record was changed, added or removed.
        """
        if name not in self._groups:
            expected = self._bucket(tree.bucket_of(name)).get(name)
            rows = self._store.group(name)
            for row in rows:
                if record.group_of(row.kind, row.id) != name or row.digest != record.record_digest(*row[:3]):
                    raise errors.VaultTamperedError(what=f"{row.kind} {row.id} is not the signed one")
            found = tree.group_digest(name, ((row.kind, row.id, row.digest) for row in rows)) if rows else None
            if found != expected:
                raise errors.VaultTamperedError(what=f"the records of {name} are not the signed ones")
            self._groups[name] = {(row.kind, row.id): row for row in rows}
        return self._groups[name]

    def one(self, group: str, kind: str, record_id: str, shape: type[R]) -> R:
        """One record that must be there.

        Raises:
            VaultTamperedError: It is not.
        """
        row = self.group(group).get((kind, record_id))
        if row is None:
            raise errors.VaultTamperedError(what=f"{kind} {record_id} is missing")
        return record.decode(row.body, shape)

    # -- what the vault holds ------------------------------------------------------------------------------------------

    def key_record(self, key_id: str) -> KeyRecord | None:
        """A key's own record, or None; what belongs to the key is proved with it, and not decoded."""
        name = f"key/{key_id}"
        return self.one(name, "key", key_id, KeyRecord) if self.group(name) else None

    def key(self, key_id: str) -> KeyGroup | None:
        """A key with all that belongs to it but its grants, or None."""
        name = f"key/{key_id}"
        if name not in self._decoded:
            self._decoded[name] = self._key(key_id)
        found = self._decoded[name]
        return found if isinstance(found, KeyGroup) else None

    def _key(self, key_id: str) -> KeyGroup | None:
        rows = self.group(f"key/{key_id}").values()
        if not rows:
            return None
        versions = [record.decode(row.body, VersionRecord) for row in rows if row.kind == "version"]
        shares = [record.decode(row.body, ShareRecord) for row in rows if row.kind == "share"]
        return KeyGroup(
            key_arn(self.place, key_id),
            self.one(f"key/{key_id}", "key", key_id, KeyRecord),
            {version.number: version for version in versions},
            {share.principal: share for share in shares},
            next((record.decode(row.body, PolicyRecord).document for row in rows if row.kind == "policy"), None),
        )

    def grants(self, key_id: str) -> dict[str, GrantRecord]:
        """The grants on a key, by their ids."""
        name = f"grants/{key_id}"
        if name not in self._decoded:
            found = [record.decode(row.body, GrantRecord) for row in self.group(name).values()]
            self._decoded[name] = {grant.grant_id: grant for grant in found}
        grants = self._decoded[name]
        return grants if isinstance(grants, dict) else {}

    def alias(self, name: str) -> AliasRecord | None:
        """An alias (`name` with its prefix), or None."""
        # An alias's name is its group's name; without the prefix it would be the name of a group of another kind.
        if not name.startswith(ALIAS_PREFIX):
            return None
        if name not in self._decoded:
            self._decoded[name] = self.one(name, "alias", name, AliasRecord) if self.group(name) else None
        found = self._decoded[name]
        return found if isinstance(found, AliasRecord) else None

    def principal(self, name: str) -> PrincipalRecord | None:
        """A principal, or None."""
        group = f"principal/{name}"
        return self.one(group, "principal", name, PrincipalRecord) if self.group(group) else None

    @property
    def roster(self) -> tuple[str, ...]:
        """The names of all principals, in order; a vault whose first change had no roster yet has its roots alone."""
        found = self.group("vault").get(("roster", ""))
        if found is not None:
            return record.decode(found.body, RosterRecord).principals
        last = self.root_set
        return () if last is None else tuple(sorted(root.principal for root in last.roots))

    @property
    def root_set(self) -> RootSet | None:
        """The last set of roots, None before the first; whoever proved the state checked the chain up to it."""
        sets = [record.decode(row.body, RootSet) for row in self.group("vault").values() if row.kind == "roots"]
        return max(sets, key=lambda each: each.number, default=None)

    @property
    def walks(self) -> tuple[str, ...]:
        """The principals whose shares are not all made yet, in order."""
        return tuple(sorted(rid for kind, rid in self.group("vault") if kind == "sharing"))

    def sharing(self, name: str) -> SharingRecord | None:
        """How far the shares of a principal have come, None if they are all made."""
        found = self.group("vault").get(("sharing", name))
        return None if found is None else record.decode(found.body, SharingRecord)

    def member(self, name: str) -> Member | None:
        """A principal with its policies, or None."""
        group = f"principal/{name}"
        if group not in self._decoded:
            self._decoded[group] = self._member(name)
        found = self._decoded[group]
        return found if isinstance(found, Member) else None

    def _member(self, name: str) -> Member | None:
        found = self.principal(name)
        if found is None:
            return None
        rows = [row for row in self.group(f"principal/{name}").values() if row.kind == "identity-policy"]
        policies = [record.decode(row.body, IdentityPolicyRecord) for row in rows]
        return Member(
            principal_arn(self.place, found.kind, name), found, {each.name: each.document for each in policies}
        )

    def access_key(self, access_key_id: str) -> AccessKeyRecord | None:
        """An access key, or None; `access_key_id` has the form of one."""
        name = f"access-key/{access_key_id}"
        if name not in self._decoded:
            found = self.group(name)
            self._decoded[name] = self.one(name, "access-key", access_key_id, AccessKeyRecord) if found else None
        known = self._decoded[name]
        return known if isinstance(known, AccessKeyRecord) else None

    @property
    def access_key_shares(self) -> dict[str, AccessKeyShareRecord]:
        """The shares of the KEK of all access keys, by root; none before the first access key."""
        found = [record.decode(row.body, AccessKeyShareRecord) for row in self.group("access-keys").values()]
        return {share.principal: share for share in found}

    def vault_secret(self, principal: str) -> VaultSecretRecord:
        """The vault's secret as sealed to one root."""
        return self.one("vault", "vault-secret", principal, VaultSecretRecord)

    def group_names(self, prefix: str, after: tuple[int, str]) -> Iterator[tuple[int, str]]:
        """(bucket, name) of the groups whose name starts with `prefix`, proved complete, in the order of the tree.

        Args:
            prefix: Such as "key/".
            after: Where to start: the pair given last, or (0, "").
        """
        first, name = after
        for bucket in self._filled(first):
            for group in sorted(self._bucket(bucket)):
                if group.startswith(prefix) and (bucket > first or group > name):
                    yield bucket, group

    def _filled(self, first: int) -> Iterator[int]:
        """Buckets from `first` on that hold groups; a branch that is proved empty is passed over whole."""
        trunk = self._node(tree.TRUNK)
        for branch in range(first // tree.FANOUT, tree.FANOUT):
            if tree.child(trunk, branch) != tree.EMPTY:
                children = self._node(branch)
                for index in range(tree.FANOUT):
                    bucket = branch * tree.FANOUT + index
                    if bucket >= first and tree.child(children, index) != tree.EMPTY:
                        yield bucket
