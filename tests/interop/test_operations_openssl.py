"""Whole operations and the openssl program understand each other: what users do with keys on both sides.

The primitives are compared in test_openssl.py; here requests are checked, keys are found, blobs and tokens made.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kmscli.model.specs import (
    ENCRYPT_DECRYPT,
    GENERATE_VERIFY_MAC,
    KEY_AGREEMENT,
    KEY_SPECS,
    OAEP_HASHES,
    SIGN_VERIFY,
    SYMMETRIC,
    WRAPPING_ALGORITHMS,
)
from tests.ring import MESSAGE, Ring, algorithms

pytestmark = pytest.mark.needs("openssl")

run_openssl = Callable[..., bytes]

SMALL = {"rsa", "ecc", "eddsa"}
"""Families that the openssl of every distribution knows; the lattices came with 3.5."""
LARGE = {"RSA_3072", "RSA_4096"}
SIGNS = [
    (spec, name) for spec, name in algorithms(SIGN_VERIFY) if KEY_SPECS[spec].family in SMALL and spec not in LARGE
]
HASHED = [(spec, name) for spec, name in SIGNS if KEY_SPECS[spec].family != "eddsa"]
CURVES = {"ECC_NIST_P256": "P-256", "ECC_NIST_P384": "P-384", "ECC_NIST_P521": "P-521", "ECC_SECG_P256K1": "secp256k1"}
PAIRS = [spec for spec, row in KEY_SPECS.items() if row.pairs and row.family in SMALL and spec not in LARGE]
DIRECT = [name for name, row in WRAPPING_ALGORITHMS.items() if not row.two_steps]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "message").write_bytes(MESSAGE)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> run_openssl:
    """Run openssl in the folder of the test; its standard output is the answer."""

    def run(*words: str, fails: bool = False) -> bytes:
        done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False)
        assert (done.returncode != 0) == fails, done.stderr.decode()
        return done.stdout

    return run


def hash_of(name: str) -> str:
    return f"sha{name.rpartition('_')[2]}"


def pss(name: str) -> list[str]:
    """What `openssl dgst` must be told for PSS; it is nothing for the other schemes."""
    if "_PSS_" not in name:
        return []
    return ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]


def made_by_openssl(spec: str, folder: Path, run: run_openssl) -> bytes:
    """A new private key of a spec, PKCS #8 DER, also in the file `made.pem`."""
    if spec in CURVES:
        chosen = ["EC", "-pkeyopt", f"ec_paramgen_curve:{CURVES[spec]}"]
    elif KEY_SPECS[spec].family == "rsa":
        chosen = ["RSA", "-pkeyopt", f"rsa_keygen_bits:{KEY_SPECS[spec].parameter}"]
    else:
        chosen = ["ED25519"]
    (folder / "made.pem").write_bytes(run("genpkey", "-algorithm", *chosen))
    return run("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", "made.pem")


