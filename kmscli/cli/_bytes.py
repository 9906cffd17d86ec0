"""Byte mode of `encrypt` and `decrypt`: a file or standard input in, bytes out, one input at a time.

The verbs work so unless the bytes are given as a member of the API. The input is read whole before anything is done and
is never larger than a blob may be; what is written appears whole, after its audit line, or not at all. Decrypted files
are for their owner alone.
"""

from pathlib import Path
from typing import Any

from kmscli import errors
from kmscli.cli import _io, _render
from kmscli.cli._settings import Settings
from kmscli.model import limits
from kmscli.storage import files

MEMBERS = {"Encrypt": "Plaintext", "Decrypt": "CiphertextBlob"}
"""Operation -> the member that is read in byte mode."""

HELP = {
    "Encrypt": "Encrypts a file or standard input, and writes the bytes of the ciphertext: "
    "`kms encrypt -k alias/app FILE -o FILE.kms`. Without -k the key is alias/aws/files, which its first use makes."
    "\n\nWith --plaintext it works as in the AWS API: --key-id is required, and the answer is JSON.",
    "Decrypt": "Decrypts a file or standard input, and writes the bytes of the plaintext: "
    "`kms decrypt FILE.kms -o FILE`. The ciphertext names its key. If it was made with an encryption context, the same "
    "one must be given with -c. The file is for its owner alone, and is written only when all is verified."
    "\n\nWith --ciphertext-blob it works as in the AWS API, and the answer is JSON.",
}
"""Operation -> what its help says beyond the summary."""

_ANSWERS = {"Encrypt": "ciphertext_blob", "Decrypt": "plaintext"}
_LIMITS = {"Encrypt": limits.PLAINTEXT_MAX, "Decrypt": limits.CIPHERTEXT_MAX}
_OWNER_ONLY = 0o600


def is_asked_for(member: str, request: dict[str, Any], given: dict[str, Any]) -> bool:
    """Whether a verb works on bytes: its bytes are not given as a member."""
    return member not in request and "cli_input_json" not in given


def run(operation: str, request: dict[str, Any], given: dict[str, Any], settings: Settings) -> None:
    """Encrypt or decrypt one input.

    Args:
        operation: Encrypt or Decrypt.
        request: The members that options gave.
        given: The options: `files` and `out`.
        settings: The settings of this run.

    Raises:
        UsageError: Several inputs, or an option that does not fit bytes.
        ValidationError: An input that is empty or too large.
    """
    from kmscli.cli._work import unlocked
    from kmscli.service.dispatch import perform

    source, out = _places(given, settings)
    if operation == "Encrypt" and out is None and _io.is_terminal(_io.STDOUT):
        raise _render.refusal_of_terminal()
    data = _read(operation, source, settings)
    with unlocked(settings) as context:
        if operation == "Encrypt" and "KeyId" not in request:
            from kmscli.service.managed import FILES, managed_key

            request["KeyId"] = managed_key(context, FILES)
        answer = perform(context, operation, {**request, MEMBERS[operation]: data})
    result = getattr(answer, _ANSWERS[operation])
    if out is None or out == "-":
        _render.show_bytes(result, forced=out == "-")
    else:
        files.write_output(Path(out), result, mode=_OWNER_ONLY if operation == "Decrypt" else None)


def _places(given: dict[str, Any], settings: Settings) -> tuple[str, str | None]:
    inputs = given.get("files", ())
    if len(inputs) > 1:
        raise errors.UsageError(
            problem=f"one input at a time, and {len(inputs)} are given", hint="call kms once for each file"
        )
    if settings.text("--query") or settings.text("--output") in {"text", "table"}:
        raise errors.UsageError(
            problem="--query and --output text or table do not fit bytes",
            hint="for an answer of the API give the bytes with --plaintext or --ciphertext-blob",
        )
    return inputs[0] if inputs else "-", given.get("out")


def _read(operation: str, source: str, settings: Settings) -> bytes:
    limit = _LIMITS[operation]
    if source == "-":
        data = _io.read_stdin(limit=limit, quiet=settings.flag("--quiet"))
    else:
        data = files.read_input(Path(source), limit=limit)
    name = "standard input" if source == "-" else source
    if not data:
        raise errors.ValidationError(problem=f"{name} is empty: there is nothing to {operation.lower()}")
    if len(data) > limit:
        raise errors.ValidationError(problem=f"{name} is larger than {limit} bytes", hint=_too_large(operation))
    return data


def _too_large(operation: str) -> str:
    if operation == "Encrypt":
        return "encrypt larger data with a data key: `kms generate-data-key` makes one"
    return "a ciphertext of kms is smaller; this file is none"
