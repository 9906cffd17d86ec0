"""Ends of the endpoint under load: whatever was answered is in the vault and in its log, and the next one goes on.

Clients sign with boto3 and try each request once, so that all they were told is known.
"""

import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.exceptions  # type: ignore[import-untyped]
import pytest

from tests.endpoint import Place, Served, children, place, serving

KEPT = 20
NO_ANSWER = (
    botocore.exceptions.EndpointConnectionError,
    botocore.exceptions.ConnectionClosedError,
    botocore.exceptions.ReadTimeoutError,
    botocore.exceptions.HTTPClientError,
)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(what: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


class Load:
    """Clients at work side by side, and what they were told.

    Attributes:
        used: Request ids of uses of a key that were answered.
        made: Aliases whose making was answered, by request id.
        deleted: Those of them whose deletion was.
        errors: Names of errors that were answered.
        lost: Requests that got no answer.
    """

    def __init__(self, served: Served, key_id: str, *, users: int = 3, makers: int = 1) -> None:
        self.used: list[str] = []
        self.made: dict[str, str] = {}
        self.deleted: dict[str, str] = {}
        self.errors: list[str] = []
        self.lost = 0
        self._served = served
        self._key_id = key_id
        self._stop = threading.Event()
        work = [self._use] * users + [self._make] * makers
        self._threads = [threading.Thread(target=self._run, args=(step, str(n))) for n, step in enumerate(work)]
        for thread in self._threads:
            thread.start()

    def _run(self, step: Callable[[Any, str], None], name: str) -> None:
        client = self._served.client(read_timeout=15, connect_timeout=5)
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                step(client, f"alias/{name}-{os.urandom(3).hex()}-{number}")
            except botocore.exceptions.ClientError as error:
                self.errors.append(error.response["Error"]["Code"])
            except NO_ANSWER:
                self.lost += 1
                time.sleep(0.02)

    def _use(self, client: Any, _name: str) -> None:
        answer = client.encrypt(KeyId=self._key_id, Plaintext=b"x" * 100)
        self.used.append(answer["ResponseMetadata"]["RequestId"])

    def _make(self, client: Any, name: str) -> None:
        # The first stay; a key may have 50.
        answer = client.create_alias(AliasName=name, TargetKeyId=self._key_id)
        self.made[answer["ResponseMetadata"]["RequestId"]] = name
        if len(self.made) > KEPT:
            answer = client.delete_alias(AliasName=name)
            self.deleted[answer["ResponseMetadata"]["RequestId"]] = name

    def more(self, count: int = 20) -> None:
        """Wait until so many more were answered."""
        used, made = len(self.used), len(self.made)
        until(lambda: len(self.used) >= used + count and len(self.made) >= made + count // 5)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


@contextmanager
def loaded(served: Served, key_id: str, **clients: int) -> Iterator[Load]:
    """Clients at work during a block."""
    load = Load(served, key_id, **clients)
    try:
        yield load
    finally:
        load.end()


def check(where: Place, load: Load) -> None:
    """What was answered is there, once, and the log holds."""
    where.kms("audit", "verify", "--full")
    lines: dict[str, list[str]] = {}
    for line in where.lines():
        lines.setdefault(line["requestID"], []).append(line["eventName"])
    assert all(lines.get(each) == ["Encrypt"] for each in load.used)
    assert all(lines.get(each) == ["CreateAlias"] for each in load.made)
    there = {each["AliasName"] for each in where.answer("list-aliases")["Aliases"]}
    assert all(lines.get(each) == ["DeleteAlias"] for each in load.deleted)
    assert not there & set(load.deleted.values())
    # One whose deletion was not answered may be there or not.
    kept = list(load.made.values())[:KEPT]
    assert set(kept) <= there


@pytest.fixture
def vault() -> Iterator[Place]:
    with place("kills") as made:
        made.access_key()
        yield made


def new_key(where: Place) -> str:
    return str(where.answer("create-key")["KeyMetadata"]["KeyId"])


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_that_is_killed_takes_nothing_with_it_and_another_follows(vault: Place, workers: str) -> None:
    key_id = new_key(vault)
    with serving(vault, "--workers", workers) as served:
        with loaded(served, key_id) as load:
            for _ in range(3):
                load.more()
                before = children(served.process.pid)
                os.kill(before[0], signal.SIGKILL)
                until(lambda before=before: len(set(children(served.process.pid)) - set(before)) == 1)
            load.more()
        assert not load.errors
        check(vault, load)
        # A client that tries again notices nothing.
        patient = served.client(retries={"total_max_attempts": 5, "mode": "standard"})
        os.kill(children(served.process.pid)[0], signal.SIGKILL)
        patient.encrypt(KeyId=key_id, Plaintext=b"x")
        assert "is started again" in served.log.read_text()


@pytest.mark.long
def test_a_worker_that_is_killed_at_any_time_takes_nothing_with_it(vault: Place) -> None:
    key_id = new_key(vault)
    with serving(vault, "--workers", "2") as served, loaded(served, key_id, users=4, makers=2) as load:
        for number in range(40):
            load.more(5)
            time.sleep((number % 7) * 0.003)
            before = children(served.process.pid)
            os.kill(before[number % len(before)], signal.SIGKILL)
            until(lambda before=before: len(set(children(served.process.pid)) - set(before)) == 1)
    check(vault, load)


def test_without_their_supervisor_workers_end(vault: Place) -> None:
    key_id = new_key(vault)
    served = Served(vault, ["--workers", "2"])
    with loaded(served, key_id) as load:
        load.more()
        workers = children(served.process.pid)
        served.process.kill()
        until(lambda: not any(map(alive, workers)))
    served.kill()
    check(vault, load)
    with serving(vault) as again:
        again.client().encrypt(KeyId=key_id, Plaintext=b"x")


def test_a_signal_that_it_was_started_to_ignore_ends_nothing(vault: Place) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        served = Served(vault, [])
    finally:
        signal.signal(signal.SIGHUP, before)
    for pid in (served.process.pid, *children(served.process.pid)):
        os.kill(pid, signal.SIGHUP)
    assert served.client().list_keys()["Keys"] is not None
    served.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_at_a_signal_what_was_begun_is_answered(vault: Place, number: signal.Signals) -> None:
    key_id = new_key(vault)
    served = Served(vault, ["--workers", "2"])
    with loaded(served, key_id) as load:
        load.more()
        workers = children(served.process.pid)
        began = time.monotonic()
        served.process.send_signal(number)
        assert 0 == served.process.wait(20)
        assert time.monotonic() - began < 10
        assert not any(map(alive, workers))
    assert not load.errors
    served.kill()
    check(vault, load)
    # No line of an Encrypt is there that nobody was told of: who was let in was answered.
    told = {*load.used, *load.made, *load.deleted}
    unknown = [
        line for line in vault.lines() if line["userIdentity"].get("accessKeyId") and line["requestID"] not in told
    ]
    assert not unknown


def test_workers_that_cannot_start_end_the_server(vault: Place) -> None:
    served = Served(vault)
    try:
        database = vault.folder / "vault" / "vault.db"
        moved = database.with_name("moved")
        database.rename(moved)
        for pid in children(served.process.pid):
            os.kill(pid, signal.SIGKILL)
        assert 0 != served.process.wait(30)
        assert "Traceback" not in served.log.read_text()
        moved.rename(database)
    finally:
        served.kill()


# -- a log that cannot be written --------------------------------------------------------------------------------------


def test_on_a_full_disk_nothing_is_answered_without_its_line(vault: Place) -> None:
    key_id = new_key(vault)
    with serving(vault, "--workers", "1", "--quiet") as served:
        with loaded(served, key_id, makers=0) as load:
            until(lambda: len(load.used) > 20)
            (worker,) = children(served.process.pid)
            size = max(each.stat().st_size for each in (vault.folder / "vault" / "audit").glob("*.jsonl"))
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
            until(lambda: len(load.errors) > 10)
            answered = len(load.used)
            time.sleep(0.2)
            assert answered == len(load.used)
            assert {"KMSInternalException"} == set(load.errors)
            # With room again it goes on, if not in the same worker, then in another.
            pids = children(served.process.pid)
            for pid in pids:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            until(lambda: len(load.used) > answered + 10)
        check(vault, load)


@pytest.mark.needs("strace")
@pytest.mark.parametrize("when", ["40+", "40"])  # the second: the next sync seems to be well
def test_after_a_failed_sync_nothing_is_answered_and_the_server_says_so(
    vault: Place, tmp_path: Path, when: str
) -> None:
    key_id = new_key(vault)
    script = tmp_path / "kms"
    script.write_text(
        f"#!/bin/sh\nexec strace -f -qq -o {tmp_path}/trace -e trace=fdatasync -e signal=none "
        f'-e inject=fdatasync:error=EIO:when={when} {vault_kms()} "$@"\n'
    )
    script.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.endpoint.KMS", str(script))
        served = Served(vault, ["--workers", "1"])
    try:
        with loaded(served, key_id, makers=0, users=4) as load:
            assert 52 == served.process.wait(60)
        _, _, after = (tmp_path / "trace").read_text().partition("(INJECTED)\n")
        assert "fdatasync" not in after
        assert "nothing is served any more" in served.log.read_text()
        assert load.used
        check(vault, load)
    finally:
        served.kill()


def vault_kms() -> str:
    from tests.endpoint import KMS

    return KMS


# -- segments ----------------------------------------------------------------------------------------------------------


def test_segments_that_fill_up_under_load_hold_together(vault: Place) -> None:
    key_id = new_key(vault)
    (vault.folder / "vault" / "config.toml").write_text("[audit]\nsegment_bytes = 16384\n")
    with serving(vault, "--workers", "2") as served, loaded(served, key_id, users=3, makers=1) as load:
        for number in range(2):
            load.more(10)
            vault.kms("encrypt", "--key-id", key_id, "--plaintext", f"fileb://{vault.environ['KMS_KEYFILE']}")
            vault.kms("create-alias", "--alias-name", f"alias/cli-{number}", "--target-key-id", key_id)
            vault.kms("audit", "verify")
        until(lambda: len(list((vault.folder / "vault" / "audit").glob("*.jsonl"))) >= 4)
    assert not load.errors
    check(vault, load)
    assert json.loads(vault.kms("audit", "verify", "--full", "--output", "json"))
