"""A vault in step with its reference: one operation, a process that dies, and what holds at all times."""

import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.loaders  # type: ignore[import-untyped]
import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from kmscli import errors
from kmscli.formats import auditline
from kmscli.formats.record import VersionRecord
from kmscli.service import audits
from kmscli.service.dispatch import perform
from kmscli.vault.records import KeyGroup
from tests.helpers import Clock, Home, forked, named
from tests.importing import reuse_wrapping_keys
from tests.reference import PREFIX, Key, Material, Model

ABSENT = "00000000-0000-4000-8000-000000000000"
keys = st.integers(0, 11)
"""Which key: the n-th of those that were made, now and then one that never was."""
forms = st.integers(0, 7)
"""By which of its names."""
limits = st.integers(1, 4)

OUTSIDE_THE_MODEL = {"AccessDeniedException", "NotAuthorizedException", "ValidationException"}
MODELLED = {
    name: {error["shape"] for error in operation.get("errors", [])}
    for name, operation in botocore.loaders.Loader().load_service_model("kms", "service-2")["operations"].items()
} | {"CreateKey": {"TagException", "InvalidAliasNameException", "AlreadyExistsException"}}
"""The errors that AWS's model gives each operation; CreateKey takes an alias here, and so its errors."""

BROUGHT_BY_TIME = {"DeleteExpiredKeyMaterial", "DeleteKey", "RotateKey"}
EFFECTS = {"execute", "fdatasync", "fsync", "ftruncate", "link", "open", "replace", "truncate", "unlink", "write"}
"""Names of the functions by which anything reaches the disk: some sixty calls an operation."""


def die_at(calls: int) -> None:
    """Kill this process when it is about to call one of EFFECTS for the n-th time from now on."""
    left = itertools.count(calls - 1, -1)

    def watch(_frame: object, what: str, function: object) -> None:
        if what == "c_call" and getattr(function, "__name__", "") in EFFECTS and next(left) <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def learnt(line: dict[str, Any]) -> dict[str, Any]:
    """The answer that a line tells of, as far as the reference wants it."""
    metadata = (line["responseElements"] or {}).get("keyMetadata", {})
    return {"KeyMetadata": {name[0].upper() + name[1:]: value for name, value in metadata.items()}}


