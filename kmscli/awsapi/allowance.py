"""How much each principal may ask for: a bucket that holds the requests of one second, and fills with time.

All workers of a server take from the same buckets, so a limit is that of the server, however connections are spread.
"""

import threading
from collections.abc import Callable

import msgspec

from kmscli import errors
from kmscli.storage.turns import LEFT_MAX, Alone, Turn

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(dict[str, tuple[float, float]])


class Allowance:
    """The requests a second that each principal may make.

    Only a request whose signature held takes from it, so nobody can use up the allowance of another.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        """Allow `rate` requests a second, None = any number.

        Args:
            rate: The number.
            clock: Gives seconds that only grow, the same in all processes.
        """
        self._rate = rate
        self._clock = clock
        self._turn: Turn = Alone()
        # Threads of one process share its turn, so they come one after the other by this.
        self._lock = threading.Lock()
        # Principal -> what is left, and since when.
        self._buckets: dict[str, tuple[float, float]] = {}

    def share(self, turn: Turn) -> None:
        """Take from the same buckets as the other processes with a `turn` of one queue, which is for nothing else."""
        self._turn = turn

    def take(self, principal: str) -> None:
        """Count a request.

        Raises:
            ThrottlingError: It is one too many.
        """
        if self._rate is None:
            return
        with self._lock, self._turn:
            now = self._clock()
            most = max(1.0, self._rate)
            buckets = self._found()
            left, since = buckets.get(principal, (most, now))
            left = min(most, left + (now - since) * self._rate)
            buckets[principal] = (left - 1 if left >= 1 else left, now)
            self._leave(buckets, now - most / self._rate)
        if left < 1:
            raise errors.ThrottlingError

    def _found(self) -> dict[str, tuple[float, float]]:
        if data := self._turn.found():
            self._buckets = _DECODER.decode(data)
        return self._buckets

    def _leave(self, buckets: dict[str, tuple[float, float]], full: float) -> None:
        data = _ENCODER.encode(buckets)
        if len(data) > LEFT_MAX:
            # Who has not asked since `full` has a full bucket, as if it had never asked.
            self._buckets = {name: bucket for name, bucket in buckets.items() if bucket[1] > full}
            data = _ENCODER.encode(self._buckets)
        self._turn.leave(data)
