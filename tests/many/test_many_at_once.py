"""Many processes on one vault: nothing is lost, nothing is doubled, and nobody waits for ever.

What happened is checked against the log, which is the order in which it happened: the reference vault takes each line
in turn, and must agree with each success and, at the end, with the real vault.
"""

import fcntl
import logging
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

import pytest

from kmscli import errors
from kmscli.service import audits, slots
from kmscli.service.context import Context
from kmscli.service.dispatch import perform
from kmscli.storage.lock import is_free, vault_lock
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock
from tests.helpers import CHILD_SECONDS, Forked, Home, forked, named
from tests.reference import Model

LOG = logging.getLogger(__name__)
PROCESSES = 32
ALIASES = [f"alias/shared-{number}" for number in range(4)]
EXPECTED = {
    "AlreadyExistsException",
    "DisabledException",
    "KMSInvalidStateException",
    "NotFoundException",
}
"""What may end an operation when others change the same keys and aliases. LockTimeout is not among them."""


class Done(NamedTuple):
    """One operation of a worker: its error's name, or "" and the answer; and the seconds it took."""

    operation: str
    members: dict[str, Any]
    error: str
    answer: dict[str, Any]
    seconds: float


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def shared(tmp_path: Path) -> Home:
    """A vault with four keys that everybody uses, closed, for no database crosses a fork."""
    home = Home(tmp_path, clock=now, lock_timeout=60).init()
    for alias in ALIASES:
        home.create_key(Alias=alias)
    home.close()
    return home


def at_once(home: Home, works: list[Callable[[], Any]]) -> list[Forked]:
    """Fork a child for each; they begin together."""
    gate = home.folder.parent / "gate"
    gate.write_bytes(b"")

    def begin(work: Callable[[], Any]) -> Any:
        with gate.open("rb") as waiting:
            fcntl.flock(waiting, fcntl.LOCK_SH)
        return work()

    with gate.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        children = [forked(lambda work=work: begin(work)) for work in works]  # type: ignore[misc]
        # Unlocked, not only closed: the children hold copies of this descriptor.
        fcntl.flock(held, fcntl.LOCK_UN)
    return children


# -- a mix of everything -----------------------------------------------------------------------------------------------


class Worker:
    """One process at work: keys and ciphertexts of its own, aliases and keys that all share."""

    def __init__(self, home: Home, number: int, operations: int) -> None:
        self.home = home
        self.choose = random.Random(number)
        self.operations = operations
        # Half of them work as commands do: each operation opens and unlocks the vault anew.
        self.fresh = number % 2 == 0
        self.keys: list[str] = []
        self.blobs: list[tuple[bytes, bytes]] = []
        self.done: list[Done] = []

    def work(self) -> list[Done]:
        context = self.home.unlocked()
        for _ in range(self.operations):
            if self.fresh:
                context.session.vault.store.close()
                context = self.home.unlocked()
            operation, members = self.next()
            self.run(context, operation, members)
        return self.done

    def run(self, context: Context, operation: str, members: dict[str, Any]) -> None:
        began = time.monotonic()
        error, answer = "", {}
        try:
            answer = named(perform(context, operation, members))
        except errors.KmsError as refused:
            error = refused.code
        self.done.append(Done(operation, members, error, answer, time.monotonic() - began))
        if operation == "CreateKey" and not error:
            self.keys.append(answer["KeyMetadata"]["KeyId"])
        if operation == "Encrypt" and not error:
            self.blobs.append((answer["CiphertextBlob"], members["Plaintext"]))
        if operation == "Decrypt" and not error:
            assert answer["Plaintext"] == dict(self.blobs)[members["CiphertextBlob"]]

    def next(self) -> tuple[str, dict[str, Any]]:
        key = self.choose.choice(ALIASES + self.keys)
        own = f"alias/{os.getpid()}-{len(self.done)}"
        choices: list[tuple[str, dict[str, Any]]] = [
            ("CreateKey", {}),
            ("CreateKey", {"Alias": own}),
            ("CreateKey", {"Alias": "alias/contended"}),
            ("Encrypt", {"KeyId": key, "Plaintext": self.choose.randbytes(20)}),
            ("Encrypt", {"KeyId": key, "Plaintext": self.choose.randbytes(20)}),
            ("RotateKeyOnDemand", {"KeyId": key}),
            ("DisableKey", {"KeyId": ALIASES[3]}),
            ("EnableKey", {"KeyId": ALIASES[3]}),
            ("DeleteAlias", {"AliasName": "alias/contended"}),
            ("UpdateKeyDescription", {"KeyId": key, "Description": own}),
            ("GenerateDataKey", {"KeyId": key, "KeySpec": "AES_256"}),
            ("ListAliases", {}),
            ("ListKeys", {"Limit": 1000}),
            ("DescribeKey", {"KeyId": key}),
        ]
        if self.keys:
            mine = self.choose.choice(self.keys)
            choices += [
                ("CreateAlias", {"AliasName": own, "TargetKeyId": mine}),
                ("UpdateAlias", {"AliasName": "alias/contended", "TargetKeyId": mine}),
                ("ScheduleKeyDeletion", {"KeyId": mine}),
                ("CancelKeyDeletion", {"KeyId": mine}),
            ]
        if self.blobs:
            choices += [("Decrypt", {"CiphertextBlob": self.choose.choice(self.blobs)[0]})] * 3
        return self.choose.choice(choices)


