"""Every command that the README shows runs as it stands there."""

import subprocess
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
NOT_HERE = {"pipx install .", "make demo", "make test"}
"""Commands that install or run the whole project."""
ELSEWHERE = "## With AWS clients"
"""The section that tests/interop/test_serve_readme.py runs, where those clients are installed."""


def commands() -> list[str]:
    """The commands of all console blocks but those of that section, in order."""
    found: list[str] = []
    inside, section = False, ""
    for line in README.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line
        if line.startswith("```"):
            inside = line == "```console" and section != ELSEWHERE
        elif inside and line.startswith("$ "):
            found.append(line[2:])
    return found


@pytest.mark.needs("bash", "openssl")
def test_the_commands_of_the_readme_run_in_their_order(environ: dict[str, str], tmp_path: Path) -> None:
    fresh = {name: value for name, value in environ.items() if not name.startswith("KMS_")}
    folder = tmp_path / "fresh"
    folder.mkdir()
    shown = [command for command in commands() if command not in NOT_HERE]
    assert shown
    script = "set -e\n" + "".join(f"echo {number} > last\n{command}\n" for number, command in enumerate(shown))
    ended = subprocess.run(
        ["bash", "-c", script],
        env=fresh | {"HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    failed = shown[int((folder / "last").read_text())]
    assert ended.returncode == 0, f"{failed}\n{ended.stderr}"
    assert "correct horse" in ended.stdout
