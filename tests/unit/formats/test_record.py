"""Bodies of records: one encoding each, and every other spelling refused."""

from datetime import UTC, datetime

import pytest

from kmscli import errors
from kmscli.formats import record
from kmscli.formats.record import AliasRecord, KeyRecord, RootKey, RootSet, VersionRecord
from kmscli.formats.wire import digest

TIME = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
ALIAS = AliasRecord(name="alias/\u00e4", key_id="k", created=TIME, updated=TIME)
VERSION = VersionRecord(key_id="k", number=1, created=TIME, rotation=None, material_id="00", sealed=b"\x00\xff\xfe\xfd")
ALIAS_BODY = (
    '{"name":"alias/\u00e4","key_id":"k","created":"2026-03-01T12:00:00.123000Z",'
    '"updated":"2026-03-01T12:00:00.123000Z"}'
).encode()
VERSION_BODY = (
    b'{"key_id":"k","number":1,"created":"2026-03-01T12:00:00.123000Z","rotation":null,"material_id":"00",'
    b'"sealed":"AP/+/Q=="}'
)
KEY = KeyRecord(
    key_id="k",
    created=TIME,
    description="",
    key_spec="SYMMETRIC_DEFAULT",
    key_usage="ENCRYPT_DECRYPT",
    origin="AWS_KMS",
    manager="CUSTOMER",
    state="Enabled",
    aliases=("alias/a", "alias/b"),
    tags=(("k", "v"),),
    current=1,
    kek=1,
)


def test_a_body_is_json_in_the_order_of_the_specification() -> None:
    assert record.encode(ALIAS) == ALIAS_BODY
    assert record.encode(VERSION) == VERSION_BODY
    assert record.encode(KEY) == (
        b'{"key_id":"k","created":"2026-03-01T12:00:00.123000Z","description":"","key_spec":"SYMMETRIC_DEFAULT",'
        b'"key_usage":"ENCRYPT_DECRYPT","origin":"AWS_KMS","manager":"CUSTOMER","state":"Enabled",'
        b'"aliases":["alias/a","alias/b"],"tags":[["k","v"]],"current":1,"kek":1,"deletion_date":null,'
        b'"deletion_window":null}'
    )


@pytest.mark.parametrize("body", [ALIAS, VERSION, KEY])
def test_what_is_encoded_is_decoded(body: record.Record) -> None:
    assert record.decode(record.encode(body), type(body)) == body


