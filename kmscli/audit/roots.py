"""The roots of a vault: whose signature makes a change, and how that is known from one fingerprint.

Implements docs/spec/vault.md, "Roots". Set 1 is what its fingerprint says; each later set is signed by a root of the
set before. Pure: bytes in, a set or an error out. It lies below the vault, because a log is verified without one.
"""

from collections.abc import Sequence

import msgspec

from kmscli import errors
from kmscli.crypto import identity
from kmscli.formats import head, record
from kmscli.formats.record import RootKey, RootSet
from kmscli.formats.wire import digest


def fingerprint(first: bytes) -> bytes:
    """What names a vault's first set of roots, and through it all that they signed: 32 bytes."""
    return digest("fingerprint", first)


def check_chain(bodies: Sequence[bytes], trusted: bytes | None) -> RootSet:
    """The set in force, after the whole chain was checked.

    Args:
        bodies: The sets, first to last.
        trusted: The fingerprint of the first, from the slot, the pin or a person; None takes it as it is.

    Raises:
        VaultTamperedError: Another first set, or a later one that nobody of the set before signed.
    """
    if not bodies:
        raise errors.VaultTamperedError(what="it has no roots")
    if trusted is not None and fingerprint(bodies[0]) != trusted:
        raise errors.VaultTamperedError(what=f"its root fingerprint is {fingerprint(bodies[0]).hex()}")
    current = record.decode(bodies[0], RootSet)
    if current.number != 1 or current.signer or current.signature:
        raise errors.VaultTamperedError(what="its first set of roots is not a first one")
    for body in bodies[1:]:
        following = record.decode(body, RootSet)
        check_step(current, following)
        current = following
    return current


def check_step(current: RootSet, following: RootSet) -> None:
    """Check that a set of roots follows another one.

    Raises:
        VaultTamperedError: It does not, or no root of the set before signed it.
    """
    if (following.vault_id, following.number) != (current.vault_id, current.number + 1):
        raise errors.VaultTamperedError(what="its sets of roots do not follow each other")
    unsigned = record.encode(msgspec.structs.replace(following, signature=b""))
    signer = root_key(current, following.signer)
    identity.verify(signer.sign, head.root_set_bytes(unsigned), following.signature)


def root_key(roots: RootSet, principal: str) -> RootKey:
    """The public keys of a root.

    Raises:
        VaultTamperedError: The principal is no root of this set.
    """
    for key in roots.roots:
        if key.principal == principal:
            return key
    raise errors.VaultTamperedError(what=f"{principal} signed, but is no root")
