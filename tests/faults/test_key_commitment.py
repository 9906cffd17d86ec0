"""One ciphertext that opens under two keys: easy to make for AES-GCM, and of no use in a blob.

AES-GCM's tag is a polynomial in a value that the key gives, so one block of ciphertext can be chosen such that the tags
under two keys agree (Dodis, Grubbs, Ristenpart, Woodage: "Fast Message Franking", CRYPTO 2018). Here the two
keys are those that C2SP chunked-encryption derives from the material of two versions of a key: nothing but the
commitment in the sealed part can refuse the result.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from kmscli import errors
from kmscli.formats import blob, context
from kmscli.service import materials
from kmscli.service.context import Call, Context
from tests.faults import samples
from tests.faults.samples import Sample

SALT = bytes(24)
ONE_BLOCK = 16


class Derived(NamedTuple):
    """What chunked-encryption makes of a key, a salt and a context."""

    key: bytes
    nonce: bytes
    commitment: bytes


@pytest.fixture
def unlocked(sample: Sample, copy: Path) -> Iterator[Context]:
    with samples.unlocked(copy, sample.secret()) as context:
        yield context


def test_a_collision_of_two_aes_gcm_keys_opens_under_one_version_of_a_key_only(
    sample: Sample, unlocked: Context
) -> None:
    key_id = sample.keys["app"]
    headers = [blob.header(key_id, version) for version in (1, 2)]
    first, second = (
        derive(material(unlocked, key_id, version), header) for version, header in zip((1, 2), headers, strict=True)
    )
    forged = collision(first, second)

    plaintexts = [AESGCM(keys.key).decrypt(keys.nonce, forged, None) for keys in (first, second)]
    assert plaintexts[0] != plaintexts[1]
    for header, keys, plaintext in zip(headers, (first, second), plaintexts, strict=True):
        opened = samples.ask(unlocked, "Decrypt", CiphertextBlob=header + SALT + keys.commitment + forged)
        assert plaintext == opened["Plaintext"]

    for header, keys in zip(headers, (second, first), strict=True):
        with pytest.raises(errors.InvalidCiphertextError):
            samples.ask(unlocked, "Decrypt", CiphertextBlob=header + SALT + keys.commitment + forged)


def material(unlocked: Context, key_id: str, version: int) -> bytes:
    with unlocked.session.read() as records:
        call = Call(unlocked, "Decrypt", records, samples.now())
        key = call.find(key_id)
        return materials.open_version(call, key, materials.version_of(key, version))


def derive(secret: bytes, header: bytes) -> Derived:
    """C2SP chunked-encryption, "Key derivation", for a blob without encryption context."""
    sealing_context = blob.sealing_context(header, context.canonical(None))
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + SALT + sealing_context
    derived = HKDFExpand(SHA512(), 32 + 12 + 32, info).derive(secret)
    return Derived(derived[:32], derived[32:44], derived[44:])


def collision(first: Derived, second: Derived) -> bytes:
    """A block of ciphertext and its tag that hold under both keys with their nonces.

    With the block c, its length l, and a key's hash key h and mask m, the tag is c*h^2 + l*h + m (NIST SP 800-38D).
    Equal tags: c = (l*(h1 + h2) + m1 + m2) / (h1 + h2)^2, since squaring is linear here.
    """
    length = number((8 * ONE_BLOCK).to_bytes(16, "big"))
    hashes = [number(aes(keys.key, bytes(16))) for keys in (first, second)]
    masks = [number(aes(keys.key, keys.nonce + bytes([0, 0, 0, 1]))) for keys in (first, second)]
    apart = hashes[0] ^ hashes[1]
    chosen = times(times(length, apart) ^ masks[0] ^ masks[1], inverse(times(apart, apart)))
    tag = times(times(chosen, hashes[0]) ^ length, hashes[0]) ^ masks[0]
    return chosen.to_bytes(16, "big") + tag.to_bytes(16, "big")


def number(block: bytes) -> int:
    return int.from_bytes(block, "big")


def aes(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)  # noqa: S305 - the bare permutation


def times(left: int, right: int) -> int:
    """The product in GCM's field: the first bit of a block is its lowest power."""
    product = 0
    for shift in reversed(range(128)):
        product ^= right if left >> shift & 1 else 0
        right = right >> 1 ^ (0xE1 << 120 if right & 1 else 0)
    return product


def inverse(value: int) -> int:
    """value^(2^128 - 2)."""
    result = 1 << 127
    for _ in range(127):
        value = times(value, value)
        result = times(result, value)
    return result
