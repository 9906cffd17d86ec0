"""Programs of AWS and of others that ask the endpoint: where they are, and what a test does where they are not.

The extra `interop` installs them. With KMS_INTEROP=1 a test whose client is absent fails.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, create_connection, socket

import pytest

S3_CLIENT = "s3-client/bin/python"
"""A Python that has the S3 Encryption Client, whose cryptography is another than ours (Makefile)."""

START_SECONDS = 60


def client(name: str) -> str:
    """The path of a program: beside the Python of the tests, or below its environment."""
    beside = Path(sys.executable).parent
    found = next((path for path in (beside / name, beside.parent / name) if path.is_file()), None)
    if found is None:
        sentence = f"{name} is not installed: make interop"
        if os.environ.get("KMS_INTEROP") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return str(found)


def ran(argv: list[str], environ: dict[str, str], folder: Path, *, data: bytes = b"") -> bytes:
    """What a program prints; it ends without an error."""
    done = subprocess.run(argv, env=environ, cwd=folder, input=data, capture_output=True, check=False, timeout=120)
    assert 0 == done.returncode, (argv, done.stdout.decode(), done.stderr.decode())
    return done.stdout


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """A server of S3; gives its address."""
    with closing(socket(AF_INET, SOCK_STREAM)) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "moto.log").open("wb") as log:
        server = subprocess.Popen(
            [client("moto_server"), "-H", "127.0.0.1", "-p", str(port)], cwd=folder, stdout=log, stderr=log
        )
    try:
        _wait(server, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait(server: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"moto does not serve: {server.poll()}")
