"""The algorithm suites of the AWS Encryption SDK: every property of one, as data.

Nothing is inferred from the bits of an id. Source: AWS Encryption SDK Developer Guide, "Algorithms reference";
docs/spec/message.md, "Suites".
"""

import msgspec


class Signature(msgspec.Struct, frozen=True):
    """How a signed suite signs: the curve by its SEC 2 name, and the hash."""

    curve: str
    hash: str


class Suite(msgspec.Struct, frozen=True):
    """One suite. All of them encrypt with AES-GCM, with an IV of 12 and a tag of 16 bytes.

    Attributes:
        number: Its id.
        version: Of the message format; it fixes what a header looks like.
        key_bytes: Of the message key, and of the data key.
        kdf: The hash of HKDF; "" = the data key is the message key.
        commits: Whether the header commits to the data key. Only such suites are written.
        signature: None = no footer.
    """

    number: int
    version: int
    key_bytes: int
    kdf: str
    commits: bool = False
    signature: Signature | None = None

    @property
    def name(self) -> str:
        """As AWS writes it: `0x0478`."""
        return f"0x{self.number:04x}"

    @property
    def message_id_bytes(self) -> int:
        """Length of the message id, which the version fixes."""
        return 16 if self.version == 1 else 32


_P256 = Signature("secp256r1", "sha256")
_P384 = Signature("secp384r1", "sha384")

COMMITTING = Suite(0x0478, 2, 32, "sha512", commits=True)
"""What is written."""

SIGNED = Suite(0x0578, 2, 32, "sha512", commits=True, signature=_P384)
"""What is written on request."""

SUITES = {
    suite.number: suite
    for suite in (
        SIGNED,
        COMMITTING,
        Suite(0x0378, 1, 32, "sha384", signature=_P384),
        Suite(0x0346, 1, 24, "sha384", signature=_P384),
        Suite(0x0214, 1, 16, "sha256", signature=_P256),
        Suite(0x0178, 1, 32, "sha256"),
        Suite(0x0146, 1, 24, "sha256"),
        Suite(0x0114, 1, 16, "sha256"),
        Suite(0x0078, 1, 32, ""),
        Suite(0x0046, 1, 24, ""),
        Suite(0x0014, 1, 16, ""),
    )
}
"""Id -> suite."""
