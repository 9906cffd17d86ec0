"""The base of every request and response, and the member types that many share.

A member's bounds stand in its annotation (`msgspec.Meta`) and nowhere else: `validate` reads them to speak AWS's
constraint texts, the command line reads them to build its options, `docs/cli.md` prints them.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NoReturn

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.model import limits


class _Shape(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What requests and responses share: they may hold plaintext, so they neither print nor pickle."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(type(self).__name__ + " may hold secrets and is not pickled")


class Request(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Members of one request; absent ones are None."""


class Response(_Shape, frozen=True, kw_only=True, omit_defaults=True):
    """Members of one answer; None members are left out of it."""


def members_of(shape: _Shape) -> dict[str, Any]:
    """The members that are set, under their AWS names, with Python values (bytes, datetime, nested structs)."""
    values = ((name, getattr(shape, field)) for name, field in _names(type(shape)))
    return {name: value for name, value in values if value is not None}


def _names(shape: type[_Shape]) -> Iterator[tuple[str, str]]:
    return zip(shape.__struct_encode_fields__, shape.__struct_fields__, strict=True)


KeyId = Annotated[
    str,
    Meta(min_length=1, max_length=limits.KEY_ID_MAX, description="The key: its id, ARN, alias name or alias ARN."),
]
AliasName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.ALIAS_NAME_MAX,
        extra={"pattern": r"^[a-zA-Z0-9:/_-]+$"},
        description="alias/NAME.",
    ),
]
Description = Annotated[
    str, Meta(min_length=0, max_length=limits.DESCRIPTION_MAX, description="What the key is for, in your words.")
]
Plaintext = Annotated[
    bytes,
    Meta(
        min_length=1,
        max_length=limits.PLAINTEXT_MAX,
        extra={"secret": True},
        description="The bytes to encrypt, at most 4096.",
    ),
]
CiphertextBlob = Annotated[
    bytes, Meta(min_length=1, max_length=limits.CIPHERTEXT_MAX, description="A ciphertext that a key here made.")
]
EncryptionContext = Annotated[
    dict[str, str],
    Meta(description="Name=value pairs, bound to the ciphertext and written in clear to the audit log."),
]
EncryptionAlgorithmName = Literal["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"]
EncryptionAlgorithm = Annotated[
    EncryptionAlgorithmName, Meta(description="The algorithm; SYMMETRIC_DEFAULT when absent, so an RSA key needs it.")
]
SigningAlgorithm = Annotated[
    Literal[
        "RSASSA_PSS_SHA_256",
        "RSASSA_PSS_SHA_384",
        "RSASSA_PSS_SHA_512",
        "RSASSA_PKCS1_V1_5_SHA_256",
        "RSASSA_PKCS1_V1_5_SHA_384",
        "RSASSA_PKCS1_V1_5_SHA_512",
        "ECDSA_SHA_256",
        "ECDSA_SHA_384",
        "ECDSA_SHA_512",
        "SM2DSA",
        "ML_DSA_SHAKE_256",
        "ED25519_SHA_512",
        "ED25519_PH_SHA_512",
    ],
    Meta(description="The algorithm; `kms describe-key` lists those of a key."),
]
MacAlgorithm = Annotated[
    Literal["HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"],
    Meta(description="The algorithm, which must be that of the key."),
]
Message = Annotated[
    bytes,
    Meta(
        min_length=1,
        max_length=limits.MESSAGE_MAX,
        extra={"secret": True},
        description="The message, at most 4096 bytes.",
    ),
]
MessageType = Annotated[
    Literal["RAW", "DIGEST", "EXTERNAL_MU"],
    Meta(description="What Message is: the message itself (RAW, the default), its hash, or the mu of ML-DSA."),
]
DryRun = Annotated[bool, Meta(description="Check everything, do nothing.")]
DryRunModifiers = Annotated[
    list[Literal["IGNORE_CIPHERTEXT"]],
    Meta(description="With --dry-run: IGNORE_CIPHERTEXT checks without a ciphertext, for the key that is named."),
]
GrantTokens = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=limits.GRANT_TOKEN_MAX)]],
    Meta(
        min_length=0,
        max_length=limits.GRANT_TOKENS_MAX,
        description="Tokens of new grants. Grants count at once here, so none is needed.",
    ),
]
Limit = Annotated[int, Meta(ge=1, le=limits.LIST_LIMIT_MAX, description="The most items in one answer.")]
TagsLimit = Annotated[int, Meta(ge=1, le=limits.TAGS_PAGE_MAX, description="The most items in one answer.")]
SmallLimit = Annotated[int, Meta(ge=1, le=limits.ALIASES_PAGE_MAX, description="The most items in one answer.")]
Marker = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.MARKER_MAX,
        extra={"pattern": r"[\u0020-\u00FF]*"},
        description="Where the next page starts: NextMarker of the page before.",
    ),
]


TagKey = Annotated[str, Meta(min_length=1, max_length=limits.TAG_KEY_MAX)]
KeyMaterialId = Annotated[
    str,
    Meta(
        min_length=limits.MATERIAL_ID_LENGTH,
        max_length=limits.MATERIAL_ID_LENGTH,
        extra={"pattern": r"^[a-f0-9]+$"},
        description="Which material; `kms list-key-rotations --include-key-material ALL_KEY_MATERIAL` shows them.",
    ),
]
KeyStoreId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.KEY_STORE_ID_MAX,
        description="A custom key store: refused, there are none here.",
    ),
]
Policy = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.POLICY_MAX,
        extra={"pattern": r"[\u0009\u000A\u000D\u0020-\u00FF]+"},
        description="The key policy, as JSON.",
    ),
]
BypassLockoutCheck = Annotated[bool, Meta(description="Accept a policy that lets nobody change it again.")]


class Recipient(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An enclave that would get the answer: refused, since attestation needs AWS's hardware."""

    key_encryption_algorithm: Literal["RSAES_OAEP_SHA_256"] | None = None
    attestation_document: Annotated[bytes, Meta(min_length=1, max_length=limits.ATTESTATION_MAX)] | None = None


RecipientInfo = Annotated[
    Recipient, Meta(description="A Nitro enclave: refused, since attestation needs AWS's hardware.")
]


def refuse_recipient(recipient: Recipient | None) -> None:
    """Refuse a request whose answer is for an enclave.

    Raises:
        UnsupportedOperationError: It is.
    """
    if recipient is not None:
        raise errors.UnsupportedOperationError(
            problem="Recipient is not supported: an attestation can be checked only where AWS made the enclave"
        )


class Tag(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tag of a key."""

    tag_key: TagKey
    tag_value: Annotated[str, Meta(min_length=0, max_length=limits.TAG_VALUE_MAX)]
