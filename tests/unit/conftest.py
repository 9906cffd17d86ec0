"""The vault of a test, and a folder of states of its own; where processes take turns."""

import os

import pytest

from kmscli.storage.turns import Queue
from tests.helpers import _own_state, clock, home

__all__ = ["_own_state", "clock", "home", "queue"]


@pytest.fixture
def queue() -> Queue:
    """A queue; without files that have no name, each process of it would be alone."""
    if not hasattr(os, "memfd_create"):
        pytest.skip("this system has no files without a name")
    return Queue()
