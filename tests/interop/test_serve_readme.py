"""What the README shows of AWS clients runs as it stands there, but for the port and for what is installed."""

import shlex
import subprocess
from contextlib import closing
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket

import pytest

from tests.endpoint import Place, place
from tests.interop.clients import S3_CLIENT, client, s3_server

README = Path(__file__).parents[2] / "README.md"
SECTION = "## With AWS clients\n"
INSTALL = "pipx install --force '.[serve]'"
SERVE = "kms serve --quiet > address &"
PORT = "8443"
S3_IMPORTS = "import boto3, s3_encryption as s3e\nfrom s3_encryption.materials.kms_keyring import KmsKeyring\n"
MAKE_BUCKET = """\
import boto3
boto3.client("s3").create_bucket(Bucket="backups")
"""


def blocks() -> list[tuple[str, list[str]]]:
    """The language and the lines of each block of the section."""
    text = README.read_text(encoding="utf-8").partition(SECTION)[2].partition("\n## ")[0]
    parts = text.split("```")[1::2]
    return [(first, rest.splitlines()) for first, _, rest in (part.partition("\n") for part in parts)]


def commands() -> list[str]:
    """All of it as commands of one shell, in order."""
    found: list[str] = []
    for language, lines in blocks():
        if language == "console":
            found += [line.removeprefix("$ ") for line in lines if line.removeprefix("$ ") != INSTALL]
        else:
            assert "python" == language
            code = "\n".join(lines)
            s3 = "s3e." in code
            python = '"$S3_PYTHON"' if s3 else "python3"
            found.append(f"{python} - <<'END'\n{S3_IMPORTS if s3 else ''}{code}\nEND")
    return found


def _script(port: int) -> str:
    """The commands on another port; a server is waited for, and ended at the end."""
    lines = ["set -e -o pipefail", "trap 'kill $(jobs -p)' EXIT"]
    for command in commands():
        lines.append(f"echo {shlex.quote(command)} > last")
        if command == SERVE:
            lines.append(command.replace("serve", f"serve --port {port}"))
            lines.append("until test -s address; do sleep 0.05; kill -0 $!; done")
        else:
            lines.append(command.replace(f":{PORT}", f":{port}"))
    return "\n".join(lines)


def _prepared(where: Place) -> None:
    """What the sections before have made."""
    (where.folder / "db-password.txt").write_text("correct horse")
    (where.folder / "dump.sql").write_text("a dump\n")
    where.kms("create-key", "--alias", "alias/app")
    where.kms("encrypt", "-k", "alias/app", "-c", "app=shop", "dump.sql", "-o", "dump.sql.kms")


def _free_port() -> int:
    with closing(socket(AF_INET, SOCK_STREAM)) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.needs("bash")
def test_the_commands_of_the_section_run_in_their_order(tmp_path: Path) -> None:
    s3_python = client(S3_CLIENT)
    for name in ("aws", "sops"):
        client(name)
    with place("readme", region="local") as where, s3_server(tmp_path) as s3_url:
        _prepared(where)
        environ = where.environ | {
            "S3_PYTHON": s3_python,
            "AWS_ENDPOINT_URL_S3": s3_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
        subprocess.run([s3_python, "-c", MAKE_BUCKET], env=environ | credentials, check=True, capture_output=True)
        ended = subprocess.run(
            ["bash", "-c", _script(_free_port())],
            env=environ,
            cwd=where.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert 0 == ended.returncode, f"{(where.folder / 'last').read_text()}\n{ended.stderr}"
        # The password by the AWS CLI and by boto3, and the file of SOPS.
        assert "correct horse" in ended.stdout
        assert "b'correct horse'" in ended.stdout
        assert "password: hunter2" in ended.stdout
        where.kms("audit", "verify", "--full")
