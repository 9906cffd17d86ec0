"""RSA: signatures and encryption round, imported keys in one encoding, and refusals that tell nothing."""

import hashlib
import math

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric import rsa as library
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from kmscli import errors
from kmscli.crypto import rsa
from kmscli.crypto.keypair import Pair
from kmscli.model.specs import OAEP_HASHES, SIGNING_ALGORITHMS

ALGORITHMS = [name for name, row in SIGNING_ALGORITHMS.items() if row.scheme in {"pss", "pkcs1v15"}]
HASHES = list(OAEP_HASHES.values())
PSS = SIGNING_ALGORITHMS["RSASSA_PSS_SHA_256"]
PKCS1 = SIGNING_ALGORITHMS["RSASSA_PKCS1_V1_5_SHA_256"]
LIKE_ANOTHER_KEY = "the key material is a valid private key, but not an RSA key of 2048 bits"


@pytest.fixture(scope="module")
def pair() -> Pair:
    return rsa.generate(2048)


@pytest.fixture(scope="module")
def private(pair: Pair) -> rsa.PrivateKey:
    return rsa.private_key(2048, pair.private)


@pytest.fixture(scope="module")
def public(pair: Pair) -> rsa.PublicKey:
    return rsa.public_key(2048, pair.public)


def library_key(pair: Pair) -> library.RSAPrivateKey:
    key = load_der_private_key(pair.private, None)
    assert isinstance(key, library.RSAPrivateKey)
    return key


def der_of(
    key: library.RSAPrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.DER, form, encryption or NoEncryption())


def with_exponent(exponent: int) -> bytes:
    """A consistent key of 2048 bits with another public exponent."""
    while True:
        numbers = library.generate_private_key(65537, 2048).private_numbers()
        p, q = numbers.p, numbers.q
        if math.gcd(exponent, (p - 1) * (q - 1)) != 1:
            continue
        d = library.rsa_recover_private_exponent(exponent, p, q)
        crt = library.rsa_crt_dmp1(d, p), library.rsa_crt_dmq1(d, q), library.rsa_crt_iqmp(p, q)
        public = library.RSAPublicNumbers(exponent, p * q)
        return der_of(library.RSAPrivateNumbers(p, q, d, *crt, public).private_key())


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_a_new_key_has_the_size_and_the_exponent_of_its_spec(bits: int) -> None:
    numbers = library_key(rsa.generate(bits)).public_key().public_numbers()
    assert (bits, 65537) == (numbers.n.bit_length(), numbers.e)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_signature_holds(name: str, private: rsa.PrivateKey, public: rsa.PublicKey) -> None:
    row = SIGNING_ALGORITHMS[name]
    signature = private.sign(b"message", row, "RAW")
    public.verify(b"message", signature, row, "RAW")
    assert 256 == len(signature)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_signing_the_digest_is_signing_the_message(name: str, private: rsa.PrivateKey, public: rsa.PublicKey) -> None:
    row = SIGNING_ALGORITHMS[name]
    digest = hashlib.new(row.hash, b"message").digest()
    public.verify(b"message", private.sign(digest, row, "DIGEST"), row, "RAW")
    public.verify(digest, private.sign(b"message", row, "RAW"), row, "DIGEST")


def test_the_salt_of_pss_is_as_long_as_the_digest(private: rsa.PrivateKey, pair: Pair) -> None:
    exactly = padding.PSS(padding.MGF1(SHA256()), 32)
    signature = private.sign(b"message", PSS, "RAW")
    library_key(pair).public_key().verify(signature, b"message", exactly, SHA256())


@pytest.mark.parametrize("salt", [0, 31, 33, 222])
def test_a_salt_of_another_length_is_refused(salt: int, pair: Pair, public: rsa.PublicKey) -> None:
    signature = library_key(pair).sign(b"message", padding.PSS(padding.MGF1(SHA256()), salt), SHA256())
    with pytest.raises(errors.InvalidSignatureError):
        public.verify(b"message", signature, PSS, "RAW")


