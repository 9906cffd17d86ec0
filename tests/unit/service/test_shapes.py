"""Requests and answers: they neither print nor pickle, and leave out what is not set."""

import pickle

import pytest

from kmscli.service.crypto import EncryptRequest
from kmscli.service.datakeys import GenerateRandomResponse
from kmscli.service.keys import ListKeysResponse
from kmscli.service.shapes import Request, Response, members_of

SECRET = b"needle"
SHAPES = [EncryptRequest(key_id="k", plaintext=SECRET), GenerateRandomResponse(plaintext=SECRET)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_does_not_print_what_it_holds(shape: Request | Response) -> None:
    assert "needle" not in repr(shape) + str(shape) + f"{shape}"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_not_pickled(shape: Request | Response) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(shape)


def test_members_have_the_names_of_aws_and_those_not_set_are_left_out() -> None:
    assert members_of(EncryptRequest(key_id="k", plaintext=SECRET)) == {"KeyId": "k", "Plaintext": SECRET}
    assert members_of(ListKeysResponse(keys=[], truncated=False)) == {"Keys": [], "Truncated": False}
