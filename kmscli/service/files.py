"""Files of any size: encrypted under keys of the vault, and decrypted, many in one run.

A run goes in rounds of up to `AT_ONCE` files, or of fewer that are large. Each round asks for all its data keys with
one sync of the audit log, works on file after file, and has all outputs on the disk before the first gets its name;
while the disk is waited for, the next round is written. So a result appears after its audit line, whole, or not at all;
what goes wrong with one file is the outcome of that file.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from kmscli import errors
from kmscli.service import batch
from kmscli.service.context import Context
from kmscli.service.shapes import Response
from kmscli.storage import streams
from kmscli.storage.publishing import Behind, Dropping, Failed, publish
from kmscli.storage.streams import Look, Output, Stream

T = TypeVar("T")

AT_ONCE = 256
"""Files of one round: each holds a descriptor open, as do those of the round before, and a process may have few."""

BYTES_AT_ONCE = 64 << 20
"""Bytes of a round's inputs after which it takes no more: what is not published yet takes so much of the disk, and is
lost if the run is ended. An input of unknown size counts as that many."""

_UNPUBLISHED = 2
"""Rounds that are written and of which nothing is told yet: one waits for its bytes to be on the disk, one for its
names."""

Format = Literal["blob", "message"]
Progress = Callable[[int], None]


class Job(msgspec.Struct, frozen=True):
    """One input and where its result goes; None is standard input, and standard output.

    Attributes:
        in_place: Whether the output takes the place of the input.
        kept: Bytes of the result that are kept in the place of an output and given back; 0 = it is written.
        sink: An output that is there already, in the place of `target`.
    """

    source: Path | None
    target: Path | None
    in_place: bool = False
    kept: int = 0
    sink: Output | None = None

    @property
    def name(self) -> str:
        """The input, for people."""
        return "standard input" if self.source is None else str(self.source)

    @property
    def goal(self) -> str:
        """The output, for people."""
        return "standard output" if self.target is None else str(self.target)


class Result(Response, frozen=True, kw_only=True):
    """What became of one file.

    Attributes:
        status: `done`, `skipped` (with `reason`) or `failed` (with `error`).
        format: What was written or read.
        key_ids: ARNs of the keys that open the file.
        size: Bytes of plaintext.
        data: The result itself, where it was kept.
    """

    input: str
    output: str | None = None
    status: Literal["done", "skipped", "failed"]
    format: Format | None = None
    key_ids: list[str] | None = None
    size: int | None = None
    reason: str | None = None
    error: errors.KmsError | None = None
    data: bytes | None = None


class Skip(Exception):  # noqa: N818 - no fault: the file is as it should be
    """A file on which nothing is to be done; the text says why."""


Request = tuple[str, Mapping[str, object]]
"""An operation's name and its members."""


class Work(ABC):
    """What is done to one file, in steps; made by `sealing`, `opening` and `rewrapping`.

    A step asks for operations (`ask`), gets their answers (`take`), and so on until it asks for none; then the file is
    written. A step that raises ends the work on this file alone.
    """

    def __init__(self, job: Job, source: Stream) -> None:
        self.job = job
        self.source = source

    @abstractmethod
    def ask(self) -> list[Request]:
        """Operations that must succeed before the file can be written; none if it can be."""

    @abstractmethod
    def take(self, outcomes: Sequence[batch.Outcome]) -> None:
        """The outcomes of what was asked for, in order; an error among them may be raised."""

    def look(self) -> Look | None:
        """Mode and owner of a new output; None = those of an old file in its place, else 0600."""
        return None

    @abstractmethod
    def write(self, sink: Output, progress: Progress | None) -> Result:
        """Write the output; it is published afterwards."""


Make = Callable[[Job, Stream], Work]


def run(context: Context, jobs: Iterable[Job], make: Make, *, progress: Progress | None = None) -> Iterator[Result]:
    """Do the work on every file; gives what became of each, in order.

    Args:
        context: Who acts.
        jobs: The files.
        make: Looks at an input and gives what is to be done with it, or raises `Skip`.
        progress: Told of bytes.

    Raises:
        KmsError: Lock, vault or log fail; what was whole by then is published.
    """
    left, behind = iter(jobs), Behind()
    rounds: deque[_Round] = deque()
    try:
        following = next(left, None)
        while following is not None:
            rounds.append(_Round())
            following = rounds[-1].fill(following, left, make)
            try:
                rounds[-1].write(context, progress)
            except errors.KmsError:
                rounds.pop().outputs.drop()
                behind.finish()
                while rounds:
                    yield from rounds.popleft().results()
                raise
            if following is None:
                # The last, and most runs have no other: there is nothing to do while the disk is waited for.
                behind.finish()
                publish(*rounds[-1].whole())
            else:
                behind.add(*rounds[-1].whole())
                while len(rounds) > _UNPUBLISHED:
                    yield from rounds.popleft().results()
        behind.finish()
        while rounds:
            yield from rounds.popleft().results()
    except BaseException:
        for each in rounds:
            each.close()
            each.outputs.drop()
        raise


