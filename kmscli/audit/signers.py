"""Who can sign a line, and with which key, as the lines before it say.

Implements docs/spec/audit.md, "Who signs". Only a line that changes records tells of new keys, and only a root can sign
one. The first line of a segment repeats what is known and is held against it, since anybody may happen to begin one.
"""

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from kmscli import errors
from kmscli.audit import roots
from kmscli.formats import record
from kmscli.formats.auditline import Line, Segment, Signer
from kmscli.formats.record import PrincipalRecord, RootSet

R = TypeVar("R", bound=msgspec.Struct)

_VAULT_ID = re.compile(r"[0-9a-f]{32}")
_SHOWN = 64


class Signers:
    """The principals known so far.

    Attributes:
        vault_id: Of the vault whose roots they are; "" before the first line.
    """

    def __init__(self, fingerprint: bytes) -> None:
        """Know nobody, and trust the set of roots that has this fingerprint (32 bytes)."""
        self.vault_id = ""
        self._fingerprint = fingerprint
        self._sets: tuple[str, ...] = ()
        self._current: RootSet | None = None
        self._roots: dict[str, bytes] = {}
        self._others: dict[str, Signer] = {}

    def enter(self, segment: Segment) -> None:
        """Hold what the first line of a segment repeats against what is known; of the first segment, take its roots.

        Raises:
            AuditTamperedError: It is something else, or the roots are not those that are trusted.
        """
        if not self._sets:
            self._begin(segment.roots)
        if segment.roots != self._sets:
            raise _wrong("its chain of roots is not the one known before it")
        if segment.principals != tuple(self._others[name] for name in sorted(self._others)):
            raise _wrong("its principals are not those known before it")

    def _begin(self, bodies: Sequence[str]) -> None:
        try:
            current = roots.check_chain([body.encode() for body in bodies], self._fingerprint)
        except errors.VaultTamperedError as error:
            raise _wrong(f"its chain of roots does not hold: {error.data.get('what', error.text)}") from error
        if not _VAULT_ID.fullmatch(current.vault_id):
            raise _wrong("its roots are those of no vault")
        self.vault_id = current.vault_id
        self._sets = tuple(bodies)
        self._follow(current)

    def _follow(self, current: RootSet) -> None:
        self._current = current
        self._roots = {key.principal: key.sign for key in current.roots}

    def key_of(self, line: Line) -> bytes:
        """The Ed25519 public key with which a line must be signed.

        Raises:
            AuditTamperedError: Who it names cannot sign it.
        """
        name = line.signature.signer
        if (root := self._roots.get(name)) is not None:
            return root
        if line.change is not None:
            raise _wrong(f"it changes records, and was signed by {name[:_SHOWN]!r}, who is no root")
        found = self._others.get(name)
        if found is None:
            raise _wrong(f"it was signed by {name[:_SHOWN]!r}, who is no principal of the vault")
        if found.state != "enabled":
            raise _wrong(f"it was signed by {name[:_SHOWN]!r}, who is disabled")
        if line.speaks_for_another:
            raise _wrong(f"it tells of another, and was signed by {name[:_SHOWN]!r}, who is no root")
        return found.sign

    def learn(self, line: Line) -> None:
        """Take what a line tells of new keys, for the lines after it.

        Raises:
            AuditTamperedError: It does not carry exactly the principals and sets of roots that it writes.
        """
        if line.change is None:
            if line.roots or line.principals:
                raise _wrong("it changes nothing, but tells of new keys")
            return
        written = {(each.kind, each.id): each for each in line.change if each.kind in {"principal", "roots"}}
        if line.chain.seq == 1 or not (written or line.roots or line.principals):
            # The first line makes the first root, whom the set that is trusted names.
            return
        sets = [self._next_set(body) for body in line.roots]
        found = [_decoded(body, PrincipalRecord) for body in line.principals]
        carried = {("roots", str(each.number)): body for each, body in zip(sets, line.roots, strict=True)}
        carried |= {("principal", each.name): body for each, body in zip(found, line.principals, strict=True)}
        names = [each.name for each in found]
        if names != sorted(set(names)):
            raise _wrong("its principals are not listed in order")
        told = {name: record.record_digest(*name, body.encode()).hex() for name, body in carried.items()}
        if told != {name: each.new for name, each in written.items() if each.new is not None}:
            raise _wrong("it does not carry the principals and sets of roots that it writes")
        if any(kind == "roots" and each.old is not None for (kind, _), each in written.items()):
            raise _wrong("it writes over a set of roots")
        self._forget([name for (kind, name), each in written.items() if kind == "principal" and each.new is None])
        for each in found:
            self._place(each)

    def _next_set(self, body: str) -> RootSet:
        following = _decoded(body, RootSet)
        if self._current is None:
            raise _wrong("it tells of roots before the first ones")
        try:
            roots.check_step(self._current, following)
        except errors.VaultTamperedError as error:
            raise _wrong(f"its set of roots does not hold: {error.data.get('what', error.text)}") from error
        self._sets = (*self._sets, body)
        self._follow(following)
        return following

    def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            self._others.pop(name, None)

    def _place(self, found: PrincipalRecord) -> None:
        self._others.pop(found.name, None)
        rooted = (found.sign, found.seal) in self._keys_of(found.name)
        if found.root != rooted or (not found.root and found.name in self._roots):
            raise _wrong(f"its principal {found.name[:_SHOWN]!r} is not what the roots say")
        if not found.root:
            self._others[found.name] = Signer(name=found.name, state=found.state, sign=found.sign)

    def _keys_of(self, name: str) -> list[tuple[bytes, bytes]]:
        current = self._current.roots if self._current else ()
        return [(key.sign, key.seal) for key in current if key.principal == name]


def _decoded(body: str, shape: type[R]) -> R:
    try:
        return record.decode(body.encode(), shape)
    except (errors.VaultTamperedError, UnicodeEncodeError) as error:
        raise _wrong(f"it carries what is no {shape.__name__}") from error


def _wrong(what: str) -> errors.AuditTamperedError:
    return errors.AuditTamperedError(what=what)
