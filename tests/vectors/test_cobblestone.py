"""Sealing is C2SP chunked-encryption: a reader and a writer of thirty lines agree with ours, chunk by chunk.

Written from C2SP's chunked-encryption.md with HKDF-Expand and AES-256-GCM alone; the names are those of that page.
`spec.py` has a third one, whose HKDF-Expand is made of HMAC, for the vectors.
"""

import os

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from kmscli import errors
from kmscli.crypto import seal
from tests.vectors import spec

CHUNK = 16 * 1024
TAG = 16
SIZES = [0, 1, 32, 4096, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 40_000, 5 * CHUNK + 7]
KEY = bytes(range(32))
CONTEXT = b"context"
SALT = bytes(range(24))


def derive(input_key: bytes, salt: bytes, context: bytes) -> tuple[AESGCM, int, bytes]:
    """Key (as a cipher), base nonce (as a number) and commitment."""
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context
    derived = HKDFExpand(SHA512(), 76, info).derive(input_key)
    return AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big"), derived[44:]


def encrypt(input_key: bytes, context: bytes, message: bytes, salt: bytes) -> bytes:
    aead, base_nonce, commitment = derive(input_key, salt, context)
    ciphertext = salt + commitment
    for number in range(len(message) // CHUNK + 1):
        chunk = message[number * CHUNK : (number + 1) * CHUNK]
        ciphertext += aead.encrypt((base_nonce ^ number).to_bytes(12, "big"), chunk, b"")
    return ciphertext


def decrypt(input_key: bytes, context: bytes, ciphertext: bytes) -> bytes:
    aead, base_nonce, commitment = derive(input_key, ciphertext[:24], context)
    if commitment != ciphertext[24:56]:
        raise ValueError("commitment")
    message, number, rest = b"", 0, ciphertext[56:]
    while len(rest) >= CHUNK + TAG:
        message += aead.decrypt((base_nonce ^ number).to_bytes(12, "big"), rest[: CHUNK + TAG], b"")
        number, rest = number + 1, rest[CHUNK + TAG :]
    return message + aead.decrypt((base_nonce ^ number).to_bytes(12, "big"), rest, b"")


@pytest.mark.parametrize("size", SIZES)
def test_another_reader_opens_what_we_seal(size: int) -> None:
    message = os.urandom(size)
    sealed = seal.seal(KEY, message, context=CONTEXT)
    assert decrypt(KEY, CONTEXT, sealed) == message
    assert spec.unseal(KEY, CONTEXT, sealed) == message


@pytest.mark.parametrize("size", SIZES)
def test_we_open_what_another_writer_seals(size: int) -> None:
    message = os.urandom(size)
    sealed = encrypt(KEY, CONTEXT, message, SALT)
    assert seal.unseal(KEY, sealed, context=CONTEXT) == message
    assert sealed == spec.seal(KEY, CONTEXT, message, salt=SALT)


@pytest.mark.parametrize("size", SIZES)
def test_the_same_salt_gives_the_same_bytes(size: int) -> None:
    sealed = seal.seal(KEY, bytes(size), context=CONTEXT)
    assert encrypt(KEY, CONTEXT, bytes(size), sealed[:24]) == sealed


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_whole_chunks_without_a_short_one_are_a_cut(chunks: int) -> None:
    # Each chunk is authentic; what is missing is the end of the message.
    cut = encrypt(KEY, CONTEXT, bytes(3 * CHUNK), SALT)[: 56 + chunks * (CHUNK + TAG)]
    with pytest.raises(InvalidTag):
        decrypt(KEY, CONTEXT, cut)
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(KEY, cut, context=CONTEXT)


def test_a_full_last_chunk_is_refused() -> None:
    # A writer that saves the empty chunk behind 16 KiB makes something that only it can read.
    aead, base_nonce, commitment = derive(KEY, SALT, CONTEXT)
    full = SALT + commitment + aead.encrypt(base_nonce.to_bytes(12, "big"), bytes(CHUNK), b"")
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(KEY, full, context=CONTEXT)


def test_a_chunk_longer_than_16_kib_is_refused() -> None:
    aead, base_nonce, commitment = derive(KEY, SALT, CONTEXT)
    long = SALT + commitment + aead.encrypt(base_nonce.to_bytes(12, "big"), bytes(CHUNK + 1), b"")
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(KEY, long, context=CONTEXT)


def test_an_unauthentic_commitment_is_refused_though_each_chunk_is_authentic() -> None:
    sealed = encrypt(KEY, CONTEXT, b"message", SALT)
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(KEY, SALT + bytes(32) + sealed[56:], context=CONTEXT)


def test_the_smaller_instantiation_of_that_page_is_not_ours() -> None:
    # SHA-256 and AES-128-GCM is what the page recommends where nothing else is asked for.
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_128_GCM\x00" + SALT + CONTEXT
    derived = spec.expand(KEY[:16], info, 16 + 12 + 32, "sha256")
    sealed = SALT + derived[28:] + AESGCM(derived[:16]).encrypt(derived[16:28], b"message", b"")
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(KEY, sealed, context=CONTEXT)
