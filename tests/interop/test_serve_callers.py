"""Who asks the endpoint: principals who are no roots, what policies give them, and what takes it away at once."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from kmscli import errors
from tests.endpoint import REGION, Key, Served, allow, running
from tests.principals import ACCOUNT_ROOT, DELEGATED, deny, document, statement

HERE = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
ELSEWHERE = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
UNRECOGNIZED = ("UnrecognizedClientException", errors.UnrecognizedClientError().message)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with running() as made:
        made.place.principal("writer", allow("kms:Encrypt"))
        made.place.principal("maker", allow("kms:CreateKey", "kms:PutKeyPolicy", "kms:CreateGrant", "kms:Encrypt"))
        yield made
        made.place.kms("audit", "verify", "--full")


@pytest.fixture
def key_id(served: Served) -> str:
    return str(served.client().create_key()["KeyMetadata"]["KeyId"])


def code_of(call: Callable[..., object], **members: Any) -> str:
    """The code of the error in which a call ends."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    return str(caught.value.response["Error"]["Code"])


def test_who_may_encrypt_alone_encrypts_alone(served: Served, key_id: str) -> None:
    writer, admin = served.client("writer"), served.client()
    blob = writer.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert b"x" == admin.decrypt(CiphertextBlob=blob)["Plaintext"]
    for call, members in (
        (writer.decrypt, {"CiphertextBlob": blob}),
        (writer.describe_key, {"KeyId": key_id}),
        (writer.generate_data_key, {"KeyId": key_id, "KeySpec": "AES_256"}),
        (writer.create_key, {}),
        (writer.list_keys, {}),
        (writer.put_key_policy, {"KeyId": key_id, "Policy": document(statement(ACCOUNT_ROOT))}),
        (writer.schedule_key_deletion, {"KeyId": key_id}),
    ):
        assert "AccessDeniedException" == code_of(call, **members)


def test_who_is_no_root_creates_a_key_and_rules_over_it(served: Served) -> None:
    maker, writer = served.client("maker"), served.client("writer")
    key_id = maker.create_key(Description="of maker")["KeyMetadata"]["KeyId"]
    blob = maker.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert "AccessDeniedException" == code_of(writer.decrypt, CiphertextBlob=blob)

    who = "arn:aws:iam::000000000000:user/writer"
    granted = maker.create_grant(KeyId=key_id, GranteePrincipal=who, Operations=["Decrypt"])
    assert b"x" == writer.decrypt(CiphertextBlob=blob)["Plaintext"]
    served.client().revoke_grant(KeyId=key_id, GrantId=granted["GrantId"])
    assert "AccessDeniedException" == code_of(writer.decrypt, CiphertextBlob=blob)

    maker.put_key_policy(KeyId=key_id, Policy=document(DELEGATED, statement(who, Action="kms:Decrypt")))
    assert b"x" == writer.decrypt(CiphertextBlob=blob)["Plaintext"]
    maker.put_key_policy(KeyId=key_id, Policy=document(DELEGATED))
    assert "AccessDeniedException" == code_of(writer.decrypt, CiphertextBlob=blob)


def test_a_change_of_who_is_no_root_is_signed_by_the_root_and_told_of_him(served: Served) -> None:
    made = served.client("maker").create_key()
    line = served.place.line(made["ResponseMetadata"]["RequestId"])
    assert ("CreateKey", "maker", "admin") == (
        line["eventName"],
        line["userIdentity"]["userName"],
        line["signature"]["signer"],
    )


def test_a_role_asks_as_a_role(served: Served, key_id: str) -> None:
    who = served.place.principal("ci", allow("kms:DescribeKey"), role=True)
    answer = served.client("ci").describe_key(KeyId=key_id)
    identity = served.place.line(answer["ResponseMetadata"]["RequestId"])["userIdentity"]
    assert ("Role", who) == (identity["type"], identity["arn"])


