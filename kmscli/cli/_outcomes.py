"""What became of each of many files: one JSON object a line, or for people only what is worth a line."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from kmscli import errors
from kmscli.cli import _io, _render
from kmscli.cli._forms import Data, plain
from kmscli.cli._settings import Settings


def report(results: Iterable[Any], settings: Settings, *, single: bool, summary: str = "") -> None:
    """Say what became of the files of a run.

    Args:
        results: Each with its input, status, reason and error.
        settings: The settings of this run.
        single: Whether it is one file that somebody named, whose error is the command's own.
        summary: What was done with those that were not skipped, for one line at the end that takes the place of a line
            for each that was; "" = each gets its line.

    Raises:
        SomeFailedError: Some failed.
        KmsError: What became of a single one.
    """
    counts: Counter[str] = Counter()
    failed = 0
    for result in results:
        counts[result.status] += 1
        if single and result.error is not None:
            raise result.error
        if result.data is not None:
            _render.show_bytes(result.data)
            continue
        failed += result.error is not None and result.error.exit_code != 0
        _tell(result, settings, brief=bool(summary) and not single)
    if summary and not single and settings.text("--output") != "json" and not settings.flag("--quiet"):
        _io.note(f"{counts['done']} {summary}, {counts['skipped']} skipped, {counts['failed']} failed")
    if failed:
        raise errors.SomeFailedError(failed=failed, total=counts.total())


def _tell(result: Any, settings: Settings, *, brief: bool) -> None:  # noqa: ANN401 - a result of a run
    if settings.text("--output") == "json":
        _io.write_text(line(result))
    elif result.error is not None:
        note_error(result.input, result.error)
    elif result.status == "skipped" and not brief and not settings.flag("--quiet"):
        _io.note(f"{result.input}: {result.reason}", kind="skipped")


def note_error(name: str, error: errors.KmsError) -> None:
    """Tell of the error of one file."""
    _io.note(f"{name}: {error.code}: {error.message}", kind="error")


def line(result: Any) -> str:  # noqa: ANN401 - a result of a run
    """A result as a line of JSON."""
    import json  # a run that prints none does not load it

    return json.dumps(plainly(result)) + "\n"


def plainly(result: Any) -> dict[str, Data]:  # noqa: ANN401 - a struct with an error
    """A result as JSON holds it."""
    shown: dict[str, Data] = plain(msgspec.structs.replace(result, error=None))
    if (error := result.error) is not None:
        # A name in it may have bytes that are no UTF-8.
        message = error.message.encode(errors="backslashreplace").decode()
        shown["Error"] = {"__type": error.code, "message": message, "exit_code": error.exit_code}
    return shown
