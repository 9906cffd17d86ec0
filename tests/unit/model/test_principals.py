"""The ARNs of principals, and who stands for whom."""

import pytest

from kmscli import errors
from kmscli.model import principals
from kmscli.model.principals import PrincipalArn

ACCOUNT = "111122223333"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/ci"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/build-7"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (ROOT, (ACCOUNT, "root", "")),
        (ALICE, (ACCOUNT, "user", "alice")),
        (f"arn:aws:iam::{ACCOUNT}:user/a/b/c+=,.@_-", (ACCOUNT, "user", "a/b/c+=,.@_-")),
        (ROLE, (ACCOUNT, "role", "team/ci")),
        (SESSION, (ACCOUNT, "assumed-role", "ci/build-7")),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/bob", (ACCOUNT, "federated-user", "bob")),
    ],
)
def test_a_principal_has_an_arn(text: str, parts: tuple[str, str, str]) -> None:
    assert PrincipalArn(*parts) == principals.parse_arn(text)
    assert text == principals.check_arn(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        ACCOUNT,
        "alice",
        "logs.amazonaws.com",
        ROOT + "\n",
        ROOT + "/x",
        f"arn:aws:iam::{ACCOUNT}:user/",
        f"arn:aws:iam::{ACCOUNT}:user/*",
        f"arn:aws:iam::{ACCOUNT}:user/a?",
        f"arn:aws:iam::{ACCOUNT}:user//a",
        f"arn:aws:iam::{ACCOUNT}:group/admins",
        f"arn:aws:iam::{ACCOUNT}:instance-profile/a",
        "arn:aws:iam::*:root",
        "arn:aws:iam::1111:root",
        "arn:aws:iam::11112222333٣:root",
        f"arn:aws:iam:us-east-1:{ACCOUNT}:root",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/ci",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/*",
        f"arn:aws:iam::{ACCOUNT}:assumed-role/ci/s",
        f"arn:aws:sts::{ACCOUNT}:root",
        f"arn:aws:iam::{ACCOUNT}:user/" + "x" * 256,
        f"ARN:aws:iam::{ACCOUNT}:root",
    ],
)
def test_another_text_is_no_principal(text: str) -> None:
    with pytest.raises(errors.InvalidArnError) as caught:
        principals.check_arn(text)
    assert f"Invalid arn {text}" == caught.value.message


@pytest.mark.parametrize(
    ("named", "principal", "answer"),
    [
        (ALICE, ALICE, True),
        (ALICE, ALICE.upper(), False),
        (ALICE, ROOT, False),
        (ROOT, ALICE, True),
        (ROOT, SESSION, True),
        (ROOT, ALICE.replace("1", "2"), False),
        (ROLE, SESSION, True),
        (ROLE, SESSION.replace("/ci/", "/cd/"), False),
        (ROLE, SESSION.replace("1", "2"), False),
        (SESSION, ROLE, False),
        (SESSION, SESSION, True),
        (f"arn:aws:iam::{ACCOUNT}:user/ci", SESSION, False),
        (ROOT, "logs.amazonaws.com", False),
    ],
)
def test_an_account_stands_for_its_principals_and_a_role_for_its_sessions(
    named: str, principal: str, answer: object
) -> None:
    assert answer == principals.stands_for(named, principal)


@pytest.mark.parametrize(
    ("type_", "text", "answer"),
    [
        ("AWS", "*", "*"),
        ("AWS", ACCOUNT, ROOT),
        ("AWS", ALICE, ALICE),
        ("AWS", "AIDACKCEVSQ6C2EXAMPLE", None),
        ("AWS", "logs.amazonaws.com", None),
        ("Service", "logs.us-east-1.amazonaws.com", "logs.us-east-1.amazonaws.com"),
        ("Service", "*", None),
        ("Service", "*.amazonaws.com", None),
        ("Service", "logs", None),
        ("Federated", "cognito-identity.amazonaws.com", "cognito-identity.amazonaws.com"),
        ("Federated", f"arn:aws:iam::{ACCOUNT}:saml-provider/x", f"arn:aws:iam::{ACCOUNT}:saml-provider/x"),
        ("Federated", ALICE, None),
        ("CanonicalUser", "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be", ...),
        ("CanonicalUser", "79a59df9", None),
    ],
)
def test_each_type_of_principal_has_its_form(type_: str, text: str, answer: object) -> None:
    assert (text if answer is ... else answer) == principals.canonical(type_, text)
