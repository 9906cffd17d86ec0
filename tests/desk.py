"""The endpoint without sockets: desk, admission and HTTP in this process, over a vault of a test's own.

A request is bytes that a connection receives, and an answer what it writes; in between is all that a worker does.
"""

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]

from kmscli.awsapi.desk import Desk
from kmscli.awsapi.endpoint import Access, Endpoint
from kmscli.awsapi.http import Connections
from kmscli.awsapi.metrics import Metrics
from kmscli.service.accesskeys import create_access_key
from kmscli.vault.session import Session
from tests.helpers import Home
from tests.principals import quick_folder

HOST = "kms.test"
ANSWER_SECONDS = 20.0


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def members(self) -> Any:
        return json.loads(self.body) if self.body else {}

    @property
    def error(self) -> str:
        """AWS's name of the error, "" for none."""
        return "" if self.status == 200 else str(self.members.get("__type", ""))


def request(credentials: Credentials, region: str, operation: str, body: bytes, *, host: str = HOST) -> bytes:
    """The bytes of a request that botocore signed just now."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"}
    made = AWSRequest("POST", f"http://{host}/", headers=headers, data=body)
    SigV4Auth(credentials, "kms", region).add_auth(made)
    lines = [f"{name}: {value}" for name, value in made.headers.items()]
    head = "\r\n".join(["POST / HTTP/1.1", f"Host: {host}", *lines, f"Content-Length: {len(body)}", "", ""])
    return head.encode() + body


def read(text: bytes) -> tuple[Answer, bytes] | None:
    """The first answer in what came, and the rest; None while it is not whole. An interim answer is passed over."""
    head, found, rest = text.partition(b"\r\n\r\n")
    if not found:
        return None
    start, *lines = head.decode().split("\r\n")
    status = int(start.split()[1])
    if status == 100:
        return read(rest)
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = int(headers["content-length"])
    if len(rest) < length:
        return None
    return Answer(status, headers, rest[:length]), rest[length:]


class _Transport:
    def __init__(self) -> None:
        self.written = bytearray()
        self.closing = False

    def get_extra_info(self, _name: str) -> object:
        return ("127.0.0.1", 40000)

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class AtDesk:
    """A worker's inside.

    Attributes:
        home: Its vault.
        credentials: Those of the root.
        log: The access log.
        broken: What broke it.
    """

    def __init__(self, home: Home, *, rate: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.home = home
        with home.context.session.read() as records:
            self.region = records.place.region
        self._opened = home.context.session.opened
        self.credentials = self.access_key("admin")
        self.loop = asyncio.new_event_loop()
        self.log: list[Access] = []
        self.broken: list[BaseException] = []
        self.desk = Desk(self._open, self.loop, seconds=time.time, clock=clock, rate=rate, broken=self.broken.append)
        self.metrics = Metrics(1)
        endpoint = Endpoint(
            self.desk,
            self.metrics.of(0),
            rng=os.urandom,
            clock=time.monotonic,
            seconds=time.time,
            log=self.log.append,
        )
        self.connections = Connections(endpoint, time.monotonic)

    def _open(self) -> Session:
        return Session(self.home.open(), "admin", self._opened)

    def access_key(self, name: str) -> Credentials:
        """A new access key."""
        made = create_access_key(self.home.context, name).access_key
        return Credentials(made.access_key_id, made.secret_access_key)

    def send(self, text: bytes) -> list[Answer]:
        """The answers to some bytes: as many as the requests in them, or all until the connection is closed."""
        transport, connection = _Transport(), self.connections()
        connection.connection_made(transport)
        connection.data_received(text)
        end = time.monotonic() + ANSWER_SECONDS
        while (connection._busy or connection._ahead) and time.monotonic() < end:
            self.loop.run_until_complete(asyncio.sleep(0))
        assert not connection._busy, "no answer"
        connection.connection_lost(None)
        answers, rest = [], bytes(transport.written)
        while found := read(rest):
            answer, rest = found
            answers.append(answer)
        return answers

    def ask(self, operation: str, body: bytes, *, credentials: Credentials | None = None) -> Answer:
        """The answer to a body."""
        (answer,) = self.send(request(credentials or self.credentials, self.region, operation, body))
        return answer

    def call(self, operation: str, credentials: Credentials | None = None, **members: object) -> Answer:
        """The answer to members of JSON."""
        return self.ask(operation, json.dumps(members).encode(), credentials=credentials)

    def close(self) -> None:
        """End."""
        self.desk.close()
        self.loop.close()


@contextmanager
def at_desk(name: str = "desk", **options: Any) -> Iterator[AtDesk]:
    """One over a fresh vault in memory."""
    with quick_folder(name) as folder:
        home = Home(folder, clock=lambda: datetime.now(UTC)).init()
        made = AtDesk(home, **options)
        yield made
        made.close()
        home.close()


def request_ids(path: Path) -> set[str]:
    """The request ids of the lines of a log."""
    found = b"".join(each.read_bytes() for each in sorted(path.glob("*.jsonl")))
    return {each.decode() for each in re.findall(rb'"requestID":"([^"]+)"', found)}
