"""Signatures of many lines, checked in this process or in several beside it.

Nearly all the time of a verification goes into Ed25519, so only that is handed to other processes: what is decided
about a line is decided in one place, in the order of the log. The processes are forks that close every descriptor but
their two pipes, so no lock and no handle of the database reaches them, and that end without running anything of their
parent's. Lines under way are bounded in number and in bytes.
"""

import os
import select
from collections import deque
from typing import NamedTuple, NoReturn, Protocol, Self

import msgspec

from kmscli import errors
from kmscli.audit.faults import Place, fault
from kmscli.crypto import identity
from kmscli.storage.files import write_all

BROKEN = "its signature does not hold"

_BATCH_BYTES = 32 * 1024
"""A batch fits into a pipe with its default size, so that handing it over does not wait for the one before."""
_QUEUED = 2
"""Batches under way at one worker: one that it works on, one that waits in the pipe."""
_LENGTH = 4
_WORTH_IT = 2 << 20
_MOST_WORKERS = 8
_DESCRIPTORS = 1 << 20


class Job(NamedTuple):
    """One signature to check: a public key of 32 bytes, the message, the signature."""

    key: bytes
    message: bytes
    signature: bytes


class Checks(Protocol):
    """Takes the signatures of a log in their order; used in a `with` block."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def add(self, place: Place, job: Job) -> None:
        """Check a signature, now or later.

        Raises:
            AuditTamperedError: The first signature, in the order of the log, that does not hold.
        """

    def finish(self) -> None:
        """Check all that was added; errors as for `add`."""


def checks_for(size: int) -> Checks:
    """Checks for a log of `size` bytes: in several processes if that is worth their start."""
    cores = _cores()
    if size < _WORTH_IT or cores == 1:
        return Here()
    try:
        return Workers(min(cores, _MOST_WORKERS))
    except OSError:
        return Here()


def _cores() -> int:
    # The cores that this process may use, where the system tells them apart from all there are.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Here:
    """Checks each signature at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def add(self, place: Place, job: Job) -> None:
        """Check a signature."""
        if first_broken([job]) is not None:
            raise fault(place, BROKEN)

    def finish(self) -> None:
        """Nothing is left to check."""


def first_broken(jobs: list[Job]) -> int | None:
    """The index of the first signature that does not hold."""
    for index, job in enumerate(jobs):
        try:
            identity.verify(*job)
        except errors.SignatureBrokenError:
            return index
    return None


class Workers:
    """Checks signatures in other processes; ends them at the end of its `with` block."""

    def __init__(self, count: int) -> None:
        """Start `count` processes.

        Raises:
            OSError: The system refuses another process.
        """
        self._places: list[Place] = []
        self._jobs: list[Job] = []
        self._bytes = 0
        self._broken: list[Place] = []
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                self._workers.append(_Worker())
        except OSError:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        for worker in self._workers:
            worker.end()

    def add(self, place: Place, job: Job) -> None:
        """Check a signature later."""
        self._places.append(place)
        self._jobs.append(job)
        self._bytes += len(job.message)
        if self._bytes >= _BATCH_BYTES:
            self._hand_out()

    def finish(self) -> None:
        """Check all that was added."""
        if self._jobs:
            self._hand_out()
        self._drain()

    def _hand_out(self) -> None:
        places, jobs = self._places, self._jobs
        self._places, self._jobs, self._bytes = [], [], 0
        worker = self._next_worker()
        worker.give(places, jobs)
        if self._broken:
            # What was added earlier may still be under way elsewhere, and the first broken one is to be named.
            self._drain()

    def _next_worker(self) -> "_Worker":
        worker = min(self._workers, key=lambda worker: len(worker.under_way))
        if len(worker.under_way) >= _QUEUED:
            worker = self._first_ready()
            self._collect(worker)
        return worker

    def _first_ready(self) -> "_Worker":
        poll = select.poll()
        for worker in self._workers:
            poll.register(worker.answers, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        return next(worker for worker in self._workers if worker.answers in ready)

    def _collect(self, worker: "_Worker") -> None:
        broken = worker.take()
        if broken:
            self._broken.append(broken)

    def _drain(self) -> None:
        for worker in self._workers:
            while worker.under_way:
                self._collect(worker)
        if self._broken:
            raise fault(min(self._broken, key=lambda place: place.seq), BROKEN)


class _Worker:
    """One process and the pipes to it and from it.

    Attributes:
        under_way: The places of the batches that it has not answered yet.
        answers: The descriptor from which its answers are read.
    """

    def __init__(self) -> None:
        self.under_way: deque[list[Place]] = deque()
        jobs, self._jobs = os.pipe()
        self.answers, answers = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            for descriptor in (jobs, self._jobs, self.answers, answers):
                os.close(descriptor)
            raise
        if self._pid == 0:
            _live(jobs, answers)
        os.close(jobs)
        os.close(answers)

    def give(self, places: list[Place], jobs: list[Job]) -> None:
        """Hand a batch over."""
        content = msgspec.msgpack.encode(jobs)
        self.under_way.append(places)
        try:
            write_all(self._jobs, len(content).to_bytes(_LENGTH, "big") + content)
        except OSError as error:
            raise _died() from error

    def take(self) -> Place | None:
        """Wait for the answer to the oldest batch: the place of the first signature in it that does not hold."""
        places = self.under_way.popleft()
        answer = b""
        while len(answer) < _LENGTH:
            part = os.read(self.answers, _LENGTH - len(answer))
            if not part:
                raise _died()
            answer += part
        number = int.from_bytes(answer, "big")
        return places[number - 1] if number else None

    def end(self) -> None:
        """Close the pipes, which ends the process, and wait for it."""
        os.close(self._jobs)
        os.close(self.answers)
        os.waitpid(self._pid, 0)


def _died() -> errors.AuditUnavailableError:
    return errors.AuditUnavailableError(action="checked", reason="a process that checks signatures ended", hint="")


def _live(jobs: int, answers: int) -> NoReturn:
    # Whatever happens, an interrupt too, this process ends here: it must not go on as a second parent.
    try:
        _close_all_but(jobs, answers)
        _answer(jobs, answers)
    finally:
        os._exit(0)


def _close_all_but(*kept: int) -> None:
    low = 0
    for descriptor in (*sorted(kept), _DESCRIPTORS):
        os.closerange(low, descriptor)
        low = descriptor + 1


def _answer(jobs: int, answers: int) -> None:
    """Answer each batch with the number of its first broken signature, from 1, or with 0."""
    decoder = msgspec.msgpack.Decoder(list[Job])
    with os.fdopen(jobs, "rb") as source:
        while length := source.read(_LENGTH):
            broken = first_broken(decoder.decode(source.read(int.from_bytes(length, "big"))))
            write_all(answers, (0 if broken is None else broken + 1).to_bytes(_LENGTH, "big"))
