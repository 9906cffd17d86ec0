"""Principals of a test's vault, made through its records: users and roles with policies, at work beside the root.

Their shares follow as they do for those whom the commands make. A seed follows from the name, so that a test can take
the part of whoever has one.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats.record import IdentityPolicyRecord, PrincipalRecord
from kmscli.service import events, sharing
from kmscli.service.callers import Caller
from kmscli.service.context import Change, Context
from kmscli.service.dispatch import perform
from kmscli.vault import slots
from kmscli.vault.secrets import Secret
from kmscli.vault.session import Session
from tests.helpers import Home

ACCOUNT = "000000000000"
ACCOUNT_ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ADMIN, ALICE, BOB = (f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("admin", "alice", "bob"))
CI = f"arn:aws:iam::{ACCOUNT}:role/ci"
_MEMORY = Path("/dev/shm")


def statement(who: object = None, **parts: object) -> dict[str, Any]:
    """An Allow of everything to an ARN, to several, or to "*"; of an identity policy to nobody in particular."""
    named = {} if who is None else {"Principal": who if who == "*" else {"AWS": who}}
    return {"Effect": "Allow", "Action": "kms:*", "Resource": "*"} | named | parts


def deny(who: object = None, **parts: object) -> dict[str, Any]:
    """A Deny of everything."""
    return statement(who, Effect="Deny", **parts)


def document(*statements: Mapping[str, object]) -> str:
    """A policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


DELEGATED = statement(ACCOUNT_ROOT)
"""The statement that leaves a key to the identity policies of the account."""


def seed_of(name: str) -> bytes:
    """The seed of a principal of the test."""
    return hashlib.sha256(f"seed of {name}".encode()).digest()


class People:
    """The principals of a vault beside its root."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._contexts: dict[str, Context] = {}

    def add(
        self,
        name: str,
        *policies: Mapping[str, object],
        kind: Literal["user", "role"] = "user",
        tags: Mapping[str, str] | None = None,
        keyfile: bytes | None = None,
    ) -> "People":
        """A new principal with one identity policy of some statements, and a slot if a keyfile is to open it."""
        who = Identity(seed_of(name))
        with self._change("CreateUser", name) as change:
            record = PrincipalRecord(
                name=name,
                kind=kind,
                root=False,
                state="enabled",
                created=change.now,
                sign=who.sign_public,
                seal=who.seal_public,
                tags=tuple(sorted((tags or {}).items())),
            )
            change.draft.put("principal", name, record)
            if policies:
                self._attach(change, name, "own", policies)
            if keyfile is not None:
                self._put_slot(change, name, who, keyfile)
        return self

    def attach(self, name: str, *policies: Mapping[str, object], policy: str = "own") -> None:
        """Put an identity policy in the place of the one of that name; one without statements is deleted."""
        with self._change("PutUserPolicy", name) as change:
            if policies:
                self._attach(change, name, policy, policies)
            else:
                change.draft.delete("identity-policy", f"{name}/{policy}")

    def tag(self, name: str, **tags: str) -> None:
        """Give a principal these tags and no others."""
        self._update(name, tags=tuple(sorted(tags.items())))

    def set_state(self, name: str, state: str) -> None:
        """Enable or disable a principal."""
        self._update(name, state=state)

    def context(self, name: str) -> Context:
        """The principal at work; the root is the home's own."""
        if name == "admin":
            return self.home.context
        if name not in self._contexts:
            opened = msgspec.structs.replace(self.home.context.session.opened, identity=Identity(seed_of(name)))
            self._contexts[name] = Context(Session(self.home.open(), name, opened))
        return self._contexts[name]

    def perform(self, name: str, operation: str, **members: object) -> Any:
        """Run an operation as a principal; the answer is its struct."""
        return perform(self.context(name), operation, members)

    def refused(self, name: str, operation: str, **members: object) -> errors.KmsError:
        """The error in which an operation of a principal ends."""
        with pytest.raises(errors.KmsError) as caught:
            perform(self.context(name), operation, members)
        return caught.value

    def holders(self, key_id: str) -> set[str]:
        """Who holds a share of a key under its current KEK."""
        with self.home.context.session.read() as records:
            key = records.key(key_id)
        return {name for name, share in key.shares.items() if share.kek == key.record.kek} if key else set()

    def close(self) -> None:
        """Close what they opened."""
        for context in self._contexts.values():
            context.session.vault.store.close()
        self._contexts.clear()

    @contextmanager
    def _change(self, operation: str, name: str) -> Iterator[Change]:
        context = self.home.context
        with context.session.edit() as draft:
            change = Change(context, operation, draft)
            yield change
            sharing.follow_principal(change, name)
            draft.event = events.event(
                operation, Caller("admin"), draft.place, self.home.rng, read_only=False, outcome=events.Outcome()
            )
        context.session.shred()

    def _update(self, name: str, **members: object) -> None:
        with self._change("UpdateUser", name) as change:
            found = change.records.principal(name)
            assert found is not None
            change.draft.put("principal", name, msgspec.structs.replace(found, **members))

    @staticmethod
    def _attach(change: Change, name: str, policy: str, policies: tuple[Mapping[str, object], ...]) -> None:
        body = IdentityPolicyRecord(principal=name, name=policy, document=document(*policies))
        change.draft.put("identity-policy", f"{name}/{policy}", body)

    def _put_slot(self, change: Change, name: str, who: Identity, keyfile: bytes) -> None:
        opened = msgspec.structs.replace(self.home.context.session.opened, identity=who)
        secret = Secret("keyfile", keyfile)
        made = slots.make(self.home.rng, opened, secret, principal=name, name="own", memory_mib=0, now=change.now)
        change.draft.put_slot(made)


@contextmanager
def quick_folder(name: str) -> Iterator[Path]:
    """A folder in memory where the machine has such a place, with a folder of states: changes cost no disk."""
    base = Path(tempfile.mkdtemp(prefix=f"kms-{name}-", dir=_MEMORY if _MEMORY.is_dir() else None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(base / "state"))
        yield base
    shutil.rmtree(base)
