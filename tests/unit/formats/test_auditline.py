"""Lines of the log: one spelling, one signature, and nothing that hides in either."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from kmscli import errors
from kmscli.crypto import identity
from kmscli.crypto.identity import Identity
from kmscli.formats import auditline
from kmscli.model import limits

VAULT_ID = "00112233445566778899aabbccddeeff"
ALICE = Identity(bytes(32))
EVENT: dict[str, Any] = {
    "eventVersion": "1.11",
    "eventTime": datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC),
    "eventName": "Encrypt",
    "requestParameters": {"keyId": "alias/app", "encryptionContext": {"\u00e4": '","signature":{'}},
    "vault": {"id": VAULT_ID, "generation": 3, "root": "ab" * 32},
    "chain": {"seq": 7, "prev": "cd" * 32},
}
LINE = auditline.encode(EVENT, vault_id=VAULT_ID, signer="admin", sign=ALICE.sign)


def refused(line: bytes) -> None:
    with pytest.raises(errors.AuditTamperedError) as caught:
        auditline.decode(line)
    assert caught.value.exit_code == 51


def test_a_line_is_json_that_ends_in_its_signature() -> None:
    members = json.loads(LINE)
    assert list(members) == [*EVENT, "signature"]
    assert members["signature"].keys() == {"signer", "value"}
    assert b"\n" not in LINE


def test_what_verification_needs_is_decoded() -> None:
    line = auditline.decode(LINE)
    assert (line.eventName, line.eventTime) == ("Encrypt", EVENT["eventTime"])
    assert (line.chain.seq, line.chain.prev) == (7, "cd" * 32)
    assert (line.vault.id, line.vault.generation, line.vault.root) == (VAULT_ID, 3, "ab" * 32)
    assert (line.change, line.segment, line.signature.signer) == (None, None, "admin")


def test_the_signature_covers_label_vault_and_all_before_it() -> None:
    before = LINE[: LINE.rindex(b',"signature":')]
    assert auditline.signed_part(LINE) == before
    message = b"kms/v1/audit\0\0\0\0\x10" + bytes.fromhex(VAULT_ID) + len(before).to_bytes(4, "big") + before
    assert auditline.signed_bytes(VAULT_ID, before) == message
    identity.verify(ALICE.sign_public, message, auditline.decode(LINE).signature.value)


def test_a_digest_is_that_of_the_bytes() -> None:
    assert auditline.digest(LINE) == sha256(LINE).hexdigest()


def test_a_change_lists_its_records() -> None:
    event = {**EVENT, "change": [["key", "k", None, "00"], ["alias", "alias/a", "11", None]]}
    line = auditline.decode(auditline.encode(event, vault_id=VAULT_ID, signer="admin", sign=ALICE.sign))
    assert line.change == (
        auditline.RecordChange(kind="key", id="k", old=None, new="00"),
        auditline.RecordChange(kind="alias", id="alias/a", old="11", new=None),
    )


SIGNATURE = json.loads(LINE)["signature"]["value"].encode()
LAST = SIGNATURE[-3:-2]
SPELLINGS = {
    "a newline": LINE + b"\n",
    "a space": LINE.replace(b'"seq":7', b'"seq": 7'),
    "a member twice": LINE.replace(b'"seq":7', b'"seq":6,"seq":7'),
    "a member of the top twice": LINE.replace(b'{"eventVersion"', b'{"eventName":"Decrypt","eventVersion"', 1),
    "a float": LINE.replace(b'"seq":7', b'"seq":7.0'),
    "an exponent": LINE.replace(b'"seq":7', b'"seq":7e0'),
    "a number as text": LINE.replace(b'"seq":7', b'"seq":"7"'),
    "an escape": LINE.replace(b"Encrypt", b"\\u0045ncrypt"),
    "an escaped umlaut": LINE.replace("\u00e4".encode(), b"\\u00e4"),
    "a lone surrogate": LINE.replace(b"Encrypt", b"\\ud800"),
    "no UTF-8": LINE.replace(b"Encrypt", b"\xff"),
    "NaN": LINE.replace(b'"seq":7', b'"seq":NaN'),
    "no chain": LINE.replace(b'"chain"', b'"chains"'),
    "no vault": LINE.replace(b'"vault"', b'"vaults"'),
    "no name": LINE.replace(b'"eventName"', b'"eventname"'),
    "no time": LINE.replace(b'"2026-03-01T12:00:00Z"', b"null"),
    "a time without zone": LINE.replace(b"12:00:00Z", b"12:00:00"),
    "a member behind the signature": LINE[:-1] + b',"more":1}',
    "a member in the signature": LINE[:-2] + b',"more":1}}',
    "the signature's members swapped": LINE[: LINE.rindex(b'{"signer"')]
    + b'{"value":"'
    + SIGNATURE
    + b'","signer":"admin"}}',
    "other last bits of the signature": LINE.replace(SIGNATURE, SIGNATURE[:-3] + bytes([LAST[0] + 1]) + b"=="),
    "a signature without padding": LINE.replace(SIGNATURE, SIGNATURE[:-2]),
    "no signature": LINE[: LINE.rindex(b',"signature"')] + b"}",
    "a signature that is text": LINE[: LINE.rindex(b'{"signer"')] + b'"x"}',
    "nothing": b"",
    "an empty object": b"{}",
    "a list": b"[]",
    "null": b"null",
    "half": LINE[: len(LINE) // 2],
    "depth": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("line", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_another_spelling_is_refused(line: bytes) -> None:
    assert line != LINE
    refused(line)


@pytest.mark.parametrize("place", range(len(LINE)))
def test_a_changed_bit_is_refused_or_breaks_the_signature(place: int) -> None:
    changed = bytearray(LINE)
    changed[place] ^= 1
    try:
        line = auditline.decode(bytes(changed))
        message = auditline.signed_bytes(line.vault.id, auditline.signed_part(bytes(changed)))
    except (errors.AuditTamperedError, ValueError):
        return
    if line.signature.signer == "admin":
        with pytest.raises(errors.SignatureBrokenError):
            identity.verify(ALICE.sign_public, message, line.signature.value)


def test_a_line_as_long_as_a_line_may_be_is_written() -> None:
    room = limits.AUDIT_LINE_MAX - len(LINE) - len(',"x":""')
    event = {**EVENT, "x": "a" * room}
    assert len(auditline.encode(event, vault_id=VAULT_ID, signer="admin", sign=ALICE.sign)) == limits.AUDIT_LINE_MAX
    event["x"] += "a"
    with pytest.raises(errors.ValidationError):
        auditline.encode(event, vault_id=VAULT_ID, signer="admin", sign=ALICE.sign)


def test_all_members_are_there_for_a_search() -> None:
    assert auditline.members(LINE)["requestParameters"] == EVENT["requestParameters"]


@pytest.mark.parametrize("line", [b"", b"[]", b"1", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_object_has_no_members(line: bytes) -> None:
    with pytest.raises(errors.AuditTamperedError):
        auditline.members(line)


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b'{"chain":{}}', b'{"chain":{"seq":"1","prev":""}}', b"\xff", b"[" * 9999]
)
def test_what_has_no_place_is_no_line(line: bytes) -> None:
    with pytest.raises(errors.AuditTamperedError):
        auditline.seq_of(line)


def test_the_number_of_a_line_is_told_without_the_rest() -> None:
    assert auditline.seq_of(b'{"x":[1,2,{"chain":{"seq":9}}],"chain":{"seq":7,"prev":"00"},"signature":{}}') == 7
