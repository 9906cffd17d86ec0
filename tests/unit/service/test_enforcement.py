"""Each operation asks whether who acts may do it: without leave, with it, by grant, under conditions, against a Deny.

The cases come from the table of operations, so that a new one cannot be forgotten. What uses keys is tried by a user,
what changes the vault by the root, since a command of anybody else changes nothing.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.model import ids
from kmscli.model.grant import GRANT_OPERATIONS
from kmscli.model.granted import CONTEXT_OPERATIONS
from kmscli.model.ids import Place
from kmscli.service.operations import OPERATIONS
from tests.importing import FOR_EVER, OAEP, bring, external, prepared, reuse_wrapping_keys
from tests.principals import ACCOUNT, ADMIN, ALICE, DELEGATED, People, deny, document, quick_folder, statement
from tests.ring import USAGES, Ring

CONTEXT = {"tenant": "one"}
HERE = Place(ACCOUNT, "local")


class Case(msgspec.Struct, frozen=True):
    """A request that succeeds if it is allowed.

    Attributes:
        key_id: The key that it is about, "" for none.
        members: The request.
        alias: The alias that it is about beside the key.
    """

    key_id: str
    members: dict[str, Any]
    alias: str = ""


def of_key(ring: Ring, **members: Any) -> Case:
    key_id = ring.create_key()
    return Case(key_id, {"KeyId": key_id} | members)


def scheduled(ring: Ring) -> Case:
    case = of_key(ring)
    ring.perform("ScheduleKeyDeletion", KeyId=case.key_id)
    return case


def new_alias(ring: Ring) -> Case:
    key_id = ring.create_key()
    alias = f"alias/{key_id}"
    return Case(key_id, {"AliasName": alias, "TargetKeyId": key_id}, alias)


def old_alias(ring: Ring) -> Case:
    case = new_alias(ring)
    ring.perform("CreateAlias", **case.members)
    return case


def to_import(ring: Ring) -> Case:
    key_id = external(ring)
    return Case(key_id, prepared(ring, key_id, os.urandom(32)) | FOR_EVER)


def imported(ring: Ring) -> Case:
    key_id = external(ring)
    bring(ring, key_id, os.urandom(32))
    return Case(key_id, {"KeyId": key_id})


def to_prepare(ring: Ring) -> Case:
    key_id = external(ring)
    return Case(key_id, {"KeyId": key_id, "WrappingAlgorithm": OAEP, "WrappingKeySpec": "RSA_2048"})


def a_grant(ring: Ring) -> Case:
    case = of_key(ring)
    made = ring.perform("CreateGrant", KeyId=case.key_id, GranteePrincipal=ALICE, Operations=["DescribeKey"])
    return Case(case.key_id, case.members | {"GrantId": made.grant_id})


TAGS = [{"TagKey": "a", "TagValue": "b"}]
OPEN = document(DELEGATED)
REQUESTS: dict[str, Callable[[Ring], Case]] = {
    "CancelKeyDeletion": scheduled,
    "CreateAlias": new_alias,
    "CreateGrant": lambda ring: of_key(ring, GranteePrincipal=ALICE, Operations=["DescribeKey"]),
    "CreateKey": lambda _: Case("", {}),
    "DeleteAlias": lambda ring: (case := old_alias(ring)) and Case(case.key_id, {"AliasName": case.alias}, case.alias),
    "DeleteImportedKeyMaterial": imported,
    "DescribeKey": of_key,
    "DisableKey": of_key,
    "DisableKeyRotation": of_key,
    "EnableKey": of_key,
    "EnableKeyRotation": of_key,
    "GenerateRandom": lambda _: Case("", {"NumberOfBytes": 1}),
    "GetKeyLastUsage": of_key,
    "GetKeyPolicy": of_key,
    "GetKeyRotationStatus": of_key,
    "GetParametersForImport": to_prepare,
    "ImportKeyMaterial": to_import,
    "ListAliases": lambda _: Case("", {}),
    "ListGrants": of_key,
    "ListKeyPolicies": of_key,
    "ListKeyRotations": of_key,
    "ListKeys": lambda _: Case("", {}),
    "ListResourceTags": of_key,
    "ListRetirableGrants": lambda _: Case("", {"RetiringPrincipal": ALICE}),
    "PutKeyPolicy": lambda ring: of_key(ring, Policy=OPEN),
    "RetireGrant": a_grant,
    "RevokeGrant": a_grant,
    "RotateKeyOnDemand": of_key,
    "ScheduleKeyDeletion": of_key,
    "TagResource": lambda ring: of_key(ring, Tags=TAGS),
    "UntagResource": lambda ring: of_key(ring, TagKeys=["a"]),
    "UpdateAlias": old_alias,
    "UpdateKeyDescription": lambda ring: of_key(ring, Description="another"),
}
"""How the operations come to a request that the ring does not have; each takes a key of its own."""


class Stage:
    """A vault with a root and a user, and a new key for each request.

    Attributes:
        ring: The vault, at whose root's hand everything is prepared.
        people: The user.
    """

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.people = People(ring).add("alice", tags={"team": "red"})

    def case(self, operation: str, **context: str) -> Case:
        """A request of its own; one with an encryption context if one is given."""
        if operation in REQUESTS:
            return REQUESTS[operation](self.ring)
        self.ring._keys.clear()
        members = self.ring.request(operation)
        key_id = members.get("KeyId") or members["DestinationKeyId"]
        if not context:
            return Case(key_id, members)
        if operation in ("Decrypt", "ReEncrypt"):
            plain = {"KeyId": key_id, "Plaintext": b"x", "EncryptionContext": context}
            members["CiphertextBlob"] = self.ring.perform("Encrypt", **plain).ciphertext_blob
        sides = ("SourceEncryptionContext", "DestinationEncryptionContext")
        names = sides if operation == "ReEncrypt" else ("EncryptionContext",)
        return Case(key_id, members | dict.fromkeys(names, context))

    def put_policy(self, case: Case, *statements: dict[str, Any]) -> None:
        """Have the key of a request this policy, whomever it locks out."""
        self.ring.perform(
            "PutKeyPolicy", KeyId=case.key_id, Policy=document(*statements), BypassPolicyLockoutSafetyCheck=True
        )

    def generation(self) -> int:
        """Grows with each change of the vault."""
        with self.ring.context.session.read() as snapshot:
            return snapshot.head.generation

    def check_denied(self, who: str, operation: str, case: Case, *, action: str, because: str, reason: str) -> None:
        """A request is refused in AWS's words, changes nothing, and leaves a line that says why."""
        before = self.generation()
        error = self.people.refused(who, operation, **case.members)
        resource = self.resource(case)
        actor = ADMIN if who == "admin" else ALICE
        sentence = f"User: {actor} is not authorized to perform: kms:{action} on resource: {resource} {because}"
        assert (sentence, 30, "AccessDeniedException") == (error.message, error.exit_code, error.code)
        assert before == self.generation()
        line = self.ring.lines()[-1]
        assert (operation, actor, "AccessDeniedException", sentence) == (
            line["eventName"],
            line["userIdentity"]["arn"],
            line["errorCode"],
            line["errorMessage"],
        )
        assert f"kms:{action}: {reason}" == line["additionalEventData"]["authorization"][-1]
        assert [resource] * bool(case.key_id) == [found["ARN"] for found in line["resources"]][-1:]
        assert line["responseElements"] is None
        assert "change" not in line

    def resource(self, case: Case) -> str:
        """What a decision is about."""
        return ids.key_arn(HERE, case.key_id) if case.key_id else "*"

    def check_allowed(self, who: str, operation: str, case: Case) -> None:
        """A request succeeds, and its line says by what."""
        self.people.perform(who, operation, **case.members)
        line = self.ring.lines()[-1]
        assert (operation, who) == (line["eventName"], line["userIdentity"]["userName"])
        assert "errorCode" not in line
        assert all(": allowed by " in each for each in line["additionalEventData"]["authorization"])


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    reuse_wrapping_keys(monkeypatch)
    with quick_folder("enforcement") as folder:
        ring = Ring(folder)
        ring.init()
        made = Stage(ring)
        yield made
        made.people.close()
        ring.close()


