"""The openssl program and kms understand each other: signatures, RSA-OAEP, ECDH, and wrapped key material.

Its commands are those that AWS's developer guide tells users to type, where it has them.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kmscli import errors
from kmscli.crypto import registry, wrap
from kmscli.crypto.keypair import Pair
from kmscli.model.specs import (
    KEY_AGREEMENT,
    KEY_SPECS,
    OAEP_HASHES,
    SIGN_VERIFY,
    SIGNING_ALGORITHMS,
    WRAPPING_ALGORITHMS,
    SigningAlgorithm,
)

pytestmark = pytest.mark.needs("openssl")

# The program of Debian and Ubuntu knows no lattice scheme before version 3.5.
SIGNS = [
    (spec, name)
    for spec, row in KEY_SPECS.items()
    for name in row.usages.get(SIGN_VERIFY, ())
    if row.family in {"rsa", "ecc", "eddsa"} and spec not in {"RSA_3072", "RSA_4096"}
]
CURVES = [spec for spec, row in KEY_SPECS.items() if row.family == "ecc" and KEY_AGREEMENT in row.usages]
IMPORTED = ["RSA_2048", "RSA_3072", *(spec for spec, row in KEY_SPECS.items() if row.family in {"ecc", "eddsa"})]
MATERIAL = bytes(range(32))

type_run = Callable[..., bytes]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "message").write_bytes(b"a message of some length, which is signed and encrypted")
    return tmp_path


@pytest.fixture
def run(folder: Path) -> type_run:
    """Run openssl in the folder of the test; its standard output is the answer."""

    def run(*words: str, fails: bool = False) -> bytes:
        done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False)
        assert (done.returncode != 0) == fails, done.stderr.decode()
        return done.stdout

    return run


@pytest.fixture
def pair_of(folder: Path) -> Callable[[str], Pair]:
    """Make a key pair of a spec and put it where openssl finds it."""

    def make(spec: str) -> Pair:
        pair = registry.generate(spec)
        (folder / "private").write_bytes(pair.private)
        (folder / "public").write_bytes(pair.public)
        return pair

    return make


def options(row: SigningAlgorithm) -> list[str]:
    """What openssl must be told for an algorithm."""
    if row.scheme == "eddsa":
        return ["-rawin"]
    padding = ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"] if row.scheme == "pss" else []
    return ["-rawin", "-digest", row.hash, *padding]


@pytest.mark.parametrize(("spec", "name"), SIGNS)
def test_openssl_verifies_our_signature(
    spec: str, name: str, folder: Path, run: type_run, pair_of: Callable[[str], Pair]
) -> None:
    row, message = SIGNING_ALGORITHMS[name], (folder / "message").read_bytes()
    private = registry.private_key(spec, pair_of(spec).private)
    (folder / "signature").write_bytes(private.sign(message, row, "RAW"))
    verify = ["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "public", "-sigfile", "signature"]
    run(*verify, *options(row), "-in", "message")
    (folder / "message").write_bytes(message + b".")
    run(*verify, *options(row), "-in", "message", fails=True)


@pytest.mark.parametrize(("spec", "name"), SIGNS)
def test_we_verify_a_signature_of_openssl(
    spec: str, name: str, folder: Path, run: type_run, pair_of: Callable[[str], Pair]
) -> None:
    row, message = SIGNING_ALGORITHMS[name], (folder / "message").read_bytes()
    public = registry.public_key(spec, pair_of(spec).public)
    signature = run("pkeyutl", "-sign", "-keyform", "DER", "-inkey", "private", *options(row), "-in", "message")
    public.verify(message, signature, row, "RAW")
    with pytest.raises(errors.InvalidSignatureError):
        public.verify(message + b".", signature, row, "RAW")


def oaep(hash_name: str) -> list[str]:
    mode = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{hash_name}"]
    return [*mode, "-pkeyopt", f"rsa_mgf1_md:{hash_name}"]


@pytest.mark.parametrize("hash_name", OAEP_HASHES.values())
def test_openssl_decrypts_what_we_encrypt(
    hash_name: str, folder: Path, run: type_run, pair_of: Callable[[str], Pair]
) -> None:
    message = (folder / "message").read_bytes()
    public = registry.public_key("RSA_2048", pair_of("RSA_2048").public)
    (folder / "ciphertext").write_bytes(public.encrypt(message, hash_name))
    decrypt = ["pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", "private", "-in", "ciphertext"]
    assert message == run(*decrypt, *oaep(hash_name))


@pytest.mark.parametrize("hash_name", OAEP_HASHES.values())
def test_we_decrypt_what_openssl_encrypts(
    hash_name: str, folder: Path, run: type_run, pair_of: Callable[[str], Pair]
) -> None:
    private = registry.private_key("RSA_2048", pair_of("RSA_2048").private)
    encrypt = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "public", "-in", "message"]
    assert (folder / "message").read_bytes() == private.decrypt(run(*encrypt, *oaep(hash_name)), hash_name)


@pytest.mark.parametrize("spec", CURVES)
def test_openssl_derives_the_same_secret(
    spec: str, folder: Path, run: type_run, pair_of: Callable[[str], Pair]
) -> None:
    peer = pair_of(spec)
    ours = registry.generate(spec)
    (folder / "ours.der").write_bytes(ours.public)
    run("pkey", "-pubin", "-inform", "DER", "-in", "ours.der", "-out", "ours.pem")
    theirs = run("pkeyutl", "-derive", "-keyform", "DER", "-inkey", "private", "-peerkey", "ours.pem")
    assert theirs == registry.private_key(spec, ours.private).derive(peer.public)


def made_by_openssl(spec: str, folder: Path, run: type_run) -> bytes:
    """A new private key of a spec, PKCS #8 DER."""
    kind = KEY_SPECS[spec]
    chosen = {
        "rsa": ["RSA", "-pkeyopt", f"rsa_keygen_bits:{kind.parameter}"],
        "ecc": ["EC", "-pkeyopt", f"ec_paramgen_curve:{str(kind.parameter).replace('secp256r1', 'P-256')}"],
        "eddsa": ["ED25519"],
    }[kind.family]
    (folder / "made.pem").write_bytes(run("genpkey", "-algorithm", *chosen))
    return run("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", "made.pem")


