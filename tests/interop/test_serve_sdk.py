"""The AWS Encryption SDK at the endpoint: it opens files that `kms encrypt` made, and kms opens its messages."""

from collections.abc import Iterator

import aws_encryption_sdk as sdk  # type: ignore[import-untyped]
import botocore.session  # type: ignore[import-untyped]
import pytest
from aws_encryption_sdk.key_providers.kms import KMSMasterKey, KMSMasterKeyConfig  # type: ignore[import-untyped]
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from tests.endpoint import Served, allow, running

CONTEXT = {"app": "shop", "Z\u00fcrich": "\U0001f511"}
OPTIONS = [word for name, value in CONTEXT.items() for word in ("-c", f"{name}={value}")]
SIZES = [0, 1, 300_000]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with running() as made:
        yield made
        made.place.kms("audit", "verify", "--full")


@pytest.fixture(scope="module")
def arn(served: Served) -> str:
    return str(served.client().create_key()["KeyMetadata"]["Arn"])


def provider(served: Served, monkeypatch: pytest.MonkeyPatch, arn: str) -> object:
    """The SDK's way to a key, which finds the endpoint in the environment alone."""
    for name, value in served.environ().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return sdk.StrictAwsKmsMasterKeyProvider(key_ids=[arn], botocore_session=botocore.session.Session())


def master_key(served: Served, arn: str, principal: str) -> object:
    """A key of the SDK that asks as a principal."""
    return KMSMasterKey(config=KMSMasterKeyConfig(key_id=arn, client=served.client(principal)))


# The clients that the SDK makes by itself are closed by nobody.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("size", SIZES)
def test_it_opens_a_file_of_kms(served: Served, arn: str, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    plaintext = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (served.place.folder / "plain").write_bytes(plaintext)
    message = served.place.kms("encrypt", "-k", arn, *OPTIONS, "plain", "-o", "-")
    found, header = sdk.EncryptionSDKClient().decrypt(source=message, key_provider=provider(served, monkeypatch, arn))
    assert plaintext == found
    assert CONTEXT.items() <= header.encryption_context.items()


# The clients that the SDK makes by itself are closed by nobody.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("size", SIZES)
def test_kms_opens_a_message_of_its(served: Served, arn: str, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    plaintext = b"y" * size
    message, _ = sdk.EncryptionSDKClient().encrypt(
        source=plaintext, key_provider=provider(served, monkeypatch, arn), encryption_context=CONTEXT
    )
    (served.place.folder / "sdk.message").write_bytes(message)
    assert plaintext == served.place.kms("decrypt", *OPTIONS, "sdk.message")


def test_who_may_not_decrypt_opens_nothing(served: Served, arn: str) -> None:
    served.place.principal("writer", allow("kms:Encrypt", "kms:GenerateDataKey"))
    client = sdk.EncryptionSDKClient()
    message, _ = client.encrypt(source=b"x", key_provider=master_key(served, arn, "writer"))
    assert b"x" == client.decrypt(source=message, key_provider=master_key(served, arn, "admin"))[0]
    with pytest.raises((sdk.exceptions.DecryptKeyError, ClientError)):
        client.decrypt(source=message, key_provider=master_key(served, arn, "writer"))
