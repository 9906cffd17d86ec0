"""Access keys: with one, a program that has no identity signs requests as a principal.

Implements docs/spec/vault.md, "Access keys". The secrets are sealed to the roots and to nobody else. `find` is what the
endpoint asks: it gives an access key only if that is good for a request in the state that it is given.
"""

import base64
from collections.abc import Callable, Iterable
from typing import NoReturn

import msgspec

from kmscli import errors
from kmscli.crypto import identity, seal
from kmscli.formats.record import AccessKeyRecord, AccessKeyShareRecord, AccessKeyStatus, RootKey
from kmscli.formats.wire import label
from kmscli.model import ids
from kmscli.vault.records import Member, Records
from kmscli.vault.session import Session

_PREFIX = "AKIA"
_ID_BYTES = 10
_SECRET_BYTES = 30


class SecretAccessKey:
    """The secret of an access key. It neither prints nor pickles."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        """Wrap `value`, 40 characters of ASCII."""
        self.value = value

    def __repr__(self) -> str:
        return "<SecretAccessKey>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class AccessKey(msgspec.Struct, frozen=True):
    """An access key that is good for a request.

    Attributes:
        access_key_id: Its id.
        status: `Active`.
        secret: What signs.
        principal: As whom: `principal.arn`, `principal.record` (name, kind, root, tags) and its policies.
    """

    access_key_id: str
    status: AccessKeyStatus
    secret: SecretAccessKey
    principal: Member


def new_id(rng: Callable[[int], bytes]) -> str:
    """The id of a new access key."""
    return _PREFIX + base64.b32encode(rng(_ID_BYTES)).decode()


def new_secret(rng: Callable[[int], bytes]) -> SecretAccessKey:
    """The secret of a new access key."""
    return SecretAccessKey(base64.b64encode(rng(_SECRET_BYTES)).decode())


def find(session: Session, records: Records, access_key_id: str) -> AccessKey | None:
    """The access key of a request, by a root; costs the same however many there are.

    Args:
        session: A root's.
        records: The state in which the request is decided.
        access_key_id: As the request says; any text.

    Returns:
        None if there is none that is good: unknown, deleted, inactive, or of a principal that is disabled or gone. A
        caller is not told which.

    Raises:
        SealBrokenError: The secret does not open.
        VaultTamperedError: A record is not the signed one.
        InternalError: The session is not a root's.
    """
    found = records.access_key(access_key_id) if ids.is_access_key_id(access_key_id) else None
    if found is None or found.status != "Active":
        return None
    member = records.member(found.principal)
    if member is None or member.record.state != "enabled" or access_key_id not in member.record.access_keys:
        return None
    # The place has all that the context binds and the sealed bytes, so what was opened before serves no other record.
    place = ("access-key", access_key_id, found.principal, found.kek, found.sealed)
    secret = session.unsealed.get(place, lambda: _opened(session, records, found))
    return AccessKey(access_key_id, found.status, secret, member)


def _opened(session: Session, records: Records, found: AccessKeyRecord) -> SecretAccessKey:
    vault_id = records.vault.vault_id
    share = records.access_key_shares.get(session.principal)
    if share is None or share.kek != found.kek:
        raise errors.InternalError(what=f"{session.principal} has no share of the access keys")
    kek = session.unsealed.get(
        ("access-key-share", share.principal, share.kek, share.sealed),
        lambda: open_share(share, session.identity, vault_id=vault_id),
    )
    return open_secret(kek, found, vault_id=vault_id)


# -- sealing -----------------------------------------------------------------------------------------------------------


def share(kek: bytes, number: int, holders: Iterable[RootKey], *, vault_id: str) -> list[AccessKeyShareRecord]:
    """The KEK of all access keys, sealed to each root; `number` is the KEK's."""
    return [
        AccessKeyShareRecord(
            principal=root.principal,
            kek=number,
            sealed=identity.seal_to(root.seal, kek, context=_share_context(vault_id, root.principal, number)),
        )
        for root in holders
    ]


def open_share(found: AccessKeyShareRecord, who: identity.Identity, *, vault_id: str) -> bytes:
    """The KEK, by the root whose share it is.

    Raises:
        SealBrokenError: It was not sealed to this identity.
    """
    return who.open(found.sealed, context=_share_context(vault_id, found.principal, found.kek))


def with_secret(
    record: AccessKeyRecord, secret: SecretAccessKey, kek: bytes, number: int, *, vault_id: str
) -> AccessKeyRecord:
    """The record of an access key with its secret sealed under a KEK.

    Args:
        record: The access key.
        secret: What is sealed.
        kek: The KEK of all access keys.
        number: The KEK's.
        vault_id: 32 hex digits.
    """
    # Each sealing draws a salt of its own, so a KEK may seal any number of secrets.
    numbered = msgspec.structs.replace(record, kek=number)
    sealed = seal.seal(kek, secret.value.encode(), context=_secret_context(vault_id, numbered))
    return msgspec.structs.replace(numbered, sealed=sealed)


def open_secret(kek: bytes, record: AccessKeyRecord, *, vault_id: str) -> SecretAccessKey:
    """The secret of an access key.

    Raises:
        SealBrokenError: It does not open.
    """
    return SecretAccessKey(seal.unseal(kek, record.sealed, context=_secret_context(vault_id, record)).decode())


def _share_context(vault_id: str, principal: str, kek: int) -> bytes:
    return label("access-key-share", vault_id.encode(), principal.encode(), kek.to_bytes(4, "big"))


def _secret_context(vault_id: str, record: AccessKeyRecord) -> bytes:
    number = record.kek.to_bytes(4, "big")
    return label("access-key", vault_id.encode(), record.access_key_id.encode(), record.principal.encode(), number)
