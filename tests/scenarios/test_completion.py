"""The committed completion scripts, in the shells themselves."""

import subprocess
from pathlib import Path

import pexpect
import pytest

SCRIPTS = Path(__file__).parents[2] / "completions"


def said(command: list[str], environ: dict[str, str]) -> list[str]:
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stderr == ""
    return ended.stdout.split("\n")


@pytest.mark.needs("bash")
def test_bash_completes_a_verb(environ: dict[str, str]) -> None:
    script = f"""
        source {SCRIPTS}/kms.bash
        COMP_WORDS=(kms list-a); COMP_CWORD=1
        _kms_completion kms
        echo "${{COMPREPLY[@]}}"
    """
    assert said(["bash", "-c", script], environ) == ["list-aliases", ""]


@pytest.mark.needs("fish")
def test_fish_completes_a_verb_with_its_summary(environ: dict[str, str]) -> None:
    script = f"source {SCRIPTS}/kms.fish; complete -C 'kms list-a'"
    assert said(["fish", "--no-config", "-c", script], environ) == [
        "list-aliases\tList the aliases, or those of one key.",
        "",
    ]


@pytest.mark.needs("zsh")
def test_zsh_completes_a_verb_from_its_folder_of_functions_at_the_first_tab(
    environ: dict[str, str],
) -> None:
    shell = pexpect.spawn("zsh", ["-f", "-i"], env={**environ, "PS1": "ready> "}, encoding="utf-8", timeout=60)
    shell.expect("ready> ")
    shell.sendline(f"fpath=({SCRIPTS} $fpath); autoload -Uz compinit; compinit -D -u; echo loa''ded")
    shell.expect("loaded.*ready> ")
    shell.send("kms list-al\t")
    shell.expect("list-aliases")
    shell.close(force=True)


@pytest.mark.parametrize("question", ["kms ", "kms slot test --keyfile ", "kms decrypt "])
def test_a_tab_reads_no_vault_and_asks_nothing(question: str, environ: dict[str, str]) -> None:
    trap = {"KMS_VAULT": "/nowhere", "KMS_KEYFILE": "/nowhere", "KMS_PASSPHRASE_COMMAND": "false"}
    words = {"COMP_WORDS": question, "COMP_CWORD": str(len(question.split())), "_KMS_COMPLETE": "complete_bash"}
    ended = subprocess.run(["kms"], env=environ | trap | words, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
