"""Data keys that several messages share, bounded by age, messages and bytes.

As the caching cryptographic materials manager of the AWS Encryption SDK: each message has keys of its own, derived from
the data key and the message's id, so that a shared data key costs no nonce. What it costs is reach: who learns a data
key reads all its messages, and the audit log tells of the data key, not of each message. A key that was disabled, or a
permission that was taken away, has its effect when the data key is too old. Messages that are signed share none, nor
do those whose size is not known before.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from kmscli import errors
from kmscli.formats.message import EncryptedDataKey

MESSAGES_MAX = 1 << 32
BYTES_MAX = (1 << 63) - 1
"""What one data key may encrypt at most (AWS Encryption SDK, MAX_MESSAGES_PER_KEY, MAX_BYTES_PER_KEY)."""

Purpose = tuple[object, ...]


class Materials:
    """A data key, in clear and under each key. It neither prints nor pickles.

    Attributes:
        data_key: 32 bytes.
        data_keys: The same under each key.
    """

    def __init__(self, data_key: bytes, data_keys: Sequence[EncryptedDataKey]) -> None:
        self.data_key = data_key
        self.data_keys = tuple(data_keys)

    def __repr__(self) -> str:
        return "<Materials>"

    def __reduce__(self) -> str:
        raise TypeError("a data key is not pickled")


class _Entry:
    def __init__(self, materials: Materials, born: float) -> None:
        self.materials = materials
        self.born = born
        self.messages = 0
        self.bytes = 0


class CachingMaterials:
    """Keeps data keys and hands them out as long as they are within all three bounds.

    May be shared by threads; an instance belongs to one open vault.
    """

    def __init__(
        self,
        *,
        max_age: float,
        max_messages: int = MESSAGES_MAX,
        max_bytes: int = BYTES_MAX,
        capacity: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep nothing yet.

        Args:
            max_age: Seconds after which a data key encrypts nothing more.
            max_messages: How many messages it encrypts at most.
            max_bytes: How many bytes of plaintext it encrypts at most.
            capacity: How many data keys are kept: one for each set of keys and encryption context.
            clock: Gives seconds that never go back.

        Raises:
            ValidationError: A bound out of its own bounds.
        """
        for name, value, most in (
            ("max_age", max_age, float("inf")),
            ("max_messages", max_messages, MESSAGES_MAX),
            ("max_bytes", max_bytes, BYTES_MAX),
            ("capacity", capacity, 1 << 20),
        ):
            if not 0 < value <= most:
                raise errors.ValidationError(problem=f"{name} must be above 0 and at most {most}, not {value}")
        self._max_age = max_age
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Purpose, _Entry] = OrderedDict()

    def take(self, purpose: Purpose, size: int, make: Callable[[], Materials]) -> Materials:
        """Materials for one message of `size` bytes: kept ones, if they are within the bounds with it.

        Args:
            purpose: What the materials are for; others are never handed out for it.
            size: Bytes of plaintext.
            make: Makes new ones.
        """
        with self._lock:
            entry = self._entries.get(purpose)
            if entry is not None and self._fits(entry, size):
                self._entries.move_to_end(purpose)
                return self._charged(entry, size)
            self._entries.pop(purpose, None)
        fresh = _Entry(make(), self._clock())
        if not self._fits(fresh, size):
            return fresh.materials  # a message as large as all that a key may do has a key alone
        with self._lock:
            self._entries[purpose] = fresh
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
            return self._charged(fresh, size)

    def _fits(self, entry: _Entry, size: int) -> bool:
        return (
            self._clock() - entry.born <= self._max_age
            and entry.messages + 1 <= self._max_messages
            and entry.bytes + size <= self._max_bytes
        )

    def _charged(self, entry: _Entry, size: int) -> Materials:
        entry.messages += 1
        entry.bytes += size
        return entry.materials

    def clear(self) -> None:
        """Keep nothing any more, for instance after a rotation of the key."""
        with self._lock:
            self._entries.clear()


def purpose_of(keys: Sequence[str], encryption_context: Mapping[str, str]) -> Purpose:
    """What materials are for: messages under these keys and with this context."""
    return (tuple(keys), tuple(sorted(encryption_context.items())))
