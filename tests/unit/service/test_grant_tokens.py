"""GrantTokens: a good one changes nothing, any other is refused, on each operation that takes them."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscli.model.specs import ENCRYPT_DECRYPT, SIGN_VERIFY, SYMMETRIC
from tests import awsmodel
from tests.ring import ADMIN, Ring

TAKING = awsmodel.taking("GrantTokens")


def grant(ring: Ring, usage: str = ENCRYPT_DECRYPT, operation: str = "Encrypt") -> Any:
    return ring.perform("CreateGrant", KeyId=ring.cheap(usage), GranteePrincipal=ADMIN, Operations=[operation])


@pytest.fixture(scope="session")
def token(ring: Ring) -> str:
    return str(grant(ring).grant_token)


@pytest.fixture(scope="session")
def ended(ring: Ring) -> str:
    """The token of a grant that was retired."""
    made = grant(ring)
    ring.perform("RetireGrant", GrantToken=made.grant_token)
    return str(made.grant_token)


def is_refused(ring: Ring, operation: str, tokens: list[str]) -> None:
    error = ring.refused(operation, **ring.request(operation), GrantTokens=tokens)
    assert ("InvalidGrantTokenException", 2) == (error.code, error.exit_code)
    assert "The grant token is not valid" == error.message
    assert "use the GrantToken of `kms create-grant`" in error.hint


def test_seventeen_operations_take_them() -> None:
    assert 17 == len(TAKING)


@pytest.mark.parametrize("operation", TAKING)
def test_no_token_is_needed(ring: Ring, operation: str) -> None:
    ring.perform(operation, **ring.request(operation))
    ring.perform(operation, **ring.request(operation), GrantTokens=[])


@pytest.mark.parametrize("operation", TAKING)
def test_tokens_of_grants_are_accepted(ring: Ring, token: str, operation: str) -> None:
    ring.perform(operation, **ring.request(operation), GrantTokens=[token])
    ring.perform(operation, **ring.request(operation), GrantTokens=[token] * 10)


@pytest.mark.parametrize("operation", TAKING)
def test_a_token_that_was_made_up_is_refused(ring: Ring, token: str, operation: str) -> None:
    for made_up in ("made-up", "A" * len(token), token[:-1], token + "A", token + "=", f" {token}", "\u00e4"):
        is_refused(ring, operation, [made_up])


@pytest.mark.parametrize("operation", TAKING)
def test_one_bad_token_among_good_ones_is_refused(ring: Ring, token: str, ended: str, operation: str) -> None:
    is_refused(ring, operation, [token, token, ended])


@pytest.mark.parametrize("operation", TAKING)
def test_the_token_of_a_grant_that_is_over_is_refused(ring: Ring, ended: str, operation: str) -> None:
    is_refused(ring, operation, [ended])


@pytest.mark.parametrize("operation", TAKING)
def test_more_than_ten_tokens_are_a_validation_error(ring: Ring, token: str, operation: str) -> None:
    error = ring.refused(operation, **ring.request(operation), GrantTokens=[token] * 11)
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert "at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 10" in (
        error.message
    )


@pytest.mark.parametrize("tokens", [[""], ["A" * 8193], [5], "made-up"])
@pytest.mark.parametrize("operation", TAKING)
def test_what_cannot_be_a_token_is_a_validation_error(ring: Ring, operation: str, tokens: object) -> None:
    error = ring.refused(operation, **ring.request(operation), GrantTokens=tokens)
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert "grantTokens" in error.message


def test_a_token_of_another_vault_is_refused(ring: Ring, own_ring: Ring) -> None:
    is_refused(ring, "Encrypt", [grant(own_ring).grant_token])


def test_a_token_of_a_grant_on_another_key_is_of_no_harm(ring: Ring) -> None:
    other = grant(ring, SIGN_VERIFY, "Sign").grant_token
    ring.perform("Encrypt", KeyId=ring.key(SYMMETRIC, ENCRYPT_DECRYPT), Plaintext=b"x", GrantTokens=[other])


def test_a_ciphertext_that_names_its_key_has_its_tokens_checked_too(ring: Ring, ended: str) -> None:
    blob = ring.perform("Encrypt", KeyId=ring.key(SYMMETRIC, ENCRYPT_DECRYPT), Plaintext=b"x").ciphertext_blob
    error = ring.refused("Decrypt", CiphertextBlob=blob, GrantTokens=[ended])
    assert "InvalidGrantTokenException" == error.code
    error = ring.refused("ReEncrypt", CiphertextBlob=blob, DestinationKeyId="alias/none", GrantTokens=[ended])
    assert "InvalidGrantTokenException" == error.code


@pytest.mark.parametrize("operation", ["GenerateRandom", "RetireGrant", "RevokeGrant", "ListGrants"])
def test_other_operations_take_none(ring: Ring, token: str, operation: str) -> None:
    error = ring.refused(operation, **ring.request(operation), GrantTokens=[token])
    assert "ValidationException" == error.code
    assert "Member 'GrantTokens' is not one of" in error.message


@given(made_up=st.text(min_size=1, max_size=200))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_no_token(ring: Ring, made_up: str) -> None:
    is_refused(ring, "Encrypt", [made_up])


@given(place=st.integers(0, 107), character=st.sampled_from("ABCxyz019-_"))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mistyped_token_is_refused(ring: Ring, token: str, place: int, character: str) -> None:
    if token[place] != character:
        is_refused(ring, "Encrypt", [token[:place] + character + token[place + 1 :]])
