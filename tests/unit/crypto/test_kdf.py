"""Derivations: known answers, and costs that are refused before a byte of memory is taken."""

import hashlib
import hmac
import resource
import subprocess
import sys

import msgspec
import pytest
from argon2.low_level import Type, hash_secret_raw

from kmscli import errors
from kmscli.crypto import kdf
from kmscli.crypto.kdf import Cost

SALT = b"0123456789abcdef"
SMALLEST = Cost(8 * 1024, 1, 1)
GIB = 1024 * 1024


def expand_by_hand(secret: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, section 2.3, from HMAC alone."""
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(secret, block + info + bytes([counter]), "sha512")
        output, counter = output + block, counter + 1
    return output[:length]


@pytest.mark.parametrize("length", [1, 32, 64, 65, 200])
def test_expand_is_that_of_rfc_5869_with_sha_512(length: int) -> None:
    secret = bytes(range(32))
    assert kdf.expand(secret, b"label", length) == expand_by_hand(secret, b"label", length)


def test_two_labels_give_independent_keys() -> None:
    secret = bytes(32)
    assert kdf.expand(secret, b"a", 32) != kdf.expand(secret, b"b", 32)


def test_the_library_gives_the_known_answer_of_argon2id() -> None:
    # The reference implementation's own test (phc-winner-argon2, test.c): 2 passes, 64 MiB, 1 lane.
    expected = "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"
    assert hash_secret_raw(b"password", b"somesalt", 2, 64 * 1024, 1, 32, Type.ID).hex() == expected


def test_a_passphrase_is_stretched_by_argon2id_version_13() -> None:
    stretched = kdf.stretch(b"password", salt=SALT, cost=SMALLEST)
    assert stretched == hash_secret_raw(b"password", SALT, 1, 8 * 1024, 1, 32, Type.ID, version=0x13)
    assert stretched.hex() == "fc96682477a0c5c8274a4a7217e2a32b5fd51511377b8ad5be879f728e725aa5"


def test_passphrase_salt_and_cost_all_count() -> None:
    made = {
        kdf.stretch(passphrase, salt=salt, cost=cost)
        for passphrase in (b"", b"a", b"A")
        for salt in (SALT, SALT[::-1])
        for cost in (
            SMALLEST,
            msgspec.structs.replace(SMALLEST, passes=2),
            msgspec.structs.replace(SMALLEST, lanes=2),
            Cost(9 * 1024, 1, 1),
        )
    }
    assert len(made) == 3 * 2 * 4
    assert {len(key) for key in made} == {kdf.SECRET_BYTES}


@pytest.mark.parametrize(
    "cost",
    [
        Cost(8 * 1024 - 1, 3, 4),
        Cost(4 * GIB + 1, 3, 4),
        Cost(2**62, 3, 4),
        Cost(0, 3, 4),
        Cost(-(2**40), 3, 4),
        Cost(8 * 1024, 0, 4),
        Cost(8 * 1024, 65, 4),
        Cost(8 * 1024, 2**40, 4),
        Cost(8 * 1024, 3, 0),
        Cost(8 * 1024, 3, 65),
        Cost(8 * 1024, -1, -1),
    ],
)
def test_a_cost_that_was_never_written_is_refused(cost: Cost) -> None:
    with pytest.raises(errors.VaultTamperedError, match="a derivation cost that kms never writes"):
        kdf.stretch(b"x", salt=SALT, cost=cost)


def test_a_cost_is_refused_before_memory_is_taken() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(errors.VaultTamperedError):
        kdf.stretch(b"x", salt=SALT, cost=Cost(64 * GIB, 1, 1))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GIB // 16


@pytest.mark.parametrize("salt", [b"", b"abc", SALT[:-1], SALT + b"x"])
def test_a_salt_that_was_never_written_is_refused(salt: bytes) -> None:
    with pytest.raises(errors.VaultTamperedError, match="salt"):
        kdf.stretch(b"x", salt=salt, cost=SMALLEST)


def test_a_machine_without_the_memory_says_so() -> None:
    # In a process of its own, whose address space is limited to less than the derivation takes.
    script = (
        "import resource\n"
        "from kmscli import errors\n"
        "from kmscli.crypto import kdf\n"
        "import argon2.low_level\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "try:\n"
        "    kdf.stretch(b'x', salt=bytes(16), cost=kdf.Cost(2 << 20, 1, 1))\n"
        "except errors.InputOutputError as error:\n"
        "    print(error.message)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Memory allocation error" in ended.stdout


@pytest.mark.parametrize("memory", [8, 64, 4096])
def test_a_new_slot_may_cost_8_mib_to_4_gib(memory: int) -> None:
    assert kdf.check_memory(memory) == memory
    assert kdf.cost(memory) == Cost(memory * 1024, 3, 4)


@pytest.mark.parametrize("memory", [-1, 0, 7, 4097])
def test_another_cost_of_a_new_slot_is_refused(memory: int) -> None:
    with pytest.raises(errors.ValidationError) as caught:
        kdf.check_memory(memory)
    assert caught.value.hint == "8 to 4096 MiB; 64 is the default"


def test_the_default_is_the_second_recommendation_of_rfc_9106() -> None:
    assert kdf.cost(kdf.DEFAULT_MEMORY_MIB) == Cost(64 * 1024, 3, 4)


def test_a_keyed_name_is_an_hmac() -> None:
    # RFC 4231, test case 2.
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert kdf.keyed_name(b"Jefe", b"what do ya want for nothing?") == expected
    assert kdf.keyed_name(b"a", b"x") != hashlib.sha256(b"x").hexdigest()
