"""`--batch FILE`: one request a line in, one result a line out, in order; one unlock for all.

A request is a JSON object of the API's members; `Reference`, any text, comes back with its result. What options give
holds for every request that does not say otherwise. A request that fails has an `Error` in the place of the answer and
stops no other; the command then ends with 60.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kmscli import errors
from kmscli.cli import _io, _values
from kmscli.cli._forms import plain, with_base64
from kmscli.cli._settings import Settings
from kmscli.service.operations import Operation
from kmscli.service.shapes import Response
from kmscli.storage import inputs

LINE_MAX = 1024 * 1024
REFERENCE = "Reference"

_EXCLUDED = {
    "files": "IN",
    "out": "-o",
    "cli_input_json": "--cli-input-json",
    "cli_binary_format": "--cli-binary-format",
}


def run(operation: Operation, members: dict[str, Any], given: dict[str, Any], settings: Settings) -> None:
    """Run an operation for each line of a file.

    Args:
        operation: The operation.
        members: What options gave: for every request.
        given: The options.
        settings: The settings of this run.

    Raises:
        UsageError: An option that does not fit a batch.
        SomeFailedError: At least one request failed.
    """
    from kmscli.cli._work import unlocked
    from kmscli.service.batch import perform_all

    _refuse_others(given, settings)
    references: list[Any] = []
    with unlocked(settings) as context:
        requests = _requests(given["batch"], members, references, settings)
        total = failed = 0
        for answer in perform_all(context, operation.name, requests):
            reference = references[total]
            references[total] = None
            _io.write_text(_line(reference, answer))
            total += 1
            failed += isinstance(answer, errors.KmsError) and answer.exit_code != 0
    if failed:
        raise errors.SomeFailedError(failed=failed, total=total)


def _refuse_others(given: dict[str, Any], settings: Settings) -> None:
    if other := next((option for name, option in _EXCLUDED.items() if given.get(name)), None):
        raise errors.UsageError(problem=f"--batch and {other} exclude each other")
    if settings.text("--query") or settings.text("--output") not in {None, "json"}:
        raise errors.UsageError(problem="--batch prints one JSON object a line: --query and --output do not fit it")


def _requests(
    source: str, members: dict[str, Any], references: list[Any], settings: Settings
) -> Iterator[dict[str, Any] | errors.KmsError]:
    if source == "-" and _io.is_terminal(_io.STDIN) and not settings.flag("--quiet"):
        _io.note("reading from the terminal; end with Ctrl-D")
    place = _io.STDIN if source == "-" else Path(source)
    for number, line in enumerate(inputs.read_lines(place, limit=LINE_MAX), 1):
        if line.strip():
            request = _request(line, number)
            references.append(request.pop(REFERENCE, None) if isinstance(request, dict) else None)
            yield members | request if isinstance(request, dict) else request


def _request(line: bytes, number: int) -> dict[str, Any] | errors.KmsError:
    where = f"line {number}"
    if len(line) > LINE_MAX:
        return errors.ValidationError(problem=f"{where}: longer than {LINE_MAX} bytes")
    try:
        found = _values.json(line.decode(), where)
    except UnicodeDecodeError:
        return errors.ValidationError(problem=f"{where}: not text in UTF-8")
    except errors.UsageError as error:
        return errors.ValidationError(problem=error.message)
    if not isinstance(found, dict):
        return errors.ValidationError(problem=f"{where}: not a JSON object of members")
    return found


def _line(reference: Any, answer: Response | errors.KmsError) -> str:  # noqa: ANN401 - any JSON
    named = {} if reference is None else {REFERENCE: reference}
    if isinstance(answer, errors.KmsError):
        error = {"__type": answer.code, "message": answer.message, "exit_code": answer.exit_code}
        return json.dumps({**named, "Error": error}) + "\n"
    return json.dumps({**named, **with_base64(plain(answer))}) + "\n"
