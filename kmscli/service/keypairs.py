"""GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.crypto import registry
from kmscli.crypto.keypair import Pair
from kmscli.service.context import Call, refuse_unsupported
from kmscli.service.crypto import Sealed, seal_under, symmetric
from kmscli.service.shapes import (
    DryRun,
    EncryptionContext,
    GrantTokens,
    KeyId,
    RecipientInfo,
    Request,
    Response,
    refuse_recipient,
)
from kmscli.vault.records import KeyGroup

KeyPairSpec = Annotated[
    Literal[
        "RSA_2048",
        "RSA_3072",
        "RSA_4096",
        "ECC_NIST_P256",
        "ECC_NIST_P384",
        "ECC_NIST_P521",
        "ECC_SECG_P256K1",
        "SM2",
        "ECC_NIST_EDWARDS25519",
        "ML_KEM_512",
        "ML_KEM_768",
        "ML_KEM_1024",
    ],
    Meta(description="The kind of key pair."),
]


class _KeyPairRequest(Request, frozen=True, kw_only=True):
    """Members that both key pair operations share."""

    encryption_context: EncryptionContext | None = None
    key_id: KeyId
    key_pair_spec: KeyPairSpec
    grant_tokens: GrantTokens | None = None
    dry_run: DryRun | None = None


class GenerateDataKeyPairRequest(_KeyPairRequest, frozen=True, kw_only=True):
    """Members of GenerateDataKeyPair."""

    recipient: RecipientInfo | None = None


class GenerateDataKeyPairResponse(Response, frozen=True, kw_only=True):
    """The key pair, its private key in both forms, and the key that encrypted it."""

    private_key_ciphertext_blob: bytes
    private_key_plaintext: bytes
    public_key: bytes
    key_id: str
    key_pair_spec: str
    key_material_id: str | None = None


def generate_data_key_pair(call: Call, request: GenerateDataKeyPairRequest) -> GenerateDataKeyPairResponse:
    """A fresh key pair for use elsewhere: the private key (PKCS#8, DER) in clear and encrypted.

    Raises:
        KmsError: NotFoundException, the key's state, InvalidKeyUsageException, UnsupportedOperationException,
            DryRunOperationException.
    """
    refuse_recipient(request.recipient)
    made = _key_pair(call, request)
    return GenerateDataKeyPairResponse(
        private_key_ciphertext_blob=made.sealed.ciphertext,
        private_key_plaintext=made.pair.private,
        public_key=made.pair.public,
        key_id=made.key.arn,
        key_pair_spec=request.key_pair_spec,
        key_material_id=made.sealed.material_id,
    )


class GenerateDataKeyPairWithoutPlaintextRequest(_KeyPairRequest, frozen=True, kw_only=True):
    """Members of GenerateDataKeyPairWithoutPlaintext."""


class GenerateDataKeyPairWithoutPlaintextResponse(Response, frozen=True, kw_only=True):
    """The public key, the encrypted private key, and the key that encrypted it."""

    private_key_ciphertext_blob: bytes
    public_key: bytes
    key_id: str
    key_pair_spec: str
    key_material_id: str | None = None


def generate_data_key_pair_without_plaintext(
    call: Call, request: GenerateDataKeyPairWithoutPlaintextRequest
) -> GenerateDataKeyPairWithoutPlaintextResponse:
    """A fresh key pair whose private key is given encrypted only; errors as for GenerateDataKeyPair."""
    made = _key_pair(call, request)
    return GenerateDataKeyPairWithoutPlaintextResponse(
        private_key_ciphertext_blob=made.sealed.ciphertext,
        public_key=made.pair.public,
        key_id=made.key.arn,
        key_pair_spec=request.key_pair_spec,
        key_material_id=made.sealed.material_id,
    )


class _Made(msgspec.Struct, frozen=True):
    key: KeyGroup
    pair: Pair
    sealed: Sealed


def _key_pair(call: Call, request: _KeyPairRequest) -> _Made:
    refuse_unsupported(request.key_pair_spec)
    key = symmetric(call, request.key_id, request.grant_tokens)
    if request.dry_run:
        # Making a pair is the dear part; that the key can seal something is what a dry run asks.
        seal_under(call, key, b"?", request.encryption_context)
        raise errors.DryRunError
    pair = registry.generate(request.key_pair_spec)
    return _Made(key, pair, seal_under(call, key, pair.private, request.encryption_context))
