"""The canonical encryption context.

Implements docs/spec/blob.md, "Canonical encryption context". Names and values are compared as the bytes given: case and
Unicode normalisation forms are distinct.
"""

from collections.abc import Mapping

from kmscli import errors
from kmscli.formats.wire import prefixed
from kmscli.model import limits

_NONE = bytes(4)
"""The canonical form of no context: a count of 0."""


def canonical(context: Mapping[str, str] | None) -> bytes:
    """The context as bytes: u32 count, then the pairs sorted by the UTF-8 of their names, each string prefixed.

    Args:
        context: Name -> value; None and an empty one are the same.

    Raises:
        ValidationError: A lone surrogate, or more than 8192 bytes.
    """
    if not context:
        return _NONE
    try:
        pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    except UnicodeEncodeError as error:
        raise errors.ValidationError(
            problem="the encryption context is not valid Unicode", hint="names and values must be UTF-8 text"
        ) from error
    encoded = len(pairs).to_bytes(4, "big") + b"".join(prefixed(*pair) for pair in pairs)
    if len(encoded) > limits.ENCRYPTION_CONTEXT_MAX:
        raise errors.ValidationError(
            problem=f"the encryption context takes {len(encoded)} bytes; at most "
            f"{limits.ENCRYPTION_CONTEXT_MAX} are allowed",
            hint="put a name for the data there, not the data",
        )
    return encoded