@pytest.mark.parametrize(("condition", "allowed"), [(HERE, True), (ELSEWHERE, False)], ids=["here", "elsewhere"])
def test_an_identity_policy_may_ask_for_the_address(
    served: Served, key_id: str, condition: dict[str, Any], *, allowed: bool
) -> None:
    name = "near" if allowed else "far"
    served.place.principal(name, allow("kms:DescribeKey", Condition=condition))
    client = served.client(name)
    if allowed:
        assert key_id == client.describe_key(KeyId=key_id)["KeyMetadata"]["KeyId"]
    else:
        assert "AccessDeniedException" == code_of(client.describe_key, KeyId=key_id)


def test_a_key_policy_may_deny_an_address_even_to_a_root(served: Served, key_id: str) -> None:
    admin = served.client()
    shut = document(DELEGATED, deny("*", Action="kms:Encrypt", Condition=HERE))
    admin.put_key_policy(KeyId=key_id, Policy=shut)
    assert "AccessDeniedException" == code_of(admin.encrypt, KeyId=key_id, Plaintext=b"x")
    admin.put_key_policy(KeyId=key_id, Policy=shut.replace("127.0.0.0/8", "203.0.113.0/24"))
    assert admin.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]


def test_no_request_comes_through_a_service_of_aws(served: Served, key_id: str) -> None:
    admin = served.client()
    by_service = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    own = statement(ACCOUNT_ROOT, Action=["kms:PutKeyPolicy", "kms:Decrypt"])
    through = statement(ACCOUNT_ROOT, Action="kms:Encrypt", Condition=by_service)
    admin.put_key_policy(KeyId=key_id, Policy=document(own, through))
    assert "AccessDeniedException" == code_of(admin.encrypt, KeyId=key_id, Plaintext=b"x")


# -- what another process takes away -----------------------------------------------------------------------------------


def test_a_key_that_another_process_disables_is_refused_by_the_next_request(served: Served, key_id: str) -> None:
    client = served.client("writer")
    for _ in range(3):
        assert client.encrypt(KeyId=key_id, Plaintext=b"x")
        served.place.kms("disable-key", "--key-id", key_id)
        assert "DisabledException" == code_of(client.encrypt, KeyId=key_id, Plaintext=b"x")
        served.place.kms("enable-key", "--key-id", key_id)


@pytest.fixture
def key(served: Served) -> Iterator[Key]:
    """A second access key of `maker`; there may be no third one."""
    made = served.place.new_access_key("maker")
    yield made
    listed = served.place.answer("access-key", "list")["AccessKeyMetadata"]
    if made.access_key_id in {row["AccessKeyId"] for row in listed}:
        _deleted(served, made.access_key_id)


def _inactive(served: Served, access_key_id: str) -> None:
    served.place.kms("access-key", "update", access_key_id, "--status", "Inactive")


def _deleted(served: Served, access_key_id: str) -> None:
    served.place.kms("access-key", "delete", access_key_id, "--yes")


@pytest.mark.parametrize("end", [_inactive, _deleted])
def test_an_access_key_that_ends_is_refused_by_the_next_request(
    served: Served, key_id: str, key: Key, end: Callable[[Served, str], None]
) -> None:
    ending, staying = served.client(key=key), served.client("maker")
    assert ending.encrypt(KeyId=key_id, Plaintext=b"x")
    end(served, key.access_key_id)
    with pytest.raises(ClientError) as caught:
        ending.encrypt(KeyId=key_id, Plaintext=b"x")
    found = caught.value.response["Error"]
    assert UNRECOGNIZED == (found["Code"], found["Message"])
    assert staying.encrypt(KeyId=key_id, Plaintext=b"x")


def test_an_access_key_that_is_made_active_again_is_taken_again(served: Served, key_id: str, key: Key) -> None:
    client = served.client(key=key)
    _inactive(served, key.access_key_id)
    assert UNRECOGNIZED[0] == code_of(client.encrypt, KeyId=key_id, Plaintext=b"x")
    served.place.kms("access-key", "update", key.access_key_id, "--status", "Active")
    assert client.encrypt(KeyId=key_id, Plaintext=b"x")


