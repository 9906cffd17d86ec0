"""Completion in the shell: Typer's scripts, which ask `kms` itself, and the answers to them.

TAB never unlocks anything and reads no vault: verbs, options and fixed values are completed, and files by the shell.
The answers are put into words here, because Typer would load rich to take markup off help that has none.
"""

from typing import Any

from typer._click.shell_completion import CompletionItem, add_completion_class
from typer._completion_classes import BashComplete, FishComplete, ZshComplete
from typer._completion_shared import get_completion_script
from typer.completion import shell_complete

from kmscli import errors
from kmscli.cli._argv import suggestion
from kmscli.cli._settings import COMPLETE_VARIABLE

PROGRAM = "kms"

_ZSH_ESCAPES = str.maketrans({'"': '""', "'": "''", "$": "\\$", "`": "\\`", ":": r"\\:"})


class _Zsh(ZshComplete):
    def format_completion(self, item: CompletionItem) -> str:
        words = [item.value, item.help] if item.help else [item.value]
        return ":".join(f'"{word.translate(_ZSH_ESCAPES)}"' for word in words)


class _Fish(FishComplete):
    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.value}\t{' '.join(item.help.split())}" if item.help else str(item.value)


_ANSWERS = {"bash": BashComplete, "zsh": _Zsh, "fish": _Fish}
SHELLS = tuple(_ANSWERS)


def script(shell: str) -> str:
    """The completion script of a shell.

    Raises:
        UsageError: Not one of SHELLS.
    """
    if shell not in SHELLS:
        hint = suggestion(shell, SHELLS) or f"the shells are {', '.join(SHELLS)}"
        raise errors.UsageError(problem=f"no completion for {shell}", hint=hint)
    found = get_completion_script(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE, shell=shell).strip() + "\n"
    if shell != "zsh":
        return found
    # Loaded from fpath, the file itself is the function that completes, and must do so the first time too.
    register = f"compdef _{PROGRAM}_completion {PROGRAM}"
    autoload = f'if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n  _{PROGRAM}_completion "$@"\nfi'
    return found.replace(register, f"{register}\n{autoload}")


def answer(command: Any, instruction: str) -> int:  # noqa: ANN401 - classes of the Click inside Typer
    """Answer the shell's question, which is in the environment; what it returns is the exit code."""
    for shell, formatter in _ANSWERS.items():
        add_completion_class(formatter, shell)
    return shell_complete(command, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
