"""The manual: kms(1) and a page for each verb, in mdoc, made from the commands.

Implements mdoc(7). The date is that of the version, so that the same commands always make the same
pages.
"""

import shutil
import subprocess
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from kmscli import errors
from kmscli.cli import _io
from kmscli.cli._catalog import Page, Parameter, ignored_options, pages, tool_parameters
from kmscli.cli._verbs import SECTIONS
from kmscli.storage import files

_PAGE_MODE = 0o644
_WIDTH = 72
_DATE = "November 24, 2026"
"""Of this version; changed with it."""


def all_pages() -> dict[str, str]:
    """File name -> page."""
    found = pages()
    return {"kms.1": overview(found), **{f"{_name(page)}.1": verb(page) for page in found}}


def install(folder: Path) -> list[str]:
    """Write all pages into a folder, which is made if it is missing; what it returns are their paths."""
    files.make_folders(folder)
    written = []
    for name, page in all_pages().items():
        files.write_output(folder / name, page.encode(), mode=_PAGE_MODE)
        written.append(str(folder / name))
    return written


def show() -> None:
    """Show kms(1): through man(1) on a terminal, else as it is written."""
    page = overview(pages()).encode()
    program = shutil.which("man") if _io.is_terminal(_io.STDOUT) else None
    if program is None:
        _io.write_stdout(page)
    else:
        subprocess.run([program, "-l", "-"], input=page, check=False)  # noqa: S603 - the pager of the manual


def overview(found: list[Page]) -> str:
    """kms(1)."""
    return _document(
        "kms",
        "keys like those of AWS KMS, in a directory you own",
        [
            ".Nm kms",
            ".Op Ar options",
            ".Ar verb ...",
            *_section(
                "DESCRIPTION",
                _text(
                    "Keeps encryption keys in a vault, a folder on your disk: encrypts and decrypts with them, rotates"
                ),
                _text("them, and writes a signed line of every use to an audit log before the result is given."),
                _text("The operations of the AWS KMS API are verbs with AWS's names, options and answers."),
                [".Pp"],
                _text("Each verb has a page of its own, such as"),
                [".Xr kms-encrypt 1 ."],
            ),
            *_section("VERBS", *(_verbs(title, list(rows), found) for title, rows in SECTIONS.items())),
            *_section("OPTIONS", _text("Accepted before and after every verb."), _list(tool_parameters())),
            *_ignored(),
            *_section("UNLOCKING", _unlocking()),
            *_section("EXIT STATUS", _exit_codes()),
            *_section("SEE ALSO", _see_also(_name(page) for page in found)),
        ],
    )


def verb(page: Page) -> str:
    """The page of one verb."""
    own = [parameter for parameter in page.parameters if parameter.names]
    arguments = [parameter for parameter in page.parameters if not parameter.names]
    body = [f".Nm kms {' '.join(page.words)}", ".Op Ar options"]
    body += [f".Op Ar {_escape(a.metavar.strip('[]'))}" if not a.required else f".Ar {a.metavar}" for a in arguments]
    description = [line for text in page.paragraphs for line in [".Pp", *_text(text)]][1:]
    body += _section("DESCRIPTION", description)
    if page.parameters:
        body += _section("OPTIONS", _list([*own, *arguments]))
    body += _section("SEE ALSO", [".Xr kms 1"], _text("has the options of every verb, and the exit codes."))
    return _document(_name(page), page.summary.rstrip(".").split(": ")[0], body)


def _name(page: Page) -> str:
    return "-".join(("kms", *page.words))


def _document(name: str, summary: str, body: list[str]) -> str:
    head = [f".Dd {_DATE}", f".Dt {name.upper()} 1", ".Os", ".Sh NAME", f".Nm {name}", f".Nd {_escape(summary)}"]
    return "\n".join([*head, ".Sh SYNOPSIS", *body]) + "\n"


def _section(title: str, *parts: Iterable[str]) -> list[str]:
    return [f".Sh {title}", *(line for part in parts for line in part)]


def _text(text: str) -> list[str]:
    """Prose, a new line for each sentence and none too long, as mdoc wants it."""
    sentences = text.replace(". ", ".\n").splitlines()
    return [_escape(line) for sentence in sentences for line in textwrap.wrap(sentence, _WIDTH)]


def _escape(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _list(parameters: Iterable[Parameter]) -> Iterator[str]:
    yield ".Bl -tag -width Ds"
    for parameter in parameters:
        if parameter.names:
            value = f" Ar {_escape(parameter.metavar)}" if parameter.metavar else ""
            yield ".It " + " , ".join(f"Fl {_escape(name.removeprefix('-'))}{value}" for name in parameter.names)
        else:
            yield f".It Ar {_escape(parameter.metavar.strip('[]'))}"
        yield from _text(parameter.help)
    yield ".El"


def _verbs(title: str, names: list[str], found: list[Page]) -> Iterator[str]:
    yield f".Ss {_escape(title)}"
    yield ".Bl -tag -width Ds"
    for page in found:
        if page.words[0] in names:
            yield f".It {_escape(' '.join(page.words))}"
            yield from _text(page.summary)
    yield ".El"


def _ignored() -> list[str]:
    names = " ,\n".join(f".Fl {_escape(name.removeprefix('-'))}" for name in ignored_options())
    return [".Pp", *names.splitlines(), *_text("are taken for the sake of scripts written for AWS, with a notice.")]


def _unlocking() -> Iterator[str]:
    yield from _text("The first of these that is given is used; standard input is data and never a passphrase.")
    yield from [".Bl -enum", ".It", *_text("One of the options above."), ".It"]
    for variable in ("KMS_KEYFILE", "KMS_PASSPHRASE_FILE", "KMS_PASSPHRASE_COMMAND"):
        yield from [f".Ev {variable}", ".It"]
    yield from [".Ev KMS_PASSPHRASE ,", *_text("with a warning."), ".It", *_text("A question on the terminal."), ".El"]
    yield ".Pp"
    yield from _text("Verbs that set a new secret never take it from these, but from options of their own.")


def _exit_codes() -> Iterator[str]:
    yield ".Bl -tag -width Ds"
    for code, meaning in errors.EXIT_CODES.items():
        yield f".It {code}"
        yield _escape(meaning)
    yield ".El"


def _see_also(names: Iterable[str]) -> Iterator[str]:
    ordered = sorted(names)
    yield from (f".Xr {name} 1 ," for name in ordered[:-1])
    yield f".Xr {ordered[-1]} 1"
