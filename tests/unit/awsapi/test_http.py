"""Connections over a transport that a test holds: bounds, order, time, and the ends of clients and servers."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscli.awsapi import http
from kmscli.awsapi.http import Connection, Connections, Incoming

HIGH_WATER = 64 << 10


class Transport:
    """What a connection writes and does to its socket; `take` is the client that reads."""

    def __init__(self, *, half_close: bool = True) -> None:
        self.written = bytearray()
        self.untaken = 0
        self.reading = True
        self.closed = self.aborted = self.eof = False
        self.protocol: Connection | None = None
        self.slow = False
        self.half_close = half_close
        self.peername: object = ("192.0.2.7", 40000)

    def get_extra_info(self, name: str) -> object:
        return self.peername if name == "peername" else None

    def write(self, data: bytes) -> None:
        assert not self.closed
        assert not self.eof
        self.written += data
        if self.slow and self.protocol is not None:
            before, self.untaken = self.untaken, self.untaken + len(data)
            if before <= HIGH_WATER < self.untaken:
                self.protocol.pause_writing()

    def take(self) -> None:
        over, self.untaken = self.untaken > HIGH_WATER, 0
        if over and self.protocol is not None:
            self.protocol.resume_writing()

    def can_write_eof(self) -> bool:
        return self.half_close

    def write_eof(self) -> None:
        self.eof = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True


class Line:
    """A server with one connection, and what its handler has got; it answers when the test says."""

    def __init__(self, *, at_once: bool = False, slow: bool = False, half_close: bool = True) -> None:
        self.now = 1000.0
        self.got: list[Incoming] = []
        self.at_once = at_once
        self.answer_body = b"{}"
        self.connections = Connections(self._handle, lambda: self.now)
        self.transport, self.connection = self.connect(slow=slow, half_close=half_close)

    def connect(self, *, slow: bool = False, half_close: bool = True) -> tuple[Transport, Connection]:
        transport, connection = Transport(half_close=half_close), self.connections()
        transport.protocol, transport.slow = connection, slow
        connection.connection_made(transport)
        return transport, connection

    def _handle(self, connection: Connection, incoming: Incoming) -> None:
        self.got.append(incoming)
        if self.at_once:
            self.answer(connection=connection)

    def answer(self, status: int = 200, *, connection: Connection | None = None) -> None:
        keep = self.got[-1].keep
        (connection or self.connection).respond(
            status, b"x-number: %d\r\n" % len(self.got), self.answer_body, keep=keep
        )

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.connection.data_received(part)

    def pass_time(self, seconds: float) -> None:
        """A sweep each second, as the worker does."""
        for _ in range(int(seconds)):
            self.now += 1
            self.connections.sweep()

    @property
    def statuses(self) -> list[int]:
        return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.transport.written)]

    @property
    def numbers(self) -> list[int]:
        return [int(found) for found in re.findall(rb"x-number: (\d+)", self.transport.written)]

    def lost(self) -> None:
        self.connection.connection_lost(None)


def post(body: bytes = b"{}", *headers: bytes, path: bytes = b"/") -> bytes:
    lines = [b"POST %b HTTP/1.1" % path, b"Host: kms", *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body])


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"POST / HTTP/1.1\r\nHost: kms\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end


# -- one request -------------------------------------------------------------------------------------------------------


def test_a_request_is_handed_on_as_it_came_and_answered() -> None:
    line = Line(at_once=True)
    line.send(post(b'{"A": 1}', b"X-Amz-Target: TrentService.Encrypt", b"X-Two: a", b"x-two:  b ", path=b"/p?q=%20"))
    (found,) = line.got
    assert ("POST", b"/p?q=%20", b'{"A": 1}', True) == (found.method, found.url, found.body, found.keep)
    assert (b"x-amz-target", b"TrentService.Encrypt") in found.headers
    assert [b"a", b"b"] == [value.strip() for name, value in found.headers if name == b"x-two"]
    expected = b"HTTP/1.1 200 OK\r\nx-number: 1\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\n{}"
    assert expected == line.transport.written
    assert not line.transport.closed
    assert "192.0.2.7" == line.connection.peer


@given(st.data())
def test_however_the_bytes_are_cut_the_requests_are_the_same(data: st.DataObject) -> None:
    bodies = data.draw(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
    text = b"".join(data.draw(st.sampled_from([post, chunked]))(body) if body else post(body) for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    line = Line(at_once=True)
    line.send(*(text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)))
    assert bodies == [found.body for found in line.got]
    assert [200] * len(bodies) == line.statuses


def test_every_status_that_an_answer_can_have_is_known() -> None:
    from kmscli import errors

    def under(kind: type[errors.KmsError]) -> set[int]:
        return {kind.http_status}.union(*(under(each) for each in kind.__subclasses__()))

    for status in sorted(under(errors.KmsError) | {200, 404, 405, 503}):
        line = Line()
        line.send(post())
        line.answer(status)
        assert [status] == line.statuses


def test_a_client_that_ends_its_connection_is_told_so() -> None:
    line = Line(at_once=True)
    line.send(post(b"{}", b"Connection: close"))
    assert b"connection: close\r\n" in line.transport.written
    assert line.transport.closed


def test_http_1_0_is_answered_and_ended() -> None:
    line = Line(at_once=True)
    line.send(b"GET / HTTP/1.0\r\n\r\n")
    assert [200] == line.statuses
    assert line.transport.closed


def test_after_a_last_request_nothing_is_taken() -> None:
    line = Line()
    line.send(post(b"{}", b"Connection: close") + post(b"more"), post(b"more"))
    line.answer()
    assert ([b"{}"], [200]) == ([found.body for found in line.got], line.statuses)
    assert line.transport.closed


@pytest.mark.parametrize(
    "text",
    [
        post(b"one", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
        b"CONNECT kms:443 HTTP/1.1\r\nHost: kms\r\n\r\n",
    ],
)
def test_another_protocol_is_not_taken_up(text: bytes) -> None:
    line = Line()
    line.send(post(b"before") + text + post(b"after"))
    line.answer()
    assert ([b"before"], [200, 501]) == ([found.body for found in line.got], line.statuses)


# -- several requests --------------------------------------------------------------------------------------------------


def test_requests_that_came_ahead_are_answered_one_after_the_other() -> None:
    line = Line()
    line.send(post(b"1") + post(b"2") + post(b"3"))
    for number in range(1, 4):
        assert number == len(line.got)
        line.answer()
    assert [b"1", b"2", b"3"] == [found.body for found in line.got]
    assert [1, 2, 3] == line.numbers
    assert not line.transport.closed


def test_any_number_of_requests_that_came_ahead_are_answered_without_recursion() -> None:
    line = Line()
    line.send(post() + b"GET / HTTP/1.1\r\n\r\n" * 20_000)
    assert 1 == len(line.got)
    line.at_once = True
    line.answer()
    assert 20_001 == len(line.got)
    assert [200] * 20_001 == line.statuses


def test_who_sends_much_ahead_lets_others_have_their_turn() -> None:
    line = Line(at_once=True)
    later: list[Callable[[], None]] = []
    line.connections.soon = later.append
    line.send(post() * 100 + b"\0")
    assert http.AT_ONCE == len(line.got)
    other, connection = line.connect()
    connection.data_received(post())
    assert other.written.startswith(b"HTTP/1.1 200 ")
    line.connection.eof_received()
    while later:
        later.pop(0)()
    assert [200] * 100 + [400] == line.statuses
    line.lost()


def test_who_sends_too_much_ahead_is_not_read_any_more() -> None:
    line = Line()
    line.send(b"GET / HTTP/1.1\r\n\r\n" * 5_000)
    assert not line.transport.reading
    assert len(line.connection._ahead) < http.PIECE
    for _ in range(4_999):
        line.answer()
    assert line.transport.reading
    line.answer()
    assert [200] * 5_000 == line.statuses


def test_nothing_is_begun_for_who_takes_no_answers() -> None:
    line = Line(at_once=True, slow=True)
    line.answer_body = b"x" * 10_000
    line.send(b"GET / HTTP/1.1\r\n\r\n" * 3_000)
    assert 7 == len(line.got)
    assert not line.transport.reading
    line.send(b"GET / HTTP/1.1\r\n\r\n" * 100)
    assert 7 == len(line.got)
    while len(line.got) < 3_100:
        before = len(line.got)
        line.transport.take()
        assert before < len(line.got) <= before + 7
    line.transport.take()
    assert line.transport.reading
    assert [200] * 3_100 == line.statuses


def test_who_takes_no_answers_is_ended_in_time() -> None:
    line = Line(at_once=True, slow=True)
    line.answer_body = b"x" * 100_000
    line.send(post())
    line.pass_time(http.REQUEST_SECONDS - 1)
    assert not line.transport.closed
    line.pass_time(2)
    assert line.transport.aborted


def test_who_takes_its_answers_late_goes_on() -> None:
    line = Line(at_once=True, slow=True)
    line.answer_body = b"x" * 100_000
    line.send(post())
    line.pass_time(http.REQUEST_SECONDS - 1)
    line.transport.take()
    line.pass_time(http.IDLE_SECONDS - 1)
    assert not line.transport.closed
    line.send(post())
    assert [200, 200] == line.statuses


# -- Expect ------------------------------------------------------------------------------------------------------------


def test_who_asks_before_it_sends_a_body_is_told_to() -> None:
    line = Line(at_once=True)
    head, _, body = post(b"{12345}", b"Expect: 100-continue").partition(b"{")
    line.send(head)
    assert b"HTTP/1.1 100 Continue\r\n\r\n" == line.transport.written
    line.send(b"{" + body)
    assert [100, 200] == line.statuses


def test_who_does_not_wait_is_not_told_to_go_on() -> None:
    line = Line(at_once=True)
    line.send(post(b"{12345}", b"Expect: 100-Continue"))
    assert [200] == line.statuses


def test_who_asks_after_another_request_is_told_after_its_answer() -> None:
    line = Line()
    head, _, body = post(b"{12345}", b"Expect: 100-continue").partition(b"{")
    line.send(post(), head)
    assert [] == line.statuses
    line.answer()
    assert [200, 100] == line.statuses
    line.send(b"{" + body)
    line.answer()
    assert [200, 100, 200] == line.statuses


def test_who_asks_to_send_too_much_is_refused_before_it_does() -> None:
    line = Line()
    head = b"POST / HTTP/1.1\r\nHost: kms\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (http.BODY_MAX + 1)
    line.send(head)
    assert [413] == line.statuses
    assert [] == line.got


# -- bounds ------------------------------------------------------------------------------------------------------------


def feed(line: Line, start: bytes, more: bytes, times: int) -> int:
    """Send `more` again and again until the client is ended; the bytes it took."""
    line.send(start)
    for sent in range(times):
        if line.statuses:
            return sent * len(more)
        line.send(more)
    return times * len(more)


@pytest.mark.parametrize("size", [http.BODY_MAX, http.BODY_MAX + 1])
@pytest.mark.parametrize("form", [post, chunked])
def test_a_body_has_a_bound(size: int, form: Callable[[bytes], bytes]) -> None:
    line = Line(at_once=True)
    text = form(b"x" * size)
    line.send(*(text[start : start + 65_536] for start in range(0, len(text), 65_536)))
    assert [200 if size == http.BODY_MAX else 413] == line.statuses
    assert (size == http.BODY_MAX) == bool(line.got)


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    line = Line()
    line.send(b"POST / HTTP/1.1\r\nHost: kms\r\nContent-Length: 99999999999\r\n\r\n")
    assert [413] == line.statuses
    assert 0 == line.connections.held


@pytest.mark.parametrize(
    ("start", "more", "status"),
    [
        (b"GET /", b"a" * 1000, 431),
        (b"GET / HTTP/1.1\r\nx-", b"a" * 1000, 431),
        (b"GET / HTTP/1.1\r\nx: ", b"a" * 1000, 431),
        (b"GET / HTTP/1.1\r\n", b"a:\r\n" * 10, 431),
        (b"GET / HTTP/1.1\r\n", b"x: " + b"a" * 500 + b"\r\n", 431),
        (chunked(b"abc", end=b""), b"1\r\na\r\n" * 1000, 413),
        (chunked(b"abc", end=b"0\r\nx: "), b"a" * 1000, 431),
        (chunked(b"abc", end=b"0\r\n"), b"x: " + b"a" * 500 + b"\r\n", 431),
        (chunked(b"abc", end=b"5;x="), b"a" * 1000, 431),
    ],
)
def test_what_never_ends_is_refused(start: bytes, more: bytes, status: int) -> None:
    line = Line()
    most = (http.BODY_MAX if status == 413 else http.HEAD_MAX) * 6 + http.PIECE
    assert feed(line, start, more, 1 << 16) <= most
    assert [status] == line.statuses
    assert [] == line.got
    assert 0 == line.connections.held


def test_blank_lines_before_a_request_are_passed_over() -> None:
    line = Line(at_once=True)
    line.send(b"\r\n" * 100 + post())
    assert [200] == line.statuses


def test_what_follows_a_chunked_body_is_no_header() -> None:
    line = Line(at_once=True)
    line.send(chunked(b"abc", end=b"0\r\nx-amz-target: TrentService.Decrypt\r\n\r\n"))
    assert [b"host", b"transfer-encoding"] == [name for name, _ in line.got[0].headers]


def test_all_connections_together_hold_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BODIES_MAX", 100_000)
    line = Line()
    line.send(post(b"x" * 60_000))
    transport, connection = line.connect()
    connection.data_received(post(b"y" * 60_000))
    assert transport.written.startswith(b"HTTP/1.1 503 ")
    assert 60_000 == line.connections.held
    line.answer()
    assert 0 == line.connections.held
    _, connection = line.connect()
    connection.data_received(post(b"z" * 60_000))
    assert b"z" * 60_000 == line.got[-1].body


@given(st.lists(st.sampled_from(["part", "whole", "many", "answer", "lost", "bad", "eof"]), max_size=12))
def test_what_is_held_is_given_back(steps: list[str]) -> None:
    line = Line()
    texts = {"part": post(b"p" * 50)[:-20], "whole": post(b"w" * 30), "many": post(b"m") * 20, "bad": b"\0"}
    answered, lost = 0, False
    for step in steps:
        if step == "answer" and answered < len(line.got):
            answered += 1
            line.answer()
        elif step == "lost" and not lost:
            lost = True
            line.lost()
        elif step == "eof" and not lost:
            line.connection.eof_received()
        elif not lost and step in texts:
            line.send(texts[step])
    while answered < len(line.got):
        answered += 1
        line.answer()
    if not lost:
        line.lost()
    assert 0 == line.connections.held
    assert not line.connections.open


# -- no requests -------------------------------------------------------------------------------------------------------

GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\nhost: a\n\n",
    b"GET / HTTP/1.1\r\nhost : a\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n",
    b"GET /\x01 HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nx: a\x00b\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nContent-Length: 2, 2\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_refused_after_the_answers_before_it(garbage: bytes) -> None:
    line = Line()
    line.send(post(b"1") + post(b"2") + garbage, post(b"3"))
    line.answer()
    line.answer()
    assert [b"1", b"2"] == [found.body for found in line.got]
    assert [200, 200, 400] == line.statuses
    assert line.transport.written.endswith(b"content-length: 0\r\nconnection: close\r\n\r\n")


@given(st.lists(st.binary(max_size=60) | st.sampled_from([*GARBAGE, post(), chunked(b"abc"), b"\r\n", b"GET "])))
def test_any_bytes_end_in_answers_and_a_refusal(parts: list[bytes]) -> None:
    line = Line(at_once=True)
    line.send(*parts)
    assert len(line.got) <= len(line.statuses)
    assert set(line.statuses) <= {100, 200, 400, 413, 431}
    assert all(status in {100, 200} for status in line.statuses[:-1])
    line.pass_time(http.IDLE_SECONDS + http.REQUEST_SECONDS + 2)
    assert line.transport.closed


def test_a_refusal_can_be_read_while_the_client_still_sends() -> None:
    line = Line()
    line.send(b"\0")
    assert [400] == line.statuses
    assert line.transport.eof
    assert not line.transport.closed
    line.send(post() * 1000)
    assert ([], [400]) == (line.got, line.statuses)
    assert line.transport.reading
    assert not line.connection.eof_received()
    line.pass_time(http.LINGER_SECONDS + 1)
    assert line.transport.aborted


def test_a_refusal_over_tls_has_no_half_end() -> None:
    line = Line(half_close=False)
    line.send(b"\0")
    assert ([400], False) == (line.statuses, line.transport.eof)


# -- time --------------------------------------------------------------------------------------------------------------


def test_who_sends_nothing_is_ended_in_time() -> None:
    line = Line()
    line.pass_time(http.IDLE_SECONDS - 1)
    assert not line.transport.closed
    line.pass_time(2)
    assert line.transport.closed
    assert b"" == line.transport.written
    line.pass_time(http.REQUEST_SECONDS + 1)
    assert line.transport.aborted


@pytest.mark.parametrize("text", [b"P", post(b"{12345}")[:-1], chunked(b"abc", end=b"")])
def test_a_request_that_drips_is_ended_in_time(text: bytes) -> None:
    line = Line()
    slowly = iter(text)
    for _ in range(int(http.REQUEST_SECONDS) - 1):
        if (byte := next(slowly, None)) is not None:
            line.send(bytes([byte]))
        line.pass_time(1)
    assert [] == line.statuses
    line.pass_time(2)
    assert [408] == line.statuses
    assert [] == line.got


def test_the_time_of_the_server_is_not_that_of_the_client() -> None:
    line = Line()
    line.send(post())
    line.pass_time(http.IDLE_SECONDS * 2)
    assert not line.transport.closed
    line.answer()
    assert [200] == line.statuses


def test_a_request_that_began_behind_another_has_its_time_after_that() -> None:
    line = Line()
    line.send(post(), post(b"{12345}")[:-1])
    line.pass_time(100)
    line.answer()
    line.pass_time(http.REQUEST_SECONDS - 1)
    assert [200] == line.statuses
    line.pass_time(2)
    assert [200, 408] == line.statuses


# -- ends --------------------------------------------------------------------------------------------------------------


def test_a_client_that_has_sent_its_last_byte_gets_all_its_answers() -> None:
    line = Line()
    line.send(post(b"1") + post(b"2") * 200)
    assert line.connection.eof_received()
    for _ in range(201):
        line.answer()
    assert [200] * 201 == line.statuses
    assert line.transport.closed
    assert 1 == line.transport.written.count(b"connection: close")


def test_a_client_that_ends_within_a_request_is_let_go() -> None:
    line = Line()
    line.send(post()[:-1])
    assert not line.connection.eof_received()
    assert ([], b"") == (line.got, line.transport.written)
    assert line.transport.closed


def test_an_answer_to_a_client_that_is_gone_goes_nowhere() -> None:
    line = Line()
    line.send(post() + post())
    line.lost()
    line.answer()
    assert (1, b"") == (len(line.got), line.transport.written)


def test_at_its_end_a_server_answers_what_is_under_way_and_takes_no_more() -> None:
    line = Line()
    line.send(post(b"1") + post(b"2"))
    idle, _ = line.connect()
    line.connections.drain()
    assert idle.closed
    assert not line.transport.closed
    line.answer()
    assert ([200], 1) == (line.statuses, len(line.got))
    assert b"connection: close" in line.transport.written
    assert line.transport.closed
    late, _ = line.connect()
    assert late.closed


# -- many connections --------------------------------------------------------------------------------------------------


def test_where_there_is_no_room_who_would_end_next_makes_it() -> None:
    line = Line()
    line.connections.most = 3
    line.send(post())
    line.now += 1
    oldest, _ = line.connect()
    line.now += 1
    newer, _ = line.connect()
    assert not oldest.closed
    newest, _ = line.connect()
    assert (True, False, False) == (oldest.aborted, newer.closed, newest.closed)
    assert not line.transport.closed
    assert 3 == len(line.connections.open)


def test_where_all_are_at_work_the_newest_goes() -> None:
    line = Line()
    line.connections.most = 1
    line.send(post())
    late, _ = line.connect()
    assert late.aborted
    line.answer()
    assert [200] == line.statuses


@pytest.mark.parametrize(
    ("peername", "peer"),
    [
        (("192.0.2.7", 40000), "192.0.2.7"),
        # As a socket of IPv6 that takes both tells of a client of IPv4: policies know it by its own address.
        (("::ffff:192.0.2.7", 40000, 0, 0), "192.0.2.7"),
        (("2001:db8::1", 40000, 0, 0), "2001:db8::1"),
        (("fe80::1%eth0", 40000, 0, 2), "fe80::1"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_client_is_known_by_the_address_that_policies_name(peername: object, peer: str) -> None:
    transport = Transport()
    transport.peername = peername
    connection = Connections(lambda *_: None, lambda: 0.0, soon=lambda call: call())()
    connection.connection_made(transport)
    assert peer == connection.peer
