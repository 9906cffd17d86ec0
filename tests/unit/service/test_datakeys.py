"""GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom."""

import pytest

from tests.helpers import Home

BOTH = ("GenerateDataKey", "GenerateDataKeyWithoutPlaintext")


@pytest.fixture
def key(home: Home) -> str:
    return home.create_key()


def test_a_data_key_comes_in_both_forms(home: Home, key: str) -> None:
    answer = home.answer("GenerateDataKey", KeyId=key, KeySpec="AES_256", EncryptionContext={"a": "b"})
    assert answer.keys() == {"CiphertextBlob", "Plaintext", "KeyId", "KeyMaterialId"}
    assert answer["KeyId"] == home.arn(key)
    opened = home.answer("Decrypt", CiphertextBlob=answer["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == answer["Plaintext"]
    assert opened["KeyMaterialId"] == answer["KeyMaterialId"]


def test_a_data_key_without_plaintext_comes_encrypted_only(home: Home, key: str) -> None:
    answer = home.answer("GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=5)
    assert answer.keys() == {"CiphertextBlob", "KeyId", "KeyMaterialId"}
    assert len(home.perform("Decrypt", CiphertextBlob=answer["CiphertextBlob"]).plaintext) == 5


@pytest.mark.parametrize(
    ("members", "length"),
    [
        ({"KeySpec": "AES_256"}, 32),
        ({"KeySpec": "AES_128"}, 16),
        ({"NumberOfBytes": 1}, 1),
        ({"NumberOfBytes": 1024}, 1024),
    ],
)
def test_a_data_key_is_as_long_as_asked(home: Home, key: str, members: dict[str, object], length: int) -> None:
    assert len(home.perform("GenerateDataKey", KeyId=key, **members).plaintext) == length


@pytest.mark.parametrize("operation", BOTH)
@pytest.mark.parametrize("members", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}])
def test_exactly_one_length_is_given(home: Home, key: str, operation: str, members: dict[str, object]) -> None:
    error = home.refused(operation, KeyId=key, **members)
    assert (error.code, error.exit_code) == ("ValidationException", 2)
    assert error.message == "Please specify either number of bytes or key spec."


@pytest.mark.parametrize("operation", [*BOTH, "GenerateRandom"])
@pytest.mark.parametrize("number", [0, 1025, -1])
def test_a_length_out_of_bounds_is_refused(home: Home, key: str, operation: str, number: int) -> None:
    members = {} if operation == "GenerateRandom" else {"KeyId": key}
    error = home.refused(operation, **members, NumberOfBytes=number)
    assert f"Value '{number}' at 'numberOfBytes' failed to satisfy constraint" in error.message


@pytest.mark.parametrize("operation", BOTH)
def test_the_faults_of_encrypt_are_those_of_a_data_key(home: Home, key: str, operation: str) -> None:
    assert home.refused(operation, KeyId="alias/none", KeySpec="AES_256").code == "NotFoundException"
    assert home.refused(operation, KeyId=key, KeySpec="AES_512").code == "ValidationException"
    home.perform("DisableKey", KeyId=key)
    assert home.refused(operation, KeyId=key, KeySpec="AES_256").code == "DisabledException"


def test_two_data_keys_differ(home: Home, key: str) -> None:
    made = {home.perform("GenerateDataKey", KeyId=key, KeySpec="AES_256").plaintext for _ in range(5)}
    assert len(made) == 5


@pytest.mark.parametrize("number", [1, 32, 1024])
def test_random_bytes_are_as_many_as_asked(home: Home, number: int) -> None:
    assert len(home.perform("GenerateRandom", NumberOfBytes=number).plaintext) == number


def test_random_bytes_differ_and_their_number_must_be_given(home: Home) -> None:
    made = {home.perform("GenerateRandom", NumberOfBytes=32).plaintext for _ in range(5)}
    assert len(made) == 5
    assert home.refused("GenerateRandom").code == "ValidationException"
