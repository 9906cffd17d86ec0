"""Key material: bound to its vault, key, version and KEK, and named without telling anything."""

from datetime import UTC, datetime

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats.record import KeyRecord, RootKey, ShareRecord, VersionRecord
from kmscli.vault import shares

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ALICE, BOB = Identity(b"a" * 32), Identity(b"b" * 32)
VAULT, OTHER = "00" * 16, "11" * 16
KEK, MATERIAL, SECRET = b"k" * 32, b"m" * 32, b"s" * 32
KEY = KeyRecord(
    key_id="key",
    created=NOW,
    key_spec="SYMMETRIC_DEFAULT",
    key_usage="ENCRYPT_DECRYPT",
    origin="AWS_KMS",
    manager="CUSTOMER",
    state="Enabled",
    current=1,
    kek=1,
)


def holder(name: str, who: Identity) -> RootKey:
    return RootKey(principal=name, sign=who.sign_public, seal=who.seal_public)


def sealed(number: int = 1) -> VersionRecord:
    material = shares.seal_material(KEK, MATERIAL, KEY, number=number, vault_id=VAULT)
    return VersionRecord(key_id=KEY.key_id, number=number, created=NOW, material_id="00", sealed=material)


ALICE_SHARE, BOB_SHARE = shares.share(KEK, KEY, [holder("alice", ALICE), holder("bob", BOB)], vault_id=VAULT)


def test_each_holder_opens_the_kek_by_its_own_share() -> None:
    assert shares.open_share(ALICE_SHARE, ALICE, vault_id=VAULT) == KEK
    assert shares.open_share(BOB_SHARE, BOB, vault_id=VAULT) == KEK


@pytest.mark.parametrize(
    ("share", "who", "vault_id"),
    [
        (ALICE_SHARE, BOB, VAULT),
        (ALICE_SHARE, ALICE, OTHER),
        (msgspec.structs.replace(ALICE_SHARE, key_id="other"), ALICE, VAULT),
        (msgspec.structs.replace(BOB_SHARE, principal="alice"), ALICE, VAULT),
        (msgspec.structs.replace(BOB_SHARE, principal="alice"), BOB, VAULT),
        (msgspec.structs.replace(ALICE_SHARE, kek=2), ALICE, VAULT),
    ],
    ids=["another identity", "another vault", "another key", "another's share", "renamed", "of an older KEK"],
)
def test_a_share_opens_for_its_holder_its_key_and_its_vault_only(
    share: ShareRecord, who: Identity, vault_id: str
) -> None:
    with pytest.raises(errors.SealBrokenError):
        shares.open_share(share, who, vault_id=vault_id)


def test_material_opens_in_its_place() -> None:
    assert shares.open_material(KEK, KEY, sealed(), vault_id=VAULT) == MATERIAL


@pytest.mark.parametrize(
    ("kek", "key", "version", "vault_id"),
    [
        (b"x" * 32, KEY, sealed(), VAULT),
        (KEK, KEY, sealed(), OTHER),
        (KEK, msgspec.structs.replace(KEY, key_id="other"), sealed(), VAULT),
        (KEK, msgspec.structs.replace(KEY, kek=2), sealed(), VAULT),
        (KEK, KEY, msgspec.structs.replace(sealed(2), number=1), VAULT),
        (KEK, KEY, msgspec.structs.replace(sealed(), sealed=b""), VAULT),
    ],
    ids=["another KEK", "another vault", "another key", "another KEK number", "another version", "none"],
)
def test_material_opens_nowhere_else(kek: bytes, key: KeyRecord, version: VersionRecord, vault_id: str) -> None:
    with pytest.raises(errors.SealBrokenError):
        shares.open_material(kek, key, version, vault_id=vault_id)


def test_a_material_id_tells_nothing_and_is_bound_to_key_and_vault() -> None:
    names = {
        shares.material_id(SECRET, "key", MATERIAL),
        shares.material_id(SECRET, "key", b"n" * 32),
        shares.material_id(SECRET, "other", MATERIAL),
        shares.material_id(b"t" * 32, "key", MATERIAL),
    }
    assert len(names) == 4
    assert shares.material_id(SECRET, "key", MATERIAL) == shares.material_id(SECRET, "key", MATERIAL)
    assert all(len(bytes.fromhex(name)) == 32 for name in names)


def test_the_vault_s_secret_opens_for_its_root() -> None:
    record = shares.seal_vault_secret(SECRET, holder("alice", ALICE), vault_id=VAULT)
    assert shares.open_vault_secret(record, ALICE, vault_id=VAULT) == SECRET
    for who, vault_id in ((BOB, VAULT), (ALICE, OTHER)):
        with pytest.raises(errors.SealBrokenError):
            shares.open_vault_secret(record, who, vault_id=vault_id)
