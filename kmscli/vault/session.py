"""An unlocked identity at work in a vault: it reads, uses and changes.

Implements docs/spec/vault.md, "Changing" and "Using". Every use and every change ends in a signed line of the log, and
its result leaves only after that line is durable. No lock is held while anything is derived, asked or read from a user.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from kmscli import errors
from kmscli.audit.log import Tail
from kmscli.crypto.identity import Identity
from kmscli.formats import auditline
from kmscli.formats.head import Head
from kmscli.formats.record import RootKey
from kmscli.model.ids import principal_arn
from kmscli.storage import files
from kmscli.storage.lock import vault_lock
from kmscli.storage.newest import Unsynced
from kmscli.storage.paths import pin_file
from kmscli.storage.turns import Alone, Turn
from kmscli.vault import pin
from kmscli.vault.draft import Draft
from kmscli.vault.folder import Vault
from kmscli.vault.journal import Actor, Journal, State, Written
from kmscli.vault.slots import Opened
from kmscli.vault.snapshot import Snapshot

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Event = dict[str, Any]
SignedHead = tuple[bytes, bytes]
"""Body and signature of a head: two states with the same are the same, whatever else is said of them."""

_UNSEALED_MAX = 4096
_GROUPS_MAX = 4096
"""Groups of records, and things unsealed, that a session holds in memory."""
_ENCODER, _DECODER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Tail)


class Evaluated(msgspec.Struct, Generic[T_co], frozen=True):
    """What a use of keys comes to.

    Attributes:
        result: What is released once the line is durable.
        event: What the audit line says; None = nobody is told to have done anything, so there is no line.
        until: The time from which on it might be another result, None = while the vault does not change.
    """

    result: T_co
    event: Event | None
    until: datetime | None = None


class Unsealed:
    """What a session has unsealed and parsed, by where it lay and the sealed bytes that it came from.

    A record that changes has other bytes or another place, so nothing here outlives what it was made from, and nothing
    that was opened in one place serves another. Whether it may be used is decided anew each time, by proved records.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self._found: dict[tuple[str | int | bytes, ...], Any] = {}

    def get(self, place: tuple[str | int | bytes, ...], unseal: Callable[[], T]) -> T:
        """What lies at `place`, whose last item are the sealed bytes; `unseal` gives it the first time."""
        if place not in self._found:
            if len(self._found) >= _UNSEALED_MAX:
                self._found.clear()
            self._found[place] = unseal()
        found: T = self._found[place]
        return found

    def __repr__(self) -> str:
        return f"<Unsealed {len(self._found)}>"


