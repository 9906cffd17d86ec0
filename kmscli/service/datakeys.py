"""GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom."""

from typing import Annotated, Literal

from msgspec import Meta

from kmscli import errors
from kmscli.model import limits
from kmscli.model.specs import DATA_KEY_BYTES
from kmscli.service.context import Call
from kmscli.service.crypto import seal_under, usable
from kmscli.service.shapes import DryRun, EncryptionContext, KeyId, Request, Response
from kmscli.vault.records import KeyGroup

NumberOfBytes = Annotated[int, Meta(ge=1, le=limits.RANDOM_MAX, description="Length in bytes, 1 to 1024.")]
DataKeySpec = Annotated[Literal["AES_256", "AES_128"], Meta(description="The length, by its name.")]


class _DataKeyRequest(Request, frozen=True, kw_only=True):
    """Members that both data key operations share."""

    key_id: KeyId
    encryption_context: EncryptionContext | None = None
    number_of_bytes: NumberOfBytes | None = None
    key_spec: DataKeySpec | None = None
    dry_run: DryRun | None = None


class GenerateDataKeyRequest(_DataKeyRequest, frozen=True, kw_only=True):
    """Members of GenerateDataKey."""


class GenerateDataKeyResponse(Response, frozen=True, kw_only=True):
    """The data key in both forms, and the key that encrypted it."""

    ciphertext_blob: bytes
    plaintext: bytes
    key_id: str
    key_material_id: str


def generate_data_key(call: Call, request: GenerateDataKeyRequest) -> GenerateDataKeyResponse:
    """A fresh data key, in clear and encrypted.

    Raises:
        KmsError: ValidationException, NotFoundException, the key's state, DryRunOperationException.
    """
    key, plaintext, ciphertext = _data_key(call, request)
    return GenerateDataKeyResponse(
        ciphertext_blob=ciphertext,
        plaintext=plaintext,
        key_id=call.arn(key),
        key_material_id=key.versions[key.record.current].material_id,
    )


class GenerateDataKeyWithoutPlaintextRequest(_DataKeyRequest, frozen=True, kw_only=True):
    """Members of GenerateDataKeyWithoutPlaintext."""


class GenerateDataKeyWithoutPlaintextResponse(Response, frozen=True, kw_only=True):
    """The encrypted data key, and the key that encrypted it."""

    ciphertext_blob: bytes
    key_id: str
    key_material_id: str


def generate_data_key_without_plaintext(
    call: Call, request: GenerateDataKeyWithoutPlaintextRequest
) -> GenerateDataKeyWithoutPlaintextResponse:
    """A fresh data key, encrypted only; errors as for GenerateDataKey."""
    key, _, ciphertext = _data_key(call, request)
    return GenerateDataKeyWithoutPlaintextResponse(
        ciphertext_blob=ciphertext,
        key_id=call.arn(key),
        key_material_id=key.versions[key.record.current].material_id,
    )


def _data_key(call: Call, request: _DataKeyRequest) -> tuple[KeyGroup, bytes, bytes]:
    if (request.number_of_bytes is None) == (request.key_spec is None):
        raise errors.ValidationError(problem="Please specify either number of bytes or key spec.")
    length = DATA_KEY_BYTES[request.key_spec] if request.key_spec else request.number_of_bytes or 0
    key = usable(call, request.key_id)
    plaintext = call.rng(length)
    ciphertext = seal_under(call, key, plaintext, request.encryption_context)
    if request.dry_run:
        raise errors.DryRunError
    return key, plaintext, ciphertext


class GenerateRandomRequest(Request, frozen=True, kw_only=True):
    """Members of GenerateRandom."""

    number_of_bytes: NumberOfBytes


class GenerateRandomResponse(Response, frozen=True, kw_only=True):
    """The random bytes."""

    plaintext: bytes


def generate_random(call: Call, request: GenerateRandomRequest) -> GenerateRandomResponse:
    """Random bytes from the operating system."""
    return GenerateRandomResponse(plaintext=call.rng(request.number_of_bytes))
