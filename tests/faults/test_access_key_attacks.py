"""Access keys against a principal who is no root, with all files of the vault, an access key and a client of her own.

She reads no secret, not even that of her own access key out of the files, and makes nothing that the endpoint takes:
an access key that she writes, changes, moves or brings back is refused, or is as if it were not there.
"""

import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto import seal
from kmscli.crypto.identity import Identity
from kmscli.formats.record import AccessKeyRecord, AccessKeyShareRecord, PrincipalRecord, RootKey
from kmscli.formats.wire import label
from kmscli.service import accesskeys, principals, renewals
from kmscli.service.context import Context
from kmscli.vault import accesskeys as secrets
from kmscli.vault.accesskeys import SecretAccessKey
from kmscli.vault.folder import Vault
from kmscli.vault.unlock import unlock
from tests.faults.attacker import Attacker, attacking, rewrite, row_of, write
from tests.faults.robber import Files, Robber
from tests.helpers import Home
from tests.principals import People, quick_folder, seed_of

KEYFILE = bytes(range(32))
MALLORY = Identity(seed_of("alice"))
OWNERS = {"admin": "admin", "alice": "alice", "bob": "bob", "off": "bob", "carl": "carl", "gone": "carl"}
MADE_UP, HERS = "AKIA" + "M" * 16, SecretAccessKey("M" * 40)


class Place(Home):
    """A vault whose root is named, since others have slots beside him."""

    def unlocked(self, vault: Vault | None = None) -> Context:
        return Context(unlock(vault or self.open(), "admin", lambda _: self.secret()))