CHANGES = [name for name, row in OPERATIONS.items() if row.changes]
USES = [name for name, row in OPERATIONS.items() if not row.changes]
WITH_KEY = [name for name, row in OPERATIONS.items() if not row.keyless and name != "RetireGrant"]
"""The operations about which key policies decide; who may retire a grant, see tests/unit/service/test_retiring.py."""
GRANTED = [name for name in GRANT_OPERATIONS if name in OPERATIONS and name != "RetireGrant"] + ["ReEncrypt"]
"""The operations that a grant can allow."""
ROOT_ONLY = {"GetParametersForImport"}
"""Uses that need the vault's own secret, which no user has."""


def actors(operation: str) -> list[str]:
    """Who may try it."""
    return ["admin"] if OPERATIONS[operation].changes or operation in ROOT_ONLY else ["alice", "admin"]


def arn(who: str) -> str:
    return ADMIN if who == "admin" else ALICE


def actions(operation: str) -> list[str]:
    """What is asked about an operation, in order."""
    return ["ReEncryptFrom", "ReEncryptTo"] if operation == "ReEncrypt" else [operation]


def names(operation: str) -> list[str]:
    return [f"kms:{action}" for action in actions(operation)]


def cases(operations: list[str]) -> pytest.MarkDecorator:
    """Each operation with each who may try it."""
    return pytest.mark.parametrize(("operation", "who"), [(name, who) for name in operations for who in actors(name)])


