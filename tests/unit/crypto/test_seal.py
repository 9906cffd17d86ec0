"""Sealing: what opens, what does not, and that no ciphertext opens under two keys."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscli import errors
from kmscli.crypto import seal

KEY = bytes(range(32))
SEALED = seal.seal(KEY, b"plaintext", context=b"context")
CHUNK = 16 * 1024


@pytest.mark.parametrize("size", [0, 1, 32, 4096, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_is_sealed_opens(size: int) -> None:
    sealed = seal.seal(KEY, b"x" * size, context=b"")
    assert seal.unseal(KEY, sealed, context=b"") == b"x" * size
    assert len(sealed) == 56 + size + 16 * (size // CHUNK + 1)


def test_nothing_is_sealed_twice_alike() -> None:
    assert seal.seal(KEY, b"plaintext", context=b"context") != SEALED


def test_another_key_opens_nothing() -> None:
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(bytes(32), SEALED, context=b"context")


@pytest.mark.parametrize("context", [b"", b"contex", b"context\0"])
def test_another_context_opens_nothing(context: bytes) -> None:
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(KEY, SEALED, context=context)


@pytest.mark.parametrize("place", range(len(SEALED)))
def test_a_changed_bit_opens_nothing(place: int) -> None:
    changed = bytearray(SEALED)
    changed[place] ^= 0x80
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(KEY, bytes(changed), context=b"context")


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_a_cut_opens_nothing(length: int) -> None:
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(KEY, SEALED[:length], context=b"context")


@pytest.mark.parametrize("length", [CHUNK + 72, 2 * CHUNK + 88, 56, CHUNK + 73])
def test_a_long_one_cut_between_chunks_opens_nothing(length: int) -> None:
    sealed = seal.seal(KEY, b"x" * (3 * CHUNK), context=b"")
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(KEY, sealed[:length], context=b"")


def test_swapped_chunks_open_nothing() -> None:
    sealed = seal.seal(KEY, b"x" * (3 * CHUNK), context=b"")
    head, first, second, rest = sealed[:56], sealed[56 : CHUNK + 72], sealed[CHUNK + 72 : 2 * CHUNK + 88], sealed[-16:]
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(KEY, head + second + first + rest, context=b"")


def test_a_ciphertext_that_opens_under_two_keys_is_refused_here() -> None:
    # AES-GCM alone does not commit to its key: a few lines of arithmetic give one ciphertext and tag that open under
    # two keys (Len, Grubbs, Ristenpart: "Partitioning Oracle Attacks"). Sealed bytes carry a commitment before it.
    first, second = bytes([1]) * 32, bytes([2]) * 32
    nonce = bytes(12)
    forged = opens_under_both(first, second, nonce)
    assert AESGCM(first).decrypt(nonce, forged, None) != AESGCM(second).decrypt(nonce, forged, None)

    for key in (first, second):
        for prefix in (bytes(56), SEALED[:56], seal.seal(first, b"", context=b"")[:56]):
            with pytest.raises(errors.SealBrokenError):
                seal.unseal(key, prefix + forged, context=b"")


def opens_under_both(first: bytes, second: bytes, nonce: bytes) -> bytes:
    """One ciphertext block, chosen so that the GHASH tags under both keys agree, and that tag."""
    # One block c and the length block l: tag = c*H^2 + l*H + E(J0). Equal tags: c = (l*(H1+H2) + E1+E2) / (H1^2+H2^2).
    hash_keys, masks = [], []
    for key in (first, second):
        cipher = AESGCM(key)
        hash_key = block(key, bytes(16))
        mask = block(key, nonce + b"\0\0\0\1")
        hash_keys.append(hash_key)
        masks.append(mask)
        assert len(cipher.encrypt(nonce, b"", None)) == 16
    length = 128
    numerator = product(length, hash_keys[0] ^ hash_keys[1]) ^ masks[0] ^ masks[1]
    denominator = product(hash_keys[0], hash_keys[0]) ^ product(hash_keys[1], hash_keys[1])
    chosen = product(numerator, inverse(denominator))
    tag = product(product(chosen, hash_keys[0]) ^ length, hash_keys[0]) ^ masks[0]
    return chosen.to_bytes(16, "big") + tag.to_bytes(16, "big")


def block(key: bytes, data: bytes) -> int:
    """One AES block."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - one raw block is what is wanted
    return int.from_bytes(encryptor.update(data), "big")


def product(left: int, right: int) -> int:
    """Multiplication in GF(2^128) as GCM spells it: NIST SP 800-38D, section 6.3."""
    result = 0
    for bit in range(127, -1, -1):
        if left >> bit & 1:
            result ^= right
        right = right >> 1 ^ (0xE1 << 120 if right & 1 else 0)
    return result


def inverse(value: int) -> int:
    """The inverse, by Fermat: value ** (2^128 - 2)."""
    result, square = 1 << 127, value
    for _ in range(127):
        square = product(square, square)
        result = product(result, square)
    return result
