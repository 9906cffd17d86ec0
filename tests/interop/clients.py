"""Programs of AWS and of others that ask the endpoint: where they are, and what a test does where they are not.

The extra `interop` installs them. With KMS_INTEROP=1 a test whose client is absent fails.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

S3_CLIENT = "s3-client/bin/python"
"""A Python that has the S3 Encryption Client, whose cryptography is another than ours (Makefile)."""


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