def aws_members(parameters: dict[str, Any] | None) -> dict[str, Any]:
    """The requestParameters of a line under AWS's names: their first letter is a capital there."""
    return {name[0].upper() + name[1:]: value for name, value in (parameters or {}).items()}


def replay(home: Home) -> Model:
    """The reference vault after all lines of the log, each success of which it must have expected."""
    model = Model()
    for line in home.lines():
        name = line["eventName"]
        if name == "CreateVault" or "errorCode" in line or name in {"Decrypt", "ReEncrypt"}:
            continue
        members = aws_members(line["requestParameters"])
        moment = datetime.fromisoformat(line["eventTime"])
        assert (line["chain"]["seq"], model.expect(name, members, now=moment)) == (line["chain"]["seq"], "")
        if line["readOnly"]:
            continue
        answer = line["responseElements"]
        if name == "CreateKey":
            metadata = aws_members(answer["keyMetadata"])
            answer = {"KeyMetadata": metadata}
        model.done(name, members, now=moment, answer=answer or {})
    return model


def check_all(home: Home, results: list[list[Done]]) -> None:
    everything = [done for result in results for done in result]
    assert {done.error for done in everything} - {""} <= EXPECTED
    check_log(home, everything)
    model = replay(home)
    check_state(home, model)
    check_ciphertexts(home, model, everything)


def check_log(home: Home, everything: list[Done]) -> None:
    lines = home.lines()
    assert [line["chain"]["seq"] for line in lines] == list(range(1, len(lines) + 1))
    told = Counter((line["eventName"], line.get("errorCode", "")) for line in lines)
    told.subtract({("CreateVault", ""): 1, ("CreateKey", ""): len(ALIASES)})
    assert +told == Counter((done.operation, done.error) for done in everything)
    assert len({line["requestID"] for line in lines}) == len(lines)
    vault = home.open()
    verified = audits.verify(vault, full=True)
    vault.store.close()
    assert named(verified)["Lines"] == len(lines)


def check_state(home: Home, model: Model) -> None:
    found = {key.key_id for key in home.perform("ListKeys", Limit=1000).keys}
    assert found == set(model.keys)
    aliases: dict[str, str] = {}
    page = home.perform("ListAliases", Limit=100)
    while True:
        aliases |= {alias.alias_name: alias.target_key_id for alias in page.aliases}
        if not page.truncated:
            break
        page = home.perform("ListAliases", Limit=100, Marker=page.next_marker)
    assert aliases == model.aliases
    for key_id, key in model.keys.items():
        metadata = home.perform("DescribeKey", KeyId=key_id).key_metadata
        assert (metadata.key_state, metadata.description) == (key.stored, key.description)
        rotations = home.perform("ListKeyRotations", KeyId=key_id).rotations
        assert len(rotations) == len(key.materials) - 1


