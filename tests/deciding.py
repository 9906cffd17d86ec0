"""Requests and policies of tests about decisions, with AWS's example names."""

import json
from datetime import UTC, datetime
from typing import Any

from kmscli.model import compiled
from kmscli.model.decision import Decision, Policies, evaluate
from kmscli.model.granted import Grant
from kmscli.model.request import Request

ACCOUNT, OTHER = "111122223333", "444455556666"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = f"arn:aws:kms:local:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ALIAS = f"arn:aws:kms:local:{ACCOUNT}:alias/finance"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ALICE, BOB = f"arn:aws:iam::{ACCOUNT}:user/Alice", f"arn:aws:iam::{ACCOUNT}:user/Bob"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/ci"
SESSION, OTHER_SESSION = (f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/build" for name in ("ci", "cd"))
STRANGER = f"arn:aws:iam::{OTHER}:user/Alice"
GRANT_ID = "abcde1237f76e4ba7987489ac329fbfba6ad343d6f7075dbd1ef191f0120514a"
IT = {"Department": "IT"}


def statement(who: Any = None, **parts: Any) -> dict[str, Any]:
    principal = {} if who is None else {"Principal": who if who == "*" else {"AWS": who}}
    defaults = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    return defaults | principal | {name[0].upper() + name[1:]: value for name, value in parts.items()}


def deny(who: Any = None, **parts: Any) -> dict[str, Any]:
    return statement(who, effect="Deny", **parts)


def decide(key: Any = None, *identity: Any, grants: Any = (), **request: Any) -> Decision:
    return evaluate(*asked(key, *identity, grants=grants, **request))


def asked(key: Any = None, *identity: Any, grants: Any = (), **request: Any) -> tuple[Request, Policies]:
    policies = {
        f"p{index}": compiled.identity_policy(json.dumps({"Version": "2012-10-17", "Statement": one}))
        for index, one in enumerate(identity)
    }
    key = None if key is None else compiled.key_policy(json.dumps({"Version": "2012-10-17", "Statement": key}))
    defaults = {"principal": ALICE, "action": "kms:Decrypt", "resource": KEY if key else "*", "now": NOW}
    return Request(**defaults | request), Policies(account=ACCOUNT, key=key, identity=policies, grants=grants)


def grant(**parts: Any) -> Grant:
    return Grant(**{"grant_id": GRANT_ID, "grantee": ALICE, "operations": ("Decrypt",)} | parts)
