"""Bringing encrypted files to the current version of their keys, or to other keys; the plaintext goes nowhere.

A message is decrypted and encrypted anew in one stream, with a fresh data key and message id (docs/spec/message.md, "A
header is never tagged twice"); a blob goes through ReEncrypt. Each file is replaced whole or not at all, so a run that
was interrupted goes on where it was: what is current by then is skipped.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from kmscli import errors
from kmscli.envelope import encrypting
from kmscli.envelope.rewrapping import rewrap
from kmscli.formats import armor, message
from kmscli.formats.message import Header
from kmscli.service import files, keyring, needs, opening
from kmscli.service.batch import Outcome
from kmscli.service.context import Context
from kmscli.service.files import Job, Progress, Request, Result, Skip, Work, raised
from kmscli.service.keyring import Keyring
from kmscli.service.needs import Sight
from kmscli.service.sealing import Wrapping, look_in_place, put
from kmscli.service.shapes import Response
from kmscli.storage import streams
from kmscli.storage.streams import File, Look, Output, Stream


class Plan(msgspec.Struct, frozen=True):
    """How files are to be brought up to date.

    Attributes:
        to: KeyId of the one key that is to open them; None = those that do.
        add: Keys that are to open messages as well.
        remove: Keys that are to open them no more; also the ARN of a key elsewhere.
        encryption_context: Of blobs that were made with one; of messages, pairs that must hold.
        legacy: Whether messages without key commitment are taken; they are never up to date.
    """

    to: str | None = None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    encryption_context: Mapping[str, str] = {}
    legacy: bool = False


class _Wish(msgspec.Struct, frozen=True):
    """A plan whose keys are known by their ids."""

    to: str | None
    add: tuple[str, ...]
    remove: frozenset[str]
    legacy: bool


class Intent(Response, frozen=True, kw_only=True):
    """What would be done with one file.

    Attributes:
        key_ids: ARNs of the keys that would open it.
    """

    input: str
    status: Literal["rewrap", "skipped", "failed"]
    key_ids: list[str] | None = None
    reason: str | None = None
    error: errors.KmsError | None = None


def rewrapper(context: Context, plan: Plan) -> files.Make:
    """What `files.run` makes of each input; its jobs are in place.

    Raises:
        KmsError: A key of the plan is not in this vault, or the parts of the plan exclude each other.
    """
    ring = keyring.of_session(context)
    wish = _wish(plan, ring)

    def make(job: Job, source: Stream) -> Work:
        sight, keys = _decide(source, wish, ring)
        if sight.header is None:
            return _Blob(job, source, sight, keys[0], plan)
        return _Message(job, source, sight, sight.header, keys, plan, context)

    return make


class Planner:
    """Says what would be done, without a secret.

    Raises:
        KmsError: From the start, as `rewrapper`.
    """

    def __init__(self, ring: Keyring, plan: Plan) -> None:
        self._ring = ring
        self._wish = _wish(plan, ring)

    def look(self, job: Job) -> Intent:
        """What would be done with one file."""
        try:
            with streams.reading(job.source) as source:
                _, keys = _decide(source, self._wish, self._ring)
        except Skip as reason:
            return Intent(input=job.name, status="skipped", reason=str(reason))
        except errors.KmsError as error:
            return Intent(input=job.name, status="failed", error=error)
        return Intent(input=job.name, status="rewrap", key_ids=list(keys))


def _wish(plan: Plan, ring: Keyring) -> _Wish:
    if plan.to is not None and plan.remove:
        raise errors.UsageError(problem="--to leaves no key but one: there is nothing for --remove")
    return _Wish(
        None if plan.to is None else ring.named(plan.to),
        tuple(map(ring.named, plan.add)),
        frozenset(map(ring.loosely_named, plan.remove)),
        plan.legacy,
    )


def _decide(source: Stream, wish: _Wish, ring: Keyring) -> tuple[Sight, tuple[str, ...]]:
    """An encrypted file, and the ARNs of the keys under which it is to be made anew.

    Raises:
        Skip: Nothing is to be done.
        KmsError: Nothing can be done, or a key would be lost that cannot be put on it anew.
    """
    if not isinstance(source, File):
        raise errors.ValidationError(problem=f"{source.name} is no regular file: it has no place to be replaced in")
    sight = needs.see(source, legacy=wish.legacy)
    if sight is None:
        raise Skip("it is not encrypted")
    keys = _wanted(sight, wish, ring)
    strange = [need for need in sight.needs if not _is_here(need, ring) and _stays(need, wish)]
    weak = sight.header is not None and not sight.header.suite.commits
    same = {_identity(need) for need in sight.needs} == {*keys, *map(_identity, strange)}
    if same and not weak and needs.state_of(sight.needs, ring) == "current":
        raise Skip("it is current")
    _check_possible(sight, keys, strange)
    return sight, tuple(standing.arn for key in keys if (standing := ring.find(key)) is not None)


def _wanted(sight: Sight, wish: _Wish, ring: Keyring) -> list[str]:
    """Ids of the keys of this vault that are to open a file.

    Raises:
        UnknownCiphertextKeyError: None that opens it now is here.
    """
    here = [need.key_id for need in sight.needs if _is_here(need, ring)]
    if not here:
        raise errors.UnknownCiphertextKeyError
    stay = [key for key in here if key not in wish.remove] if wish.to is None else [wish.to]
    return list(dict.fromkeys([*stay, *wish.add]))


def _check_possible(sight: Sight, keys: Sequence[str], strange: Sequence[needs.Need]) -> None:
    """Refuse what would leave a file without a key, or without one that it has."""
    if strange:
        raise errors.ValidationError(
            problem=f"it opens with {strange[0].name} too, which is not in this vault and cannot be put on it anew",
            hint="--remove that key, or choose the one key --to which it is to belong",
        )
    if not keys:
        raise errors.ValidationError(problem="no key would open it any more", hint="--add another one")
    if sight.header is None and len(keys) > 1:
        raise errors.ValidationError(
            problem="it is a blob, which one key opens",
            hint="decrypt it, and encrypt it under several keys: that makes a message",
        )


def _is_here(need: needs.Need, ring: Keyring) -> bool:
    return need.version > 0 and ring.find(need.key_id) is not None


def _stays(need: needs.Need, wish: _Wish) -> bool:
    return wish.to is None and _identity(need) not in wish.remove


def _identity(need: needs.Need) -> str:
    return need.key_id or need.name


class _Blob(Work):
    """A blob: one ReEncrypt, so that not even this process sees the plaintext outside of it."""

    def __init__(self, job: Job, source: Stream, sight: Sight, key: str, plan: Plan) -> None:
        super().__init__(job, source)
        self._sight = sight
        self._key = key
        self._plan = plan
        self._answer: Any = None

    def ask(self) -> list[Request]:
        """One ReEncrypt."""
        if self._answer is not None:
            return []
        members: dict[str, object] = {"CiphertextBlob": self._sight.data, "DestinationKeyId": self._key}
        if self._plan.encryption_context:
            context = dict(self._plan.encryption_context)
            members |= {"SourceEncryptionContext": context, "DestinationEncryptionContext": context}
        return [("ReEncrypt", members)]

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """The new ciphertext."""
        (self._answer,) = raised(outcomes)

    def look(self) -> Look | None:
        """That of the file."""
        return look_in_place(self.job, self.source)

    def write(self, sink: Output, progress: Progress | None) -> Result:
        """All at once."""
        _check_replaces(self.job, sink)
        data: bytes = self._answer.ciphertext_blob
        put(data, sink, armored=self._sight.armored)
        if progress is not None:
            progress(len(data))
        return _result(self.job, "blob", [self._answer.key_id])


class _Message(Work):
    """A message: its data key first, then a new one."""

    def __init__(
        self,
        job: Job,
        source: Stream,
        sight: Sight,
        header: Header,
        keys: Sequence[str],
        plan: Plan,
        context: Context,
    ) -> None:
        super().__init__(job, source)
        self._sight = sight
        self._header = header
        self._unwrapping = opening.Unwrapping(header, opening.Plan(encryption_context=plan.encryption_context))
        kept = {name: value for name, value in header.encryption_context.items() if name != message.PUBLIC_KEY_NAME}
        self._wrapping = Wrapping(keys, encrypting.prepare(kept, signed=header.signed, rng=context.rng))

    def ask(self) -> list[Request]:
        """The old data key, then the new one under each key."""
        return self._unwrapping.ask() or self._wrapping.ask()

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Keep it."""
        if self._unwrapping.data_key is None:
            self._unwrapping.take(outcomes)
        else:
            self._wrapping.take(outcomes)

    def look(self) -> Look | None:
        """That of the file."""
        return look_in_place(self.job, self.source)

    def write(self, sink: Output, progress: Progress | None) -> Result:
        """In one stream."""
        _check_replaces(self.job, sink)
        key = self._unwrapping.data_key
        if key is None:
            raise errors.InternalError(what="a message was to be opened without its data key")
        out = armor.Writer(sink) if self._sight.armored else sink
        wrapping = self._wrapping
        written = rewrap(
            self._sight.plain,
            out,
            self._header,
            key,
            wrapping.draft,
            data_keys=wrapping.data_keys,
            progress=progress,
        )
        if isinstance(out, armor.Writer):
            out.finish()
        return _result(self.job, "message", wrapping.key_ids, written.plaintext)


def _check_replaces(job: Job, sink: Output) -> None:
    # What is written through (/dev/fd/3) is seen before the old message is verified, and has no old state to keep.
    if not sink.held:
        raise errors.ValidationError(problem=f"{job.name} is no file that can be replaced by rename")


def _result(job: Job, format_: files.Format, keys: list[str], size: int | None = None) -> Result:
    return Result(input=job.name, output=job.name, status="done", format=format_, key_ids=keys, size=size)
