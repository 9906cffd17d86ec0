"""The table of verbs: help and completion read it, and no module of a verb is imported before the verb is asked for."""

import msgspec

from kmscli.service.operations import OPERATIONS, REFUSED


class Row(msgspec.Struct, frozen=True):
    """One verb, or one group of verbs.

    Attributes:
        summary: One line for help and man page.
        module: Module of `kmscli.cli` that holds it; "" for an operation of the API.
        operation: AWS's name of the operation.
    """

    summary: str
    module: str = ""
    operation: str = ""


def verb_of(operation: str) -> str:
    """AWS's name of an operation in the form of a command line: `ReEncrypt` is `re-encrypt`."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in operation).lstrip("-")


VAULT: dict[str, Row] = {
    "init": Row("Create a vault.", "init"),
    "status": Row("Show what can be said of a vault without a secret.", "info"),
    "slot": Row("The ways to unlock: list, add, remove, change, test.", "slot"),
    "principal": Row("Users and roles: let in, list, disable, delete, and their policies.", "principal"),
    "access-key": Row("Access keys of principals, with which AWS clients sign: create, list, delete.", "accesskey"),
    "serve": Row("Serve the AWS API, so that every AWS client works with the vault.", "serve"),
    "run-due": Row("Do what is due on any key: rotations, deletions, expiries.", "due"),
    "policy": Row("What a policy in a file would do: check, diff, replay.", "policy"),
    "explain": Row("Say whether a request would be allowed, why, and what would flip it.", "explain"),
    "audit": Row("The signed log: tail, search, verify.", "audit"),
}
FILES: dict[str, Row] = {
    "inspect": Row("Show what encrypted files say of themselves, without a vault.", "files"),
    "inventory": Row("Show which files need which key and version, and remember it.", "files"),
    "rewrap": Row("Bring encrypted files to the current version of their keys, or to others.", "files"),
    "exec": Row("Run a program with decrypted files in its environment or in memory.", "exec"),
}
TOOL: dict[str, Row] = {
    "version": Row("Show the version.", "info"),
    "exit-codes": Row("List the exit codes.", "info"),
    "completion": Row("Print the completion script for a shell.", "info"),
    "man": Row("Print the manual page, or install all of them.", "info"),
}
API: dict[str, Row] = {verb_of(name): Row(row.summary, operation=name) for name, row in OPERATIONS.items()}
REFUSED_VERBS: dict[str, str] = {verb_of(name): name for name in REFUSED}
"""Verbs of AWS that say why they are not here, without a place in help -> AWS's name of the operation."""

SECTIONS: dict[str, dict[str, Row]] = {
    "The vault": VAULT,
    "Keys and ciphertexts, as in the AWS API": API,
    "Files": FILES,
    "The tool": TOOL,
}
VERBS: dict[str, Row] = VAULT | API | FILES | TOOL
