"""The desk, where a request meets what no client can bring about."""

from collections.abc import Iterator

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