def check_ciphertexts(home: Home, model: Model, everything: list[Done]) -> None:
    for done in everything:
        if done.operation != "Encrypt" or done.error:
            continue
        key_id = done.answer["KeyId"].rpartition("/")[2]
        if model.keys[key_id].stored == "Enabled":
            opened = home.perform("Decrypt", CiphertextBlob=done.answer["CiphertextBlob"])
            assert opened.plaintext == done.members["Plaintext"]


def run_mix(home: Home, operations: int) -> list[list[Done]]:
    workers = [Worker(home, number, operations) for number in range(PROCESSES)]
    children = at_once(home, [worker.work for worker in workers])
    return [child.result() for child in children]


def waits(results: list[list[Done]]) -> dict[str, float]:
    """Milliseconds that operations took: median, 99th percentile, worst."""
    seconds = sorted(done.seconds for result in results for done in result)
    cuts = quantiles(seconds, n=100)
    return {"median": cuts[49] * 1000, "p99": cuts[98] * 1000, "worst": seconds[-1] * 1000}


def test_32_processes_lose_and_double_nothing(shared: Home) -> None:
    results = run_mix(shared, 6)
    check_all(shared, results)
    LOG.info("milliseconds an operation took: %s", waits(results))


@pytest.mark.long
def test_32_processes_lose_and_double_nothing_for_long(shared: Home) -> None:
    results = run_mix(shared, 60)
    check_all(shared, results)
    found = waits(results)
    LOG.info("milliseconds an operation took: %s", found)
    # Fair enough: with 31 others in the way, nobody waits for more than a small part of what it is allowed to.
    assert found["worst"] < 15_000


def test_the_log_rolls_into_segments_while_many_write(shared: Home) -> None:
    (shared.folder / "config.toml").write_text("[audit]\nsegment_bytes = 4096\n")

    def work() -> None:
        context = shared.unlocked()
        for _ in range(5):
            perform(context, "GenerateRandom", {"NumberOfBytes": 8})

    for child in at_once(shared, [work] * PROCESSES):
        child.result()
    assert len(list((shared.folder / "audit").glob("*.jsonl"))) > 10
    vault = shared.open()
    assert named(audits.verify(vault, full=True))["Lines"] == 1 + len(ALIASES) + 5 * PROCESSES
    vault.store.close()


# -- one name, many who want it ----------------------------------------------------------------------------------------


def test_one_of_many_gets_a_name(shared: Home) -> None:
    def work() -> str:
        try:
            answer = perform(shared.unlocked(), "CreateKey", {"Alias": "alias/wanted"})
        except errors.AlreadyExistsError:
            return ""
        return str(named(answer)["KeyMetadata"]["KeyId"])

    made = [found for child in at_once(shared, [work] * PROCESSES) if (found := child.result())]
    assert len(made) == 1
    assert shared.perform("DescribeKey", KeyId="alias/wanted").key_metadata.key_id == made[0]
    assert len(shared.perform("ListKeys").keys) == len(ALIASES) + 1


def test_the_managed_key_is_made_once(shared: Home) -> None:
    from kmscli.service import managed

    children = at_once(shared, [lambda: managed.managed_key(shared.unlocked(), managed.FILES)] * PROCESSES)
    assert {child.result() for child in children} == {managed.FILES}
    assert len(shared.perform("ListKeys").keys) == len(ALIASES) + 1


def test_each_rotation_of_many_counts(shared: Home) -> None:
    def work() -> None:
        perform(shared.unlocked(), "RotateKeyOnDemand", {"KeyId": ALIASES[0]})

    for child in at_once(shared, [work] * PROCESSES):
        child.result()
    rotations = shared.perform("ListKeyRotations", KeyId=ALIASES[0]).rotations
    assert len({rotation.key_material_id for rotation in rotations}) == PROCESSES


