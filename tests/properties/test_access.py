"""Several principals at work in one vault, in step with a reference that predicts every allow and deny.

Key policies, identity policies, grants, states and the clock change in any order. At all times exactly those hold a
share of a key under its current KEK who may ever use its material, and every root.
"""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kmscli import errors
from kmscli.service import audits, due, identitypolicies, principals
from tests.helpers import START, Clock, named
from tests.principals import (
    ACCOUNT_ROOT,
    ADMIN,
    ALICE,
    BOB,
    CI,
    DELEGATED,
    People,
    deny,
    document,
    quick_folder,
    statement,
)
from tests.reference.access import DENIED, Access, Key, Principal
from tests.ring import Ring

TENANT_A, TENANT_B = {"tenant": "a"}, {"tenant": "b"}
contexts = st.sampled_from([None, TENANT_A, TENANT_B, {"tenant": "a", "more": "1"}])
names = st.sampled_from(["admin", "alice", "alice", "bob", "ci"])
users = st.sampled_from(["alice", "bob", "ci"])
ARNS = {"admin": ADMIN, "alice": ALICE, "bob": BOB, "ci": CI}
FOR_A = {"Condition": {"StringEquals": {"kms:EncryptionContext:tenant": "a"}}}
FOR_B = {"Condition": {"StringEquals": {"kms:EncryptionContext:tenant": "b"}}}
TODAY = {"Condition": {"DateLessThan": {"aws:CurrentTime": "2026-03-01T13:30:00Z"}}}
ALL_BUT_BOB = {"Condition": {"ArnNotEquals": {"aws:PrincipalArn": BOB}}}
MINE = statement(ADMIN)

KEY_POLICIES = [
    [DELEGATED],
    [DELEGATED],
    [MINE],
    [MINE, statement(ALICE)],
    [MINE, statement([ALICE, CI], Action=["kms:Encrypt", "kms:Sign", "kms:DescribeKey"])],
    [MINE, statement([ALICE, BOB], Action=["kms:*crypt", "kms:GenerateDataKey", "kms:ReEncrypt*"], **FOR_A)],
    [MINE, statement(CI, **TODAY)],
    [DELEGATED, deny(BOB)],
    [DELEGATED, deny("*", Action="kms:Decrypt", **FOR_B)],
    [MINE, statement(ALICE, Action="kms:Decrypt"), deny("*", Action="kms:Decrypt", **FOR_B)],
    [DELEGATED, statement("*", Action="kms:DescribeKey"), deny(ADMIN, Action=["kms:Sign", "kms:Encrypt"])],
    [MINE, statement("*", Action=["kms:GenerateMac", "kms:Decrypt", "kms:GetPublicKey"])],
    [statement(ACCOUNT_ROOT, Action=["kms:PutKeyPolicy", "kms:De*", "kms:CreateGrant", "kms:EnableKey"])],
]
"""Each leaves it to the root to put another."""
IDENTITY_POLICIES = [
    [statement()],
    [statement(Action=["kms:Decrypt", "kms:VerifyMac", "kms:Verify"])],
    [statement(Action="kms:*", **FOR_A)],
    [statement(Action="kms:*", **TODAY)],
    [statement(), deny(Action=["kms:Sign", "kms:Decrypt"])],
    [deny()],
    [statement(Action=["kms:ListKeys", "kms:DescribeKey", "kms:GenerateRandom"])],
]
GRANTED = {
    "SYMMETRIC_DEFAULT": [
        ["Encrypt"],
        ["Decrypt", "Encrypt"],
        ["GenerateDataKey", "DescribeKey"],
        ["CreateGrant", "Decrypt"],
    ],
    "ECC_NIST_P256": [["Sign"], ["Verify", "GetPublicKey"], ["CreateGrant", "Sign"]],
    "HMAC_256": [["GenerateMac"], ["VerifyMac", "DescribeKey"]],
}
CONSTRAINTS = [None, None, {"EncryptionContextEquals": TENANT_A}, {"EncryptionContextSubset": TENANT_A}]
USAGES = {"SYMMETRIC_DEFAULT": "ENCRYPT_DECRYPT", "ECC_NIST_P256": "SIGN_VERIFY", "HMAC_256": "GENERATE_VERIFY_MAC"}
TICK = timedelta(milliseconds=1)


