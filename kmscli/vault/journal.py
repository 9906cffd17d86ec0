"""The vault's lock held and its log whole: the only place from which a line is written.

Implements docs/spec/audit.md, "Appending". A line says what was done, in which state of the vault, after which line;
then the principal who acts signs it.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from kmscli import errors
from kmscli.audit.log import Tail
from kmscli.crypto import identity
from kmscli.formats import auditline
from kmscli.formats.auditline import RecordChange, Signer
from kmscli.model import limits
from kmscli.storage import segments
from kmscli.storage.newest import Unsynced
from kmscli.storage.paths import pin_file
from kmscli.vault import pin
from kmscli.vault.folder import Vault
from kmscli.vault.lines import check_line, others
from kmscli.vault.pin import Pin
from kmscli.vault.snapshot import Snapshot

EVENT_VERSION = "1.11"
"""Of CloudTrail's record format, which a line follows."""


class Actor(msgspec.Struct, frozen=True):
    """Who signs: the principal's name and keys."""

    principal: str
    identity: identity.Identity


class State(msgspec.Struct, frozen=True):
    """The state of a vault that a line tells of: `root` is its trunk digest, 64 hex digits."""

    vault_id: str
    generation: int
    root: str


class Place(msgspec.Struct, frozen=True):
    """Where a line goes: after which one, and whether it begins a segment.

    Attributes:
        segment: The number of the segment that it begins, and the chain of roots.
        principals: Who else is known then.
    """

    seq: int
    prev: str
    segment: tuple[int, Sequence[bytes]] | None
    principals: Sequence[Signer] = ()


class Written(msgspec.Struct, frozen=True):
    """What a change changed.

    Attributes:
        changes: Each record.
        roots: Bodies of the sets of roots among them, in order; `principals` those of the principals.
    """

    changes: Sequence[RecordChange] = ()
    roots: Sequence[bytes] = ()
    principals: Sequence[bytes] = ()


NOTHING = Written()


def compose(
    event: dict[str, Any],
    actor: Actor,
    *,
    now: datetime,
    state: State,
    place: Place,
    written: Written = NOTHING,
    failures: int = 0,
) -> bytes:
    """One line, signed, without a newline (docs/spec/audit.md, "Line").

    Args:
        event: CloudTrail's members; without time, state, chain and signature.
        actor: Who signs.
        now: Its time; written in whole seconds.
        state: The state it tells of.
        place: Where it goes.
        written: What a change changed.
        failures: Failed unlocks that no line tells of yet.
    """
    line: dict[str, Any] = {"eventVersion": EVENT_VERSION}
    line["eventTime"] = now.astimezone(UTC).replace(microsecond=0)
    line |= event
    line["vault"] = {"id": state.vault_id, "generation": state.generation, "root": state.root}
    if written.changes:
        line["change"] = written.changes
    if written.roots:
        line["roots"] = [body.decode() for body in written.roots]
    if written.principals:
        line["principals"] = [body.decode() for body in written.principals]
    if failures:
        line["failedUnlocks"] = failures
    if place.segment:
        number, chain = place.segment
        line["segment"] = {"number": number, "roots": [body.decode() for body in chain]}
        if place.principals:
            line["segment"]["principals"] = place.principals
    line["chain"] = {"seq": place.seq, "prev": place.prev}
    return auditline.encode(line, vault_id=state.vault_id, signer=actor.principal, sign=actor.identity.sign)


