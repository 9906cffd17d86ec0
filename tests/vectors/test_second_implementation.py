"""What is random in kms, against the second implementation of `spec.py`: derivations, identities, sealing to a key.

The vectors are the same in every run; here the inputs are drawn.
"""

import hmac
import os
from datetime import UTC, datetime
from hashlib import sha512

import pytest
from cryptography.exceptions import InvalidTag

from kmscli import errors
from kmscli.crypto import identity, kdf, registry
from kmscli.crypto.identity import Identity, SealingKey
from kmscli.crypto.keypair import Pair
from kmscli.formats import importtoken, keyfile
from kmscli.formats.record import AccessKeyRecord
from kmscli.formats.wire import label
from kmscli.vault import accesskeys, shares
from tests.vectors import pairs, spec


def expand_by_hmac(secret: bytes, info: bytes, blocks: int) -> bytes:
    """T(1), T(2), ... of RFC 5869, section 2.3, each from HMAC-SHA-512 of the one before."""
    made = [b""]
    for number in range(1, blocks + 1):
        made.append(hmac.new(secret, made[-1] + info + bytes((number,)), sha512).digest())
    return b"".join(made)


@pytest.mark.parametrize("length", [1, 32, 63, 64, 65, 128, 200, 255 * 64])
def test_expand_is_the_one_of_rfc_5869(length: int) -> None:
    secret, info = os.urandom(32), os.urandom(length % 50)
    expected = expand_by_hmac(secret, info, 255)[:length]
    assert kdf.expand(secret, info, length) == expected
    assert spec.expand(secret, info, length) == expected


def test_expand_gives_the_known_answer_of_rfc_5869_with_its_hash() -> None:
    # Appendix A.1: the second implementation takes SHA-256 too, for HPKE.
    pseudorandom = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert spec.expand(pseudorandom, bytes(range(0xF0, 0xFA)), 42, "sha256").hex() == expected


@pytest.mark.parametrize("number", range(5))
def test_both_derive_the_same_identity(number: int) -> None:
    seed = os.urandom(32)
    ours, theirs = Identity(seed), spec.Principal(seed)
    assert (ours.sign_public, ours.seal_public) == (theirs.sign_public, theirs.sealing.public)
    assert ours.sign(b"message") == theirs.sign(b"message")


@pytest.mark.parametrize("number", range(5))
def test_both_derive_the_same_pair_for_a_slot(number: int) -> None:
    secret, salt = os.urandom(32), os.urandom(16)
    ours = SealingKey(secret, label("slot-seal", salt))
    assert ours.public == spec.slot_pair(secret, salt).public


@pytest.mark.parametrize("size", [0, 1, 32, 5000])
def test_each_opens_what_the_other_seals_to_a_public_key(size: int) -> None:
    seed, plaintext, context = os.urandom(32), os.urandom(size), os.urandom(20)
    ours, theirs = Identity(seed), spec.Principal(seed)
    sealed = identity.seal_to(ours.seal_public, plaintext, context=context)
    assert len(sealed) == 1120 + size + 16
    assert spec.open_sealed(theirs.sealing, context, sealed) == plaintext
    assert ours.open(spec.seal_to(theirs.sealing.public, context, plaintext), context=context) == plaintext


def test_neither_opens_what_the_other_sealed_in_another_context() -> None:
    seed = os.urandom(32)
    ours, theirs = Identity(seed), spec.Principal(seed)
    with pytest.raises(InvalidTag):
        spec.open_sealed(theirs.sealing, b"b", identity.seal_to(ours.seal_public, b"plaintext", context=b"a"))
    with pytest.raises(errors.SealBrokenError):
        ours.open(spec.seal_to(theirs.sealing.public, b"a", b"plaintext"), context=b"b")


def test_both_write_the_same_keyfile() -> None:
    secret = os.urandom(32)
    assert keyfile.encode(secret) == spec.keyfile(secret).encode() + b"\n"


def test_both_bind_a_share_and_a_material_to_the_same_context() -> None:
    vault_id, key_id = os.urandom(16).hex(), "mrk-" + os.urandom(16).hex()
    assert shares._share_context(vault_id, key_id, "bob", 7) == spec.share_context(vault_id, key_id, "bob", 7)
    assert shares._material_context(vault_id, key_id, 3, 7) == spec.material_context(vault_id, key_id, 3, 7)


def test_both_bind_an_access_key_and_its_shares_to_the_same_context() -> None:
    vault_id, key_id = os.urandom(16).hex(), accesskeys.new_id(os.urandom)
    found = AccessKeyRecord(
        access_key_id=key_id, principal="bob", status="Active", created=datetime.now(UTC), kek=7, sealed=b""
    )
    assert accesskeys._secret_context(vault_id, found) == spec.access_key_context(vault_id, key_id, "bob", 7)
    assert accesskeys._share_context(vault_id, "bob", 7) == spec.access_key_share_context(vault_id, "bob", 7)


def test_both_bind_an_import_token_to_the_same_context() -> None:
    vault_id, key_id = os.urandom(16).hex(), "mrk-" + os.urandom(16).hex()
    assert importtoken.context(vault_id, key_id) == spec.token_context(vault_id, key_id)


@pytest.mark.parametrize(("key_spec", "size"), [("ECC_NIST_P256", 31), ("ECC_SECG_P256K1", 31), ("ECC_NIST_P521", 65)])
def test_both_encode_the_same_key_on_a_curve(key_spec: str, size: int) -> None:
    theirs = pairs.curve(key_spec, int.from_bytes(os.urandom(size), "big"))
    for other in (theirs.private, *theirs.others.values()):
        assert registry.read_private(key_spec, other) == Pair(theirs.private, theirs.public)


@pytest.mark.parametrize(("key_spec", "size"), [("ML_DSA_65", 32), ("ML_KEM_768", 64)])
def test_both_encode_the_same_key_of_a_seed(key_spec: str, size: int) -> None:
    theirs = pairs.lattice(key_spec, os.urandom(size))
    assert registry.read_private(key_spec, theirs.private) == Pair(theirs.private, theirs.public)
