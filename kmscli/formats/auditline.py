"""One line of the audit log: a CloudTrail-shaped JSON object that ends in its signature.

Implements docs/spec/audit.md, "Line". A line is accepted only if encoding what was decoded gives the same bytes, so
there is one spelling of each line and nothing hides in it. Bytes to members and back; no keys, no files.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec

from kmscli import errors
from kmscli.formats.wire import label, sha256
from kmscli.model import limits

_SIGNATURE = b',"signature":'
FIRST_PREV = "0" * 64
"""`chain.prev` of the first line."""


class _Loose(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is read from a line; members that are not named here are left alone."""


class Chain(_Loose, frozen=True, kw_only=True):
    """Place of a line: its number, and the SHA-256 of the line before it (64 hex digits)."""

    seq: int
    prev: str


class State(_Loose, frozen=True, kw_only=True):
    """The vault as it was for the line: for a change, as the change left it."""

    id: str
    generation: int
    root: str


class RecordChange(_Loose, frozen=True, kw_only=True, array_like=True):
    """One record of a change: digests before and after, 64 hex digits each, None where there was none."""

    kind: str
    id: str
    old: str | None
    new: str | None


class Signer(_Loose, frozen=True, kw_only=True):
    """A principal who is no root, with the key by which his lines are known; `sign` is 32 bytes."""

    name: str
    state: Literal["enabled", "disabled"]
    sign: bytes


class Segment(_Loose, frozen=True, kw_only=True):
    """Stands in the first line of each segment, and repeats who can sign.

    Attributes:
        number: Of the segment.
        roots: The chain of root sets, each as its JSON text.
        principals: Those who are no roots, in the order of their names.
    """

    number: int
    roots: tuple[str, ...]
    principals: tuple[Signer, ...] = ()


class Signature(_Loose, frozen=True, kw_only=True):
    """Who signed, and the Ed25519 signature."""

    signer: str
    value: bytes


class Caller(_Loose, frozen=True, kw_only=True):
    """Who asked, where a line names anybody."""

    userName: str = ""  # noqa: N815 - CloudTrail's name


class Line(_Loose, frozen=True, kw_only=True):
    """What verification reads of a line.

    Attributes:
        principals: Bodies of the `principal` records that a change writes; `roots` those of its `roots` records.
    """

    eventName: str  # noqa: N815 - CloudTrail's name
    eventTime: Annotated[datetime, msgspec.Meta(tz=True)]  # noqa: N815 - CloudTrail's name
    vault: State
    chain: Chain
    signature: Signature
    userIdentity: Caller = Caller()  # noqa: N815 - CloudTrail's name
    change: tuple[RecordChange, ...] | None = None
    roots: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    segment: Segment | None = None

    @property
    def speaks_for_another(self) -> bool:
        """Whether it tells of somebody else than who signed it, as a root does for the callers of an endpoint."""
        return self.userIdentity.userName not in ("", self.signature.signer)


class _Placed(_Loose, frozen=True, kw_only=True):
    """The place of a line, and nothing else of it."""

    chain: Chain


_DECODER = msgspec.json.Decoder(Line)
_PLACED = msgspec.json.Decoder(_Placed)
_ANY = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()


def encode(event: Mapping[str, Any], *, vault_id: str, signer: str, sign: Callable[[bytes], bytes]) -> bytes:
    """The line for `event`, signed, without a newline.

    Args:
        event: All members but the signature; the last one is `chain`.
        vault_id: 32 hex digits.
        signer: The acting principal.
        sign: Gives its Ed25519 signature.

    Raises:
        ValidationError: The line would be too long to be read back.
    """
    body = _ENCODER.encode(event)[:-1]
    value = sign(signed_bytes(vault_id, body))
    line = body + _SIGNATURE + _ENCODER.encode({"signer": signer, "value": value}) + b"}"
    if len(line) > limits.AUDIT_LINE_MAX:
        raise errors.ValidationError(
            problem=f"the audit line would take {len(line)} bytes", hint="ask for less at once"
        )
    return line


def signed_bytes(vault_id: str, before_signature: bytes) -> bytes:
    """What the signature of a line covers."""
    return b"%b%b%b" % (_signed_start(vault_id), len(before_signature).to_bytes(4, "big"), before_signature)


@lru_cache(maxsize=16)
def _signed_start(vault_id: str) -> bytes:
    """What of `label("audit", vault id, bytes)` stands before the length of the last part."""
    return label("audit", bytes.fromhex(vault_id))


def signed_part(line: bytes) -> bytes:
    """The bytes of a line before its signature."""
    return line[: line.rindex(_SIGNATURE)]


def decode(line: bytes) -> Line:
    """What verification needs of a line (without its newline).

    Raises:
        AuditTamperedError: Not a line, or not in its one spelling.
    """
    try:
        members = _ANY.decode(line)
        parsed = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise errors.AuditTamperedError(what="a line is not an audit line") from error
    # The end is spelled from what was decoded: several base64 texts decode to one signature.
    end = _SIGNATURE + _ENCODER.encode(parsed.signature) + b"}"
    if not line.endswith(end) or _ENCODER.encode(members) != line:
        raise errors.AuditTamperedError(what="a line is not in its one spelling")
    return parsed


def seq_of(line: bytes) -> int:
    """The number that a line says it has; nothing else of it is looked at, so that a long one costs little.

    Raises:
        AuditTamperedError: Not a line.
    """
    try:
        return _PLACED.decode(line).chain.seq
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise errors.AuditTamperedError(what="a line is not an audit line") from error


def members(line: bytes) -> dict[str, Any]:
    """All members of a line, for people and searches.

    Raises:
        AuditTamperedError: Not a JSON object.
    """
    try:
        found = _ANY.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise errors.AuditTamperedError(what="a line is not an audit line") from error
    if not isinstance(found, dict):
        raise errors.AuditTamperedError(what="a line is not an audit line")
    return found


def digest(line: bytes) -> str:
    """SHA-256 of a line without its newline, 64 hex digits: what the next line's `prev` says."""
    return sha256(line).hex()
