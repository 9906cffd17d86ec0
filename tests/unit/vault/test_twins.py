"""Sessions that go on in a log that nobody moved: what is known is not looked up again, and nothing is missed."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

import pytest

from kmscli import errors
from kmscli.service.context import Context
from kmscli.service.dispatch import perform
from kmscli.storage.files import replace_file
from kmscli.storage.turns import Queue
from kmscli.vault import journal
from tests.helpers import Home
from tests.unit.audit.test_log import whole


class Twins:
    """Two sessions of one server beside one of somebody else; the folder of the log changed long ago."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.stranger = home.context
        self.queue = Queue()
        self.stack = ExitStack()
        self.twins = [home.unlocked(), home.unlocked()]
        for each in self.twins:
            each.session.turn = self.stack.enter_context(self.queue.entered())

    def age(self) -> None:
        os.utime(self.home.folder / "audit", ns=(10**18, 10**18))

    @property
    def everybody(self) -> list[Context]:
        return [*self.twins, self.stranger]


@pytest.fixture
def twins(home: Home) -> Iterator[Twins]:
    home.create_key()
    found = Twins(home)
    with found.stack:
        for each in found.everybody:
            found.age()
            perform(each, "ListKeys", {})
        yield found


def test_what_a_twin_left_is_not_checked_again(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    first, second = twins.twins
    perform(first, "ListKeys", {})
    perform(second, "ListKeys", {})
    monkeypatch.setattr(journal, "check_line", lambda *_: checked.append(1))
    for each in (first, second, second, first):
        perform(each, "ListKeys", {})
        assert each.session.vault.log.quiet
    assert not checked
    perform(twins.stranger, "ListKeys", {})
    perform(first, "ListKeys", {})
    assert len(checked) == 2


@pytest.mark.parametrize("seed", range(6))
def test_uses_and_changes_of_many_make_one_log(twins: Twins, seed: int) -> None:
    draw = Random(seed)
    key = twins.home.create_key()
    before = whole(twins.home)
    twins.stranger = twins.home.unlocked()
    acts = [
        ("ListKeys", {}),
        ("DescribeKey", {"KeyId": key}),
        ("TagResource", {"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("UpdateKeyDescription", {"KeyId": key, "Description": "d"}),
    ]
    for _ in range(40):
        twins.age()
        perform(draw.choice(twins.everybody), *draw.choice(acts))
    assert whole(twins.home) == before + 40


def test_what_somebody_else_changed_holds_for_the_next_use(twins: Twins) -> None:
    key = twins.home.create_key()
    members = {"KeyId": key, "Plaintext": b"x"}
    for each in twins.twins:
        perform(each, "Encrypt", members)
    perform(twins.stranger, "DisableKey", {"KeyId": key})
    for each in twins.twins:
        with pytest.raises(errors.KeyDisabledError):
            perform(each, "Encrypt", members)


def test_a_torn_end_is_mended_by_who_was_there_before(twins: Twins) -> None:
    path = twins.home.folder / "audit" / "00000001.jsonl"
    for each in twins.everybody:
        with path.open("ab") as file:
            file.write(b"torn")
        twins.age()
        perform(each, "ListKeys", {})
    names = [line["eventName"] for line in twins.home.lines()]
    assert names.count("AuditRecovered") == 3
    assert whole(twins.home) == len(names)


def test_a_torn_end_that_was_set_aside_is_told_of(twins: Twins) -> None:
    (twins.home.folder / "audit" / "torn-000000000009.unnoted").write_bytes(b"torn")
    perform(twins.twins[0], "ListKeys", {})
    assert "AuditRecovered" in [line["eventName"] for line in twins.home.lines()]


@pytest.mark.parametrize("by", ["bytes", "cut", "replaced"])
def test_a_log_that_was_changed_is_refused_by_who_was_there_before(twins: Twins, by: str) -> None:
    path = twins.home.folder / "audit" / "00000001.jsonl"
    whole = path.read_bytes()
    if by == "bytes":
        path.write_bytes(whole[:-100] + b"X" + whole[-99:])
    elif by == "cut":
        path.write_bytes(whole[: whole[:-1].rindex(b"\n", 0, whole[:-1].rindex(b"\n")) + 1])
    else:
        path.rename(path.with_name("kept"))
        replace_file(path, whole[:-100] + b"X" + whole[-99:])
        path.with_name("kept").unlink()
    twins.age()
    for each in twins.twins:
        with pytest.raises(errors.AuditTamperedError):
            perform(each, "ListKeys", {})


def test_a_change_that_a_crash_kept_from_the_log_is_completed_by_who_was_there_before(twins: Twins) -> None:
    path = twins.home.folder / "audit" / "00000001.jsonl"
    twins.home.create_key()
    whole = path.read_bytes()
    # As if whoever made the key had been killed between its commit and its line.
    path.write_bytes(whole[: whole[:-1].rindex(b"\n") + 1])
    for each in twins.twins:
        twins.age()
        perform(each, "ListKeys", {})
    assert path.read_bytes().startswith(whole)
