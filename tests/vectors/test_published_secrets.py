"""Decryption, key agreement, unwrapping and MACs that others published: PKCS #1, CAVP, RFC 4231, ML-KEM."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa as library
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography_vectors import open_vector_file

from kmscli import errors
from kmscli.crypto import ecc, keypair, mac, mlkem, rsa, wrap
from kmscli.model.specs import WRAPPING_ALGORITHMS
from tests.vectors import published

CURVES = {"EC": ("secp256r1", ec.SECP256R1()), "ED": ("secp384r1", ec.SECP384R1()), "EE": ("secp521r1", ec.SECP521R1())}
KAS = "asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly"
PUBLIC_FAILS, Z_CHANGED = {"F (1", "F (2"}, "F (8"


@pytest.mark.parametrize(
    ("file", "hash_name", "count"),
    [("pkcs-1v2-1d2-vec/oaep-vect.txt", "sha1", 60), ("oaep-custom/oaep-sha256-sha256.txt", "sha256", 60)],
)
def test_oaep_decrypts_what_was_published(file: str, hash_name: str, count: int) -> None:
    cases = list(published.oaep(f"asymmetric/RSA/{file}"))
    for case in cases:
        p, q, e = case["p"], case["q"], case["e"]
        d = library.rsa_recover_private_exponent(e, p, q)
        crt = library.rsa_crt_dmp1(d, p), library.rsa_crt_dmq1(d, q), library.rsa_crt_iqmp(p, q)
        numbers = library.RSAPrivateNumbers(p, q, d, *crt, library.RSAPublicNumbers(e, case["n"]))
        handle = rsa.PrivateKey(numbers.private_key(unsafe_skip_rsa_key_validation=True))
        assert case["message"] == handle.decrypt(case["encryption"], hash_name)
    assert count == len(cases)


def derived(case: dict[str, str]) -> bytes | None:
    """What we derive in a case of CAVP, None if the peer is refused."""
    name, curve = CURVES[case[""][:2]]
    pair = keypair.encode(ec.derive_private_key(int(case["dsIUT"], 16), curve))
    handle = ecc.private_key(name, ecc.read_private(name, pair.private).private)
    width = (curve.key_size + 7) // 8
    point = b"".join(int(case[axis], 16).to_bytes(width, "big") for axis in ("QsCAVSx", "QsCAVSy"))
    header = pair.public[: -len(point)]
    try:
        return handle.derive(header + point)
    except errors.ValidationError:
        return None


@pytest.mark.parametrize("role", ["init", "resp"])
def test_ecdh_agrees_with_cavp(role: str) -> None:
    seen = set()
    for case in published.cases(f"{KAS}_{role}.fax"):
        result = case["Result"][:4]
        if case[""][:2] not in CURVES or (result[0] == "F" and result not in {*PUBLIC_FAILS, Z_CHANGED}):
            continue
        secret = derived(case)
        if result in PUBLIC_FAILS:
            assert secret is None
        else:
            assert (result != Z_CHANGED) == (secret == bytes.fromhex(case["Z"]))
        seen.add(result)
    assert {"P (0", "P (1", Z_CHANGED, *PUBLIC_FAILS} == seen


@pytest.mark.parametrize(("number", "oid"), [(768, "02"), (1024, "03")])
def test_ml_kem_knows_the_published_keys_secrets_and_rejections(number: int, oid: str) -> None:
    prefix = bytes.fromhex(f"3054020100300b06096086480165030404{oid}04428040")
    for case in published.kats(f"asymmetric/MLKEM/kat_MLKEM_{number}.rsp", 10):
        pair = mlkem.read_private(number, prefix + bytes.fromhex(case["d"] + case["z"]))
        private = mlkem.private_key(number, pair.private)
        assert bytes.fromhex(case["pk"]) == pair.public[22:]
        assert bytes.fromhex(case["ss"]) == private.decapsulate(bytes.fromhex(case["ct"]))
        assert bytes.fromhex(case["ss_n"]) == private.decapsulate(bytes.fromhex(case["ct_n"]))


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_macs_are_those_of_rfc_4231(bits: int) -> None:
    cases = list(published.cases(f"HMAC/rfc-4231-sha{bits}.txt"))
    for case in cases:
        material, message, made = (bytes.fromhex(case[name]) for name in ("Key", "Msg", "MD"))
        assert made == mac.generate(material, message, f"sha{bits}")
        mac.verify(material, message, made, f"sha{bits}")
    assert 6 == len(cases)


def test_material_unwraps_or_not_as_cavp_says() -> None:
    row = WRAPPING_ALGORITHMS["RSA_AES_KEY_WRAP_SHA_256"]
    pair = wrap.new_wrapping_key(2048)
    public = rsa.public_key(2048, pair.public)
    cases = list(published.cases("keywrap/kwtestvectors/KWP_AD_256.txt"))
    for case in cases:
        wrapped = public.encrypt(bytes.fromhex(case["K"]), row.hash) + bytes.fromhex(case["C"])
        if "FAIL" in case:
            with pytest.raises(errors.WrappedMaterialError):
                wrap.unwrap(pair.private, wrapped, row)
        else:
            assert bytes.fromhex(case["P"]) == wrap.unwrap(pair.private, wrapped, row)
    assert (500, 100) == (len(cases), sum("FAIL" in case for case in cases))


def der_of(file: str) -> bytes:
    """The bytes of a PEM file of one object."""
    with open_vector_file(f"asymmetric/PKCS8/{file}", "r") as pem:
        return base64.b64decode("".join(line for line in pem if "-----" not in line))


@pytest.mark.parametrize(
    "file",
    [
        "ec_private_key_encrypted.pem",
        "ec-inconsistent-curve.pem",
        "ec-inconsistent-curve2.pem",
        "ec-invalid-private-scalar.pem",
        "ec-invalid-version.pem",
        "ec_oid_not_in_reg_private_2.pkcs8.pem",
        "enc-rsa-pkcs8.pem",
        "enc-unknown-kdf.pem",
        "nodompar_private.pkcs8.pem",
        "unenc-dsa-pkcs8.pem",
        "withdompar_private.pkcs8.pem",
    ],
)
def test_damaged_and_foreign_material_is_refused(file: str) -> None:
    with pytest.raises(errors.IncorrectKeyMaterialError):
        ecc.read_private("secp256r1", der_of(file))
    with pytest.raises(errors.IncorrectKeyMaterialError):
        rsa.read_private(2048, der_of(file))


@pytest.mark.parametrize("file", ["ec_private_key.pem", "ec-consistent-curve.pem", "ecc_private_with_rfc5915_ext.pem"])
def test_published_material_is_imported(file: str) -> None:
    pair = ecc.read_private("secp256r1", der_of(file))
    assert pair == ecc.read_private("secp256r1", pair.private)


def test_a_key_that_is_marked_for_pss_is_imported_as_an_rsa_key() -> None:
    pair = rsa.read_private(2048, der_of("rsa_pss_2048.pem"))
    with open_vector_file("asymmetric/PKCS8/rsa_pss_2048_pub.der", "rb") as der:
        marked = keypair.own_public(der.read(), RSAPublicKey)
    assert pair.public == marked.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
