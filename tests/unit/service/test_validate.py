"""Each kind of constraint, in AWS's words.

The texts are those the service sends; where it has none of its own (a wrong JSON type, an unknown member), they have
the same form.
"""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from kmscli import errors
from kmscli.service.members import members
from kmscli.service.shapes import Request, Tag
from kmscli.service.validate import decode


class Sample(Request, frozen=True, kw_only=True):
    """One member of every kind."""

    key_id: Annotated[str, Meta(min_length=1, max_length=8, description="The key.")]
    alias: Annotated[str, Meta(extra={"pattern": r"^[a-z/]+$", "own": True})] | None = None
    number_of_bytes: Annotated[int, Meta(ge=1, le=1024)] | None = None
    key_spec: Literal["AES_256", "AES_128"] | None = None
    dry_run: bool | None = None
    plaintext: Annotated[bytes, Meta(min_length=1, max_length=4)] | None = None
    encryption_context: dict[str, str] | None = None
    operations: Annotated[list[Literal["Encrypt", "Decrypt"]], Meta(max_length=2)] | None = None
    tags: list[Tag] | None = None
    aws_account_id: str | None = msgspec.field(name="AWSAccountId", default=None)


def problem(**values: Any) -> str:
    with pytest.raises(errors.ValidationError) as caught:
        decode(Sample, {"KeyId": "k", **values})
    return caught.value.message


