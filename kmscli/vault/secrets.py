"""What unlocks, on its way to the derivation of a key: a passphrase, a keyfile, or the shares of custodians."""

from collections.abc import Sequence
from typing import Literal, NoReturn

from kmscli.formats import custodianshare, keyfile
from kmscli.formats.custodianshare import CustodianShare

Kind = Literal["passphrase", "keyfile", "custodians"]


class Secret:
    """What opens a slot. It neither prints nor pickles."""

    __slots__ = ("kind", "value")

    def __init__(self, kind: Kind, value: bytes) -> None:
        """Wrap `value`: a passphrase's bytes, the 32 bytes of a keyfile, or the 32 bytes that custodians opened."""
        self.kind: Kind = kind
        self.value = value

    @classmethod
    def passphrase(cls, value: bytes) -> "Secret":
        """A passphrase, as typed: no normalisation, no trimming but what its source did."""
        return cls("passphrase", value)

    @classmethod
    def keyfile(cls, content: bytes, *, path: str) -> "Secret":
        """The content of a keyfile.

        Raises:
            InvalidKeyfileError: It is none, or was cut or changed.
        """
        return cls("keyfile", keyfile.decode(content, path=path))

    def __repr__(self) -> str:
        return f"<Secret {self.kind}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class Shares:
    """Shares of custodians, which open a slot together. They neither print nor pickle.

    Attributes:
        given: Each with the name of its file, for errors, in the order in which they were given.
    """

    __slots__ = ("given",)

    def __init__(self, given: Sequence[tuple[str, CustodianShare]]) -> None:
        """Wrap what was given."""
        self.given = tuple(given)

    def __repr__(self) -> str:
        return f"<Shares {len(self.given)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("shares are not pickled")


Unlocking = Secret | Shares
"""What a principal unlocks with."""


def from_files(contents: Sequence[tuple[str, bytes]]) -> Unlocking:
    """What lies in keyfiles: one of them is a keyfile or a share, several are shares.

    Args:
        contents: Name and content of each, at least one.

    Raises:
        InvalidKeyfileError: One is neither, or was cut or changed; InvalidShareError if it should be a share.
    """
    path, content = contents[0]
    if len(contents) == 1 and not custodianshare.is_one(content):
        return Secret.keyfile(content, path=path)
    return Shares([(path, custodianshare.decode(content, path=path)) for path, content in contents])
