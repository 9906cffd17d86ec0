"""Leaving an encrypted output alone that is still right: the same content, keys, context and form (`--if-changed`).

Encryption draws a new data key each time, so an output would change with each run, and version control with it. Whether
an output is right is decided by decrypting it against the input; whatever stands in the way of that makes it wrong.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from kmscli import errors
from kmscli.formats import message
from kmscli.model import limits
from kmscli.service import files, needs, opening, sealing
from kmscli.service.batch import Outcome
from kmscli.service.files import Job, Progress, Request, Result, Skip, Work
from kmscli.service.keyring import Keyring
from kmscli.service.needs import Sight
from kmscli.service.sealing import Plan
from kmscli.storage import streams
from kmscli.storage.comparing import DiffersError, Same
from kmscli.storage.files import descriptor
from kmscli.storage.streams import File, Look, Output, Stream


def keeping(make: files.Make, plan: Plan, ring: Keyring) -> files.Make:
    """What `files.run` makes of each input to encrypt it, unless its output is right already.

    Args:
        make: How it is encrypted, by `plan`.
        plan: What is right.
        ring: Whose versions are current.

    Raises:
        UsageError: For an input that cannot be read twice.
    """

    def checked(job: Job, source: Stream) -> Work:
        work = make(job, source)
        if job.target is None or job.in_place or descriptor(job.target) is not None or not job.target.is_file():
            return work
        start = source.peek(limits.PLAINTEXT_MAX + 1)
        if len(start) > limits.PLAINTEXT_MAX and not isinstance(source, File):
            raise errors.UsageError(
                problem=f"--if-changed reads its input twice, and {source.name} is no file and has over 4096 bytes"
            )
        try:
            right = _is_right(job.target, plan, ring, size=len(start))
        except errors.KmsError:
            return work
        return _Check(work, job.target, plan, source if isinstance(source, File) else start) if right else work

    return checked


def _is_right(target: Path, plan: Plan, ring: Keyring, *, size: int) -> bool:
    """Whether all that an output says of itself is as it would be said anew."""
    with streams.reading(target) as source:
        sight = needs.see(source)
    if sight is None or sight.armored != plan.armored:
        return False
    named = {need.key_id for need in sight.needs} == {ring.named(key) for key in plan.keys}
    if not named or needs.state_of(sight.needs, ring) != "current":
        return False
    if sealing.wants_blob(plan, size):
        return sight.header is None
    return (
        sight.header is not None and sight.header.signed == plan.signed and _context(sight) == plan.encryption_context
    )


def _context(sight: Sight) -> dict[str, str]:
    """The encryption context as its user gave it."""
    found = {} if sight.header is None else sight.header.encryption_context
    return {name: value for name, value in found.items() if name != message.PUBLIC_KEY_NAME}


class _Check(Work):
    """The question whether an output holds the input; only if it does not, the work on it."""

    def __init__(self, work: Work, target: Path, plan: Plan, expected: File | bytes) -> None:
        super().__init__(work.job, work.source)
        self._work = work
        self._expected = expected
        self._files = ExitStack()
        old = self._files.enter_context(streams.reading(target))
        how = opening.Plan(encryption_context=plan.encryption_context, more=plan.more)
        self._opening: Work | None = opening.opener(how)(Job(target, None), old)

    def ask(self) -> list[Request]:
        """What opens the output, then what the work asks for.

        Raises:
            Skip: The output is right.
        """
        if self._opening is not None:
            try:
                if asked := self._opening.ask():
                    return asked
                self._compare(self._opening)
            except (errors.KmsError, DiffersError):
                self._give_up()
        return self._work.ask()

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """What opens the output, or what the work asked for."""
        if self._opening is None:
            self._work.take(outcomes)
            return
        try:
            self._opening.take(outcomes)
        except errors.KmsError:
            self._give_up()

    def _compare(self, old: Work) -> None:
        same = Same(self._expected)
        same.check_size(old.write(same, None).size or 0)
        self.source.check_unchanged()
        self._files.close()
        raise Skip("unchanged")

    def _give_up(self) -> None:
        self._files.close()
        self._opening = None

    def look(self) -> Look | None:
        """As the work has it."""
        return self._work.look()

    def write(self, sink: Output, progress: Progress | None) -> Result:
        """As the work does it."""
        return self._work.write(sink, progress)
