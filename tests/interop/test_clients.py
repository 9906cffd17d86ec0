"""A client that is absent is a reason to skip, and where all must be there, to fail."""

import pytest

from tests.interop.clients import client


def test_an_absent_client_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KMS_INTEROP", raising=False)
    with pytest.raises(pytest.skip.Exception, match="absent is not installed: make interop"):
        client("absent")


def test_an_absent_client_fails_where_all_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMS_INTEROP", "1")
    with pytest.raises(pytest.fail.Exception, match="absent is not installed: make interop"):
        client("absent")


def test_a_client_that_is_there_is_found() -> None:
    assert client("pytest").endswith("/pytest")
