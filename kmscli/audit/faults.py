"""How a fault in the log is named: by file, line and sequence number (docs/spec/audit.md, "Verification")."""

import msgspec

from kmscli import errors

_HINT = "keep the log as it is for whoever investigates"


class Place(msgspec.Struct, frozen=True):
    """Where a line stands: its segment, its number in that segment, and its number in the log, all from 1."""

    segment: int
    line: int
    seq: int


def fault(place: Place, reason: str) -> errors.AuditTamperedError:
    """The error that names a bad line; its `data` holds the members of `place` and `reason`."""
    what = f"{place.segment:08d}.jsonl, line {place.line} (seq {place.seq}): {reason}"
    return errors.AuditTamperedError(what=what, reason=reason, hint=_HINT, **msgspec.structs.asdict(place))
