"""A server without a vault, for serve.py: `_bareserver.py WORKERS`; it prints its URL.

It is the physical limit of what a second worker brings: the same connections, sockets and loop, for each request a
fixed amount of work about as large as that of `kms serve`, and for all requests that are there a write and a sync of as
many bytes as their lines have, by each worker to a file of its own. No worker waits for another.
"""

import asyncio
import os
import socket
import sys
import tempfile
import time

from kmscli.awsapi.door import Door, Loads
from kmscli.awsapi.http import Connection, Connections, Incoming
from kmscli.awsapi.worker import keep_to_core, new_loop

STEPS = 1500
LINE = bytes(1150)
HEADERS, BODY = b"x-amzn-requestid: 00000000-0000-0000-0000-000000000000\r\n", bytes(1600)


class Bare:
    """One worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: list[tuple[Connection, Incoming]] = []
        self.known = list(range(4096))
        self.file = tempfile.TemporaryFile(dir=".", buffering=0)  # noqa: SIM115 - until the end

    def take(self, connection: Connection, incoming: Incoming) -> None:
        if not self.waiting:
            self.loop.call_soon(self.work)
        self.waiting.append((connection, incoming))

    def work(self) -> None:
        jobs, self.waiting = self.waiting, []
        known = self.known
        for _ in jobs:
            for step in range(STEPS):
                known[(step * 7919) & 4095] = (step, known[(step * 31) & 4095])[0]
        self.file.write(LINE * len(jobs))
        os.fdatasync(self.file.fileno())
        for connection, incoming in jobs:
            connection.respond(200, HEADERS, BODY, keep=incoming.keep)


def serve(number: int, workers: int, listening: socket.socket, loads: Loads) -> None:
    keep_to_core(number, workers)
    loop = new_loop()
    asyncio.set_event_loop(loop)
    load = loads.of(number, lambda: len(connections.open))
    connections = Connections(Bare(loop).take, time.monotonic, soon=loop.call_soon, gone=load.tell)
    Door(loop, listening, connections, load=load, tls=None)
    loop.run_forever()


def main() -> None:
    workers = int(sys.argv[1])
    listening, loads = socket.create_server(("127.0.0.1", 0), backlog=1024), Loads(workers)
    for number in range(1, workers):
        if os.fork() == 0:
            serve(number, workers, listening, loads)
    print(f"serving http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    serve(0, workers, listening, loads)


if __name__ == "__main__":
    main()
