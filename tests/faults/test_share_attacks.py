"""A principal who is no root, with all files of the vault, all copies of it and a client of his own.

He gets no material that was not shared with him; what was taken from him opens nothing that is written from then on,
and leaves no trace in the files; and no record that he writes himself is believed by anybody.
"""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats import record
from kmscli.formats.record import (
    AliasRecord,
    GrantRecord,
    IdentityPolicyRecord,
    KeyRecord,
    PolicyRecord,
    PrincipalRecord,
    RosterRecord,
    ShareRecord,
    SharingRecord,
)
from kmscli.service import due, identitypolicies, principals
from kmscli.service.context import Context
from kmscli.vault import shares
from kmscli.vault.folder import Vault
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock
from tests.faults.attacker import Attacker, attacking, rewrite, row_of, write
from tests.faults.robber import Files, Robber, of_keys, slot_named, traces
from tests.helpers import Clock
from tests.importing import bring, external, reuse_wrapping_keys
from tests.principals import ADMIN, ALICE, BOB, DELEGATED, People, deny, document, quick_folder, seed_of, statement
from tests.ring import Ring

KEYFILE = bytes(range(32))
USES = {
    "ENCRYPT_DECRYPT": ["Encrypt", "Decrypt"],
    "SIGN_VERIFY": ["Sign"],
    "GENERATE_VERIFY_MAC": ["GenerateMac"],
    "KEY_AGREEMENT": ["DeriveSharedSecret"],
    "ENCAPSULATE_DECAPSULATE": ["Decapsulate"],
}


class Place(Ring):
    """A ring whose root is named, since others have slots beside him."""

    def unlocked(self, vault: Vault | None = None) -> Context:
        return Context(unlock(vault or self.open(), "admin", lambda _: self.secret()))


class World:
    """A vault with keys of every family, alice with a slot, bob without any permission.

    Attributes:
        keys: Ids of the keys that alice may come to use: one of several versions, one imported, one of each usage.
        closed: Ids of keys that she never may.
    """

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        self.home = Place(folder)
        self.home.clock = self.clock
        self.home.init()
        self.people = People(self.home).add("alice", keyfile=KEYFILE).add("bob")
        self.keys = self._keys()
        self.closed = self._keys()
        self.blobs = [self._sealed(self.keys[0], number) for number in range(1, 4)]

    def _keys(self) -> list[str]:
        several = self.home.create_key()
        brought = external(self.home)
        bring(self.home, brought, bytes([len(brought)]) * 32)
        usages = [usage for usage in USES if usage != "ENCRYPT_DECRYPT"]
        self.home._keys.clear()
        return [several, brought, *(self.home.cheap(usage) for usage in usages)]

    def _sealed(self, key_id: str, number: int) -> bytes:
        """A ciphertext of each version of a key."""
        if number > 1:
            self.home.perform("RotateKeyOnDemand", KeyId=key_id)
        blob = self.home.perform("Encrypt", KeyId=key_id, Plaintext=bytes([number])).ciphertext_blob
        return bytes(blob)

    def put_policy(self, *statements: dict[str, object]) -> None:
        """Have all keys that alice may come to use this policy."""
        for key_id in self.keys:
            self.home.perform("PutKeyPolicy", KeyId=key_id, Policy=document(*statements))

    def grant(self, **members: object) -> list[str]:
        """Grants to alice of all uses of these keys."""
        found = []
        for key_id in self.keys:
            usage = self.home.perform("DescribeKey", KeyId=key_id).key_metadata.key_usage
            asked = {"KeyId": key_id, "GranteePrincipal": ALICE, "Operations": USES[usage]} | members
            found.append(self.home.perform("CreateGrant", **asked).grant_id)
        return found

    def copy(self, name: str) -> Files:
        """What lies in the files now."""
        return Files(shutil.copytree(self.home.folder, self.folder / name))

    def close(self) -> None:
        self.people.close()
        self.home.close()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    reuse_wrapping_keys(monkeypatch)
    with quick_folder("shares") as folder:
        made = World(folder)
        yield made
        made.close()


def robber(*copies: Files) -> Robber:
    """Alice, with what she has."""
    return Robber(seed_of("alice"), copies, keyfiles=[KEYFILE])


def root(world: World, *copies: Files) -> Robber:
    """The root, to whom all is shared."""
    return Robber(world.home.context.session.identity.seed, copies)


