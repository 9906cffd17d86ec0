"""A passphrase or the content of a keyfile on its way from whoever gave it to the derivation of a key."""

from typing import Literal, NoReturn

from kmscli.formats import keyfile


class Secret:
    """What opens a slot. It neither prints nor pickles."""

    __slots__ = ("kind", "value")

    def __init__(self, kind: Literal["passphrase", "keyfile"], value: bytes) -> None:
        """Wrap `value`: a passphrase's bytes, or the 32 bytes of a keyfile."""
        self.kind: Literal["passphrase", "keyfile"] = kind
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
