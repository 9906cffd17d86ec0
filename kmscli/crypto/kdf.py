"""Keys from other secrets: HKDF-Expand for uniform ones, Argon2id for passphrases, HMAC for names.

Sources: RFC 5869 (HKDF; the expand step alone, since every input here is uniformly random), RFC 9106 (Argon2id, second
recommended option: 64 MiB, 3 passes, 4 lanes).
"""

import msgspec

from kmscli import errors

DEFAULT_MEMORY_MIB = 64
MIN_MEMORY_MIB = 8
MAX_MEMORY_MIB = 4096
PASSES = 3
LANES = 4
_MAX_PASSES = 64
_MAX_LANES = 64
SECRET_BYTES = 32
SALT_BYTES = 16


class Cost(msgspec.Struct, frozen=True):
    """Cost of one Argon2id derivation: memory in KiB, passes, lanes."""

    memory_kib: int
    passes: int
    lanes: int


def cost(memory_mib: int) -> Cost:
    """The cost of a new slot that uses `memory_mib` MiB."""
    return Cost(memory_mib * 1024, PASSES, LANES)


def check_memory(memory_mib: int) -> int:
    """`memory_mib`, if a new slot may use it.

    Raises:
        ValidationError: Outside floor and ceiling.
    """
    if not MIN_MEMORY_MIB <= memory_mib <= MAX_MEMORY_MIB:
        raise errors.ValidationError(
            problem=f"{memory_mib} MiB is no acceptable cost of a passphrase",
            hint=f"{MIN_MEMORY_MIB} to {MAX_MEMORY_MIB} MiB; {DEFAULT_MEMORY_MIB} is the default",
        )
    return memory_mib


def stretch(passphrase: bytes, *, salt: bytes, cost: Cost) -> bytes:
    """32 bytes from a passphrase by Argon2id version 1.3.

    Salt and cost come from a file that somebody may have changed, so they are checked before memory is taken.

    Raises:
        VaultTamperedError: Salt or cost are not such as kms ever writes.
        InputOutputError: The machine does not have the memory.
    """
    memory_ok = MIN_MEMORY_MIB * 1024 <= cost.memory_kib <= MAX_MEMORY_MIB * 1024
    if not memory_ok or not 1 <= cost.passes <= _MAX_PASSES or not 1 <= cost.lanes <= _MAX_LANES:
        raise errors.VaultTamperedError(what="a slot asks for a derivation cost that kms never writes")
    if len(salt) != SALT_BYTES:
        raise errors.VaultTamperedError(what="a slot has a salt of another length than kms writes")
    from argon2.exceptions import HashingError
    from argon2.low_level import Type, hash_secret_raw

    try:
        return hash_secret_raw(
            passphrase,
            salt,
            time_cost=cost.passes,
            memory_cost=cost.memory_kib,
            parallelism=cost.lanes,
            hash_len=SECRET_BYTES,
            type=Type.ID,
        )
    except HashingError as error:
        raise errors.InputOutputError(path="Argon2id", reason=str(error)) from error


def expand(secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-512 (RFC 5869 section 2.3).

    Args:
        secret: Uniformly random, at least 32 bytes.
        info: A label; two labels give independent outputs.
        length: Bytes wanted.
    """
    from cryptography.hazmat.primitives.hashes import SHA512
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

    return HKDFExpand(SHA512(), length, info).derive(secret)


def keyed_name(secret: bytes, data: bytes) -> str:
    """A name for `data` that tells nothing about it without `secret`: HMAC-SHA-256, 64 hex digits."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.hmac import HMAC

    mac = HMAC(secret, SHA256())
    mac.update(data)
    return mac.finalize().hex()
