"""Bodies of records: one encoding each, and every other spelling refused."""

from datetime import UTC, datetime

import msgspec
import pytest

from kmscli import errors
from kmscli.formats import record
from kmscli.formats.record import (
    AliasRecord,
    GrantRecord,
    KeyRecord,
    PolicyRecord,
    PrincipalRecord,
    Record,
    RootKey,
    RootSet,
    SharingRecord,
    VersionRecord,
)
from kmscli.formats.wire import digest

TIME = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
ALIAS = AliasRecord(name="alias/\u00e4", key_id="k", created=TIME, updated=TIME)
VERSION = VersionRecord(key_id="k", number=1, created=TIME, material_id="00", sealed=b"\x00\xff\xfe\xfd")
ALIAS_BODY = (
    '{"name":"alias/\u00e4","key_id":"k","created":"2026-03-01T12:00:00.123000Z",'
    '"updated":"2026-03-01T12:00:00.123000Z"}'
).encode()
VERSION_BODY = (
    b'{"key_id":"k","number":1,"created":"2026-03-01T12:00:00.123000Z","material_id":"00","sealed":"AP/+/Q=="}'
)
KEY = KeyRecord(
    key_id="k",
    created=TIME,
    key_spec="SYMMETRIC_DEFAULT",
    key_usage="ENCRYPT_DECRYPT",
    origin="AWS_KMS",
    manager="CUSTOMER",
    state="Enabled",
    current=1,
    kek=1,
    aliases=("alias/a", "alias/b"),
    tags=(("k", "v"),),
)
POLICY = PolicyRecord(key_id="k", document='{"Statement": []}\n')
GRANT = GrantRecord(
    key_id="k",
    grant_id="00",
    created=TIME,
    grantee="arn:aws:iam::000000000000:user/bob",
    operations=("Encrypt", "Decrypt"),
    context_subset={"b": "1", "a": "2"},
)
PRINCIPAL = PrincipalRecord(name="bob", kind="user", root=False, state="enabled", created=TIME, sign=b"s", seal=b"t")
DEFAULTS: dict[type[Record], tuple[Record, dict[str, object]]] = {
    KeyRecord: (
        KEY,
        {
            "description": "",
            "aliases": (),
            "tags": (),
            "deletion_date": None,
            "deletion_window": None,
            "rotation_period": None,
            "next_rotation": None,
            "grant_end": None,
        },
    ),
    VersionRecord: (
        VERSION,
        {
            "sealed": b"",
            "public": b"",
            "rotation": None,
            "rotated": None,
            "description": "",
            "valid_to": None,
        },
    ),
    GrantRecord: (
        GRANT,
        {"retiring": "", "name": "", "context_equals": None, "context_subset": None, "expires": None},
    ),
    PrincipalRecord: (PRINCIPAL, {"tags": (), "access_keys": ()}),
    SharingRecord: (SharingRecord(principal="bob", bucket=1, group="key/k"), {"renews": None, "old": b""}),
    RootSet: (RootSet(vault_id="00", number=1, roots=()), {"signer": "", "signature": b""}),
}
"""Struct -> one of its bodies, and each member that has a default with that default."""


def test_a_body_is_json_in_the_order_of_the_specification() -> None:
    assert record.encode(ALIAS) == ALIAS_BODY
    assert record.encode(VERSION) == VERSION_BODY
    assert record.encode(KEY) == (
        b'{"key_id":"k","created":"2026-03-01T12:00:00.123000Z","key_spec":"SYMMETRIC_DEFAULT",'
        b'"key_usage":"ENCRYPT_DECRYPT","origin":"AWS_KMS","manager":"CUSTOMER","state":"Enabled",'
        b'"current":1,"kek":1,"aliases":["alias/a","alias/b"],"tags":[["k","v"]]}'
    )
    assert record.encode(POLICY) == b'{"key_id":"k","document":"{\\"Statement\\": []}\\n"}'
    assert record.encode(GRANT) == (
        b'{"key_id":"k","grant_id":"00","created":"2026-03-01T12:00:00.123000Z",'
        b'"grantee":"arn:aws:iam::000000000000:user/bob","operations":["Encrypt","Decrypt"],'
        b'"context_subset":{"a":"2","b":"1"}}'
    )


