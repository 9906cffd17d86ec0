"""A vault in whose life every operation is used with all that it can take, and what was seen of AWS's model in it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

from kmscli import errors
from kmscli.model import policy
from kmscli.model.grant import GRANT_OPERATIONS, fits
from kmscli.model.specs import KEY_SPECS, SIGNING_ALGORITHMS, WRAPPING_ALGORITHMS
from kmscli.service import managed
from tests import awsmodel
from tests.helpers import Home

TRACKED = awsmodel.SHAPES["KeyLastUsageTrackingOperation"]["enum"]
ALICE = "arn:aws:iam::000000000000:user/alice"
AMAZON = "lambda.amazonaws.com"
KINDS_OF_KEYS = (
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    ("ECC_NIST_P256", "SIGN_VERIFY"),
    ("ECC_NIST_P256", "KEY_AGREEMENT"),
    ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
)
DER = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class Life:
    """What was used, and what was seen.

    Attributes:
        requests: Every request that succeeded: operation and members.
        taken: What of AWS's model they had: (shape, member) and (shape, enum value).
        given: What of it the answers had.
        faults: What was wrong with an answer by the model.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.taken: set[tuple[str, str]] = set()
        self.given: set[tuple[str, str]] = set()
        self.faults: set[str] = set()

    def use(self, operation: str, **members: Any) -> dict[str, Any]:
        """Run an operation that succeeds; a dry run answers nothing."""
        try:
            answer = self.home.answer(operation, **members)
        except errors.DryRunError:
            assert members.get("DryRun")
            answer = {}
        else:
            self._note(operation, answer)
        self.requests.append((operation, members))
        self.taken |= set(awsmodel.seen(awsmodel.input_shape(operation), members))
        if operation in TRACKED and answer:
            self.use("GetKeyLastUsage", KeyId=answer["KeyId"])
        return answer

    def _note(self, operation: str, answer: Mapping[str, Any]) -> None:
        shape = awsmodel.output_shape(operation)
        if shape is None:
            assert not answer
            return
        self.given |= set(awsmodel.seen(shape, answer))
        self.faults |= {f"{operation}{fault}" for fault in awsmodel.faults(shape, answer)}

    def key(self, **members: Any) -> str:
        """A new key."""
        return str(self.use("CreateKey", **members)["KeyMetadata"]["KeyId"])


def live(home: Home) -> Life:
    """Use everything."""
    life = Life(home)
    managed.managed_key(home.context, managed.FILES)
    key_id = _keys(life)
    _encryption(life, key_id)
    _data_keys(life, key_id)
    _signatures(life)
    _macs(life)
    _agreement(life)
    _aliases(life, key_id)
    _grants(life, key_id)
    _policies_and_tags(life, key_id)
    _imports(life)
    _rotation(life, key_id)
    _deletion(life)
    return life


