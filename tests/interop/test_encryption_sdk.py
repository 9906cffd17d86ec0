"""The official AWS Encryption SDK and kms open each other's messages, with a vault in the place of AWS KMS.

The SDK talks to a boto3 client whose calls never reach a network: a vault in this process answers them.
"""

import base64
import io
import json
import os
from types import SimpleNamespace
from typing import Any

import aws_encryption_sdk as sdk  # type: ignore[import-untyped]
import botocore.session  # type: ignore[import-untyped]
import pytest
from cryptography.exceptions import InvalidTag

from kmscli import errors
from kmscli.envelope import decrypting, encrypting
from kmscli.formats.message import EncryptedDataKey
from kmscli.model.suites import SUITES
from tests.helpers import Home

AWSEncryptionSDKClientError = sdk.exceptions.AWSEncryptionSDKClientError

CONTEXT = {"name": "value", "Z\u00fcrich": "\U0001f511"}
BYTES_MEMBERS = {"Plaintext", "CiphertextBlob"}
FRAME = 4096
SIZES = [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 17]
ALGORITHMS = [suite for suite in sdk.Algorithm if suite.algorithm_id in SUITES]
OLD = [suite for suite in ALGORITHMS if not SUITES[suite.algorithm_id].commits]
NEW = [suite for suite in ALGORITHMS if SUITES[suite.algorithm_id].commits]


