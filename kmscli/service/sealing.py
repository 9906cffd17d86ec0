"""Encrypting files: a blob for what is small and needs no more, else a message with a data key of its own.

Implements docs/spec/blob.md and docs/spec/message.md for writers, and surface's byte mode: `auto` makes a blob of 1 to
4096 bytes under one symmetric key without encryption context, and a message of everything else.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from kmscli import errors
from kmscli.formats import blob, keyfile
from kmscli.model import limits
from kmscli.service import files
from kmscli.service.batch import Outcome
from kmscli.service.context import Context
from kmscli.service.files import Job, Progress, Request, Result, Skip, Work, raised
from kmscli.storage.streams import File, Look, Output, Stream, look_of

if TYPE_CHECKING:
    # A blob, which is what most files of a start are, needs nothing of messages and of their text form.
    from kmscli.envelope.encrypting import Draft
    from kmscli.formats.armor import Writer
    from kmscli.formats.message import EncryptedDataKey

AWS_KMS = "aws-kms"
"""The provider of data keys that a key of KMS encrypted (AWS Encryption SDK, keyrings)."""
_START = 64
"""Bytes by which a file tells that it is encrypted."""


class Plan(msgspec.Struct, frozen=True):
    """How files are to be encrypted.

    Attributes:
        keys: KeyId members: any of them opens a message.
        encryption_context: Bound to each file, and in clear in a message.
        format: What to write.
        signed: Whether messages are signed.
        armored: Whether the output is text.
        algorithm: EncryptionAlgorithm, for a blob under an RSA key.
        skips_encrypted: Whether what is encrypted already is left alone.
        more: Further members of each request, such as GrantTokens or DryRun.
    """

    keys: tuple[str, ...]
    encryption_context: Mapping[str, str] = {}
    format: Literal["auto", "blob", "message"] = "auto"
    signed: bool = False
    armored: bool = False
    algorithm: str | None = None
    skips_encrypted: bool = False
    more: Mapping[str, object] = {}


def is_encrypted(start: bytes) -> bool:
    """Whether a file that begins so is a blob, a message, or one of them as text."""
    from kmscli.formats import armor, message

    return start.startswith(blob.MAGIC) or message.looks_like(start) or armor.looks_like(start)


def sealer(context: Context, plan: Plan) -> files.Make:
    """What `files.run` makes of each input to encrypt it.

    Raises:
        ValidationError: The parts of the plan exclude each other.
    """
    _check(plan)

    def make(job: Job, source: Stream) -> Work:
        start = source.peek(limits.PLAINTEXT_MAX + 1)
        if plan.skips_encrypted and is_encrypted(start[:_START]):
            raise Skip("it is encrypted already")
        if job.in_place and _unlocks(start):
            raise Skip("it is a keyfile, which unlocks nothing when it is encrypted")
        if wants_blob(plan, len(start)):
            return _Blob(job, source, plan)
        return _Message(job, source, plan, context)

    return make


def _unlocks(start: bytes) -> bool:
    from kmscli.formats import custodianshare

    return start.startswith(keyfile.PREFIX.encode()) or custodianshare.is_one(start)


def _text(sink: Output) -> "Writer":
    from kmscli.formats import armor

    return armor.Writer(sink)


def _check(plan: Plan) -> None:
    if plan.format == "blob":
        for what, given in (("several keys", len(plan.keys) > 1), ("--signed", plan.signed)):
            if given:
                raise errors.ValidationError(
                    problem=f"a blob does not have {what}", hint="leave out --format blob, or write a message"
                )


def wants_blob(plan: Plan, size: int) -> bool:
    """Whether a blob is made of so many bytes of plaintext, or of more than a blob holds."""
    if plan.format != "auto":
        return plan.format == "blob"
    plain = len(plan.keys) == 1 and not plan.encryption_context and not plan.signed
    return plan.algorithm is not None or (plain and 1 <= size <= limits.PLAINTEXT_MAX)


def look_in_place(job: Job, source: Stream) -> Look | None:
    """Mode and owner of an output that is ciphertext: those of the input, in its place."""
    return look_of(source.found) if job.in_place and isinstance(source, File) else None


def put(data: bytes, sink: Output, *, armored: bool) -> None:
    """Write a small ciphertext."""
    text = _text(sink) if armored else None
    done = 0
    while done < len(data):
        done += (text or sink).write(memoryview(data)[done:])
    if text is not None:
        text.finish()


class _Blob(Work):
    """A blob: one Encrypt, of a file that is read whole."""

    def __init__(self, job: Job, source: Stream, plan: Plan) -> None:
        super().__init__(job, source)
        self._plan = plan
        self._answer: Any = None

    def ask(self) -> list[Request]:
        """One Encrypt."""
        if self._answer is not None:
            return []
        data = self.source.peek(limits.PLAINTEXT_MAX + 1)
        if not data:
            raise errors.ValidationError(
                problem=f"{self.job.name} is empty: a blob holds 1 byte at least", hint="--format message"
            )
        if len(data) > limits.PLAINTEXT_MAX:
            raise errors.ValidationError(
                problem=f"{self.job.name} is larger than {limits.PLAINTEXT_MAX} bytes, the most of a blob",
                hint="--format message",
            )
        members: dict[str, object] = {"KeyId": self._plan.keys[0], "Plaintext": data, **self._plan.more}
        if self._plan.encryption_context:
            members["EncryptionContext"] = dict(self._plan.encryption_context)
        if self._plan.algorithm is not None:
            members["EncryptionAlgorithm"] = self._plan.algorithm
        return [("Encrypt", members)]

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """The ciphertext."""
        (self._answer,) = raised(outcomes)

    def look(self) -> Look | None:
        """That of the input, in its place."""
        return look_in_place(self.job, self.source)

    def write(self, sink: Output, progress: Progress | None) -> Result:
        """All at once."""
        data: bytes = self._answer.ciphertext_blob
        put(data, sink, armored=self._plan.armored)
        if progress is not None:
            progress(len(data))
        return _result(self.job, "blob", [self._answer.key_id])


class Wrapping:
    """The data key of a message to be: GenerateDataKey under the first key, and its Encrypt under each other.

    Attributes:
        draft: The message to be.
        data_keys: The draft's data key under each key, whole when nothing more is asked for.
    """

    def __init__(self, keys: Sequence[str], draft: "Draft", *, more: Mapping[str, object] | None = None) -> None:
        self._keys = keys
        self._more = more or {}
        self.draft = draft
        self.data_keys: list[EncryptedDataKey] = []

    def ask(self) -> list[Request]:
        """The data key, then its further encryptions."""
        bound = dict(self._more)
        if self.draft.encryption_context:
            bound["EncryptionContext"] = self.draft.encryption_context
        if not self.data_keys:
            return [("GenerateDataKey", {"KeyId": self._keys[0], "KeySpec": "AES_256", **bound})]
        missing = self._keys[len(self.data_keys) :]
        return [("Encrypt", {"KeyId": key, "Plaintext": self.draft.data_key, **bound}) for key in missing]

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Keep the encrypted data keys."""
        from kmscli.formats.message import EncryptedDataKey

        answers: Sequence[Any] = raised(outcomes)
        if not self.data_keys:
            self.draft.data_key = answers[0].plaintext
        for answer in answers:
            self.data_keys.append(EncryptedDataKey(AWS_KMS, answer.key_id.encode(), answer.ciphertext_blob))

    @property
    def key_ids(self) -> list[str]:
        """ARNs of the keys."""
        return [key.provider_info.decode() for key in self.data_keys]


