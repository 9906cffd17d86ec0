"""A principal who is no root, with his identity, all files and a patched client: what he writes himself is refused.

He signs well, for he has a key that the vault knows; but not as a root, and not as anybody else.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.audit.log import AuditLog
from kmscli.crypto.identity import Identity
from kmscli.formats import auditline, record
from kmscli.formats import slot as formats
from kmscli.formats.auditline import RecordChange, Signer
from kmscli.formats.record import PrincipalRecord
from kmscli.service import audits, principals
from kmscli.vault import config
from kmscli.vault.journal import NOTHING, Actor, Place, State, Written, compose
from kmscli.vault.unlock import unlock
from tests.helpers import START, Home
from tests.several import acting, admin, made, secret_of

EVE = Identity(b"e" * 32)
EVENT: dict[str, Any] = {"eventName": "Encrypt"}


class Insider:
    """Bob at work on the log itself."""

    def __init__(self, home: Home) -> None:
        made(home, "bob")
        made(home, "ci", kind="role")
        self.home = home
        self.context = acting(home, "bob")
        self.log = AuditLog(home.folder / "audit", segment_bytes=config.SEGMENT_BYTES)
        with self.context.session.read() as snapshot:
            self.head = snapshot.head
            self.chain = snapshot.root_bodies

    def write(
        self,
        signer: str,
        who: Identity,
        written: Written = NOTHING,
        *,
        generation: int = 0,
        segment: int | None = None,
        known: tuple[Signer, ...] = (),
        named: str | None = None,
    ) -> None:
        """Append a line that fits in everything but what is forged."""
        tail = self.log.tail()
        line = compose(
            EVENT if named is None else EVENT | {"userIdentity": {"userName": named}},
            Actor(signer, who),
            now=self.home.clock(),
            state=State(self.head.vault_id, self.head.generation + generation, self.head.root),
            place=Place(tail.seq + 1, tail.digest, None if segment is None else (segment, self.chain), known),
            written=written,
        )
        self.log.append(tail, line)

    @property
    def me(self) -> Identity:
        return self.context.session.identity


def _eve() -> Written:
    body = record.encode(
        PrincipalRecord(
            name="eve",
            kind="user",
            root=False,
            state="enabled",
            created=START,
            sign=EVE.sign_public,
            seal=EVE.seal_public,
        )
    )
    digest = record.record_digest("principal", "eve", body).hex()
    return Written((RecordChange(kind="principal", id="eve", old=None, new=digest),), principals=(body,))


FORGERIES: dict[str, tuple[str, Callable[[Insider], None]]] = {
    "a line of the admin": ("does not hold", lambda bob: bob.write("admin", bob.me)),
    "a line of another": ("does not hold", lambda bob: bob.write("ci", bob.me)),
    "what another did, signed by himself": ("who is no root", lambda bob: bob.write("bob", bob.me, named="admin")),
    "a line of nobody": ("no principal of the vault", lambda bob: bob.write("eve", EVE)),
    "a change of his own": ("who is no root", lambda bob: bob.write("bob", bob.me, _eve(), generation=1)),
    "a change in the name of the admin": (
        "does not hold",
        lambda bob: bob.write("admin", bob.me, _eve(), generation=1),
    ),
    "keys without a change": (
        "tells of new keys",
        lambda bob: bob.write("bob", bob.me, msgspec.structs.replace(_eve(), changes=())),
    ),
    "a segment that knows somebody more": (
        "not those known before",
        lambda bob: bob.write(
            "bob", bob.me, segment=2, known=(Signer(name="eve", state="enabled", sign=EVE.sign_public),)
        ),
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_line_that_an_insider_forges_is_named_by_whoever_verifies(home: Home, forgery: str) -> None:
    reason, forge = FORGERIES[forgery]
    bob = Insider(home)
    bob.write("bob", bob.me)  # what he may sign himself is no forgery
    forge(bob)
    number = len(home.lines())
    for full in (False, True):
        with pytest.raises(errors.AuditTamperedError) as caught:
            audits.verify_log(home.folder / "audit", bytes.fromhex(home.made.root_fingerprint), full=full)
        assert caught.value.data["seq"] == number
        # A replay may meet the forged state before the signature is looked at.
        assert full or reason in caught.value.data["reason"]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_the_next_command_refuses_to_go_on_behind_a_forged_line(home: Home, forgery: str) -> None:
    bob = Insider(home)
    FORGERIES[forgery][1](bob)
    before = home.raw_lines()
    for context in (admin(home), bob.context):
        with pytest.raises(errors.AuditTamperedError) as caught:
            principals.list_principals(context)
        assert caught.value.exit_code == 51
    assert before == home.raw_lines()


def test_a_line_of_who_was_disabled_is_refused_and_named(home: Home) -> None:
    bob = Insider(home)
    principals.set_state(home.context, "bob", "disabled")
    with home.context.session.read() as snapshot:
        bob.head = snapshot.head
    bob.write("bob", bob.me)
    with pytest.raises(errors.AuditTamperedError) as caught:
        principals.list_principals(admin(home))
    assert caught.value.exit_code == 51
    with pytest.raises(errors.AuditTamperedError, match="'bob', who is disabled"):
        audits.verify_log(home.folder / "audit", bytes.fromhex(home.made.root_fingerprint))


def test_an_insider_cannot_give_himself_the_slot_of_another(home: Home) -> None:
    # He knows his own slot's secret, and puts its rows under the name of the admin.
    bob = Insider(home)
    store = bob.context.session.vault.store
    (mine,) = (slot for slot in bob.context.session.vault.slots()[0] if slot.principal == "bob")
    forged = msgspec.structs.replace(mine, principal="admin")
    with store.change():
        store.put_slot(forged.slot_id, formats.encode(forged))
    with pytest.raises(errors.WrongSecretError):
        unlock(home.open(), "admin", lambda _: secret_of(home, "bob"))
    assert auditline.decode(home.raw_lines()[-1]).signature.signer == "admin"