CONSTRAINTS = [
    (
        {"KeyId": None},
        "Value null at 'keyId' failed to satisfy constraint: Member must not be null",
    ),
    (
        {"KeyId": ""},
        "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ),
    (
        {"KeyId": "123456789"},
        "Value '123456789' at 'keyId' failed to satisfy constraint: Member must have length less than or equal to 8",
    ),
    (
        {"Alias": "A"},
        "Value 'A' at 'alias' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-z/]+$",
    ),
    (
        {"NumberOfBytes": 0},
        "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ),
    (
        {"NumberOfBytes": 1025},
        (
            "Value '1025' at 'numberOfBytes' failed to satisfy constraint: "
            "Member must have value less than or equal to 1024"
        ),
    ),
    (
        {"KeySpec": "AES_512"},
        (
            "Value 'AES_512' at 'keySpec' failed to satisfy constraint: "
            "Member must satisfy enum value set: [AES_256, AES_128]"
        ),
    ),
    (
        {"Plaintext": b"12345"},
        (
            "Value 'java.nio.HeapByteBuffer[pos=0 lim=5 cap=5]' at 'plaintext' failed to satisfy constraint: "
            "Member must have length less than or equal to 4"
        ),
    ),
    (
        {"Operations": ["Encrypt", "Sign"]},
        (
            "Value '[Encrypt, Sign]' at 'operations' failed to satisfy constraint: "
            "Member must satisfy constraint: [Member must satisfy enum value set: [Encrypt, Decrypt]]"
        ),
    ),
    (
        {"Operations": ["Encrypt", "Encrypt", "Encrypt"]},
        (
            "Value '[Encrypt, Encrypt, Encrypt]' at 'operations' failed to satisfy constraint: "
            "Member must have length less than or equal to 2"
        ),
    ),
    (
        {"Tags": [{"TagKey": "a", "TagValue": ""}, {"TagKey": "", "TagValue": ""}]},
        (
            "Value '' at 'tags.2.member.tagKey' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        ),
    ),
    (
        {"Tags": [{"TagKey": "a"}]},
        "Value null at 'tags.1.member.tagValue' failed to satisfy constraint: Member must not be null",
    ),
    (
        {"KeyId": 5},
        "Value '5' at 'keyId' failed to satisfy constraint: Member must be a string",
    ),
    (
        {"NumberOfBytes": True},
        "Value 'true' at 'numberOfBytes' failed to satisfy constraint: Member must be an integer",
    ),
    (
        {"NumberOfBytes": 1.5},
        "Value '1.5' at 'numberOfBytes' failed to satisfy constraint: Member must be an integer",
    ),
    (
        {"DryRun": "yes"},
        "Value 'yes' at 'dryRun' failed to satisfy constraint: Member must be a boolean",
    ),
    (
        {"Tags": {"a": "b"}},
        "Value '<dict>' at 'tags' failed to satisfy constraint: Member must be a list",
    ),
    (
        {"Tags": ["a"]},
        "Value 'a' at 'tags.1.member' failed to satisfy constraint: Member must be a structure",
    ),
    (
        {"EncryptionContext": {"a": 1}},
        "Value '1' at 'encryptionContext' failed to satisfy constraint: Member must be a string",
    ),
    (
        {"Plaintext": "not base64!"},
        "Value at 'plaintext' failed to satisfy constraint: Member must be base64",
    ),
    (
        {"Bogus": 1},
        (
            "Member 'Bogus' is not one of: [KeyId, Alias, NumberOfBytes, KeySpec, DryRun, Plaintext, "
            "EncryptionContext, Operations, Tags, AWSAccountId]"
        ),
    ),
    (
        {"Tags": [{"TagKey": "a", "TagValue": "b", "Key": "c"}]},
        "Member 'tags.1.member.Key' is not one of: [TagKey, TagValue]",
    ),
    (
        {"AWSAccountId": 1},
        "Value '1' at 'aWSAccountId' failed to satisfy constraint: Member must be a string",
    ),
]


@pytest.mark.parametrize(("values", "text"), CONSTRAINTS, ids=[text[-60:] for _, text in CONSTRAINTS])
def test_a_broken_constraint_is_named_in_the_words_of_aws(values: dict[str, Any], text: str) -> None:
    assert problem(**values) == f"1 validation error detected: {text}"


def test_all_broken_constraints_are_named_at_once_in_the_order_of_the_members() -> None:
    assert problem(NumberOfBytes=0, KeyId="") == (
        "2 validation errors detected: "
        "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1; "
        "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1"
    )


def test_a_whole_request_becomes_its_struct() -> None:
    request = decode(
        Sample,
        {
            "KeyId": "k",
            "Alias": "alias/a",
            "NumberOfBytes": 5,
            "KeySpec": "AES_128",
            "DryRun": False,
            "Plaintext": b"\x00\xff",
            "EncryptionContext": {"a": "b"},
            "Operations": ["Decrypt"],
            "Tags": [{"TagKey": "a", "TagValue": "b"}],
            "AWSAccountId": "1",
        },
    )
    assert request == Sample(
        key_id="k",
        alias="alias/a",
        number_of_bytes=5,
        key_spec="AES_128",
        dry_run=False,
        plaintext=b"\x00\xff",
        encryption_context={"a": "b"},
        operations=["Decrypt"],
        tags=[Tag(tag_key="a", tag_value="b")],
        aws_account_id="1",
    )


def test_absent_and_null_members_are_the_same() -> None:
    assert decode(Sample, {"KeyId": "k", "Tags": None}) == decode(Sample, {"KeyId": "k"})


def test_text_for_a_blob_is_base64() -> None:
    assert decode(Sample, {"KeyId": "k", "Plaintext": "AP8="}).plaintext == b"\x00\xff"


@pytest.mark.parametrize("text", ["AP8", "AP8=\n", "AP8==", "A-8=", "\xe4", "QUJD="])
def test_text_that_is_not_strictly_base64_is_refused(text: str) -> None:
    assert "Member must be base64" in problem(Plaintext=text)


def test_a_blob_is_never_quoted() -> None:
    assert "NEEDLE" not in problem(Plaintext=b"NEEDLE", Bogus=1)
    assert "NEEDLE" not in problem(Plaintext="NEEDLE!")


def test_a_long_value_is_cut() -> None:
    assert len(problem(KeyId="x" * 10_000)) < 500


class Worded(Request, frozen=True, kw_only=True):
    """A pattern with classes of characters."""

    name: Annotated[str, Meta(extra={"pattern": r"[\w\s]+"})]


@pytest.mark.parametrize("name", ["d\u00e9fault", "\u0664", "a\u00a0b", "\uff41"])
def test_the_classes_of_a_pattern_mean_ascii_as_they_do_in_the_service(name: str) -> None:
    with pytest.raises(errors.ValidationError) as caught:
        decode(Worded, {"Name": name})
    assert "pattern" in caught.value.message


def test_a_pattern_holds_for_the_whole_value() -> None:
    assert "pattern" in problem(Alias="a\n")


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb"])
def test_a_lone_surrogate_is_no_text(text: str) -> None:
    assert "Member must be a string" in problem(KeyId=text)
    assert "Map keys must satisfy constraint" in problem(EncryptionContext={text: "a"})
    assert problem(**{"KeyId": text, text: 1}).encode()


def test_a_misspelt_member_gets_a_suggestion() -> None:
    with pytest.raises(errors.ValidationError) as caught:
        decode(Sample, {"KeyID": "k"})
    assert caught.value.hint == "did you mean KeyId?"


def test_the_members_of_a_struct_are_read_from_its_annotations() -> None:
    found = {member.name: member for member in members(Sample)}
    assert found["KeyId"].required
    assert found["KeyId"].description == "The key."
    assert not found["Alias"].required
    assert found["Alias"].own
    assert found["AWSAccountId"].shape.kind == "string"


def test_a_type_that_is_not_known_is_refused_when_the_struct_is_read() -> None:
    class Strange(Request, frozen=True, kw_only=True):
        number: float

    with pytest.raises(TypeError, match="float"):
        members(Strange)
