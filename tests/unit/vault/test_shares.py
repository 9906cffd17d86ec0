"""Key material: bound to its vault, key, version and KEK, and named without telling anything."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats.record import KeyRecord, RootKey, ShareRecord, VersionRecord
from kmscli.vault import shares
from kmscli.vault.records import KeyGroup

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ALICE, BOB = Identity(b"a" * 32), Identity(b"b" * 32)
VAULT, OTHER = "00" * 16, "11" * 16
KEK, MATERIAL, SECRET = b"k" * 32, b"m" * 32, b"s" * 32
KEY = KeyRecord(
    key_id="key",
    created=NOW,
    description="",
    key_spec="SYMMETRIC_DEFAULT",
    key_usage="ENCRYPT_DECRYPT",
    origin="AWS_KMS",
    manager="CUSTOMER",
    state="Enabled",
    aliases=(),
    tags=(),
    current=1,
    kek=1,
)


def holder(name: str, who: Identity) -> RootKey:
    return RootKey(principal=name, sign=who.sign_public, seal=who.seal_public)


def sealed(**changes: Any) -> VersionRecord:
    members: dict[str, Any] = {"number": 1, "vault_id": VAULT, "vault_secret": SECRET, "rotation": None, "now": NOW}
    material = changes.pop("material", MATERIAL)
    key = changes.pop("key", KEY)
    return shares.seal_material(KEK, material, key, **(members | changes))


def group(*versions: VersionRecord, key: KeyRecord = KEY, held: tuple[ShareRecord, ...] = ()) -> KeyGroup:
    return KeyGroup(key, {version.number: version for version in versions}, {share.principal: share for share in held})


ALICE_SHARE, BOB_SHARE = shares.share(KEK, KEY, [holder("alice", ALICE), holder("bob", BOB)], vault_id=VAULT)


def test_each_holder_opens_the_kek_by_its_own_share() -> None:
    key = group(held=(ALICE_SHARE, BOB_SHARE))
    assert shares.open_share(key, "alice", ALICE, vault_id=VAULT) == KEK
    assert shares.open_share(key, "bob", BOB, vault_id=VAULT) == KEK


def test_who_has_no_share_opens_nothing() -> None:
    assert shares.open_share(group(held=(ALICE_SHARE,)), "bob", BOB, vault_id=VAULT) is None


def test_a_share_of_an_older_kek_is_none() -> None:
    renewed = msgspec.structs.replace(KEY, kek=2)
    assert shares.open_share(group(key=renewed, held=(ALICE_SHARE,)), "alice", ALICE, vault_id=VAULT) is None


@pytest.mark.parametrize(
    ("share", "who", "vault_id"),
    [
        (ALICE_SHARE, BOB, VAULT),
        (ALICE_SHARE, ALICE, OTHER),
        (msgspec.structs.replace(ALICE_SHARE, key_id="other"), ALICE, VAULT),
        (msgspec.structs.replace(BOB_SHARE, principal="alice"), ALICE, VAULT),
        (msgspec.structs.replace(BOB_SHARE, principal="alice"), BOB, VAULT),
    ],
    ids=["another identity", "another vault", "another key", "another's share", "renamed"],
)
def test_a_share_opens_for_its_holder_its_key_and_its_vault_only(
    share: ShareRecord, who: Identity, vault_id: str
) -> None:
    with pytest.raises(errors.SealBrokenError):
        shares.open_share(group(held=(share,)), "alice", who, vault_id=vault_id)


def test_material_opens_in_its_place() -> None:
    assert shares.open_material(KEK, group(sealed()), 1, vault_id=VAULT) == MATERIAL


def test_a_version_that_never_was_is_an_invalid_ciphertext() -> None:
    with pytest.raises(errors.InvalidCiphertextError):
        shares.open_material(KEK, group(sealed()), 2, vault_id=VAULT)


@pytest.mark.parametrize(
    ("kek", "key", "vault_id"),
    [
        (b"x" * 32, group(sealed()), VAULT),
        (KEK, group(sealed()), OTHER),
        (KEK, group(sealed(), key=msgspec.structs.replace(KEY, key_id="other")), VAULT),
        (KEK, group(sealed(), key=msgspec.structs.replace(KEY, kek=2)), VAULT),
        (KEK, group(msgspec.structs.replace(sealed(number=2), number=1)), VAULT),
    ],
    ids=["another KEK", "another vault", "another key", "another KEK number", "another version"],
)
def test_material_opens_nowhere_else(kek: bytes, key: KeyGroup, vault_id: str) -> None:
    with pytest.raises(errors.SealBrokenError):
        shares.open_material(kek, key, 1, vault_id=vault_id)


def test_a_material_id_tells_nothing_and_is_bound_to_key_and_vault() -> None:
    names = {
        sealed().material_id,
        sealed(material=b"n" * 32).material_id,
        sealed(key=msgspec.structs.replace(KEY, key_id="other")).material_id,
        sealed(vault_secret=b"t" * 32).material_id,
    }
    assert len(names) == 4
    assert sealed().material_id == sealed(number=2).material_id
    assert all(len(bytes.fromhex(name)) == 32 for name in names)


def test_the_vault_s_secret_opens_for_its_root() -> None:
    record = shares.seal_vault_secret(SECRET, holder("alice", ALICE), vault_id=VAULT)
    assert shares.open_vault_secret(record, ALICE, vault_id=VAULT) == SECRET
    for who, vault_id in ((BOB, VAULT), (ALICE, OTHER)):
        with pytest.raises(errors.SealBrokenError):
            shares.open_vault_secret(record, who, vault_id=vault_id)
