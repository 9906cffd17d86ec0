"""The vault of keys that tests share."""

from tests.ring import own_ring, ring

__all__ = ["own_ring", "ring"]
