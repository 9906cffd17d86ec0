"""Transcripts of the real command: every verb, and the mistakes that a user can make with it.

A transcript is a text file. `$ ` begins a command for bash; below it stands what it must print:

    $ kms describe-key --key-id app --query KeyMetadata.KeyId
    ! kms: error: NotFoundException: Invalid keyId 'app'
    ! kms: hint: did you mean alias/app?
    [20]

Plain lines are stdout, lines after `! ` are stderr, `[N]` is the exit code unless it is 0. `# ` begins a comment, and a
command may go on in the next line after a backslash. Commands of one file share a shell, so variables and folders stay.
The folder holds a fresh `vault` and its `keyfile`; a file that starts with `#: no vault` gets an empty one.

What changes from run to run has a name: <id>, <time>, <hex>, <base64>, <number>, <dir> for the folder, <any> for
whatever is left of a line.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from _pytest.mark import ParameterSet

from kmscli.cli._catalog import pages

HERE = Path(__file__).parent
TRANSCRIPTS = sorted(HERE.glob("*.txt"))
NAMES = {
    "id": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3,6})?(\+00:00|Z)",
    "hex": r"[0-9a-f]{8,}",
    "base64": r"[A-Za-z0-9+/_-]+={0,2}",
    "number": r"\d+",
    "any": r".*",
}


class Step(NamedTuple):
    """One command and what it must print."""

    line: int
    command: str
    stdout: list[str]
    stderr: list[str]
    code: int


def read(transcript: Path) -> list[Step]:
    """The steps of a transcript."""
    steps: list[Step] = []
    text = transcript.read_text(encoding="utf-8").replace("\\\n", "\\\n\0")
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("$ "):
            steps.append(Step(number, line[2:].replace("\0", "\n"), [], [], 0))
        elif line.startswith("\0"):
            steps[-1] = steps[-1]._replace(command=f"{steps[-1].command}\n{line[1:]}")
        elif code := re.fullmatch(r"\[(\d+)\]", line):
            steps[-1] = steps[-1]._replace(code=int(code[1]))
        elif line.startswith("! "):
            steps[-1].stderr.append(line[2:])
        elif line and not line.startswith(("# ", "#:")):
            steps[-1].stdout.append(line)
    return steps


def play(steps: list[Step], folder: Path, environ: dict[str, str]) -> list[Step]:
    """Run the commands in one shell; what they print takes the place of what they should."""
    notes = folder.parent / "notes"
    notes.mkdir()
    script = "".join(
        f"{{\n{step.command}\n}} >{notes}/{n}.out 2>{notes}/{n}.err </dev/null\necho $? >{notes}/{n}.code\n"
        for n, step in enumerate(steps)
    )
    (notes / "script").write_text(script, encoding="utf-8")
    subprocess.run(["bash", notes / "script"], cwd=folder, env=environ, check=False, timeout=300)
    return [
        step._replace(
            stdout=lines(notes / f"{n}.out", folder),
            stderr=lines(notes / f"{n}.err", folder),
            code=int((notes / f"{n}.code").read_text()),
        )
        for n, step in enumerate(steps)
    ]


def lines(output: Path, folder: Path) -> list[str]:
    """The lines that were printed, the folder under its name."""
    text = output.read_bytes().decode(errors="backslashreplace").replace(str(folder), "<dir>")
    return [line for line in text.split("\n") if line]


def fits(wanted: list[str], printed: list[str]) -> bool:
    """Whether what was printed is what was wanted."""
    return len(wanted) == len(printed) and all(map(line_fits, wanted, printed))


def line_fits(wanted: str, printed: str) -> bool:
    """Whether one line is as wanted."""
    pattern = re.escape(wanted)
    for name, expression in NAMES.items():
        pattern = pattern.replace(f"<{name}>", expression)
    return re.fullmatch(pattern, printed) is not None


def parameter(transcript: Path) -> ParameterSet:
    """A transcript, marked with the programs that its commands call beside kms."""
    programs = ["bash", *(["openssl"] if "openssl " in transcript.read_text(encoding="utf-8") else [])]
    return pytest.param(transcript, marks=pytest.mark.needs(*programs), id=transcript.stem)


@pytest.mark.parametrize("transcript", [parameter(path) for path in TRANSCRIPTS])
def test_the_command_does_what_the_transcript_says(transcript: Path, home: Path, environ: dict[str, str]) -> None:
    if transcript.read_text(encoding="utf-8").startswith("#: no vault"):
        shutil.rmtree(home)
        home.mkdir()
    wanted = read(transcript)
    faults = [
        f"{transcript.name}:{step.line}: $ {step.command}\n{shown(found)}"
        for step, found in zip(wanted, play(wanted, home, environ), strict=True)
        if not (fits(step.stdout, found.stdout) and fits(step.stderr, found.stderr) and step.code == found.code)
    ]
    if faults:
        pytest.fail("\n\n".join(["not as the transcript says:", *faults]), pytrace=False)


def shown(step: Step) -> str:
    """What a command printed, in the form of a transcript."""
    code = [f"[{step.code}]"] if step.code else []
    return "\n".join([*step.stdout, *(f"! {line}" for line in step.stderr), *code])


def test_every_verb_is_in_a_transcript() -> None:
    commands = " ".join(step.command for transcript in TRANSCRIPTS for step in read(transcript))
    missing = [page.name for page in pages() if not re.search(rf"\b{page.name}\b", commands)]
    assert [] == missing