class _Message(Work):
    """A message of a plaintext."""

    def __init__(self, job: Job, source: Stream, plan: Plan, context: Context) -> None:
        super().__init__(job, source)
        from kmscli.envelope import encrypting

        self._plan = plan
        draft = encrypting.prepare(plan.encryption_context, signed=plan.signed, rng=context.rng)
        self._wrapping = Wrapping(plan.keys, draft, more=plan.more)

    def ask(self) -> list[Request]:
        """The data key under each key."""
        return self._wrapping.ask()

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Keep it."""
        self._wrapping.take(outcomes)

    def look(self) -> Look | None:
        """That of the input, in its place."""
        return look_in_place(self.job, self.source)

    def write(self, sink: Output, progress: Progress | None) -> Result:
        """In one stream."""
        from kmscli.envelope import encrypting

        text, wrapping = _text(sink) if self._plan.armored else None, self._wrapping
        written = encrypting.encrypt(
            self.source, text or sink, wrapping.draft, data_keys=wrapping.data_keys, progress=progress
        )
        if text is not None:
            text.finish()
        return _result(self.job, "message", wrapping.key_ids, written.plaintext)


def _result(job: Job, format_: files.Format, keys: list[str], size: int | None = None) -> Result:
    output = None if job.target is None else str(job.target)
    return Result(input=job.name, output=output, status="done", format=format_, key_ids=keys, size=size)
