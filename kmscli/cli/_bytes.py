"""Byte mode of `encrypt` and `decrypt`: files of any size and standard input, one or many in a run.

The verbs work so unless the bytes are given as a member of the API. An output appears whole, after its audit line, or
not at all; a pipe gets verified bytes alone. One input keeps its own exit code; where some of several failed it is 60.
"""

from typing import Any

from kmscli import errors
from kmscli.cli import _io, _render
from kmscli.cli._settings import Settings, one_of
from kmscli.cli._values import context_pairs

MEMBERS = {"Encrypt": "Plaintext", "Decrypt": "CiphertextBlob"}
"""Operation -> the member that is read in byte mode."""

HELP = {
    "Encrypt": "Encrypts files or standard input: `kms encrypt -k alias/app FILE -o FILE.kms`. Several -k make a file "
    "that any of the keys opens. Without -k the key is alias/aws/files, which its first use makes. 1 to 4096 bytes "
    "under one key without a context become a ciphertext blob, all else a message in the AWS Encryption SDK's format."
    "\n\nWith --plaintext it works as in the AWS API: --key-id is required, and the answer is JSON.",
    "Decrypt": "Decrypts files or standard input: `kms decrypt FILE.kms -o FILE`. Blob, message and text form are told "
    "apart by themselves, and name their key. `-c NAME=VALUE` must hold, `-c NAME` must be there; a blob that was made "
    "with an encryption context needs it given. A file is for its owner alone, and is written when all is verified."
    "\n\nWith --ciphertext-blob it works as in the AWS API, and the answer is JSON.",
}
"""Operation -> what its help says beyond the summary."""

FORMATS = ("auto", "blob", "message")
SUFFIX = ".kms"
_MORE = ("GrantTokens", "DryRun", "Recipient", "DryRunModifiers")
"""Members that are passed on as they are, for each file."""


def is_asked_for(member: str, request: dict[str, Any], given: dict[str, Any]) -> bool:
    """Whether a verb works on bytes: its bytes are not given as a member."""
    return member not in request and "cli_input_json" not in given


def run(operation: str, request: dict[str, Any], given: dict[str, Any], settings: Settings) -> None:
    """Encrypt or decrypt.

    Args:
        operation: Encrypt or Decrypt.
        request: The members that options gave.
        given: The options.
        settings: The settings of this run.

    Raises:
        UsageError: Options that do not fit each other.
        SomeFailedError: Some of several files failed.
        KmsError: What became of a single one.
    """
    from kmscli.cli import _ending, _outcomes, _progress
    from kmscli.cli._places import Places
    from kmscli.cli._work import unlocked
    from kmscli.service import files

    if settings.text("--query") or settings.text("--output") in {"text", "table"}:
        raise errors.UsageError(
            problem="--query and --output text or table do not fit bytes",
            hint="for an answer of the API give the bytes with --plaintext or --ciphertext-blob",
        )
    places = Places(operation, given, settings)
    if operation == "Encrypt" and places.to_terminal and not given.get("armor"):
        raise _render.refusal_of_terminal()
    if given.get("if_changed"):
        _check_if_changed(request, given, several=places.several)
    if given.get("plan"):
        _io.write_text("".join(f"{job.name} -> {job.goal}\n" for job in places.jobs()))
        return
    # Looked at before anybody is asked for a passphrase.
    jobs = places.jobs() if places.several else list(places.jobs())
    with _ending.tidied(), unlocked(settings) as context, _progress.shown(settings) as progress:
        make = _sealer(context, request, given, places) if operation == "Encrypt" else _opener(request, given, places)
        results = files.run(context, jobs, make, progress=progress)
        _outcomes.report(results, settings, single=not places.several)


def _sealer(context: Any, request: dict[str, Any], given: dict[str, Any], places: Any) -> Any:  # noqa: ANN401 - loaded late
    from kmscli.service import sealing

    keys = tuple(given.get("KeyId", ()))
    if not keys:
        from kmscli.service.managed import FILES, managed_key

        keys = (managed_key(context, FILES),)
    chosen = given.get("format", FORMATS[0])
    if chosen not in FORMATS:
        raise errors.UsageError(problem=f"--format takes {one_of(FORMATS)}, not {chosen!r}")
    plan = sealing.Plan(
        keys=keys,
        encryption_context=request.get("EncryptionContext", {}),
        format=chosen,
        signed=bool(given.get("signed")),
        armored=bool(given.get("armor")),
        algorithm=request.get("EncryptionAlgorithm"),
        more={name: request[name] for name in _MORE if name in request},
        skips_encrypted=places.several or places.in_place,
    )
    make = sealing.sealer(context, plan)
    return _keeping(make, plan, context) if given.get("if_changed") else make


def _keeping(make: Any, plan: Any, context: Any) -> Any:  # noqa: ANN401 - loaded late
    from kmscli.service import keyring, unchanged

    return unchanged.keeping(make, plan, keyring.of_session(context))


def _check_if_changed(request: dict[str, Any], given: dict[str, Any], *, several: bool) -> None:
    if given.get("in_place") or (not several and given.get("out") in {None, "-"}):
        raise errors.UsageError(problem="--if-changed needs outputs of their own: -o FILE, or several inputs")
    if "EncryptionAlgorithm" in request:
        raise errors.UsageError(problem="--if-changed and --encryption-algorithm exclude each other")


def _opener(request: dict[str, Any], given: dict[str, Any], places: Any) -> Any:  # noqa: ANN401 - loaded late
    from kmscli.service import opening

    words = list(given.get("c", ()))
    names = tuple(word for word in words if "=" not in word)
    pairs = context_pairs([word for word in words if "=" in word])
    plan = opening.Plan(
        key=request.get("KeyId"),
        encryption_context=request.get("EncryptionContext", {}) | pairs,
        names=names,
        algorithm=request.get("EncryptionAlgorithm"),
        more={name: request[name] for name in _MORE if name in request},
        legacy=bool(given.get("allow_legacy")),
        skips_plain=places.several or places.in_place,
    )
    return opening.opener(plan)
