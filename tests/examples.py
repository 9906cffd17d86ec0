"""How many examples a property is tried with: a quarter in a short run, all of them in `make test-long`."""

import os

LONG = "KMS_LONG" in os.environ
SHORT_PART = 4


def examples(count: int) -> int:
    """`count` in a long run."""
    return count if LONG else max(1, count // SHORT_PART)