def wrapped(name: str, public: bytes, material: bytes, folder: Path, run: run_openssl) -> bytes:
    """Key material, wrapped by openssl as AWS's developer guide has it."""
    (folder / "wrapping.der").write_bytes(public)
    (folder / "material.bin").write_bytes(material)
    hash_name = WRAPPING_ALGORITHMS[name].hash
    oaep = ["rsa_padding_mode:oaep", f"rsa_oaep_md:{hash_name}", f"rsa_mgf1_md:{hash_name}"]
    encrypt = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "wrapping.der"]
    encrypt += [word for option in oaep for word in ("-pkeyopt", option)]
    if name in DIRECT:
        return run(*encrypt, "-in", "material.bin")
    (folder / "aes.bin").write_bytes(aes := os.urandom(32))
    inner = run("enc", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K", aes.hex(), "-in", "material.bin")
    return run(*encrypt, "-in", "aes.bin") + inner


Bring = Callable[..., str]


@pytest.fixture
def bring(ring: Ring, folder: Path, run: run_openssl) -> Bring:
    """Import material that openssl wrapped; the answer is the new key."""

    def bring(
        spec: str, usage: str, material: bytes, name: str = "RSA_AES_KEY_WRAP_SHA_256", wrapping: str = "RSA_2048"
    ) -> str:
        key = ring.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")
        import_into(ring, key, material, name, wrapping, folder=folder, run=run)
        return key

    return bring


def import_into(
    ring: Ring, key: str, material: bytes, name: str, wrapping: str, *, folder: Path, run: run_openssl, **members: Any
) -> None:
    given = ring.perform("GetParametersForImport", KeyId=key, WrappingAlgorithm=name, WrappingKeySpec=wrapping)
    ring.perform(
        "ImportKeyMaterial",
        KeyId=key,
        ImportToken=given.import_token,
        EncryptedKeyMaterial=wrapped(name, given.public_key, material, folder, run),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        **members,
    )


def verified_by_openssl(name: str, folder: Path, run: run_openssl, signature: bytes) -> None:
    """Check a signature of `message` with the public key in `public.der`, and that another message fails."""
    (folder / "signature").write_bytes(signature)
    if "ED25519" in name:
        key = ["-verify", "-pubin", "-keyform", "DER", "-inkey", "public.der"]
        words = ["pkeyutl", *key, "-rawin", "-sigfile", "signature", "-in"]
    else:
        key = ["-verify", "public.der", "-keyform", "DER"]
        words = ["dgst", f"-{hash_of(name)}", *key, *pss(name), "-signature", "signature"]
    run(*words, "message")
    (folder / "other").write_bytes(MESSAGE + b".")
    run(*words, "other", fails=True)


# -- signatures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "name"), SIGNS)
def test_openssl_verifies_what_is_signed_here(spec: str, name: str, ring: Ring, folder: Path, run: run_openssl) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    (folder / "public.der").write_bytes(ring.public_der(key))
    signature = ring.perform("Sign", KeyId=key, Message=MESSAGE, SigningAlgorithm=name).signature
    verified_by_openssl(name, folder, run, signature)


@pytest.mark.parametrize(("spec", "name"), HASHED)
def test_a_digest_that_openssl_made_is_signed_here(
    spec: str, name: str, ring: Ring, folder: Path, run: run_openssl
) -> None:
    key = ring.key(spec, SIGN_VERIFY)
    (folder / "public.der").write_bytes(ring.public_der(key))
    digest = run("dgst", f"-{hash_of(name)}", "-binary", "message")
    asked = {"KeyId": key, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": name}
    verified_by_openssl(name, folder, run, ring.perform("Sign", **asked).signature)


@pytest.mark.parametrize(("spec", "name"), SIGNS)
def test_what_openssl_signs_with_a_key_that_was_brought_verifies_here(
    spec: str, name: str, ring: Ring, folder: Path, run: run_openssl, bring: Bring
) -> None:
    key = bring(spec, SIGN_VERIFY, made_by_openssl(spec, folder, run))
    if "ED25519" in name:
        signature = run("pkeyutl", "-sign", "-inkey", "made.pem", "-rawin", "-in", "message")
    else:
        signature = run("dgst", f"-{hash_of(name)}", "-sign", "made.pem", *pss(name), "message")
    asked = {"KeyId": key, "Signature": signature, "SigningAlgorithm": name}
    assert ring.perform("Verify", **asked, Message=MESSAGE).signature_valid
    assert "KMSInvalidSignatureException" == ring.refused("Verify", **asked, Message=MESSAGE + b".").code


@pytest.mark.parametrize("spec", dict(SIGNS))
def test_a_key_that_was_brought_signs_for_its_owner(
    spec: str, ring: Ring, folder: Path, run: run_openssl, bring: Bring
) -> None:
    key = bring(spec, SIGN_VERIFY, made_by_openssl(spec, folder, run))
    (folder / "public.der").write_bytes(run("pkey", "-in", "made.pem", "-pubout", "-outform", "DER"))
    assert (folder / "public.der").read_bytes() == ring.public_der(key)
    for name in KEY_SPECS[spec].usages[SIGN_VERIFY]:
        signature = ring.perform("Sign", KeyId=key, Message=MESSAGE, SigningAlgorithm=name).signature
        verified_by_openssl(name, folder, run, signature)


# -- encryption --------------------------------------------------------------------------------------------------------


def oaep(hash_name: str) -> list[str]:
    options = ["rsa_padding_mode:oaep", f"rsa_oaep_md:{hash_name}", f"rsa_mgf1_md:{hash_name}"]
    return [word for option in options for word in ("-pkeyopt", option)]


@pytest.mark.parametrize(("name", "hash_name"), OAEP_HASHES.items())
@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072"])
def test_what_openssl_encrypts_decrypts_here(
    spec: str, name: str, hash_name: str, ring: Ring, folder: Path, run: run_openssl
) -> None:
    key = ring.key(spec, ENCRYPT_DECRYPT)
    (folder / "public.der").write_bytes(ring.public_der(key))
    encrypt = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "public.der", "-in", "message"]
    asked = {"KeyId": key, "CiphertextBlob": run(*encrypt, *oaep(hash_name)), "EncryptionAlgorithm": name}
    assert MESSAGE == ring.perform("Decrypt", **asked).plaintext


@pytest.mark.parametrize(("name", "hash_name"), OAEP_HASHES.items())
def test_what_is_encrypted_here_openssl_decrypts_with_the_key_that_was_brought(
    name: str, hash_name: str, ring: Ring, folder: Path, run: run_openssl, bring: Bring
) -> None:
    key = bring("RSA_2048", ENCRYPT_DECRYPT, made_by_openssl("RSA_2048", folder, run))
    blob = ring.perform("Encrypt", KeyId=key, Plaintext=MESSAGE, EncryptionAlgorithm=name).ciphertext_blob
    (folder / "ciphertext").write_bytes(blob)
    assert MESSAGE == run("pkeyutl", "-decrypt", "-inkey", "made.pem", "-in", "ciphertext", *oaep(hash_name))


@pytest.mark.parametrize("spec", PAIRS)
def test_openssl_reads_a_data_key_pair(spec: str, ring: Ring, folder: Path, run: run_openssl) -> None:
    answer = ring.perform("GenerateDataKeyPair", KeyId=ring.key(SYMMETRIC, ENCRYPT_DECRYPT), KeyPairSpec=spec)
    opened = ring.perform("Decrypt", CiphertextBlob=answer.private_key_ciphertext_blob).plaintext
    (folder / "private.der").write_bytes(opened)
    run("pkey", "-inform", "DER", "-in", "private.der", "-check", "-noout")
    public = run("pkey", "-inform", "DER", "-in", "private.der", "-pubout", "-outform", "DER")
    assert answer.public_key == public


# -- agreement ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", dict(algorithms(KEY_AGREEMENT)))
def test_openssl_and_a_key_here_agree(spec: str, ring: Ring, folder: Path, run: run_openssl) -> None:
    key = ring.key(spec, KEY_AGREEMENT)
    made_by_openssl(spec, folder, run)
    (folder / "here.der").write_bytes(ring.public_der(key))
    run("pkey", "-pubin", "-inform", "DER", "-in", "here.der", "-out", "here.pem")
    theirs = run("pkeyutl", "-derive", "-inkey", "made.pem", "-peerkey", "here.pem")
    peer = run("pkey", "-in", "made.pem", "-pubout", "-outform", "DER")
    answer = ring.perform("DeriveSharedSecret", KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
    assert theirs == answer.shared_secret


# -- bring your own key ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRAPPING_ALGORITHMS)
@pytest.mark.parametrize("spec", [spec for spec, row in KEY_SPECS.items() if row.family == "mac"])
def test_an_hmac_key_that_was_brought_makes_the_macs_of_its_owner(
    spec: str, name: str, ring: Ring, run: run_openssl, bring: Bring
) -> None:
    row = KEY_SPECS[spec]
    (algorithm,) = row.usages[GENERATE_VERIFY_MAC]
    material = run("rand", str(row.parameter))
    key = bring(spec, GENERATE_VERIFY_MAC, material, name)
    owner = run(
        "dgst", f"-{hash_of(algorithm)}", "-mac", "HMAC", "-macopt", f"hexkey:{material.hex()}", "-binary", "message"
    )
    assert owner == ring.perform("GenerateMac", KeyId=key, Message=MESSAGE, MacAlgorithm=algorithm).mac
    assert ring.perform("VerifyMac", KeyId=key, Message=MESSAGE, Mac=owner, MacAlgorithm=algorithm).mac_valid


@pytest.mark.parametrize("name", WRAPPING_ALGORITHMS)
def test_an_aes_key_that_was_brought_comes_back_with_its_material(
    name: str, ring: Ring, folder: Path, run: run_openssl, bring: Bring
) -> None:
    material = run("rand", "32")
    key = bring(SYMMETRIC, ENCRYPT_DECRYPT, material, name)
    blob = ring.perform("Encrypt", KeyId=key, Plaintext=MESSAGE).ciphertext_blob
    assert material == ring.material(key)
    ring.perform("DeleteImportedKeyMaterial", KeyId=key)
    assert "KMSInvalidStateException" == ring.refused("Decrypt", CiphertextBlob=blob).code
    import_into(ring, key, material, name, "RSA_2048", folder=folder, run=run)
    assert MESSAGE == ring.perform("Decrypt", CiphertextBlob=blob).plaintext


@pytest.mark.parametrize("wrapping", ["RSA_2048", "RSA_3072", "RSA_4096"])
@pytest.mark.parametrize("name", WRAPPING_ALGORITHMS)
def test_material_comes_under_each_kind_of_wrapping_key(
    name: str, wrapping: str, ring: Ring, run: run_openssl, bring: Bring
) -> None:
    material = run("rand", "32")
    assert material == ring.material(bring(SYMMETRIC, ENCRYPT_DECRYPT, material, name, wrapping))


@pytest.mark.parametrize("name", WRAPPING_ALGORITHMS)
@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"])
def test_a_private_key_on_a_small_curve_is_brought_in_one_step_or_two(
    spec: str, name: str, ring: Ring, folder: Path, run: run_openssl, bring: Bring
) -> None:
    key = bring(spec, SIGN_VERIFY, made_by_openssl(spec, folder, run), name)
    assert run("pkey", "-in", "made.pem", "-pubout", "-outform", "DER") == ring.public_der(key)


@pytest.mark.parametrize("name", [name for name in WRAPPING_ALGORITHMS if name not in DIRECT])
@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
def test_an_rsa_private_key_is_brought_in_two_steps(
    spec: str, name: str, ring: Ring, folder: Path, run: run_openssl, bring: Bring
) -> None:
    key = bring(spec, ENCRYPT_DECRYPT, made_by_openssl(spec, folder, run), name)
    assert run("pkey", "-in", "made.pem", "-pubout", "-outform", "DER") == ring.public_der(key)


@pytest.mark.parametrize("name", WRAPPING_ALGORITHMS)
def test_material_that_was_wrapped_in_another_way_is_refused(
    name: str, ring: Ring, folder: Path, run: run_openssl
) -> None:
    key = ring.create_key(Origin="EXTERNAL")
    given = ring.perform("GetParametersForImport", KeyId=key, WrappingAlgorithm=name, WrappingKeySpec="RSA_2048")
    for other in WRAPPING_ALGORITHMS.keys() - {name}:
        error = ring.refused(
            "ImportKeyMaterial",
            KeyId=key,
            ImportToken=given.import_token,
            EncryptedKeyMaterial=wrapped(other, given.public_key, bytes(range(32)), folder, run),
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        )
        assert ("InvalidCiphertextException", 40) == (error.code, error.exit_code)
    assert "PendingImport" == ring.state_of(key)