def test_every_operation_has_a_request() -> None:
    assert OPERATIONS.keys() <= REQUESTS.keys() | USAGES.keys() | {"GetPublicKey"}


# -- without leave -----------------------------------------------------------------------------------------------------


def all_but(operation: str, who: str) -> dict[str, Any]:
    """A statement that allows everything but the operation."""
    made = statement(arn(who), NotAction=names(operation))
    del made["Action"]
    return made


@cases(WITH_KEY)
def test_what_a_key_policy_does_not_allow_is_refused(stage: Stage, operation: str, who: str) -> None:
    action = actions(operation)[0]
    case = stage.case(operation)
    stage.put_policy(case, all_but(operation, who))
    because = f"because no resource-based policy allows the kms:{action} action"
    reason = f"no key policy statement allows kms:{action}"
    stage.check_denied(who, operation, case, action=action, because=because, reason=reason)


@pytest.mark.parametrize("operation", [name for name in USES if name not in ROOT_ONLY])
def test_what_a_key_policy_leaves_to_the_account_needs_an_identity_policy(stage: Stage, operation: str) -> None:
    action = actions(operation)[0]
    case = stage.case(operation)
    because = f"because no identity-based policy allows the kms:{action} action"
    reason = f"no identity policy statement allows kms:{action}"
    stage.check_denied("alice", operation, case, action=action, because=because, reason=reason)
    stage.people.attach("alice", statement(Action="kms:*", Resource="arn:aws:kms:local:000000000000:key/another"))
    stage.check_denied("alice", operation, case, action=action, because=because, reason=reason)


def test_both_sides_of_a_re_encryption_need_leave(stage: Stage) -> None:
    case = stage.case("ReEncrypt")
    other = stage.ring.create_key()
    case = Case(other, case.members | {"DestinationKeyId": other})
    from_source = document(statement(ALICE, Action="kms:ReEncryptFrom"), statement(ADMIN))
    stage.ring.perform("PutKeyPolicy", KeyId=case.members["SourceKeyId"], Policy=from_source)
    stage.put_policy(case, statement(ALICE, Action=["kms:ReEncryptFrom", "kms:Encrypt", "kms:Decrypt"]))
    because = "because no resource-based policy allows the kms:ReEncryptTo action"
    reason = "no key policy statement allows kms:ReEncryptTo"
    stage.check_denied("alice", "ReEncrypt", case, action="ReEncryptTo", because=because, reason=reason)
    assert stage.ring.lines()[-1]["additionalEventData"]["authorization"] == [
        "kms:ReEncryptFrom: allowed by Statement[0] of the key policy",
        f"kms:ReEncryptTo: {reason}",
    ]


# -- with leave --------------------------------------------------------------------------------------------------------


@cases(WITH_KEY)
def test_a_key_policy_allows_by_itself(stage: Stage, operation: str, who: str) -> None:
    case = stage.case(operation)
    stage.put_policy(case, statement(arn(who), Action=names(operation)))
    stage.check_allowed(who, operation, case)


@cases(list(OPERATIONS))
def test_an_identity_policy_allows_where_the_key_policy_leaves_the_key_to_the_account(
    stage: Stage, operation: str, who: str
) -> None:
    case = stage.case(operation)
    stage.people.attach("alice", statement(Action=names(operation), Resource=stage.resource(case)))
    stage.check_allowed(who, operation, case)
    if operation in WITH_KEY:
        # The same identity policy is nothing by itself.
        case = stage.case(operation)
        stage.people.attach("alice", statement(Action=names(operation), Resource=stage.resource(case)))
        stage.put_policy(case, all_but(operation, who))
        assert stage.people.refused(who, operation, **case.members).code == "AccessDeniedException"


# -- by grant ----------------------------------------------------------------------------------------------------------


