"""What the audit log costs: to write a line, and to prove a whole log.

One append with its sync, against one SQLite commit (WAL, synchronous=FULL) that inserts the same bytes in the same
folder. A whole verification of N lines, against the bare Ed25519 checks of the same messages in two processes on the
same two cores. Peer and subject take turns; the ratios are of medians.
"""

import argparse
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from _measure import interleaved, machine, report
from _vaults import make, now, opened, workplace
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kmscli.audit.log import AuditLog, Tail
from kmscli.formats import auditline
from kmscli.service import audits, events
from kmscli.service.context import Context
from kmscli.vault import config
from kmscli.vault.journal import Actor, Place, State, compose

CORES = 2
APPENDS = 300
PROOFS = 5
KEYS = 50


def event(context: Context) -> dict[str, object]:
    """What a line says of an Encrypt."""
    with context.session.read() as snapshot:
        place = snapshot.place
    arn = f"arn:aws:kms:{place.region}:{place.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    parameters = {"keyId": "alias/app", "encryptionContext": {"project": "bench", "stage": "test"}}
    outcome = events.Outcome(parameters, None, (arn,))
    return events.event("Encrypt", context.caller, place, os.urandom, read_only=True, outcome=outcome)


class Writer:
    """Composes lines behind the end of a log with the product's code, and writes them without a sync."""

    def __init__(self, context: Context) -> None:
        """Begin behind the last line."""
        session = context.session
        self._actor = Actor(session.principal, session.identity)
        self._folder = session.vault.paths.audit
        self._tail: Tail = session.vault.log.tail()
        with session.read() as snapshot:
            self._state = State(snapshot.head.vault_id, snapshot.head.generation, snapshot.head.root)
            self._roots = snapshot.root_bodies
        self._segment, self._seq, self._prev = self._tail.ending.segment, self._tail.seq, self._tail.digest

    def line(self, members: dict[str, object], *, begins: bool = False) -> bytes:
        """The next line."""
        if begins:
            self._segment += 1
        place = Place(self._seq + 1, self._prev, (self._segment, self._roots) if begins else None)
        line = compose(members, self._actor, now=now(), state=self._state, place=place)
        self._seq, self._prev = self._seq + 1, auditline.digest(line)
        return line

    def write(self, members: dict[str, object], count: int) -> None:
        """Write `count` lines into segments of the usual size."""
        left, begins = count, False
        while left:
            first = self.line(members, begins=begins)
            with (self._folder / f"{self._segment:08d}.jsonl").open("ab") as file:
                file.write(first + b"\n")
                left -= 1
                while left and file.tell() < config.SEGMENT_BYTES:
                    file.write(self.line(members) + b"\n")
                    left -= 1
            begins = True


def measure_appends(context: Context, folder: Path) -> None:
    """One line into the log, against the same bytes into SQLite."""
    members = event(context)
    line = Writer(context).line(members)
    spare = folder / "spare"
    spare.mkdir()
    log = AuditLog(spare, segment_bytes=config.SEGMENT_BYTES)
    tail = log.append(log.tail(), Writer(context).line(members, begins=True))

    def append() -> None:
        nonlocal tail
        tail = log.append(tail, line)

    database = sqlite3.connect(folder / "peer.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE line (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")

    def commit() -> None:
        database.execute("INSERT INTO line (body) VALUES (?)", (line,))

    appended, committed, noted = interleaved(APPENDS, append, commit, lambda: context.session.note(event(context)))
    database.close()
    print(f"a line of {len(line)} bytes; SQLite {sqlite3.sqlite_version} commits it in {committed * 1e3:.2f} ms")
    report("append and sync one line / one SQLite WAL FULL commit", appended / committed, target=1.0)
    report("lock, settle, compose, sign, append, sync / the same commit", noted / committed)


class Signed(NamedTuple):
    """A message and its signature."""

    message: bytes
    signature: bytes


def messages(folder: Path, vault_id: str) -> list[Signed]:
    """What the lines of a log have signed."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    return [
        Signed(auditline.signed_bytes(vault_id, auditline.signed_part(line)), auditline.decode(line).signature.value)
        for line in lines
    ]


def bare(key: bytes, signed: list[Signed]) -> Callable[[], None]:
    """An act: check the signatures in two processes, and nothing else."""
    public = Ed25519PublicKey.from_public_bytes(key)

    def check(part: list[Signed]) -> None:
        for message, signature in part:
            public.verify(signature, message)

    def act() -> None:
        children = [_fork(partial(check, signed[first::CORES])) for first in range(CORES)]
        if any(os.waitpid(child, 0)[1] for child in children):
            raise SystemExit("a signature does not hold")

    return act


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def measure_proofs(context: Context, lines: int) -> None:
    """The whole proof of a log, against the bare checks of its signatures."""
    folder = context.session.vault.paths.audit
    Writer(context).write(event(context), lines - context.session.vault.log.tail().seq)
    fingerprint, identity = context.session.opened.fingerprint, context.session.identity
    signed = messages(folder, context.session.opened.vault_id)

    def whole() -> None:
        audits.verify_log(folder, fingerprint)

    def full() -> None:
        audits.verify_log(folder, fingerprint, full=True)

    proved, replayed, checked = interleaved(PROOFS, whole, full, bare(identity.sign_public, signed))
    print(f"a log of {len(signed)} lines; its bare signature checks take {checked:.2f} s in {CORES} processes")
    report("verify the whole log / bare checks of its signatures", proved / checked, target=1.4)
    report("verify it and replay its changes / the same checks", replayed / checked)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=20_000, help="length of the log that is verified")
    lines = options.parse_args().lines
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with workplace() as folder:
        machine(folder)
        make(folder / "vault", KEYS)
        with opened(folder / "vault") as context:
            measure_appends(context, folder)
            measure_proofs(context, lines)


if __name__ == "__main__":
    main()