def test_pss_signatures_differ_and_pkcs1_signatures_do_not(private: rsa.PrivateKey) -> None:
    assert private.sign(b"message", PSS, "RAW") != private.sign(b"message", PSS, "RAW")
    assert private.sign(b"message", PKCS1, "RAW") == private.sign(b"message", PKCS1, "RAW")


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("place", [0, 128, 255])
def test_a_changed_bit_of_a_signature_is_refused(
    name: str, place: int, private: rsa.PrivateKey, public: rsa.PublicKey
) -> None:
    changed = bytearray(private.sign(b"message", SIGNING_ALGORITHMS[name], "RAW"))
    changed[place] ^= 1
    with pytest.raises(errors.InvalidSignatureError):
        public.verify(b"message", bytes(changed), SIGNING_ALGORITHMS[name], "RAW")


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("length", [0, 1, 255, 257])
def test_a_signature_of_another_length_is_refused(
    name: str, length: int, private: rsa.PrivateKey, public: rsa.PublicKey
) -> None:
    signature = private.sign(b"message", SIGNING_ALGORITHMS[name], "RAW") + b"\0"
    with pytest.raises(errors.InvalidSignatureError):
        public.verify(b"message", signature[:length], SIGNING_ALGORITHMS[name], "RAW")


@pytest.mark.parametrize("other", [name for name in ALGORITHMS if name != "RSASSA_PSS_SHA_256"])
def test_a_signature_holds_with_its_own_algorithm_only(
    other: str, private: rsa.PrivateKey, public: rsa.PublicKey
) -> None:
    signature = private.sign(b"message", PSS, "RAW")
    with pytest.raises(errors.InvalidSignatureError):
        public.verify(b"message", signature, SIGNING_ALGORITHMS[other], "RAW")


def test_a_signature_does_not_hold_for_another_message_or_key(private: rsa.PrivateKey, public: rsa.PublicKey) -> None:
    signature = private.sign(b"message", PSS, "RAW")
    with pytest.raises(errors.InvalidSignatureError):
        public.verify(b"Message", signature, PSS, "RAW")
    with pytest.raises(errors.InvalidSignatureError):
        rsa.public_key(2048, rsa.generate(2048).public).verify(b"message", signature, PSS, "RAW")


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_digest_of_another_length_is_a_validation_error(
    name: str, private: rsa.PrivateKey, public: rsa.PublicKey
) -> None:
    with pytest.raises(errors.ValidationError):
        private.sign(b"short", SIGNING_ALGORITHMS[name], "DIGEST")
    with pytest.raises(errors.ValidationError):
        public.verify(b"short", bytes(256), SIGNING_ALGORITHMS[name], "DIGEST")


@pytest.mark.parametrize("hash_name", HASHES)
def test_what_is_encrypted_decrypts(hash_name: str, private: rsa.PrivateKey, public: rsa.PublicKey) -> None:
    for size in (0, 1, rsa.max_plaintext(2048, hash_name)):
        ciphertext = public.encrypt(bytes(size), hash_name)
        assert (256, bytes(size)) == (len(ciphertext), private.decrypt(ciphertext, hash_name))


def test_the_longest_plaintexts_are_those_of_aws() -> None:
    sizes = [(bits, name, rsa.max_plaintext(bits, name)) for bits in (2048, 3072, 4096) for name in HASHES]
    assert [
        (2048, "sha1", 214),
        (2048, "sha256", 190),
        (3072, "sha1", 342),
        (3072, "sha256", 318),
        (4096, "sha1", 470),
        (4096, "sha256", 446),
    ] == sizes


def test_one_byte_too_many_is_a_validation_error(public: rsa.PublicKey) -> None:
    with pytest.raises(errors.ValidationError, match="at most 190 bytes, not 191"):
        public.encrypt(bytes(191), "sha256")


def test_all_that_does_not_decrypt_is_refused_alike(private: rsa.PrivateKey, public: rsa.PublicKey) -> None:
    whole = public.encrypt(b"secret", "sha256")
    changed = bytes([whole[0] ^ 1]) + whole[1:]
    of_another_key = rsa.public_key(2048, rsa.generate(2048).public).encrypt(b"secret", "sha256")
    messages = set()
    for ciphertext in (b"", whole[:-1], whole + b"\0", changed, of_another_key, b"\xff" * 256, bytes(256)):
        with pytest.raises(errors.InvalidCiphertextError) as refusal:
            private.decrypt(ciphertext, "sha256")
        messages.add((refusal.value.message, refusal.value.hint, refusal.value.__cause__))
    assert 1 == len(messages)


