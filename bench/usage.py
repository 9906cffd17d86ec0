"""What it costs to say when a key was last used, in a log of several segments.

The key was used in the oldest segment only. Subject: the last use by the summaries of the complete segments, which an
earlier question left. Peer: a plain scan backwards through the whole log that decodes only the lines that hold the
key's id, and checks nothing. Besides: the first question, which makes the summaries, and one about a key of the newest
lines.
"""

import argparse
import os
import time
from pathlib import Path

from _measure import interleaved, machine, report
from _vaults import now, opened, workplace

from kmscli.audit import search
from kmscli.audit.usage import USES
from kmscli.formats import auditline
from kmscli.model import ids
from kmscli.service import events
from kmscli.service.callers import Caller
from kmscli.service.context import Context
from kmscli.service.vaults import InitRequest, init_vault
from kmscli.storage import segments
from kmscli.vault.journal import Actor, Place, State, compose
from kmscli.vault.usage import last_use

LINES = 200_000
KEYS = 10_000
SEGMENTS = 8
ROUNDS = 5


def write(context: Context, keys: list[str], lines: int) -> None:
    """Compose the lines with the product's code; the first key stands in the first line alone."""
    session = context.session
    tail = session.vault.log.tail()
    with session.read() as snapshot:
        state = State(snapshot.head.vault_id, snapshot.head.generation, snapshot.head.root)
        roots, place = snapshot.root_bodies, snapshot.place
    actor, caller, began = Actor(session.principal, session.identity), Caller(session.principal), now()
    seq, prev, segment = tail.seq, tail.digest, tail.ending.segment
    for first in range(0, lines, -(-lines // SEGMENTS)):
        batch = []
        for number in range(first, min(lines, first - (-lines // SEGMENTS))):
            key_id = keys[0] if number == 0 else keys[1 + number % (len(keys) - 1)]
            outcome = events.Outcome({"keyId": key_id}, None, (ids.key_arn(place, key_id),))
            event = events.event("Encrypt", caller, place, os.urandom, read_only=True, outcome=outcome)
            begins = number == first and number > 0
            segment += begins
            where = Place(seq + 1, prev, (segment, roots) if begins else None)
            line = compose(event, actor, now=began, state=state, place=where)
            seq, prev = seq + 1, auditline.digest(line)
            batch.append(line + b"\n")
        with (session.vault.paths.audit / f"{segment:08d}.jsonl").open("ab") as file:
            file.writelines(batch)


def scan(folder: Path, key_id: str) -> str | None:
    """The eventID of the last use, by a scan of the log."""
    wanted, ending = key_id.encode(), f":key/{key_id}"
    for number in range(SEGMENTS, 0, -1):
        path = segments.segment_path(folder, number)
        for line in segments.read_backwards(path, line_max=1 << 22):
            if wanted not in line:
                continue
            seen = search.look(line)
            named = any((resource.ARN or "").endswith(ending) for resource in seen.resources)
            if seen.eventName in USES and seen.errorCode is None and named:
                return str(auditline.members(line)["eventID"])
    return None


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=LINES, help="length of the log")
    lines = options.parse_args().lines
    with workplace() as folder:
        machine(folder)
        keyfile = folder / "vault.key"
        init_vault(InitRequest(folder / "vault", None, keyfile), clock=now, rng=os.urandom)
        with opened(folder / "vault") as context:
            session, began = context.session, now()
            log = session.vault.paths.audit
            keys = [ids.new_uuid(os.urandom) for _ in range(KEYS)]
            write(context, keys, lines)

            def ask(key_id: str) -> str | None:
                use = last_use(session, key_id, not_before=began)
                return use and use.event_id

            start = time.perf_counter()
            found = ask(keys[0])
            first = time.perf_counter() - start
            if found is None or found != scan(log, keys[0]):
                raise SystemExit("the scan found another use")
            size = sum(path.stat().st_size for path in log.glob("*.usage"))
            whole = sum(path.stat().st_size for path in log.glob("*.jsonl"))
            told, recent, scanned = interleaved(
                ROUNDS, lambda: ask(keys[0]), lambda: ask(keys[-1]), lambda: scan(log, keys[0])
            )
            print(
                f"{lines} lines, {whole >> 20} MiB in {SEGMENTS} segments, {KEYS} keys; summaries of {size >> 20} MiB"
            )
            report("last use in the oldest segment, by summaries / a scan of the whole log", told / scanned, target=0.5)
            report("last use near the end of the log / the same scan", recent / scanned)
            report("first question, which makes the summaries / the same scan", first / scanned)


if __name__ == "__main__":
    main()
