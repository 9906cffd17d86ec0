"""Verbs made from the table of operations: options, types and help come from the struct of the request.

A verb turns its words into the members of AWS's request, once, and hands them to the service, which decides whether
they are valid. `--cli-input-json` gives members too; options win over it. `encrypt` and `decrypt` have a byte mode too.
What works on a vault is imported when the verb runs: help and TAB need none of it.
"""

from functools import partial
from typing import Any

from typer.core import TyperArgument, TyperOption

from kmscli import errors
from kmscli.cli import _bytes, _io, _pages, _values
from kmscli.cli._render import Output
from kmscli.cli._settings import Settings, one_of
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._verbs import Row, verb_of
from kmscli.service.members import Member, members
from kmscli.service.operations import Operation, load

_SHORT = {"KeyId": ["-k"]}
_CONTEXT = "EncryptionContext"
_METAVAR_MAX = 64
"""Characters of the values of an enum beside its option; more of them stand in the help."""
_METAVARS = {
    "blob": "BYTES",
    "string": "TEXT",
    "integer": "NUMBER",
    "timestamp": "TIME",
    "map": "MAP",
    "structure": "STRUCTURE",
}


class ApiVerb(Verb):
    """The verb of one operation.

    Attributes:
        operation: The operation.
        largest: The most items that one request of a list may ask for.
    """

    def __init__(self, name: str, row: Row) -> None:
        """Make the verb from the operation's request."""
        self.operation: Operation = load(row.operation)
        found = members(self.operation.request)
        self.byte_member = _bytes.MEMBERS.get(row.operation)
        self.spread = self.byte_member is None
        self.largest = next((int(m.shape.maximum or 0) for m in found if m.name == "Limit"), 0)
        self.many_keys = row.operation == "Encrypt"
        params: list[Any] = [
            _option(member, marked=self.byte_member is None, many=self.many_keys and member.name == "KeyId")
            for member in found
        ]
        if any(member.name == _CONTEXT for member in found):
            params.append(_plain("-c", "NAME=VALUE", "One pair of the encryption context; repeatable.", multiple=True))
        if self.operation.row.pages:
            params += _paging_options()
        if self.byte_member:
            params += _byte_options(row.operation)
        if self.operation.row.crypto:
            params.append(_plain("--batch", "FILE", "One request a line as JSON, - is stdin; one result a line."))
        params += _input_options()
        more = _bytes.HELP.get(row.operation, "")
        super().__init__(name, params=params, help=f"{row.summary}\n\n{more}".rstrip())

    def invoke(self, ctx: Any) -> None:  # noqa: ANN401 - classes of the Click inside Typer
        """Run the operation."""
        settings = settings_of(ctx)
        given = {name: value for name, value in ctx.params.items() if value not in (None, ())}
        if (ignored := settings.ignored()) and not settings.flag("--quiet"):
            _io.note(f"{', '.join(ignored)}: meant for AWS, without effect here")
        request = self._request(given)
        if "batch" in given:
            from kmscli.cli import _batch

            _batch.run(self.operation, request, given, settings)
        elif self.byte_member and _bytes.is_asked_for(self.byte_member, request, given):
            _bytes.run(self.operation.name, request, given, settings)
        else:
            self._refuse_bytes(given)
            self._refuse_missing(request)
            self._answer(request, given, settings)

    def _request(self, given: dict[str, Any]) -> dict[str, Any]:
        """The members of the request, from all that can give them."""
        raw = _binary_format(given) == "raw-in-base64-out"
        request: dict[str, Any] = {}
        if "cli_input_json" in given:
            request = _values.json_object(given["cli_input_json"], "--cli-input-json")
        for member in members(self.operation.request):
            option = option_of(member.name)
            if member.name in given:
                words = given[member.name]
                request[member.name] = _value(member, words, _values.Source(option, raw=raw))
            elif raw and member.shape.kind == "blob" and isinstance(request.get(member.name), str):
                request[member.name] = request[member.name].encode()
        if "c" in given:
            if _CONTEXT in given:
                raise errors.UsageError(problem="-c and --encryption-context exclude each other")
            words = list(given["c"])
            if self.operation.name == "Decrypt" and _bytes.is_asked_for("CiphertextBlob", request, given):
                return request  # where `-c NAME` has a meaning too
            request[_CONTEXT] = _values.context_pairs(words)
        return request

    def _refuse_missing(self, request: dict[str, Any]) -> None:
        names = [option_of(m.name) for m in members(self.operation.request) if m.required and m.name not in request]
        if names:
            raise errors.UsageError(
                problem=f"kms {self.name} needs {' and '.join(names)}", hint=f"`kms {self.name} --help` says more"
            )

    def _refuse_bytes(self, given: dict[str, Any]) -> None:
        """Refuse what only byte mode has."""
        named = {param.name: param.opts[0] for param in _byte_options(self.operation.name)} if self.byte_member else {}
        for name in sorted(given.keys() & named.keys()):
            option = {"files": "IN", "out": "-o"}.get(name, named[name])
            raise errors.UsageError(problem=f"{option} and {option_of(str(self.byte_member))} exclude each other")
        if self.many_keys and len(given.get("KeyId", ())) > 1:
            raise errors.UsageError(problem=f"several keys and {option_of(str(self.byte_member))} exclude each other")

    def _answer(self, request: dict[str, Any], given: dict[str, Any], settings: Settings) -> None:
        from kmscli.cli._work import unlocked
        from kmscli.service.dispatch import perform

        output = Output(settings)
        paging = _paging(given)
        single = not self.operation.row.pages or _pages.one_page(paging, request)
        with unlocked(settings) as context:
            output.prefer(context.session.vault.config.output)
            ask = partial(perform, context, self.operation.name)
            if single:
                output.show(ask(request))
            else:
                name = self.operation.row.pages
                output.show(_pages.all_pages(lambda more: ask({**request, **more}), name, self.largest, paging))