def grant(stage: Stage, operation: str, who: str, case: Case, **members: Any) -> Case:
    """The request, after a grant was made that alone can allow it."""
    allowed = [*actions(operation), "DescribeKey"]
    asked = {"KeyId": case.key_id, "GranteePrincipal": arn(who), "Operations": allowed} | members
    stage.ring.perform("CreateGrant", **asked)
    stage.put_policy(case, all_but(operation, who))
    return case


@cases(GRANTED)
def test_a_grant_allows(stage: Stage, operation: str, who: str) -> None:
    case = grant(stage, operation, who, stage.case(operation))
    stage.check_allowed(who, operation, case)
    assert ": allowed by the grant " in stage.ring.lines()[-1]["additionalEventData"]["authorization"][-1]


@cases(GRANTED)
def test_a_grant_to_somebody_else_allows_nothing(stage: Stage, operation: str, who: str) -> None:
    other = {"GranteePrincipal": "arn:aws:iam::000000000000:user/alice2"}
    case = grant(stage, operation, who, stage.case(operation), **other)
    assert stage.people.refused(who, operation, **case.members).code == "AccessDeniedException"


@cases([name for name in GRANTED if name != "DescribeKey"])
def test_a_grant_of_other_operations_allows_nothing(stage: Stage, operation: str, who: str) -> None:
    case = grant(stage, operation, who, stage.case(operation), Operations=["DescribeKey"])
    assert stage.people.refused(who, operation, **case.members).code == "AccessDeniedException"


@pytest.mark.parametrize("constraint", ["EncryptionContextEquals", "EncryptionContextSubset"])
@cases([name for name in GRANTED if name in CONTEXT_OPERATIONS or name == "ReEncrypt"])
def test_a_grant_allows_under_its_constraint_only(stage: Stage, operation: str, who: str, constraint: str) -> None:
    case = grant(stage, operation, who, stage.case(operation, **CONTEXT), Constraints={constraint: CONTEXT})
    stage.check_allowed(who, operation, case)
    more = grant(stage, operation, who, stage.case(operation, **CONTEXT, more="1"), Constraints={constraint: CONTEXT})
    if constraint == "EncryptionContextSubset":
        stage.check_allowed(who, operation, more)
    else:
        assert stage.people.refused(who, operation, **more.members).code == "AccessDeniedException"
    for context in ({}, {"tenant": "two"}, {"more": "1"}):
        case = grant(stage, operation, who, stage.case(operation, **context), Constraints={constraint: CONTEXT})
        assert stage.people.refused(who, operation, **case.members).code == "AccessDeniedException"


@pytest.mark.parametrize("constraint", ["EncryptionContextEquals", "EncryptionContextSubset"])
def test_a_grant_is_passed_on_with_no_more_than_it_has(stage: Stage, constraint: str) -> None:
    made = grant(
        stage,
        "CreateGrant",
        "admin",
        stage.case("CreateGrant"),
        Operations=["CreateGrant", "Encrypt"],
        Constraints={constraint: CONTEXT},
    )
    asked = made.members | {"Operations": ["Encrypt"], "Constraints": {constraint: CONTEXT}}
    stage.check_allowed("admin", "CreateGrant", Case(made.key_id, asked))
    for too_much in (
        {"Operations": ["Encrypt", "Decrypt"]},
        {"Operations": ["DescribeKey"]},
        {"Constraints": {constraint: {"tenant": "two"}}},
        {"Constraints": {}},
        {"Constraints": None},
    ):
        assert stage.people.refused("admin", "CreateGrant", **asked | too_much).code == "AccessDeniedException"


# -- under a condition -------------------------------------------------------------------------------------------------


def only_for(name: str) -> dict[str, Any]:
    return {"Condition": {"StringEquals": {"aws:username": name}}}


@cases(WITH_KEY)
def test_a_condition_of_a_key_policy_must_hold(stage: Stage, operation: str, who: str) -> None:
    case = stage.case(operation)
    stage.put_policy(case, all_but(operation, who), statement(arn(who), Action=names(operation), **only_for("bob")))
    assert stage.people.refused(who, operation, **case.members).code == "AccessDeniedException"
    case = stage.case(operation)
    stage.put_policy(case, all_but(operation, who), statement(arn(who), Action=names(operation), **only_for(who)))
    stage.check_allowed(who, operation, case)


@pytest.mark.parametrize("operation", [name for name in USES if name not in ROOT_ONLY])
def test_a_condition_of_an_identity_policy_must_hold(stage: Stage, operation: str) -> None:
    case = stage.case(operation)
    stage.people.attach("alice", statement(Action=names(operation), **only_for("bob")))
    assert stage.people.refused("alice", operation, **case.members).code == "AccessDeniedException"
    stage.people.attach("alice", statement(Action=names(operation), **only_for("alice")))
    stage.check_allowed("alice", operation, case)


