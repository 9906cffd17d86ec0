"""HTTP/1.1 connections: bytes to whole requests within bounds, answers in the order of the requests.

llhttp parses (package httptools); what is ours are the bounds. A connection works on one request at a time; what a
client sends ahead waits, unread once a buffer is full, so nobody's memory grows with what others send. Nothing is begun
for a client that does not take its answers. Head, body and idleness each have their time.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

import httptools

HEAD_MAX = 16 << 10
"""Bytes of the request line and headers, and of what follows a chunked body."""
HEADERS_MAX = 100
PIECE = 8 << 10
"""Bytes that are parsed at once: what comes in one read may be many requests."""
BODY_MAX = 1 << 20
"""Bytes of a body: more than the largest policy, in the longest spelling that JSON has for it."""
BODIES_MAX = 64 << 20
"""Bytes of bodies that all connections may hold together; who comes with more then is told to come again."""
AHEAD_MAX = 16
"""Requests that one client may have sent ahead before no more is read."""
AT_ONCE = 16
"""Requests of one client that are begun before others have their turn."""

REQUEST_SECONDS = 20.0
"""From the first byte of a request to its last, and for a client to take its answer."""
IDLE_SECONDS = 600.0
LINGER_SECONDS = 5.0
"""For a client to read a refusal while it still sends: a socket that is closed then takes the refusal back."""

_REASONS = {each.value: each.phrase.encode() for each in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Incoming:
    """One whole request.

    Attributes:
        method: As sent.
        url: Path and query, as sent.
        headers: Names in lower case, values as sent, in their order.
        fields: The first value of each name, once all headers are there.
        body: The bytes, without transfer encoding.
        keep: Whether the connection goes on after the answer.
    """

    __slots__ = ("body", "fields", "headers", "keep", "method", "url")

    def __init__(self) -> None:
        self.method = ""
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.fields: dict[bytes, bytes] = {}
        self.body = b""
        self.keep = True


def first_values(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The first value of each name."""
    return dict(reversed(headers))


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

    def __init__(
        self,
        handler: Handler,
        clock: Callable[[], float],
        *,
        most: int | None = None,
        soon: Callable[[Callable[[], None]], object] | None = None,
        gone: Callable[[], None] | None = None,
    ) -> None:
        """Serve requests.

        Args:
            handler: Takes them.
            clock: Gives seconds that only grow.
            most: How many connections there may be: for one more, that ends which would end next by its time. None =
                any number.
            soon: Calls something after what else is to be done now; None = who sends much ahead is served alone.
            gone: Told of each that is open no more.
        """
        self.handler = handler
        self.clock = clock
        self.most = most
        self.soon = soon
        self.gone = gone
        self.open: set[Connection] = set()
        self.held = 0
        self.draining = False

    def __call__(self) -> "Connection":
        """One more."""
        return Connection(self)

    def enter(self, connection: "Connection") -> None:
        """Count one that was made; where there is no room, another ends, or itself if all are at work."""
        self.open.add(connection)
        if self.most is not None and len(self.open) > self.most:
            # The newest is asked last: among equals the oldest goes.
            min(self.open, key=lambda each: (each.deadline, each is connection)).abort()

    def leave(self, connection: "Connection") -> None:
        """Count one no more."""
        if connection in self.open:
            self.open.remove(connection)
            if self.gone is not None:
                self.gone()

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
        "_blocked",
        "_body",
        "_busy",
        "_closed",
        "_ended",
        "_eof",
        "_expects",
        "_head",
        "_held",
        "_incoming",
        "_parser",
        "_paused",
        "_pumping",
        "_refusal",
        "_transport",
        "_unread",
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
        self._body = bytearray()
        self._unread = b""
        self._working = _NOTHING
        self._head = self._held = self._refusal = 0
        self._busy = self._blocked = self._paused = self._pumping = self._expects = False
        # The client has sent its last byte; no further request is taken; nothing more is sent.
        self._eof = self._ended = self._closed = False

    # -- of the transport

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvloop's transports are no asyncio classes
        """Begin."""
        self._transport = transport
        found = transport.get_extra_info("peername")
        self.peer = _address(found[0]) if isinstance(found, tuple) else ""
        self.deadline = self.owner.clock() + IDLE_SECONDS
        self.owner.enter(self)
        if self.owner.draining:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; an answer that comes later goes nowhere."""
        del exc
        self._ended = self._closed = True
        self._ahead.clear()
        self._unread = b""
        self._body = bytearray()
        # What is worked on is given back with its answer.
        self._hold(len(self._working.body) - self._held if self._busy else -self._held)
        self.owner.leave(self)

    def eof_received(self) -> bool:
        """The client sends no more; it may still wait for answers."""
        self._eof = True
        if not self._closed:
            self._pump()
        return not self._closed

    def pause_writing(self) -> None:
        """The client does not take its answers: begin nothing more for it."""
        self._blocked = True
        if not self._busy:
            self.deadline = self.owner.clock() + REQUEST_SECONDS

    def resume_writing(self) -> None:
        """It does again."""
        self._blocked = False
        if not self._busy and not self._closed:
            self._rest()
        self._pump()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._ended:
            return
        self._unread = self._unread + data if self._unread else data
        self._pump()

    def _pump(self) -> None:
        """Go on as far as it goes: the next request, or the next bytes; no recursion, however many are answered."""
        if self._pumping:
            return
        self._pumping, begun = True, 0
        try:
            while not (self._closed or self._blocked):
                if self._ahead and not self._busy:
                    if begun == AT_ONCE and self.owner.soon is not None:
                        self.owner.soon(self._pump)
                        break
                    begun += 1
                    self._begin(self._ahead.popleft())
                elif self._unread and len(self._ahead) < AHEAD_MAX:
                    data = self._unread
                    self._unread = data[PIECE:]
                    self._parse(data[:PIECE])
                else:
                    break
        finally:
            self._pumping = False
        if not (self._busy or self._closed or self._blocked or self._ahead):
            self._settle()
        if bool(self._unread or self._blocked) != self._paused and not self._transport.is_closing():
            self._paused = not self._paused
            (self._transport.pause_reading if self._paused else self._transport.resume_reading)()

    def _settle(self) -> None:
        """Nothing is worked on, and nothing waits."""
        if self._refusal:
            self._refused()
        elif self._ended or self._eof:
            self._close()
        elif self._expects:
            self._expects = False
            self._transport.write(_CONTINUE)

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        # Bytes since the request began, or since there was body: also a name or value that never ends is noticed.
        self._head += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(501)
        except httptools.HttpParserError:
            self._refuse(400)
        if self._head > HEAD_MAX and self._incoming is not None:
            self._refuse(431)
        if self._ended:
            self._unread = b""

    # -- of the parser

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._ended:
            return
        self._incoming = Incoming()
        if not self._busy:
            self.deadline = self.owner.clock() + REQUEST_SECONDS

    def on_url(self, url: bytes) -> None:
        """A part of its path and query."""
        if self._incoming is not None:
            self._incoming.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        incoming = self._incoming
        if incoming is None or incoming.method:
            return  # what follows a chunked body is signed by nobody, and believed by nobody
        incoming.headers.append((name.lower(), value))
        if len(incoming.headers) > HEADERS_MAX:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        """Its head is whole: its size is known, or will be watched."""
        incoming = self._incoming
        self._head = 0
        if incoming is None:
            return
        incoming.fields = first_values(incoming.headers)
        incoming.method = self._parser.get_method().decode("ascii", "replace")
        incoming.keep = self._parser.should_keep_alive()
        length, expects = incoming.fields.get(b"content-length"), incoming.fields.get(b"expect")
        if self._parser.should_upgrade():
            self._refuse(501)  # the parser leaves the body to the other protocol
        elif length is not None and int(length) > BODY_MAX:
            self._refuse(413)
        elif expects is not None and expects.lower() == b"100-continue":
            self._expects = True

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self._expects, self._head = False, 0
        if self._incoming is None:
            return
        if len(self._body) + len(body) > BODY_MAX:
            self._refuse(413)
        elif self.owner.held + len(body) > BODIES_MAX:
            self._refuse(503)
        else:
            self._body += body
            self._hold(len(body))

    def on_message_complete(self) -> None:
        """It is whole."""
        incoming, self._incoming, self._head, self._expects = self._incoming, None, 0, False
        if incoming is None:
            return
        if self._body:
            incoming.body, self._body = bytes(self._body), bytearray()
        self._ahead.append(incoming)
        self._ended = not incoming.keep

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
        if self._closed or self._transport.is_closing():
            return
        keep = keep and not self.owner.draining
        if self._ended or self._eof:
            keep = keep and bool(self._ahead or self._unread or self._refusal)
        self._rest()
        self._transport.write(_answer(status, headers, body, keep=keep))
        if keep:
            self._pump()
        else:
            self._close()

    def _rest(self) -> None:
        """Wait for the client."""
        self.deadline = self.owner.clock() + (REQUEST_SECONDS if self._incoming is not None else IDLE_SECONDS)

    def _refuse(self, status: int) -> None:
        """Answer what cannot be a request of anybody, and end: where the next one would begin is not known.

        The answers before it come first.
        """
        if self._ended:
            return
        self._refusal, self._ended = status, True
        self._incoming = None
        self._hold(-len(self._body))
        self._body = bytearray()

    def _refused(self) -> None:
        self._closed = True
        self.deadline = self.owner.clock() + LINGER_SECONDS
        self._transport.write(_answer(self._refusal, b"", b"", keep=False))
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def expire(self) -> None:
        """Its time is over."""
        if self._closed or self._blocked:
            self.abort()
        elif self._incoming is not None:
            self._refuse(408)
            self._pump()
        else:
            self._close()

    def abort(self) -> None:
        """End at once."""
        self._ended = self._closed = True
        self.owner.leave(self)
        self._transport.abort()

    def close_if_idle(self) -> None:
        """End, if no request is under way."""
        if not self._busy:
            self._close()

    def _close(self) -> None:
        self._ended = self._closed = True
        # A client that does not take its last answer is not waited for.
        self.deadline = self.owner.clock() + REQUEST_SECONDS
        self._transport.close()


def _address(host: str) -> str:
    """The address that policies know a client by: that of IPv4 also where a socket of IPv6 tells of it."""
    found = ip_address(host.partition("%")[0])
    return str(getattr(found, "ipv4_mapped", None) or found)


def _answer(status: int, headers: bytes, body: bytes, *, keep: bool) -> bytes:
    start = b"HTTP/1.1 %d %b\r\n%bcontent-length: %d\r\n" % (status, _REASONS[status], headers, len(body))
    return b"%bconnection: %b\r\n\r\n%b" % (start, b"keep-alive" if keep else b"close", body)
