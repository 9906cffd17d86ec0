"""AWS's model of the API, walked: whatever it has, kms has too, or a list here says why not.

Two walks. One compares types: each member of a request and of an answer, with its kind, its bounds and its enum in
AWS's order. The other one uses everything in the life of one vault, and compares what was used with what there is. A
list that says of something that it is missing fails too when that is no longer true, or when AWS no longer has it.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import inspect

from kmscli.cli import _api
from kmscli.cli._app import kms
from kmscli.cli._settings import Settings
from kmscli.cli._verbs import API, REFUSED_VERBS
from kmscli.model.specs import KEY_SPECS
from kmscli.service import operations, validate
from kmscli.service.members import Shape, members
from tests import awsmodel
from tests.helpers import Home
from tests.interop.life import AMAZON, Life, live

Place = tuple[str, str]
"""A structure and its member, or an enum and its value."""

# -- what differs, and why ---------------------------------------------------------------------------------------------

_SERVER = "the shape is shared by all lists; the text of the member, and the service, say this"
DIFFERENT: dict[tuple[str, str, str], str] = {
    ("GenerateRandomRequest", "NumberOfBytes", "required"): "the service refuses a request without it",
    ("ListAliasesRequest", "Limit", "1 to 100"): _SERVER,
    ("ListGrantsRequest", "Limit", "1 to 100"): _SERVER,
    ("ListResourceTagsRequest", "Limit", "1 to 50"): _SERVER,
    ("ListRetirableGrantsRequest", "Limit", "1 to 100"): _SERVER,
    ("ScheduleKeyDeletionRequest", "PendingWindowInDays", "7 to 30"): "the text of the member, and the service, say so",
}
"""Structure of a request, member, what it is here -> why it differs from the shape."""


class Refusal(NamedTuple):
    """A request that is refused for the one thing in it; `{SPEC}` names a key of a spec."""

    operation: str
    members: dict[str, Any]


def _with(operation: str, **members: Any) -> Refusal:
    return Refusal(operation, members)


_RECIPIENT = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}
_SIGNED = {"KeyId": "{ECC_NIST_EDWARDS25519}", "Message": b"x"}
_GRANT = {
    "KeyId": "{SYMMETRIC_DEFAULT}",
    "Operations": ["Decrypt"],
    "GranteePrincipal": "arn:aws:iam::111122223333:root",
}
_IMPORT = {"KeyId": "{SYMMETRIC_DEFAULT}", "WrappingKeySpec": "RSA_2048", "WrappingAlgorithm": "RSAES_OAEP_SHA_1"}
_PAIR = {"KeyId": "{SYMMETRIC_DEFAULT}"}

REFUSED: dict[Place, Refusal] = {
    ("AlgorithmSpec", "RSAES_PKCS1_V1_5"): _with(
        "GetParametersForImport", **_IMPORT | {"WrappingAlgorithm": "RSAES_PKCS1_V1_5"}
    ),
    ("AlgorithmSpec", "SM2PKE"): _with("GetParametersForImport", **_IMPORT | {"WrappingAlgorithm": "SM2PKE"}),
    ("WrappingKeySpec", "SM2"): _with("GetParametersForImport", **_IMPORT | {"WrappingKeySpec": "SM2"}),
    ("CreateKeyRequest", "CustomKeyStoreId"): _with("CreateKey", CustomKeyStoreId="cks-1234567890abcdef0"),
    ("CreateKeyRequest", "XksKeyId"): _with("CreateKey", XksKeyId="1"),
    ("OriginType", "AWS_CLOUDHSM"): _with("CreateKey", Origin="AWS_CLOUDHSM"),
    ("OriginType", "EXTERNAL_KEY_STORE"): _with("CreateKey", Origin="EXTERNAL_KEY_STORE"),
    ("CustomerMasterKeySpec", "SM2"): _with("CreateKey", CustomerMasterKeySpec="SM2", KeyUsage="SIGN_VERIFY"),
    ("KeySpec", "SM2"): _with("CreateKey", KeySpec="SM2", KeyUsage="SIGN_VERIFY"),
    ("KeySpec", "ML_KEM_512"): _with("CreateKey", KeySpec="ML_KEM_512", KeyUsage="ENCAPSULATE_DECAPSULATE"),
    ("DataKeyPairSpec", "SM2"): _with("GenerateDataKeyPair", **_PAIR, KeyPairSpec="SM2"),
    ("DataKeyPairSpec", "ML_KEM_512"): _with("GenerateDataKeyPair", **_PAIR, KeyPairSpec="ML_KEM_512"),
    ("EncryptionAlgorithmSpec", "SM2PKE"): _with("Encrypt", **_PAIR, Plaintext=b"x", EncryptionAlgorithm="SM2PKE"),
    ("SigningAlgorithmSpec", "SM2DSA"): _with("Sign", **_SIGNED, SigningAlgorithm="SM2DSA"),
    ("SigningAlgorithmSpec", "ED25519_PH_SHA_512"): _with("Sign", **_SIGNED, SigningAlgorithm="ED25519_PH_SHA_512"),
    ("CreateGrantRequest", "GranteeServicePrincipal"): _with("CreateGrant", **_GRANT, GranteeServicePrincipal=AMAZON),
    ("CreateGrantRequest", "RetiringServicePrincipal"): _with("CreateGrant", **_GRANT, RetiringServicePrincipal=AMAZON),
    ("GrantConstraints", "SourceArn"): _with(
        "CreateGrant", **_GRANT, Constraints={"SourceArn": "arn:aws:lambda:us-east-1:111122223333:function:f"}
    ),
    ("GenerateRandomRequest", "CustomKeyStoreId"): _with("GenerateRandom", NumberOfBytes=1, CustomKeyStoreId="cks-1"),
    ("GenerateRandomRequest", "Recipient"): _with("GenerateRandom", NumberOfBytes=1, Recipient=_RECIPIENT),
    ("DecryptRequest", "Recipient"): _with("Decrypt", CiphertextBlob=b"x", Recipient=_RECIPIENT),
    ("DeriveSharedSecretRequest", "Recipient"): _with(
        "DeriveSharedSecret", KeyId="x", KeyAgreementAlgorithm="ECDH", PublicKey=b"x", Recipient=_RECIPIENT
    ),
    ("GenerateDataKeyRequest", "Recipient"): _with("GenerateDataKey", **_PAIR, NumberOfBytes=1, Recipient=_RECIPIENT),
    ("GenerateDataKeyPairRequest", "Recipient"): _with(
        "GenerateDataKeyPair", **_PAIR, KeyPairSpec="RSA_2048", Recipient=_RECIPIENT
    ),
    ("RecipientInfo", "KeyEncryptionAlgorithm"): _with("GenerateRandom", NumberOfBytes=1, Recipient=_RECIPIENT),
    ("RecipientInfo", "AttestationDocument"): _with("GenerateRandom", NumberOfBytes=1, Recipient=_RECIPIENT),
    ("KeyEncryptionMechanism", "RSAES_OAEP_SHA_256"): _with("GenerateRandom", NumberOfBytes=1, Recipient=_RECIPIENT),
}
"""What a request can say and kms refuses, in the words of UnsupportedOperationException."""

UNTAKEN: dict[Place, str] = {
    ("ListKeyPoliciesRequest", "Marker"): "a key has one policy: no first page has a second one"
}
"""What no request can say with success, beside the above."""

_ENCLAVE = "an answer to an enclave, which is refused"
_STORE = "of custom key stores, which are refused"
_SERVICE = "of grants to services, which are refused"
_REGIONS = "of the replicas of a multi-Region key: a vault has one Region so far"
UNGIVEN: dict[Place, str] = {
    ("DecryptResponse", "CiphertextForRecipient"): _ENCLAVE,
    ("DeriveSharedSecretResponse", "CiphertextForRecipient"): _ENCLAVE,
    ("GenerateDataKeyPairResponse", "CiphertextForRecipient"): _ENCLAVE,
    ("GenerateDataKeyResponse", "CiphertextForRecipient"): _ENCLAVE,
    ("GenerateRandomResponse", "CiphertextForRecipient"): _ENCLAVE,
    ("GetKeyRotationStatusResponse", "OnDemandRotationStartDate"): "a rotation on demand is done when it is answered",
    ("GrantListEntry", "GranteeServicePrincipal"): _SERVICE,
    ("GrantListEntry", "RetiringServicePrincipal"): _SERVICE,
    ("KeyMetadata", "CloudHsmClusterId"): _STORE,
    ("KeyMetadata", "CustomKeyStoreId"): _STORE,
    ("KeyMetadata", "XksKeyConfiguration"): _STORE,
    ("XksKeyConfigurationType", "Id"): _STORE,
    ("KeyMetadata", "PendingDeletionWindowInDays"): _REGIONS,
    ("KeyMaterialState", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"): _REGIONS,
    ("KeyState", "PendingReplicaDeletion"): _REGIONS,
    ("KeyState", "Updating"): _REGIONS,
    ("MultiRegionKeyType", "REPLICA"): _REGIONS,
    ("KeyState", "Creating"): "a key is there, whole, when CreateKey answers",
    ("KeyState", "Unavailable"): _STORE,
    ("ListKeyPoliciesResponse", "NextMarker"): "a key has one policy",
}
"""What no answer says."""

UNLIKE: dict[str, str] = {
    "'local' does not match, by RegionType": "a vault without --region lies in no Region of AWS",
    **{
        f"'{spec}' is no value, by CustomerMasterKeySpec": "AWS's answers have the value of KeySpec there too"
        for spec, row in KEY_SPECS.items()
        if not row.old_name
    },
}
"""What an answer says against the model."""

# -- the walk by types -------------------------------------------------------------------------------------------------


def requests() -> dict[str, type[msgspec.Struct]]:
    """AWS's structures in requests -> our structs."""
    found: dict[str, type[msgspec.Struct]] = {}
    pending = [(awsmodel.input_shape(name), operations.load(name).request) for name in operations.OPERATIONS]
    while pending:
        shape, struct = pending.pop()
        found[shape] = struct
        known = awsmodel.members(shape)
        for member in members(struct):
            ours = member.shape.item or member.shape
            if ours.struct is not None and not member.own:
                pending.append((awsmodel.inner(known[member.name]) or known[member.name], ours.struct))
    return found


