"""Sign, Verify, GetPublicKey."""

from typing import Annotated

from msgspec import Meta

from kmscli import errors
from kmscli.model import limits
from kmscli.model.specs import KEY_SPECS, SIGN_VERIFY, SIGNING_ALGORITHMS
from kmscli.service import materials
from kmscli.service.context import Call
from kmscli.service.metadata import algorithms
from kmscli.service.shapes import (
    DryRun,
    GrantTokens,
    KeyId,
    Message,
    MessageType,
    Request,
    Response,
    SigningAlgorithm,
)
from kmscli.vault.records import KeyGroup

RAW = "RAW"


class SignRequest(Request, frozen=True, kw_only=True):
    """Members of Sign."""

    key_id: KeyId
    message: Message
    message_type: MessageType | None = None
    grant_tokens: GrantTokens | None = None
    signing_algorithm: SigningAlgorithm
    dry_run: DryRun | None = None


class SignResponse(Response, frozen=True, kw_only=True):
    """The signature, and what made it."""

    key_id: str
    signature: bytes
    signing_algorithm: str


def sign(call: Call, request: SignRequest) -> SignResponse:
    """Sign a message, or the digest of one.

    Raises:
        KmsError: NotFoundException, the key's state, InvalidKeyUsageException, ValidationException,
            DryRunOperationException.
    """
    key = _checked(call, request)
    private = materials.private_key(call, key)
    if request.dry_run:
        raise errors.DryRunError
    algorithm = request.signing_algorithm
    signature = private.sign(request.message, SIGNING_ALGORITHMS[algorithm], request.message_type or RAW)
    return SignResponse(key_id=key.arn, signature=signature, signing_algorithm=algorithm)


class VerifyRequest(Request, frozen=True, kw_only=True):
    """Members of Verify."""

    key_id: KeyId
    message: Message
    message_type: MessageType | None = None
    signature: Annotated[
        bytes, Meta(min_length=1, max_length=limits.CIPHERTEXT_MAX, description="The signature to check.")
    ]
    signing_algorithm: SigningAlgorithm
    grant_tokens: GrantTokens | None = None
    dry_run: DryRun | None = None


class VerifyResponse(Response, frozen=True, kw_only=True):
    """A signature that holds; one that does not is an error."""

    key_id: str
    signature_valid: bool
    signing_algorithm: str


def verify(call: Call, request: VerifyRequest) -> VerifyResponse:
    """Check a signature by the key's own public key.

    Raises:
        KmsError: KMSInvalidSignatureException if it does not hold; else as `sign`.
    """
    key = _checked(call, request)
    algorithm = request.signing_algorithm
    public = materials.public_key(call, key)
    public.verify(request.message, request.signature, SIGNING_ALGORITHMS[algorithm], request.message_type or RAW)
    if request.dry_run:
        raise errors.DryRunError
    return VerifyResponse(key_id=key.arn, signature_valid=True, signing_algorithm=algorithm)


def _checked(call: Call, request: SignRequest | VerifyRequest) -> KeyGroup:
    key = call.usable(request.key_id, SIGN_VERIFY, request.grant_tokens)
    algorithm, kind = request.signing_algorithm, request.message_type or RAW
    call.check_algorithm(key, algorithm)
    lengths = SIGNING_ALGORITHMS[algorithm].messages
    if kind not in lengths:
        raise errors.ValidationError(
            problem=f"MessageType {kind} is not compatible with SigningAlgorithm {algorithm}",
            hint=f"it takes {' or '.join(lengths)}",
        )
    length = lengths[kind]
    if length is not None and len(request.message) != length:
        raise errors.ValidationError(
            problem=f"Digest is invalid length for algorithm {algorithm}.",
            hint=f"{kind} has {length} bytes for it, and {len(request.message)} were given",
        )
    return key


class GetPublicKeyRequest(Request, frozen=True, kw_only=True):
    """Members of GetPublicKey."""

    key_id: KeyId
    grant_tokens: GrantTokens | None = None


class GetPublicKeyResponse(Response, frozen=True, kw_only=True):
    """The public key, and what it is for."""

    key_id: str
    public_key: bytes
    customer_master_key_spec: str
    key_spec: str
    key_usage: str
    encryption_algorithms: tuple[str, ...] | None = None
    signing_algorithms: tuple[str, ...] | None = None
    key_agreement_algorithms: tuple[str, ...] | None = None
    encapsulation_algorithms: tuple[str, ...] | None = None


def get_public_key(call: Call, request: GetPublicKeyRequest) -> GetPublicKeyResponse:
    """The public key of an asymmetric key (SubjectPublicKeyInfo, DER).

    Raises:
        KmsError: UnsupportedOperationException for a key that has none; NotFoundException, the key's state.
    """
    key = call.find(request.key_id)
    call.check_grant_tokens(request.grant_tokens)
    call.check_state(key)
    record = key.record
    if not KEY_SPECS[record.key_spec].asymmetric:
        raise errors.UnsupportedOperationError(
            problem=f"{key.arn} key spec is {record.key_spec} which has no public key."
        )
    return GetPublicKeyResponse(
        key_id=key.arn,
        public_key=materials.current(key).public,
        customer_master_key_spec=record.key_spec,
        key_spec=record.key_spec,
        key_usage=record.key_usage,
        **algorithms(key),
    )
