"""What AWS's own model of the API says, read from botocore: who takes a member, and what an answer may have."""

from functools import cache
from typing import Any

import botocore.loaders  # type: ignore[import-untyped]


@cache
def _model() -> dict[str, Any]:
    model: dict[str, Any] = botocore.loaders.Loader().load_service_model("kms", "service-2")
    return model


def _members(operation: str, side: str) -> set[str]:
    named = _model()["operations"][operation].get(side)
    return set(_model()["shapes"][named["shape"]]["members"]) if named else set()


def operations() -> set[str]:
    """All that AWS has."""
    return set(_model()["operations"])


def taking(member: str) -> list[str]:
    """The operations whose requests have a member."""
    return sorted(name for name in _model()["operations"] if member in _members(name, "input"))


def answered(operation: str) -> set[str]:
    """The members that an answer may have, without those that only an enclave gets."""
    return _members(operation, "output") - {"CiphertextForRecipient"}