OWN_ANSWERS = {("GrantListEntry", "Expires")}
"""Members of answers that AWS does not have: a grant here can end by itself."""


def answers() -> dict[str, type[msgspec.Struct]]:
    """AWS's structures in answers -> our structs."""
    found: dict[str, type[msgspec.Struct]] = {}
    pending: list[tuple[str, Any]] = [
        (shape, operations.load(name).response)
        for name in operations.OPERATIONS
        if (shape := awsmodel.output_shape(name))
    ]
    while pending:
        shape, struct = pending.pop()
        found[shape] = struct
        known = awsmodel.members(shape)
        for field in inspect.type_info(struct).fields:  # type: ignore[attr-defined]
            kind = bare(field.type)
            if (struct.__name__, field.encode_name) in OWN_ANSWERS:
                continue
            name = known[field.encode_name]
            if isinstance(kind, inspect.ListType | inspect.VarTupleType):
                kind, name = bare(kind.item_type), str(awsmodel.inner(name))
            if isinstance(kind, inspect.StructType):
                pending.append((name, kind.cls))
    return found


def bare(kind: inspect.Type) -> inspect.Type:
    """A type without None and without annotations."""
    if isinstance(kind, inspect.Metadata):
        return bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        (kind,) = (part for part in kind.types if not isinstance(part, inspect.NoneType))
        return bare(kind)
    return kind


