"""A keyfile: 32 random bytes as one line of text that notices when it was cut or mistyped.

Implements docs/spec/vault.md, "Keyfile". The line fits a CI variable.
"""

import binascii

from kmscli import errors
from kmscli.formats.wire import digest

PREFIX = "kms-keyfile-1 "
SECRET_BYTES = 32
_CHECK_BYTES = 4


def encode(secret: bytes) -> bytes:
    """The line, with its newline, for 32 bytes of secret."""
    return PREFIX.encode() + binascii.b2a_base64(secret + _check(secret))  # with the newline


def decode(data: bytes, *, path: str) -> bytes:
    """The 32 bytes in a keyfile.

    Args:
        data: The file's content.
        path: Its name, for the error.

    Raises:
        InvalidKeyfileError: Not a keyfile, or one that was cut or changed.
    """
    line = data.strip()
    if not line.startswith(PREFIX.encode()):
        raise errors.InvalidKeyfileError(path=path, problem="it does not start like one")
    try:
        raw = binascii.a2b_base64(line[len(PREFIX) :], strict_mode=True)
    except binascii.Error as error:
        raise errors.InvalidKeyfileError(path=path, problem="it is not base64") from error
    secret = raw[:SECRET_BYTES]
    # The whole line is compared, because the decoder ignores padding that is none. Both sides come from the file
    # itself: the comparison tells nobody anything about another secret.
    if len(secret) != SECRET_BYTES or line != encode(secret).rstrip():
        raise errors.InvalidKeyfileError(path=path, problem="its checksum is wrong")
    return secret


def _check(secret: bytes) -> bytes:
    return digest("keyfile", secret)[:_CHECK_BYTES]