def command(name: str, row: Row) -> ApiVerb:
    """The verb of an operation."""
    return ApiVerb(name, row)


def option_of(member: str) -> str:
    """The option of a member: `NumberOfBytes` is `--number-of-bytes`."""
    return f"--{verb_of(member)}"


def _option(member: Member, *, marked: bool, many: bool = False) -> TyperOption:
    name, shape = option_of(member.name), member.shape
    if shape.kind == "boolean":
        decls = [f"{name}/{name.replace('--', '--no-', 1)}", member.name]
        return TyperOption(param_decls=decls, is_flag=True, help=member.description)
    item = shape.item if shape.kind == "list" and shape.item else shape
    choices = item.choices
    metavar = "|".join(choices) if choices else _METAVARS[item.kind]
    summary = member.description
    if len(metavar) > _METAVAR_MAX:
        metavar, summary = "NAME", f"{summary} One of {one_of(choices)}."
    if member.name.endswith("KeyId"):
        metavar = "KEY"
    return TyperOption(
        param_decls=[name, *_SHORT.get(member.name, ()), member.name],
        metavar=f"{metavar}..." if shape.kind == "list" else metavar,
        multiple=many or shape.kind == "list",
        help=f"{summary} (required)" if member.required and marked else summary,
        autocompletion=(lambda *_: list(choices)) if choices else None,
    )


def _plain(name: str, metavar: str, summary: str, *, short: str = "", multiple: bool = False) -> TyperOption:
    decls = [name, short] if short else [name]
    return TyperOption(param_decls=decls, metavar=metavar, help=summary, multiple=multiple)


def _byte_options(operation: str) -> list[Any]:
    def flag(name: str, summary: str) -> TyperOption:
        return TyperOption(param_decls=[name], is_flag=True, help=summary)

    common = [
        TyperArgument(param_decls=["files"], nargs=-1, metavar="[IN]...", help="Files; - or none is stdin."),
        _plain("--out", "FILE", "Where the bytes go; - or none is stdout.", short="-o"),
        _plain("--suffix", "TEXT", f"End of the names of encrypted files ({_bytes.SUFFIX}), for several inputs."),
        flag("--recursive", "Go through folders."),
        flag("--in-place", "Put each output in the place of its input."),
        flag("--plan", "Say which files would be read and written, and do nothing."),
    ]
    if operation == "Decrypt":
        return [*common, flag("--allow-legacy", "Also read messages that do not commit to their key.")]
    return [
        *common,
        _plain("--format", "|".join(_bytes.FORMATS), "What to write (auto)."),
        flag("--signed", "Sign the message with a key pair made for it."),
        flag("--armor", "Write text, for mail and version control."),
        flag("--if-changed", "Leave an output alone that has the same content, keys, context and form already."),
    ]


def _input_options() -> list[TyperOption]:
    formats = _values.BINARY_FORMATS
    return [
        _plain("--cli-input-json", "JSON", "Members of the request as JSON, or file://FILE; options win over it."),
        TyperOption(
            param_decls=["--cli-binary-format"],
            metavar="|".join(formats),
            help="How text for BYTES is read (base64).",
            autocompletion=lambda *_: list(formats),
        ),
    ]


def _paging_options() -> list[TyperOption]:
    return [
        _plain("--max-items", "NUMBER", "The most items to list; NextToken in the answer says where to go on."),
        _plain("--starting-token", "TEXT", "Where to start: NextToken of the answer before."),
        _plain("--page-size", "NUMBER", "Items of one request."),
        TyperOption(param_decls=["--no-paginate"], is_flag=True, help="Make one request only."),
    ]


def _paging(given: dict[str, Any]) -> _pages.Paging:
    return _pages.Paging(
        max_items=_count(given, "max_items"),
        starting_token=given.get("starting_token"),
        page_size=_count(given, "page_size"),
        plain=given.get("no_paginate", False),
    )


def _count(given: dict[str, Any], name: str) -> int | None:
    if name not in given:
        return None
    option = f"--{name.replace('_', '-')}"
    number = _values.number(given[name], option)
    if number < 1:
        raise errors.UsageError(problem=f"{option} takes a number from 1, not {number}")
    return number


def _binary_format(given: dict[str, Any]) -> str:
    chosen: str = given.get("cli_binary_format", _values.BINARY_FORMATS[0])
    if chosen not in _values.BINARY_FORMATS:
        raise errors.UsageError(problem=f"--cli-binary-format takes {one_of(_values.BINARY_FORMATS)}, not {chosen!r}")
    return chosen


def _value(member: Member, words: Any, source: _values.Source) -> Any:  # noqa: ANN401 - the value of a member
    if isinstance(words, bool):
        return words
    return _values.value(member.shape, [words] if isinstance(words, str) else list(words), source)
