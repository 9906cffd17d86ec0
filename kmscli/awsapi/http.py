"""HTTP/1.1 connections: bytes to whole requests within bounds, answers in the order of the requests.

llhttp parses (package httptools); what is ours are the bounds. A connection works on one request at a time; what a
client sends ahead waits, unread once a buffer is full, so nobody's memory grows with what others send. Head, body and
idleness each have their time.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import httptools

HEAD_MAX = 16 << 10
"""Bytes of the request line and headers."""
BODY_MAX = 1 << 20
"""Bytes of a body: more than the largest policy, in the longest spelling that JSON has for it."""
BODIES_MAX = 64 << 20
"""Bytes of bodies that all connections may hold together; who comes with more then is told to come again."""
AHEAD_MAX = 16
"""Requests that one client may have sent ahead before no more is read."""

REQUEST_SECONDS = 20.0
"""From the first byte of a request to its last, and for a client to take its answer."""
IDLE_SECONDS = 600.0

_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    503: b"Service Unavailable",
}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Incoming:
    """One whole request.

    Attributes:
        method: As sent.
        url: Path and query, as sent.
        headers: Names in lower case, values as sent, in their order.
        body: The bytes, without transfer encoding.
        keep: Whether the connection goes on after the answer.
    """

    __slots__ = ("body", "headers", "keep", "method", "url")

    def __init__(self) -> None:
        self.method = ""
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.keep = True

    def header(self, name: bytes) -> bytes | None:
        """The first header of that name."""
        return next((value for known, value in self.headers if known == name), None)


_NOTHING = Incoming()

Handler = Callable[["Connection", Incoming], None]
"""Takes a whole request, and calls `respond` of the connection once, at any time after."""


class Connections:
    """All connections of a server: their number, their ends in time, and what they hold.

    Attributes:
        open: Those that are.
        held: Bytes of bodies that are in memory for them.
        draining: Whether the server is at its end.
    """

    def __init__(self, handler: Handler, clock: Callable[[], float]) -> None:
        """Serve requests by `handler`; `clock` gives seconds that only grow."""
        self.handler = handler
        self.clock = clock
        self.open: set[Connection] = set()
        self.held = 0
        self.draining = False

    def __call__(self) -> "Connection":
        """One more."""
        return Connection(self)

    def sweep(self) -> None:
        """End what takes too long; call it about once a second."""
        now = self.clock()
        for connection in [each for each in self.open if each.deadline < now]:
            connection.expire()

    def drain(self) -> None:
        """Take no further request: idle connections end now, the others after their answer."""
        self.draining = True
        for connection in list(self.open):
            connection.close_if_idle()


class Connection(asyncio.Protocol):
    """One client.

    Attributes:
        peer: Its address, "" where the socket has none.
        deadline: When it ends if nothing happens.
    """

    __slots__ = (
        "_ahead",
        "_body",
        "_busy",
        "_closing",
        "_head",
        "_held",
        "_incoming",
        "_parser",
        "_paused",
        "_size",
        "_transport",
        "_working",
        "deadline",
        "owner",
        "peer",
    )

    def __init__(self, owner: Connections) -> None:
        self.owner = owner
        self.peer = ""
        self.deadline = 0.0
        self._transport: Any = None
        # Made with the first bytes: an idle connection costs little.
        self._parser: Any = None
        self._incoming: Incoming | None = None
        self._ahead: deque[Incoming] = deque()
        self._body: list[bytes] = []
        self._working = _NOTHING
        self._head = self._size = self._held = 0
        self._busy = self._closing = self._paused = False

    # -- of the transport

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvloop's transports are no asyncio classes
        """Begin."""
        self._transport = transport
        found = transport.get_extra_info("peername")
        self.peer = found[0] if isinstance(found, tuple) else ""
        self.deadline = self.owner.clock() + IDLE_SECONDS
        self.owner.open.add(self)
        if self.owner.draining:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; an answer that comes later goes nowhere."""
        del exc
        self._closing = True
        self._ahead.clear()
        self._body = []
        # What is worked on is given back with its answer.
        self._hold(len(self._working.body) - self._held if self._busy else -self._held)
        self.owner.open.discard(self)

    def eof_received(self) -> bool:
        """The client sends no more; it may still wait for an answer."""
        self._closing = True
        return self._busy

    def pause_writing(self) -> None:
        """The client does not take its answers: read nothing more of it."""
        self._pause()

    def resume_writing(self) -> None:
        """It does again."""
        self._resume()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._closing:
            return
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        if self._incoming is None or self._head >= 0:
            self._head += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(501)
        except httptools.HttpParserError:
            self._refuse(400)
        if self._head > HEAD_MAX and self._incoming is not None and not self._closing:
            self._refuse(431)

    # -- of the parser

    def on_message_begin(self) -> None:
        """A request begins."""
        self._incoming = Incoming()
        self._body, self._size = [], 0
        if not self._busy:
            self.deadline = self.owner.clock() + REQUEST_SECONDS

    def on_url(self, url: bytes) -> None:
        """A part of its path and query."""
        if self._incoming is not None:
            self._incoming.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        if self._incoming is not None:
            self._incoming.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Its head is whole: its size is known, or will be watched."""
        incoming = self._incoming
        self._head = -1  # what follows is body until the next request begins
        if incoming is None or self._closing:
            return
        incoming.method = self._parser.get_method().decode("ascii", "replace")
        incoming.keep = self._parser.should_keep_alive()
        length = incoming.header(b"content-length")
        if length is not None and int(length) > BODY_MAX:
            self._refuse(413)
        elif (incoming.header(b"expect") or b"").lower() == b"100-continue" and not self._busy:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self._size += len(body)
        if self._size > BODY_MAX:
            self._refuse(413)
        elif self.owner.held + len(body) > BODIES_MAX:
            self._refuse(503)
        elif not self._closing:
            self._body.append(body)
            self._hold(len(body))

    def on_message_complete(self) -> None:
        """It is whole."""
        incoming, self._incoming, self._head = self._incoming, None, 0
        if incoming is None or self._closing:
            return
        incoming.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        if self._busy:
            self._ahead.append(incoming)
            if len(self._ahead) >= AHEAD_MAX:
                self._pause()
        else:
            self._begin(incoming)

    # -- requests and answers

    def _hold(self, count: int) -> None:
        self._held += count
        self.owner.held += count

    def _begin(self, incoming: Incoming) -> None:
        self._busy = True
        self._working = incoming
        # From here on the time is the server's own.
        self.deadline = float("inf")
        self.owner.handler(self, incoming)

    def respond(self, status: int, headers: bytes, body: bytes, *, keep: bool) -> None:
        """Answer the request that is worked on, and take the next one.

        Args:
            status: The HTTP status.
            headers: Those of the answer, each with its line end, without content-length and connection.
            body: The bytes.
            keep: Whether the connection goes on.
        """
        self._busy = False
        self._hold(-len(self._working.body))
        if self._transport is None or self._transport.is_closing():
            return
        keep = keep and not self.owner.draining and not (self._closing and not self._ahead)
        self._transport.write(_answer(status, headers, body, keep=keep))
        if not keep:
            self._close()
            return
        self.deadline = self.owner.clock() + (REQUEST_SECONDS if self._incoming is not None else IDLE_SECONDS)
        if self._ahead:
            self._begin(self._ahead.popleft())
            if self._paused and len(self._ahead) < AHEAD_MAX // 2:
                self._resume()

    def _refuse(self, status: int) -> None:
        """Answer what cannot be a request of anybody, and end: where the next one would begin is not known."""
        if self._closing:
            return
        self._closing = True
        self._incoming = None
        self._body = []
        if self._busy:
            # The answer before it comes first, and is the last.
            return
        self._transport.write(_answer(status, b"", b"", keep=False))
        self._close()

    def expire(self) -> None:
        """Its time is over."""
        if self._incoming is not None and not self._busy:
            self._refuse(408)
        self._transport.abort() if self._closing else self._close()

    def close_if_idle(self) -> None:
        """End, if no request is under way."""
        if not self._busy:
            self._close()

    def _close(self) -> None:
        self._closing = True
        # A client that does not take its last answer is not waited for.
        self.deadline = self.owner.clock() + REQUEST_SECONDS
        self._transport.close()

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()


def _answer(status: int, headers: bytes, body: bytes, *, keep: bool) -> bytes:
    start = b"HTTP/1.1 %d %b\r\n%bcontent-length: %d\r\n" % (status, _REASONS[status], headers, len(body))
    return b"%bconnection: %b\r\n\r\n%b" % (start, b"keep-alive" if keep else b"close", body)
