"""A custodian's share as one line of text that says what it is for, and notices when it was cut or mistyped.

Implements docs/spec/vault.md, "Share of a custodian".
"""

import binascii
from typing import NoReturn

import msgspec

from kmscli import errors
from kmscli.formats.wire import digest

PREFIX = "kms-share-1 "
SHARE_BYTES = 32
_CHECK_BYTES = 4


class CustodianShare(msgspec.Struct, frozen=True):
    """What is in such a file. It neither prints nor pickles.

    Attributes:
        slot_id: The slot that it helps to open.
        name: The custodian.
        value: The share, 32 bytes.
    """

    slot_id: str
    name: str
    value: bytes

    def __repr__(self) -> str:
        return f"<CustodianShare {self.name} of {self.slot_id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a share is not pickled")


def is_one(data: bytes) -> bool:
    """Whether a file says that it is a share."""
    return data.strip().startswith(PREFIX.encode())


def encode(share: CustodianShare) -> bytes:
    """The line, with its newline."""
    head = f"{PREFIX}{share.slot_id} {share.name} ".encode()
    return head + binascii.b2a_base64(share.value + _check(share))  # with the newline


def decode(data: bytes, *, path: str) -> CustodianShare:
    """The share in a file.

    Args:
        data: The file's content.
        path: Its name, for the error.

    Raises:
        InvalidShareError: Not a share, or one that was cut or changed.
    """
    if not is_one(data):
        raise errors.InvalidShareError(path=path, problem="it does not start like one")
    line = data.strip()
    try:
        slot_id, name, text = line[len(PREFIX) :].decode("ascii").split(" ")
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:  # other characters, more or fewer parts, no base64
        raise errors.InvalidShareError(path=path, problem="it is not whole") from error
    share = CustodianShare(slot_id, name, raw[:SHARE_BYTES])
    # As in a keyfile: the whole line is compared, and both sides come from the file itself.
    if len(share.value) != SHARE_BYTES or line != encode(share).rstrip():
        raise errors.InvalidShareError(path=path, problem="its checksum is wrong")
    return share


def _check(share: CustodianShare) -> bytes:
    return digest("custodian-share", share.slot_id.encode(), share.name.encode(), share.value)[:_CHECK_BYTES]
