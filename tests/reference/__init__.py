"""A vault as it ought to be, in plain dictionaries: what tests compare the real one with.

It knows AWS's rules and nothing of how the product keeps them. `expect` says in which error an operation must end, ""
for success, and does in passing what time has brought to the keys that the operation touches; `done` takes over what a
successful one did.
"""

from tests.reference.key import PREFIX, Grant, Key, Material, Sealed, pairs
from tests.reference.model import Model

__all__ = ["PREFIX", "Grant", "Key", "Material", "Model", "Sealed", "pairs"]
