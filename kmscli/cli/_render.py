"""Printing an answer: what --output and --query ask for, decided before anything is done and applied at the end.

An empty answer prints nothing. `raw` prints the one member that is bytes, and binary never goes to a terminal unless
the user insists. Verbs that are not AWS's print lines for people unless a form is named.
"""

from collections.abc import Callable, Iterable

from kmscli import errors
from kmscli.cli import _io
from kmscli.cli._forms import FORMS, Data, plain, with_base64
from kmscli.cli._settings import Settings
from kmscli.service.shapes import Response


class Output:
    """How this run prints its answer; made before anything is done, so that a mistake in it stops the command first."""

    def __init__(self, settings: Settings, *, default: str = "json") -> None:
        """Read --output and --query.

        Args:
            settings: The settings of this run.
            default: The form when none is asked for; "people" prints `lines`.

        Raises:
            UsageError: A form or a query that is none.
        """
        asked_for = settings.text("--output")
        self._may_prefer = asked_for is None and default == "json"
        self.form = asked_for or default
        query = settings.text("--query")
        if query and self.form == "people":
            self.form = "json"
        self._select = _query(query) if query else None

    def prefer(self, form: str) -> None:
        """Use the form of config.toml, unless the command line names one or the verb has a form for people."""
        if form and self._may_prefer:
            self.form = form

    def show(self, answer: Response | dict[str, Data], lines: Iterable[str] = ()) -> None:
        """Print an answer.

        Args:
            answer: The answer.
            lines: The same for people, where a verb has such a form.
        """
        if self.form == "people":
            _io.write_stdout("".join(f"{_io.safe(line)}\n" for line in lines).encode())
            return
        data = plain(answer)
        if self._select:
            data = self._select(data if self.form == "raw" else with_base64(data))
        if self.form == "raw":
            show_bytes(only_bytes(data))
        elif data != {} or self._select:
            _io.write_text(FORMS[self.form](with_base64(data)))


def _query(expression: str) -> Callable[[Data], Data]:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        compiled = jmespath.compile(expression)
    except JMESPathError as error:
        reason = str(error).partition("\n")[0].removeprefix("Invalid jmespath expression: ").rstrip(":")
        raise errors.UsageError(problem=f"--query is no JMESPath expression: {reason}") from error

    def search(data: Data) -> Data:
        try:
            return compiled.search(data)
        except JMESPathError as error:
            # Its own text quotes the answer, which may be a data key.
            function = getattr(error, "function_name", "")
            where = f": {function}() takes other values" if function else ""
            raise errors.UsageError(problem=f"--query does not fit the answer{where}") from error

    return search


# -- bytes -------------------------------------------------------------------------------------------------------------


def only_bytes(data: Data) -> bytes:
    """The one member of an answer that is bytes.

    Raises:
        UsageError: There is none, or more than one.
    """
    if isinstance(data, bytes):
        return data
    found = {name: inner for name, inner in data.items() if isinstance(inner, bytes)} if isinstance(data, dict) else {}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise errors.UsageError(
            problem="--output raw prints one member of bytes, and the answer has several",
            hint=f"choose one with --query, such as --query {min(found)}",
        )
    raise errors.UsageError(problem="--output raw prints bytes, and the answer has none", hint="use --output text")


def show_bytes(data: bytes, *, forced: bool = False) -> None:
    """Print bytes; a terminal gets only plain text, unless `forced`.

    Raises:
        UsageError: They would disturb the terminal.
    """
    if not forced and _io.is_terminal(_io.STDOUT) and not _io.is_text(data):
        raise refusal_of_terminal()
    _io.write_stdout(data)


def refusal_of_terminal() -> errors.UsageError:
    """The error for binary output to a terminal."""
    return errors.UsageError(
        problem="binary output is not written to a terminal", hint="write it to a file with -o or >, or pipe it on"
    )
