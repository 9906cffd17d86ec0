"""From HTTP to operations and back: the part of the endpoint between a connection and the desk.

Implements docs/spec/endpoint.md, "Requests". Decides what can be decided without the vault: path, method, target, the
form of the signature. Every answer has a request id, and the audit line of the operation has the same.
"""

from collections.abc import Callable

import msgspec

from kmscli import errors
from kmscli.awsapi import admission, wire
from kmscli.awsapi.desk import Desk, Job
from kmscli.awsapi.http import Connection, Incoming
from kmscli.awsapi.metrics import UNKNOWN, Counts, Metrics
from kmscli.model import ids
from kmscli.service.batch import Outcome

_FAILED = 500


class Access(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One line of the access log.

    Attributes:
        time: Seconds since 1970, when the answer left.
        request_id: The id that answer and audit line have.
        operation: AWS's name of the operation.
        source: The address of the client.
        access_key_id: As the request says, proved or not.
        principal: Who it was; "" if that was not proved.
        status: The HTTP status.
        error: AWS's name of the error; "" for none.
        milliseconds: From the last byte of the request to its answer.
    """

    time: float
    request_id: str
    operation: str
    source: str
    access_key_id: str
    principal: str
    status: int
    error: str
    milliseconds: float


class Endpoint:
    """Takes the requests of all connections of a worker."""

    def __init__(
        self,
        desk: Desk,
        counts: Counts,
        *,
        rng: Callable[[int], bytes],
        clock: Callable[[], float],
        seconds: Callable[[], float],
        log: Callable[[Access], None] | None,
    ) -> None:
        """Serve by a desk.

        Args:
            desk: Where requests are worked on.
            counts: Where they are counted.
            rng: Gives random bytes.
            clock: Gives seconds that only grow.
            seconds: Gives the time, in seconds since 1970.
            log: Takes a line of the access log; None = there is none.
        """
        self._desk = desk
        self._counts = counts
        self._rng = rng
        self._clock = clock
        self._seconds = seconds
        self._log = log

    def __call__(self, connection: Connection, incoming: Incoming) -> None:
        """Take a request."""
        answer = _Answer(self, connection, incoming, ids.new_uuid(self._rng), self._clock())
        try:
            operation = answer.operation = wire.operation_of(incoming.fields.get(b"x-amz-target"))
            entry = admission.read(
                incoming, region=self._desk.region, peer=connection.peer, request_id=answer.request_id
            )
            answer.access_key_id = entry.claim.access_key_id
        except errors.KmsError as error:
            answer.send(error)
            return
        except Exception as error:  # noqa: BLE001 - a bug is the answer to this request, and stops no other
            answer.send(errors.InternalError(what=type(error).__name__))
            return
        self._desk.submit(Job(operation, entry, incoming.body, answer.done))

    def finished(self, answer: "_Answer", status: int, error: errors.KmsError | None, principal: str) -> None:
        """Count and log an answer."""
        taken = self._clock() - answer.started
        self._counts.answered(answer.operation, _outcome(status, error), taken)
        if self._log is not None:
            self._log(
                Access(
                    round(self._seconds(), 3),
                    answer.request_id,
                    answer.operation,
                    answer.connection.peer,
                    answer.access_key_id,
                    principal,
                    status,
                    "" if error is None else error.code,
                    round(taken * 1e3, 2),
                )
            )


def _outcome(status: int, error: errors.KmsError | None) -> str:
    if error is None:
        return "ok"
    if status >= _FAILED:
        return "failed"
    return "denied" if error.code == "AccessDeniedException" else "refused"


class _Answer:
    """One request until it is answered."""

    __slots__ = ("access_key_id", "connection", "incoming", "operation", "owner", "request_id", "started")

    def __init__(
        self, owner: Endpoint, connection: Connection, incoming: Incoming, request_id: str, started: float
    ) -> None:
        self.owner = owner
        self.connection = connection
        self.incoming = incoming
        self.request_id = request_id
        self.started = started
        self.operation = UNKNOWN
        self.access_key_id = ""

    def done(self, job: Job, outcome: Outcome) -> None:
        self.send(outcome, job.caller)

    def send(self, outcome: Outcome, principal: str = "") -> None:
        status, error = 200, None
        if isinstance(outcome, errors.KmsError):
            error = outcome
            status, body = wire.encode_error(error)
        else:
            body = wire.encode(outcome)
        # Counted before it leaves: whoever reads an answer finds it in the counts.
        self.owner.finished(self, status, error, principal)
        self.connection.respond(status, wire.headers(body, self.request_id), body, keep=self.incoming.keep)


class Admin:
    """Health and counts, on a socket of their own."""

    def __init__(self, metrics: Metrics, check: Callable[[], None]) -> None:
        """Show the counts of all workers; `check` raises if this one cannot serve."""
        self._metrics = metrics
        self._check = check

    def __call__(self, connection: Connection, incoming: Incoming) -> None:
        """Answer `GET /healthz` and `GET /metrics`."""
        status, text = self._found(incoming)
        headers = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"
        body = b"" if incoming.method == "HEAD" else text.encode()
        connection.respond(status, headers, body, keep=incoming.keep)

    def _found(self, incoming: Incoming) -> tuple[int, str]:
        if incoming.method not in {"GET", "HEAD"}:
            return 405, "only GET\n"
        path = incoming.url.partition(b"?")[0]
        if path == b"/metrics":
            return 200, self._metrics.text()
        if path != b"/healthz":
            return 404, "/healthz or /metrics\n"
        try:
            self._check()
        except errors.KmsError as error:
            return 503, f"{error.code}\n"
        return 200, "ok\n"