# -- ways to come to a share, and to lose it ---------------------------------------------------------------------------

ALONE = statement(ADMIN)
Way = Callable[[World], Callable[[], object]]


def by_key_policy(world: World) -> Callable[[], object]:
    world.put_policy(ALONE, statement(ALICE))
    return lambda: world.put_policy(ALONE)


def until_a_deny(world: World) -> Callable[[], object]:
    world.put_policy(ALONE, statement(ALICE))
    return lambda: world.put_policy(ALONE, statement(ALICE), deny(ALICE))


def by_key_policy_under_a_condition(world: World) -> Callable[[], object]:
    later = {"Condition": {"DateGreaterThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}}
    world.put_policy(ALONE, statement(ALICE, **later))
    return lambda: world.put_policy(ALONE, statement(BOB, **later))


def by_revoked_grants(world: World) -> Callable[[], object]:
    made = dict(zip(world.keys, world.grant(), strict=True))
    return lambda: [world.home.perform("RevokeGrant", KeyId=key, GrantId=made[key]) for key in made]


def by_retired_grants(world: World) -> Callable[[], object]:
    made = dict(zip(world.keys, world.grant(), strict=True))
    return lambda: [world.home.perform("RetireGrant", KeyId=key, GrantId=made[key]) for key in made]


def until_grants_are_over_and_the_root_acts(world: World) -> Callable[[], object]:
    world.grant(Expires=world.clock.now + timedelta(hours=1))

    def act() -> None:
        world.clock.move(hours=1)
        for key_id in world.keys:
            world.home.perform("DescribeKey", KeyId=key_id)

    return act


def until_grants_are_over_and_run_due(world: World) -> Callable[[], object]:
    world.grant(Expires=world.clock.now + timedelta(hours=1))

    def act() -> None:
        world.clock.move(hours=1)
        due.run_due(world.home.context)

    return act


def by_identity_policy(world: World) -> Callable[[], object]:
    world.put_policy(DELEGATED)
    arns = [world.home.arn(key_id) for key_id in world.keys]
    given = {"PolicyName": "own", "PolicyDocument": document(statement(Resource=arns))}
    identitypolicies.put_policy(world.home.context, "alice", given)
    return lambda: identitypolicies.delete_policy(world.home.context, "alice", "own")


def until_an_identity_policy_denies(world: World) -> Callable[[], object]:
    world.put_policy(ALONE, statement(ALICE))
    given = {"PolicyName": "no", "PolicyDocument": document(deny())}
    return lambda: identitypolicies.put_policy(world.home.context, "alice", given)


def until_disabled(world: World) -> Callable[[], object]:
    world.put_policy(ALONE, statement(ALICE))
    return lambda: principals.set_state(world.home.context, "alice", "disabled")


def until_deleted(world: World) -> Callable[[], object]:
    world.put_policy(ALONE, statement(ALICE))
    return lambda: principals.delete_principal(world.home.context, "alice")


WAYS: list[Way] = [
    by_key_policy,
    until_a_deny,
    by_key_policy_under_a_condition,
    by_revoked_grants,
    by_retired_grants,
    until_grants_are_over_and_the_root_acts,
    until_grants_are_over_and_run_due,
    by_identity_policy,
    until_an_identity_policy_denies,
    until_disabled,
    until_deleted,
]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


# -- what was never shared, and what is no longer ----------------------------------------------------------------------


def test_the_root_opens_everything(world: World) -> None:
    found = root(world, world.copy("copy")).materials
    assert {*world.keys, *world.closed} == {key_id for key_id, _ in found}
    assert {1, 2, 3} == {number for key_id, number in found if key_id == world.keys[0]}
    key_id = world.keys[0]
    assert world.home.material(key_id) == found[key_id, 3]


def test_who_has_no_share_opens_nothing(world: World) -> None:
    assert {} == robber(world.copy("copy")).materials


@ways
def test_who_has_shares_opens_what_is_shared_with_him_and_nothing_else(world: World, way: Way) -> None:
    way(world)
    files = world.copy("with")
    found = robber(files).materials
    assert of_keys(root(world, files).materials, *world.keys) == found
    assert {"admin", "alice"} == {share.principal for share in files.of("share") if share.key_id in world.keys}
    assert {"admin"} == {share.principal for share in files.of("share") if share.key_id in world.closed}


@ways
def test_what_was_taken_away_opens_nothing_that_is_there_now(world: World, way: Way) -> None:
    before = world.copy("before")
    take = way(world)
    having = world.copy("with")
    take()
    after = world.copy("after")
    assert {} == robber(after).materials
    assert {} == robber(before, after).materials
    knowing = robber(before, having)
    assert knowing.materials
    assert {} == knowing.opens(after)
    # What he had is his, and no later copy brings him more.
    assert knowing.materials == robber(before, having, after).materials


@ways
def test_what_was_taken_away_leaves_no_trace(world: World, way: Way) -> None:
    take = way(world)
    having = world.copy("with")
    removed = having.sealed(*world.keys)
    assert removed == traces(world.home.folder, removed)
    take()
    assert [] == traces(world.home.folder, removed)
    assert not world.home.context.session.vault.paths.shred_note.exists()


@ways
def test_the_material_stays_what_it_was_and_opens_old_ciphertext_for_the_root(world: World, way: Way) -> None:
    before = root(world, world.copy("before")).materials
    way(world)()
    assert before == root(world, world.copy("after")).materials
    opened = [world.home.perform("Decrypt", CiphertextBlob=blob).plaintext for blob in world.blobs]
    assert [b"\1", b"\2", b"\3"] == opened
    error = world.people.refused("alice", "Decrypt", CiphertextBlob=world.blobs[0])
    assert (error.code if way is not until_deleted else "AccessDeniedException") == "AccessDeniedException"


@ways
def test_who_keeps_his_access_keeps_it_when_another_loses_his(world: World, way: Way) -> None:
    take = way(world)
    for key_id in world.keys:
        # Bob's way is a grant, which no way of alice's touches.
        usage = world.home.perform("DescribeKey", KeyId=key_id).key_metadata.key_usage
        asked = {"KeyId": key_id, "GranteePrincipal": BOB, "Operations": USES[usage]}
        world.home.perform("CreateGrant", **asked)
    take()
    assert world.people.perform("bob", "Decrypt", CiphertextBlob=world.blobs[0]).plaintext == b"\1"
    files = world.copy("after")
    assert {"admin", "bob"} == {share.principal for share in files.of("share") if share.key_id in world.keys}
    found = Robber(seed_of("bob"), [files]).materials
    assert of_keys(root(world, files).materials, *world.keys) == found


def test_new_material_is_not_for_who_lost_his_access(world: World) -> None:
    take = by_key_policy(world)
    having = world.copy("with")
    take()
    world.home.perform("RotateKeyOnDemand", KeyId=world.keys[0])
    after = world.copy("after")
    assert (world.keys[0], 4) in root(world, after).materials
    assert {} == robber(having).opens(after)
    assert (world.keys[0], 4) not in robber(having, after).materials


def test_a_slot_that_was_removed_with_its_principal_leaves_no_trace(world: World) -> None:
    seed = slot_named(world.copy("before"), "alice").seed
    assert [seed] == traces(world.home.folder, [seed])
    principals.delete_principal(world.home.context, "alice")
    assert [] == traces(world.home.folder, [seed])


def test_the_vault_put_back_to_before_is_noticed_by_who_saw_it_after(world: World) -> None:
    take = by_key_policy(world)
    having = shutil.copytree(world.home.folder, world.folder / "with")
    take()
    world.close()
    shutil.copyfile(having / "vault.db", world.home.folder / "vault.db")
    assert world.home.refused("ListKeys").exit_code == 53


# -- records that he writes himself ------------------------------------------------------------------------------------

MALLORY = Identity(seed_of("alice"))
Forgery = Callable[[World, Attacker], str]
"""Writes something, and says which group it belongs to."""


def a_policy_for_all(world: World, who: Attacker) -> str:
    key_id = world.closed[0]
    return write(who, "policy", key_id, PolicyRecord(key_id=key_id, document=document(statement("*"))))


def a_grant(world: World, who: Attacker) -> str:
    key_id, grant_id = world.closed[0], "ab" * 32
    made = GrantRecord(
        key_id=key_id, grant_id=grant_id, created=world.clock.now, grantee=ALICE, operations=("Encrypt", "Decrypt")
    )
    return write(who, "grant", f"{key_id}/{grant_id}", made)


def an_alias(world: World, who: Attacker) -> str:
    now = world.clock.now
    made = AliasRecord(name="alias/mine", key_id=world.closed[0], created=now, updated=now)
    return write(who, "alias", "alias/mine", made)


def a_share_of_her_own_kek(world: World, who: Attacker) -> str:
    key_id = world.closed[0]
    key = record.decode(row_of(who, "key", key_id)[3], KeyRecord)
    alice = record.decode(row_of(who, "principal", "alice")[3], PrincipalRecord)
    (made,) = shares.share(bytes(32), key, [alice], vault_id=world.home.context.session.opened.vault_id)
    return write(who, "share", f"{key_id}/alice", made)


def the_share_of_the_root(world: World, who: Attacker) -> str:
    key_id = world.closed[0]
    key = record.decode(row_of(who, "key", key_id)[3], KeyRecord)
    admin = record.decode(row_of(who, "principal", "admin")[3], PrincipalRecord)
    (made,) = shares.share(bytes(32), key, [admin], vault_id=world.home.context.session.opened.vault_id)
    return write(who, "share", f"{key_id}/admin", made)


def the_share_of_another_key(world: World, who: Attacker) -> str:
    source, target = world.keys[0], world.closed[0]
    own = record.decode(row_of(who, "share", f"{source}/alice")[3], ShareRecord)
    return write(who, "share", f"{target}/alice", msgspec.structs.replace(own, key_id=target))


def a_key_enabled(world: World, who: Attacker) -> str:
    return rewrite(who, "key", world.closed[0], state="Disabled")


def an_older_kek(world: World, who: Attacker) -> str:
    return rewrite(who, "key", world.keys[0], kek=1)


def an_identity_policy(_: World, who: Attacker) -> str:
    body = IdentityPolicyRecord(principal="alice", name="all", document=document(statement()))
    return write(who, "identity-policy", "alice/all", body)


def a_policy_of_the_root(_: World, who: Attacker) -> str:
    return write(
        who,
        "identity-policy",
        "admin/no",
        IdentityPolicyRecord(principal="admin", name="no", document=document(deny())),
    )


def herself_as_root(_: World, who: Attacker) -> str:
    return rewrite(who, "principal", "alice", root=True)


def the_root_disabled(_: World, who: Attacker) -> str:
    return rewrite(who, "principal", "admin", state="disabled")


def her_keys_as_those_of_the_root(_: World, who: Attacker) -> str:
    return rewrite(who, "principal", "admin", sign=MALLORY.sign_public, seal=MALLORY.seal_public)


def her_keys_as_those_of_bob(_: World, who: Attacker) -> str:
    return rewrite(who, "principal", "bob", sign=MALLORY.sign_public, seal=MALLORY.seal_public)


def a_roster_without_bob(_: World, who: Attacker) -> str:
    return write(who, "roster", "", RosterRecord(principals=("admin", "alice")))


def a_walk_over_the_keys(_: World, who: Attacker) -> str:
    walk = SharingRecord(principal="alice", bucket=0, group="", renews="identity", old=b"x")
    return write(who, "sharing", "alice", walk)


def a_grant_taken_away(world: World, who: Attacker) -> str:
    row = next(row for row in who.rows("record") if row[1] == "grant" and world.keys[0] in row[2])
    who.delete("record", row)
    return str(row[0])


def a_deny_taken_away(world: World, who: Attacker) -> str:
    row = row_of(who, "policy", world.closed[0])
    who.delete("record", row)
    return str(row[0])


FORGERIES: list[Forgery] = [
    a_policy_for_all,
    a_grant,
    an_alias,
    a_share_of_her_own_kek,
    the_share_of_the_root,
    the_share_of_another_key,
    a_key_enabled,
    an_older_kek,
    an_identity_policy,
    a_policy_of_the_root,
    herself_as_root,
    the_root_disabled,
    her_keys_as_those_of_the_root,
    her_keys_as_those_of_bob,
    a_roster_without_bob,
    a_walk_over_the_keys,
    a_grant_taken_away,
    a_deny_taken_away,
]
forgeries = pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.__name__)
READERS = ["admin", "alice", "bob"]


@pytest.fixture
def at_work(world: World) -> World:
    """Alice uses some keys, and others are closed to her by a Deny."""
    world.put_policy(ALONE, statement(ALICE), statement(BOB))
    world.grant()
    world.put_policy(ALONE, statement(ALICE))
    world.home.perform("PutKeyPolicy", KeyId=world.closed[0], Policy=document(DELEGATED, deny(ALICE)))
    return world


def questions(world: World) -> list[tuple[str, dict[str, object]]]:
    """What anybody asks, about each group that a forgery touches."""
    return [
        ("ListKeys", {}),
        ("ListAliases", {}),
        ("DescribeKey", {"KeyId": world.keys[0]}),
        ("DescribeKey", {"KeyId": world.closed[0]}),
        ("Encrypt", {"KeyId": world.closed[0], "Plaintext": b"x"}),
        ("Decrypt", {"CiphertextBlob": world.blobs[0]}),
        ("ListGrants", {"KeyId": world.keys[0]}),
        ("ListGrants", {"KeyId": world.closed[0]}),
        ("DescribeKey", {"KeyId": "alias/mine"}),
        ("UpdateKeyDescription", {"KeyId": world.closed[0], "Description": "d"}),
        ("PutKeyPolicy", {"KeyId": world.closed[0], "Policy": document(DELEGATED)}),
    ]


def answered(world: World, reader: str) -> list[tuple[str, int]]:
    """Each question with the exit code in which it ends, 0 for an answer; the vault is opened anew."""
    world.close()
    found = []
    for operation, members in questions(world):
        try:
            world.people.perform(reader, operation, **members)
            found.append((operation, 0))
        except errors.KmsError as error:
            found.append((operation, error.exit_code))
    return found


def put_back(world: World, whole: Path) -> None:
    """Have vault and pins again as they were."""
    world.close()
    for name in ("vault", "state"):
        shutil.rmtree(world.folder / name)
        shutil.copytree(whole / name, world.folder / name)


@forgeries
@pytest.mark.parametrize("author", ["alice", "admin"])
@pytest.mark.parametrize("generations", [0, 1])
def test_no_reader_believes_a_head_that_a_principal_signed(
    at_work: World, forgery: Forgery, author: str, generations: int
) -> None:
    with attacking(at_work.home.folder) as who:
        forgery(at_work, who)
        head = who.head()
        forged = msgspec.structs.replace(
            head, root=who.repair(), author=author, generation=head.generation + generations
        )
        who.sign(forged, MALLORY)
    before = at_work.home.raw_lines()
    for reader in READERS:
        assert {50} == {code for _, code in answered(at_work, reader)}
    assert before == at_work.home.raw_lines()


@forgeries
def test_no_reader_believes_records_that_the_signed_head_does_not_know(at_work: World, forgery: Forgery) -> None:
    """With every digest below the head made to fit, nothing at all is answered."""
    with attacking(at_work.home.folder) as who:
        forgery(at_work, who)
        who.repair()
    for reader in READERS:
        assert {50} == {code for _, code in answered(at_work, reader)}


@forgeries
def test_a_record_that_is_written_alone_changes_no_answer(at_work: World, forgery: Forgery) -> None:
    at_work.close()
    whole = at_work.folder / "whole"
    for name in ("vault", "state"):
        shutil.copytree(at_work.folder / name, whole / name)
    refused = 0
    for reader in READERS:
        expected = answered(at_work, reader)
        put_back(at_work, whole)
        with attacking(at_work.home.folder) as who:
            forgery(at_work, who)
        found = answered(at_work, reader)
        put_back(at_work, whole)
        refused += [code for _, code in found].count(50)
        pairs = zip(expected, found, strict=True)
        assert [] == [(was, is_now) for was, is_now in pairs if is_now[1] not in (was[1], 50)]
    assert refused


def test_her_own_slot_opens_her_identity_alone(at_work: World) -> None:
    at_work.home.close()
    vault = at_work.home.open()
    session = unlock(vault, "alice", lambda _: Secret("keyfile", KEYFILE))
    assert seed_of("alice") == session.identity.seed
    with pytest.raises(errors.WrongSecretError):
        unlock(vault, "admin", lambda _: Secret("keyfile", KEYFILE))
    with pytest.raises(errors.PrincipalNotFoundError):
        unlock(vault, "bob", lambda _: Secret("keyfile", KEYFILE))
    vault.store.close()
