"""Where requests of the endpoint are worked on: uses of keys many at once, changes one after the other.

Uses that have come in share one evaluation, one turn at the lock and one sync of the log; while the disk works, the
sockets gather the next ones. None is answered before its line is durable. Changes, and what takes long (key pairs,
scans of the log), run beside in threads with sessions of their own, by the same code as on the command line.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from kmscli import errors
from kmscli.awsapi import wire
from kmscli.awsapi.admission import Entry, Gate
from kmscli.awsapi.allowance import Allowance
from kmscli.service import batch
from kmscli.service.batch import AT_ONCE, Outcome
from kmscli.service.context import Context
from kmscli.service.dispatch import perform, settled
from kmscli.service.operations import OPERATIONS
from kmscli.storage.segments import check_folder
from kmscli.vault.records import Records
from kmscli.vault.session import Evaluated, Session

if TYPE_CHECKING:
    from kmscli.storage.turns import Turn

SLOW_THREADS = 2
SLOW_WAITING = 256
"""Changes that may wait; who asks for one more is told to come again."""
PIN_SECONDS = 5.0
"""How often what was seen of the vault is remembered on disk (docs/spec/vault.md, "Pin")."""

_SLOW = frozenset({"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GetKeyLastUsage"})


class Job:
    """One request, from its signature's form to its outcome.

    Attributes:
        operation: AWS's name.
        entry: What it claims.
        body: Its bytes.
        done: Told of the outcome, in the thread of the event loop.
        caller: The name of the principal, once it is known.
    """

    __slots__ = ("_admitted", "body", "caller", "done", "entry", "operation")

    def __init__(self, operation: str, entry: Entry, body: bytes, done: Callable[["Job", Outcome], None]) -> None:
        self.operation = operation
        self.entry = entry
        self.body = body
        self.done = done
        self.caller = ""
        self._admitted = False

    def context(self, session: Session, gate: Gate, records: Records) -> Context:
        """Its caller at work; errors as `Gate.admit`."""
        caller = gate.admit(records, self.entry, first=not self._admitted)
        self._admitted = True
        self.caller = caller.name
        return Context(session, caller)

    def members(self) -> dict[str, object] | errors.KmsError:
        """The members of the request, or why they cannot be read."""
        try:
            return wire.decode(self.operation, self.body)
        except Exception as error:  # noqa: BLE001 - others are worked on together with this one
            return _failure(error)


class Desk:
    """The one place of a worker where requests are worked on."""

    def __init__(
        self,
        open_session: Callable[[], Session],
        loop: asyncio.AbstractEventLoop,
        *,
        seconds: Callable[[], float],
        clock: Callable[[], float],
        rate: float | None,
        broken: Callable[[BaseException], None],
    ) -> None:
        """Open the vault.

        Args:
            open_session: Opens the vault once more, as a root; called in each thread that works on it.
            loop: Where outcomes are told.
            seconds: Gives the time, in seconds since 1970.
            clock: Gives seconds that only grow.
            rate: Requests a second that each principal may make; None = any number.
            broken: Told when a line cannot be known to be on the disk: nothing more may be answered then.
        """
        self._loop = loop
        self._clock = clock
        self._broken = broken
        self._seconds = seconds
        self._allowance = Allowance(rate, clock)
        self._open_session = open_session
        self._session = open_session()
        self._gate = Gate(self._session, seconds, self._allowance)
        self._waiting: deque[Job] = deque()
        self._scheduled = self._over = False
        self._pinned = 0.0
        self._slow = ThreadPoolExecutor(SLOW_THREADS, "slow")
        self._slow_waiting = 0
        self._own = threading.local()
        with self._session.read() as records:
            self.region = records.place.region

    def take_turns(self, turn: "Turn", at_counting: "Turn") -> None:
        """Go on beside other workers.

        Args:
            turn: What is waited for before the vault's lock: others come as often.
            at_counting: What is waited for before a request is counted for its principal.
        """
        self._session.turn = turn
        self._allowance.share(at_counting)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not (self._waiting or self._slow_waiting)

    def check(self) -> None:
        """See that the vault can be read and its log is there; KmsError if not."""
        check_folder(self._session.vault.paths.audit)
        with self._session.read():
            pass

    def submit(self, job: Job) -> None:
        """Take a request; after a failed sync none is worked on, and the server ends."""
        if self._over:
            return
        if job.operation in _SLOW or (job.operation in OPERATIONS and OPERATIONS[job.operation].changes):
            self._submit_slow(job)
            return
        self._waiting.append(job)
        self._schedule()

    def _schedule(self) -> None:
        # All that the sockets hold by now is read before the next turn of the loop.
        if self._waiting and not (self._scheduled or self._over):
            self._scheduled = True
            self._loop.call_soon(self._work)

    # -- uses

    def _work(self) -> None:
        self._scheduled = False
        jobs = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        runs: dict[int, batch.Run] = {}

        def evaluate(records: Records, now: datetime) -> list[Evaluated[Outcome]]:
            return [self._tried(number, job, runs, records, now) for number, job in enumerate(jobs)]

        context = Context(self._session)
        try:
            outcomes, left = settled(context, lambda: self._session.use_unsynced(evaluate))
            # A thread that waited in place of this one would cost more than it wins: waking it and being woken by it
            # takes longer than to read what comes meanwhile, and other workers have the lock and the cores.
            if left is not None:
                left.finish()
        except Exception as error:  # noqa: BLE001 - whatever it is, each of them gets an answer
            self._end_if_final(error)
            outcomes = [_failure(error)] * len(jobs)
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.done(job, outcome)
        if self._clock() - self._pinned > PIN_SECONDS:
            self._remember()
        self._schedule()

    def _remember(self) -> None:
        self._pinned = self._clock()
        try:
            self._session.remember()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next request meets it too
            self._end_if_final(error)

    def _end_if_final(self, error: object) -> None:
        # The system tells of a failed sync once; what is asked for after it may seem to be well.
        if isinstance(error, errors.AuditNotDurableError) and not self._over:
            self._over = True
            self._broken(error)

    def _tried(
        self, number: int, job: Job, runs: dict[int, batch.Run], records: Records, now: datetime
    ) -> Evaluated[Outcome]:
        try:
            context = job.context(self._session, self._gate, records)
            if number not in runs:
                runs[number] = batch.Run(context, job.operation, job.members())
        except errors.KmsError as error:
            # Who did not prove who it is leaves no line: a stranger must not fill the log.
            return Evaluated(error, None)
        return runs[number].tried(records, now)

    # -- changes, and what takes long

    def _submit_slow(self, job: Job) -> None:
        if self._slow_waiting >= SLOW_WAITING:
            job.done(job, errors.ThrottlingError())
            return
        self._slow_waiting += 1
        self._slow.submit(self._perform, job).add_done_callback(
            lambda future: self._loop.call_soon_threadsafe(self._performed, job, future)
        )

    def _perform(self, job: Job) -> Outcome:
        try:
            session, gate = self._session_of_thread()
            with session.read() as records:
                context = job.context(session, gate, records)
            members = job.members()
            if isinstance(members, errors.KmsError):
                return self._refusal(session, context, job, members)
            return perform(context, job.operation, members)
        except Exception as error:  # noqa: BLE001 - it is an outcome
            return _failure(error)

    @staticmethod
    def _refusal(session: Session, context: Context, job: Job, error: errors.KmsError) -> Outcome:
        run = batch.Run(context, job.operation, error)
        outcomes: list[Outcome] = session.use(lambda records, now: [run.tried(records, now)])
        return outcomes[0]

    def _session_of_thread(self) -> tuple[Session, Gate]:
        if not hasattr(self._own, "session"):
            self._own.session = self._open_session()
            self._own.gate = Gate(self._own.session, self._seconds, self._allowance)
        return self._own.session, self._own.gate

    def _performed(self, job: Job, future: "Future[Outcome]") -> None:
        self._slow_waiting -= 1
        outcome = future.result()
        self._end_if_final(outcome)
        job.done(job, outcome)

    def close(self) -> None:
        """Bring what is under way to its end; what was not begun is not."""
        self._slow.shutdown(cancel_futures=True)
        self._session.vault.close()


def _failure(error: BaseException) -> errors.KmsError:
    return error if isinstance(error, errors.KmsError) else errors.InternalError(what=type(error).__name__)
