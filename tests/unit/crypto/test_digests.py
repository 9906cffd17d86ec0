"""Hashes by name, and what a signing algorithm takes as its message."""

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from kmscli import errors
from kmscli.crypto import digests
from kmscli.model.specs import MAC_HASHES, OAEP_HASHES, SIGNING_ALGORITHMS

NAMES = {*MAC_HASHES.values(), *OAEP_HASHES.values(), *(row.hash for row in SIGNING_ALGORITHMS.values())} - {""}
ECDSA = SIGNING_ALGORITHMS["ECDSA_SHA_256"]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_hash_of_the_tables_is_known_by_its_name(name: str) -> None:
    assert name == digests.named(name).name


def test_a_message_is_hashed_and_a_digest_is_taken() -> None:
    assert not isinstance(digests.of_message(ECDSA.hash, "RAW"), Prehashed)
    assert isinstance(digests.of_message(ECDSA.hash, "DIGEST"), Prehashed)


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS.values(), ids=SIGNING_ALGORITHMS)
def test_an_algorithm_of_another_scheme_is_a_validation_error(algorithm: object) -> None:
    for message_type, length in algorithm.messages.items():
        digests.check_message(bytes(length or 0), algorithm, message_type, schemes=frozenset({algorithm.scheme}))
        with pytest.raises(errors.ValidationError):
            digests.check_message(bytes(length or 0), algorithm, message_type, schemes=frozenset({"another"}))


@pytest.mark.parametrize("message_type", ["EXTERNAL_MU", "raw", ""])
def test_a_message_type_that_the_algorithm_does_not_have_is_a_validation_error(message_type: str) -> None:
    with pytest.raises(errors.ValidationError):
        digests.check_message(bytes(32), ECDSA, message_type, schemes=frozenset({"ecdsa"}))


@pytest.mark.parametrize("size", [0, 31, 33, 48])
def test_a_digest_of_another_length_is_a_validation_error(size: int) -> None:
    with pytest.raises(
        errors.ValidationError, match=f"with MessageType DIGEST, this algorithm takes 32 bytes, not {size}"
    ):
        digests.check_message(bytes(size), ECDSA, "DIGEST", schemes=frozenset({"ecdsa"}))
