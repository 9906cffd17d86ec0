"""What can be said of encrypted files without any key: form, keys and versions, context, sizes.

All that docs/spec/message.md and docs/spec/blob.md let anybody check is checked; what cannot be known without a key is
left out. Nothing of what is said is authenticated: who can write a file can write one that says the same.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from kmscli import errors
from kmscli.envelope.measuring import measure
from kmscli.formats import blob, message
from kmscli.service import needs, sealing
from kmscli.service.files import Format
from kmscli.service.keyring import Keyring
from kmscli.service.needs import Need, Sight, State
from kmscli.service.shapes import Response
from kmscli.storage import streams
from kmscli.storage.streams import File
from kmscli.storage.walking import text_of


class InspectedKey(Response, frozen=True, kw_only=True):
    """One key that opens a file.

    Attributes:
        provider: Who encrypted with it, if it is not kms or AWS KMS.
        version: The version that was used, of a key of kms.
        current_version: The one that is used now, of a key of this vault.
    """

    provider: str | None = None
    key_id: str | None = None
    key_arn: str | None = None
    version: int | None = None
    current_version: int | None = None


class Inspection(Response, frozen=True, kw_only=True):
    """What one file says of itself.

    Attributes:
        format: Absent if it is neither blob nor message; a ciphertext of an RSA key looks like any bytes.
        text: Whether it is in text form.
        suite: Of a message, as its algorithm suite's number.
        commits: Whether the suite commits to its key.
        message_id: 64 hex digits.
        frame_length: Bytes of plaintext in each frame but the last.
        size: Bytes of the file.
        plaintext_size: Bytes that decryption would give.
        state: Whether it is encrypted with current versions, where the vault was asked.
        error: Why nothing can be said.
    """

    file: str
    format: Format | None = None
    text: bool | None = None
    suite: str | None = None
    commits: bool | None = None
    signed: bool | None = None
    keys: tuple[InspectedKey, ...] | None = None
    encryption_context: dict[str, str] | None = None
    message_id: str | None = None
    frame_length: int | None = None
    frames: int | None = None
    size: int | None = None
    plaintext_size: int | None = None
    state: State | Literal["plain"] | None = None
    error: errors.KmsError | None = None


class Twins(msgspec.Struct, frozen=True):
    """Two messages that share a message id and are not copies of each other."""

    first: str
    second: str


class Inspector:
    """Looks at files one after the other, and remembers their message ids.

    Attributes:
        twins: Pairs that share a message id: key and nonces were used twice, so neither can be believed any more.
    """

    def __init__(self, ring: Keyring | None = None) -> None:
        """Look at files.

        Args:
            ring: The keys by which a file's state is judged; None = it is not.
        """
        self._ring = ring
        self._seen: dict[bytes, tuple[str, bytes]] = {}
        self.twins: list[Twins] = []

    def inspect_all(self, paths: Iterable[Path | None]) -> Iterator[Inspection]:
        """Look at each of several files; what is wrong with one is said of that one."""
        for path in paths:
            try:
                yield self.inspect(path)
            except errors.KmsError as error:
                yield Inspection(file=_name(path), error=error)

    def inspect(self, path: Path | None) -> Inspection:
        """Look at one file; None is standard input.

        Raises:
            KmsError: It cannot be read, or has a form that no reader takes.
        """
        with streams.reading(path) as source:
            sight = needs.see(source, legacy=True)
            found = Inspection(file=_name(path), size=source.size if isinstance(source, File) else None)
            if sight is None:
                return msgspec.structs.replace(found, state="plain" if self._ring else None)
            found = msgspec.structs.replace(
                found,
                text=sight.armored,
                keys=tuple(map(self._key, sight.needs)),
                state=needs.state_of(sight.needs, self._ring) if self._ring else None,
            )
            return self._message(found, sight) if sight.header is not None else _blob(found, sight)

    def _message(self, found: Inspection, sight: Sight) -> Inspection:
        header = sight.header
        if header is None:
            raise errors.InternalError(what="a blob was taken for a message")
        measured = measure(sight.plain, header)
        self._compare(header.message_id, found.file, measured.trace)
        context = header.encryption_context
        return msgspec.structs.replace(
            found,
            format="message",
            suite=header.suite.name,
            commits=header.suite.commits,
            signed=header.signed,
            encryption_context={name: context[name] for name in context if name != message.PUBLIC_KEY_NAME} or None,
            message_id=header.message_id.hex(),
            frame_length=header.frame_length or None,
            frames=measured.frames,
            plaintext_size=measured.plaintext,
        )

    def _compare(self, message_id: bytes, name: str, trace: bytes) -> None:
        other, known = self._seen.setdefault(message_id, (name, trace))
        if known != trace:
            self.twins.append(Twins(other, name))

    def _key(self, need: Need) -> InspectedKey:
        return inspected_key(need, self._ring)


def inspected_key(need: Need, ring: Keyring | None) -> InspectedKey:
    """A key as an answer tells of it; with `ring`, its current version too."""
    standing = ring.find(need.key_id) if ring is not None and need.version else None
    return InspectedKey(
        provider=None if need.provider == sealing.AWS_KMS else need.provider,
        key_id=need.key_id or None,
        key_arn=need.arn or (standing.arn if standing else None),
        version=need.version or None,
        current_version=standing.version if standing else None,
    )


def _blob(found: Inspection, sight: Sight) -> Inspection:
    return msgspec.structs.replace(found, format="blob", plaintext_size=len(sight.data) - blob.OVERHEAD)


def _name(path: Path | None) -> str:
    return "standard input" if path is None else text_of(path)