def _keys(life: Life) -> str:
    for spec, row in KEY_SPECS.items():
        for usage in row.usages:
            if row.imports:
                life.key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")
                if row.old_name:
                    life.key(CustomerMasterKeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")
            else:
                life.key(KeySpec=spec, KeyUsage=usage)
    key_id = life.key(
        Policy=policy.default("000000000000"),
        Description="of a test",
        Origin="AWS_KMS",
        BypassPolicyLockoutSafetyCheck=True,
        Tags=[{"TagKey": "Purpose", "TagValue": "Test"}],
        MultiRegion=True,
    )
    for limit in (1, 1000):
        marker = life.use("ListKeys", Limit=limit).get("NextMarker")
        if marker:
            life.use("ListKeys", Marker=marker, ResourceOwners=["SELF", "OTHER_ACCOUNTS_VIA_RAM"])
    life.use("UpdateKeyDescription", KeyId=key_id, Description="of a test, still")
    life.use("DisableKey", KeyId=key_id)
    life.use("DescribeKey", KeyId=key_id, GrantTokens=[])
    life.use("EnableKey", KeyId=key_id)
    life.use("DescribeKey", KeyId=managed.FILES)
    return key_id


def _encryption(life: Life, key_id: str) -> None:
    token = life.use("CreateGrant", KeyId=key_id, GranteePrincipal=ALICE, Operations=["Decrypt"])["GrantToken"]
    more = {"EncryptionContext": {"a": "b"}, "GrantTokens": [token]}
    blob = life.use("Encrypt", KeyId=key_id, Plaintext=b"x", **more)["CiphertextBlob"]
    life.use("Decrypt", CiphertextBlob=blob, KeyId=key_id, **more)
    pair = life.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    life.use("GetPublicKey", KeyId=pair, GrantTokens=[token])
    for key, algorithm in ((key_id, "SYMMETRIC_DEFAULT"), (pair, "RSAES_OAEP_SHA_1"), (pair, "RSAES_OAEP_SHA_256")):
        one = {"KeyId": key, "EncryptionAlgorithm": algorithm}
        made = life.use("Encrypt", Plaintext=b"x", **one)["CiphertextBlob"]
        life.use("Decrypt", CiphertextBlob=made, **one)
        life.use(
            "ReEncrypt",
            CiphertextBlob=made,
            SourceKeyId=key,
            SourceEncryptionAlgorithm=algorithm,
            DestinationKeyId=key,
            DestinationEncryptionAlgorithm=algorithm,
            GrantTokens=[token],
        )
    life.use("Encrypt", KeyId=key_id, Plaintext=b"x", DryRun=True)
    ignoring = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    life.use("Decrypt", KeyId=key_id, **ignoring)
    life.use("ReEncrypt", SourceKeyId=key_id, DestinationKeyId=key_id, **ignoring)
    contexts = {"SourceEncryptionContext": {"a": "b"}, "DestinationEncryptionContext": {"c": "d"}}
    life.use("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=key_id, **contexts)


def _data_keys(life: Life, key_id: str) -> None:
    token = life.use("CreateGrant", KeyId=key_id, GranteePrincipal=ALICE, Operations=["Decrypt"])["GrantToken"]
    more = {"EncryptionContext": {"a": "b"}, "GrantTokens": [token], "KeyId": key_id}
    for operation in ("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"):
        life.use(operation, NumberOfBytes=64, **more)
        life.use(operation, KeySpec="AES_128", **more)
        life.use(operation, KeySpec="AES_256", DryRun=True, **more)
    for spec, row in KEY_SPECS.items():
        if row.pairs:
            life.use("GenerateDataKeyPair", KeyPairSpec=spec, **more)
            life.use("GenerateDataKeyPairWithoutPlaintext", KeyPairSpec=spec, **more, DryRun=True)
    life.use("GenerateDataKeyPair", KeyPairSpec="RSA_2048", **more, DryRun=True)
    life.use("GenerateDataKeyPairWithoutPlaintext", KeyPairSpec="ECC_NIST_P256", **more)
    life.use("GenerateRandom", NumberOfBytes=1)


def _signatures(life: Life) -> None:
    made: dict[str, str] = {}
    for name, algorithm in SIGNING_ALGORITHMS.items():
        spec = next(spec for spec, row in KEY_SPECS.items() if name in row.usages.get("SIGN_VERIFY", ()))
        key_id = made.get(spec) or life.key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
        if spec not in made:
            life.use("GetPublicKey", KeyId=key_id)
        made[spec] = key_id
        for kind, length in algorithm.messages.items():
            signed = {"KeyId": key_id, "Message": b"m" * (length or 1), "MessageType": kind, "SigningAlgorithm": name}
            signature = life.use("Sign", **signed, GrantTokens=[])["Signature"]
            life.use("Verify", **signed, Signature=signature, GrantTokens=[])
            life.use("Sign", **signed, DryRun=True)
            life.use("Verify", **signed, Signature=signature, DryRun=True)


def _macs(life: Life) -> None:
    for bits in (224, 256, 384, 512):
        key_id = life.key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")
        asked = {"KeyId": key_id, "Message": b"m", "MacAlgorithm": f"HMAC_SHA_{bits}"}
        mac = life.use("GenerateMac", **asked, GrantTokens=[])["Mac"]
        life.use("VerifyMac", **asked, Mac=mac, GrantTokens=[])
        life.use("GenerateMac", **asked, DryRun=True)
        life.use("VerifyMac", **asked, Mac=mac, DryRun=True)


def _agreement(life: Life) -> None:
    key_id = life.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    life.use("GetPublicKey", KeyId=key_id)
    peer = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*DER)
    asked: dict[str, Any] = {"KeyId": key_id, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}
    life.use("DeriveSharedSecret", **asked, GrantTokens=[])
    life.use("DeriveSharedSecret", **asked, DryRun=True)
    kem = life.key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    life.use("GetPublicKey", KeyId=kem)
    asked = {"KeyId": kem, "EncapsulationAlgorithm": "ML_KEM"}
    made = life.use("Encapsulate", **asked, GrantTokens=[])["SharedSecretCiphertextBlob"]
    life.use("Decapsulate", **asked, SharedSecretCiphertextBlob=made, GrantTokens=[])
    life.use("Encapsulate", **asked, DryRun=True)
    life.use("Decapsulate", **asked, SharedSecretCiphertextBlob=made, DryRun=True)


def _aliases(life: Life, key_id: str) -> None:
    for name in ("alias/first", "alias/second"):
        life.use("CreateAlias", AliasName=name, TargetKeyId=key_id)
    marker = life.use("ListAliases", KeyId=key_id, Limit=1)["NextMarker"]
    life.use("ListAliases", Marker=marker)
    life.use("UpdateAlias", AliasName="alias/first", TargetKeyId=life.key())
    life.use("DeleteAlias", AliasName="alias/first")


def _grants(life: Life, key_id: str) -> None:
    asked = {"KeyId": key_id, "GranteePrincipal": ALICE, "RetiringPrincipal": ALICE, "Operations": ["Encrypt"]}
    made = [
        life.use("CreateGrant", **asked, Constraints={"EncryptionContextEquals": {"a": "b"}}, Name="one"),
        life.use("CreateGrant", **asked, Constraints={"EncryptionContextSubset": {"a": "b"}}, GrantTokens=[]),
    ]
    life.use("CreateGrant", **asked, DryRun=True)
    for spec, usage in KINDS_OF_KEYS:
        key = life.key(KeySpec=spec, KeyUsage=usage)
        operations = [name for name in GRANT_OPERATIONS if fits(name, key_spec=spec, key_usage=usage)]
        life.use("CreateGrant", KeyId=key, GranteePrincipal=ALICE, Operations=operations)
        life.use("ListGrants", KeyId=key)
    marker = life.use("ListGrants", KeyId=key_id, Limit=1)["NextMarker"]
    life.use("ListGrants", KeyId=key_id, Marker=marker)
    life.use("ListGrants", KeyId=key_id, GrantId=made[0]["GrantId"], GranteePrincipal=ALICE)
    marker = life.use("ListRetirableGrants", RetiringPrincipal=ALICE, Limit=1)["NextMarker"]
    life.use("ListRetirableGrants", RetiringPrincipal=ALICE, Marker=marker)
    life.use("ListGrants", KeyId=key_id, GranteeServicePrincipal=AMAZON)
    life.use("ListRetirableGrants", RetiringServicePrincipal=AMAZON)
    named = {"KeyId": life.home.arn(key_id), "GrantId": made[0]["GrantId"]}
    life.use("RetireGrant", **named, DryRun=True)
    life.use("RevokeGrant", **named, DryRun=True)
    life.use("RetireGrant", GrantToken=made[1]["GrantToken"])
    life.use("RevokeGrant", **named)


def _policies_and_tags(life: Life, key_id: str) -> None:
    text = policy.default("000000000000")
    life.use("PutKeyPolicy", KeyId=key_id, PolicyName="default", Policy=text, BypassPolicyLockoutSafetyCheck=True)
    life.use("GetKeyPolicy", KeyId=key_id, PolicyName="default")
    life.use("ListKeyPolicies", KeyId=key_id, Limit=1)
    life.use("TagResource", KeyId=key_id, Tags=[{"TagKey": "a", "TagValue": ""}, {"TagKey": "b", "TagValue": "c"}])
    marker = life.use("ListResourceTags", KeyId=key_id, Limit=1)["NextMarker"]
    life.use("ListResourceTags", KeyId=key_id, Marker=marker)
    life.use("UntagResource", KeyId=key_id, TagKeys=["a", "b"])


def wrapped(public_key: bytes, material: bytes, algorithm: str) -> bytes:
    """Key material as ImportKeyMaterial takes it, made without any code of kms."""
    public = serialization.load_der_public_key(public_key)
    assert isinstance(public, rsa.RSAPublicKey)
    digest = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()  # noqa: S303 - AWS's choice
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    if not algorithm.startswith("RSA_AES"):
        return public.encrypt(material, oaep)
    return public.encrypt(bytes(32), oaep) + aes_key_wrap_with_padding(bytes(32), material)


def _imports(life: Life) -> None:
    key_id = life.key(Origin="EXTERNAL")
    ends = life.home.clock() + timedelta(days=30)
    expires = {"ValidTo": ends.replace(microsecond=0), "ExpirationModel": "KEY_MATERIAL_EXPIRES"}
    stays = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}

    def bring(material: bytes, algorithm: str = "RSAES_OAEP_SHA_256", **members: Any) -> str:
        asked = {"KeyId": key_id, "WrappingAlgorithm": algorithm, "WrappingKeySpec": "RSA_2048"}
        given = life.use("GetParametersForImport", **asked)
        blob = wrapped(given["PublicKey"], material, algorithm)
        answer = life.use(
            "ImportKeyMaterial", KeyId=key_id, ImportToken=given["ImportToken"], EncryptedKeyMaterial=blob, **members
        )
        return str(answer["KeyMaterialId"])

    first = bring(b"1" * 32, ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="the first", **expires)
    life.use("DescribeKey", KeyId=key_id)
    life.use("DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId=first)
    life.use("ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    for algorithm in WRAPPING_ALGORITHMS:
        bring(b"1" * 32, algorithm, ImportType="EXISTING_KEY_MATERIAL", KeyMaterialId=first, **stays)
    for spec in ("RSA_3072", "RSA_4096"):
        life.use("GetParametersForImport", KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_1", WrappingKeySpec=spec)
    life.use("DescribeKey", KeyId=key_id)
    bring(b"2" * 32, ImportType="NEW_KEY_MATERIAL", **expires)
    life.use("ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    life.use("RotateKeyOnDemand", KeyId=key_id)
    life.use("ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ROTATIONS_ONLY")
    life.use("DeleteImportedKeyMaterial", KeyId=key_id)


def _rotation(life: Life, key_id: str) -> None:
    life.use("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    life.use("GetKeyRotationStatus", KeyId=key_id)
    life.use("RotateKeyOnDemand", KeyId=key_id)
    life.home.clock.move(days=91)  # type: ignore[attr-defined]
    marker = life.use("ListKeyRotations", KeyId=key_id, Limit=1)["NextMarker"]
    life.use("ListKeyRotations", KeyId=key_id, Marker=marker)
    life.use("DisableKeyRotation", KeyId=key_id)


def _deletion(life: Life) -> None:
    key_id = life.key()
    life.use("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    life.use("DescribeKey", KeyId=key_id)
    life.use("CancelKeyDeletion", KeyId=key_id)
