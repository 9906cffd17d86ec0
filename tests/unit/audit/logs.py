"""Logs made for a test: composed and signed as the vault does it, but with whatever in them the test wants."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from kmscli.audit import roots
from kmscli.audit.replay import Replay
from kmscli.crypto.identity import Identity
from kmscli.formats import auditline, head, record, tree
from kmscli.formats.auditline import RecordChange
from kmscli.formats.record import RootKey, RootSet

VAULT_ID = "ab" * 16
START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SEAL = bytes(1216)


def identity(number: int) -> Identity:
    """An identity that is the same in every run."""
    return Identity(bytes([number]) * 32)


def root_key(principal: str, who: Identity) -> RootKey:
    """The public keys of a root; nobody seals to it."""
    return RootKey(principal=principal, sign=who.sign_public, seal=SEAL)


ADMIN = identity(1)
FIRST = RootSet(vault_id=VAULT_ID, number=1, roots=(root_key("admin", ADMIN),))
FIRST_BODY = record.encode(FIRST)
FINGERPRINT = roots.fingerprint(FIRST_BODY)


def next_set(before: RootSet, keys: Sequence[RootKey], *, signer: str, who: Identity) -> bytes:
    """The set of roots after `before`, signed."""
    following = RootSet(vault_id=before.vault_id, number=before.number + 1, roots=tuple(keys), signer=signer)
    signature = who.sign(head.root_set_bytes(record.encode(following)))
    return record.encode(msgspec.structs.replace(following, signature=signature))


def change(kind: str, record_id: str, old: int | None, new: int | None) -> RecordChange:
    """A change of one record between two states that are told apart by numbers."""
    return RecordChange(kind=kind, id=record_id, old=_digest(old), new=_digest(new))


def _digest(number: int | None) -> str | None:
    return None if number is None else f"{number:064x}"


MADE = (change("vault", "", None, 1),)


class Log:
    """A log in the making; each method adds a line or begins a segment.

    Attributes:
        lines: (number of its segment, line with its newline).
    """

    def __init__(self, *, vault_id: str = VAULT_ID, first: bytes = FIRST_BODY, who: Identity = ADMIN) -> None:
        self.lines: list[tuple[int, bytes]] = []
        self.vault_id = vault_id
        self.chain: tuple[bytes, ...] = (first,)
        self.who = who
        self.signer = "admin"
        self.now = START
        self.segment = 1
        self.generation = 0
        self.root = tree.EMPTY.hex()
        self.prev = auditline.FIRST_PREV
        self._replay = Replay()
        self._begins = True

    def begin_segment(self) -> "Log":
        """The next line begins a segment."""
        self.segment += 1
        self._begins = True
        return self

    def change(self, *changes: RecordChange, **members: Any) -> "Log":
        """A line that changes records."""
        self.root = self._replay.apply(changes)
        self.generation += 1
        return self.line(change=changes, **members)

    def use(self, **members: Any) -> "Log":
        """A line that changes nothing."""
        return self.line(**members)

    def line(self, **members: Any) -> "Log":
        """A line; `members` stand in the place of those it would have, and None leaves one out."""
        event: dict[str, Any] = {"eventTime": self.now, "eventName": "Encrypt"}
        event["vault"] = {"id": self.vault_id, "generation": self.generation, "root": self.root}
        if self._begins:
            event["segment"] = {"number": self.segment, "roots": [body.decode() for body in self.chain]}
        event["chain"] = {"seq": len(self.lines) + 1, "prev": self.prev}
        event = {name: value for name, value in (event | members).items() if value is not None}
        self.add(auditline.encode(event, vault_id=self.vault_id, signer=self.signer, sign=self.who.sign))
        self.now += timedelta(seconds=1)
        return self

    def add(self, line: bytes) -> None:
        """Any bytes in the place of a line."""
        self.lines.append((self.segment, line + b"\n"))
        self.prev = auditline.digest(line)
        self._begins = False

    def numbered(self, number: int) -> bytes:
        """The line with this number, from 1, without its newline."""
        return self.lines[number - 1][1][:-1]


def made() -> Log:
    """A log that begins as every log does."""
    return Log().change(*MADE)


def long_log(count: int) -> Log:
    """A log of `count` lines, a segment every hundred, a change every tenth."""
    log = made()
    for number in range(2, count + 1):
        if number % 100 == 1:
            log.begin_segment()
        if number % 10 == 0:
            log.change(change("alias", f"alias/{number}", None, number))
        else:
            log.use()
    return log


def flipped(data: bytes, index: int, mask: int = 1) -> bytes:
    """`data` with a byte changed."""
    return data[:index] + bytes([data[index] ^ mask]) + data[index + 1 :]


def joined(lines: Iterable[tuple[int, bytes]]) -> bytes:
    """The bytes of all lines."""
    return b"".join(data for _, data in lines)