REQUESTS, ANSWERS = requests(), answers()


def differences(structure: str) -> Iterator[tuple[str, str]]:
    known = awsmodel.members(structure)
    required = awsmodel.SHAPES[structure].get("required", [])
    ours = {member.name: member for member in members(REQUESTS[structure]) if not member.own}
    yield from ((name, "missing") for name in known.keys() - ours.keys())
    yield from ((name, "unknown to AWS") for name in ours.keys() - known.keys())
    for name in ours.keys() & known.keys():
        yield from ((name, what) for what in unlike(ours[name].shape, known[name]))
        if ours[name].required != (name in required):
            yield name, "required" if ours[name].required else "optional"


def unlike(ours: Shape, shape: str) -> Iterator[str]:
    """How a type of ours differs from a shape of AWS."""
    row = awsmodel.SHAPES[shape]
    kind = "string" if ours.kind == "enum" else ours.kind
    if kind != row["type"]:
        yield kind
        return
    number = kind == "integer"
    least, most = (ours.minimum, ours.maximum) if number else (ours.min_length, ours.max_length)
    if (least, most) != (row.get("min"), row.get("max")):
        yield f"{least} to {most}"
    if list(ours.choices) != row.get("enum", []):
        yield f"one of {', '.join(ours.choices)}"
    # A pattern holds for the whole of a text, here and there.
    if (ours.pattern or "").strip("^$") != row.get("pattern", "").strip("^$"):
        yield f"pattern {ours.pattern}"
    if ours.item is not None:
        yield from unlike(ours.item, str(awsmodel.inner(shape)))


