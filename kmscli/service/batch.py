"""Many uses of keys at once: one unlock, and one sync of the audit log for many lines.

Each request has its own line and its own outcome; a failure is the outcome of one request and stops no other. No result
is released before its line is durable.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import islice

from kmscli import errors
from kmscli.service import events, operations, validate
from kmscli.service.context import Call, Context
from kmscli.service.dispatch import Recorded, handle, settled
from kmscli.service.shapes import Request, Response
from kmscli.vault.records import Records
from kmscli.vault.session import Evaluated

Members = Mapping[str, object]
Outcome = Response | errors.KmsError

AT_ONCE = 256
"""Requests that share a sync: enough to hide its time, few enough to be held in memory and to be repeated."""


def perform_all(context: Context, name: str, requests: Iterable[Members | errors.KmsError]) -> Iterator[Outcome]:
    """Run one operation many times.

    Args:
        context: Who acts.
        name: AWS's name of an operation that uses keys and changes no record.
        requests: The members of each request; an error stands for one that could not even be read.

    Yields:
        The answer to each request, or the error that it ended in, in order, a few hundred at a time.

    Raises:
        KmsError: Lock, vault or log fail; nothing more is released then.
    """
    left = iter(requests)
    while chunk := list(islice(left, AT_ONCE)):
        yield from _together(context, [Run(context, name, request) for request in chunk])


def perform_together(context: Context, requests: Iterable[tuple[str, Members]]) -> list[Outcome]:
    """Run some operations, each with the name it has, with one sync for all.

    Args:
        context: Who acts.
        requests: At most AT_ONCE: the operation, which uses keys and changes no record, and its members.

    Returns:
        The answer to each, or the error that it ended in, in order.

    Raises:
        KmsError: Lock, vault or log fail; nothing is released then.
    """
    runs = [Run(context, name, members) for name, members in requests]
    return _together(context, runs) if runs else []


def _together(context: Context, runs: list["Run"]) -> list[Outcome]:
    def evaluate(records: Records, now: datetime) -> list[Evaluated[Outcome]]:
        return [run.tried(records, now) for run in runs]

    return settled(context, lambda: context.session.use(evaluate))


class Run:
    """One request of a batch; it is checked once, and evaluated once or twice."""

    def __init__(self, context: Context, name: str, members: Members | errors.KmsError) -> None:
        """Check a request.

        Args:
            context: Who acts.
            name: AWS's name of an operation that changes no record, or of one that is refused here.
            members: Its members; an error stands for a request that could not even be read.
        """
        self._recorded = Recorded(context, name, read_only=True)
        self._name = name
        self._request: Request | errors.KmsError
        try:
            self._request = members if isinstance(members, errors.KmsError) else self._decoded(members)
        except errors.KmsError as error:
            self._request = error

    def _decoded(self, members: Members) -> Request:
        if reason := operations.REFUSED.get(self._name):
            raise errors.UnsupportedOperationError(problem=f"{self._name} is not supported: {reason}")
        request = validate.decode(operations.load(self._name).request, members)
        self._recorded.parameters = partial(events.loggable, request)
        return request

    def tried(self, records: Records, now: datetime) -> Evaluated[Outcome]:
        """What it comes to in a state and at a time: the answer or the error, with its line."""
        return self._recorded.tried(self._act, records, now)

    def _act(self, call: Call) -> Response:
        if isinstance(self._request, errors.KmsError):
            raise self._request
        return handle(operations.load(self._name), call, self._request)
