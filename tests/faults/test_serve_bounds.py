"""What clients can make the server keep: bounded, however slow, large, many or deaf they are; and others are served."""

import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from botocore.credentials import Credentials  # type: ignore[import-untyped]

from kmscli.awsapi import http
from kmscli.awsapi.worker import OWN_FILES
from tests.desk import request
from tests.endpoint import REGION, Place, Served, children, place, serving
from tests.faults.test_serve_kills import until

MIB = 1 << 20
FEW = 400
MANY = 10_000


@pytest.fixture
def vault() -> Iterator[Place]:
    with place("bounds") as made:
        made.access_key()
        yield made


def memory(served: Served) -> int:
    """Resident bytes of the one worker."""
    (pid,) = children(served.process.pid)
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def address(served: Served) -> tuple[str, int]:
    host, _, port = served.url.removeprefix("http://").rpartition(":")
    return host, int(port)


@contextmanager
def connected(served: Served, count: int) -> Iterator[list[socket.socket]]:
    """So many connections; the test's own limit of open files is raised for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 100:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        made = [stack.enter_context(socket.create_connection(address(served), timeout=30)) for _ in range(count)]
        yield made
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def signed(served: Served, operation: str, body: bytes) -> bytes:
    key = served.place.access_key()
    return request(Credentials(key.access_key_id, key.secret), REGION, operation, body)


def works(served: Served) -> None:
    """Others are served, at once."""
    began = time.monotonic()
    served.client(read_timeout=10).generate_random(NumberOfBytes=8)
    assert time.monotonic() - began < 5


def push(made: socket.socket, data: bytes) -> int:
    """Send as much as the socket takes now."""
    made.settimeout(0)
    sent = 0
    try:
        while sent < len(data):
            sent += made.send(data[sent : sent + 65536])
    except (BlockingIOError, ConnectionError):
        pass
    return sent


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_idle_connections_cost_little_and_hinder_nobody(vault: Place, count: int) -> None:
    with serving(vault, "--workers", "1", "--quiet") as served:
        works(served)
        before = memory(served)
        with connected(served, count) as idle:
            works(served)
            assert memory(served) - before < 8 * MIB + count * 6_000
            # They are all served yet.
            for each in (idle[0], idle[count // 2], idle[-1]):
                each.sendall(signed(served, "GenerateRandom", b'{"NumberOfBytes": 8}'))
                assert each.recv(100).startswith(b"HTTP/1.1 200 ")
            began = time.monotonic()
        # All went; what a worker keeps of them ends with them.
        until(lambda: _files(served) < 100)
        assert time.monotonic() - began < 20
        works(served)


def _files(served: Served) -> int:
    (pid,) = children(served.process.pid)
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_workers_have_as_many_connections_as_each_other(vault: Place) -> None:
    with serving(vault, "--workers", "3", "--quiet") as served:
        workers = children(served.process.pid)
        before = [_sockets(pid) for pid in workers]

        def counts() -> list[int]:
            return [_sockets(pid) - idle for pid, idle in zip(workers, before, strict=True)]

        for sofar in (6, 24):
            with connected(served, sofar):
                until(lambda sofar=sofar: sum(counts()) == sofar)  # type: ignore[misc]
                assert max(counts()) - min(counts()) <= 2
            until(lambda: sum(counts()) == 0)


def _sockets(pid: int) -> int:
    found = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += str(each.readlink()).startswith("socket:")
    return found


def test_where_there_is_no_room_for_more_the_idle_ones_make_it(vault: Place) -> None:
    limit = OWN_FILES + 32
    served = Served(vault, ["--workers", "1", "--quiet"])
    try:
        subprocess.run(["prlimit", f"--pid={served.process.pid}", f"--nofile={limit}:{limit}"], check=True)
        (worker,) = children(served.process.pid)
        # A new worker has what is left by then.
        os.kill(worker, signal.SIGKILL)
        until(lambda: children(served.process.pid) not in ([], [worker]))
        with connected(served, 200) as idle:
            works(served)
            until(lambda: _files(served) <= limit - OWN_FILES + 40)
            works(served)
            idle[-1].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert idle[-1].recv(100).startswith(b"HTTP/1.1 ")
    finally:
        assert 0 == served.stop()


def test_large_and_slow_bodies_are_bounded_together(vault: Place) -> None:
    body = b'{"Plaintext": "' + b"A" * (http.BODY_MAX - 100)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % http.BODY_MAX
    with serving(vault, "--workers", "1", "--quiet") as served:
        works(served)
        before = memory(served)
        with connected(served, 150) as slow:
            left = dict.fromkeys(slow, head + body)
            for _ in range(30):  # as the sockets take them; the last bytes never come
                left = {made: data[push(made, data) :] for made, data in left.items()}
                time.sleep(0.01)
            works(served)
            assert memory(served) - before < http.BODIES_MAX * 2 + 40 * MIB
        works(served)


def test_who_sends_ahead_and_takes_no_answers_is_bounded(vault: Place) -> None:
    with serving(vault, "--workers", "1", "--quiet") as served:
        works(served)
        before = memory(served)
        ahead = signed(served, "ListAliases", b"{}") + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2_000
        with connected(served, 20) as deaf:
            for _ in range(100):
                for made in deaf:
                    push(made, ahead)
            works(served)
            assert memory(served) - before < 30 * MIB
            # Who takes them in the end gets them in order.
            deaf[0].settimeout(20)
            text = deaf[0].recv(1 << 16)
            assert text.startswith(b"HTTP/1.1 200 ")
        works(served)


@pytest.mark.parametrize(
    "text",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65536 + b"\r\n",
        b"GET / HTTP/1.1\r\n",
    ],
)
def test_what_is_too_large_is_refused_while_it_is_sent(vault: Place, text: bytes) -> None:
    more = {b"POST": b"10000\r\n" + b"x" * 65536 + b"\r\n", b"GET ": b"a: " + b"b" * 5000 + b"\r\n"}[text[:4]]
    with (
        serving(vault, "--workers", "1", "--quiet") as served,
        socket.create_connection(address(served), timeout=20) as made,
    ):
        made.sendall(text)
        for _ in range(200):
            if not push(made, more):
                break
            time.sleep(0.001)
        made.settimeout(20)
        assert made.recv(1000).startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 431 "))


@pytest.mark.long
def test_who_is_slow_is_ended_in_time(vault: Place) -> None:
    with (
        serving(vault, "--workers", "1", "--quiet") as served,
        socket.create_connection(address(served), timeout=40) as made,
    ):
        began = time.monotonic()
        made.sendall(b"POST / HTTP/1.1\r\nHost")
        assert made.recv(1000).startswith(b"HTTP/1.1 408 ")
        assert http.REQUEST_SECONDS - 1 < time.monotonic() - began < http.REQUEST_SECONDS + 5
        assert b"" == made.recv(1000)
