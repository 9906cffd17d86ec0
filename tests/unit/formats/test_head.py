"""The head: one encoding, and signatures that mean one thing each."""

import pytest

from kmscli import errors
from kmscli.formats import head, record
from kmscli.formats.head import Head

HEAD = Head(vault_id="00", generation=1, root="11", seq=1, line="22", author="admin", roots=1, keys=0)
BODY = b'{"vault_id":"00","generation":1,"root":"11","seq":1,"line":"22","author":"admin","roots":1,"keys":0}'


def test_a_head_has_one_encoding() -> None:
    assert record.encode(HEAD) == BODY
    assert record.decode(BODY, Head) == HEAD


@pytest.mark.parametrize(
    "member", [b'"vault_id":"00",', b'"generation":1,', b'"root":"11",', b'"seq":1,', b',"roots":1', b',"keys":0']
)
def test_no_member_may_be_missing(member: bytes) -> None:
    with pytest.raises(errors.VaultTamperedError):
        record.decode(BODY.replace(member, b""), Head)


def test_a_signature_of_one_thing_is_no_signature_of_another() -> None:
    assert head.signed_bytes(BODY) == b"kms/v1/head\0" + len(BODY).to_bytes(4, "big") + BODY
    assert head.root_set_bytes(BODY) == b"kms/v1/roots\0" + len(BODY).to_bytes(4, "big") + BODY
