"""The ciphertext blob of Encrypt and of data keys.

Implements docs/spec/blob.md, "Blob". It names the key and the version that made it; the algorithm follows from the
format number alone. Everything in the header is bound to the sealed part by its context.
"""

from functools import lru_cache

import msgspec

from kmscli import errors
from kmscli.formats.wire import label

MAGIC = b"KMSB"
FORMAT = 1
_KEY_ID_KINDS = ("", "mrk-")
HEADER_BYTES = 26
SEALED_OVERHEAD = 72
"""Salt 24, commitment 32, tag 16 bytes of a sealed part below 16 KiB."""
OVERHEAD = HEADER_BYTES + SEALED_OVERHEAD


class Blob(msgspec.Struct, frozen=True):
    """A blob, taken apart and not yet opened."""

    key_id: str
    version: int
    header: bytes
    sealed: bytes


@lru_cache(maxsize=1024)
def header(key_id: str, version: int) -> bytes:
    """The 26 bytes before the sealed part."""
    kind = 1 if key_id.startswith("mrk-") else 0
    raw = bytes.fromhex(key_id.removeprefix("mrk-").replace("-", ""))
    return MAGIC + bytes([FORMAT, kind]) + raw + version.to_bytes(4, "big")


def parse(data: bytes) -> Blob:
    """Take a blob apart.

    Raises:
        InvalidCiphertextError: It is none, or cut short.
        UnsupportedFormatError: A blob of another format number.
    """
    if len(data) >= len(MAGIC) + 1 and data.startswith(MAGIC) and data[4] != FORMAT:
        raise errors.UnsupportedFormatError(what="the ciphertext", found=data[4], known=FORMAT)
    if len(data) <= OVERHEAD or not data.startswith(MAGIC) or data[5] >= len(_KEY_ID_KINDS):
        raise errors.InvalidCiphertextError
    return Blob(_key_id(data), int.from_bytes(data[22:26], "big"), data[:HEADER_BYTES], data[HEADER_BYTES:])


def _key_id(data: bytes) -> str:
    text = data[6:22].hex()
    if data[5]:
        return _KEY_ID_KINDS[1] + text
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def sealing_context(blob_header: bytes, encryption_context: bytes) -> bytes:
    """What the sealed part is bound to.

    Args:
        blob_header: The 26 bytes.
        encryption_context: In its canonical form.
    """
    return label("blob", blob_header, encryption_context)
