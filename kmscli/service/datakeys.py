"""GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.model import limits
from kmscli.model.specs import DATA_KEY_BYTES
from kmscli.service.context import Call
from kmscli.service.crypto import Sealed, seal_under, symmetric
from kmscli.service.shapes import (
    DryRun,
    EncryptionContext,
    GrantTokens,
    KeyId,
    KeyStoreId,
    RecipientInfo,
    Request,
    Response,
    refuse_recipient,
)
from kmscli.vault.records import KeyGroup

NumberOfBytes = Annotated[int, Meta(ge=1, le=limits.RANDOM_MAX, description="Length in bytes, 1 to 1024.")]
DataKeySpec = Annotated[Literal["AES_256", "AES_128"], Meta(description="The length, by its name.")]


class _DataKeyRequest(Request, frozen=True, kw_only=True):
    """Members that both data key operations share."""

    key_id: KeyId
    encryption_context: EncryptionContext | None = None
    number_of_bytes: NumberOfBytes | None = None
    key_spec: DataKeySpec | None = None
    grant_tokens: GrantTokens | None = None
    dry_run: DryRun | None = None


class GenerateDataKeyRequest(_DataKeyRequest, frozen=True, kw_only=True):
    """Members of GenerateDataKey."""

    recipient: RecipientInfo | None = None


class GenerateDataKeyResponse(Response, frozen=True, kw_only=True):
    """The data key in both forms, and the key that encrypted it."""

    ciphertext_blob: bytes
    plaintext: bytes
    key_id: str
    key_material_id: str | None = None


def generate_data_key(call: Call, request: GenerateDataKeyRequest) -> GenerateDataKeyResponse:
    """A fresh data key, in clear and encrypted.

    Raises:
        KmsError: ValidationException, NotFoundException, the key's state, InvalidKeyUsageException,
            DryRunOperationException.
    """
    refuse_recipient(request.recipient)
    made = _data_key(call, request)
    return GenerateDataKeyResponse(
        ciphertext_blob=made.sealed.ciphertext,
        plaintext=made.plaintext,
        key_id=made.key.arn,
        key_material_id=made.sealed.material_id,
    )


class GenerateDataKeyWithoutPlaintextRequest(_DataKeyRequest, frozen=True, kw_only=True):
    """Members of GenerateDataKeyWithoutPlaintext."""


class GenerateDataKeyWithoutPlaintextResponse(Response, frozen=True, kw_only=True):
    """The encrypted data key, and the key that encrypted it."""

    ciphertext_blob: bytes
    key_id: str
    key_material_id: str | None = None


def generate_data_key_without_plaintext(
    call: Call, request: GenerateDataKeyWithoutPlaintextRequest
) -> GenerateDataKeyWithoutPlaintextResponse:
    """A fresh data key, encrypted only; errors as for GenerateDataKey."""
    made = _data_key(call, request)
    return GenerateDataKeyWithoutPlaintextResponse(
        ciphertext_blob=made.sealed.ciphertext, key_id=made.key.arn, key_material_id=made.sealed.material_id
    )


class _Made(msgspec.Struct, frozen=True):
    key: KeyGroup
    plaintext: bytes
    sealed: Sealed


def _data_key(call: Call, request: _DataKeyRequest) -> _Made:
    if (request.number_of_bytes is None) == (request.key_spec is None):
        raise errors.ValidationError(problem="Please specify either number of bytes or key spec.")
    length = DATA_KEY_BYTES[request.key_spec] if request.key_spec else request.number_of_bytes or 0
    key = symmetric(call, request.key_id, request.grant_tokens)
    plaintext = call.rng(length)
    sealed = seal_under(call, key, plaintext, request.encryption_context)
    if request.dry_run:
        raise errors.DryRunError
    return _Made(key, plaintext, sealed)


class GenerateRandomRequest(Request, frozen=True, kw_only=True):
    """Members of GenerateRandom."""

    number_of_bytes: Annotated[NumberOfBytes, Meta(extra={"missing": "NumberOfBytes is required."})]
    custom_key_store_id: KeyStoreId | None = None
    recipient: RecipientInfo | None = None


class GenerateRandomResponse(Response, frozen=True, kw_only=True):
    """The random bytes."""

    plaintext: bytes


def generate_random(call: Call, request: GenerateRandomRequest) -> GenerateRandomResponse:
    """Random bytes from the operating system.

    Raises:
        UnsupportedOperationError: They are asked for from AWS's hardware.
    """
    refuse_recipient(request.recipient)
    if request.custom_key_store_id is not None:
        raise errors.UnsupportedOperationError(
            problem="custom key stores are not supported: they are CloudHSM clusters and proxies that AWS runs"
        )
    return GenerateRandomResponse(plaintext=call.rng(request.number_of_bytes))
