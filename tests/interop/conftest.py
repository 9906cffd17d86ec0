"""The vault of keys that tests share, and a folder of states of its own."""

from tests.helpers import _own_state
from tests.ring import own_ring, ring

__all__ = ["_own_state", "own_ring", "ring"]
