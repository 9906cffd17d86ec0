"""Encrypt, Decrypt, ReEncrypt: under symmetric keys and under RSA keys.

Whatever makes a ciphertext unreadable (changed bytes, another encryption context, a version that never was) ends in one
InvalidCiphertextException: an attacker who asks learns nothing from the answer.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.crypto import registry, seal
from kmscli.formats import blob, context
from kmscli.model.specs import ENCRYPT_DECRYPT, KEY_SPECS, OAEP_HASHES, SYMMETRIC
from kmscli.service import materials
from kmscli.service.context import Call
from kmscli.service.facts import Ask
from kmscli.service.shapes import (
    CiphertextBlob,
    DryRun,
    DryRunModifiers,
    EncryptionAlgorithm,
    EncryptionContext,
    GrantTokens,
    KeyId,
    Plaintext,
    RecipientInfo,
    Request,
    Response,
    refuse_recipient,
)
from kmscli.service.validate import missing
from kmscli.vault.records import KeyGroup


class Opened(msgspec.Struct, frozen=True):
    """A ciphertext, opened: the key that made it, what was in it, and the material (symmetric keys) by its id."""

    key: KeyGroup
    plaintext: bytes
    material_id: str | None


class Sealed(msgspec.Struct, frozen=True):
    """A ciphertext, and the material that made it (symmetric keys) by its id."""

    ciphertext: bytes
    material_id: str | None


def symmetric(call: Call, named: str, grant_tokens: Sequence[str] | None) -> KeyGroup:
    """The key that a member names, if data keys can be sealed under it now.

    Raises:
        KmsError: As `Call.usable`, and InvalidKeyUsageException for a key that is not symmetric.
    """
    key = call.usable(named, ENCRYPT_DECRYPT, grant_tokens)
    if key.record.key_spec != SYMMETRIC:
        raise errors.InvalidKeyUsageError(
            problem=f"{key.arn} key spec is {key.record.key_spec} which is not valid for {call.operation}.",
            hint="data keys are made under symmetric encryption keys",
        )
    return key


def seal_under(call: Call, key: KeyGroup, plaintext: bytes, encryption_context: dict[str, str] | None) -> Sealed:
    """A blob of `plaintext` under the current version of a symmetric key."""
    canonical = context.canonical(encryption_context)
    version = materials.current(key)
    header = blob.header(key.record.key_id, version.number)
    material = materials.open_version(call, key, version)
    sealed = seal.seal(material, plaintext, context=blob.sealing_context(header, canonical))
    return Sealed(header + sealed, version.material_id)


def _encrypt_under(
    call: Call, key: KeyGroup, plaintext: bytes, algorithm: str, encryption_context: dict[str, str] | None
) -> Sealed:
    call.check_algorithm(key, algorithm)
    if algorithm == SYMMETRIC:
        return seal_under(call, key, plaintext, encryption_context)
    _refuse_context(encryption_context)
    spec = key.record.key_spec
    most = registry.family(spec).max_plaintext(int(KEY_SPECS[spec].parameter), OAEP_HASHES[algorithm])
    if len(plaintext) > most:
        raise errors.ValidationError(
            problem=f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {most} bytes.",
            hint="encrypt a data key under the RSA key, and the data under the data key",
        )
    ciphertext: bytes = materials.public_key(call, key).encrypt(plaintext, OAEP_HASHES[algorithm])
    return Sealed(ciphertext, None)


def _refuse_context(encryption_context: dict[str, str] | None) -> None:
    if encryption_context:
        raise errors.ValidationError(
            problem="an encryption context is supported only by symmetric encryption keys",
            hint="leave it out, or use a symmetric key",
        )


class Source(msgspec.Struct, frozen=True):
    """A ciphertext and what the request says of it.

    Attributes:
        ciphertext: The bytes.
        named: The key that must have made it; None takes the one it names.
        algorithm: The algorithm that made it.
        encryption_context: The one it was made with.
        grant_tokens: The GrantTokens of the request.
        ask: What is to be allowed.
    """

    ciphertext: bytes
    named: str | None
    algorithm: str
    encryption_context: dict[str, str] | None
    grant_tokens: Sequence[str] | None
    ask: Ask


def open_ciphertext(call: Call, source: Source) -> Opened:
    """What a ciphertext holds.

    Raises:
        KmsError: InvalidCiphertextException, IncorrectKeyException, AccessDeniedException, ValidationException,
            InvalidKeyUsageException, or the key's state.
    """
    key = None
    if source.named is not None:
        key = call.usable(source.named, ENCRYPT_DECRYPT, source.grant_tokens, source.ask)
    if key is not None:
        call.check_algorithm(key, source.algorithm)
    if source.algorithm == SYMMETRIC:
        return _open_blob(call, source, key)
    if key is None:
        raise errors.ValidationError(
            problem="a ciphertext of an asymmetric key does not name its key: KeyId is required",
            hint="name the key with --key-id",
        )
    _refuse_context(source.encryption_context)
    plaintext = materials.private_key(call, key).decrypt(source.ciphertext, OAEP_HASHES[source.algorithm])
    return Opened(key, plaintext, None)


def _open_blob(call: Call, source: Source, named: KeyGroup | None) -> Opened:
    canonical = context.canonical(source.encryption_context)
    parsed = blob.parse(source.ciphertext)
    if named is not None and named.record.key_id != parsed.key_id:
        raise errors.IncorrectKeyError
    key = named
    if key is None:
        key = call.by_ciphertext(parsed.key_id, source.ask)
        call.check_grant_tokens(source.grant_tokens)
        call.check_state(key)
    if key.record.key_spec != SYMMETRIC:
        # Only symmetric keys make blobs: whoever wrote another key's id into one made it up.
        raise errors.InvalidCiphertextError
    version = materials.version_of(key, parsed.version)
    material = materials.open_version(call, key, version)
    try:
        plaintext = seal.unseal(material, parsed.sealed, context=blob.sealing_context(parsed.header, canonical))
    except errors.SealBrokenError as error:
        raise errors.InvalidCiphertextError from error
    return Opened(key, plaintext, version.material_id)


class EncryptRequest(Request, frozen=True, kw_only=True):
    """Members of Encrypt."""

    key_id: KeyId
    plaintext: Plaintext
    encryption_context: EncryptionContext | None = None
    grant_tokens: GrantTokens | None = None
    encryption_algorithm: EncryptionAlgorithm | None = None
    dry_run: DryRun | None = None


class EncryptResponse(Response, frozen=True, kw_only=True):
    """The ciphertext, and what made it."""

    ciphertext_blob: bytes
    key_id: str
    encryption_algorithm: str


def encrypt(call: Call, request: EncryptRequest) -> EncryptResponse:
    """Encrypt up to 4096 bytes under the current version of a key, or less under an RSA key.

    Raises:
        KmsError: NotFoundException, DisabledException, KMSInvalidStateException, InvalidKeyUsageException,
            ValidationException, DryRunOperationException.
    """
    key = call.usable(request.key_id, ENCRYPT_DECRYPT, request.grant_tokens)
    algorithm = request.encryption_algorithm or SYMMETRIC
    sealed = _encrypt_under(call, key, request.plaintext, algorithm, request.encryption_context)
    if request.dry_run:
        raise errors.DryRunError
    return EncryptResponse(ciphertext_blob=sealed.ciphertext, key_id=key.arn, encryption_algorithm=algorithm)


class DecryptRequest(Request, frozen=True, kw_only=True):
    """Members of Decrypt."""

    ciphertext_blob: CiphertextBlob | None = None
    encryption_context: EncryptionContext | None = None
    grant_tokens: GrantTokens | None = None
    key_id: Annotated[KeyId, Meta(description="The key that must have made it.")] | None = None
    encryption_algorithm: EncryptionAlgorithm | None = None
    recipient: RecipientInfo | None = None
    dry_run: DryRun | None = None
    dry_run_modifiers: DryRunModifiers | None = None


class DecryptResponse(Response, frozen=True, kw_only=True):
    """The plaintext, and what had made the ciphertext."""

    key_id: str
    plaintext: bytes
    encryption_algorithm: str
    key_material_id: str | None = None


def decrypt(call: Call, request: DecryptRequest) -> DecryptResponse:
    """Decrypt a ciphertext, whichever version of its key made it.

    Raises:
        KmsError: As `open_ciphertext`, and DryRunOperationException.
    """
    refuse_recipient(request.recipient)
    algorithm = request.encryption_algorithm or SYMMETRIC
    ignored = _ignores_ciphertext(request)
    source = Source(
        b"" if ignored else _required(request.ciphertext_blob),
        request.key_id,
        algorithm,
        request.encryption_context,
        request.grant_tokens,
        Ask("Decrypt", request),
    )
    if ignored:
        _check_only(call, source, "keyId")
        raise errors.DryRunError
    opened = open_ciphertext(call, source)
    if request.dry_run:
        raise errors.DryRunError
    return DecryptResponse(
        key_id=opened.key.arn,
        plaintext=opened.plaintext,
        encryption_algorithm=algorithm,
        key_material_id=opened.material_id,
    )


class ReEncryptRequest(Request, frozen=True, kw_only=True):
    """Members of ReEncrypt."""

    ciphertext_blob: CiphertextBlob | None = None
    source_encryption_context: EncryptionContext | None = None
    source_key_id: Annotated[KeyId, Meta(description="The key that must have made it.")] | None = None
    destination_key_id: Annotated[KeyId, Meta(description="The key to encrypt under.")]
    destination_encryption_context: EncryptionContext | None = None
    source_encryption_algorithm: EncryptionAlgorithm | None = None
    destination_encryption_algorithm: EncryptionAlgorithm | None = None
    grant_tokens: GrantTokens | None = None
    dry_run: DryRun | None = None
    dry_run_modifiers: DryRunModifiers | None = None


class ReEncryptResponse(Response, frozen=True, kw_only=True):
    """The new ciphertext, and the keys on both sides."""

    ciphertext_blob: bytes
    source_key_id: str
    key_id: str
    source_encryption_algorithm: str
    destination_encryption_algorithm: str
    source_key_material_id: str | None = None
    destination_key_material_id: str | None = None


def re_encrypt(call: Call, request: ReEncryptRequest) -> ReEncryptResponse:
    """Open a ciphertext and encrypt its plaintext anew; the plaintext leaves nowhere.

    Raises:
        KmsError: As `decrypt` and `encrypt`.
    """
    algorithm = request.source_encryption_algorithm or SYMMETRIC
    same_key = _on_same_key(call, request)
    ignored = _ignores_ciphertext(request)
    source = Source(
        b"" if ignored else _required(request.ciphertext_blob),
        request.source_key_id,
        algorithm,
        request.source_encryption_context,
        request.grant_tokens,
        Ask("ReEncryptFrom", request, "source_", same_key),
    )
    opened = None
    if ignored:
        _check_only(call, source, "sourceKeyId")
    else:
        opened = open_ciphertext(call, source)
    ask = Ask("ReEncryptTo", request, "destination_", same_key)
    key = call.usable(request.destination_key_id, ENCRYPT_DECRYPT, ask=ask)
    destination = request.destination_encryption_algorithm or SYMMETRIC
    plaintext = b"?" if opened is None else opened.plaintext
    sealed = _encrypt_under(call, key, plaintext, destination, request.destination_encryption_context)
    if request.dry_run or opened is None:
        raise errors.DryRunError
    return ReEncryptResponse(
        ciphertext_blob=sealed.ciphertext,
        source_key_id=opened.key.arn,
        key_id=key.arn,
        source_encryption_algorithm=algorithm,
        destination_encryption_algorithm=destination,
        source_key_material_id=opened.material_id,
        destination_key_material_id=sealed.material_id,
    )


def _on_same_key(call: Call, request: ReEncryptRequest) -> bool | None:
    """Whether both sides are one key, None where that cannot be said: then one of them is refused for itself."""
    with suppress(errors.KmsError):
        destination = call.named_id(request.destination_key_id)
        if request.source_key_id is not None:
            return call.named_id(request.source_key_id) == destination
        return request.ciphertext_blob is not None and blob.parse(request.ciphertext_blob).key_id == destination
    return None


def _ignores_ciphertext(request: DecryptRequest | ReEncryptRequest) -> bool:
    """Whether only the permission is asked about; the modifier means nothing without DryRun."""
    return bool(request.dry_run and request.dry_run_modifiers)


def _check_only(call: Call, source: Source, member: str) -> None:
    """Check all that `open_ciphertext` does, but for the ciphertext.

    Args:
        call: The call.
        source: What the request says; its ciphertext is not looked at.
        member: The member that must name the key, since no ciphertext does.
    """
    if source.named is None:
        raise missing(member)
    key = call.usable(source.named, ENCRYPT_DECRYPT, source.grant_tokens, source.ask)
    call.check_algorithm(key, source.algorithm)
    if source.algorithm == SYMMETRIC:
        context.canonical(source.encryption_context)
    else:
        _refuse_context(source.encryption_context)
    call.kek(key)


def _required(ciphertext: bytes | None) -> bytes:
    if ciphertext is None:
        raise missing("ciphertextBlob")
    return ciphertext