# -- an explicit Deny --------------------------------------------------------------------------------------------------


@cases(WITH_KEY)
def test_a_deny_of_a_key_policy_wins(stage: Stage, operation: str, who: str) -> None:
    action = actions(operation)[-1]
    case = stage.case(operation)
    if operation in GRANTED:
        stage.ring.perform("CreateGrant", KeyId=case.key_id, GranteePrincipal=arn(who), Operations=actions(operation))
    stage.people.attach("alice", statement())
    no = deny(arn(who), Action=f"kms:{action}", Sid="No")
    stage.put_policy(case, statement(arn(who)), statement("*"), DELEGATED, no)
    because = "with an explicit deny in a resource-based policy"
    reason = "denied by statement No of the key policy"
    stage.check_denied(who, operation, case, action=action, because=because, reason=reason)


@cases(list(OPERATIONS))
def test_a_deny_of_an_identity_policy_wins(stage: Stage, operation: str, who: str) -> None:
    action = actions(operation)[-1]
    case = stage.case(operation)
    if case.key_id:
        stage.put_policy(case, statement(arn(who)), statement("*"), DELEGATED)
    stage.people.attach(who, statement(), deny(Action=f"kms:{action}"), policy="no")
    because = "with an explicit deny in an identity-based policy"
    reason = "denied by Statement[1] of the identity policy no"
    stage.check_denied(who, operation, case, action=action, because=because, reason=reason)
    stage.people.attach(who, policy="no")


@pytest.mark.parametrize("operation", ["CreateAlias", "DeleteAlias", "UpdateAlias"])
def test_a_deny_about_an_alias_wins(stage: Stage, operation: str) -> None:
    case = stage.case(operation)
    alias = ids.alias_arn(HERE, case.alias)
    stage.people.attach("admin", deny(Action="kms:*", Resource=alias), policy="no")
    before = stage.generation()
    error = stage.people.refused("admin", operation, **case.members)
    assert f"to perform: kms:{operation} on resource: {alias} with an explicit deny" in error.message
    assert before == stage.generation()


@pytest.mark.parametrize(
    ("members", "action", "resource"),
    [
        ({"Tags": TAGS}, "TagResource", "*"),
        ({"Alias": "alias/new"}, "CreateAlias", "arn:aws:kms:local:000000000000:alias/new"),
    ],
)
def test_a_new_key_with_more_asks_for_more(stage: Stage, members: dict[str, Any], action: str, resource: str) -> None:
    stage.people.attach("admin", deny(Action=f"kms:{action}"), policy="no")
    before = stage.generation()
    error = stage.people.refused("admin", "CreateKey", **members)
    assert f"to perform: kms:{action} on resource: {resource} with an explicit deny" in error.message
    assert before == stage.generation()
    stage.people.perform("admin", "CreateKey")


# -- who is no root ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [*CHANGES, *sorted(ROOT_ONLY)])
def test_a_change_by_who_is_no_root_is_refused_by_name_even_where_policy_allows_it(
    stage: Stage, operation: str
) -> None:
    case = stage.case(operation)
    stage.people.attach("alice", statement())
    if case.key_id:
        stage.put_policy(case, statement(ALICE), DELEGATED)
    before = stage.generation()
    error = stage.people.refused("alice", operation, **case.members)
    assert ("AccessDeniedException", 30) == (error.code, error.exit_code)
    assert f"User: {ALICE} is not authorized to perform: kms:{operation} on resource: " in error.message
    assert "only a root of the vault" in error.message
    assert error.hint is not None
    assert "kms serve" in error.hint
    assert before == stage.generation()
    line = stage.ring.lines()[-1]
    assert (operation, ALICE, error.code, error.message) == (
        line["eventName"],
        line["userIdentity"]["arn"],
        line["errorCode"],
        line["errorMessage"],
    )


def test_who_is_disabled_can_do_nothing_and_no_line_is_believed_of_him(stage: Stage) -> None:
    case = stage.case("DescribeKey")
    stage.put_policy(case, statement(ALICE), DELEGATED)
    stage.check_allowed("alice", "DescribeKey", case)
    stage.people.set_state("alice", "disabled")
    before = len(stage.ring.lines())
    error = stage.people.refused("alice", "DescribeKey", **case.members)
    assert isinstance(error, errors.PrincipalDisabledError)
    assert before == len(stage.ring.lines())
    stage.people.set_state("alice", "enabled")
    stage.check_allowed("alice", "DescribeKey", case)