def test_the_hash_of_oaep_must_be_the_same(private: rsa.PrivateKey, public: rsa.PublicKey) -> None:
    with pytest.raises(errors.InvalidCiphertextError):
        private.decrypt(public.encrypt(b"secret", "sha1"), "sha256")


def test_an_own_key_is_imported_as_it_is(pair: Pair) -> None:
    assert pair == rsa.read_private(2048, pair.private)


def test_a_key_with_its_primes_exchanged_is_imported_as_the_same_bytes(pair: Pair) -> None:
    it = library_key(pair).private_numbers()
    inverse = library.rsa_crt_iqmp(it.q, it.p)
    other = library.RSAPrivateNumbers(it.q, it.p, it.d, it.dmq1, it.dmp1, inverse, it.public_numbers).private_key()
    assert der_of(other) != pair.private
    assert pair == rsa.read_private(2048, der_of(other))


def test_a_key_with_a_larger_private_exponent_is_imported_as_the_same_bytes(pair: Pair) -> None:
    it = library_key(pair).private_numbers()
    d = it.d + math.lcm(it.p - 1, it.q - 1)
    other = library.RSAPrivateNumbers(it.p, it.q, d, it.dmp1, it.dmq1, it.iqmp, it.public_numbers).private_key()
    assert der_of(other) != pair.private
    assert pair == rsa.read_private(2048, der_of(other))


def test_a_key_of_another_size_is_not_imported() -> None:
    with pytest.raises(errors.IncorrectKeyMaterialError) as refusal:
        rsa.read_private(2048, rsa.generate(3072).private)
    assert LIKE_ANOTHER_KEY == refusal.value.message


def test_a_key_of_another_kind_is_not_imported() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(errors.IncorrectKeyMaterialError) as refusal:
        rsa.read_private(2048, der)
    assert LIKE_ANOTHER_KEY == refusal.value.message


@pytest.mark.parametrize("exponent", [65539, (1 << 64) - 59])
def test_a_public_exponent_above_65537_is_imported(exponent: int) -> None:
    pair = rsa.read_private(2048, with_exponent(exponent))
    signature = rsa.private_key(2048, pair.private).sign(b"message", PSS, "RAW")
    rsa.public_key(2048, pair.public).verify(b"message", signature, PSS, "RAW")


@pytest.mark.parametrize("exponent", [3, 257, (1 << 64) + 13])
def test_a_public_exponent_out_of_range_is_not_imported(exponent: int) -> None:
    with pytest.raises(errors.IncorrectKeyMaterialError, match="public exponent"):
        rsa.read_private(2048, with_exponent(exponent))


@pytest.mark.parametrize("part", ["d", "dmp1", "dmq1", "iqmp"])
def test_an_inconsistent_key_is_not_imported(part: str, pair: Pair) -> None:
    it = library_key(pair).private_numbers()
    parts = {name: getattr(it, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    parts[part] += 2
    wrong = library.RSAPrivateNumbers(**parts, public_numbers=it.public_numbers)
    der = der_of(wrong.private_key(unsafe_skip_rsa_key_validation=True))
    with pytest.raises(errors.IncorrectKeyMaterialError, match="no valid private key"):
        rsa.read_private(2048, der)


def test_an_encrypted_key_is_not_imported(pair: Pair) -> None:
    der = der_of(library_key(pair), encryption=BestAvailableEncryption(b"passphrase"))
    with pytest.raises(errors.IncorrectKeyMaterialError, match="no valid private key"):
        rsa.read_private(2048, der)


def test_the_older_encoding_of_pkcs1_is_not_imported(pair: Pair) -> None:
    with pytest.raises(errors.IncorrectKeyMaterialError, match="no valid private key"):
        rsa.read_private(2048, der_of(library_key(pair), PrivateFormat.TraditionalOpenSSL))


@pytest.mark.parametrize("bits", [3072, 4096])
def test_a_handle_is_given_for_a_key_of_its_size_only(bits: int, pair: Pair) -> None:
    with pytest.raises(errors.VaultTamperedError):
        rsa.private_key(bits, pair.private)
    with pytest.raises(errors.VaultTamperedError):
        rsa.public_key(bits, pair.public)
