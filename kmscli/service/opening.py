"""Decrypting files: blobs and messages, found by their first bytes, as text or not.

Implements docs/spec/message.md, "Release", and surface's byte mode: `-c name=value` must hold, `-c name` must be there.
Data keys are tried in their order; only those of keys that this vault holds are asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kmscli import errors
from kmscli.formats import armor, blob, message
from kmscli.formats.message import EncryptedDataKey, Header
from kmscli.model import limits
from kmscli.service import files
from kmscli.service.batch import Outcome
from kmscli.service.files import Job, Progress, Request, Result, Skip, Work, raised
from kmscli.service.sealing import AWS_KMS, is_encrypted
from kmscli.storage import streams
from kmscli.storage.streams import File, Look, Output, Stream, Through, look_of

_START = 64
_OPEN_TO_OTHERS = 0o077


class Plan(msgspec.Struct, frozen=True):
    """How files are to be decrypted.

    Attributes:
        key: The KeyId member that must have made them; None = any.
        encryption_context: Pairs that must hold.
        names: Names that must be there, whatever their value.
        algorithm: EncryptionAlgorithm, for what an RSA key encrypted.
        legacy: Whether messages without key commitment are read.
        skips_plain: Whether what is not encrypted is left alone.
        more: Further members of each request, such as GrantTokens or DryRun.
    """

    key: str | None = None
    encryption_context: Mapping[str, str] = {}
    names: tuple[str, ...] = ()
    algorithm: str | None = None
    legacy: bool = False
    skips_plain: bool = False
    more: Mapping[str, object] = {}


def opener(plan: Plan) -> files.Make:
    """What `files.run` makes of each input to decrypt it."""

    def make(job: Job, source: Stream) -> Work:
        start = source.peek(_START)
        if plan.skips_plain and not is_encrypted(start):
            raise Skip("it is not encrypted")
        plain: Stream | armor.Reader = source
        if armor.looks_like(start):
            plain = armor.Reader(source)
            start = plain.peek(_START)
        if message.looks_like(start):
            return Message(job, source, plain, plan)
        return _Blob(job, source, plain, plan)

    return make


def _look(job: Job, source: Stream) -> Look:
    # What is decrypted is for its owner alone, unless it takes the place of a file whose owner had more.
    if job.in_place and isinstance(source, File):
        return look_of(source.found, but=_OPEN_TO_OTHERS)
    return Look()


class _Blob(Work):
    """A blob, or the ciphertext of an RSA key."""

    def __init__(self, job: Job, source: Stream, plain: Stream | armor.Reader, plan: Plan) -> None:
        super().__init__(job, source)
        self._plain = plain
        self._plan = plan
        self._answer: Any = None

    def ask(self) -> list[Request]:
        """One Decrypt."""
        if self._answer is not None:
            return []
        if self._plan.names:
            raise errors.UsageError(
                problem=f"-c {self._plan.names[0]} asks for a name alone, but a blob does not hold its context",
                hint="give the pair that it was made with: -c NAME=VALUE",
            )
        data = self._plain.peek(limits.CIPHERTEXT_MAX + 1)
        if not data:
            raise errors.ValidationError(problem=f"{self.job.name} is empty: there is nothing to decrypt")
        if len(data) > limits.CIPHERTEXT_MAX:
            raise errors.MalformedMessageError(problem=f"{self.job.name} is no message, and no blob is so large")
        members: dict[str, object] = {"CiphertextBlob": data, **self._plan.more}
        if self._plan.key is not None:
            members["KeyId"] = self._plan.key
        if self._plan.encryption_context:
            members["EncryptionContext"] = dict(self._plan.encryption_context)
        if self._plan.algorithm is not None:
            members["EncryptionAlgorithm"] = self._plan.algorithm
        return [("Decrypt", members)]

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """The plaintext."""
        (self._answer,) = raised(outcomes)

    def look(self) -> Look:
        """For its owner alone."""
        return _look(self.job, self.source)

    def write(self, sink: Output, progress: Progress | None) -> Result:
        """All at once."""
        data: bytes = self._answer.plaintext
        done = 0
        while done < len(data):
            done += sink.write(memoryview(data)[done:])
        if progress is not None:
            progress(len(data))
        return _result(self.job, "blob", [self._answer.key_id], len(data))


class Unwrapping:
    """Which data key of a header opens, asked for one after the other.

    Attributes:
        data_key: The one that opened, None before.
        key_id: ARN of the key that opened it.
    """

    def __init__(self, header: Header, plan: Plan) -> None:
        check_context(header, plan)
        self._header = header
        self._plan = plan
        self._left = [key for key in header.data_keys if _is_ours(key)]
        self._refusal: errors.KmsError | None = None
        self.data_key: bytes | None = None
        self.key_id = ""

    def ask(self) -> list[Request]:
        """The next Decrypt, none when one has opened.

        Raises:
            KmsError: Why the most promising one did not; UnknownCiphertextKeyError if none could be asked for.
        """
        if self.data_key is not None:
            return []
        if not self._left:
            raise self._refusal or errors.UnknownCiphertextKeyError
        members: dict[str, object] = {"CiphertextBlob": self._left.pop(0).ciphertext, **self._plan.more}
        if self._plan.key is not None:
            members["KeyId"] = self._plan.key
        if self._header.encryption_context:
            members["EncryptionContext"] = self._header.encryption_context
        return [("Decrypt", members)]

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """The data key, or why it cannot be had; the reason that tells most is kept."""
        (outcome,) = outcomes
        if isinstance(outcome, errors.KmsError):
            if self._refusal is None or isinstance(self._refusal, errors.UnknownCiphertextKeyError):
                self._refusal = outcome
            return
        answer: Any = outcome
        self.give(answer.plaintext, answer.key_id)

    def give(self, data_key: bytes, key_id: str) -> None:
        """Have a data key, so that none is asked for."""
        self.data_key, self.key_id = data_key, key_id


def _is_ours(key: EncryptedDataKey) -> bool:
    return key.provider_id == AWS_KMS and key.ciphertext.startswith(blob.MAGIC)


def check_context(header: Header, plan: Plan) -> None:
    """Refuse a message whose encryption context is not the one that is wanted.

    The header is not authentic yet; what is released later is, and by then this context was authenticated with it.

    Raises:
        ContextMismatchError: A pair does not hold, or a name is missing.
    """
    found = header.encryption_context
    for name, value in plan.encryption_context.items():
        if found.get(name) != value:
            raise errors.ContextMismatchError(name=name, what="another value" if name in found else "no value")
    for name in plan.names:
        if name not in found:
            raise errors.ContextMismatchError(name=name, what="no value")


class Message(Work):
    """A message.

    Attributes:
        header: Of it; not authentic before it is written.
        unwrapping: Its data key.
    """

    def __init__(self, job: Job, source: Stream, plain: Stream | armor.Reader, plan: Plan) -> None:
        super().__init__(job, source)
        self._plain = plain
        from kmscli.envelope import decrypting  # a blob needs none of it

        self.header = decrypting.open_header(plain, legacy=plan.legacy)
        self.unwrapping = Unwrapping(self.header, plan)

    def ask(self) -> list[Request]:
        """The next data key."""
        return self.unwrapping.ask()

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """The data key."""
        self.unwrapping.take(outcomes)

    def look(self) -> Look:
        """For its owner alone."""
        return _look(self.job, self.source)

    def write(self, sink: Output, progress: Progress | None) -> Result:
        """In one stream; a signed message that cannot be taken back waits in a spool for its signature."""
        from kmscli.envelope import decrypting

        key = self.unwrapping.data_key
        if key is None:
            raise errors.InternalError(what="a message was to be opened without its data key")
        if self.header.signed and isinstance(sink, Through):
            spooled = streams.spool()
            try:
                opened = decrypting.decrypt(self._plain, spooled, self.header, key, held=True, progress=progress)
                streams.copy(spooled, sink)
            finally:
                spooled.drop()
        else:
            opened = decrypting.decrypt(self._plain, sink, self.header, key, held=sink.held, progress=progress)
        return _result(self.job, "message", [self.unwrapping.key_id], opened.plaintext)


def _result(job: Job, format_: files.Format, keys: list[str], size: int) -> Result:
    output = None if job.target is None else str(job.target)
    return Result(input=job.name, output=output, status="done", format=format_, key_ids=keys, size=size)
