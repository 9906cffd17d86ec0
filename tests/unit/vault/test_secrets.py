"""A secret on its way: it neither prints nor pickles."""

import copy
import pickle

import pytest

from kmscli import errors
from kmscli.formats import custodianshare, keyfile
from kmscli.formats.custodianshare import CustodianShare
from kmscli.vault.secrets import Secret, Shares, from_files


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


SHARE = custodianshare.encode(CustodianShare("00112233", "alice", b"needle".ljust(32)))


def test_shares_do_not_show_themselves() -> None:
    shares = from_files([("a", SHARE)])
    assert isinstance(shares, Shares)
    assert "needle" not in repr(shares) + str(shares) + f"{shares}"
    for leak in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(shares)
    assert not hasattr(shares, "__dict__")


def test_one_file_is_a_keyfile_or_a_share() -> None:
    found = from_files([("a", keyfile.encode(bytes(32)))])
    assert isinstance(found, Secret)
    assert (found.kind, found.value) == ("keyfile", bytes(32))
    with pytest.raises(errors.InvalidKeyfileError, match="a: not a keyfile"):
        from_files([("a", b"hunter2")])


def test_several_files_are_shares() -> None:
    found = from_files([("a", SHARE), ("b", SHARE)])
    assert isinstance(found, Shares)
    assert [(path, share.name) for path, share in found.given] == [("a", "alice"), ("b", "alice")]
    for contents in ([("a", SHARE), ("b", keyfile.encode(bytes(32)))], [("b", keyfile.encode(bytes(32)))] * 2):
        with pytest.raises(errors.InvalidShareError, match="b: not the share of a custodian"):
            from_files(contents)
