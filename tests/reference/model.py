"""The reference, of all its areas."""

from tests.reference.bringing import Bringing
from tests.reference.granting import Granting
from tests.reference.naming import Naming
from tests.reference.using import Using


class Model(Naming, Using, Bringing, Granting):
    """The reference."""
