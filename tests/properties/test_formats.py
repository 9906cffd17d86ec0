"""Formats under random input: what is written is read back, and nothing else is taken for it."""

import json
import os
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscli import errors
from kmscli.crypto import seal
from kmscli.crypto.identity import Identity
from kmscli.formats import auditline, blob, keyfile, record, slot, wire
from kmscli.formats.context import canonical
from kmscli.formats.head import Head
from kmscli.formats.importtoken import ImportToken
from kmscli.formats.record import AliasRecord, GrantRecord, KeyRecord, PolicyRecord, RootSet, VersionRecord

QUICK = settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
contexts = st.dictionaries(texts, texts, max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
ALICE = Identity(bytes(32))
TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHAPES = [AliasRecord, GrantRecord, KeyRecord, PolicyRecord, RootSet, VersionRecord, Head, ImportToken, slot.Slot]


@QUICK
@given(contexts, contexts)
def test_two_contexts_have_one_encoding_only_if_they_are_one(left: dict[str, str], right: dict[str, str]) -> None:
    assert (canonical(left) == canonical(right)) == (left == right)


@QUICK
@given(contexts)
def test_an_encoded_context_can_be_read_back(context: dict[str, str]) -> None:
    encoded = canonical(context)
    assert parse(encoded) == context


def parse(encoded: bytes) -> dict[str, str]:
    """The context in its canonical form, read by the specification."""
    count, rest = int.from_bytes(encoded[:4], "big"), encoded[4:]
    strings = []
    for _ in range(2 * count):
        length = int.from_bytes(rest[:4], "big")
        strings.append(rest[4 : 4 + length].decode())
        rest = rest[4 + length :]
    assert rest == b""
    assert strings[::2] == sorted(strings[::2], key=str.encode)
    return dict(zip(strings[::2], strings[1::2], strict=True))


@QUICK
@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_two_lists_of_parts_have_one_encoding_only_if_they_are_one(left: list[bytes], right: list[bytes]) -> None:
    assert (wire.prefixed(*left) == wire.prefixed(*right)) == (left == right)


@QUICK
@given(st.binary(max_size=200))
def test_random_bytes_are_no_blob_or_a_named_refusal(data: bytes) -> None:
    for candidate in (data, b"KMSB" + data, b"KMSB\x01" + data, b"KMSB\x01\x00" + data):
        try:
            parsed = blob.parse(candidate)
        except (errors.InvalidCiphertextError, errors.UnsupportedFormatError):
            continue
        assert blob.header(parsed.key_id, parsed.version) == parsed.header
        assert parsed.header + parsed.sealed == candidate


@QUICK
@given(st.binary(min_size=32, max_size=32), st.integers(0, 60), st.binary(min_size=1, max_size=1))
def test_a_keyfile_with_another_byte_is_refused(secret: bytes, place: int, byte: bytes) -> None:
    line = keyfile.encode(secret).strip()
    changed = line[:place] + byte + line[place + 1 :]
    if changed == line:
        assert keyfile.decode(changed, path="") == secret
        return
    with pytest.raises(errors.InvalidKeyfileError):
        keyfile.decode(changed, path="")


@QUICK
@given(
    texts,
    st.lists(texts, max_size=3).map(tuple),
    st.binary(max_size=9),
    contexts | st.none(),
    st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)) | st.none(),  # noqa: DTZ001 - it gets its zone
)
def test_a_record_is_read_back_and_spells_no_default_out(
    text: str, names: tuple[str, ...], data: bytes, context: dict[str, str] | None, time: datetime | None
) -> None:
    version = VersionRecord(
        key_id="k", number=1, created=TIME, material_id="", sealed=data, description=text, valid_to=time
    )
    granted = GrantRecord(
        key_id="k", grant_id="", created=TIME, grantee=text, operations=names, name=text, context_equals=context
    )
    for value, members in (
        (version, {"sealed": data, "description": text, "valid_to": time is not None, "public": False}),
        (granted, {"name": text, "context_equals": context is not None, "context_subset": False}),
    ):
        body = record.encode(value)
        assert record.decode(body, type(value)) == value
        spelled = json.loads(body).keys()
        assert {member: member in spelled for member in members} == {
            member: bool(given) for member, given in members.items()
        }


@QUICK
@given(json_values, st.sampled_from(SHAPES))
def test_random_json_is_no_record(value: object, shape: type) -> None:
    with pytest.raises(errors.VaultTamperedError):
        record.decode(json.dumps(value).encode(), shape)


@QUICK
@given(st.binary(max_size=100), st.sampled_from(SHAPES))
def test_random_bytes_are_no_record(data: bytes, shape: type) -> None:
    with pytest.raises(errors.VaultTamperedError):
        record.decode(data, shape)


@QUICK
@given(st.dictionaries(texts, json_values, max_size=4))
def test_random_json_is_no_line_and_random_bytes_neither(value: dict[str, object]) -> None:
    for data in (json.dumps(value).encode(), os.urandom(50)):
        with pytest.raises(errors.AuditTamperedError):
            auditline.decode(data)


@QUICK
@given(contexts, st.integers(0), st.sampled_from([0, 1]))
def test_a_changed_line_is_refused_or_its_signature_is_broken(context: dict[str, str], place: int, cut: int) -> None:
    event = {
        "eventTime": "2026-03-01T12:00:00Z",
        "eventName": "Encrypt",
        "requestParameters": {"encryptionContext": context},
        "vault": {"id": "00" * 16, "generation": 1, "root": ""},
        "chain": {"seq": 1, "prev": auditline.FIRST_PREV},
    }
    line = auditline.encode(event, vault_id="00" * 16, signer="admin", sign=ALICE.sign)
    at = place % len(line)
    changed = line[:at] + b" " + line[at + cut :]
    try:
        signer = auditline.decode(changed).signature.signer
    except errors.AuditTamperedError:
        return
    same_bytes = auditline.signed_part(changed) == auditline.signed_part(line)
    assert changed == line or not same_bytes or signer != "admin"


@QUICK
@given(st.binary(max_size=40), st.binary(max_size=20), st.binary(max_size=20))
def test_sealed_bytes_open_in_their_context_only(plaintext: bytes, context: bytes, other: bytes) -> None:
    key = bytes(32)
    sealed = seal.seal(key, plaintext, context=context)
    assert seal.unseal(key, sealed, context=context) == plaintext
    if other != context:
        with pytest.raises(errors.SealBrokenError):
            seal.unseal(key, sealed, context=other)


@QUICK
@given(st.binary(max_size=300))
def test_random_bytes_do_not_open(data: bytes) -> None:
    with pytest.raises(errors.SealBrokenError):
        seal.unseal(bytes(32), data, context=b"")
    with pytest.raises(errors.SealBrokenError):
        ALICE.open(data, context=b"")
