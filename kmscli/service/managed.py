"""Keys that services of kms make for themselves: alias/aws/NAME, used by people, changed by nobody."""

import msgspec

from kmscli.service import aliases
from kmscli.service.context import Change, Context
from kmscli.service.dispatch import Recorded
from kmscli.service.keys import CreateKeyResponse, metadata, new_record, put_new

FILES = "alias/aws/files"
"""The key of `kms encrypt` when no key is named."""

_PURPOSES = {FILES: "Protects files when `kms encrypt` names no key"}


def managed_key(context: Context, alias: str) -> str:
    """The name by which the managed key can be used, after its first use made it.

    Args:
        context: Who acts.
        alias: Such as FILES.

    Returns:
        `alias`.
    """
    with context.session.read() as snapshot:
        if snapshot.alias(alias) is not None:
            return alias
    with Recorded(context, "CreateKey", read_only=False) as recorded:
        recorded.parameters = {"alias": alias, "keyManager": "AWS"}
        recorded.change(lambda change: _make(change, alias))
    return alias


def _make(change: Change, alias: str) -> CreateKeyResponse:
    if (found := change.records.alias(alias)) is not None:
        # Somebody else's first use came before ours, between reading and locking.
        return CreateKeyResponse(key_metadata=metadata(change, change.find(found.key_id)))
    record = new_record(change, description=_PURPOSES[alias])
    key = put_new(change, msgspec.structs.replace(record, manager="AWS"))
    return CreateKeyResponse(key_metadata=metadata(change, aliases.attach(change, key, alias, managed=True)))