# -- waiting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["CreateKey", "ListKeys", "GenerateRandom"])
def test_a_wait_that_is_too_long_ends_in_a_lock_timeout_and_writes_nothing(shared: Home, operation: str) -> None:
    before = shared.raw_lines()
    shared.lock_timeout = 0.2
    context = shared.unlocked()
    members = {"GenerateRandom": {"NumberOfBytes": 1}}.get(operation, {})
    with vault_lock(shared.folder / "lock", timeout=1):
        began = time.monotonic()
        with pytest.raises(errors.LockTimeoutError) as caught:
            perform(context, operation, members)
        waited = time.monotonic() - began
    assert (caught.value.exit_code, caught.value.code) == (11, "LockTimeout")
    assert 0.2 <= waited < 2
    assert shared.raw_lines() == before
    context.session.vault.store.close()


def test_status_does_not_wait_for_the_lock(shared: Home) -> None:
    from kmscli.service.vaults import status

    shared.lock_timeout = 0.0
    with vault_lock(shared.folder / "lock", timeout=1):
        vault = shared.open()
        assert status(vault).keys == len(ALIASES)
        vault.store.close()


def test_readers_go_on_while_writers_commit(shared: Home) -> None:
    # Reading takes no lock but SQLite's for the moment of a commit: a state that is read is whole, old or new.
    shared.lock_timeout = 20
    stop = shared.folder.parent / "stop"

    def write() -> int:
        context, written = shared.unlocked(), 0
        while not stop.exists():
            written += 1
            perform(context, "UpdateKeyDescription", {"KeyId": ALIASES[0], "Description": f"{written % 10}" * 8000})
        return written

    def read() -> int:
        context, states = shared.unlocked(), set()
        end = time.monotonic() + CHILD_SECONDS / 2
        while len(states) < 10 and time.monotonic() < end:
            with context.session.read() as snapshot:
                states.add(snapshot.head.generation)
                key = snapshot.key(str(snapshot.alias(ALIASES[0]).key_id))  # type: ignore[union-attr]
                assert key is not None
                assert key.record.description in ("", key.record.description[:1] * 8000)
        return len(states)

    writers = at_once(shared, [write] * 2)
    readers = at_once(shared, [read] * 4)
    states = [reader.result() for reader in readers]
    stop.write_bytes(b"")
    assert all(writer.result() > 0 for writer in writers)
    assert min(states) == 10


def test_a_process_that_dies_with_the_lock_stops_nobody(shared: Home) -> None:
    def die() -> None:
        with vault_lock(shared.folder / "lock", timeout=10):
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        perform(shared.unlocked(), "ListKeys", {})

    children = at_once(shared, [die, work] * 4)
    assert [child.outcome()[0] for child in children] == ["killed", "value"] * 4
    assert is_free(shared.folder / "lock")
    shared.perform("ListKeys")


def test_derivations_of_many_queue(shared: Home) -> None:
    # Each derivation takes 8 MiB; never more than one runs, so what all of them took together is what one takes.
    secret = Secret.passphrase(b"of all of them")
    slots.add_slot(shared.context, secret, "passphrase")
    shared.close()
    journal = shared.folder.parent / "derivations"
    journal.write_bytes(b"")

    def work() -> str:
        return unlock(shared.open(), None, lambda _: secret).principal

    children = at_once(shared, [lambda: watched(work, journal)] * 16)
    assert {child.result() for child in children} == {"admin"}
    running = worst = 0
    for mark in journal.read_text().split():
        running += 1 if mark == "+" else -1
        worst = max(worst, running)
    assert (running, worst) == (0, 1)


def watched(work: Callable[[], str], journal: Path) -> str:
    """Run `work` with a note at begin and end of each Argon2id derivation of this process."""
    from argon2 import low_level

    real = low_level.hash_secret_raw

    def noted(*arguments: Any, **members: Any) -> bytes:
        with journal.open("ab", buffering=0) as file:
            file.write(b"+ ")
            derived = real(*arguments, **members)
            file.write(b"- ")
        return derived

    low_level.hash_secret_raw = noted
    return work()
