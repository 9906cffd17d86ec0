"""The base of every request and response, and the member types that many share.

A member's bounds stand in its annotation (`msgspec.Meta`) and nowhere else: `validate` reads them to speak AWS's
constraint texts, the command line reads them to build its options, `docs/cli.md` prints them.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NoReturn

import msgspec
from msgspec import Meta

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
    str, Meta(min_length=1, max_length=limits.ALIAS_NAME_MAX, pattern=r"^[a-zA-Z0-9:/_-]+$", description="alias/NAME.")
]
Description = Annotated[
    str, Meta(min_length=0, max_length=limits.DESCRIPTION_MAX, description="What the key is for, in your words.")
]
Plaintext = Annotated[
    bytes, Meta(min_length=1, max_length=limits.PLAINTEXT_MAX, description="The bytes to encrypt, at most 4096.")
]
CiphertextBlob = Annotated[
    bytes, Meta(min_length=1, max_length=limits.CIPHERTEXT_MAX, description="A ciphertext that a key here made.")
]
EncryptionContext = Annotated[
    dict[str, str],
    Meta(description="Name=value pairs, bound to the ciphertext and written in clear to the audit log."),
]
EncryptionAlgorithm = Annotated[
    Literal["SYMMETRIC_DEFAULT"], Meta(description="The algorithm; the key's own when absent.")
]
DryRun = Annotated[bool, Meta(description="Check everything, do nothing.")]
Limit = Annotated[int, Meta(ge=1, le=limits.LIST_LIMIT_MAX, description="The most items in one answer.")]
SmallLimit = Annotated[int, Meta(ge=1, le=limits.ALIASES_PAGE_MAX, description="The most items in one answer.")]
Marker = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.MARKER_MAX,
        pattern=r"^[\u0020-\u00FF]*$",
        description="Where the next page starts: NextMarker of the page before.",
    ),
]


class Tag(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tag of a key."""

    tag_key: Annotated[str, Meta(min_length=1, max_length=limits.TAG_KEY_MAX)]
    tag_value: Annotated[str, Meta(min_length=0, max_length=limits.TAG_VALUE_MAX)]
