"""The header of a message: one form, bounded before it is read."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kmscli import errors
from kmscli.formats import message
from kmscli.formats.message import EncryptedDataKey, Header
from kmscli.model.suites import COMMITTING, SIGNED, SUITES
from tests.messages import DATA_KEYS, Dribble, made

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
CONTEXTS = st.dictionaries(TEXTS.filter(lambda name: not name.startswith(message.RESERVED_PREFIX)), TEXTS, max_size=5)
KEYS = st.builds(EncryptedDataKey, TEXTS, st.binary(max_size=50), st.binary(max_size=50))


def body_of(**members: object) -> bytes:
    """The body of a header, for the most part a plain one."""
    given = {
        "message_id": bytes(32),
        "encryption_context": {},
        "data_keys": DATA_KEYS,
        "frame_length": 4096,
        "commitment": bytes(32),
    }
    return message.encode_body(COMMITTING, **(given | members))  # type: ignore[arg-type]


def read(raw: bytes, **options: object) -> Header:
    return message.read_header(io.BytesIO(raw), **options)  # type: ignore[arg-type]


@given(CONTEXTS, st.lists(KEYS, min_size=1, max_size=5), st.integers(1, 64 << 20), st.binary(min_size=32, max_size=32))
@example({}, DATA_KEYS, 1, bytes(32))
def test_what_is_written_is_read(
    context: dict[str, str], keys: list[EncryptedDataKey], frame_length: int, drawn: bytes
) -> None:
    body = body_of(
        message_id=drawn, encryption_context=context, data_keys=keys, frame_length=frame_length, commitment=drawn[::-1]
    )
    source = io.BytesIO(body + bytes(16) + b"frames")
    header = message.read_header(source)
    assert (COMMITTING, drawn, context, tuple(keys)) == (
        header.suite,
        header.message_id,
        header.encryption_context,
        header.data_keys,
    )
    assert (frame_length, drawn[::-1], body, bytes(16)) == (
        header.frame_length,
        header.commitment,
        header.body,
        header.tag,
    )
    assert header.length == len(body) + 16 == source.tell()


@given(st.binary(max_size=400), st.integers(0, 400), st.binary(max_size=4))
def test_whatever_is_read_has_one_form(start: bytes, place: int, other: bytes) -> None:
    raw = bytearray(body_of(encryption_context={"a": "1", "b": "2"}, data_keys=DATA_KEYS * 2) + bytes(16))
    raw[place : place + len(other)] = other
    for found in (bytes(raw), b"\x02\x04\x78" + start):
        try:
            header = read(found)
        except errors.KmsError:
            continue
        again = body_of(
            message_id=header.message_id,
            encryption_context=header.encryption_context,
            data_keys=header.data_keys,
            frame_length=min(header.frame_length, 64 << 20),
            commitment=header.commitment,
        )
        assert len(again) == len(header.body)
        assert again == header.body or header.frame_length > 64 << 20


def test_a_source_that_gives_little_at_a_time_is_read_to_the_end_of_the_header() -> None:
    raw = body_of() + bytes(16)
    assert read(raw) == message.read_header(Dribble(raw + b"frames"))


@pytest.mark.parametrize(
    "context",
    [{"a": "\ud800"}, {"\udfff": "a"}, {"a": "x" * 65536}, {"a": "x" * 65530}, {str(n): "" for n in range(70_000)}],
)
def test_a_context_that_no_header_can_hold_is_refused(context: dict[str, str]) -> None:
    with pytest.raises(errors.ValidationError):
        message.encode_context(context)


def test_the_largest_context_is_written_and_read() -> None:
    context = {"a": "x" * (65535 - 2 - 2 - 1 - 2)}
    assert context == read(body_of(encryption_context=context) + bytes(16)).encryption_context


@pytest.mark.parametrize(
    "members",
    [
        {"data_keys": []},
        {"data_keys": DATA_KEYS * 65},
        {"frame_length": 0},
        {"frame_length": (64 << 20) + 1},
        {"data_keys": [EncryptedDataKey("aws-kms", bytes(65536), b"")]},
        {"data_keys": [EncryptedDataKey("aws-kms", bytes(65535), b"")] * 17},
    ],
)
def test_what_no_reader_would_take_is_not_written(members: dict[str, object]) -> None:
    with pytest.raises(errors.ValidationError):
        body_of(**members)


@pytest.mark.parametrize(
    "suite", [suite for suite in SUITES.values() if not suite.commits], ids=lambda suite: suite.name
)
def test_a_suite_without_commitment_is_never_written(suite: message.Suite) -> None:
    with pytest.raises(errors.InternalError):
        message.encode_body(
            suite,
            message_id=bytes(suite.message_id_bytes),
            encryption_context={},
            data_keys=DATA_KEYS,
            frame_length=1,
            commitment=bytes(32),
        )


def test_a_caller_may_look_at_fewer_keys() -> None:
    raw = body_of(data_keys=DATA_KEYS * 3) + bytes(16)
    assert len(read(raw, keys_max=3).data_keys) == 3
    with pytest.raises(errors.MessageLimitError):
        read(raw, keys_max=2)


def test_a_header_is_read_no_further_than_1_mib() -> None:
    keys = (b"\0\0" + b"\xff\xff" + bytes(65535) + b"\0\0") * 17
    source = io.BytesIO(b"\x02\x04\x78" + bytes(32) + b"\0\0" + b"\0\x11" + keys + bytes(1000))
    with pytest.raises(errors.MessageLimitError):
        message.read_header(source)
    assert source.tell() <= message.HEADER_MAX


def test_messages_are_known_by_their_beginning() -> None:
    assert message.looks_like(made(b"x")[0])
    assert message.looks_like(made(b"x", signed=True)[0])
    assert message.looks_like(b"\x01\x80\x03\x78")
    for other in (
        b"",
        b"\x02\x04",
        b"KMSB\x01",
        b"-----BEGIN",
        b"\x02\x06\x78\x00",
        b"\x01\x80\x04\x78",
        b"\x01\x00\x03\x78",
    ):
        assert not message.looks_like(other)


def test_the_table_of_suites_is_that_of_aws() -> None:
    assert {suite.number for suite in SUITES.values() if suite.commits} == {0x0478, 0x0578}
    assert {suite.number for suite in SUITES.values() if suite.signature} == {0x0578, 0x0378, 0x0346, 0x0214}
    assert all((suite.version == 2) == suite.commits for suite in SUITES.values())
    assert (COMMITTING.name, SIGNED.name) == ("0x0478", "0x0578")