@pytest.mark.parametrize("spec", IMPORTED)
def test_a_key_that_openssl_made_is_imported(spec: str, folder: Path, run: type_run) -> None:
    (folder / "theirs").write_bytes(made_by_openssl(spec, folder, run))
    public = run("pkey", "-inform", "DER", "-in", "theirs", "-pubout", "-outform", "DER")
    assert public == registry.read_private(spec, (folder / "theirs").read_bytes()).public


def test_a_key_that_openssl_wrote_with_explicit_parameters_is_the_same_key(folder: Path, run: type_run) -> None:
    named = made_by_openssl("ECC_NIST_P384", folder, run)
    run("pkey", "-in", "made.pem", "-out", "explicit.pem", "-ec_param_enc", "explicit")
    explicit = run("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", "explicit.pem")
    assert explicit != named
    assert registry.read_private("ECC_NIST_P384", named) == registry.read_private("ECC_NIST_P384", explicit)


@pytest.mark.parametrize("name", [name for name, row in WRAPPING_ALGORITHMS.items() if not row.two_steps])
def test_material_that_openssl_wrapped_directly_unwraps(
    name: str, folder: Path, run: type_run, pair_of: Callable[[str], Pair]
) -> None:
    row, pair = WRAPPING_ALGORITHMS[name], pair_of("RSA_4096")
    (folder / "material").write_bytes(MATERIAL)
    encrypt = ["pkeyutl", "-encrypt", "-in", "material", "-inkey", "public", "-keyform", "DER", "-pubin"]
    assert MATERIAL == wrap.unwrap(pair.private, run(*encrypt, *oaep(row.hash)), row)


@pytest.mark.parametrize("spec", ["HMAC_256", *IMPORTED])
@pytest.mark.parametrize("name", [name for name, row in WRAPPING_ALGORITHMS.items() if row.two_steps])
def test_material_that_openssl_wrapped_in_two_steps_unwraps(
    name: str, spec: str, folder: Path, run: type_run, pair_of: Callable[[str], Pair]
) -> None:
    row, pair = WRAPPING_ALGORITHMS[name], pair_of("RSA_2048")
    material = MATERIAL if spec == "HMAC_256" else made_by_openssl(spec, folder, run)
    (folder / "material").write_bytes(material)
    (folder / "aes").write_bytes(aes := os.urandom(32))
    inner = run("enc", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K", aes.hex(), "-in", "material")
    encrypt = ["pkeyutl", "-encrypt", "-in", "aes", "-inkey", "public", "-keyform", "DER", "-pubin"]
    assert material == wrap.unwrap(pair.private, run(*encrypt, *oaep(row.hash)) + inner, row)


def test_openssl_opens_a_wrapping_key_as_a_public_key(folder: Path, run: type_run) -> None:
    (folder / "public").write_bytes(wrap.new_wrapping_key(3072).public)
    assert b"(3072 bit)" in run("pkey", "-pubin", "-inform", "DER", "-in", "public", "-noout", "-text_pub")


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256"])
def test_the_older_encoding_of_openssl_is_refused_with_the_command_that_converts_it(
    spec: str, folder: Path, run: type_run
) -> None:
    (folder / "theirs").write_bytes(made_by_openssl(spec, folder, run))
    older = run("pkey", "-inform", "DER", "-in", "theirs", "-traditional", "-outform", "DER")
    with pytest.raises(errors.IncorrectKeyMaterialError) as refused:
        registry.read_private(spec, older)
    command = refused.value.hint.split("`")[1].split()
    (folder / "older").write_bytes(older)
    registry.read_private(spec, run(*command[1:], "-inform", "DER", "-in", "older"))