class World:
    """A vault with access keys of the root, of alice and of bob; one of bob's is inactive, and carl is disabled.

    Attributes:
        known: Secrets of those that are there, by id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Place(folder).init()
        self.people = People(self.home).add("alice", keyfile=KEYFILE).add("bob").add("carl")
        made = {
            name: accesskeys.create_access_key(self.home.context, owner).access_key for name, owner in OWNERS.items()
        }
        self.ids = {name: key.access_key_id for name, key in made.items()}
        self.known = {key.access_key_id: key.secret_access_key for key in made.values()}
        accesskeys.set_status(self.home.context, self.ids["off"], "Inactive")
        self.before = self.copy("before")
        accesskeys.delete_access_key(self.home.context, self.ids["gone"])
        principals.set_state(self.home.context, "carl", "disabled")

    def copy(self, name: str) -> Path:
        return Path(shutil.copytree(self.home.folder, self.folder / name))

    def found(self) -> dict[str, str | None]:
        """What the endpoint, started anew, finds of each access key; "refused" where it finds a forged vault."""
        self.home.close()
        return {access_key_id: self._found(access_key_id) for access_key_id in (*self.ids.values(), MADE_UP)}

    def _found(self, access_key_id: str) -> str | None:
        try:
            session = self.home.context.session
            with session.read() as records:
                key = secrets.find(session, records, access_key_id)
        except errors.VaultTamperedError:
            self.home.close()
            return "refused"
        return None if key is None else f"{key.principal.record.name} {key.secret.value}"

    @property
    def vault_id(self) -> str:
        return self.home.context.session.opened.vault_id

    def close(self) -> None:
        self.people.close()
        self.home.close()


@pytest.fixture
def world() -> Iterator[World]:
    with quick_folder("access-keys") as folder:
        made = World(folder)
        yield made
        made.close()


def expected(world: World) -> dict[str, str | None]:
    good = {world.ids[name]: f"{name} {world.known[world.ids[name]]}" for name in ("admin", "alice", "bob")}
    return dict.fromkeys((*world.ids.values(), MADE_UP)) | good


def test_the_endpoint_finds_what_is_good_and_nothing_else(world: World) -> None:
    assert expected(world) == world.found()


# -- what she reads ----------------------------------------------------------------------------------------------------


def opened(secret: bytes, files: Files, vault_id: str) -> set[bytes]:
    """What one secret opens of the access keys and their shares, under any name and number."""
    names = [each.name for each in files.of("principal")]
    found = set()
    for share, name, number in product(files.of("access-key-share"), names, range(1, 4)):
        context = label("access-key-share", vault_id.encode(), name.encode(), number.to_bytes(4, "big"))
        found |= attempt(lambda: Identity(secret).open(share.sealed, context=context))  # noqa: B023 - called at once
    for key, name, number in product(files.of("access-key"), names, range(1, 4)):
        parts = vault_id.encode(), key.access_key_id.encode(), name.encode(), number.to_bytes(4, "big")
        found |= attempt(lambda: seal.unseal(secret, key.sealed, context=label("access-key", *parts)))  # noqa: B023
    return found


def attempt(call: Callable[[], bytes]) -> set[bytes]:
    try:
        return {call()}
    except errors.SealBrokenError:
        return set()


def all_opened(robber: Robber, files: Files, vault_id: str) -> set[bytes]:
    """What opens with all that somebody has, and with what that opened."""
    known, found = set(robber.keys), set()
    for _ in range(2):
        found = {each for secret in known for each in opened(secret, files, vault_id)}
        known |= {each for each in found if len(each) == seal.KEY_BYTES}
    return {each for each in found if len(each) != seal.KEY_BYTES}


def test_the_root_opens_them_all_and_she_none_of_them(world: World) -> None:
    copies = [Files(world.before), Files(world.copy("after"))]
    root = Robber(world.home.context.session.identity.seed, copies)
    hers = Robber(seed_of("alice"), copies, keyfiles=[KEYFILE])
    every = {secret.encode() for secret in world.known.values() if secret}
    assert every == all_opened(root, copies[0], world.vault_id)
    for files in copies:
        assert set() == all_opened(hers, files, world.vault_id)


def test_an_identity_that_the_root_gave_up_opens_nothing_that_is_written_then(world: World) -> None:
    old = world.home.context.session.identity.seed
    renewals.rotate_own(world.home.context)
    later = accesskeys.create_access_key(world.home.context, "carl").access_key
    assert later.secret_access_key
    files = Files(world.copy("after"))
    thief = Robber(old, [Files(world.before), files])
    assert set() == all_opened(thief, files, world.vault_id)
    # With the copy from before he knows the KEK of then, which seals nothing any more.
    had = {each for secret in thief.keys for each in opened(secret, Files(world.before), world.vault_id)}
    assert had
    assert set() == {each for kek in had if len(kek) == seal.KEY_BYTES for each in opened(kek, files, world.vault_id)}
    new = Robber(world.home.context.session.identity.seed, [files])
    assert later.secret_access_key.encode() in all_opened(new, files, world.vault_id)


# -- what she writes ---------------------------------------------------------------------------------------------------

Forgery = Callable[[World, Attacker], object]


def made_up(world: World, *, principal: str = "admin", kek: bytes = bytes(32), number: int = 1) -> AccessKeyRecord:
    bare = AccessKeyRecord(
        access_key_id=MADE_UP, principal=principal, status="Active", created=world.home.clock(), kek=number, sealed=b""
    )
    return secrets.with_secret(bare, HERS, kek, number, vault_id=world.vault_id)


def listed(who: Attacker, principal: str, *access_key_ids: str) -> None:
    rewrite(who, "principal", principal, access_keys=tuple(sorted(access_key_ids)))


def one_of_the_root_under_her_own_kek(world: World, who: Attacker) -> None:
    admin = world.home.context.session.identity
    root = RootKey(principal="admin", sign=admin.sign_public, seal=admin.seal_public)
    (share,) = secrets.share(bytes(32), 2, [root], vault_id=world.vault_id)
    write(who, "access-key-share", "admin", share)
    write(who, "access-key", MADE_UP, made_up(world, number=2))
    listed(who, "admin", world.ids["admin"], MADE_UP)


def one_of_the_root_alone(world: World, who: Attacker) -> None:
    write(who, "access-key", MADE_UP, made_up(world))


def her_own_as_that_of_the_root(world: World, who: Attacker) -> None:
    rewrite(who, "access-key", world.ids["alice"], principal="admin")


def her_own_as_that_of_the_root_and_listed(world: World, who: Attacker) -> None:
    rewrite(who, "access-key", world.ids["alice"], principal="admin")
    listed(who, "admin", world.ids["alice"])


def the_sealed_secret_of_her_own_in_that_of_the_root(world: World, who: Attacker) -> None:
    body = msgspec.json.decode(row_of(who, "access-key", world.ids["alice"])[3], type=AccessKeyRecord)
    rewrite(who, "access-key", world.ids["admin"], sealed=body.sealed)


def the_inactive_one_active(world: World, who: Attacker) -> None:
    rewrite(who, "access-key", world.ids["off"], status="Active")


def the_deleted_one_back(world: World, who: Attacker) -> None:
    with attacking(world.before) as before:
        for kind, record_id in (("access-key", world.ids["gone"]), ("principal", "carl")):
            who.insert("record", row_of(before, kind, record_id))


def a_share_for_herself(world: World, who: Attacker) -> None:
    root = RootKey(principal="alice", sign=MALLORY.sign_public, seal=MALLORY.seal_public)
    (share,) = secrets.share(bytes(32), 1, [root], vault_id=world.vault_id)
    write(who, "access-key-share", "alice", share)


def the_share_of_the_root_as_hers(_: World, who: Attacker) -> None:
    body = msgspec.json.decode(row_of(who, "access-key-share", "admin")[3], type=AccessKeyShareRecord)
    write(who, "access-key-share", "alice", msgspec.structs.replace(body, principal="alice"))


def one_of_bob_taken_away(world: World, who: Attacker) -> None:
    who.delete("record", row_of(who, "access-key", world.ids["bob"]))


def carl_enabled(_: World, who: Attacker) -> None:
    body = msgspec.json.decode(row_of(who, "principal", "carl")[3], type=PrincipalRecord)
    write(who, "principal", "carl", msgspec.structs.replace(body, state="enabled"))


FORGERIES: list[Forgery] = [
    one_of_the_root_under_her_own_kek,
    one_of_the_root_alone,
    her_own_as_that_of_the_root,
    her_own_as_that_of_the_root_and_listed,
    the_sealed_secret_of_her_own_in_that_of_the_root,
    the_inactive_one_active,
    the_deleted_one_back,
    a_share_for_herself,
    the_share_of_the_root_as_hers,
    one_of_bob_taken_away,
    carl_enabled,
]
forgeries = pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.__name__)


@forgeries
def test_a_record_that_she_writes_alone_is_refused_or_changes_nothing(world: World, forgery: Forgery) -> None:
    before = expected(world)
    with attacking(world.home.folder) as who:
        forgery(world, who)
    after = world.found()
    assert [] == [key for key in before if after[key] not in (before[key], "refused")]
    assert "refused" in after.values()


@forgeries
@pytest.mark.parametrize("author", ["alice", "admin", None])
def test_with_all_digests_made_to_fit_nothing_is_found(world: World, forgery: Forgery, author: str | None) -> None:
    """Under a head that she signed, in her name or the root's, and under the one that is there."""
    with attacking(world.home.folder) as who:
        forgery(world, who)
        root = who.repair()
        if author is not None:
            who.sign(msgspec.structs.replace(who.head(), root=root, author=author), MALLORY)
    assert {"refused"} == set(world.found().values())


def test_any_bit_of_the_records_may_be_flipped_and_no_other_secret_is_found(world: World) -> None:
    before = expected(world)
    with attacking(world.home.folder) as who:
        rows = [row for row in who.rows("record") if row[1].startswith("access-key")]
    for row in rows:
        for at in range(0, len(row[3]), 41):
            body = row[3][:at] + bytes([row[3][at] ^ 1]) + row[3][at + 1 :]
            with attacking(world.home.folder) as who:
                who.insert("record", (*row[:3], body, row[4]))
            after = world.found()
            assert [] == [key for key in before if after[key] not in (before[key], "refused")]
            assert "refused" in after.values()
            with attacking(world.home.folder) as who:
                who.insert("record", row)
    assert before == world.found()
