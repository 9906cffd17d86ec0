"""SOPS at the endpoint: a YAML file is encrypted with a context, edited, rotated and decrypted."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.endpoint import Served, allow, running
from tests.interop.clients import client, ran

PLAIN = "db:\n    password: hunter2\n    user: me\n"
CONTEXT = "app:shop,stage:test"

Sops = Callable[..., str]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    client("sops")
    with running() as made:
        yield made
        made.place.kms("audit", "verify", "--full")


@pytest.fixture(scope="module")
def arn(served: Served) -> str:
    return str(served.client().create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def file(served: Served, arn: str) -> Path:
    """A file that is encrypted in place."""
    path = served.place.folder / "secrets.yaml"
    path.write_text(PLAIN)
    sops(served, "encrypt", "--kms", arn, "--encryption-context", CONTEXT, "-i", path.name)
    return path


def sops(served: Served, *words: str) -> str:
    """What sops prints."""
    return ran([client("sops"), *words], served.environ(), served.place.folder).decode()


def operations(served: Served) -> list[tuple[str, object]]:
    """What sops asked for, and with which context."""
    lines = [
        line
        for line in served.place.lines()
        if "sops" in line["userAgent"].lower() or "aws-sdk-go" in line["userAgent"]
    ]
    return [(line["eventName"], line["requestParameters"]["encryptionContext"]) for line in lines]


def test_a_file_is_encrypted_and_decrypted_with_its_context(served: Served, file: Path, arn: str) -> None:
    text = file.read_text()
    assert "hunter2" not in text
    assert arn in text
    assert PLAIN == sops(served, "decrypt", file.name)
    asked = {"app": "shop", "stage": "test"}
    assert [("Encrypt", asked), ("Decrypt", asked)] == operations(served)[-2:]


def test_a_value_is_set(served: Served, file: Path) -> None:
    sops(served, "set", file.name, '["db"]["password"]', '"tr0ub4dor"')
    assert PLAIN.replace("hunter2", "tr0ub4dor") == sops(served, "decrypt", file.name)


def test_a_file_is_edited(served: Served, file: Path) -> None:
    environ = served.environ() | {"EDITOR": "sed -i s/hunter2/tr0ub4dor/"}
    ran([client("sops"), "edit", file.name], environ, served.place.folder)
    assert PLAIN.replace("hunter2", "tr0ub4dor") == sops(served, "decrypt", file.name)


def test_a_rotation_makes_another_data_key(served: Served, file: Path, arn: str) -> None:
    before = file.read_text()
    served.client().rotate_key_on_demand(KeyId=arn)
    sops(served, "rotate", "-i", file.name)
    after = file.read_text()
    assert data_key(before) != data_key(after)
    assert PLAIN == sops(served, "decrypt", file.name)


def data_key(text: str) -> str:
    """The data key of a file, encrypted."""
    return next(line for line in text.splitlines() if line.strip().startswith("enc:"))


@pytest.mark.parametrize("what", ["context", "key"])
def test_a_changed_context_or_a_disabled_key_opens_nothing(served: Served, file: Path, arn: str, what: str) -> None:
    if what == "context":
        file.write_text(file.read_text().replace("app: shop", "app: forum"))
    else:
        served.place.kms("disable-key", "--key-id", arn)
    done = subprocess.run(
        [client("sops"), "decrypt", file.name],
        env=served.environ(),
        cwd=served.place.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    served.place.kms("enable-key", "--key-id", arn)
    assert 0 != done.returncode
    assert ("InvalidCiphertextException" if what == "context" else "DisabledException") in done.stderr
    assert "hunter2" not in done.stdout


def test_a_principal_who_may_decrypt_alone_reads_and_writes_nothing(served: Served, file: Path) -> None:
    served.place.principal("reader", allow("kms:Decrypt"))
    environ = served.environ("reader")
    assert PLAIN == ran([client("sops"), "decrypt", file.name], environ, served.place.folder).decode()
    done = subprocess.run(
        [client("sops"), "rotate", "-i", file.name],
        env=environ,
        cwd=served.place.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert 0 != done.returncode
    assert "AccessDeniedException" in done.stderr