class Party:
    """A vault with two keys, and the SDK beside it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.arns = [home.arn(home.create_key()) for _ in range(2)]
        session = botocore.session.Session()
        session.set_credentials("id", "key")
        session.register("before-call.kms", self._answer)
        self.provider = sdk.StrictAwsKmsMasterKeyProvider(
            key_ids=self.arns, botocore_session=session, region_names=["local"]
        )
        self.keys = [
            sdk.StrictAwsKmsMasterKeyProvider(key_ids=[arn], botocore_session=session, region_names=["local"])
            for arn in self.arns
        ]

    def _answer(self, model: Any, params: dict[str, Any], **_: object) -> tuple[Any, dict[str, Any]]:
        """What the vault answers to a request of boto3, which is sent nowhere then."""
        given = json.loads(params["body"])
        members = {name: base64.b64decode(v) if name in BYTES_MEMBERS else v for name, v in given.items()}
        try:
            return SimpleNamespace(status_code=200), self.home.answer(model.name, **members)
        except errors.KmsError as error:
            return SimpleNamespace(status_code=400), {"Error": {"Code": error.code, "Message": error.message}}

    def sdk_encrypts(self, plaintext: bytes, algorithm: Any, frame_length: int = FRAME, *, keys: int = 1) -> bytes:
        """A message of the SDK, under the first so many keys."""
        policy = "REQUIRE_ENCRYPT_ALLOW_DECRYPT" if algorithm in NEW else "FORBID_ENCRYPT_ALLOW_DECRYPT"
        client = sdk.EncryptionSDKClient(commitment_policy=sdk.CommitmentPolicy[policy])
        made, _ = client.encrypt(
            source=plaintext,
            key_provider=self.keys[0] if keys == 1 else self.provider,
            algorithm=algorithm,
            frame_length=frame_length,
            encryption_context=CONTEXT,
        )
        message: bytes = made
        return message

    def sdk_decrypts(self, message: bytes, key: int = 0) -> tuple[bytes, dict[str, str]]:
        """Plaintext and context of a message, for the SDK that takes committing suites alone."""
        client = sdk.EncryptionSDKClient(commitment_policy=sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
        plaintext, header = client.decrypt(source=message, key_provider=self.keys[key])
        return plaintext, header.encryption_context

    def we_encrypt(self, plaintext: bytes, frame_length: int = FRAME, *, keys: int = 1, signed: bool = False) -> bytes:
        """A message of ours, under the first so many keys."""
        draft, sink = encrypting.prepare(CONTEXT, signed=signed, rng=os.urandom), io.BytesIO()
        members = {"Plaintext": draft.data_key, "EncryptionContext": draft.encryption_context}
        data_keys = [
            EncryptedDataKey(
                "aws-kms", arn.encode(), self.home.perform("Encrypt", KeyId=arn, **members).ciphertext_blob
            )
            for arn in self.arns[:keys]
        ]
        encrypting.encrypt(io.BytesIO(plaintext), sink, draft, data_keys=data_keys, frame_length=frame_length)
        return sink.getvalue()

    def we_decrypt(self, message: bytes, key: int = 0, *, legacy: bool = False) -> tuple[bytes, dict[str, str]]:
        """Plaintext and context of a message, by one of its encrypted data keys."""
        source, sink = io.BytesIO(message), io.BytesIO()
        header = decrypting.open_header(source, legacy=legacy)
        entry = next(entry for entry in header.data_keys if entry.provider_info == self.arns[key].encode())
        members = {"CiphertextBlob": entry.ciphertext, "EncryptionContext": header.encryption_context}
        decrypting.decrypt(source, sink, header, self.home.perform("Decrypt", **members).plaintext, held=True)
        return sink.getvalue(), header.encryption_context


@pytest.fixture
def party(home: Home) -> Party:
    return Party(home)


def context_of(found: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in found.items() if name != "aws-crypto-public-key"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", NEW, ids=lambda suite: suite.name)
def test_we_open_what_the_sdk_writes(party: Party, algorithm: Any, size: int) -> None:
    plaintext = os.urandom(size)
    found, context = party.we_decrypt(party.sdk_encrypts(plaintext, algorithm))
    assert (plaintext, CONTEXT) == (found, context_of(context))


@pytest.mark.parametrize("frame_length", [0, 128, FRAME], ids=lambda length: f"frames of {length}")
@pytest.mark.parametrize("algorithm", OLD, ids=lambda suite: suite.name)
def test_we_open_what_old_sdks_wrote_on_request(party: Party, algorithm: Any, frame_length: int) -> None:
    plaintext = os.urandom(300)
    message = party.sdk_encrypts(plaintext, algorithm, frame_length)
    assert (plaintext, CONTEXT) == ((found := party.we_decrypt(message, legacy=True))[0], context_of(found[1]))
    with pytest.raises(errors.LegacyMessageError):
        party.we_decrypt(message)


@pytest.mark.parametrize("frame_length", [128, 1 << 20, 2**31 - 128])
def test_we_open_frames_of_any_length(party: Party, frame_length: int) -> None:
    plaintext = os.urandom(300)
    assert plaintext == party.we_decrypt(party.sdk_encrypts(plaintext, NEW[0], frame_length))[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_the_sdk_opens_what_we_write(party: Party, size: int, *, signed: bool) -> None:
    plaintext = os.urandom(size)
    found, context = party.sdk_decrypts(party.we_encrypt(plaintext, signed=signed))
    assert (plaintext, CONTEXT) == (found, context_of(context))
    assert signed == (context != CONTEXT)


@pytest.mark.parametrize("frame_length", [1, 7, encrypting.FRAME_LENGTH, 1 << 20])
def test_the_sdk_opens_frames_of_any_length(party: Party, frame_length: int) -> None:
    plaintext = os.urandom(min(600_000, 150 * frame_length))
    assert plaintext == party.sdk_decrypts(party.we_encrypt(plaintext, frame_length))[0]


@pytest.mark.parametrize("key", [0, 1])
def test_any_of_several_keys_opens_a_message_on_both_sides(party: Party, key: int) -> None:
    plaintext = os.urandom(10)
    assert plaintext == party.sdk_decrypts(party.we_encrypt(plaintext, keys=2), key)[0]
    assert plaintext == party.we_decrypt(party.sdk_encrypts(plaintext, NEW[0], keys=2), key)[0]


@pytest.mark.parametrize("place", [5, -1, -FRAME], ids=["message id", "tag", "ciphertext"])
def test_both_refuse_a_changed_bit(party: Party, place: int) -> None:
    message = bytearray(party.we_encrypt(bytes(3 * FRAME)))
    message[place] ^= 1
    with pytest.raises((InvalidTag, AWSEncryptionSDKClientError)):
        party.sdk_decrypts(bytes(message))
    with pytest.raises(errors.BrokenMessageError):
        party.we_decrypt(bytes(message))
