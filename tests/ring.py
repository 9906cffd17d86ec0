"""A vault whose keys are made when a test first asks for them, and a good request of each operation that uses keys.

Making an RSA key is slow, so the tests of one process share a ring (fixture `ring`) and change no key in it. A test
that changes keys takes a ring of its own (`own_ring`).
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kmscli.model.specs import (
    ENCAPSULATE_DECAPSULATE,
    ENCRYPT_DECRYPT,
    GENERATE_VERIFY_MAC,
    KEY_AGREEMENT,
    KEY_SPECS,
    SIGN_VERIFY,
    SYMMETRIC,
)
from kmscli.service.context import Call
from kmscli.service.materials import current, open_version
from tests.helpers import Home

MESSAGE = b"a message of some length, which is signed, encrypted and authenticated"
ADMIN = "arn:aws:iam::000000000000:user/admin"

CHEAPEST: dict[str, str] = {
    ENCRYPT_DECRYPT: SYMMETRIC,
    SIGN_VERIFY: "ECC_NIST_P256",
    GENERATE_VERIFY_MAC: "HMAC_256",
    KEY_AGREEMENT: "ECC_NIST_P256",
    ENCAPSULATE_DECAPSULATE: "ML_KEM_768",
}
"""KeyUsage -> a spec that has it and whose keys are made at once."""

USAGES: dict[str, str] = {
    "Encrypt": ENCRYPT_DECRYPT,
    "Decrypt": ENCRYPT_DECRYPT,
    "ReEncrypt": ENCRYPT_DECRYPT,
    "GenerateDataKey": ENCRYPT_DECRYPT,
    "GenerateDataKeyWithoutPlaintext": ENCRYPT_DECRYPT,
    "GenerateDataKeyPair": ENCRYPT_DECRYPT,
    "GenerateDataKeyPairWithoutPlaintext": ENCRYPT_DECRYPT,
    "Sign": SIGN_VERIFY,
    "Verify": SIGN_VERIFY,
    "GenerateMac": GENERATE_VERIFY_MAC,
    "VerifyMac": GENERATE_VERIFY_MAC,
    "DeriveSharedSecret": KEY_AGREEMENT,
    "Encapsulate": ENCAPSULATE_DECAPSULATE,
    "Decapsulate": ENCAPSULATE_DECAPSULATE,
}
"""Operation that uses key material -> the KeyUsage that it needs."""

ALGORITHM_OF: dict[str, tuple[str, str]] = {
    "Encrypt": ("EncryptionAlgorithm", "RSAES_OAEP_SHA_256"),
    "Decrypt": ("EncryptionAlgorithm", "RSAES_OAEP_SHA_256"),
    "ReEncrypt": ("SourceEncryptionAlgorithm", "RSAES_OAEP_SHA_256"),
    "Sign": ("SigningAlgorithm", "ECDSA_SHA_512"),
    "Verify": ("SigningAlgorithm", "ECDSA_SHA_512"),
    "GenerateMac": ("MacAlgorithm", "HMAC_SHA_512"),
    "VerifyMac": ("MacAlgorithm", "HMAC_SHA_512"),
}
"""Operation whose algorithm can be one that the key does not have -> the member, and such an algorithm."""


def usages() -> list[tuple[str, str]]:
    """Every spec with every usage."""
    return [(spec, usage) for spec, row in KEY_SPECS.items() for usage in row.usages]


def algorithms(usage: str) -> list[tuple[str, str]]:
    """Every spec that has a usage with every algorithm of it."""
    return [(spec, name) for spec, row in KEY_SPECS.items() for name in row.usages.get(usage, ())]


class Ring(Home):
    """A vault with one key, or more, of each spec and usage."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._keys: dict[tuple[str, str, int], str] = {}

    def key(self, spec: str, usage: str, number: int = 0) -> str:
        """The id of a key; `number` tells several of one kind apart."""
        place = (spec, usage, number)
        if place not in self._keys:
            self._keys[place] = self.create_key(KeySpec=spec, KeyUsage=usage)
        return self._keys[place]

    def cheap(self, usage: str, number: int = 0) -> str:
        """The id of a key with a usage, of the spec in CHEAPEST."""
        return self.key(CHEAPEST[usage], usage, number)

    def public_der(self, key: str) -> bytes:
        """The public key, as GetPublicKey tells it."""
        der = self.perform("GetPublicKey", KeyId=key).public_key
        assert isinstance(der, bytes)
        return der

    def public(self, key: str) -> Any:
        """The public key as an object of the library that everybody has."""
        return load_der_public_key(self.public_der(key))

    def material(self, key: str) -> bytes:
        """The material, taken out of the vault past its operations."""
        session = self.context.session
        with session.read() as records:
            call = Call(self.context, "GetPublicKey", records, self.clock())
            group = call.find(key)
            return open_version(call, group, current(group))

    def bring(self, spec: str, usage: str, material: bytes, algorithm: str = "RSA_AES_KEY_WRAP_SHA_256") -> str:
        """The id of a new key with material of the test's own."""
        key = self.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")
        given = self.perform(
            "GetParametersForImport", KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048"
        )
        self.perform(
            "ImportKeyMaterial",
            KeyId=key,
            ImportToken=given.import_token,
            EncryptedKeyMaterial=wrapped(given.public_key, material, algorithm),
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        )
        return key

    def request(self, operation: str) -> dict[str, Any]:
        """Members of a request that succeeds, once; its key is `cheap`."""
        members: dict[str, Any] = {"KeyId": self.cheap(USAGES.get(operation, ENCRYPT_DECRYPT))}
        make = getattr(self, f"_{operation}", None)
        return members if make is None else make(members)

    def _Encrypt(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - the operation's name
        return members | {"Plaintext": MESSAGE}

    def _Decrypt(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return members | {"CiphertextBlob": self.perform("Encrypt", **members, Plaintext=MESSAGE).ciphertext_blob}

    def _ReEncrypt(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        made = self._Decrypt(members)["CiphertextBlob"]
        return {"SourceKeyId": members["KeyId"], "DestinationKeyId": members["KeyId"], "CiphertextBlob": made}

    def _GenerateDataKey(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return members | {"KeySpec": "AES_256"}

    _GenerateDataKeyWithoutPlaintext = _GenerateDataKey

    def _GenerateDataKeyPair(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return members | {"KeyPairSpec": "ECC_NIST_P256"}

    _GenerateDataKeyPairWithoutPlaintext = _GenerateDataKeyPair

    def _GenerateRandom(self, _: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"NumberOfBytes": 32}

    def _Sign(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return members | {"Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}

    def _Verify(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        signing = self._Sign(members)
        return signing | {"Signature": self.perform("Sign", **signing).signature}

    def _GenerateMac(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return members | {"Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}

    def _VerifyMac(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        generating = self._GenerateMac(members)
        return generating | {"Mac": self.perform("GenerateMac", **generating).mac}

    def _DeriveSharedSecret(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        peer = self.public_der(self.cheap(KEY_AGREEMENT, 1))
        return members | {"KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}

    def _Encapsulate(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return members | {"EncapsulationAlgorithm": "ML_KEM"}

    def _Decapsulate(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        encapsulating = self._Encapsulate(members)
        made = self.perform("Encapsulate", **encapsulating).shared_secret_ciphertext_blob
        return encapsulating | {"SharedSecretCiphertextBlob": made}

    def _GetPublicKey(self, _: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"KeyId": self.cheap(SIGN_VERIFY)}

    def _CreateGrant(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return members | {"GranteePrincipal": ADMIN, "Operations": ["Encrypt"]}

    def _RetireGrant(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return members | {"GrantId": self.perform("CreateGrant", **self._CreateGrant(members)).grant_id}

    _RevokeGrant = _RetireGrant


def wrapped(public_der: bytes, material: bytes, algorithm: str) -> bytes:
    """Material wrapped for an import, by the library alone."""
    public = load_der_public_key(public_der)
    assert isinstance(public, rsa.RSAPublicKey)
    chosen: hashes.HashAlgorithm = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()  # noqa: S303
    oaep = padding.OAEP(padding.MGF1(chosen), chosen, None)
    if algorithm.startswith("RSAES"):
        return public.encrypt(material, oaep)
    return public.encrypt(bytes(range(32)), oaep) + keywrap.aes_key_wrap_with_padding(bytes(range(32)), material)


def logged(home: Home, *secrets: bytes) -> list[bytes]:
    """Those of the secrets that the log holds in some form."""
    log = b"\n".join(home.raw_lines())
    return [secret for secret in secrets if any(form in log for form in _forms(secret))]


def _forms(secret: bytes) -> Iterator[bytes]:
    """A secret as it may be written; base64 has three cores, by where in longer data the secret begins."""
    yield secret
    yield from (secret.hex().encode(), secret.hex().upper().encode(), repr(secret)[2:-1].encode())
    for shift in range(3):
        core = base64.b64encode(bytes(shift) + secret)[4 if shift else 0 :].rstrip(b"=")[:-1]
        yield from (core, core.replace(b"+", b"-").replace(b"/", b"_"))


def blobs(members: dict[str, Any]) -> list[bytes]:
    """The members of a request or an answer that are bytes."""
    return [value for value in members.values() if isinstance(value, bytes)]


@pytest.fixture(scope="session")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    """The ring that the tests of one process share; they change no key in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("ring-state")))
        made = Ring(tmp_path_factory.mktemp("ring"))
        made.init()
        made.key(SYMMETRIC, ENCRYPT_DECRYPT)
    yield made
    made.close()


@pytest.fixture
def own_ring(tmp_path: Path) -> Iterator[Ring]:
    """A ring whose keys the test may change."""
    made = Ring(tmp_path)
    made.init()
    yield made
    made.close()
