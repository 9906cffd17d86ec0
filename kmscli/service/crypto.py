"""Encrypt, Decrypt, ReEncrypt.

Whatever makes a ciphertext unreadable (changed bytes, another encryption context, a version that never was) ends in one
InvalidCiphertextException: an attacker who asks learns nothing from the answer.
"""

from typing import Annotated, NamedTuple

from msgspec import Meta

from kmscli import errors
from kmscli.crypto import seal
from kmscli.formats import blob, context
from kmscli.service import materials
from kmscli.service.context import Call
from kmscli.service.shapes import (
    CiphertextBlob,
    DryRun,
    EncryptionAlgorithm,
    EncryptionContext,
    KeyId,
    Plaintext,
    Request,
    Response,
)
from kmscli.vault.records import KeyGroup

SYMMETRIC = "SYMMETRIC_DEFAULT"


class Opened(NamedTuple):
    """A ciphertext, opened: the key and the version that made it, and what was in it."""

    key: KeyGroup
    version: int
    plaintext: bytes


def usable(call: Call, named: str) -> KeyGroup:
    """The key that a member names, if its state lets it be used now."""
    key = call.find(named)
    call.check_state(key)
    return key


def seal_under(call: Call, key: KeyGroup, plaintext: bytes, encryption_context: dict[str, str] | None) -> bytes:
    """A blob of `plaintext` under the current version of `key`."""
    canonical = context.canonical(encryption_context)
    version = key.record.current
    header = blob.header(key.record.key_id, version)
    material = materials.open_version(call, key, version)
    return header + seal.seal(material, plaintext, context=blob.sealing_context(header, canonical))


def open_blob(call: Call, data: bytes, named: str | None, encryption_context: dict[str, str] | None) -> Opened:
    """What a blob holds.

    Args:
        call: The operation.
        data: The blob.
        named: The key that must have made it; None takes the one it names.
        encryption_context: The one it was made with.

    Raises:
        KmsError: InvalidCiphertextException, IncorrectKeyException, AccessDeniedException, or the key's state.
    """
    canonical = context.canonical(encryption_context)
    wanted = None if named is None else call.find(named)
    parsed = blob.parse(data)
    if wanted is not None and wanted.record.key_id != parsed.key_id:
        raise errors.IncorrectKeyError
    key = wanted or call.by_ciphertext(parsed.key_id)
    call.check_state(key)
    material = materials.open_version(call, key, parsed.version)
    try:
        plaintext = seal.unseal(material, parsed.sealed, context=blob.sealing_context(parsed.header, canonical))
    except errors.SealBrokenError as error:
        raise errors.InvalidCiphertextError from error
    return Opened(key, parsed.version, plaintext)


class EncryptRequest(Request, frozen=True, kw_only=True):
    """Members of Encrypt."""

    key_id: KeyId
    plaintext: Plaintext
    encryption_context: EncryptionContext | None = None
    encryption_algorithm: EncryptionAlgorithm | None = None
    dry_run: DryRun | None = None


class EncryptResponse(Response, frozen=True, kw_only=True):
    """The ciphertext, and what made it."""

    ciphertext_blob: bytes
    key_id: str
    encryption_algorithm: str


def encrypt(call: Call, request: EncryptRequest) -> EncryptResponse:
    """Encrypt up to 4096 bytes under the current version of a key.

    Raises:
        KmsError: NotFoundException, DisabledException, KMSInvalidStateException, DryRunOperationException.
    """
    key = usable(call, request.key_id)
    ciphertext = seal_under(call, key, request.plaintext, request.encryption_context)
    if request.dry_run:
        raise errors.DryRunError
    return EncryptResponse(ciphertext_blob=ciphertext, key_id=call.arn(key), encryption_algorithm=SYMMETRIC)


class DecryptRequest(Request, frozen=True, kw_only=True):
    """Members of Decrypt."""

    ciphertext_blob: CiphertextBlob
    key_id: Annotated[KeyId, Meta(description="The key that must have made it.")] | None = None
    encryption_context: EncryptionContext | None = None
    encryption_algorithm: EncryptionAlgorithm | None = None
    dry_run: DryRun | None = None


class DecryptResponse(Response, frozen=True, kw_only=True):
    """The plaintext, and what had made the ciphertext."""

    key_id: str
    plaintext: bytes
    encryption_algorithm: str
    key_material_id: str


def decrypt(call: Call, request: DecryptRequest) -> DecryptResponse:
    """Decrypt a blob, whichever version of its key made it.

    Raises:
        KmsError: As `open_blob`, and DryRunOperationException.
    """
    opened = open_blob(call, request.ciphertext_blob, request.key_id, request.encryption_context)
    if request.dry_run:
        raise errors.DryRunError
    return DecryptResponse(
        key_id=call.arn(opened.key),
        plaintext=opened.plaintext,
        encryption_algorithm=SYMMETRIC,
        key_material_id=opened.key.versions[opened.version].material_id,
    )


class ReEncryptRequest(Request, frozen=True, kw_only=True):
    """Members of ReEncrypt."""

    ciphertext_blob: CiphertextBlob
    source_encryption_context: EncryptionContext | None = None
    source_key_id: Annotated[KeyId, Meta(description="The key that must have made it.")] | None = None
    destination_key_id: Annotated[KeyId, Meta(description="The key to encrypt under.")]
    destination_encryption_context: EncryptionContext | None = None
    source_encryption_algorithm: EncryptionAlgorithm | None = None
    destination_encryption_algorithm: EncryptionAlgorithm | None = None
    dry_run: DryRun | None = None


class ReEncryptResponse(Response, frozen=True, kw_only=True):
    """The new ciphertext, and the keys on both sides."""

    ciphertext_blob: bytes
    source_key_id: str
    key_id: str
    source_encryption_algorithm: str
    destination_encryption_algorithm: str
    source_key_material_id: str
    destination_key_material_id: str


def re_encrypt(call: Call, request: ReEncryptRequest) -> ReEncryptResponse:
    """Open a ciphertext and seal its plaintext anew; the plaintext leaves nowhere.

    Raises:
        KmsError: As `decrypt` and `encrypt`.
    """
    source = open_blob(call, request.ciphertext_blob, request.source_key_id, request.source_encryption_context)
    key = usable(call, request.destination_key_id)
    ciphertext = seal_under(call, key, source.plaintext, request.destination_encryption_context)
    if request.dry_run:
        raise errors.DryRunError
    return ReEncryptResponse(
        ciphertext_blob=ciphertext,
        source_key_id=call.arn(source.key),
        key_id=call.arn(key),
        source_encryption_algorithm=SYMMETRIC,
        destination_encryption_algorithm=SYMMETRIC,
        source_key_material_id=source.key.versions[source.version].material_id,
        destination_key_material_id=key.versions[key.record.current].material_id,
    )
