"""The processes of the endpoint: one that holds the sockets and starts the workers anew when they end.

No lock, no handle of the database and no thread exists when a worker is forked.
"""

import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress

from kmscli.awsapi import worker
from kmscli.awsapi.metrics import Metrics
from kmscli.awsapi.worker import GRACE_SECONDS, LOG_FAILED, Plan

_PAUSE_SECONDS = 0.5
"""Between two starts of a worker that ended by itself: one that cannot start must not take a core."""
_ENDS_BY_ITSELF = 5
"""Starts in a row of which none came to serve, after which the server gives up."""


def run(plan: Plan, announce: Callable[[], None], *, complain: Callable[[str], None]) -> int:
    """Serve until a signal ends it, and leave no socket file behind; the exit code.

    Args:
        plan: What and how.
        announce: Called once all workers serve.
        complain: Takes a sentence about what went wrong.
    """
    try:
        return _Supervisor(plan, complain).run(announce)
    finally:
        for each in (*plan.listening, *plan.admin):
            each.remove()


class _Supervisor:
    def __init__(self, plan: Plan, complain: Callable[[str], None]) -> None:
        self._plan = plan
        self._complain = complain
        self._metrics = Metrics(plan.workers)
        self._workers: dict[int, int] = {}
        # Both ends of a pipe that nobody writes to: it ends for the workers when this process does.
        self._alive, self._held = os.pipe()
        self._ready, self._tell = os.pipe()
        os.set_blocking(self._ready, False)
        self._failures = 0
        self._signals = {*worker.endings(), signal.SIGCHLD}

    def run(self, announce: Callable[[], None]) -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        for number in range(self._plan.workers):
            self._start(number)
        announced = 0
        while True:
            found = signal.sigtimedwait(self._signals, 0.02 if announced < self._plan.workers else 3600.0)
            served = self._served()
            if served:
                self._failures = 0
                announced += served
                if announced - served < self._plan.workers <= announced:
                    announce()
            if found is None:
                continue
            if found.si_signo != signal.SIGCHLD:
                return self._stop()
            code = self._reap()
            if code is not None:
                self._stop()
                return code

    def _served(self) -> int:
        with suppress(BlockingIOError):
            return len(os.read(self._ready, 64))
        return 0

    def _start(self, number: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._work(number)
        self._workers[pid] = number

    def _work(self, number: int) -> None:
        code = 1
        try:
            os.close(self._held)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)
            code = worker.run(self._plan, number, self._metrics, ready=self._tell, alive=self._alive)
        except Exception as error:  # noqa: BLE001 - this process must not go on as a second parent
            self._complain(f"a worker ended: {getattr(error, 'message', type(error).__name__)}")
            if self._plan.debug:
                # Where it came from; no value of a variable is shown.
                self._complain("".join(traceback.format_tb(error.__traceback__)))
            code = int(getattr(error, "exit_code", 1))
        finally:
            os._exit(code)

    def _reap(self) -> int | None:
        """Start anew who ended; the exit code where that is no use."""
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            number = self._workers.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            if code == LOG_FAILED:
                self._complain("the audit log could not be written for certain: nothing is served any more")
                return code
            self._failures += 1
            if self._failures > _ENDS_BY_ITSELF:
                return max(1, code)
            self._complain(f"worker {number} ended with {code}, and is started again")
            if self._failures > 1:
                time.sleep(_PAUSE_SECONDS)
            self._start(number)
        return None

    def _stop(self) -> int:
        for pid in self._workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + GRACE_SECONDS + 2
        while self._workers and time.monotonic() < end:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid:
                self._workers.pop(pid, None)
            else:
                time.sleep(0.01)
        for pid in self._workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return 0
