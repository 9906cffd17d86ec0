"""The vault of a test, and a folder of states of its own."""

from tests.helpers import _own_state, clock, home

__all__ = ["_own_state", "clock", "home"]