class Session:
    """A principal, unlocked.

    Attributes:
        vault: The vault.
        principal: The principal's name.
        identity: Its keys.
        opened: What the slot gave: identity, vault id and root fingerprint.
        is_role: Whether the principal is a role, in the newest state that was read.
        pin: What this user saw of the vault before; read before any state is.
        unsealed: Secrets that were opened before.
        turn: What is waited for before the vault's lock; a server puts the queue of its processes here.
    """

    def __init__(self, vault: Vault, principal: str, opened: Opened) -> None:
        """Start a session; made by `unlock`."""
        self.vault = vault
        self.principal = principal
        self.opened = opened
        self.identity = opened.identity
        self._pin_path = pin_file(opened.vault_id)
        self.pin = pin.load(self._pin_path)
        self._roots: tuple[RootKey, ...] = ()
        self.is_role = False
        self.unsealed = Unsealed()
        self.turn: Turn = Alone()
        self._proved: Snapshot | None = None
        self._tail: Tail | None = None
        # What the newest line of the database is in the state that was proved last, and in which version.
        self._version: object = None
        self._latest = b""

    def _snapshot(self) -> Snapshot:
        """The proved state. One that has the same signed head is the same, and is not proved again."""
        known = self._proved
        if known is None or known.size > _GROUPS_MAX or known.signed != self.vault.store.head():
            self._proved = known = self._prove()
        return known

    def _prove(self) -> Snapshot:
        snapshot = Snapshot(self.vault.store, self.opened.fingerprint)
        if snapshot.head.vault_id != self.opened.vault_id:
            raise errors.VaultTamperedError(what="the slot belongs to another vault")
        if self.pin:
            pin.check_state(self.pin, self._pin_path, snapshot)
        known = snapshot.principal(self.principal)
        if known is None:
            raise errors.PrincipalNotFoundError(principal=self.principal)
        if (known.sign, known.seal) != (self.identity.sign_public, self.identity.seal_public):
            raise errors.VaultTamperedError(what=f"the slot does not hold the identity of {self.principal}")
        if known.state != "enabled":
            raise errors.PrincipalDisabledError(principal=principal_arn(snapshot.place, known.kind, known.name))
        self._roots = snapshot.roots.roots
        self.is_role = known.kind == "role"
        return snapshot

    @property
    def roots(self) -> tuple[RootKey, ...]:
        """The roots in force, in the newest state that was read."""
        return self._roots

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """One proved state for all reads within. Never take the vault's lock inside."""
        with self.vault.store.snapshot():
            yield self._snapshot()

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        """Hold the vault's lock, with the log whole and the state proved."""
        with self.turn, vault_lock(self.vault.paths.lock, timeout=self.vault.lock_timeout):
            snapshot = self._newest()
            actor = Actor(self.principal, self.identity)
            journal = Journal(self.vault, actor, snapshot, latest=self._latest, seen=self.pin, known=self._last())
            try:
                yield journal
            finally:
                self._tail = journal.tail
                self.turn.leave(_ENCODER.encode(self._tail))

    def _newest(self) -> Snapshot:
        """The state under the lock; while the database is as it was, it is the one that was proved last."""
        version = self.vault.store.version()
        known = self._proved
        if known is not None and version == self._version and known.size <= _GROUPS_MAX:
            return known
        with self.read() as snapshot:
            self._latest = self.vault.store.latest_line()
            self._version = version
        return snapshot

    def _last(self) -> Tail | None:
        """The end of the log as this session, or one of the same server, left it; None = it is to be checked anew."""
        if self._tail is None:
            return None
        with suppress(msgspec.MsgspecError):
            return _DECODER.decode(self.turn.found())
        return self._tail

    @contextmanager
    def edit(self) -> Iterator[Draft]:
        """A change: what is put into the draft becomes durable at the end, all of it or nothing.

        The caller sets `draft.event` to what the audit line says. An exception leaves the disk untouched.

        Raises:
            KmsError: As reading and writing do; after AuditUnavailableError the change may be durable, and the next
                command completes the log.
        """
        with self.journal() as journal:
            before = self.opened
            try:
                with self.vault.store.change():
                    keys = journal.snapshot.head.keys
                    draft = Draft(self.vault.store, journal.state.root, now=journal.now, keys=keys)
                    yield draft
                    line = self._seal(journal, draft)
                    journal.settle()
                    if draft.destroys:
                        # Durable before the commit: whatever happens after it, somebody will find the note.
                        files.create_note(self.vault.paths.shred_note)
            except BaseException:
                self._hold(before)
                raise
            journal.append(line)
            with self.read() as after:
                journal.save_pin(after)

    def become(self, renewed: Identity) -> None:
        """Within a change that renews the identity of who acts: be the new one from here on.

        The line of the change is still signed by the old one, for nobody knows the new one before it; the head that the
        change makes is signed by the new one. Who acts is the old one again if the change does not come to be.
        """
        self._hold(msgspec.structs.replace(self.opened, identity=renewed))

    def _hold(self, opened: Opened) -> None:
        self.opened = opened
        self.identity = opened.identity

    def shred(self) -> None:
        """Have what was destroyed leave no trace in the database, also what was destroyed by who was interrupted.

        The destruction is durable by then: where this fails, there is a warning, and the next change tries again.
        """
        note = self.vault.paths.shred_note
        if not os.path.lexists(note):
            return
        try:
            with vault_lock(self.vault.paths.lock, timeout=self.vault.lock_timeout):
                self.vault.store.rewrite()
                with files.io_errors(note):
                    note.unlink(missing_ok=True)
        except errors.KmsError as error:
            self.vault.warn(
                f"traces of what was destroyed may be left in vault.db until a next change: {error.message}"
            )

    def _seal(self, journal: Journal, draft: Draft) -> bytes:
        root, changes = draft.seal()
        if not changes:
            return journal.compose(draft.event, journal.state)
        before = journal.snapshot.head
        written = Written(changes, draft.bodies("roots"), draft.bodies("principal"))
        line = journal.compose(draft.event, State(before.vault_id, before.generation + 1, root), written)
        after = Head(
            vault_id=before.vault_id,
            generation=before.generation + 1,
            root=root,
            seq=journal.next_seq,
            line=auditline.digest(line),
            author=self.principal,
            roots=before.roots + len(written.roots),
            keys=draft.keys,
        )
        draft.conclude(after, self.identity, line)
        return line

    def use(self, evaluate: Callable[[Snapshot, datetime], Sequence[Evaluated[T]]]) -> list[T]:
        """Uses of keys: evaluated without the lock, written down with one sync, then released.

        Args:
            evaluate: Gives what each use comes to in a state and at a time, at least one; run again if either has
                moved on when the lock is held.

        Returns:
            The results, in order.
        """
        return self._write_down(evaluate, *self._guess(evaluate))

    def use_unsynced(
        self, evaluate: Callable[[Snapshot, datetime], Sequence[Evaluated[T]]]
    ) -> tuple[list[T], Unsynced | None]:
        """The same, but the caller waits for the disk, and releases nothing before.

        Returns:
            The results, in order, and what is to be brought to the disk before any of them leaves; None = nothing.
        """
        signed, found = self._guess(evaluate)
        if not any(each.event for each in found):
            with self.read() as snapshot:
                if snapshot.signed != signed:
                    found = evaluate(snapshot, self.vault.clock())
            if not any(each.event for each in found):
                return [each.result for each in found], None
        with self.journal() as journal:
            found = self._evaluate_again(journal, evaluate, signed, found)
            told = [each.event for each in found if each.event]
            left = journal.write_unsynced(*told) if told else None
        return [each.result for each in found], left

    def _guess(
        self, evaluate: Callable[[Snapshot, datetime], Sequence[Evaluated[T]]]
    ) -> tuple[SignedHead, Sequence[Evaluated[T]]]:
        guess = self._from_memory(evaluate)
        if guess is not None:
            return guess
        with self.read() as snapshot:
            return snapshot.signed, evaluate(snapshot, self.vault.clock())

    def _from_memory(
        self, evaluate: Callable[[Snapshot, datetime], Sequence[Evaluated[T]]]
    ) -> tuple[SignedHead, Sequence[Evaluated[T]]] | None:
        """What the uses come to in the state that was proved last, and its head; None if that cannot be said.

        Nothing is read, so the state may be an old one; then it is evaluated again under the lock, as always when the
        head is another one by then. A refusal is never final here, for the same reason.
        """
        known = self._proved
        if known is None:
            return None
        try:
            return known.signed, known.from_memory(lambda: evaluate(known, self.vault.clock()))
        except Exception:  # noqa: BLE001 - whatever it was, it is met again in the state that is read
            return None

    def _write_down(
        self,
        evaluate: Callable[[Snapshot, datetime], Sequence[Evaluated[T]]],
        signed: SignedHead,
        found: Sequence[Evaluated[T]],
    ) -> list[T]:
        with self.journal() as journal:
            found = self._evaluate_again(journal, evaluate, signed, found)
            if told := [each.event for each in found if each.event]:
                journal.write(*told)
            journal.save_pin(journal.snapshot)
        return [each.result for each in found]

    def _evaluate_again(
        self,
        journal: Journal,
        evaluate: Callable[[Snapshot, datetime], Sequence[Evaluated[T]]],
        signed: SignedHead,
        found: Sequence[Evaluated[T]],
    ) -> Sequence[Evaluated[T]]:
        """What was found, or what is found now, if state or time have moved on."""
        overtaken = any(each.until is not None and each.until <= journal.now for each in found)
        if not overtaken and journal.snapshot.signed == signed:
            return found
        with self.read() as snapshot:
            return evaluate(snapshot, journal.now)

    def remember(self) -> None:
        """Keep what was seen of the vault for this user's next sessions, as `use` does after each line.

        Raises:
            AuditNotDurableError: What others wrote to the log is not certain to be on the disk.
        """
        with self.journal() as journal:
            journal.settle()
            journal.save_pin(journal.snapshot)

    def note(self, event: Event) -> None:
        """Write down what was refused or failed."""
        with self.journal() as journal:
            journal.write(event)
            journal.save_pin(journal.snapshot)

    @contextmanager
    def edit_slots(self, event: Event) -> Iterator[None]:
        """A change of slots, which need no root: rows and line become durable together."""
        with self.journal() as journal:
            with self.vault.store.change():
                yield
                line = journal.compose(event, journal.state)
                self.vault.store.put_latest_line(line)
                journal.settle()
            journal.append(line)
            journal.save_pin(journal.snapshot)