class Journal:
    """The end of the log under the lock; made by `Session.journal`.

    Attributes:
        snapshot: The proved state of the vault.
        now: The time: the clock's, but never before the last line's.
    """

    def __init__(
        self,
        vault: Vault,
        actor: Actor,
        snapshot: Snapshot,
        *,
        latest: bytes,
        seen: Pin | None,
        known: Tail | None = None,
    ) -> None:
        """Bring the log to a whole state.

        Args:
            vault: The vault, its lock held.
            actor: Who acts.
            snapshot: The state, read under the lock.
            latest: The newest line that the database keeps.
            seen: What this user saw before.
            known: The tail that this session left.

        Raises:
            AuditTamperedError: The log is not the one that was signed, or lacks lines.
            RollbackError: The log is ahead of the database.
            ClockError: The clock is far behind the last line.
        """
        self._vault = vault
        self._actor = actor
        self._seen = seen
        self._known = known
        self.snapshot = snapshot
        self._others: tuple[Signer, ...] | None = None
        self._tail = vault.log.settle(latest, partial(check_line, snapshot), known)
        self._check_tail()
        self.now = self._time()
        if self._tail.seq == 1:
            # What an init leaves that is killed between its last two steps.
            with suppress(OSError):
                vault.paths.init_note.unlink(missing_ok=True)
        for name in vault.log.unnoted():
            self.write({"eventName": "AuditRecovered", "requestParameters": {"tornEnd": name}})
            vault.log.mark_noted(name)
        if vault.log.next_segment(self._tail) is not None:
            # Read before a change begins: inside one, the records are no longer those of the snapshot.
            self._known_others()

    @property
    def _pin_path(self) -> Path:
        return pin_file(self.snapshot.head.vault_id)

    def _known_others(self) -> tuple[Signer, ...]:
        if self._others is None:
            with self._vault.store.snapshot():
                self._others = others(self.snapshot)
        return self._others

    def _check_tail(self) -> None:
        tail, head = self._tail, self.snapshot.head
        if tail.generation > head.generation:
            raise behind_its_log(head.generation, tail.generation, self._pin_path)
        if tail.seq < head.seq or (tail.seq == head.seq and tail.digest != head.line):
            raise errors.AuditTamperedError(what=f"it does not hold line {head.seq}, which the vault knows of")
        if tail.generation < head.generation:
            # Every line after the head's own tells of its generation, so these lines belong to another history.
            raise errors.AuditTamperedError(
                what=f"its line {tail.seq} knows generation {tail.generation}, the vault is at {head.generation}"
            )
        if not self._vault.log.quiet:
            if self._seen:
                pin.check_log(self._seen, tail, self._vault.log)
            if self._known:
                pin.check_log(pin.of(self.snapshot, self._known), tail, self._vault.log)

    def _time(self) -> datetime:
        now = self._vault.clock()
        behind = (self._tail.time - now).total_seconds()
        if behind > limits.CLOCK_TOLERANCE_SECONDS:
            raise errors.ClockError(seconds=behind)
        return max(now, self._tail.time)

    def compose(self, event: dict[str, Any], state: State, written: Written = NOTHING) -> bytes:
        """The next line, signed; arguments as for the function `compose`."""
        return self._compose(self._tail, event, state, written)

    def _compose(self, tail: Tail, event: dict[str, Any], state: State, written: Written = NOTHING) -> bytes:
        number = self._vault.log.next_segment(tail)
        segment = None if number is None else (number, self.snapshot.root_bodies)
        known = () if number is None else self._known_others()
        return compose(
            event,
            self._actor,
            now=self.now,
            state=state,
            place=Place(tail.seq + 1, tail.digest, segment, known),
            written=written,
            failures=segments.failures(self._vault.paths.unlock_failures) if tail is self._tail else 0,
        )

    @property
    def state(self) -> State:
        """The state under the lock."""
        head = self.snapshot.head
        return State(head.vault_id, head.generation, head.root)

    @property
    def tail(self) -> Tail:
        """The end of the log."""
        return self._tail

    @property
    def next_seq(self) -> int:
        """Number of the next line."""
        return self._tail.seq + 1

    def settle(self) -> None:
        """Have every line of the log on the disk: a change that becomes durable must not outlive one before it.

        Raises:
            AuditUnavailableError: They are not certain to be there.
        """
        self._vault.log.sync(self._tail)

    def append(self, line: bytes) -> None:
        """Write a composed line; only then may a result be released.

        Raises:
            AuditUnavailableError: It is not certain to be there.
        """
        self._tail = self._vault.log.append(self._tail, line)
        self._told(line)

    def _told(self, line: bytes) -> None:
        if failures := msgspec.json.decode(line, type=_Failures).failedUnlocks:
            segments.forget_failures(self._vault.paths.unlock_failures, failures)

    def write(self, *events: dict[str, Any]) -> None:
        """Compose and append lines that change nothing, with one sync for all that go into one segment; as `append`."""
        if (left := self.write_unsynced(*events)) is not None:
            left.finish()

    def write_unsynced(self, *events: dict[str, Any]) -> Unsynced | None:
        """The same, but the caller waits for the disk, and releases nothing before; None if all is there already.

        Others may write behind these lines meanwhile: what they wait for is later in the same file, or in a segment
        that begins only when this one is on the disk.

        Raises:
            AuditUnavailableError: They are not there.
        """
        lines: list[bytes] = []
        log, state, end = self._vault.log, self.state, self._tail
        for event in events:
            number = log.next_segment(end)
            if lines and number is not None:
                self._finish(end, lines)
                lines = []
            line = self._compose(end, event, state)
            lines.append(line)
            end = log.after(end, line, generation=state.generation, time=self.now, segment=number)
        left = log.write(self._tail, end, *lines)
        self._tail = end
        self._told(lines[0])
        return left

    def _finish(self, end: Tail, lines: Sequence[bytes]) -> None:
        if (left := self._vault.log.write(self._tail, end, *lines)) is not None:
            left.finish()
        self._tail = end
        self._told(lines[0])

    def save_pin(self, snapshot: Snapshot) -> None:
        """Remember for this user what `snapshot` and the log are now."""
        try:
            pin.save(self._pin_path, pin.of(snapshot, self._tail))
        except OSError as error:
            self._vault.warn(f"rollback is not watched: {self._pin_path} cannot be written ({error.strerror})")


def behind_its_log(database: int, log: int, pin_path: Path) -> errors.RollbackError:
    """The error for a database whose generation is smaller than one that its log tells of."""
    what = f"the database is at generation {database}, its audit log at {log}"
    return errors.RollbackError(what=what, pin=pin_path, hint="restore the newer vault.db")


class _Failures(msgspec.Struct):
    failedUnlocks: int = 0  # noqa: N815 - as it stands in the line
