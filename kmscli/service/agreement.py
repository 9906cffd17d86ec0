"""DeriveSharedSecret, Encapsulate, Decapsulate."""

from typing import Annotated, Literal

from msgspec import Meta

from kmscli import errors
from kmscli.model import limits
from kmscli.model.specs import ENCAPSULATE_DECAPSULATE, KEY_AGREEMENT
from kmscli.service import materials
from kmscli.service.context import Call
from kmscli.service.shapes import (
    DryRun,
    GrantTokens,
    KeyId,
    RecipientInfo,
    Request,
    Response,
    refuse_recipient,
)

EncapsulationAlgorithm = Annotated[Literal["ML_KEM"], Meta(description="The algorithm.")]


class DeriveSharedSecretRequest(Request, frozen=True, kw_only=True):
    """Members of DeriveSharedSecret."""

    key_id: KeyId
    key_agreement_algorithm: Annotated[Literal["ECDH"], Meta(description="The algorithm.")]
    public_key: Annotated[
        bytes,
        Meta(
            min_length=1,
            max_length=limits.PUBLIC_KEY_MAX,
            description="The peer's public key on the same curve (SubjectPublicKeyInfo, DER).",
        ),
    ]
    grant_tokens: GrantTokens | None = None
    dry_run: DryRun | None = None
    recipient: RecipientInfo | None = None


class DeriveSharedSecretResponse(Response, frozen=True, kw_only=True):
    """The raw shared secret, and the key that it was derived with."""

    key_id: str
    shared_secret: bytes
    key_agreement_algorithm: str
    key_origin: str


def derive_shared_secret(call: Call, request: DeriveSharedSecretRequest) -> DeriveSharedSecretResponse:
    """The secret that a key here and a peer's key have in common.

    Raises:
        KmsError: NotFoundException, the key's state, InvalidKeyUsageException, ValidationException for a public key of
            another curve or none, DryRunOperationException.
    """
    refuse_recipient(request.recipient)
    key = call.usable(request.key_id, KEY_AGREEMENT, request.grant_tokens)
    call.check_algorithm(key, request.key_agreement_algorithm)
    secret = materials.private_key(call, key).derive(request.public_key)
    if request.dry_run:
        raise errors.DryRunError
    return DeriveSharedSecretResponse(
        key_id=key.arn,
        shared_secret=secret,
        key_agreement_algorithm=request.key_agreement_algorithm,
        key_origin=key.record.origin,
    )


class EncapsulateRequest(Request, frozen=True, kw_only=True):
    """Members of Encapsulate."""

    key_id: KeyId
    encapsulation_algorithm: EncapsulationAlgorithm
    grant_tokens: GrantTokens | None = None
    dry_run: DryRun | None = None


class EncapsulateResponse(Response, frozen=True, kw_only=True):
    """A fresh shared secret, in clear and encapsulated."""

    key_id: str
    shared_secret: bytes
    shared_secret_ciphertext_blob: bytes
    encapsulation_algorithm: str


def encapsulate(call: Call, request: EncapsulateRequest) -> EncapsulateResponse:
    """A fresh secret for whoever holds the private key.

    Raises:
        KmsError: NotFoundException, the key's state, InvalidKeyUsageException, DryRunOperationException.
    """
    key = call.usable(request.key_id, ENCAPSULATE_DECAPSULATE, request.grant_tokens)
    call.check_algorithm(key, request.encapsulation_algorithm)
    public = materials.public_key(call, key)
    if request.dry_run:
        raise errors.DryRunError
    secret, ciphertext = public.encapsulate()
    return EncapsulateResponse(
        key_id=key.arn,
        shared_secret=secret,
        shared_secret_ciphertext_blob=ciphertext,
        encapsulation_algorithm=request.encapsulation_algorithm,
    )


class DecapsulateRequest(Request, frozen=True, kw_only=True):
    """Members of Decapsulate."""

    key_id: KeyId
    shared_secret_ciphertext_blob: Annotated[
        bytes, Meta(min_length=1, max_length=limits.CIPHERTEXT_MAX, description="The encapsulated secret.")
    ]
    encapsulation_algorithm: EncapsulationAlgorithm
    grant_tokens: GrantTokens | None = None
    dry_run: DryRun | None = None


class DecapsulateResponse(Response, frozen=True, kw_only=True):
    """The shared secret."""

    key_id: str
    shared_secret: bytes
    encapsulation_algorithm: str


def decapsulate(call: Call, request: DecapsulateRequest) -> DecapsulateResponse:
    """The secret that was encapsulated with the public key.

    A ciphertext of the right length always gives some secret (implicit rejection, FIPS 203): that it is the right one
    shows only when the other side has the same.

    Raises:
        KmsError: InvalidCiphertextException for a wrong length; else as `encapsulate`.
    """
    key = call.usable(request.key_id, ENCAPSULATE_DECAPSULATE, request.grant_tokens)
    call.check_algorithm(key, request.encapsulation_algorithm)
    secret = materials.private_key(call, key).decapsulate(request.shared_secret_ciphertext_blob)
    if request.dry_run:
        raise errors.DryRunError
    return DecapsulateResponse(
        key_id=key.arn, shared_secret=secret, encapsulation_algorithm=request.encapsulation_algorithm
    )
