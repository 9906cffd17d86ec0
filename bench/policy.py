"""What it costs to decide about a request by a policy that was read before.

Subject: the decision, its request made anew each time. Peer: the standard library's parsing of the JSON of the same
policy. One policy has ten statements, the other as many as the quota of 32 KiB holds; in both the statement that allows
is the last, and before it stand those of others, a Deny by condition among them. Besides: a policy all of whose
statements mean the principal, so that each condition is looked at, and the first decision, which reads the policy.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _measure import interleaved, machine, report

from kmscli.model import compiled, limits
from kmscli.model.decision import Policies, evaluate
from kmscli.model.request import Request

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:local:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ACTIONS = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
CONTEXT = {
    "aws:CurrentTime": "2026-03-01T12:00:00Z",
    "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/last",
    "aws:username": "last",
    "kms:CallerAccount": ACCOUNT,
    "kms:EncryptionContext:app": "billing",
    "kms:EncryptionContextKeys": ("app",),
    "kms:KeySpec": "SYMMETRIC_DEFAULT",
    "kms:ResourceAliases": ("alias/billing",),
}
ROUNDS, EACH = 100, 20


def statement(user: str, number: int) -> dict[str, Any]:
    return {
        "Sid": f"Statement {number}",
        "Effect": "Deny" if number % 5 == 1 else "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{user}"},
        "Action": ACTIONS,
        "Resource": "*",
        "Condition": {
            "StringLike": {"kms:EncryptionContext:app": [f"a{number}-*", f"b{number}-*"]},
            "StringEquals": {"kms:CallerAccount": ACCOUNT},
        },
    }


def policy(users: list[str]) -> str:
    allow = statement("last", 0) | {"Sid": "last", "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}}}
    statements = [*(statement(user, number) for number, user in enumerate(users)), allow]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1)


def filling(user: str) -> str:
    """The longest policy below the quota."""
    count = 1
    while len(policy([user.format(number) for number in range(count + 1)])) <= limits.POLICY_BYTES_MAX:
        count += 1
    return policy([user.format(number) for number in range(count)])


def ask(document: compiled.Document) -> None:
    request = Request(
        principal=f"arn:aws:iam::{ACCOUNT}:user/last",
        action="kms:Decrypt",
        resource=KEY,
        now=datetime(2026, 3, 1, 12, tzinfo=UTC),
        context=CONTEXT,
        encryption_context={"app": "billing"},
    )
    if not evaluate(request, Policies(account=ACCOUNT, key=document, identity={})).allowed:
        raise SystemExit("the policy allows it")


def measure(what: str, text: str, *, most: float) -> None:
    """Print the ratio, and the time itself beside the most it may be, in microseconds."""
    document = compiled.key_policy(text)

    def decide() -> None:
        for _ in range(EACH):
            ask(document)

    def parse() -> None:
        for _ in range(EACH):
            json.loads(text)

    def read() -> None:
        compiled.key_policy.cache_clear()
        ask(compiled.key_policy(text))

    decided, parsed, first = interleaved(ROUNDS, decide, parse, read)
    decided, parsed = decided / EACH, parsed / EACH
    count = len(document.rules)
    report(f"decision by {what}, {count} statements / json.loads of its {len(text)} bytes", decided / parsed)
    print(f"    {decided * 1e6:.1f} us, at most {most:g}: {'met' if decided * 1e6 <= most else 'MISSED'}")
    report("    the first decision, with the reading of the policy / the same", first / parsed)


def main() -> None:
    machine(Path.cwd())
    measure("a policy", policy([f"user{number}" for number in range(9)]), most=30)
    measure("a full policy", filling("user{}"), most=300)
    measure("a full policy about one principal", filling("last"), most=300)


if __name__ == "__main__":
    main()
