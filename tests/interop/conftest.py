"""The vault of a test, the vault of keys that tests share, and a folder of states of its own."""

from tests.helpers import _own_state, clock, home
from tests.ring import own_ring, ring

__all__ = ["_own_state", "clock", "home", "own_ring", "ring"]
