"""The desk, where a request meets what no client can bring about."""

import errno
import os
from collections.abc import Callable, Iterator

import pytest

from kmscli import errors
from kmscli.vault.session import Session
from tests.desk import AtDesk
from tests.helpers import Home


@pytest.fixture
def at_desk(home: Home) -> Iterator[AtDesk]:
    found = AtDesk(home)
    yield found
    found.close()


def test_a_change_is_answered_where_the_vault_cannot_be_opened_once_more(
    at_desk: AtDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> Session:
        raise errors.VaultNotFoundError(path="gone")

    monkeypatch.setattr(at_desk.desk, "_open_session", refused)
    answer = at_desk.call("CreateKey")
    assert (500, "KMSInternalException") == (answer.status, answer.error)
    # It is no answer for ever: the next one tries again.
    monkeypatch.undo()
    assert at_desk.call("CreateKey").status == 200


class Disk:
    """Syncs that fail at one time and seem to be well after it, as those of Linux do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails = False
        self._sync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._synced)

    def _synced(self, fd: int) -> None:
        if self.fails:
            self.fails = False
            raise OSError(errno.EIO, "Input/output error")
        self._sync(fd)


@pytest.mark.parametrize("operation", ["GenerateRandom", "CreateKey"])
def test_after_a_failed_sync_nothing_is_answered(
    at_desk: AtDesk, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    disk = Disk(monkeypatch)
    members = {"GenerateRandom": {"NumberOfBytes": 8}, "CreateKey": {}}
    assert at_desk.call(operation, **members[operation]).status == 200
    disk.fails = True
    answer = at_desk.call(operation, **members[operation])
    assert (500, "KMSInternalException") == (answer.status, answer.error)
    (broken,) = at_desk.broken
    assert isinstance(broken, errors.AuditNotDurableError)
    monkeypatch.setattr("tests.desk.ANSWER_SECONDS", 0.3)
    for each, given in members.items():
        with pytest.raises(AssertionError, match="no answer"):
            at_desk.call(each, **given)


def test_a_failed_sync_of_what_is_remembered_is_final_too(at_desk: AtDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    monkeypatch.setattr("kmscli.vault.session.Session.remember", failing(Session.remember, disk))
    assert at_desk.call("GenerateRandom", NumberOfBytes=8).status == 200
    assert len(at_desk.broken) == 1


def failing(act: Callable[[Session], None], disk: Disk) -> Callable[[Session], None]:
    def acted(session: Session) -> None:
        disk.fails = True
        act(session)

    return acted