class _Entry:
    """One file of a round: its work as long as it goes on, its result when it has one."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.work: Work | None = None
        self.output: Output | None = None
        self._source: Stream | None = None
        self.result: Result | None = None

    def attempt(self, act: Callable[[], T]) -> T | None:
        """What `act` gives; an error in which it ends is what becomes of the file."""
        try:
            return act()
        except Skip as reason:
            self._end("skipped", reason=str(reason))
        except errors.KmsError as error:
            self._end("failed", error=error)
        return None

    def _end(self, status: Literal["skipped", "failed"], **more: Any) -> None:  # noqa: ANN401 - members of a result
        self.work = None
        if self.output is not None:
            self.output.drop()
        self.result = Result(input=self.job.name, status=status, **more)

    def open(self, make: Make) -> None:
        """Look at the input."""
        self._source = source = streams.reading(self.job.source)
        if self.job.in_place and not isinstance(source, streams.File):
            raise errors.InputOutputError(
                path=self.job.name, reason="is no regular file, so nothing can take its place"
            )
        self.work = make(self.job, source)

    @property
    def size(self) -> int:
        """Bytes of the input, so far as it is to be read."""
        if self.work is None:
            return 0
        return self._source.size if isinstance(self._source, streams.File) else BYTES_AT_ONCE

    def close(self) -> None:
        """Read no more of the input."""
        if self._source is not None:
            self._source.close()

    def ask(self) -> list[Request]:
        """What the work needs next."""
        return [] if self.work is None else self.work.ask()

    def take(self, outcomes: Sequence[batch.Outcome]) -> None:
        """What came of it."""
        if self.work is not None:
            self.work.take(outcomes)

    def write(self, outputs: Dropping, progress: Progress | None) -> None:
        """Write the output."""
        if self.work is None:
            return
        job, output = self.job, self.job.sink
        if output is None:
            if job.kept:
                output = streams.Memory(job.kept)
            else:
                output = streams.writing(job.target, self.work.look(), watch=outputs.add)
        self.output = outputs.add(output)
        self.result = self.work.write(output, progress)
        if isinstance(output, streams.Memory):
            self.result = msgspec.structs.replace(self.result, data=output.data)
        # Of a file that somebody wrote into meanwhile, no whole version may have been read.
        self.work.source.check_unchanged()


class _Round:
    """Some files that share a sync of the log and a wait for the disk.

    Attributes:
        outputs: What is dropped if the run ends before they are published.
    """

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self.outputs = Dropping()

    def fill(self, job: Job, left: Iterator[Job], make: Make) -> Job | None:
        """Look at inputs until the round is full; the first job that is not of it, None if there is none."""
        size = 0
        for each in chain([job], left):
            if len(self._entries) == AT_ONCE or size >= BYTES_AT_ONCE:
                return each
            entry = _Entry(each)
            self._entries.append(entry)
            entry.attempt(partial(entry.open, make))
            size += entry.size
        return None

    def close(self) -> None:
        """Read no more of the inputs."""
        for entry in self._entries:
            entry.close()

    def write(self, context: Context, progress: Progress | None) -> None:
        """Do the work on all of them, up to outputs that are whole."""
        try:
            _get_keys(context, self._entries)
            for entry in self._entries:
                entry.attempt(partial(entry.write, self.outputs, progress))
                entry.close()
        finally:
            self.close()

    def whole(self) -> tuple[list[Output], Failed]:
        """What is to be published, and who is told of what could not be."""
        whole = {id(entry.output): entry for entry in self._entries if entry.work and entry.output}

        def failed(output: Output, error: errors.KmsError) -> None:
            entry = whole[id(output)]
            entry.result = Result(input=entry.job.name, status="failed", error=error)

        return [entry.output for entry in whole.values() if entry.output], failed

    def results(self) -> list[Result]:
        """What became of each."""
        return [entry.result for entry in self._entries if entry.result is not None]


def _get_keys(context: Context, entries: list[_Entry]) -> None:
    """Ask for what all works need, round after round, until none needs anything more."""
    left = entries
    while left:
        needed = [(entry, entry.attempt(entry.ask) or []) for entry in left]
        outcomes = iter(batch.perform_together(context, [request for _, asked in needed for request in asked]))
        for entry, asked in needed:
            if asked:
                entry.attempt(partial(entry.take, list(islice(outcomes, len(asked)))))
        left = [entry for entry, asked in needed if asked and entry.work is not None]


def raised(outcomes: Sequence[batch.Outcome]) -> Sequence[Response]:
    """Outcomes that are all answers.

    Raises:
        KmsError: The first that is none.
    """
    for outcome in outcomes:
        if isinstance(outcome, errors.KmsError):
            raise outcome
    return [outcome for outcome in outcomes if isinstance(outcome, Response)]
