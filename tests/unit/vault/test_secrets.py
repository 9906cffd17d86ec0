"""A secret on its way: it neither prints nor pickles."""

import copy
import pickle

import pytest

from kmscli import errors
from kmscli.formats import keyfile
from kmscli.vault.secrets import Secret


@pytest.mark.parametrize(
    "secret", [Secret.passphrase(b"needle"), Secret.keyfile(keyfile.encode(b"needle".ljust(32)), path="")]
)
def test_a_secret_does_not_show_itself(secret: Secret) -> None:
    assert "needle" not in repr(secret) + str(secret) + f"{secret}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    assert not hasattr(secret, "__dict__")


def test_a_passphrase_is_taken_as_typed() -> None:
    assert Secret.passphrase(b" \xc3\xa4\r").value == b" \xc3\xa4\r"


def test_a_keyfile_is_checked() -> None:
    assert Secret.keyfile(keyfile.encode(bytes(32)), path="").value == bytes(32)
    with pytest.raises(errors.InvalidKeyfileError, match="here: not a keyfile"):
        Secret.keyfile(b"hunter2", path="here")
