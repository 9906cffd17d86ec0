"""Every operation of the API as a row of strings: command line, agent and endpoint follow from this table.

Nothing is imported until a row is loaded, so that help and completion stay cheap.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmscli.service.shapes import Request, Response


class Row(msgspec.Struct, frozen=True):
    """One operation, unloaded.

    Attributes:
        module: Module of `kmscli.service` that holds the function and its two structs.
        summary: One line for help and man page.
        keyless: Whether it is about no key, so that identity policies alone decide about it when it begins.
        changes: Whether it writes records (`Change`) or only uses keys (`Call`).
        crypto: Whether it is one of the cryptographic operations, which `--batch` runs many times over.
        pages: The response's list member when the operation is paged (Limit, Marker, Truncated, NextMarker).
    """

    module: str
    summary: str
    keyless: bool = False
    changes: bool = False
    crypto: bool = False
    pages: str = ""


class Operation(msgspec.Struct, frozen=True):
    """One operation, loaded.

    Attributes:
        prepare: Work that may take seconds, done before while no read of the vault is open; most have none.
    """

    name: str
    row: Row
    request: "type[Request]"
    response: "type[Response]"
    handler: "Callable[[Any, Any], Response]"
    prepare: "Callable[[Any, Any], None] | None"


OPERATIONS: dict[str, Row] = {
    "CancelKeyDeletion": Row("deletion", "Keep a key that is pending deletion; it is then disabled.", changes=True),
    "CreateAlias": Row("aliases", "Give a key a name of your own.", changes=True),
    "CreateGrant": Row("grants", "Let a principal use a key, without a change of its policy.", changes=True),
    "CreateKey": Row("keys", "Create a key.", keyless=True, changes=True),
    "Decapsulate": Row("agreement", "Open a shared secret that was encapsulated with an ML-KEM key.", crypto=True),
    "Decrypt": Row("crypto", "Decrypt files, or what a key here encrypted.", crypto=True),
    "DeleteAlias": Row("aliases", "Remove an alias; its key stays.", changes=True),
    "DeleteImportedKeyMaterial": Row(
        "imports", "Destroy imported key material; the same can be imported again.", changes=True
    ),
    "DeriveSharedSecret": Row(
        "agreement", "Derive the secret that a key shares with a peer's key (ECDH).", crypto=True
    ),
    "DescribeKey": Row("keys", "Show all that is known about a key."),
    "DisableKey": Row("keys", "Forbid the use of a key until it is enabled again.", changes=True),
    "DisableKeyRotation": Row("rotation", "Have a key rotated no more by itself.", changes=True),
    "EnableKey": Row("keys", "Allow the use of a disabled key.", changes=True),
    "EnableKeyRotation": Row("rotation", "Have a key rotated by itself, yearly or as often as you say.", changes=True),
    "Encapsulate": Row("agreement", "Make a shared secret for whoever holds the private ML-KEM key.", crypto=True),
    "Encrypt": Row("crypto", "Encrypt files, or up to 4096 bytes, under a key.", crypto=True),
    "GenerateDataKey": Row("datakeys", "Make a data key: its bytes, and the same encrypted.", crypto=True),
    "GenerateDataKeyPair": Row("keypairs", "Make a key pair; its private key also encrypted.", crypto=True),
    "GenerateDataKeyPairWithoutPlaintext": Row(
        "keypairs", "Make a key pair; its private key encrypted only.", crypto=True
    ),
    "GenerateDataKeyWithoutPlaintext": Row("datakeys", "Make a data key; encrypted only.", crypto=True),
    "GenerateMac": Row("macs", "Compute the HMAC of a message.", crypto=True),
    "GenerateRandom": Row("datakeys", "Give random bytes.", keyless=True, crypto=True),
    "GetKeyLastUsage": Row("usage", "Show when a key was last used, from the audit log."),
    "GetKeyPolicy": Row("policies", "Show the policy of a key."),
    "GetKeyRotationStatus": Row("rotation", "Show whether and when a key is rotated by itself."),
    "GetParametersForImport": Row("imports", "Get a wrapping key and a token to import key material."),
    "GetPublicKey": Row("signing", "Give the public key of an asymmetric key."),
    "ImportKeyMaterial": Row("imports", "Give a key of origin EXTERNAL its key material.", changes=True),
    "ListAliases": Row("aliases", "List the aliases, or those of one key.", keyless=True, pages="Aliases"),
    "ListGrants": Row("grantlists", "List the grants on a key.", pages="Grants"),
    "ListKeyPolicies": Row("policies", "List the names of a key's policies: there is one.", pages="PolicyNames"),
    "ListKeyRotations": Row("rotation", "List when a key got new material.", pages="Rotations"),
    "ListKeys": Row("keys", "List the keys.", keyless=True, pages="Keys"),
    "ListResourceTags": Row("tags", "List the tags of a key.", pages="Tags"),
    "ListRetirableGrants": Row(
        "grantlists", "List the grants that a principal may retire.", keyless=True, pages="Grants"
    ),
    "PutKeyPolicy": Row("policies", "Replace the policy of a key.", changes=True),
    "ReEncrypt": Row("crypto", "Decrypt a ciphertext and encrypt it anew, without showing the plaintext.", crypto=True),
    "RetireGrant": Row("grants", "End a grant, as its grantee or its retiring principal does.", changes=True),
    "RevokeGrant": Row("grants", "Take a grant away.", changes=True),
    "RotateKeyOnDemand": Row(
        "rotation", "Give a key new material now; what is encrypted stays readable and as it is.", changes=True
    ),
    "ScheduleKeyDeletion": Row("deletion", "Put a key to its end after 7 to 30 days of waiting.", changes=True),
    "Sign": Row("signing", "Sign a message, or its digest.", crypto=True),
    "TagResource": Row("tags", "Give a key tags.", changes=True),
    "UntagResource": Row("tags", "Take tags from a key.", changes=True),
    "UpdateAlias": Row("aliases", "Point an alias at another key.", changes=True),
    "UpdateKeyDescription": Row("keys", "Change the description of a key.", changes=True),
    "Verify": Row("signing", "Check a signature.", crypto=True),
    "VerifyMac": Row("macs", "Check the HMAC of a message.", crypto=True),
}

_KEY_STORES = "custom key stores are CloudHSM clusters and proxies, which AWS runs"
_REGIONS = "a vault has one Region so far"

REFUSED: dict[str, str] = {
    "ConnectCustomKeyStore": _KEY_STORES,
    "CreateCustomKeyStore": _KEY_STORES,
    "DeleteCustomKeyStore": _KEY_STORES,
    "DescribeCustomKeyStores": _KEY_STORES,
    "DisconnectCustomKeyStore": _KEY_STORES,
    "ReplicateKey": _REGIONS,
    "UpdateCustomKeyStore": _KEY_STORES,
    "UpdatePrimaryRegion": _REGIONS,
}
"""Operations of AWS that answer UnsupportedOperationException -> why."""


@cache
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
        getattr(module, f"prepare_{_snake(name)}", None),
    )


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
