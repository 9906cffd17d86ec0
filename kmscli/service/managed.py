"""Keys that services of kms make for themselves: alias/aws/NAME, used by people, changed by nobody.

As AWS's, they are rotated every year, and nobody can change that.
"""

from datetime import timedelta

from kmscli.formats.record import KeyRecord
from kmscli.model import ids, limits
from kmscli.model.specs import ENCRYPT_DECRYPT, SYMMETRIC
from kmscli.service import aliases
from kmscli.service.context import Change, Context
from kmscli.service.dispatch import Recorded
from kmscli.service.keys import CreateKeyResponse, put_new
from kmscli.service.metadata import metadata

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
        recorded.parameters = lambda: {"alias": alias, "keyManager": "AWS"}
        recorded.change(lambda change: _make(change, alias))
    return alias


def _make(change: Change, alias: str) -> CreateKeyResponse:
    if (found := change.records.alias(alias)) is not None:
        # Somebody else's first use came before ours, between reading and locking.
        return CreateKeyResponse(key_metadata=metadata(change, change.resolve(found.key_id)))
    days = limits.ROTATION_DAYS_DEFAULT
    record = KeyRecord(
        key_id=ids.new_uuid(change.rng),
        created=change.now,
        key_spec=SYMMETRIC,
        key_usage=ENCRYPT_DECRYPT,
        origin="AWS_KMS",
        manager="AWS",
        state="Enabled",
        description=_PURPOSES[alias],
        current=1,
        kek=1,
        rotation_period=days,
        next_rotation=change.now + timedelta(days=days),
    )
    key = put_new(change, record)
    named = aliases.attach(change, key, alias, managed=True)
    from kmscli.service import sharing  # not for help

    sharing.follow_key(change, record.key_id)
    return CreateKeyResponse(key_metadata=metadata(change, named))