@pytest.mark.parametrize("structure", REQUESTS)
def test_a_request_has_the_members_of_aws_bounded_as_there(structure: str) -> None:
    assert {(structure, *found) for found in differences(structure)} == {
        row for row in DIFFERENT if row[0] == structure
    }


def test_no_difference_is_told_of_a_request_that_there_is_not() -> None:
    assert {structure for structure, *_ in DIFFERENT} <= REQUESTS.keys()


@pytest.mark.parametrize("structure", ANSWERS)
def test_an_answer_has_the_members_of_aws_and_no_other(structure: str) -> None:
    own = {name for struct, name in OWN_ANSWERS if struct == ANSWERS[structure].__name__}
    ours = set(ANSWERS[structure].__struct_encode_fields__)
    assert own <= ours
    ours -= own
    theirs = set(awsmodel.members(structure))
    assert ours <= theirs
    assert theirs - ours <= {name for where, name in UNGIVEN if where == structure}


def test_each_operation_is_here_or_is_refused_with_its_reason() -> None:
    assert operations.OPERATIONS.keys() | operations.REFUSED.keys() == awsmodel.OPERATIONS.keys()
    assert operations.OPERATIONS.keys() & operations.REFUSED.keys() == set()
    assert "" not in operations.REFUSED.values()


@pytest.mark.parametrize(("member", "count"), [("DryRun", 17), ("GrantTokens", 17)])
def test_a_member_of_many_operations_is_on_those_of_aws(member: str, count: int) -> None:
    theirs = {name for name in awsmodel.OPERATIONS if member in awsmodel.members(awsmodel.input_shape(name))}
    ours = {
        name for name in operations.OPERATIONS if member in {m.name for m in members(operations.load(name).request)}
    }
    assert ours == theirs
    assert len(theirs) == count


# -- the walk by use ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """A vault that has lived."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        home = Home(tmp_path_factory.mktemp("life")).init()
        yield live(home)
        home.close()


def places(shapes: Iterator[str]) -> set[Place]:
    """Every member and every value of some shapes."""
    return {
        (shape, name)
        for shape in shapes
        for name in (*awsmodel.SHAPES[shape].get("members", ()), *awsmodel.SHAPES[shape].get("enum", ()))
    }


def test_whatever_a_request_can_say_was_said_or_is_refused(life: Life) -> None:
    theirs = places(shape for name in operations.OPERATIONS for shape in awsmodel.reachable(awsmodel.input_shape(name)))
    assert theirs - life.taken == REFUSED.keys() | UNTAKEN.keys()


