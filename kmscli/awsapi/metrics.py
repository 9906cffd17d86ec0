"""What a server counts, in memory that all of its workers share, and its text for Prometheus.

Each worker writes to a region of its own, so nothing is locked; whoever is asked adds them up. A worker that takes
another's place goes on with its counts.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterator

from kmscli.service.operations import OPERATIONS, REFUSED

OUTCOMES = ("ok", "denied", "refused", "failed")
"""Done; AccessDeniedException; another error of the caller; an error of this side."""
UNKNOWN = "Unknown"
"""Stands for a request that names no operation."""

_NAMES = (*OPERATIONS, *REFUSED, UNKNOWN)
_PLACES = {name: number for number, name in enumerate(_NAMES)}
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_COUNTS = len(_NAMES) * len(OUTCOMES)
_TIMES = _COUNTS
_SUM = _TIMES + len(_BOUNDS) + 1
_CONNECTIONS = _SUM + 1
_STARTS = _CONNECTIONS + 1
_WIDTH = _STARTS + 1
_BYTES = 8


class Metrics:
    """The counts of all workers; made before they are."""

    def __init__(self, workers: int) -> None:
        """Nothing counted."""
        self._workers = workers
        self._map = mmap.mmap(-1, max(mmap.PAGESIZE, workers * _WIDTH * _BYTES))
        self._cells = memoryview(self._map).cast("Q")

    def of(self, worker: int) -> "Counts":
        """The region of a worker, numbered from 0."""
        return Counts(self._cells[worker * _WIDTH : (worker + 1) * _WIDTH])

    def text(self) -> str:
        """All of it, in Prometheus's text format."""
        total = [sum(self._cells[w * _WIDTH + cell] for w in range(self._workers)) for cell in range(_WIDTH)]
        return "\n".join(_lines(total)) + "\n"


class Counts:
    """The counts of one worker."""

    def __init__(self, cells: memoryview) -> None:
        """Write to these cells."""
        self._cells = cells

    def started(self) -> None:
        """A worker began to serve."""
        self._cells[_STARTS] += 1
        self._cells[_CONNECTIONS] = 0

    def connections(self, count: int) -> None:
        """So many are open now."""
        self._cells[_CONNECTIONS] = count

    def answered(self, operation: str, outcome: str, seconds: float) -> None:
        """A request came to its end.

        Args:
            operation: AWS's name, or UNKNOWN.
            outcome: One of OUTCOMES.
            seconds: From its last byte to its answer.
        """
        place = _PLACES.get(operation, _PLACES[UNKNOWN])
        self._cells[place * len(OUTCOMES) + OUTCOMES.index(outcome)] += 1
        self._cells[_TIMES + bisect_left(_BOUNDS, seconds)] += 1
        self._cells[_SUM] += int(seconds * 1e6)


def _lines(total: list[int]) -> Iterator[str]:
    yield "# HELP kms_requests_total Requests that were answered."
    yield "# TYPE kms_requests_total counter"
    for number, name in enumerate(_NAMES):
        for index, outcome in enumerate(OUTCOMES):
            if count := total[number * len(OUTCOMES) + index]:
                yield f'kms_requests_total{{operation="{name}",outcome="{outcome}"}} {count}'
    yield "# HELP kms_request_seconds From the last byte of a request to its answer."
    yield "# TYPE kms_request_seconds histogram"
    seen = 0
    for index, bound in enumerate(_BOUNDS):
        seen += total[_TIMES + index]
        yield f'kms_request_seconds_bucket{{le="{bound}"}} {seen}'
    seen += total[_TIMES + len(_BOUNDS)]
    yield f'kms_request_seconds_bucket{{le="+Inf"}} {seen}'
    yield f"kms_request_seconds_sum {total[_SUM] / 1e6}"
    yield f"kms_request_seconds_count {seen}"
    yield "# HELP kms_connections Connections that are open."
    yield "# TYPE kms_connections gauge"
    yield f"kms_connections {total[_CONNECTIONS]}"
    yield "# HELP kms_worker_starts_total Workers that began to serve; more than there are means that some ended."
    yield "# TYPE kms_worker_starts_total counter"
    yield f"kms_worker_starts_total {total[_STARTS]}"