class Accesses(RuleBasedStateMachine):
    """The rules."""

    def __init__(self) -> None:
        super().__init__()
        self.place = quick_folder("access")
        self.clock = Clock(START.replace(microsecond=0))
        self.ring = Ring(self.place.__enter__())
        self.ring.clock = self.clock
        self.ring.init()
        self.people = People(self.ring).add("alice").add("bob").add("ci", kind="role")
        self.model = Access()
        self.model.now = self.clock.now
        for name in ("alice", "bob", "ci"):
            self.model.principals[name] = Principal(ARNS[name])
        self.ids: list[str] = []
        self.blobs: dict[str, list[tuple[bytes, dict[str, str] | None]]] = {}
        self.signed: dict[str, Any] = {}
        for spec in (*USAGES, "SYMMETRIC_DEFAULT"):
            self.make(spec)

    def teardown(self) -> None:
        """Check the whole log, as a third party would."""
        found = audits.verify_log(self.ring.folder / "audit", bytes.fromhex(self.ring.made.root_fingerprint), full=True)
        assert named(found)["Lines"] == len(self.ring.raw_lines())
        self.people.close()
        self.ring.close()
        self.place.__exit__(None, None, None)

    def make(self, spec: str) -> None:
        key_id = self.ring.create_key(KeySpec=spec, KeyUsage=USAGES[spec])
        self.ids.append(key_id)
        self.model.keys[key_id] = Key(self.ring.arn(key_id), spec)
        self.model.follow_key(key_id)
        made = {"KeyId": key_id}
        if spec == "SYMMETRIC_DEFAULT":
            sealed = [
                self.ring.perform("Encrypt", **made, Plaintext=b"x", EncryptionContext=c)
                for c in (None, TENANT_A, TENANT_B)
            ]
            blobs = [each.ciphertext_blob for each in sealed]
            self.blobs[key_id] = list(zip(blobs, (None, TENANT_A, TENANT_B), strict=True))
        elif spec == "HMAC_256":
            self.signed[key_id] = self.ring.perform(
                "GenerateMac", **made, Message=b"m", MacAlgorithm="HMAC_SHA_256"
            ).mac
        else:
            self.signed[key_id] = self.ring.perform(
                "Sign", **made, Message=b"m", SigningAlgorithm="ECDSA_SHA_256"
            ).signature

    def key(self, number: int, *specs: str) -> str:
        """The id of a key, of one of some specs if any are named."""
        fitting = [key_id for key_id in self.ids if not specs or self.model.keys[key_id].spec in specs]
        return fitting[number % len(fitting)]

    def run(self, name: str, operation: str, key_id: str = "", **members: Any) -> Any:
        """An operation that must end as the reference says; its answer, or None if it was refused."""
        self.model.now = self.clock.now
        if key_id and operation != "ReEncrypt":
            members["KeyId"] = key_id
        expected = self.model.expect(name, operation, key_id, members)
        event(f"{operation} {expected or 'allowed'}")
        error, answer = "", None
        try:
            answer = self.people.perform(name, operation, **members)
        except errors.KmsError as refused:
            error = refused.code
        assert (name, operation, members, expected) == (name, operation, members, error)
        self.check_line(name, operation, error)
        return answer

    def check_line(self, name: str, operation: str, error: str) -> None:
        """The newest line tells of it, with the reason of every decision; of who is disabled there is none."""
        line = json.loads(self.ring.raw_lines()[-1])
        if self.model.principals[name].enabled:
            told = line["eventName"], line["userIdentity"]["arn"], line.get("errorCode", "")
            assert (operation, ARNS[name], error) == told
            reasons = line.get("additionalEventData", {}).get("authorization", [])
            assert reasons or "only a root of the vault" in line["errorMessage"]
            assert (error == DENIED) == any(": allowed by" not in reason for reason in reasons) or not reasons

    @initialize(
        keys=st.lists(st.sampled_from(KEY_POLICIES), min_size=4, max_size=4),
        own=st.lists(st.none() | st.sampled_from(IDENTITY_POLICIES[:5]), min_size=3, max_size=3),
    )
    def begin(self, keys: list[Any], own: list[Any]) -> None:
        """Have access somehow from the first."""
        for number, policy in enumerate(keys):
            self.put_key_policy("admin", number, policy)
        for name, policy in zip(("alice", "bob", "ci"), own, strict=True):
            self.attach(name, policy)

    # -- uses ----------------------------------------------------------------------------------------------------------

    @rule(name=names, key=st.integers(0, 7), context=contexts)
    def encrypt(self, name: str, key: int, context: Any) -> None:
        self.run(name, "Encrypt", self.key(key, "SYMMETRIC_DEFAULT"), Plaintext=b"p", EncryptionContext=context)

    @rule(name=names, key=st.integers(0, 7), context=contexts)
    def generate_data_key(self, name: str, key: int, context: Any) -> None:
        members = {"KeySpec": "AES_256", "EncryptionContext": context}
        self.run(name, "GenerateDataKey", self.key(key, "SYMMETRIC_DEFAULT"), **members)

    @rule(name=names, key=st.integers(0, 7), blob=st.integers(0, 2), by_id=st.booleans())
    def decrypt(self, name: str, key: int, blob: int, *, by_id: bool) -> None:
        key_id = self.key(key, "SYMMETRIC_DEFAULT")
        data, context = self.blobs[key_id][blob]
        answer = self.run(name, "Decrypt", key_id, CiphertextBlob=data, EncryptionContext=context)
        assert answer is None or answer.plaintext == b"x"
        if answer is not None and by_id:
            found = self.people.perform(name, "Decrypt", CiphertextBlob=data, EncryptionContext=context)
            assert found.plaintext == b"x"

    @rule(name=names, key=st.integers(0, 7), blob=st.integers(0, 2), context=contexts)
    def re_encrypt(self, name: str, key: int, blob: int, context: Any) -> None:
        key_id = self.key(key, "SYMMETRIC_DEFAULT")
        data, source = self.blobs[key_id][blob]
        sides = {"SourceKeyId": key_id, "DestinationKeyId": key_id}
        seen = {"SourceEncryptionContext": source, "DestinationEncryptionContext": context}
        self.run(name, "ReEncrypt", key_id, CiphertextBlob=data, **sides, **seen)

    @rule(name=names, key=st.integers(0, 7), checking=st.booleans())
    def sign(self, name: str, key: int, *, checking: bool) -> None:
        key_id = self.key(key, "ECC_NIST_P256")
        members = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
        if checking:
            self.run(name, "Verify", key_id, **members, Signature=self.signed[key_id])
        else:
            self.run(name, "Sign", key_id, **members)

    @rule(name=names, key=st.integers(0, 7), checking=st.booleans())
    def mac(self, name: str, key: int, *, checking: bool) -> None:
        key_id = self.key(key, "HMAC_256")
        members = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
        if checking:
            self.run(name, "VerifyMac", key_id, **members, Mac=self.signed[key_id])
        else:
            self.run(name, "GenerateMac", key_id, **members)

    @rule(name=names, key=st.integers(0, 7), operation=st.sampled_from(["DescribeKey", "ListGrants", "GetKeyPolicy"]))
    def look(self, name: str, key: int, operation: str) -> None:
        self.run(name, operation, self.key(key))

    @rule(name=names, key=st.integers(0, 7))
    def public_key(self, name: str, key: int) -> None:
        self.run(name, "GetPublicKey", self.key(key, "ECC_NIST_P256"))

    @rule(name=names, operation=st.sampled_from(["ListKeys", "GenerateRandom"]))
    def without_key(self, name: str, operation: str) -> None:
        self.run(name, operation, **({"NumberOfBytes": 8} if operation == "GenerateRandom" else {}))

    # -- changes -------------------------------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(["admin", "admin", "admin", "alice"]),
        key=st.integers(0, 7),
        policy=st.sampled_from(KEY_POLICIES),
    )
    def put_key_policy(self, name: str, key: int, policy: Any) -> None:
        key_id, text = self.key(key), document(*policy)
        members = {"Policy": text, "BypassPolicyLockoutSafetyCheck": True}
        if self.run(name, "PutKeyPolicy", key_id, **members) is not None:
            self.model.keys[key_id].policy = json.loads(text)
            self.model.follow_key(key_id)

    @rule(name=st.sampled_from(["admin", "alice", "bob", "ci"]), policy=st.none() | st.sampled_from(IDENTITY_POLICIES))
    def attach(self, name: str, policy: Any) -> None:
        if name == "admin" and policy == [deny()]:
            return
        who, context = self.model.principals[name], self.ring.context
        self.model.now = self.clock.now
        if policy is not None:
            text = document(*policy)
            identitypolicies.put_policy(context, name, {"PolicyName": "own", "PolicyDocument": text})
            who.policies["own"] = json.loads(text)
        elif "own" in who.policies:
            identitypolicies.delete_policy(context, name, "own")
            del who.policies["own"]
        else:
            return
        self.model.follow_principal(name)

    @rule(name=users, state=st.sampled_from(["enabled", "enabled", "disabled"]))
    def switch(self, name: str, state: Any) -> None:
        self.model.now = self.clock.now
        principals.set_state(self.ring.context, name, state)
        self.model.principals[name].enabled = state == "enabled"
        self.model.follow_principal(name)

    @rule(
        name=st.sampled_from(["admin", "admin", "admin", "alice", "ci"]),
        key=st.integers(0, 7),
        grantee=st.sampled_from([ALICE, ALICE, BOB, CI, ACCOUNT_ROOT]),
        which=st.integers(0, 11),
        constraint=st.sampled_from(CONSTRAINTS),
        lasts=st.none() | st.sampled_from([TICK, timedelta(minutes=30), timedelta(hours=1)]),
    )
    def create_grant(
        self, name: str, key: int, grantee: str, which: int, constraint: Any, lasts: timedelta | None
    ) -> None:
        key_id = self.key(key)
        owner = self.model.keys[key_id]
        choices = GRANTED[owner.spec]
        operations = choices[which % len(choices)]
        constraint = constraint if owner.spec == "SYMMETRIC_DEFAULT" else None
        expires = None if lasts is None else self.clock.now + lasts
        members = {"GranteePrincipal": grantee, "Operations": operations, "Constraints": constraint, "Expires": expires}
        answer = self.run(name, "CreateGrant", key_id, **members)
        if answer is not None:
            owner.grants[answer.grant_id] = {
                "grantee": grantee,
                "operations": operations,
                "context_equals": (constraint or {}).get("EncryptionContextEquals"),
                "context_subset": (constraint or {}).get("EncryptionContextSubset"),
                "expires": expires,
            }
            self.model.follow_key(key_id)

    def granted(self) -> list[tuple[str, str]]:
        return [(key_id, grant_id) for key_id in self.ids for grant_id in self.model.keys[key_id].grants]

    @precondition(lambda self: self.granted())
    @rule(name=st.sampled_from(["admin", "admin", "alice"]), which=st.integers(0, 20))
    def revoke_grant(self, name: str, which: int) -> None:
        key_id, grant_id = self.granted()[which % len(self.granted())]
        self.model.now = self.clock.now
        expires = self.model.keys[key_id].grants[grant_id]["expires"]
        if name == "admin" and expires is not None and expires <= self.clock.now:
            return  # it is gone before it can be revoked
        if self.run(name, "RevokeGrant", key_id, GrantId=grant_id) is not None:
            del self.model.keys[key_id].grants[grant_id]
            self.model.follow_key(key_id)

    @rule(name=st.sampled_from(["admin", "admin", "bob"]), key=st.integers(0, 7), on=st.booleans())
    def enable(self, name: str, key: int, *, on: bool) -> None:
        key_id = self.key(key)
        if self.run(name, "EnableKey" if on else "DisableKey", key_id) is not None:
            self.model.keys[key_id].enabled = on

    # -- time ----------------------------------------------------------------------------------------------------------

    @rule(by=st.sampled_from([TICK, timedelta(minutes=29), timedelta(minutes=31), timedelta(hours=1)]))
    def wait(self, by: timedelta) -> None:
        self.clock.now += by

    @precondition(lambda self: any(self.ends()))
    @rule(which=st.integers(0, 20), early=st.booleans())
    def wait_for_the_end_of_a_grant(self, which: int, *, early: bool) -> None:
        ends = self.ends()
        self.clock.now = max(self.clock.now, ends[which % len(ends)] - (TICK if early else timedelta(0)))

    def ends(self) -> list[datetime]:
        found = (self.model.keys[key_id].grants[grant_id]["expires"] for key_id, grant_id in self.granted())
        return [each for each in found if each is not None and each > self.clock.now]

    @rule()
    def run_due(self) -> None:
        self.model.now = self.clock.now
        due.run_due(self.ring.context)
        for key_id in self.ids:
            self.model.settle(key_id)

    @rule()
    def reopen(self) -> None:
        self.people.close()
        self.ring.close()

    @rule(
        name=users,
        key=st.integers(0, 7),
        which=st.integers(0, 11),
        constraint=st.sampled_from(CONSTRAINTS),
        lasts=st.sampled_from([TICK, timedelta(hours=1)]),
        early=st.booleans(),
    )
    def use_a_grant_at_its_end(
        self, name: str, key: int, which: int, constraint: Any, lasts: timedelta, *, early: bool
    ) -> None:
        self.create_grant("admin", key, ARNS[name], which, constraint, lasts)
        self.clock.now += lasts - (TICK if early else timedelta(0))
        key_id = self.key(key)
        if self.model.keys[key_id].spec == "SYMMETRIC_DEFAULT":
            for context in (None, TENANT_A, TENANT_B):
                self.run(name, "Encrypt", key_id, Plaintext=b"p", EncryptionContext=context)
            self.decrypt(name, self.position(key_id), which % 3, by_id=False)
        elif self.model.keys[key_id].spec == "HMAC_256":
            self.mac(name, 0, checking=bool(which % 2))
        else:
            self.sign(name, 0, checking=bool(which % 2))

    def position(self, key_id: str) -> int:
        """Where a key stands among those of its spec."""
        spec = self.model.keys[key_id].spec
        return [each for each in self.ids if self.model.keys[each].spec == spec].index(key_id)

    # -- what holds at all times ---------------------------------------------------------------------------------------

    @invariant()
    def those_hold_a_share_who_may_ever_use_the_material(self) -> None:
        for key_id, key in self.model.keys.items():
            assert (key_id, key.holders) == (key_id, self.people.holders(key_id))
            assert "admin" in key.holders

    @invariant()
    def no_share_is_left_of_an_older_kek(self) -> None:
        with self.ring.context.session.read() as records:
            keys = [records.key(key_id) for key_id in self.ids]
        assert all({share.kek for share in key.shares.values()} == {key.record.kek} for key in keys if key)


FAST = settings(
    max_examples=12, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
LONG = settings(FAST, max_examples=250, stateful_step_count=70)


def test_access_is_what_the_reference_says() -> None:
    run_state_machine_as_test(Accesses, settings=FAST)


@pytest.mark.long
def test_access_is_what_the_reference_says_for_long() -> None:
    run_state_machine_as_test(Accesses, settings=LONG)
