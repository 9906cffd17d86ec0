"""Heads, root sets and slots made by somebody who holds no identity of the vault's roots.

Mallory writes any bytes into the vault, computes every hash, and signs with a key of her own. Nothing that she makes is
used, and no line in the name of the holder is written into her log.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto import eddsa, identity
from kmscli.crypto.identity import Identity
from kmscli.formats import head as heads
from kmscli.formats import record, slot
from kmscli.formats.head import Head
from kmscli.formats.record import (
    GrantRecord,
    KeyRecord,
    PolicyRecord,
    PrincipalRecord,
    RootKey,
    RootSet,
    VersionRecord,
)
from kmscli.formats.slot import Kdf, Slot
from kmscli.service import vaults
from kmscli.vault.secrets import Secret
from tests.faults import samples
from tests.faults.attacker import Attacker, Values, attacking, rows_of
from tests.faults.samples import DAMAGED, Sample

MALLORY = Identity(bytes([13]) * 32)
WITHOUT_SECRET = {"slots", "status"}

Forgery = Callable[[Attacker, Sample], Head]


def find(who: Attacker, kind: str, record_id: str) -> Values:
    return next(row for row in who.rows("record") if row[1:3] == (kind, record_id))


def rewrite(who: Attacker, kind: str, record_id: str, body: record.Record) -> None:
    who.insert("record", (record.group_of(kind, record_id), kind, record_id, record.encode(body), b""))


def enable_the_disabled_key(who: Attacker, sample: Sample) -> Head:
    key = record.decode(find(who, "key", sample.keys["off"])[3], KeyRecord)
    rewrite(who, "key", key.key_id, msgspec.structs.replace(key, state="Enabled"))
    return who.head()


def let_everybody_use_a_key(who: Attacker, sample: Sample) -> Head:
    key_id = sample.keys["app"]
    rewrite(who, "policy", key_id, PolicyRecord(key_id=key_id, document=samples.policy("mine").replace("root", "*")))
    return who.head()


def take_the_policy_of_a_key_away(who: Attacker, sample: Sample) -> Head:
    who.delete("record", find(who, "policy", sample.keys["app"]))
    return who.head()


def the_grant(who: Attacker) -> GrantRecord:
    (row,) = (row for row in who.rows("record") if row[1] == "grant")
    return record.decode(row[3], GrantRecord)


def widen_a_grant(who: Attacker, _: Sample) -> Head:
    grant = msgspec.structs.replace(the_grant(who), operations=("Decrypt", "CreateGrant"), context_subset=None)
    rewrite(who, "grant", f"{grant.key_id}/{grant.grant_id}", grant)
    return who.head()


def take_a_grant_away(who: Attacker, _: Sample) -> Head:
    grant = the_grant(who)
    who.delete("record", find(who, "grant", f"{grant.key_id}/{grant.grant_id}"))
    return who.head()


def add_a_grant(who: Attacker, _: Sample) -> Head:
    grant = msgspec.structs.replace(the_grant(who), grant_id="ab" * 32)
    rewrite(who, "grant", f"{grant.key_id}/{grant.grant_id}", grant)
    return who.head()


def grant_another_key(who: Attacker, sample: Sample) -> Head:
    grant = msgspec.structs.replace(the_grant(who), key_id=sample.keys["spare"])
    rewrite(who, "grant", f"{grant.key_id}/{grant.grant_id}", grant)
    return who.head()


def move_a_grant_to_another_key(who: Attacker, sample: Sample) -> Head:
    grant_another_key(who, sample)
    grant = next(row for row in who.rows("record") if row[1] == "grant" and sample.keys["app"] in row[2])
    who.delete("record", grant)
    return who.head()


def put_an_older_record_back(who: Attacker, sample: Sample, *where: str) -> Head:
    (row,) = (row for row in rows_of(sample.earlier, "record") if row[1:3] == where)
    who.insert("record", row)
    return who.head()


def put_deleted_material_back(who: Attacker, sample: Sample) -> Head:
    return put_an_older_record_back(who, sample, "version", f"{sample.keys['brought']}/00000001")


def put_the_older_policy_back(who: Attacker, sample: Sample) -> Head:
    return put_an_older_record_back(who, sample, "policy", sample.keys["app"])


def put_a_revoked_grant_back(who: Attacker, sample: Sample) -> Head:
    kept = the_grant(who).grant_id
    (row,) = (row for row in rows_of(sample.earlier, "record") if row[1] == "grant" and kept not in row[2])
    who.insert("record", row)
    return who.head()


def put_her_own_public_key_in_place(who: Attacker, sample: Sample) -> Head:
    name = f"{sample.keys['pair']}/00000001"
    version = record.decode(find(who, "version", name)[3], VersionRecord)
    rewrite(who, "version", name, msgspec.structs.replace(version, public=eddsa.generate("").public))
    return who.head()


def take_a_public_key_away(who: Attacker, sample: Sample) -> Head:
    name = f"{sample.keys['pair']}/00000001"
    version = record.decode(find(who, "version", name)[3], VersionRecord)
    rewrite(who, "version", name, msgspec.structs.replace(version, public=b""))
    return who.head()


def count_other_keys(who: Attacker, _: Sample) -> Head:
    head = who.head()
    return msgspec.structs.replace(head, keys=head.keys - 1)


def take_the_place_of_the_root(who: Attacker, sample: Sample) -> Head:
    admin = record.decode(find(who, "principal", "admin")[3], PrincipalRecord)
    stolen = msgspec.structs.replace(admin, sign=MALLORY.sign_public, seal=MALLORY.seal_public)
    rewrite(who, "principal", "admin", stolen)
    return enable_the_disabled_key(who, sample)


def be_author(who: Attacker, sample: Sample) -> Head:
    return msgspec.structs.replace(enable_the_disabled_key(who, sample), author="mallory")


def first_set(who: Attacker) -> RootSet:
    return record.decode(find(who, "roots", "1")[3], RootSet)


def mallory() -> RootKey:
    return RootKey(principal="mallory", sign=MALLORY.sign_public, seal=MALLORY.seal_public)


def second_set(who: Attacker, signer: str) -> Head:
    roots = first_set(who)
    following = RootSet(vault_id=roots.vault_id, number=2, roots=(*roots.roots, mallory()), signer=signer)
    signature = MALLORY.sign(heads.root_set_bytes(record.encode(following)))
    rewrite(who, "roots", "2", msgspec.structs.replace(following, signature=signature))
    return msgspec.structs.replace(who.head(), author="mallory", roots=2)


def join_the_roots_in_her_own_name(who: Attacker, sample: Sample) -> Head:
    enable_the_disabled_key(who, sample)
    return second_set(who, "mallory")


def join_the_roots_in_the_name_of_the_root(who: Attacker, sample: Sample) -> Head:
    enable_the_disabled_key(who, sample)
    return second_set(who, "admin")


def join_the_first_set(who: Attacker, sample: Sample) -> Head:
    enable_the_disabled_key(who, sample)
    roots = first_set(who)
    rewrite(who, "roots", "1", msgspec.structs.replace(roots, roots=(*roots.roots, mallory())))
    return msgspec.structs.replace(who.head(), author="mallory")


def be_the_first_set(who: Attacker, sample: Sample) -> Head:
    take_the_place_of_the_root(who, sample)
    roots = first_set(who)
    own = RootKey(principal="admin", sign=MALLORY.sign_public, seal=MALLORY.seal_public)
    rewrite(who, "roots", "1", msgspec.structs.replace(roots, roots=(own,)))
    return who.head()


def add_a_second_first_set(who: Attacker, sample: Sample) -> Head:
    enable_the_disabled_key(who, sample)
    roots = first_set(who)
    own = RootKey(principal="admin", sign=MALLORY.sign_public, seal=MALLORY.seal_public)
    rewrite(who, "roots", "01", msgspec.structs.replace(roots, roots=(own,)))
    return who.head()


FORGERIES = [
    enable_the_disabled_key,
    let_everybody_use_a_key,
    take_the_policy_of_a_key_away,
    widen_a_grant,
    take_a_grant_away,
    add_a_grant,
    grant_another_key,
    move_a_grant_to_another_key,
    put_deleted_material_back,
    put_the_older_policy_back,
    put_a_revoked_grant_back,
    put_her_own_public_key_in_place,
    take_a_public_key_away,
    count_other_keys,
    take_the_place_of_the_root,
    be_author,
    join_the_roots_in_her_own_name,
    join_the_roots_in_the_name_of_the_root,
    join_the_first_set,
    be_the_first_set,
    add_a_second_first_set,
]


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("generations", [0, 1])
def test_a_head_that_no_root_signed_is_refused(sample: Sample, copy: Path, forgery: Forgery, generations: int) -> None:
    forge(sample, copy, forgery, generations)
    log = (copy / "audit" / "00000001.jsonl").read_bytes()
    shutil.rmtree(copy.parent / "state")
    found = samples.answers(sample, copy)
    asked = found.keys() - WITHOUT_SECRET
    assert {"VaultTampered"} == {code(found[question]) for question in asked}
    assert log == (copy / "audit" / "00000001.jsonl").read_bytes()


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_makes_another_state_of_what_the_head_tells(sample: Sample, copy: Path, forgery: Forgery) -> None:
    with attacking(copy) as who:
        before = who.head()
        forged = msgspec.structs.replace(forgery(who, sample), root=who.repair())
    assert forged != before


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_under_the_head_that_a_root_signed_is_refused_or_changes_no_answer(
    sample: Sample, copy: Path, forgery: Forgery
) -> None:
    with attacking(copy) as who:
        forgery(who, sample)
    assert [] == samples.violations(sample, samples.answers(sample, copy))


@pytest.mark.parametrize("forgery", FORGERIES)
def test_status_shows_another_root_fingerprint_or_refuses_a_head_that_no_root_signed(
    sample: Sample, copy: Path, forgery: Forgery
) -> None:
    forge(sample, copy, forgery, 0)
    with_pin = samples.answers(sample, copy)["status"]
    shutil.rmtree(copy.parent / "state")
    without_pin = samples.answers(sample, copy)["status"]
    assert samples.is_refusal(with_pin)
    if not samples.is_refusal(without_pin):
        assert forgery in (join_the_first_set, be_the_first_set)
        assert without_pin["RootFingerprint"] != sample.opened.fingerprint.hex()  # type: ignore[index]


def forge(sample: Sample, folder: Path, forgery: Forgery, generations: int) -> None:
    with attacking(folder) as who:
        forged = forgery(who, sample)
        generation = forged.generation + generations
        who.sign(msgspec.structs.replace(forged, root=who.repair(), generation=generation), MALLORY)


def code(answer: object) -> str:
    return answer.code if isinstance(answer, errors.KmsError) else repr(answer)


# -- slots -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("same_id", [False, True])
def test_a_vault_rebuilt_around_a_stolen_slot_is_refused(sample: Sample, workplace: Path, same_id: bool) -> None:  # noqa: FBT001
    trap = workplace / "vault"
    vault_id = bytes.fromhex(sample.opened.vault_id)

    def rng(count: int) -> bytes:
        return vault_id if same_id and count == slot.VAULT_ID_BYTES else os.urandom(count)

    request = vaults.InitRequest(trap, None, workplace / "mallory.key", kdf_memory_mib=samples.CHEAPEST_MIB)
    vaults.init_vault(request, clock=samples.now, rng=rng)
    with attacking(trap) as who:
        for row in who.rows("slot"):
            who.delete("slot", row)
        for row in rows_of(sample.folder, "slot"):
            who.insert("slot", row)
    log = (trap / "audit" / "00000001.jsonl").read_bytes()
    found = samples.answers(sample, trap)
    assert {"VaultTampered"} == {code(found[question]) for question in found.keys() - WITHOUT_SECRET}
    assert log == (trap / "audit" / "00000001.jsonl").read_bytes()


def test_a_slot_with_another_seed_sealed_to_it_is_refused(sample: Sample, copy: Path) -> None:
    def other_seed(found: Slot) -> Slot:
        context = slot.seed_context(found.slot_id, found.principal, sample.opened.vault_id)
        return msgspec.structs.replace(found, seed=identity.seal_to(found.public, MALLORY.seed, context=context))

    edit_slots(copy, other_seed)
    found = samples.answers(sample, copy)
    assert {"VaultTampered"} == {code(found[question]) for question in found.keys() - WITHOUT_SECRET}


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33), bytes(1000)])
def test_a_seed_of_another_length_is_refused(sample: Sample, copy: Path, seed: bytes) -> None:
    def other_seed(found: Slot) -> Slot:
        context = slot.seed_context(found.slot_id, found.principal, sample.opened.vault_id)
        return msgspec.structs.replace(found, seed=identity.seal_to(found.public, seed, context=context))

    edit_slots(copy, other_seed)
    found = samples.answers(sample, copy)
    assert {"VaultTampered"} == {code(found[question]) for question in found.keys() - WITHOUT_SECRET}


MEMBERS: dict[str, list[object]] = {
    "slot_id": ["00000000", "", "\0", "x" * 5000],
    "principal": ["mallory", "", "\0", "x" * 5000],
    "kind": ["keyfile", "passphrase"],
    "kdf": [
        None,
        Kdf(memory_kib=0, passes=1, lanes=1),
        Kdf(memory_kib=8 * 1024, passes=0, lanes=0),
        Kdf(memory_kib=8 * 1024, passes=-1, lanes=-1),
        Kdf(memory_kib=8 * 1024, passes=3, lanes=65),
        Kdf(memory_kib=2**31, passes=1, lanes=1),
        Kdf(memory_kib=2**70, passes=2**70, lanes=2**70),
        Kdf(memory_kib=8 * 1024, passes=1, lanes=1),
    ],
    "salt": [b"", b"\0", bytes(15), bytes(16), bytes(17), bytes(5000)],
    "public": [b"", bytes(1215), bytes(1216), MALLORY.seal_public, bytes(5000)],
    "anchor": [b"", bytes(16), bytes(71), bytes(72), bytes(120), bytes(50_000)],
    "seed": [b"", bytes(16), bytes(1135), bytes(1136), bytes(1168), bytes(50_000)],
}


@pytest.mark.parametrize("member", MEMBERS)
def test_a_changed_slot_whose_checksum_fits_is_refused_or_changes_no_answer(
    sample: Sample, copy: Path, member: str
) -> None:
    for value in MEMBERS[member]:
        shutil.copyfile(sample.folder / "vault.db", copy / "vault.db")
        edit_slots(copy, lambda found, value=value: msgspec.structs.replace(found, **{member: value}))
        for secret in (sample.secret(), Secret.passphrase(samples.PASSPHRASE)):
            found = samples.answers(sample, copy, secret)
            asked = {question: found[question] for question in found.keys() - WITHOUT_SECRET}
            # A slot of nobody known is nobody's slot; without an intact check nobody can tell which it was.
            allowed = DAMAGED | {"WrongSecret", "PrincipalNotFound"}
            assert [] == samples.violations(sample, asked, allowed), (member, value)


def test_more_slots_than_kms_makes_do_not_keep_the_holder_waiting(sample: Sample, copy: Path) -> None:
    with attacking(copy) as who:
        genuine = [slot.decode(body) for _, body in who.rows("slot")]
        spoken = next(found for found in genuine if found.kind == "passphrase")
        for number in range(200):
            name = f"{number:08x}"
            who.insert("slot", (name, slot.encode(msgspec.structs.replace(spoken, slot_id=name))))
    found = samples.answers(sample, copy, Secret.passphrase(b"wrong"))
    assert {"VaultTampered"} == {code(found[question]) for question in found.keys() - WITHOUT_SECRET}


def edit_slots(folder: Path, change: Callable[[Slot], Slot]) -> None:
    """Change every slot, checksum included; its row keeps its id."""
    with attacking(folder) as who:
        for slot_id, body in who.rows("slot"):
            who.insert("slot", (slot_id, slot.encode(change(slot.decode(body)))))
