"""The S3 Encryption Client at the endpoint, with moto's server in the place of S3."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endpoint import Served, running
from tests.interop.clients import S3_CLIENT, client, ran, s3_server

PROGRAM = Path(__file__).with_name("s3_client.py")


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[str]:
    with s3_server(tmp_path) as url:
        yield url


@pytest.fixture
def served() -> Iterator[Served]:
    client(S3_CLIENT)
    with running() as made:
        yield made
        made.place.kms("audit", "verify", "--full")


def test_objects_are_put_and_got(served: Served, s3: str) -> None:
    arn = served.client().create_key()["KeyMetadata"]["Arn"]
    stored = ran([client(S3_CLIENT), str(PROGRAM), s3, arn], served.environ(), served.place.folder)
    assert stored
    assert b"correct horse" not in stored
    used = [line for line in served.place.lines() if line["eventName"] in {"GenerateDataKey", "Decrypt"}]
    assert ["GenerateDataKey", "Decrypt"] * 3 == [line["eventName"] for line in used]
    assert all(line["requestParameters"]["encryptionContext"]["app"] == "shop" for line in used)
