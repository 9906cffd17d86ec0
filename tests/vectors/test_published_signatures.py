"""Signatures that others published: CAVP (RSA, ECDSA), RFC 8032's author (Ed25519), known answers of ML-DSA."""

import hashlib
from itertools import islice

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa as library
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography_vectors import open_vector_file

from kmscli import errors
from kmscli.crypto import ecc, eddsa, mldsa, rsa
from kmscli.model.specs import SIGNING_ALGORITHMS, SigningAlgorithm
from tests.vectors import published

BITS = {"SHA256": 256, "SHA384": 384, "SHA512": 512}
CURVES = {
    "P-256,SHA-256": ("secp256r1", ec.SECP256R1(), "ECDSA_SHA_256"),
    "P-384,SHA-384": ("secp384r1", ec.SECP384R1(), "ECDSA_SHA_384"),
    "P-521,SHA-512": ("secp521r1", ec.SECP521R1(), "ECDSA_SHA_512"),
    "K-256,SHA-256": ("secp256k1", ec.SECP256K1(), "ECDSA_SHA_256"),
}
ED25519 = SIGNING_ALGORITHMS["ED25519_SHA_512"]
ML_DSA = SIGNING_ALGORITHMS["ML_DSA_SHAKE_256"]


def spki(key: library.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def holds(public: object, message: bytes, signature: bytes, row: SigningAlgorithm) -> bool:
    """Whether a signature holds over the message, and over its digest: the two must agree."""
    answers: dict[str, bool] = {}
    for message_type, given in (("RAW", message), ("DIGEST", hashlib.new(row.hash, message).digest())):
        try:
            public.verify(given, signature, row, message_type)
        except errors.InvalidSignatureError:
            answers[message_type] = False
        else:
            answers[message_type] = True
    assert answers["RAW"] == answers["DIGEST"]
    return answers["RAW"]


def rsa_cases(file: str) -> list[dict[str, str]]:
    every = published.cases(f"asymmetric/RSA/FIPS_186-2/{file}")
    return [case for case in every if case["SHAAlg"] in BITS and len(case["n"]) >= 512]


def rsa_public(case: dict[str, str]) -> rsa.PublicKey:
    key = library.RSAPublicNumbers(int(case["e"], 16), int(case["n"], 16)).public_key()
    return rsa.public_key(key.key_size, spki(key))


def test_pkcs1_signatures_of_cavp_hold_or_not_as_it_says() -> None:
    answers = []
    for case in rsa_cases("SigVer15_186-3.rsp"):
        row = SIGNING_ALGORITHMS[f"RSASSA_PKCS1_V1_5_SHA_{BITS[case['SHAAlg']]}"]
        held = holds(rsa_public(case), bytes.fromhex(case["Msg"]), bytes.fromhex(case["S"]), row)
        answers.append((held, case["Result"][0]))
    assert {(True, "P"), (False, "F")} == set(answers)
    assert 162 == len(answers)


def test_pss_signatures_of_cavp_have_a_salt_that_aws_does_not_take() -> None:
    salts = set()
    for case in rsa_cases("SigVerPSS_186-3.rsp"):
        row = SIGNING_ALGORITHMS[f"RSASSA_PSS_SHA_{BITS[case['SHAAlg']]}"]
        assert not holds(rsa_public(case), bytes.fromhex(case["Msg"]), bytes.fromhex(case["S"]), row)
        salts.add(len(case["SaltVal"]) // 2)
    assert {10} == salts


@pytest.mark.parametrize(
    ("file", "expected"),
    [("rsa_pss_cert.pem", True), ("rsa_pss_sha256_no_null.pem", True), ("ca/rsae_ca.pem", False)],
    ids=["salt of 32 bytes", "salt of 32 bytes, other parameters", "salt of 20 bytes"],
)
def test_the_pss_signature_of_a_certificate_holds_if_its_salt_is_as_long_as_the_digest(
    file: str, *, expected: bool
) -> None:
    with open_vector_file(f"x509/custom/{file}", "rb") as pem:
        certificate = x509.load_pem_x509_certificate(pem.read())
    key = certificate.public_key()
    assert isinstance(key, library.RSAPublicKey)
    public = rsa.public_key(key.key_size, spki(key))
    row = SIGNING_ALGORITHMS["RSASSA_PSS_SHA_256"]
    assert expected == holds(public, certificate.tbs_certificate_bytes, certificate.signature, row)


def ecdsa(case: dict[str, str]) -> bool:
    """Whether the signature of a case holds; a public key that is not on the curve cannot even be encoded."""
    curve, on, name = CURVES[case[""]]
    try:
        key = ec.EllipticCurvePublicNumbers(int(case["Qx"], 16), int(case["Qy"], 16), on).public_key()
    except ValueError:
        return False
    signature = encode_dss_signature(int(case["R"], 16), int(case["S"], 16))
    public = ecc.public_key(curve, spki(key))
    return holds(public, bytes.fromhex(case["Msg"]), signature, SIGNING_ALGORITHMS[name])


def test_ecdsa_signatures_of_cavp_hold_or_not_as_it_says() -> None:
    every = published.cases("asymmetric/ECDSA/FIPS_186-3/SigVer.rsp")
    answers = [(ecdsa(case), case["Result"][0]) for case in every if case[""] in CURVES]
    assert {(True, "P"), (False, "F")} == set(answers)
    assert 45 == len(answers)


def test_ecdsa_signatures_on_secp256k1_hold() -> None:
    every = published.cases("asymmetric/ECDSA/SECP256K1/SigGen.txt")
    answers = [ecdsa(case) for case in every if case[""] in CURVES]
    assert answers == [True] * len(answers)
    assert len(answers) > 20


def test_ed25519_signs_and_verifies_as_its_authors_do() -> None:
    for line in islice(published.lines("asymmetric/Ed25519/sign.input"), 0, None, 16):
        seed_public, public, message, signed = (bytes.fromhex(part) for part in line.rstrip(":").split(":"))
        pair = eddsa.read_private("ed25519", bytes.fromhex("302e020100300506032b657004220420") + seed_public[:32])
        assert public == pair.public[-32:]
        signature = signed[:64]
        assert signature == eddsa.private_key("ed25519", pair.private).sign(message, ED25519, "RAW")
        eddsa.public_key("ed25519", pair.public).verify(message, signature, ED25519, "RAW")


def mu_of(public: bytes, context: bytes, message: bytes) -> bytes:
    """FIPS 204, algorithm 2 steps 10 and algorithm 7 step 6, from SHAKE256 alone."""
    framed = b"\0" + bytes([len(context)]) + context + message
    return hashlib.shake_256(hashlib.shake_256(public).digest(64) + framed).digest(64)


@pytest.mark.parametrize(("number", "oid"), [(44, "11"), (65, "12"), (87, "13")])
def test_ml_dsa_knows_the_published_keys_and_signatures(number: int, oid: str) -> None:
    prefix = bytes.fromhex(f"3034020100300b06096086480165030403{oid}04228020")
    for case in published.kats(f"asymmetric/MLDSA/kat_MLDSA_{number}_det_pure.rsp", 10):
        pair = mldsa.read_private(number, prefix + bytes.fromhex(case["xi"]))
        assert bytes.fromhex(case["pk"]) == pair.public[22:]
        message, signed = bytes.fromhex(case["msg"]), bytes.fromhex(case["sm"])
        mu = mu_of(pair.public[22:], bytes.fromhex(case["ctx"]), message)
        signature = signed[: len(signed) - len(message)]
        mldsa.public_key(number, pair.public).verify(mu, signature, ML_DSA, "EXTERNAL_MU")


@pytest.mark.parametrize("number", [44, 65, 87])
def test_a_raw_ml_dsa_signature_is_over_the_mu_of_an_empty_context(number: int) -> None:
    pair = mldsa.generate(number)
    signature = mldsa.private_key(number, pair.private).sign(b"message", ML_DSA, "RAW")
    mu = mu_of(pair.public[22:], b"", b"message")
    mldsa.public_key(number, pair.public).verify(mu, signature, ML_DSA, "EXTERNAL_MU")
