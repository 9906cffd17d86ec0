"""Every operation of the API as a row of strings: command line, agent and endpoint follow from this table.

Nothing is imported until a row is loaded, so that help and completion stay cheap.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from kmscli.service.shapes import Request, Response


class Row(NamedTuple):
    """One operation, unloaded.

    Attributes:
        module: Module of `kmscli.service` that holds the function and its two structs.
        summary: One line for help and man page.
        changes: Whether it writes records (`Change`) or only uses keys (`Call`).
        pages: The response's list member when the operation is paged (Limit, Marker, Truncated, NextMarker).
    """

    module: str
    summary: str
    changes: bool = False
    pages: str = ""


class Operation(NamedTuple):
    """One operation, loaded."""

    name: str
    row: Row
    request: type[Request]
    response: type[Response]
    handler: Callable[[Any, Any], Response]


OPERATIONS: dict[str, Row] = {
    "CancelKeyDeletion": Row("deletion", "Keep a key that is pending deletion; it is then disabled.", changes=True),
    "CreateAlias": Row("aliases", "Give a key a name of your own.", changes=True),
    "CreateKey": Row("keys", "Create a key.", changes=True),
    "Decrypt": Row("crypto", "Decrypt what a key here encrypted."),
    "DeleteAlias": Row("aliases", "Remove an alias; its key stays.", changes=True),
    "DescribeKey": Row("keys", "Show all that is known about a key."),
    "DisableKey": Row("keys", "Forbid the use of a key until it is enabled again.", changes=True),
    "EnableKey": Row("keys", "Allow the use of a disabled key.", changes=True),
    "Encrypt": Row("crypto", "Encrypt up to 4096 bytes under a key."),
    "GenerateDataKey": Row("datakeys", "Make a data key: its bytes, and the same encrypted under a key."),
    "GenerateDataKeyWithoutPlaintext": Row("datakeys", "Make a data key and give only its encrypted form."),
    "GenerateRandom": Row("datakeys", "Give random bytes."),
    "ListAliases": Row("aliases", "List the aliases, or those of one key.", pages="Aliases"),
    "ListKeyRotations": Row("rotation", "List when a key got new material.", pages="Rotations"),
    "ListKeys": Row("keys", "List the keys.", pages="Keys"),
    "ReEncrypt": Row("crypto", "Decrypt a ciphertext and encrypt it anew, without showing the plaintext."),
    "RotateKeyOnDemand": Row(
        "rotation", "Give a key new material now; what is encrypted stays readable and as it is.", changes=True
    ),
    "ScheduleKeyDeletion": Row("deletion", "Put a key to its end after 7 to 30 days of waiting.", changes=True),
    "UpdateAlias": Row("aliases", "Point an alias at another key.", changes=True),
    "UpdateKeyDescription": Row("keys", "Change the description of a key.", changes=True),
}


def load(name: str) -> Operation:
    """The function and structs of an operation.

    Args:
        name: AWS's name, a key of OPERATIONS.
    """
    row = OPERATIONS[name]
    module = import_module(f"kmscli.service.{row.module}")
    return Operation(
        name,
        row,
        getattr(module, f"{name}Request"),
        getattr(module, f"{name}Response"),
        getattr(module, _snake(name)),
    )


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