def test_a_principal_whom_another_process_disables_is_refused_by_the_next_request(served: Served, key_id: str) -> None:
    served.place.principal("leaver", allow("kms:Encrypt", "kms:CreateKey"))
    client = served.client("leaver")
    assert client.encrypt(KeyId=key_id, Plaintext=b"x")
    served.place.kms("principal", "disable", "leaver")
    # Both ways through the desk: a use, and a change.
    assert UNRECOGNIZED[0] == code_of(client.encrypt, KeyId=key_id, Plaintext=b"x")
    assert UNRECOGNIZED[0] == code_of(client.create_key)
    served.place.kms("principal", "enable", "leaver")
    assert client.encrypt(KeyId=key_id, Plaintext=b"x")


def test_a_policy_that_another_process_takes_is_gone_with_the_next_request(served: Served, key_id: str) -> None:
    served.place.principal("brief", allow("kms:Encrypt"))
    client = served.client("brief")
    assert client.encrypt(KeyId=key_id, Plaintext=b"x")
    served.place.put_policy("brief", allow("kms:Decrypt"))
    assert "AccessDeniedException" == code_of(client.encrypt, KeyId=key_id, Plaintext=b"x")


# -- the log -----------------------------------------------------------------------------------------------------------


def test_a_line_names_the_caller_and_has_the_request_id_of_the_answer(served: Served, key_id: str) -> None:
    key = served.place.access_key("writer")
    client = served.client("writer", user_agent="shop/1.2")
    answers = [client.encrypt(KeyId=key_id, Plaintext=b"x")["ResponseMetadata"]]
    with pytest.raises(ClientError) as caught:
        client.describe_key(KeyId=key_id)
    answers.append(caught.value.response["ResponseMetadata"])
    for answer, name, code in zip(answers, ("Encrypt", "DescribeKey"), (None, "AccessDeniedException"), strict=True):
        line = served.place.line(answer["RequestId"])
        assert answer["HTTPHeaders"]["x-amzn-requestid"] == line["requestID"]
        assert (name, code) == (line["eventName"], line.get("errorCode"))
        assert ("127.0.0.1", REGION) == (line["sourceIPAddress"], line["awsRegion"])
        assert line["userAgent"].startswith("shop/1.2")
        assert {
            "type": "IAMUser",
            "arn": "arn:aws:iam::000000000000:user/writer",
            "accountId": "000000000000",
            "userName": "writer",
            "accessKeyId": key.access_key_id,
        } == line["userIdentity"]


def test_who_proves_nothing_leaves_no_line(served: Served, key_id: str) -> None:
    lines = len(served.place.lines())
    key = served.place.access_key("writer")
    for forged in (
        Key(key.access_key_id, "another secret"),
        Key("AKIAIOSFODNN7EXAMPLE", key.secret),
    ):
        with pytest.raises(ClientError):
            served.client(key=forged).encrypt(KeyId=key_id, Plaintext=b"x")
    assert lines == len(served.place.lines())


def test_secrets_stand_neither_in_the_audit_log_nor_in_the_access_log(served: Served, key_id: str) -> None:
    client = served.client()
    secret = b"correct horse battery staple"
    blob = client.encrypt(KeyId=key_id, Plaintext=secret)["CiphertextBlob"]
    assert secret == client.decrypt(CiphertextBlob=blob)["Plaintext"]
    written = served.log.read_text() + repr(served.place.lines())
    assert key_id in written
    keys = [served.place.access_key(name).secret for name in ("admin", "writer", "maker")]
    for hidden in (secret.decode(), "Y29ycmVjdCBob3JzZS", *keys):
        assert hidden not in written


def test_the_last_use_of_an_access_key_is_told(served: Served, key_id: str, key: Key) -> None:
    def used() -> dict[str, Any]:
        listed = served.place.answer("access-key", "list")["AccessKeyMetadata"]
        return next(row["LastUsed"] for row in listed if row["AccessKeyId"] == key.access_key_id)

    assert "LastUsedDate" not in used()
    served.client(key=key).encrypt(KeyId=key_id, Plaintext=b"x")
    assert ("kms", REGION) == (used()["ServiceName"], used()["Region"])
    assert "LastUsedDate" in used()