def test_whatever_an_answer_can_say_was_said_or_has_a_reason_not_to_be(life: Life) -> None:
    outputs = [shape for name in operations.OPERATIONS if (shape := awsmodel.output_shape(name))]
    theirs = places(shape for output in outputs for shape in awsmodel.reachable(output))
    assert theirs - life.given == (REFUSED.keys() & theirs) | UNGIVEN.keys()


def test_answers_are_as_the_model_has_them(life: Life) -> None:
    assert {fault.partition(": ")[2] for fault in life.faults} == UNLIKE.keys()


@pytest.mark.parametrize("place", REFUSED, ids="-".join)
def test_what_a_vault_cannot_have_is_refused(home: Home, place: Place) -> None:
    refusal = REFUSED[place]
    named = refusal.members.get("KeyId", "")
    key_id = named
    if named.startswith("{"):
        spec = named.strip("{}")
        key_id = home.create_key(KeySpec=spec, KeyUsage=next(iter(KEY_SPECS[spec].usages)))
    given = refusal.members | ({"KeyId": key_id} if key_id else {})
    assert place in set(awsmodel.seen(awsmodel.input_shape(refusal.operation), given))
    error = home.refused(refusal.operation, **given)
    assert (error.code, error.exit_code) == ("UnsupportedOperationException", 61)


@pytest.mark.parametrize("name", operations.REFUSED)
def test_an_operation_that_a_vault_cannot_have_says_why(home: Home, name: str) -> None:
    error = home.refused(name)
    assert (error.code, error.exit_code) == ("UnsupportedOperationException", 61)
    assert operations.REFUSED[name] in error.message


# -- the command line --------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """A scalar as a word."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def as_json(value: Any) -> str:
    """A value as JSON, bytes in base64."""
    return json.dumps(msgspec.to_builtins(value))


def shorthand(value: Any) -> str:
    """A map or a structure in AWS's shorthand."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={nested(inner)}" for name, inner in value.items())
    return text(value)


def nested(value: Any) -> str:
    """What may stand in shorthand."""
    return f"{{{shorthand(value)}}}" if isinstance(value, Mapping) else text(value)


def words(request: dict[str, Any], *, short: bool) -> Iterator[str]:
    """The command line of a request."""
    for name, value in request.items():
        option = awsmodel.option(name)
        if isinstance(value, bool):
            yield option if value else option.replace("--", "--no-", 1)
        elif isinstance(value, list):
            yield option
            yield from [shorthand(item) for item in value] if short and value else [as_json(value)]
        elif isinstance(value, Mapping):
            yield from (option, shorthand(value) if short else as_json(value))
        else:
            yield from (option, text(value))


@pytest.mark.parametrize("short", [True, False], ids=["shorthand", "json"])
def test_each_request_can_be_typed(life: Life, *, short: bool) -> None:
    for name, request in [*life.requests, *((refusal.operation, refusal.members) for refusal in REFUSED.values())]:
        verb_name = awsmodel.option(name)[2:]
        verb = _api.command(verb_name, API[verb_name])
        line = list(words(request, short=short))
        with verb.make_context(verb_name, line, obj=Settings({})) as context:
            given = {option: value for option, value in context.params.items() if value not in (None, ())}
        struct = operations.load(name).request
        assert validate.decode(struct, verb._request(given)) == validate.decode(struct, request)


@pytest.mark.parametrize("name", operations.REFUSED)
def test_a_refused_verb_takes_whatever_options_it_has_in_aws(
    name: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    verb = awsmodel.option(name)[2:]
    assert REFUSED_VERBS[verb] == name
    line = [word for member in awsmodel.members(awsmodel.input_shape(name)) for word in (awsmodel.option(member), "x")]
    settings = Settings({"KMS_VAULT": str(home.folder), "KMS_KEYFILE": str(home.keyfile), "KMS_NO_INPUT": "1"})
    with pytest.raises(Exception, match="is not supported") as caught:  # noqa: SIM117
        with kms().make_context("kms", [verb, *line], obj=settings) as context:
            context.command.invoke(context)
    assert getattr(caught.value, "code", "") == "UnsupportedOperationException"
