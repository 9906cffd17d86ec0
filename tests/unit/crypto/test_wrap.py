"""Unwrapping of imported material: both ways, and one answer to everything else."""

import os

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap, aes_key_wrap_with_padding

from kmscli import errors
from kmscli.crypto import ecc, rsa, wrap
from kmscli.crypto.keypair import Pair
from kmscli.model.specs import WRAPPING_ALGORITHMS, WRAPPING_KEY_BITS, Wrapping

MATERIAL = bytes(range(32))
TWO_STEPS = [name for name, row in WRAPPING_ALGORITHMS.items() if row.two_steps]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return wrap.new_wrapping_key(2048)


def wrapped(public: bytes, wrapping: Wrapping, material: bytes = MATERIAL, *, bits: int = 2048) -> bytes:
    key = rsa.public_key(bits, public)
    if not wrapping.two_steps:
        return key.encrypt(material, wrapping.hash)
    aes = os.urandom(32)
    return key.encrypt(aes, wrapping.hash) + aes_key_wrap_with_padding(aes, material)


def refusal(private: bytes, wrapped: bytes, name: str) -> tuple[object, ...]:
    with pytest.raises(errors.WrappedMaterialError) as refused:
        wrap.unwrap(private, wrapped, WRAPPING_ALGORITHMS[name])
    return refused.value.message, refused.value.hint, refused.value.__cause__, refused.value.__suppress_context__


@pytest.mark.parametrize("bits", WRAPPING_KEY_BITS.values())
def test_a_wrapping_key_of_each_size_unwraps(bits: int) -> None:
    pair = wrap.new_wrapping_key(bits)
    for row in WRAPPING_ALGORITHMS.values():
        assert MATERIAL == wrap.unwrap(pair.private, wrapped(pair.public, row, bits=bits), row)


@pytest.mark.parametrize("name", TWO_STEPS)
@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 64, 2400])
def test_material_of_any_size_is_wrapped_in_two_steps(size: int, name: str, pair: Pair) -> None:
    row, material = WRAPPING_ALGORITHMS[name], os.urandom(size)
    assert material == wrap.unwrap(pair.private, wrapped(pair.public, row, material), row)


@pytest.mark.parametrize("name", WRAPPING_ALGORITHMS)
def test_every_failure_looks_alike(name: str, pair: Pair) -> None:
    row = WRAPPING_ALGORITHMS[name]
    whole = wrapped(pair.public, row)
    wrong = [b"", b"\0", whole[:255], whole[:-1], whole + b"\0", whole[:256] + whole[255:], bytes(256), bytes(296)]
    wrong += [wrapped(wrap.new_wrapping_key(2048).public, row)]
    wrong += [wrapped(pair.public, other) for other in WRAPPING_ALGORITHMS.values() if other != row]
    assert 1 == len({refusal(pair.private, each, name) for each in wrong})


@pytest.mark.parametrize("name", TWO_STEPS)
@pytest.mark.parametrize("place", [0, 255, 256, 263, 264, -1])
def test_a_changed_bit_is_refused(place: int, name: str, pair: Pair) -> None:
    changed = bytearray(wrapped(pair.public, WRAPPING_ALGORITHMS[name]))
    changed[place] ^= 1
    refusal(pair.private, bytes(changed), name)


@pytest.mark.parametrize("name", TWO_STEPS)
@pytest.mark.parametrize("size", [16, 24, 31, 33])
def test_the_key_between_must_be_of_aes_256(size: int, name: str, pair: Pair) -> None:
    aes = os.urandom(size)
    outer = rsa.public_key(2048, pair.public).encrypt(aes, WRAPPING_ALGORITHMS[name].hash)
    inner = aes_key_wrap_with_padding(aes, MATERIAL) if size in {16, 24} else bytes(40)
    refusal(pair.private, outer + inner, name)


def test_key_wrap_without_padding_is_refused(pair: Pair) -> None:
    aes = os.urandom(32)
    outer = rsa.public_key(2048, pair.public).encrypt(aes, "sha256")
    refusal(pair.private, outer + aes_key_wrap(aes, MATERIAL), "RSA_AES_KEY_WRAP_SHA_256")


def test_a_wrapping_key_that_is_no_rsa_key_is_a_fault_of_the_vault() -> None:
    with pytest.raises(errors.VaultTamperedError):
        wrap.unwrap(ecc.generate("secp256r1").private, bytes(256), WRAPPING_ALGORITHMS["RSAES_OAEP_SHA_256"])