def defaults() -> list[tuple[type[Record], str]]:
    return [(shape, member) for shape, (_, members) in DEFAULTS.items() for member in members]


@pytest.mark.parametrize(("shape", "member"), defaults())
def test_a_member_that_has_its_default_is_left_out_and_refused_when_it_is_spelled_out(
    shape: type[Record], member: str
) -> None:
    body, members = DEFAULTS[shape]
    encoded = record.encode(msgspec.structs.replace(body, **{member: members[member]}))
    assert f'"{member}"'.encode() not in encoded
    record.decode(encoded, shape)
    spelled = encoded[:-1] + f',"{member}":'.encode() + msgspec.json.encode(members[member]) + b"}"
    msgspec.json.decode(spelled, type=shape)
    with pytest.raises(errors.VaultTamperedError):
        record.decode(spelled, shape)


def test_only_these_members_have_a_default_and_none_that_a_body_can_have_otherwise() -> None:
    found = {
        shape: {field.name: field.default for field in msgspec.structs.fields(shape) if not field.required}
        for shape in (*record.KINDS.values(), RootKey)
    }
    assert {shape: members for shape, members in found.items() if members} == {
        shape: members for shape, (_, members) in DEFAULTS.items()
    }


def test_every_kind_leaves_its_defaults_out() -> None:
    assert all(shape.__struct_config__.omit_defaults for shape in record.KINDS.values())


def test_an_empty_map_is_not_the_default_of_one() -> None:
    empty = msgspec.structs.replace(GRANT, context_subset={})
    assert record.encode(empty).endswith(b',"context_subset":{}}')
    assert record.decode(record.encode(empty), GrantRecord) == empty


def test_the_names_of_a_map_are_in_the_order_of_their_bytes() -> None:
    body = record.encode(GRANT)
    with pytest.raises(errors.VaultTamperedError):
        record.decode(body.replace(b'"a":"2","b":"1"', b'"b":"1","a":"2"'), GrantRecord)


@pytest.mark.parametrize("body", [ALIAS, VERSION, KEY, POLICY, GRANT])
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
    "a default, spelled out": record.encode(KEY)[:-1] + b',"deletion_window":null}',
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
    "another rotation": VERSION_BODY[:-1] + b',"rotation":"IMPORTED"}',
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
        ("access-key", "AKIA2", "access-key/AKIA2"),
        ("access-key-share", "admin", "access-keys"),
        ("identity-policy", "bob/use", "principal/bob"),
        ("roster", "", "vault"),
        ("sharing", "bob", "vault"),
        ("alias", "alias/a/b", "alias/a/b"),
        ("key", "k", "key/k"),
        ("version", "k/00000001", "key/k"),
        ("share", "k/admin", "key/k"),
        ("policy", "k", "key/k"),
        ("grant", "k/00", "grants/k"),
    ],
)
def test_a_group_follows_from_kind_and_id(kind: str, record_id: str, group: str) -> None:
    assert record.group_of(kind, record_id) == group


def test_each_kind_of_record_has_a_struct_that_refuses_unknown_members() -> None:
    assert set(record.KINDS) == {
        "access-key",
        "access-key-share",
        "alias",
        "grant",
        "identity-policy",
        "key",
        "policy",
        "principal",
        "roots",
        "roster",
        "share",
        "sharing",
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
        b'{"vault_id":"00","number":1,"roots":[{"principal":"admin","sign":"cw==","seal":"aw=="}]}'
    )
    assert record.decode(record.encode(roots), RootSet) == roots
