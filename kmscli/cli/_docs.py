"""Writes what is generated from the commands and committed: manual pages, completion scripts, two pages of docs.

Run as `python -m kmscli.cli._docs [ROOT]`. Nothing in the output depends on time, place or machine.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from kmscli import errors
from kmscli.cli import _completion, _man
from kmscli.cli._catalog import Page, Parameter, ignored_options, pages, tool_parameters
from kmscli.cli._verbs import SECTIONS
from kmscli.storage import files

_FILES = {"bash": "kms.bash", "zsh": "_kms", "fish": "kms.fish"}
_MODE = 0o644


def generated() -> dict[str, str]:
    """Path below the root -> content, for every file that is made from the commands."""
    scripts = {f"completions/{name}": _completion.script(shell) for shell, name in _FILES.items()}
    manual = {f"man/{name}": page for name, page in _man.all_pages().items()}
    return {**manual, **scripts, "docs/cli.md": cli(), "docs/exit-codes.md": exit_codes()}


def write(root: Path) -> None:
    """Write all files, and remove manual pages of verbs that are gone."""
    wanted = generated()
    for name, content in wanted.items():
        files.make_folders((root / name).parent)
        files.write_output(root / name, content.encode(), mode=_MODE)
    for page in (root / "man").glob("*.1"):
        if f"man/{page.name}" not in wanted:
            page.unlink()


def cli() -> str:
    """docs/cli.md."""
    return "\n".join(_cli()).rstrip() + "\n"


def _cli() -> Iterator[str]:
    found = pages()
    yield "# The commands of `kms`"
    yield ""
    yield "Made from the commands by `make docs`; `kms VERB --help` says the same."
    yield ""
    yield "## Options of every verb"
    yield ""
    yield "Accepted before and after the verb."
    yield ""
    yield from _table(tool_parameters())
    yield f"{', '.join(f'`{name}`' for name in ignored_options())}: taken for scripts written for AWS, with a notice."
    for title, rows in SECTIONS.items():
        yield f"\n## {title}\n"
        for page in found:
            if page.words[0] in rows:
                yield from _verb(page)


def _verb(page: Page) -> Iterator[str]:
    arguments = " ".join(parameter.metavar for parameter in page.parameters if not parameter.names)
    yield f"### {page.name}\n"
    yield f"`{' '.join(filter(None, [page.name, '[OPTIONS]', arguments]))}`"
    yield ""
    for paragraph in page.paragraphs:
        yield f"{paragraph}\n"
    if page.parameters:
        yield from _table(page.parameters)


def _table(parameters: tuple[Parameter, ...] | list[Parameter]) -> Iterator[str]:
    yield "| option | meaning |"
    yield "| --- | --- |"
    for parameter in parameters:
        names = ", ".join(parameter.names)
        shown = f"{names} {parameter.metavar}".strip().replace("|", "\\|")
        yield f"| `{shown}` | {parameter.help.replace('|', chr(92) + '|')} |"
    yield ""


def exit_codes() -> str:
    """docs/exit-codes.md."""
    lines = [
        "# Exit codes",
        "",
        "Never renumbered. A code that is not here means failure. `kms exit-codes` prints this table.",
        "",
        "| code | meaning | errors |",
        "| ---: | --- | --- |",
    ]
    for code, meaning in errors.EXIT_CODES.items():
        names = ", ".join(f"`{name}`" for name in sorted(_names(code)))
        lines.append(f"| {code} | {meaning} | {names} |")
    return "\n".join(lines) + "\n"


def _names(code: int) -> set[str]:
    def below(kind: type[errors.KmsError]) -> Iterator[type[errors.KmsError]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    return {kind.code for kind in below(errors.KmsError) if kind.exit_code == code}


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
