"""What a file says of itself without a key: blob or message, as text or not, and which keys open it.

Nothing of it is authenticated. Blobs of ours, by themselves or as encrypted data keys of a message, name key and
version (docs/spec/blob.md); what other providers made says no more than their name.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from kmscli import errors
from kmscli.envelope import decrypting
from kmscli.formats import armor, blob, message
from kmscli.formats.blob import Blob
from kmscli.formats.message import EncryptedDataKey, Header
from kmscli.model import ids, limits
from kmscli.service.keyring import Keyring
from kmscli.service.sealing import AWS_KMS, is_encrypted
from kmscli.storage.streams import Stream

_START = 64

State = Literal["current", "stale", "elsewhere"]
"""Whether the keys of a file that are in this vault have made it by their current versions; `elsewhere`: none is."""


class Need(msgspec.Struct, frozen=True):
    """One key that opens a file.

    Attributes:
        provider: Who encrypted with it; `aws-kms` for kms and AWS KMS.
        arn: Its ARN, "" where the file does not say.
        key_id: Its id, "" for a key of another provider.
        version: Number of the version that was used, 0 for what kms did not make.
    """

    provider: str
    arn: str = ""
    key_id: str = ""
    version: int = 0

    @property
    def name(self) -> str:
        """For people."""
        return self.arn or self.key_id or f"a key of {self.provider}"


class Sight(msgspec.Struct, frozen=True):
    """An encrypted file.

    Attributes:
        plain: Where its bytes are read, behind its text form; of a message, what follows the header.
        needs: The keys, any of which opens it.
        header: Of a message; None = a blob.
        data: Of a blob.
    """

    plain: Stream | armor.Reader
    needs: tuple[Need, ...]
    header: Header | None = None
    data: bytes = b""

    @property
    def armored(self) -> bool:
        """Whether it is in text form."""
        return isinstance(self.plain, armor.Reader)


def see(source: Stream, *, legacy: bool = False) -> Sight | None:
    """Look at the start of a file; None if it is not encrypted, or by an RSA key, which nobody can tell.

    Args:
        source: The file.
        legacy: Whether messages without key commitment are taken.

    Raises:
        KmsError: It is encrypted, and its form is wrong, unknown, or too large.
    """
    start = source.peek(_START)
    if not is_encrypted(start):
        return None
    plain: Stream | armor.Reader = source
    if armor.looks_like(start):
        plain = armor.Reader(source)
        start = plain.peek(_START)
    if message.looks_like(start):
        header = decrypting.open_header(plain, legacy=legacy)
        return Sight(plain, tuple(map(_need, header.data_keys)), header=header)
    data = plain.peek(limits.CIPHERTEXT_MAX + 1)
    if len(data) > blob.OVERHEAD + limits.PLAINTEXT_MAX:
        raise errors.MalformedMessageError(problem="it is no message, and no blob is so large")
    return Sight(plain, (_of_blob(blob.parse(data)),), data=data)


def _of_blob(found: Blob, arn: str = "") -> Need:
    return Need(AWS_KMS, arn, found.key_id, found.version)


def _need(key: EncryptedDataKey) -> Need:
    if key.provider_id != AWS_KMS:
        return Need(key.provider_id)
    arn = key.provider_info.decode(errors="backslashreplace")
    if key.ciphertext.startswith(blob.MAGIC):
        return _of_blob(blob.parse(key.ciphertext), arn)
    tail = arn.rpartition("/")[2]
    return Need(AWS_KMS, arn, tail if ids.is_key_id(tail) else "")


def state_of(needs: Sequence[Need], keyring: Keyring) -> State:
    """Whether a file is encrypted with current versions, as far as its keys are in this vault."""
    found = [(need, keyring.find(need.key_id)) for need in needs if need.version]
    here = [(need, standing) for need, standing in found if standing is not None]
    if not here:
        return "elsewhere"
    return "current" if all(need.version == standing.version for need, standing in here) else "stale"
