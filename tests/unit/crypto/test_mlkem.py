"""ML-KEM: a secret for two, implicit rejection, seeds are what is kept."""

import pytest

from kmscli import errors
from kmscli.crypto import eddsa, mlkem

CIPHERTEXT_BYTES = {768: 1088, 1024: 1568}
OID_LAST = {768: 2, 1024: 3}
PAIRS = {number: mlkem.generate(number) for number in CIPHERTEXT_BYTES}


@pytest.mark.parametrize("number", PAIRS)
def test_the_ciphertext_gives_the_secret(number: int) -> None:
    secret, ciphertext = mlkem.public_key(number, PAIRS[number].public).encapsulate()
    assert secret == mlkem.private_key(number, PAIRS[number].private).decapsulate(ciphertext)
    assert (32, CIPHERTEXT_BYTES[number]) == (len(secret), len(ciphertext))


def test_each_secret_is_new() -> None:
    public = mlkem.public_key(768, PAIRS[768].public)
    assert public.encapsulate()[0] != public.encapsulate()[0]


@pytest.mark.parametrize("place", [0, 500, 1087])
def test_a_changed_ciphertext_gives_another_secret_each_time_the_same(place: int) -> None:
    secret, ciphertext = mlkem.public_key(768, PAIRS[768].public).encapsulate()
    changed = bytearray(ciphertext)
    changed[place] ^= 1
    private = mlkem.private_key(768, PAIRS[768].private)
    rejected = private.decapsulate(bytes(changed))
    assert (rejected != secret, 32) == (True, len(rejected))
    assert rejected == private.decapsulate(bytes(changed))


def test_another_key_gets_another_secret() -> None:
    secret, ciphertext = mlkem.public_key(768, PAIRS[768].public).encapsulate()
    assert secret != mlkem.private_key(768, mlkem.generate(768).private).decapsulate(ciphertext)


@pytest.mark.parametrize("number", PAIRS)
@pytest.mark.parametrize("excess", [-1, 1, -1000])
def test_a_ciphertext_of_another_length_is_refused(number: int, excess: int) -> None:
    with pytest.raises(errors.InvalidCiphertextError):
        mlkem.private_key(number, PAIRS[number].private).decapsulate(bytes(CIPHERTEXT_BYTES[number] + excess))


def test_no_ciphertext_is_refused() -> None:
    with pytest.raises(errors.InvalidCiphertextError):
        mlkem.private_key(768, PAIRS[768].private).decapsulate(b"")


@pytest.mark.parametrize("number", PAIRS)
def test_a_private_key_is_kept_as_its_seed(number: int) -> None:
    algorithm = bytes.fromhex("300b06096086480165030404") + bytes([OID_LAST[number]])
    assert b"\x30\x54\x02\x01\x00" + algorithm + b"\x04\x42\x80\x40" == PAIRS[number].private[:22]
    assert 22 + 64 == len(PAIRS[number].private)


@pytest.mark.parametrize("number", PAIRS)
def test_an_own_key_is_imported_as_it_is(number: int) -> None:
    assert PAIRS[number] == mlkem.read_private(number, PAIRS[number].private)


@pytest.mark.parametrize(
    "der", [PAIRS[1024].private, eddsa.generate("ed25519").private], ids=["ML-KEM-1024", "Ed25519"]
)
def test_a_key_of_another_kind_is_not_imported(der: bytes) -> None:
    with pytest.raises(errors.IncorrectKeyMaterialError, match="but not an ML-KEM-768 key"):
        mlkem.read_private(768, der)


def test_a_handle_is_given_for_a_key_of_its_parameter_set_only() -> None:
    with pytest.raises(errors.VaultTamperedError):
        mlkem.private_key(768, PAIRS[1024].private)
    with pytest.raises(errors.VaultTamperedError):
        mlkem.public_key(768, PAIRS[1024].public)
