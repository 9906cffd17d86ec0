"""The import token: what ImportKeyMaterial needs of the GetParametersForImport before it.

Implements docs/spec/vault.md, "Import tokens". Bytes to struct and back; sealing is the caller's work.
"""

from datetime import datetime

import msgspec

from kmscli import errors
from kmscli.formats import record
from kmscli.formats.wire import label

MAGIC = b"KMSI\x01"


class ImportToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sealed in a token.

    Attributes:
        algorithm: The WrappingAlgorithm that was asked for.
        private: The private half of the wrapping key (PKCS#8, DER).
        valid_to: When the token's day is over.
    """

    algorithm: str
    private: bytes
    valid_to: datetime

    def __repr__(self) -> str:
        return f"<ImportToken {self.algorithm}>"


def encode(token: ImportToken) -> bytes:
    """The token's body."""
    return record.encode(token)


def decode(body: bytes) -> ImportToken:
    """The token in a body that was unsealed."""
    return record.decode(body, ImportToken)


def with_header(sealed: bytes) -> bytes:
    """The token as it is given out."""
    return MAGIC + sealed


def without_header(data: bytes) -> bytes:
    """The sealed part of a token.

    Raises:
        InvalidImportTokenError: It does not begin as one.
    """
    if not data.startswith(MAGIC):
        raise errors.InvalidImportTokenError
    return data[len(MAGIC) :]


def context(vault_id: str, key_id: str) -> bytes:
    """What the sealed part is bound to: this vault and this key."""
    return label("import-token", MAGIC, vault_id.encode(), key_id.encode())
