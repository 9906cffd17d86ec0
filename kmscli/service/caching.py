"""Data keys that several messages share, bounded by age, messages and bytes; and data keys that were decrypted.

As the caching cryptographic materials manager of the AWS Encryption SDK: each message has keys of its own, derived from
the data key and the message's id, so that a shared data key costs no nonce. What it costs is reach: who learns a data
key reads all its messages, and the audit log tells of the data key, not of each message. A key that was disabled, or a
permission that was taken away, has its effect when the data key is too old. Messages that are signed share none when
they are made, nor do those whose size is not known before.

A decrypted data key opens what has the same encrypted data keys, encryption context and suite, and was asked for by the
same principal of the same vault. Each message is verified under it as under any other.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NoReturn, TypeVar

import msgspec

from kmscli import errors
from kmscli.formats.message import EncryptedDataKey, Header
from kmscli.formats.wire import sha256

MESSAGES_MAX = 1 << 32
BYTES_MAX = (1 << 63) - 1
"""What one data key may encrypt at most (AWS Encryption SDK, MAX_MESSAGES_PER_KEY, MAX_BYTES_PER_KEY)."""

Purpose = tuple[object, ...]


class Opened:
    """A data key that was decrypted. It neither prints nor pickles.

    Attributes:
        data_key: In clear.
        key_id: ARN of the key that opened it.
    """

    def __init__(self, data_key: bytes, key_id: str) -> None:
        self.data_key = data_key
        self.key_id = key_id

    def __repr__(self) -> str:
        return "<Opened>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a data key is not pickled")


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

    def __reduce__(self) -> NoReturn:
        raise TypeError("a data key is not pickled")


M = TypeVar("M", bound=Materials | Opened)


class _Entry(Generic[M]):
    def __init__(self, materials: M, born: float) -> None:
        self.materials = materials
        self.born = born
        self.messages = 0
        self.bytes = 0


class CachingMaterials:
    """Keeps data keys and hands them out as long as they are within all three bounds.

    May be shared by threads.
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
            max_age: Seconds after which a data key encrypts and opens nothing more.
            max_messages: How many messages it encrypts at most, and how many it opens.
            max_bytes: How many bytes of plaintext it encrypts at most.
            capacity: How many data keys are kept to encrypt with, one for each set of keys and encryption context; and
                how many to open messages.
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
        self._fresh: OrderedDict[Purpose, _Entry[Materials]] = OrderedDict()
        self._opened: OrderedDict[Purpose, _Entry[Opened]] = OrderedDict()

    def take(self, purpose: Purpose, size: int, make: Callable[[], Materials]) -> Materials:
        """Materials for one message of `size` bytes: kept ones, if they are within the bounds with it.

        Args:
            purpose: What the materials are for; others are never handed out for it.
            size: Bytes of plaintext.
            make: Makes new ones.
        """
        return self._take(self._fresh, purpose, size, make)

    def take_opened(self, purpose: Purpose, make: Callable[[], Opened]) -> Opened:
        """The data key of one message that is to be decrypted: a kept one, if it is within its bounds.

        Args:
            purpose: What the data key is for, from `purpose_of_opened`.
            make: Decrypts it; what it raises is raised, and nothing is kept.
        """
        return self._take(self._opened, purpose, 0, make)

    def _take(
        self, entries: "OrderedDict[Purpose, _Entry[M]]", purpose: Purpose, size: int, make: Callable[[], M]
    ) -> M:
        with self._lock:
            entry = entries.get(purpose)
            if entry is not None and self._fits(entry, size):
                entries.move_to_end(purpose)
                return self._charged(entry, size)
            entries.pop(purpose, None)
        # Its age begins before it is asked for: what is disabled meanwhile may have been asked about before.
        born = self._clock()
        made = _Entry(make(), born)
        if not self._fits(made, size):
            return made.materials  # a message as large as all that a key may do has a key alone
        with self._lock:
            entries[purpose] = made
            while len(entries) > self._capacity:
                entries.popitem(last=False)
            return self._charged(made, size)

    def _fits(self, entry: _Entry[M], size: int) -> bool:
        return (
            self._clock() - entry.born <= self._max_age
            and entry.messages + 1 <= self._max_messages
            and entry.bytes + size <= self._max_bytes
        )

    def _charged(self, entry: _Entry[M], size: int) -> M:
        entry.messages += 1
        entry.bytes += size
        return entry.materials

    def clear(self) -> None:
        """Keep nothing any more, for instance after a rotation of the key."""
        with self._lock:
            self._fresh.clear()
            self._opened.clear()


Holder = tuple[str, str]
"""Vault id, and the principal who acts: what one was given is not handed to another."""


def purpose_of(holder: Holder, keys: Sequence[str], encryption_context: Mapping[str, str]) -> Purpose:
    """What materials are for: messages under these keys and with this context."""
    return (holder, tuple(keys), tuple(sorted(encryption_context.items())))


def purpose_of_opened(holder: Holder, header: Header, key: str | None) -> Purpose:
    """What an opened data key is for: messages with these encrypted data keys, this context and this suite.

    Args:
        holder: Who opened it.
        header: Of a message.
        key: The key that was asked to have made it; None = any.
    """
    # A digest, because only one of the encrypted data keys was opened: the others may be anything, and large.
    data_keys = [(of_it.provider_id, of_it.provider_info, of_it.ciphertext) for of_it in header.data_keys]
    context = sorted(header.encryption_context.items())
    return (holder, key, sha256(msgspec.json.encode((header.suite.number, context, data_keys))))
