"""How an operation runs: validate, authorise, act, audit, release, in this order for every caller.

Whatever it ends in, success, denial or failure, a signed line tells of it before anything is released. Only where lock,
vault or log themselves fail is there no line, and then there is no result either.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from kmscli import errors
from kmscli.service import events, operations, validate
from kmscli.service.context import Call, Change, Context, WorkIsDue
from kmscli.service.operations import Operation
from kmscli.service.shapes import Request, Response
from kmscli.vault.records import NotInMemoryError, Records
from kmscli.vault.session import Evaluated

if TYPE_CHECKING:
    from kmscli.model.decision import Decision

T = TypeVar("T")
R = TypeVar("R", bound=Response)

_DUE_MAX = 64
"""How often an operation begins anew because work was due; a key has at most a few things due at a time."""


def perform(context: Context, name: str, members: Mapping[str, object]) -> Response:
    """Run one operation of the table.

    Args:
        context: Who acts.
        name: AWS's name of the operation.
        members: The request's members under AWS's names; bytes as bytes or as base64 text.

    Returns:
        The answer; its audit line is durable.

    Raises:
        KmsError: As the operation documents.
    """
    if name in operations.REFUSED:
        with Recorded(context, name, read_only=True):
            raise errors.UnsupportedOperationError(problem=f"{name} is not supported: {operations.REFUSED[name]}")
    operation = operations.load(name)
    with Recorded(context, name, read_only=not operation.row.changes) as recorded:
        request = validate.decode(operation.request, members)
        recorded.parameters = partial(events.loggable, request)
        if operation.prepare is not None:
            operation.prepare(context, request)
        if operation.row.changes:
            return recorded.change(lambda change: handle(operation, change, request))
        return recorded.use(lambda call: handle(operation, call, request))


def handle(operation: Operation, call: Call, request: Request) -> Response:
    """Decide about one request and do what it asks for.

    Raises:
        KmsError: As the operation documents; InternalError if it did something that nobody decided about.
    """
    call.request = request
    if operation.row.keyless:
        call.decide_without_key()
    handler: Callable[[Any, Request], Response] = operation.handler
    answer = handler(call, request)
    if not call.decisions:
        raise errors.InternalError(what=f"{operation.name} was decided by nobody")
    return answer


class Recorded:
    """One run of an operation; a KmsError that ends its `with` block is written down.

    Attributes:
        parameters: Gives what the line tells of the request, asked for when a line is written.
    """

    def __init__(self, context: Context, name: str, *, read_only: bool) -> None:
        """Begin a run of the operation `name`."""
        self._context = context
        self._name = name
        self._read_only = read_only
        self._touched: list[str] = []
        self._decisions: list[Decision] = []
        self.parameters: Callable[[], Mapping[str, Any] | None] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, errors.KmsError):
            error = errors.InternalError(what=type(error).__name__)
        if isinstance(error, errors.KmsError) and error.audited:
            with self._context.session.read() as snapshot:
                refusal = self._event(snapshot, error=error)
            self._context.session.note(refusal)

    def _event(
        self, records: Records, *, answer: Mapping[str, Any] | None = None, error: errors.KmsError | None = None
    ) -> dict[str, Any]:
        return events.event(
            self._name,
            self._context.caller,
            records.place,
            self._context.rng,
            read_only=self._read_only,
            outcome=events.Outcome(self.parameters(), answer, self._touched, error, self._decisions),
        )

    def use(self, act: Callable[[Call], R]) -> R:
        """Use keys; `act` may run twice, when the vault changed under it."""

        def evaluate(records: Records, now: datetime) -> tuple[Evaluated[R]]:
            return (self._evaluated(act, records, now),)

        return settled(self._context, lambda: self._context.session.use(evaluate)[0])

    def _evaluated(self, act: Callable[[Call], R], records: Records, now: datetime) -> Evaluated[R]:
        call = Call(self._context, self._name, records, now)
        self._touched, self._decisions = call.touched, call.decisions
        answer = act(call)
        return Evaluated(answer, self._event(records), call.until)

    def tried(self, act: Callable[[Call], R], records: Records, now: datetime) -> Evaluated[R | errors.KmsError]:
        """What `act` comes to, or the error that it ends in, each with its line."""
        try:
            return self._evaluated(act, records, now)
        except (WorkIsDue, NotInMemoryError):
            raise
        except Exception as error:
            # A bug in one of many is the outcome of that one, as it would be if it were alone.
            refusal = error if isinstance(error, errors.KmsError) else errors.InternalError(what=type(error).__name__)
            if not refusal.audited:
                raise
            return Evaluated(refusal, self._event(records, error=refusal))

    def change(self, act: Callable[[Change], R]) -> R:
        """Write records: all that `act` put into the draft, or nothing."""

        def edit() -> R:
            with self._context.session.edit() as draft:
                change = Change(self._context, self._name, draft)
                self._touched, self._decisions = change.touched, change.decisions
                if not self._context.is_root:
                    # The head of a state is signed by a root: whoever else wrote one would lock everybody out.
                    raise change.roots_only()
                answer = act(change)
                draft.event = self._event(draft, answer=events.loggable(answer))
            return answer

        answer = settled(self._context, edit)
        self._context.session.shred()
        return answer


def settled(context: Context, run: Callable[[], T]) -> T:
    """What `run` gives, after all that was due on the keys it touches was done."""
    for _ in range(_DUE_MAX):
        try:
            return run()
        except WorkIsDue as found:
            from kmscli.service import due  # only where work is due

            due.settle(context, found.key_id)
    raise errors.InternalError(what="work on a key stays due")