class Machine(RuleBasedStateMachine):
    """A vault and its reference; what happens to them is in the classes that inherit it.

    Attributes:
        lines: How many lines the log must have.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="kms-state-machine-"))
        self.state = pytest.MonkeyPatch()
        self.state.setenv("XDG_STATE_HOME", str(self.folder / "state"))
        reuse_wrapping_keys(self.state)
        self.clock = Clock()
        self.random = random.Random(0)
        self.home = Home(self.folder, clock=self.clock, rng=self.random.randbytes).init()
        self.model = Model()
        self.lines = 1
        self.last = self.clock.now.replace(microsecond=0)
        self.numbers = itertools.count()

    def teardown(self) -> None:
        """Check the whole log once more, as a third party would; then throw the vault away."""
        vault = self.home.open()
        verified = audits.verify_log(
            self.home.folder / "audit", bytes.fromhex(self.home.made.root_fingerprint), full=True
        )
        assert named(verified)["Lines"] == self.lines
        assert named(audits.verify(vault, full=True))["Lines"] == self.lines
        vault.store.close()
        self.home.close()
        self.state.undo()
        shutil.rmtree(self.folder)

    # -- one operation -------------------------------------------------------------------------------------------------

    def run(self, operation: str, **members: Any) -> dict[str, Any] | None:
        """Perform an operation; it must end as the reference says. None if it was refused."""
        expected = self.model.expect(operation, members, now=self.now())
        error, answer = "", {}
        try:
            answer = named(perform(self.home.context, operation, members))
        except errors.KmsError as refused:
            error = refused.code
        assert (operation, members, error) == (operation, members, expected)
        assert error in {"", *OUTSIDE_THE_MODEL, *MODELLED[operation]}
        self.count_lines()
        if error:
            return None
        self.model.done(operation, members, now=self.now(), answer=answer)
        if self.model.brought:
            # The answer may name material that a rotation has just made.
            self.records_are_those_of_the_reference()
        return answer

    def count_lines(self) -> None:
        """One more operation has written its line, and before it those of what time had brought."""
        brought = self.model.brought
        self.wrote(len(brought) + 1)
        if brought:
            found = self.home.lines()[-len(brought) - 1 : -1]
            assert [(line["eventName"], line["serviceEventDetails"]["keyId"]) for line in found] == brought
            for work, _ in brought:
                event(f"brought by time: {work}")

    def wrote(self, lines: int = 1) -> None:
        """So many lines more are in the log, of this time."""
        self.lines += lines
        self.last = self.now().replace(microsecond=0)

    def malformed(self, operation: str, **members: Any) -> None:
        """An operation that is refused before anybody looks at keys."""
        with pytest.raises(errors.ValidationError):
            perform(self.home.context, operation, members)
        self.wrote()

    def now(self) -> datetime:
        """The time as operations see it: in milliseconds, and never before that of the last line."""
        now = max(self.clock(), self.last)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def pages(self, operation: str, member: str, **members: Any) -> list[dict[str, Any]] | None:
        """All items of a list, page by page; None if it was refused."""
        found: list[dict[str, Any]] = []
        marker = None
        while True:
            answer = self.run(operation, Marker=marker, **members)
            if answer is None:
                return None
            found += answer[member]
            if not answer["Truncated"]:
                return found
            assert len(answer[member]) == members["Limit"]
            marker = answer["NextMarker"]

    # -- names ---------------------------------------------------------------------------------------------------------

    def key_of(self, number: int) -> str:
        made = list(self.model.keys)
        return ABSENT if number == 11 or not made else made[number % len(made)]

    def fitting(self, number: int, fits: Callable[[Key], object]) -> str:
        """A key that fits, where there is one; or any, now and then."""
        found = [key_id for key_id, key in self.model.keys.items() if fits(key)]
        return found[number % len(found)] if found and number < 9 else self.key_of(number)

    def name_of(self, number: int, form: int) -> str:
        """A key by one of its names."""
        return self.named(self.key_of(number), form)

    def named(self, key: str, form: int) -> str:
        """A key by id, by ARN, by one of its aliases, or by that one's ARN."""
        found = sorted(self.model.keys[key].aliases) if key in self.model.keys else []
        names = [key, f"{PREFIX}key/{key}", *found, *(PREFIX + name for name in found)]
        return names[form % len(names)]

    # -- a process that dies -------------------------------------------------------------------------------------------

    def kill(self, operation: str, members: dict[str, Any], calls: int) -> None:
        """Have a process killed at its n-th call that reaches the disk, and learn from the log what it did."""
        self.home.close()
        # The child draws its random bytes from elsewhere, so that ours stay what they would be.
        seed = next(self.numbers)
        kind, answer = forked(lambda: self.perform_and_die(operation, members, calls, seed)).outcome()
        self.take_over(operation, members, kind, answer)

    def perform_and_die(self, operation: str, members: dict[str, Any], calls: int, seed: int) -> dict[str, Any]:
        self.home.rng = random.Random(f"child {seed}").randbytes
        context = self.home.context
        die_at(calls)
        try:
            answer = perform(context, operation, members)
        finally:
            sys.setprofile(None)
        return named(answer)

    def take_over(self, operation: str, members: dict[str, Any], kind: str, answer: Any) -> None:
        """Bring the vault to a whole state by a command that touches no key; what the log then tells was done."""
        perform(self.home.context, "GenerateRandom", {"NumberOfBytes": 1})
        lines = self.home.lines()
        new = lines[self.lines : -1]
        torn = [line for line in new if line["eventName"] == "AuditRecovered"]
        brought = [line for line in new if line["eventName"] in BROUGHT_BY_TIME]
        ours = [line for line in new if line["eventName"] == operation]
        event(f"killed while at work: {'done' if ours else 'not done'}{', torn' if torn else ''}")
        assert len(ours) <= 1
        assert len(new) == len(torn) + len(brought) + len(ours)
        self.model.now = self.now()
        for line in brought:
            self.bring(line)
        self.wrote(len(lines) - self.lines)
        if kind in {"value", "error"}:
            assert len(ours) == 1
        if ours:
            expected = self.model.expect(operation, members, now=self.now())
            assert (ours[0].get("errorCode", ""), self.model.brought) == (expected, [])
            assert kind != "error" or answer.partition(":")[0] == expected
            if not expected and operation != "Encrypt":
                known = answer if kind == "value" else learnt(ours[0])
                self.model.done(operation, members, now=self.now(), answer=known)

    def bring(self, line: dict[str, Any]) -> None:
        key_id = line["serviceEventDetails"]["keyId"]
        assert self.model.keys[key_id].due(self.now()) == line["eventName"]
        self.model.bring(line["eventName"], key_id)

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def the_log_is_gapless_and_chained(self) -> None:
        previous = auditline.FIRST_PREV
        raw = self.home.raw_lines()
        assert len(raw) == self.lines
        for number, data in enumerate(raw, 1):
            chain = auditline.decode(data).chain
            assert (chain.seq, chain.prev) == (number, previous)
            previous = auditline.digest(data)

    @invariant()
    def records_are_those_of_the_reference(self) -> None:
        with self.home.context.session.read() as snapshot:
            assert snapshot.head.keys == len(self.model.keys)
            found = {name.removeprefix("key/") for _, name in snapshot.group_names("key/", (0, ""))}
            names = {name for _, name in snapshot.group_names("alias/", (0, ""))}
            assert (found, names) == (set(self.model.keys), set(self.model.aliases))
            granted = {name.removeprefix("grants/") for _, name in snapshot.group_names("grants/", (0, ""))}
            assert granted == {key_id for key_id, key in self.model.keys.items() if key.grants}
            for key_id, key in self.model.keys.items():
                group = snapshot.key(key_id)
                assert group is not None
                check_record(group, key)
                assert set(snapshot.grants(key_id)) == set(key.grants)


def check_record(found: KeyGroup, key: Key) -> None:
    """A key's records say what the reference says, and tell it the ids of material that no answer told."""
    record = found.record
    assert (record.state, record.description, record.manager) == (key.stored, key.description, key.manager)
    assert (record.key_spec, record.key_usage, record.origin) == (key.spec, key.usage, key.origin)
    assert (set(record.aliases), dict(record.tags), found.policy) == (key.aliases, key.tags, key.policy)
    assert (record.deletion_date, list(found.shares)) == (key.deletion, ["admin"])
    assert (record.rotation_period, record.next_rotation) == (key.period, key.next_rotation)
    assert (record.current, sorted(found.versions)) == (key.current, list(range(1, len(key.materials) + 1)))
    for number, material in enumerate(key.materials, 1):
        check_version(found.versions[number], material)


def check_version(found: VersionRecord, material: Material) -> None:
    material.id = material.id or found.material_id
    assert (found.material_id, bool(found.sealed)) == (material.id, material.present)
    assert (found.valid_to, found.description) == (material.valid_to, material.description)
    assert (found.rotation, found.rotated) == (material.rotation, material.rotated)