SPELLINGS = {
    "a space": VERSION_BODY.replace(b'"number":1', b'"number": 1'),
    "a newline behind it": VERSION_BODY + b"\n",
    "a space before it": b" " + VERSION_BODY,
    "a byte order mark": b"\xef\xbb\xbf" + VERSION_BODY,
    "a member twice, alike": VERSION_BODY.replace(b'"number":1', b'"number":1,"number":1'),
    "a member twice": VERSION_BODY.replace(b'"number":1', b'"number":2,"number":1'),
    "an unknown member": VERSION_BODY[:-1] + b',"extra":1}',
    "a missing member": VERSION_BODY.replace(b'"number":1,', b""),
    "a member that has a default, missing": record.encode(KEY).replace(b',"deletion_window":null', b""),
    "another order": VERSION_BODY.replace(b'"key_id":"k","number":1', b'"number":1,"key_id":"k"'),
    "a float": VERSION_BODY.replace(b'"number":1', b'"number":1.0'),
    "an exponent": VERSION_BODY.replace(b'"number":1', b'"number":1e0'),
    "a leading zero": VERSION_BODY.replace(b'"number":1', b'"number":01'),
    "a minus zero": VERSION_BODY.replace(b'"number":1', b'"number":-0'),
    "a number as text": VERSION_BODY.replace(b'"number":1', b'"number":"1"'),
    "a truth value": VERSION_BODY.replace(b'"number":1', b'"number":true'),
    "NaN": VERSION_BODY.replace(b'"number":1', b'"number":NaN'),
    "Infinity": VERSION_BODY.replace(b'"number":1', b'"number":Infinity'),
    "an escape": VERSION_BODY.replace(b'"k"', b'"\\u006b"'),
    "an escaped slash": VERSION_BODY.replace(b"AP/+/Q==", b"AP\\/+/Q=="),
    "a lone surrogate, escaped": VERSION_BODY.replace(b'"k"', b'"\\ud800"'),
    "a lone surrogate, encoded": VERSION_BODY.replace(b'"k"', b'"\xed\xa0\x80"'),
    "no UTF-8": VERSION_BODY.replace(b'"k"', b'"\xff"'),
    "base64 without padding": VERSION_BODY.replace(b"AP/+/Q==", b"AP/+/Q"),
    "base64 with other last bits": VERSION_BODY.replace(b"AP/+/Q==", b"AP/+/R=="),
    "base64 for URLs": VERSION_BODY.replace(b"AP/+/Q==", b"AP_-_Q=="),
    "base64 in two lines": VERSION_BODY.replace(b"AP/+/Q==", b"AP/+\\n/Q=="),
    "another zone": VERSION_BODY.replace(b"Z", b"+00:00"),
    "no zone": VERSION_BODY.replace(b"000Z", b"000"),
    "another hour": VERSION_BODY.replace(b"12:00:00.123000Z", b"13:00:00.123000+01:00"),
    "a shorter fraction": VERSION_BODY.replace(b".123000Z", b".123Z"),
    "a longer fraction": VERSION_BODY.replace(b".123000Z", b".1230000Z"),
    "a small letter t": VERSION_BODY.replace(b"01T12", b"01t12"),
    "a time as number": VERSION_BODY.replace(b'"2026-03-01T12:00:00.123000Z"', b"1772366400"),
    "another rotation": VERSION_BODY.replace(b"null", b'"AUTOMATIC"'),
    "nothing": b"",
    "null": b"null",
    "a list": b"[" + VERSION_BODY + b"]",
    "two bodies": VERSION_BODY + VERSION_BODY,
    "half a body": VERSION_BODY[: len(VERSION_BODY) // 2],
    "a comment": VERSION_BODY + b"//",
    "depth": b"[" * 100_000,
}


@pytest.mark.parametrize("body", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_another_spelling_is_refused(body: bytes) -> None:
    shape = KeyRecord if b"key_spec" in body else VersionRecord
    with pytest.raises(errors.VaultTamperedError) as caught:
        record.decode(body, shape)
    assert caught.value.exit_code == 50


def test_a_body_is_not_quoted_in_the_refusal() -> None:
    with pytest.raises(errors.VaultTamperedError) as caught:
        record.decode(b'{"name":"needle"}', AliasRecord)
    assert "needle" not in caught.value.message


def test_the_pairs_of_tags_stay_pairs() -> None:
    body = record.encode(KEY).replace(b'[["k","v"]]', b'[["k","v","w"]]')
    with pytest.raises(errors.VaultTamperedError):
        record.decode(body, KeyRecord)


@pytest.mark.parametrize(
    ("kind", "record_id", "group"),
    [
        ("vault", "", "vault"),
        ("roots", "2", "vault"),
        ("vault-secret", "admin", "vault"),
        ("principal", "admin", "principal/admin"),
        ("alias", "alias/a/b", "alias/a/b"),
        ("key", "k", "key/k"),
        ("version", "k/00000001", "key/k"),
        ("share", "k/admin", "key/k"),
    ],
)
def test_a_group_follows_from_kind_and_id(kind: str, record_id: str, group: str) -> None:
    assert record.group_of(kind, record_id) == group


def test_each_kind_of_record_has_a_struct_that_refuses_unknown_members() -> None:
    assert set(record.KINDS) == {
        "alias",
        "key",
        "principal",
        "roots",
        "share",
        "vault",
        "vault-secret",
        "version",
    }
    for shape in record.KINDS.values():
        assert shape.__struct_config__.forbid_unknown_fields
        assert shape.__struct_config__.frozen


def test_a_digest_covers_kind_id_and_body() -> None:
    assert record.record_digest("alias", "alias/a", b"{}") == digest("record", b"alias", b"alias/a", b"{}")
    made = {
        record.record_digest(kind, record_id, body)
        for kind, record_id, body in [("a", "b", b"c"), ("b", "a", b"c"), ("ab", "", b"c"), ("a", "b", b"d")]
    }
    assert len(made) == 4


def test_a_root_set_encodes_its_keys_inside() -> None:
    roots = RootSet(vault_id="00", number=1, roots=(RootKey(principal="admin", sign=b"s", seal=b"k"),))
    assert record.encode(roots) == (
        b'{"vault_id":"00","number":1,"roots":[{"principal":"admin","sign":"cw==","seal":"aw=="}],'
        b'"signer":"","signature":""}'
    )
    assert record.decode(record.encode(roots), RootSet) == roots
